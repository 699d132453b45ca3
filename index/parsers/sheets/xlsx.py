"""The sheets of .xlsx and .xlsm workbooks, cell by cell.

Only the cells that are in the file are read, so a lone cell in the last corner of a sheet costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from index.errors import CorruptError
from index.parsers.office.package import Package, Relation
from index.parsers.sheets.cell_text import BUILT_IN, Format, format_of, shown
from index.parsers.xml_reading import Event, local_name

Row = tuple[int, dict[int, str]]
"""A row's number and its filled cells by the number of their column, both from 0."""

_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_NUMBER = Format("number")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: its name, whether a reader sees it, and its rows, read while they are iterated."""

    name: str
    visible: bool
    rows: Iterator[Row]


def read_sheets(package: Package) -> list[Sheet]:
    """The sheets of a workbook in their order.

    Raises:
        CorruptError: A part is missing or damaged.
    """
    book = package.main("xl/workbook.xml")
    targets = package.relations(book)
    from_1904 = False
    named: list[tuple[str, bool, str]] = []
    for kind, tag, attributes in package.events(book):
        if kind != "start":
            continue
        local = local_name(tag)
        if local == "workbookPr":
            from_1904 = attributes.get("date1904") in ("1", "true")
        elif local == "sheet":
            relation = targets.get(_relation_id(attributes))
            if relation is not None and relation.kind == "worksheet":
                visible = attributes.get("state", "visible") == "visible"
                named.append((attributes.get("name", ""), visible, relation.target))
    book_of = _Workbook(_shared_strings(package, targets), _formats(package, targets), from_1904)
    return [Sheet(name, visible, _rows(package, part, book_of)) for name, visible, part in named]


@dataclass(frozen=True, slots=True)
class _Workbook:
    """What the cells of all sheets refer to."""

    strings: Sequence[str]
    formats: Sequence[Format]
    from_1904: bool


def _relation_id(attributes: Mapping[str, str]) -> str:
    # The namespace of r:id differs between the two flavours of the format.
    return next((value for name, value in attributes.items() if name.endswith("}id")), "")


def _part_of(package: Package, targets: Mapping[str, Relation], kind: str) -> str | None:
    return next((package.find(found.target) for found in targets.values() if found.kind == kind), None)


def _shared_strings(package: Package, targets: Mapping[str, Relation]) -> list[str]:
    part = _part_of(package, targets, "sharedStrings")
    if part is None:
        return []
    strings: list[str] = []
    text = _Text()
    for event in package.events(part):
        text.take(event)
        if event.kind == "end" and local_name(event.name) == "si":
            strings.append(text.fetch())
    return strings


class _Text:
    """Gathers the text of a string item: of its runs, but not of its reading aids."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._inside = False
        self._aids = 0

    def take(self, event: Event) -> None:
        if event.kind == "text":
            if self._inside and not self._aids:
                self._pieces.append(event.name)
            return
        local = local_name(event.name)
        if local == "t":
            self._inside = event.kind == "start"
        elif local == "rPh":
            self._aids += 1 if event.kind == "start" else -1

    def fetch(self) -> str:
        text = "".join(self._pieces)
        self._pieces.clear()
        return _unescaped(text)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def _formats(package: Package, targets: Mapping[str, Relation]) -> list[Format]:
    """The format of each cell style, by the style's number."""
    part = _part_of(package, targets, "styles")
    if part is None:
        return []
    codes = dict(BUILT_IN)
    formats: list[Format] = []
    inside = False
    for kind, tag, attributes in package.events(part):
        local = local_name(tag) if kind != "text" else ""
        if local == "cellXfs":
            inside = kind == "start"
        elif kind != "start":
            continue
        elif local == "numFmt":
            codes[_whole(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
        elif local == "xf" and inside:
            formats.append(format_of(codes.get(_whole(attributes.get("numFmtId")), "")))
    return formats


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else -1


def _rows(package: Package, part: str, book: _Workbook) -> Iterator[Row]:
    """The rows of a sheet that hold anything."""
    reader = _RowReader(book)
    for event in package.events(part):
        reader.take(event)
        if event.kind == "end" and reader.cells and local_name(event.name) == "row":
            yield reader.number, reader.cells


class _RowReader:
    """Gathers the cells of the row that is being read."""

    def __init__(self, book: _Workbook) -> None:
        self.number = -1
        self.cells: dict[int, str] = {}
        self._book = book
        self._column = -1
        self._kind = "n"
        self._style = -1
        self._value: list[str] = []
        self._inside = False
        self._text = _Text()

    def take(self, event: Event) -> None:
        if event.kind == "text":
            if self._inside:
                self._value.append(event.name)
            else:
                self._text.take(event)
            return
        local = local_name(event.name)
        if local == "v":
            self._inside = event.kind == "start"
        elif event.kind == "end" and local == "c":
            self._end_cell()
        elif event.kind == "start" and local == "c":
            self._start_cell(event.attributes)
        elif event.kind == "start" and local == "row":
            number = event.attributes.get("r")
            self.number = self.number + 1 if number is None else _whole(number) - 1
            self._column = -1
            self.cells = {}
        else:
            self._text.take(event)

    def _start_cell(self, attributes: Mapping[str, str]) -> None:
        self._column = _column(attributes.get("r", ""), self._column + 1)
        self._kind = attributes.get("t", "n")
        self._style = _whole(attributes.get("s"))
        self._value.clear()
        self._text.fetch()

    def _end_cell(self) -> None:
        text = self._cell_text("".join(self._value), self._text.fetch())
        if text.strip():
            self.cells[self._column] = text

    def _cell_text(self, value: str, inline: str) -> str:
        if self._kind == "inlineStr":
            return inline
        if self._kind == "s":
            return self._shared(value.strip())
        if self._kind == "str":
            return _unescaped(value)
        if self._kind == "b":
            return {"0": "FALSE", "1": "TRUE"}.get(value.strip(), value)
        if self._kind == "d":
            return value.removesuffix("T00:00:00").replace("T", " ")
        return value if self._kind == "e" else self._number(value)

    def _shared(self, value: str) -> str:
        place = _whole(value)
        if place >= len(self._book.strings):
            raise CorruptError("damaged file: a cell refers to a text that is missing")
        return self._book.strings[place] if place >= 0 else ""

    def _number(self, value: str) -> str:
        try:
            number = float(value)
        except ValueError:
            return value
        known = 0 <= self._style < len(self._book.formats)
        form = self._book.formats[self._style] if known else _NUMBER
        return shown(number, form, from_1904=self._book.from_1904)


def _column(reference: str, following: int) -> int:
    """The number of a cell's column; cells without a reference stand side by side."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return following
    column = 0
    for letter in match[1].upper():
        column = column * 26 + ord(letter) - 64
    return column - 1
