"""Spreadsheets: .xlsx, .xlsm, .xlsb, .xls and .ods.

Every sheet is a page and a section under its name. Rows between empty rows are a table; a row that names
its columns is its header. Sheets that are hidden are left out, rows and columns that are hidden (as a
filter does for a while) are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from index.errors import CorruptError, UnsupportedError
from index.model import Document
from index.parsers.header_rows import header_place
from index.parsers.office import ole
from index.parsers.office.lock import unlocked
from index.parsers.office.package import Package, Properties
from index.parsers.sheets.binary import read_xls, read_xlsb
from index.parsers.sheets.ods import read_ods
from index.parsers.sheets.xlsx import Row, Sheet, read_sheets
from index.parsers.writer import Writer

_MOST_CELLS = 2_000_000
_MOST_TEXT = 40_000_000
_LONG_CELL = 80
_COMPARED = 120  # rows in which the header is looked for
_WIDE = 64

_Cells = dict[int, str]


def parse(data: bytes, passwords: Sequence[str] = ()) -> Document:
    """Read a workbook.

    Raises:
        EmptyFileError: No sheet that is shown holds anything.
        EncryptedError: None of ``passwords`` opens it.
        UnsupportedError: It is no spreadsheet.
        CorruptError: It is damaged.
    """
    sheets, properties = _read(unlocked(data, passwords))
    allowance = _Allowance()
    hidden = 0
    writer = Writer()
    for sheet in sheets:
        if not sheet.visible:
            hidden += 1
        elif not allowance.notice:
            writer.page(sheet.name or None)
            _write_sheet(writer, sheet.name, allowance.rows(sheet.rows))
    return writer.document(
        properties.title,
        author=properties.author,
        date=properties.date,
        notice="; ".join(filter(None, (_hidden(hidden), allowance.notice))),
    )


def _read(data: bytes) -> tuple[Iterable[Sheet], Properties]:
    """Tell the format by the content: many a file carries the extension of another one."""
    if data.startswith(ole.MAGIC):
        return read_xls(data)
    if not data.startswith(b"PK"):
        raise UnsupportedError("this is not a spreadsheet of a known format")
    package = Package(data)
    if package.find("content.xml"):
        return read_ods(package)
    if package.find("xl/workbook.bin"):
        return read_xlsb(data, package), package.properties()
    sheets = read_sheets(package)
    if not sheets:
        raise CorruptError("the workbook holds no sheets")
    return sheets, package.properties()


def _hidden(count: int) -> str:
    return f"{count} hidden sheet{'s' if count > 1 else ''} left out" if count else ""


class _Allowance:
    """What may be read of a workbook: a small file can repeat a long text in millions of cells."""

    def __init__(self) -> None:
        self._cells = 0
        self._text = 0
        self.notice = ""

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Pass rows on until the allowance is used up."""
        for number, cells in rows:
            kept = {column: text for column, text in cells.items() if self._takes(text)}
            if kept:
                yield number, kept
            if self.notice:
                return

    def _takes(self, text: str) -> bool:
        if self.notice or self._cells == _MOST_CELLS or self._text + len(text) > _MOST_TEXT:
            self.notice = f"too large: only the first {self._cells:,} cells were read"
            return False
        self._cells += 1
        self._text += len(text)
        return True


def _write_sheet(writer: Writer, name: str, rows: Iterator[Row]) -> None:
    first = next(rows, None)
    if first is None:
        return
    writer.heading(name, 1)
    held: list[_Cells] = []  # a row on its own, which may name the columns of the table below it
    for group in _groups(chain([first], rows)):
        if held and _header(group) is None and _header([*held, *group]) == 0:
            group = [*held, *group]
        elif held:
            _write_group(writer, held)
        held = group if len(group) == 1 and len(group[0]) > 1 else []
        if not held:
            _write_group(writer, group)
    if held:
        _write_group(writer, held)


def _groups(rows: Iterable[Row]) -> Iterator[list[_Cells]]:
    """Rows between empty rows."""
    group: list[_Cells] = []
    last = -1
    for number, cells in rows:
        if group and number != last + 1:
            yield group
            group = []
        group.append(cells)
        last = number
    if group:
        yield group


def _write_group(writer: Writer, group: Sequence[_Cells]) -> None:
    columns = _columns(group)
    if len(columns) == 1:
        _write_column(writer, [cell for cells in group for cell in cells.values()])
        return
    place = _header(group)
    start = place if place is not None else _lone(group)
    end = len(group)
    while end > start + 1 and place != end - 2 and _is_note(group[end - 1]):
        end -= 1
    for cells in group[:start]:
        _write_line(writer, cells)
    sparse = len(columns) > _WIDE and sum(map(len, group)) * 10 < len(columns) * len(group)
    writer.table(
        (
            [cells[column] for column in sorted(cells)]
            if sparse
            else [cells.get(column, "") for column in columns]
            for cells in group[start:end]
        ),
        headed=place is not None,
    )
    for cells in group[end:]:
        _write_line(writer, cells)


def _columns(group: Sequence[_Cells]) -> list[int]:
    """The columns that hold anything; those kept empty for their looks are none."""
    return sorted(set(chain.from_iterable(group)))


def _header(group: Sequence[_Cells]) -> int | None:
    top = group[:_COMPARED]
    columns = _columns(top)
    return header_place([[cells.get(column, "") for column in columns] for cells in top], named=False)


def _lone(group: Sequence[_Cells]) -> int:
    """How many rows of one cell, such as a title, stand above the first of several."""
    return next((place for place, cells in enumerate(group) if len(cells) > 1), 0)


def _is_note(cells: _Cells) -> bool:
    return len(cells) == 1 and all(len(cell) > _LONG_CELL for cell in cells.values())


def _write_line(writer: Writer, cells: _Cells) -> None:
    if len(cells) == 1:
        writer.block(next(iter(cells.values())))
    else:
        writer.table([[cells[column] for column in sorted(cells)]], headed=False)


def _write_column(writer: Writer, cells: Sequence[str]) -> None:
    """A column on its own is text where its cells are long, else a list."""
    if len(cells) == 1 or any(len(cell) > _LONG_CELL for cell in cells):
        for cell in cells:
            writer.block(cell)
    else:
        writer.table(([cell] for cell in cells), headed=False)
