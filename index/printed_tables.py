"""Tables on paper: which column each piece of a row stands in, and what the header above calls it.

A PDF's text has a space between two cells as between two words. The layout that was kept tells them apart. A
cell under a wrong name is worse than one that is not found, so what can be read in two ways is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from index.columns import Cell, Column, columns_of, is_level, over, parted, whole
from index.layout import LineEdges, edges
from index.model import Page, Span

__all__ = ["OnPaper", "PrintedRow", "PrintedTable", "printed_table"]

_INDENT = 2.0  # points: so far to the left of a row stands what it is set in under
_LABEL = re.compile(r"[^\W\d_]|\w.*:\Z")
_Line = list[Cell]


@dataclass(frozen=True, slots=True)
class OnPaper:
    """A range of the document, its text, and the page that it stands on."""

    page: Page
    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class PrintedRow:
    """A row of a table, or a line of one.

    Attributes:
        label: the lines of one cell above it that it is set in under ("Americas: Net sales:").
        cells: (start, end, number of the column), in the order of the text. Offsets count from the start of
            the document.
    """

    label: str
    cells: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """What the header says above each column, top down ("" where it says nothing), and the rows below it."""

    names: tuple[str, ...]
    rows: tuple[PrintedRow, ...]


def printed_table(header: OnPaper, bodies: Sequence[OnPaper]) -> PrintedTable | None:
    """The table of a header and the rows below it, which may go on over several pages.

    None where the pages have no layout, the rows have no columns in common, or two columns have one name.
    Rows whose cells may be another's are left out.
    """
    lines = [[line for line in _lines(body) if line] for body in bodies]
    columns = columns_of(line for each in lines for line in each if len(line) > 1)
    if columns is None or len(columns) < 2:
        return None
    names: list[list[str]] = [[] for _ in columns]
    for line in _lines(header):
        for cell, places in zip(line, _named(line, columns), strict=True):
            for place in places:
                names[place].append(cell.text)
    told = tuple(_folded(name) for name in names)
    if len(set(told)) < len(told):
        return None
    blocks = [list(_blocks(each, body)) for each, body in zip(lines, bodies, strict=True)]
    return PrintedTable(told, tuple(row for each in blocks for row in _rows(each, columns)))


def _folded(texts: Iterable[str]) -> str:
    return " ".join(" ".join(texts).split())


def _blocks(lines: Iterable[_Line], body: OnPaper) -> Iterator[list[_Line]]:
    """The lines that the text has on one."""
    first, text = body.span[0], body.text
    block: list[_Line] = []
    for line in lines:
        if block and "\n" in text[block[-1][-1].end - first : line[0].start - first]:
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _rows(blocks: Sequence[list[_Line]], columns: Sequence[Column]) -> Iterator[PrintedRow]:
    """The rows whose cells are surely theirs, with their labels."""
    wordy = not any(column.is_of_figures for column in columns[1:])
    torn = {n for n, block in enumerate(blocks) if wordy and _cells_of(block) < len(columns)}
    above: list[Cell] = []
    for number, block in enumerate(blocks):
        heading = _heading_after(block)
        cells = [cell for line in (block[:-1] if heading else block) for cell in line]
        label = _folded(cell.text for cell in _set_in_under(above, cells[0]))
        if len(cells) == 1 and _LABEL.match(cells[0].text) and cells[0].left < columns[1].left:
            above.append(cells[0])
        if heading:
            _set_in_under(above, heading).append(heading)
        places = [over(columns, cell) for cell in cells]
        if all(len(at) == 1 for at in places) and not {number, number + 1} & torn:
            found = [(cell.start, cell.end, at[0]) for cell, at in zip(cells, places, strict=True)]
            yield PrintedRow(label if places[0] == [0] else "", tuple(found))


def _set_in_under(above: list[Cell], cell: Cell) -> list[Cell]:
    """Those of the lines ``above`` that a cell is set in under; the others are dropped."""
    while above and above[-1].left + _INDENT > cell.left:
        above.pop()
    return above


def _cells_of(block: Iterable[_Line]) -> int:
    return max(map(len, block))


def _heading_after(block: Sequence[_Line]) -> Cell | None:
    """The heading of the rows below, where the text has it on the line of the row above."""
    last = block[-1]
    alone = len(block) > 1 and len(last) == 1 and max(map(len, block[:-1])) > 1
    return last[0] if alone and last[0].left + _INDENT <= block[0][0].left else None


def _lines(part: OnPaper) -> list[_Line]:
    """What stands side by side, as cells."""
    lines = [_along(line) for line in edges(part.page, *part.span)]
    found: list[_Line] = []
    above: LineEdges | None = None
    for line, cells in zip(lines, _cells(lines, part), strict=True):
        if above is not None and found[-1] and cells and _is_beside(above, found[-1][-1], line, cells[0]):
            found[-1] += cells
        else:
            found.append(cells)
            above = line
    return [whole(cells) for cells in found]


def _along(line: LineEdges) -> LineEdges:
    """A line that runs up the page, as if it ran down."""
    if line.upright or not len(line.ends) or line.begins[0] <= line.begins[-1]:
        return line
    return replace(line, begins=-line.ends, ends=-line.begins)


def _cells(lines: Sequence[LineEdges], part: OnPaper) -> list[_Line]:
    """The pieces of each line, at their places in the document."""
    import numpy as np

    if not lines:
        return []
    begin = part.span[0]
    texts = [part.text[line.start - begin : line.start - begin + len(line.ends)] for line in lines]
    heights = [max(line.far - line.near, 0.1) for line in lines]
    begins = np.concatenate([line.begins for line in lines])
    ends = np.concatenate([line.ends for line in lines])
    return [
        [Cell(c.left, c.right, c.text, line.start + c.start, line.start + c.end) for c in cells]
        for line, cells in zip(lines, parted(texts, heights, begins, ends), strict=True)
    ]


def _is_beside(above: LineEdges, last: Cell, line: LineEdges, first: Cell) -> bool:
    return is_level(above.far, above.far - above.near, line.far) and first.left > last.right


def _named(line: Sequence[Cell], columns: Sequence[Column]) -> list[list[int]]:
    """The columns that each cell of a line of the header names."""
    under = [over(columns, cell) for cell in line]
    if len(line) == len(columns) and all(at in ([], [number]) for number, at in enumerate(under)):
        return [[number] for number in range(len(columns))]
    named = [_without_first(cell, at, columns) for cell, at in zip(line, under, strict=True)]
    for number, cell in enumerate(line):
        if not named[number]:
            near = _nearest(columns, cell)
            named[number] = [near] if near is not None and all(near not in at for at in named) else []
    if all(len(at) < 2 for at in named):
        return named
    taken = {column for at in named for column in at}
    spread = [_spread(cell, at, taken, columns) for cell, at in zip(line, named, strict=True)]
    claims = Counter(column for at in spread for column in at)
    return [
        [column for column in wider if claims[column] == 1 or column in at]
        for wider, at in zip(spread, named, strict=True)
    ]


def _without_first(cell: Cell, under: list[int], columns: Sequence[Column]) -> list[int]:
    """The columns under a cell: the first alone, which may have a long name, or some of the others."""
    if 0 in under and len(under) > 1:
        return [0] if cell.left + cell.right < 2 * columns[1].left else under[1:]
    return under


def _nearest(columns: Sequence[Column], cell: Cell) -> int | None:
    """The column that is nearest to a cell, if it is no farther than either is wide."""
    away = [max(column.left - cell.right, cell.left - column.right) for column in columns]
    near = away.index(min(away))
    wide = max(cell.right - cell.left, columns[near].right - columns[near].left)
    return near if away[near] <= wide else None


def _spread(cell: Cell, under: list[int], taken: set[int], columns: Sequence[Column]) -> list[int]:
    """The run of columns whose middle is nearest to the cell's; it grows over none that is ``taken``."""
    if not under or under == [0]:
        return under
    low, high = under[0], under[-1]
    while low > 1 and low - 1 not in taken:
        low -= 1
    while high + 1 < len(columns) and high + 1 not in taken:
        high += 1
    _, _, first, last = min(
        (abs(columns[a].left + columns[b].right - cell.left - cell.right), b - a, a, b)
        for a in range(low, under[0] + 1)
        for b in range(under[-1], high + 1)
    )
    return list(range(first, last + 1))
