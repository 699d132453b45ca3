"""Cells of a table that stands on paper, and the columns that its rows have in common."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_CELLS = 50
"""A row has no more."""

_GAP = 0.5  # of the height of type
_LEVEL = 0.3  # the same
_LETTERS = 1.1  # of a letter, where all are of one width, and so is a space
_SPACES = [code for code in range(0x3001) if chr(code).isspace()]
_LONGEST_FIGURE = 40
_LEAD = re.compile("[$€£¥•‣◦▪●✓✔➢\uf0b7\uf0a7\uf0d8]+\\Z")
_TAIL = re.compile(r"[)%*†‡:.,;]+\Z")
_FIGURE = re.compile(
    r"[^\w]*\d(?:[^\w]*\d)*[^\w]*(?:[a-zµ]|bn|[ck]?m|[mµk]g|m?l|hrs?|min|to [^\w]*\d[\d.,]*[^\w]*)?\Z"
)
_BLANK = re.compile(r"[-–—−*.…]+\Z|n[./]?[ad]\.?\Z", re.IGNORECASE)
_YEAR = re.compile(
    r"(?:(?:FY ?|CY ?)?(?:19|20)\d\d(?:[-–/]\d{2,4})?|\d{1,2}([./])\d{1,2}\1(?:19|20)\d\d"
    r"|(?:19|20)\d\d-\d\d-\d\d)[A-Z*]?(?: ?\(\w\))?\Z",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?:\(?(?:\d{1,3}|[A-Za-z]|[ivxlc]{1,5})[.)]|\d{1,2}(?:\.\d{1,2})+\.)\Z")


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of a line, from its left to its right edge: what stands in it from ``start`` to ``end``."""

    left: float
    right: float
    text: str
    start: int
    end: int

    @property
    def is_year(self) -> bool:
        """Whether it is a year or a date, which may be a name."""
        return _YEAR.match(self.text) is not None

    @property
    def is_figure(self) -> bool:
        """Whether it is an amount rather than a name."""
        return len(self.text) <= _LONGEST_FIGURE and _FIGURE.match(self.text) is not None and not self.is_year

    @property
    def is_blank(self) -> bool:
        """Whether it says that there is nothing: a dash, "n/a"."""
        return _BLANK.match(self.text) is not None


def is_level(bottom: float, height: float, other: float) -> bool:
    """Whether what ends at ``other`` stands beside a line of this height that ends at ``bottom``."""
    return abs(bottom - other) <= _LEVEL * height


def parted(
    lines: Sequence[str], heights: Sequence[float], left: NDArray[np.floating], right: NDArray[np.floating]
) -> list[list[Cell]]:
    """The pieces of each line between wide gaps.

    ``heights`` are those of the lines; ``left`` and ``right`` have an edge for each character, line after
    line.
    """
    import numpy as np

    cells: list[list[Cell]] = [[] for _ in lines]
    text = "".join(lines)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    seen = np.flatnonzero(~np.isin(codes, _SPACES) & (codes > 0x20) & (right > left))
    if not len(seen):
        return cells
    ends = np.cumsum([len(line) for line in lines])
    owner = np.searchsorted(ends, seen, "right")
    wide = _wide(heights, owner, (right - left)[seen])[owner[1:]]
    apart = (owner[1:] != owner[:-1]) | (left[seen][1:] - right[seen][:-1] >= wide)
    cuts = np.concatenate([[0], np.flatnonzero(apart) + 1])
    lefts = np.minimum.reduceat(left[seen], cuts).tolist()
    rights = np.maximum.reduceat(right[seen], cuts).tolist()
    owners = owner[cuts].tolist()
    starts = seen[cuts].tolist()
    stops = [*starts[1:], len(text)]
    for own, start, stop, begin, end in zip(owners, starts, stops, lefts, rights, strict=True):
        said = text[start : min(stop, int(ends[own]))].strip()
        place = start - int(ends[own]) + len(lines[own])
        cells[own].append(Cell(begin, end, said, place, place + len(said)))
    return cells


def _wide(
    heights: Sequence[float], owner: NDArray[np.intp], widths: NDArray[np.floating]
) -> NDArray[np.floating]:
    """How wide a gap of each line must be to part two cells; ``owner`` says whose each width is."""
    import numpy as np

    least = _GAP * np.array(heights)
    letters = np.maximum(np.bincount(owner, minlength=len(heights)), 1)
    mean = np.bincount(owner, widths, len(heights)) / letters
    square = np.bincount(owner, widths * widths, len(heights)) / letters
    return np.where(square <= 1.01 * mean * mean, np.maximum(least, _LETTERS * mean), least)


def whole(cells: Sequence[Cell]) -> list[Cell]:
    """Cells with what stands apart from them: a currency, a bracket, the mark or number of an item."""
    joined: list[Cell] = []
    for cell in cells:
        numbered = len(joined) == 1 and _NUMBER.match(joined[0].text) and not cell.is_figure
        if joined and (numbered or _LEAD.match(joined[-1].text) or _TAIL.match(cell.text)):
            before = joined.pop()
            right, text = max(before.right, cell.right), f"{before.text}{cell.text}"
            joined.append(Cell(before.left, right, text, before.start, cell.end))
        else:
            joined.append(cell)
    return joined


@dataclass(slots=True)
class Column:
    """A column's extent, and how many of its cells are figures."""

    left: float
    right: float
    cells: int = 0
    figures: int = 0
    blanks: int = 0

    @property
    def is_of_figures(self) -> bool:
        """Whether most cells hold amounts, as far as they hold anything."""
        return self.figures >= 0.6 * (self.cells - self.blanks) > 0


def fitted(columns: Sequence[Column], cells: Sequence[Cell]) -> list[Column] | None:
    """The columns with the cells of one more row; None where a cell reaches across two of them."""
    known = list(columns)
    for cell in cells:
        places = over(known, cell)
        if len(places) > 1:
            return None
        if places:
            old = known[places[0]]
            left, right = min(old.left, cell.left), max(old.right, cell.right)
            known[places[0]] = Column(left, right, old.cells, old.figures, old.blanks)
        else:
            known.append(Column(cell.left, cell.right))
            known.sort(key=lambda column: column.left)
    if len(known) > MOST_CELLS or any(before.right > column.left for before, column in pairwise(known)):
        return None
    lefts = [column.left for column in known]
    single = len({bisect_right(lefts, cell.left) for cell in cells}) == len(cells)
    return known if single else None


def over(columns: Sequence[Column], cell: Cell) -> list[int]:
    """The columns that a cell stands in or reaches into."""
    return [
        number
        for number, column in enumerate(columns)
        if cell.left < column.right and cell.right > column.left
    ]


def count(columns: Sequence[Column], cells: Sequence[Cell]) -> None:
    """Count the cells of a row in their columns."""
    for cell in cells:
        for number in over(columns, cell):
            columns[number].cells += 1
            columns[number].figures += cell.is_figure
            columns[number].blanks += cell.is_blank


def columns_of(rows: Iterable[Sequence[Cell]]) -> list[Column] | None:
    """The columns of rows; None where one has a cell that reaches across two of them."""
    columns: list[Column] | None = []
    for cells in rows:
        columns = fitted(columns or [], cells)
        if columns is None:
            return None
        count(columns, cells)
    return columns
