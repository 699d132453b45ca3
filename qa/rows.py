"""Rows of tables, told as sentences.

A row ("Ouessant | Abel Moreau | 1987") says what it says by standing under a header, and a reader of prose
counts no columns. So each cell is told with the names of its row and of its column ("Ouessant has Keeper
Abel Moreau."), and every word that can be an answer keeps the place where it stands in the document. After
Oguz et al. 2022 (UniK-QA), who flatten tables row by row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from index import IndexedPassage, PrintedTable, Span

NAME_CHARACTERS = 80
"""The most of a row's or a column's name that is told with each cell."""

LONGEST_HEADER = LONGEST_ROW = 10_000
"""Characters. A row that would be longer is not told; of a header the rest is left out."""

_MARKS = ("\t", "|", ";", ",")
"""What stands between cells, in the order in which it is believed: commas stand in texts and numbers, too."""

_PRINTED_MARKS = _MARKS[:2]
"""The same where rows have pages: cells on paper stand apart, and a comma is part of one."""

_MAY_END_EARLY = _MARKS[2:]
"""Those of formats whose rows may leave out their last cells, and no others."""

_PIPE = re.compile(r"(?<!\\)\|")
_LETTER = re.compile(r"[^\W\d_]")
_EDGE = " \t|"
_EDGE_CHARACTERS = 4


@dataclass(frozen=True, slots=True)
class Part:
    """``text[start:end]`` of a row that is told: what the document says from ``place`` on."""

    start: int
    end: int
    place: int


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a column of a row, as ranges of the document, and what both are called.

    ``row`` is what stands above it, if anything, for the cell that names its row.
    """

    spans: tuple[Span, ...]
    row: str
    column: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is told, what in it are words of the document, and where its header row stands.

    ``alone`` are its cells, each told by itself, if there are several besides the one that names it.
    """

    text: str
    parts: tuple[Part, ...]
    header: Span
    cells: tuple[Cell, ...]
    alone: tuple[Row, ...] = ()


class Texts(Protocol):
    """The part of a snapshot that rows are looked up in."""

    def tables(self, source: str) -> Sequence[tuple[Span, Span]]:
        """The tables of a document that have a header row: its range, and that of the rows below it."""

    def printed_table(self, source: str, header: Span, body: Span) -> PrintedTable | None:
        """The columns and cells of one of them, where it stands on paper."""

    def part(self, source: str, start: int, end: int) -> str:
        """A part of a document's text."""


class Tables:
    """The tables of the documents that a question is looked for in, each looked up once."""

    def __init__(self, texts: Texts) -> None:
        """Look them up in ``texts``."""
        self._texts = texts
        self._tables: dict[str, Sequence[tuple[Span, Span]]] = {}
        self._headers: dict[tuple[str, Span], str] = {}
        self._printed: dict[tuple[str, Span], PrintedTable | None] = {}

    def header(self, found: IndexedPassage, offset: int) -> tuple[Span, str] | None:
        """The header row over what stands at ``offset``: its range and text; None where there is none."""
        table = self._table(found.sources[0], offset)
        return self._header(found.sources[0], table[0]) if table else None

    def row(self, found: IndexedPassage, start: int, end: int) -> Row | None:
        """A row of a table, told; None where the range is none, or its cells can't be told apart."""
        table = self._table(found.sources[0], start)
        if table is None or not self._begins_line(found, start):
            return None
        header, body = table
        passage = found.passage
        row = passage.text[start - passage.start : end - passage.start]
        if passage.page is None:
            return told(self._header(found.sources[0], header), row, start)
        printed = self._printed_table(found.sources[0], header, body)
        if printed is not None:
            return told_from_paper(printed, header, row, start)
        return told(self._header(found.sources[0], header), row, start, _PRINTED_MARKS)

    def cell(self, found: IndexedPassage, row: Span, start: int, end: int) -> Cell | None:
        """The cell of the row that holds ``start:end``; None where that is no row or no part of one cell."""
        told = self.row(found, *row)
        for cell in told.cells if told is not None else ():
            if any(first <= start and end <= last for first, last in cell.spans):
                return cell
        return None

    def _table(self, source: str, offset: int) -> tuple[Span, Span] | None:
        """The table whose rows stand at ``offset``; None where there is none with a header."""
        if source not in self._tables:
            self._tables[source] = self._texts.tables(source)
        return next((table for table in self._tables[source] if table[1][0] <= offset < table[1][1]), None)

    def _header(self, source: str, header: Span) -> tuple[Span, str]:
        """The range of a header row and its text."""
        if (source, header) not in self._headers:
            end = min(header[1], header[0] + LONGEST_HEADER)
            self._headers[source, header] = self._texts.part(source, header[0], end)
        return header, self._headers[source, header]

    def _printed_table(self, source: str, header: Span, body: Span) -> PrintedTable | None:
        if (source, body) not in self._printed:
            self._printed[source, body] = self._texts.printed_table(source, header, body)
        return self._printed[source, body]

    def _begins_line(self, found: IndexedPassage, start: int) -> bool:
        """Whether a row begins there, and not the rest of one that is longer than a passage."""
        inside = start - found.passage.start
        if inside > _EDGE_CHARACTERS:
            before = found.passage.text[inside - _EDGE_CHARACTERS : inside]
        else:
            before = self._texts.part(found.sources[0], max(start - _EDGE_CHARACTERS, 0), start)
        line = before.rpartition("\n")
        return not line[2].strip(_EDGE) and (bool(line[1]) or start < _EDGE_CHARACTERS)


def told(header: tuple[Span, str], row: str, place: int, marks: Sequence[str] = _MARKS) -> Row | None:
    """A row that stands at ``place``, told under its header (range and text).

    None where the cells of both can't be told apart, for none of the ``marks`` stands between them, or
    cells are missing and it can't be told whether they are the first or the last; where
    only one of its cells holds anything; and where it is longer than `LONGEST_ROW`.
    """
    for mark in marks:
        framed = mark == "|" and _is_framed(header[1])
        names, values = cells(header[1], mark, framed), cells(row, mark, framed)
        if len(values) == len(names) + 2 and mark == "|" and _is_framed(row):
            values = values[1:-1]  # Markdown's rows may have a frame where the header has none
        fewer = (framed or mark in _MAY_END_EARLY) and len(values) < len(names)
        if len(values) > 1 and (fewer or len(values) == len(names)):
            filled = [[value] if value[0] < value[1] else [] for value in values]
            return _told([header[1][a:b] for a, b in names], row, filled, place, header[0])
    return None


def told_from_paper(table: PrintedTable, header: Span, row: str, place: int) -> Row | None:
    """A row that stands at ``place`` of a document on paper, told by the columns that its cells stand in.

    None where its cells may be another row's, it has no name in the first column, and as in `told`.
    """
    values: list[list[Span]] = [[] for _ in table.names]
    inside = [one for one in table.rows if place <= one.cells[0][0] and one.cells[-1][1] <= place + len(row)]
    for start, end, column in (cell for one in inside for cell in one.cells):
        spans, first = values[column], start - place
        if spans and row[spans[-1][1] : first].isspace():  # it goes on in the next line
            first = spans.pop()[0]
        spans.append((first, end - place))
    return _told(table.names, row, values, place, header, inside[0].label) if values[0] else None


def _is_framed(header: str) -> bool:
    """Whether rows begin and end with a bar, as in Markdown."""
    return len(header) > 1 and header[0] == header[-1] == "|"


def cells(line: str, mark: str, framed: bool = False) -> list[Span]:
    """The cells of a line, without the white space and the quotation marks around them; empty ones, too.

    A ``framed`` one begins and ends with a mark.
    """
    bounds: list[Span] = []
    start = 0
    for end in [*_cuts(line, mark), len(line)]:
        bounds.append(_trimmed(line, start, end))
        start = end + 1
    if framed and len(bounds) > 2:
        first = 1 if bounds[0][0] == bounds[0][1] and line.lstrip().startswith(mark) else 0
        last = -1 if line.rstrip().endswith(mark) else None
        return bounds[first:last]
    return bounds


def _cuts(line: str, mark: str) -> list[int]:
    if mark == "|":
        return [found.start() for found in _PIPE.finditer(line)]
    cuts: list[int] = []
    quoted = False
    begins = True
    for place, character in enumerate(line):
        if character == '"' and (quoted or begins):
            quoted = not quoted
        elif character == mark and not quoted:
            cuts.append(place)
        begins = character == mark or (begins and character.isspace())
    return cuts


def _trimmed(line: str, start: int, end: int) -> Span:
    while start < end and line[start].isspace():
        start += 1
    while start < end and line[end - 1].isspace():
        end -= 1
    if end - start > 1 and line[start] == line[end - 1] == '"':
        start, end = start + 1, end - 1
    return start, end


def _name(text: str) -> str:
    return " ".join(text.split())[:NAME_CHARACTERS].rstrip()


def _told(
    names: Sequence[str],
    row: str,
    values: Sequence[Sequence[Span]],
    place: int,
    header: Span,
    label: str = "",
) -> Row | None:
    """A row with what stands in each column; None where that is one cell, or would be too long.

    Its ``label`` is told first.
    """
    filled = [number for number, spans in enumerate(values) if spans]
    if len(filled) < 2:
        return None
    # A number or a date in front names no row where a word does.
    key = next((n for n in filled if any(_LETTER.search(row[a:b]) for a, b in values[n])), filled[0])

    names = [_name(name) for name in names]
    label = _name(label)
    called = _name(" ".join([label, *(row[a:b] for a, b in values[key])]))

    def cell(column: int) -> Cell:
        spans = tuple((place + a, place + b) for a, b in values[column])
        return Cell(spans, label if column == key else called, names[column])

    def telling(columns: Sequence[int]) -> Row:
        text = f"{label} " if label else ""
        parts: list[Part] = []

        def add(spans: Sequence[Span]) -> None:
            nonlocal text
            for number, (start, end) in enumerate(spans):
                text += " " if number else ""
                parts.append(Part(len(text), len(text) + end - start, place + start))
                text += row[start:end]

        for column in columns:
            name = names[column]
            if column == key:
                text += f"{name}: " if name else ""
            else:
                add(_cut(row, values[key]))
                text += f" has {name} " if name else " has "
            add(values[column])
            text += ". "
        return Row(text.rstrip(), tuple(parts), header, tuple(cell(column) for column in columns))

    whole = telling(filled)
    if len(whole.text) > LONGEST_ROW:
        return None
    alone = [telling(sorted((key, column))) for column in filled if column != key]
    return replace(whole, alone=tuple(alone)) if len(alone) > 1 else whole


def _cut(row: str, spans: Sequence[Span]) -> list[Span]:
    """As much of a row's name as is told with each of its cells."""
    left = NAME_CHARACTERS
    kept: list[Span] = []
    for start, end in spans:
        cut = start + len(row[start : min(end, start + left)].rstrip())
        if start < cut:
            kept.append((start, cut))
        left -= cut - start
    return kept
