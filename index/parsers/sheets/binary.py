"""The sheets of .xls and .xlsb workbooks, read with calamine.

Calamine makes room for every cell between the first and the last one of a sheet, and for whatever a file
states to hold; a program that asks for too much memory is ended. So both are looked up first.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from index.errors import CorruptError
from index.parsers.office import ole
from index.parsers.office.package import Package, Properties
from index.parsers.sheets.cell_text import Moment, moment_text, number_text
from index.parsers.sheets.xlsx import Row, Sheet

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

_PASSES = 4  # over the whole stream: sheets may be listed again and again
_MOST_PLACES = 17_000_000  # a sheet of .xls has 16,777,216
_BEGIN, _END, _LISTED, _STATED, _TEXTS = 0x0809, 0x000A, 0x0085, 0x0200, 0x00FC
_CELLS = frozenset((0x0006, 0x00BD, 0x00D6, 0x00FD, 0x0203, 0x0204, 0x0205, 0x0207, 0x027E))
_XLSB_STATED, _XLSB_TEXTS = 148, 159
_WIDE = 0x00BD  # one record for several cells of a row
_HELD = re.compile("sheets|sharedstrings", re.IGNORECASE)
_UNREADABLE = "the workbook is damaged or of a kind that can't be read; save it as .xlsx"


def read_xls(data: bytes) -> tuple[list[Sheet], Properties]:
    """The sheets and properties of an .xls workbook.

    Raises:
        CorruptError: The file is damaged, or its sheets are too large.
    """
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as file:
            name = next((name for name in ("Workbook", "Book") if file.exists(name)), None)
            if name is None:
                raise CorruptError("this file holds no workbook")
            stream = file.openstream(name).read()
            properties = ole.summary(file)
    except ole.BROKEN as error:
        raise CorruptError(_UNREADABLE) from error
    _check(_xls_areas(stream))
    return _sheets(data), properties


def read_xlsb(data: bytes, package: Package) -> list[Sheet]:
    """The sheets of an .xlsb workbook.

    Raises:
        CorruptError: The file is damaged, or its sheets are too large.
    """
    parts = [name for name in package.parts() if name.lower().endswith(".bin")]
    _check(_xlsb_area(b"".join(package.chunks(part))) for part in parts if _HELD.search(part))
    return _sheets(data)


def _check(areas: Iterator[int]) -> None:
    if sum(areas) > _MOST_PLACES:
        raise CorruptError("the cells of this workbook lie too far apart to be read; save it as .xlsx")


class _Extent:
    """The rectangle around the cells of a sheet."""

    def __init__(self) -> None:
        self._top = self._left = 1 << 32
        self._bottom = self._right = -1

    def add(self, row: int, first: int, last: int) -> None:
        self._top, self._bottom = min(self._top, row), max(self._bottom, row)
        self._left, self._right = min(self._left, first), max(self._right, last)

    @property
    def area(self) -> int:
        return max(0, self._bottom - self._top + 1) * max(0, self._right - self._left + 1)


def _xls_areas(stream: bytes) -> Iterator[int]:
    """How many places lie between the outermost cells, sheet by sheet as the workbook lists them."""
    listed = []
    for kind, body in _records(stream, 0):
        if kind == _LISTED:
            listed.append(int.from_bytes(body[:4], "little"))
        elif kind == _TEXTS:
            _check_count(int.from_bytes(body[4:8], "little"), len(stream))
    areas: dict[int, int] = {}
    budget = _PASSES * len(stream)
    for place in listed:
        if place not in areas:
            areas[place], length = _xls_area(stream, place)
            budget -= length
        if budget < 0:
            raise CorruptError(_UNREADABLE)
        yield areas[place]


def _xls_area(stream: bytes, place: int) -> tuple[int, int]:
    """The places of the sheet that begins somewhere, and the length of what it is read from."""
    extent = _Extent()
    length = 0
    for kind, body in _records(stream, place):
        length += 4 + len(body)
        if kind == _STATED:
            _check_extent(body)
        elif kind in _CELLS and len(body) >= 6:
            row, first = int.from_bytes(body[:2], "little"), int.from_bytes(body[2:4], "little")
            last = int.from_bytes(body[-2:], "little") if kind == _WIDE else first
            extent.add(row, first, max(first, last))
    return extent.area, length


def _records(stream: bytes, place: int) -> Iterator[tuple[int, bytes]]:
    """The records up to the end of what begins at ``place``; charts nest in sheets."""
    depth = 0
    while place + 4 <= len(stream):
        kind = int.from_bytes(stream[place : place + 2], "little")
        size = int.from_bytes(stream[place + 2 : place + 4], "little")
        yield kind, stream[place + 4 : place + 4 + size]
        place += 4 + size
        depth += {_BEGIN: 1, _END: -1}.get(kind, 0)
        if kind == _END and depth <= 0:
            return


def _check_extent(body: bytes) -> None:
    """Refuse a sheet that states an extent which it can't have."""
    if len(body) in (10, 14):
        top, bottom, left, right = struct.unpack_from("<IIHH" if len(body) == 14 else "<HHHH", body)
        if bottom and right:  # else the sheet is empty
            if bottom < top or right < left:
                raise CorruptError(_UNREADABLE)
            _check(iter([(bottom - top) * (right - left)]))


def _check_count(stated: int, most: int) -> None:
    if stated > most:
        raise CorruptError(_UNREADABLE)


def _xlsb_area(part: bytes) -> int:
    extent = _Extent()
    row = place = 0
    while place < len(part):
        kind, place = _packed(part, place, 2)
        size, place = _packed(part, place, 4)
        if kind == 0:
            row = int.from_bytes(part[place : place + 4], "little")
        elif kind == _XLSB_STATED:
            top, bottom, left, right = struct.unpack("<4I", part[place : place + 16].ljust(16, b"\0"))
            if bottom < top or right < left:
                raise CorruptError(_UNREADABLE)
            _check(iter([(bottom - top + 1) * (right - left + 1)]))
        elif kind == _XLSB_TEXTS:
            _check_count(int.from_bytes(part[place + 4 : place + 8], "little"), len(part))
        elif 2 <= kind <= 11 or kind == 62:
            column = int.from_bytes(part[place : place + 4], "little")
            extent.add(row, column, column)
        place += size
    return extent.area


def _packed(part: bytes, place: int, most: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place after it."""
    value = 0
    for shift in range(most):
        if place >= len(part):
            break
        byte = part[place]
        place += 1
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            break
    return value, place


def _sheets(data: bytes) -> list[Sheet]:
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    with _reading():
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        return [
            Sheet(about.name, about.visible is SheetVisibleEnum.Visible, _rows(book, about.name))
            for about in book.sheets_metadata
            if about.typ is SheetTypeEnum.WorkSheet
        ]


@contextmanager
def _reading() -> Iterator[None]:
    """Turn the errors of calamine into ours, its panics too, whose class has no name to catch it by."""
    from python_calamine import CalamineError

    try:
        yield
    except (CalamineError, OSError, ValueError) as error:
        raise CorruptError(_UNREADABLE) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise CorruptError(_UNREADABLE) from error
        raise


def _rows(book: CalamineWorkbook, name: str) -> Iterator[Row]:
    with _reading():
        for number, values in enumerate(book.get_sheet_by_name(name).iter_rows()):
            cells = {column: _cell_text(value) for column, value in enumerate(values) if value != ""}
            if cells:
                yield number, cells


def _cell_text(value: float | str | Moment) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return number_text(value) if isinstance(value, int | float) else moment_text(value)
