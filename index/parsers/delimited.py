"""Delimited tables: .csv, .tsv, .psv.

The text is never altered: a row is a range of the decoded file, over several lines where a quoted cell
holds line breaks.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from index.errors import EmptyFileError
from index.model import Block, BlockKind, Document, Span
from index.parsers.decoding import decode
from index.parsers.header_rows import header_place
from index.parsers.outline import outline

# In the order in which they are believed where several fit: commas stand in texts and numbers too.
_DELIMITERS = "\t;|,"
_NONE = "\x1f"  # no text holds it: every record is one cell
_DECLARED = re.compile(r"sep=([^\w\"\r\n])(?:\r?\n|\r)", re.IGNORECASE)
_SAMPLE = 64_000
_COMPARED = 120  # records in which the header is looked for
_PREAMBLE = 20
_LONG_LINE = 80


def parse(data: bytes) -> Document:
    """Read a table of delimited values.

    Raises:
        EmptyFileError: There is nothing but white space and delimiters.
        UnsupportedError: The bytes are not text.
        CorruptError: No encoding reads the bytes without loss.
    """
    decoded = decode(data)
    text = decoded.text
    declared = _DECLARED.match(text)
    start = declared.end() if declared else 0
    delimiter = declared[1] if declared else _delimiter(text[:_SAMPLE])
    records = [record for record in _records(text, start, delimiter) if record.end > record.start]
    if not records:
        raise EmptyFileError("the file holds no text")
    if delimiter == _NONE or _width(records) == 1:
        blocks = _lines(text, records)
    else:
        blocks = _rows(text, records, delimiter)
    return Document(None, text, outline(blocks), notice=decoded.notice)


@dataclass(frozen=True, slots=True)
class _Record:
    """A record: its range without the white space around it, its number of cells and of lines."""

    start: int
    end: int
    width: int
    lines: int


def _delimiter(sample: str) -> str:
    """The character that cuts most records into the same number of cells."""
    if len(sample) == _SAMPLE:
        sample = sample[: max(sample.rfind("\n"), sample.rfind("\r")) + 1] or sample
    best, share = _NONE, 0.5
    for delimiter in _DELIMITERS:
        widths = Counter(record.width for record in _records(sample, 0, delimiter) if record.width)
        width, count = max(widths.items(), key=lambda item: item[1], default=(1, 0))
        if width > 1 and count > share * widths.total():
            best, share = delimiter, count / widths.total()
    return best


def _width(records: Iterable[_Record]) -> int:
    """How many cells most records have; a record of several lines may be a quote that was never closed."""
    widths = Counter(record.width for record in records if record.lines == 1)
    return widths.most_common(1)[0][0] if widths else 0


def _records(text: str, start: int, delimiter: str) -> list[_Record]:
    """The records of a table; where a quote was not closed, the lines that it ran over."""
    found = list(_read(text, start, delimiter))
    width = _width(found)
    records: list[_Record] = []
    for record in found:
        unclosed = record.lines > 1 and text.count('"', record.start, record.end) % 2
        if unclosed or (record.lines > 1 and width and record.width != width):
            records += _cut(text, record, delimiter)
        else:
            records.append(record)
    return records


def _read(text: str, start: int, delimiter: str) -> Iterator[_Record]:
    """The records as the csv module reads them, with the lines that it takes for each."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    ends: list[int] = []

    def lines() -> Iterator[str]:
        place = start
        for line in io.StringIO(text[start:], newline=""):
            place += len(line)
            ends.append(place)
            yield line

    place = start
    reader = csv.reader(lines(), delimiter=delimiter)
    for cells in reader:
        end = ends[-1]
        yield _record(text, place, end, cells, len(ends))
        ends.clear()
        place = end


def _record(text: str, start: int, end: int, cells: Sequence[str], lines: int) -> _Record:
    if not any(cell.strip() for cell in cells):
        return _Record(start, start, len(cells), lines)
    raw = text[start:end]
    return _Record(start + len(raw) - len(raw.lstrip()), start + len(raw.rstrip()), len(cells), lines)


def _cut(text: str, record: _Record, delimiter: str) -> Iterator[_Record]:
    place = record.start
    for line in io.StringIO(text[record.start : record.end], newline=""):
        cells = next(csv.reader([line], delimiter=delimiter), [])
        yield _record(text, place, place + len(line), cells, 1)
        place += len(line)


def _cells(text: str, record: _Record, delimiter: str) -> list[str]:
    raw = io.StringIO(text[record.start : record.end], newline="")
    return next(csv.reader(raw, delimiter=delimiter), [])


def _rows(text: str, records: Sequence[_Record], delimiter: str) -> list[Block]:
    """A block for each record; what stands above the table, such as its title, is text."""
    top = [_cells(text, record, delimiter) for record in records[:_COMPARED]]
    first = _preamble(top, _width(records))
    blocks = [_block(text, record, delimiter) for record in records[:first]]
    table, top = records[first:], top[first:]
    header: Span | None = None
    if header_place(top, named=True) == 0:
        header = (table[0].start, table[0].end)
        blocks.append(Block(*header, "row"))
        table = table[1:]
    blocks.extend(Block(record.start, record.end, "row", header) for record in table)
    return blocks


def _preamble(top: Sequence[Sequence[str]], width: int) -> int:
    """How many records above the table fill hardly a cell of it."""
    for place, cells in enumerate(top[:_PREAMBLE]):
        if sum(1 for cell in cells if cell.strip()) >= max(2, width / 2):
            return place
    return 0


def _block(text: str, record: _Record, delimiter: str) -> Block:
    """A record as text, without the delimiters of its empty cells."""
    raw = text[record.start : record.end]
    empty = delimiter + " "
    start = record.start + len(raw) - len(raw.lstrip(empty))
    return Block(start, record.start + len(raw.rstrip(empty)))


def _lines(text: str, records: Sequence[_Record]) -> list[Block]:
    """One column: text where its lines are long, else a list."""
    long = any(record.end - record.start > _LONG_LINE for record in records)
    kind: BlockKind = "prose" if long else "row"
    return [Block(record.start, record.end, kind) for record in records]
