"""Tables on paper: which column each piece of a row stands in, and what the header above calls it.

A PDF's text has a space between two cells as between two words. The layout that was kept tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from index.columns import Cell, Column, columns_of, over, parted, whole
from index.layout import LineEdges, edges
from index.model import Page, Span

__all__ = ["PrintedRow", "PrintedTable", "printed_table"]

_INDENT = 2.0  # points
_LEVEL = 0.3  # of the height of a line: so far apart may be what stands side by side


@dataclass(frozen=True, slots=True)
class PrintedRow:
    """What stands side by side in a table.

    Attributes:
        label: the lines without figures above it that it is set in under ("Americas: Net sales:").
        cells: (start, end, number of the column), in the order of the text; the number is None where a
            cell stands in more than one. Offsets count from the start of the document.
    """

    label: str
    cells: tuple[tuple[int, int, int | None], ...]


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """What the header says above each column, top down ("" where it says nothing), and the rows below it."""

    names: tuple[str, ...]
    rows: tuple[PrintedRow, ...]


def printed_table(page: Page, header: tuple[Span, str], body: tuple[Span, str]) -> PrintedTable | None:
    """The table of a page with a header and the rows below it, each a range of the document and its text.

    None where the page has no layout, or the rows have no columns in common.
    """
    rows = [row for row in _rows(page, *body) if row]
    columns = columns_of(row for row in rows if len(row) > 1)
    if columns is None or len(columns) < 2:
        return None
    names: list[list[str]] = [[] for _ in columns]
    for row in _rows(page, *header):
        for cell, places in zip(row, _named(row, columns), strict=True):
            for place in places:
                names[place].append(cell.text)
    return PrintedTable(
        tuple(_folded(name) for name in names),
        tuple(
            PrintedRow(label, tuple(_placed(cell, columns) for cell in row))
            for row, label in zip(rows, _labels(rows), strict=True)
        ),
    )


def _folded(texts: Iterable[str]) -> str:
    return " ".join(" ".join(texts).split())


def _placed(cell: Cell, columns: Sequence[Column]) -> tuple[int, int, int | None]:
    places = over(columns, cell)
    return cell.start, cell.end, places[0] if len(places) == 1 else None


def _labels(rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """For each row the lines of one cell above it that begin further to the left, outermost first."""
    above: list[Cell] = []
    for row in rows:
        while above and above[-1].left + _INDENT > row[0].left:
            above.pop()
        yield _folded(cell.text for cell in above)
        if len(row) == 1:
            above.append(row[0])


def _rows(page: Page, span: Span, text: str) -> list[list[Cell]]:
    """What stands side by side, as cells."""
    lines = list(edges(page, *span))
    if not lines:
        return []
    texts = [text[line.start - span[0] : line.start - span[0] + len(line.ends)] for line in lines]
    heights = [max(line.far - line.near, 0.1) for line in lines]
    rows: list[list[Cell]] = []
    above: LineEdges | None = None
    for line, cells in zip(lines, _cells(lines, texts, heights), strict=True):
        if above is not None and rows[-1] and cells and _is_beside(above, rows[-1][-1], line, cells[0]):
            rows[-1] += cells
        else:
            rows.append(cells)
            above = line
    return [whole(row) for row in rows]


def _cells(lines: Sequence[LineEdges], texts: Sequence[str], heights: Sequence[float]) -> list[list[Cell]]:
    """The pieces of each line, at their places in the document."""
    import numpy as np

    begins = np.concatenate([line.begins for line in lines])
    ends = np.concatenate([line.ends for line in lines])
    return [
        [Cell(c.left, c.right, c.text, line.start + c.start, line.start + c.end) for c in cells]
        for line, cells in zip(lines, parted(texts, heights, begins, ends), strict=True)
    ]


def _is_beside(above: LineEdges, last: Cell, line: LineEdges, first: Cell) -> bool:
    return abs(above.far - line.far) <= _LEVEL * (above.far - above.near) and first.left > last.right


def _named(row: Sequence[Cell], columns: Sequence[Column]) -> list[list[int]]:
    """The columns that each cell of a line of the header names."""
    named = [over(columns, cell) for cell in row]
    for number, (cell, places) in enumerate(zip(row, named, strict=True)):
        if 0 in places and len(places) > 1:  # a long name of the first column, or one over the others
            named[number] = [0] if cell.left + cell.right < 2 * columns[1].left else places[1:]
    reaches = any(len(places) > 1 for places in named)  # then one cell may stand over many columns
    free = set(range(1, len(columns))).difference(*named)
    for number, cell in enumerate(row):
        if not named[number]:
            near = _nearest(columns, cell)
            named[number] = [near] if near in free else []
            free.discard(near)
    if reaches:
        heads = [number for number, places in enumerate(named) if any(places)]
        for column in sorted(free):
            middle = (columns[column].left + columns[column].right) / 2
            near = min(heads, key=lambda n: max(row[n].left - middle, middle - row[n].right))
            named[near].append(column)
    return named


def _nearest(columns: Sequence[Column], cell: Cell) -> int:
    return min(
        range(len(columns)), key=lambda n: max(columns[n].left - cell.right, cell.left - columns[n].right)
    )
