"""The sheets of .ods spreadsheets, cell by cell, as the program that saved them showed them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from index.parsers.office.opendocument import (
    OFFICE,
    STYLE,
    TABLE,
    TEXT,
    UNSEEN,
    check_open,
    inline,
    properties_of,
)
from index.parsers.office.package import Properties
from index.parsers.sheets.xlsx import Row, Sheet
from index.parsers.xml_reading import Event
from index.parsers.zipped import Zipped

_COLUMNS = 16_384
_ROWS = 1_048_576
_CELLS = (f"{TABLE}table-cell", f"{TABLE}covered-table-cell")
_TRUTHS = {"true": "TRUE", "false": "FALSE"}


def read_ods(package: Zipped) -> tuple[Iterator[Sheet], Properties]:
    """The sheets and properties of a spreadsheet. A sheet's rows are gone once the next sheet is asked for.

    Raises:
        EncryptedError: It asks for a password.
        CorruptError: A part is missing or damaged.
    """
    check_open(package)
    return _Reader(package.events("content.xml")).sheets(), properties_of(package)


class _Reader:
    """Reads the sheets one after the other from a single stream."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._depth = 0  # of the tables that are open: a cell may hold one

    def sheets(self) -> Iterator[Sheet]:
        hidden: set[str] = set()
        style = ""
        for kind, tag, attributes in self._events:
            if kind != "start":
                continue
            if tag == f"{STYLE}style":
                style = attributes.get(f"{STYLE}name", "")
            elif tag == f"{STYLE}table-properties" and attributes.get(f"{TABLE}display") == "false":
                hidden.add(style)
            elif tag == f"{TABLE}table":
                self._depth = 1
                name = attributes.get(f"{TABLE}name", "")
                yield Sheet(name, attributes.get(f"{TABLE}style-name") not in hidden, self._rows())
                while self._next() is not None:
                    """What nobody asked for is passed over."""

    def _next(self) -> Event | None:
        """The next event of the open sheet, None at its end."""
        event = next(self._events, None) if self._depth else None
        if event is not None and event.name == f"{TABLE}table" and event.kind != "text":
            self._depth += 1 if event.kind == "start" else -1
        return event if self._depth else None

    def _rows(self) -> Iterator[Row]:
        number, column, repeats = 0, 0, 1
        cells: dict[int, str] = {}
        while (event := self._next()) is not None:
            kind, tag, attributes = event
            if kind == "text":
                continue
            if tag == f"{TABLE}table-row" and kind == "start":
                cells, column = {}, 0
                repeats = _count(attributes, "rows", _ROWS - number)
            elif tag == f"{TABLE}table-row":
                if cells:
                    for row in range(number, number + repeats):
                        yield row, cells
                number += repeats
            elif tag in _CELLS and kind == "start":
                text = self._cell(attributes)
                count = _count(attributes, "columns", _COLUMNS - column)
                if text.strip() and tag == _CELLS[0]:  # what a merged cell covers is not seen
                    cells.update(dict.fromkeys(range(column, column + count), text))
                column += count
            elif kind == "start" and (tag in UNSEEN or tag == f"{TABLE}shapes"):
                self._pass_over()

    def _pass_over(self) -> None:
        depth = 1
        while depth and (event := self._next()) is not None:
            depth += {"start": 1, "end": -1, "text": 0}[event.kind]

    def _cell(self, attributes: Mapping[str, str]) -> str:
        """The text of a cell whose start was just read, up to its end."""
        pieces: list[str] = []
        depth = paragraphs = 0
        while (event := self._next()) is not None:
            kind, tag, inner = event
            if kind == "start" and tag in UNSEEN:
                self._pass_over()
                continue
            if kind == "start":
                depth += 1
            elif kind == "end":
                depth -= 1
                if depth < 0:
                    break
            if tag == f"{TEXT}p" and kind != "text":
                paragraphs += 1 if kind == "start" else -1
                pieces.append("\n" if kind == "start" and pieces else "")
            elif paragraphs:
                pieces.append(inline(kind, tag, inner))
        return _value("".join(pieces), attributes)


def _count(attributes: Mapping[str, str], what: str, most: int) -> int:
    repeated = attributes.get(f"{TABLE}number-{what}-repeated", "1")
    return max(0, min(int(repeated) if repeated.isascii() and repeated.isdigit() else 1, most))


def _value(text: str, attributes: Mapping[str, str]) -> str:
    """What stands in the cell; dates and truth values in the form that they have in all other formats."""
    kind = attributes.get(f"{OFFICE}value-type")
    if kind == "date":
        moment = attributes.get(f"{OFFICE}date-value", text)
        return moment.removesuffix("T00:00:00").replace("T", " ")
    if kind == "boolean":
        return _TRUTHS.get(attributes.get(f"{OFFICE}boolean-value", ""), text)
    return text
