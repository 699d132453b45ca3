"""Lines of a page -> rows of cells, by the wide gaps in them, and the columns that rows have in common."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from index.parsers.pdf.lines import Line, turned
from index.parsers.pdf.paper import PageText

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GAP = 0.5  # of the height of type
_LETTERS = 1.1  # the same, where all letters are of one width, and so is a space
_MOST_CELLS = 50  # in a row
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
    """A piece of a line, from its left to its right edge."""

    left: float
    right: float
    text: str

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


@dataclass(slots=True)
class Row:
    """What stands side by side: the lines from ``first`` to ``last``, cut into ``cells``.

    ``bold`` says whether its first and its last letter are set in bold type. ``begins`` says that a
    heading without a line of its own comes before it; ``runs``, that other pages repeat it.
    """

    first: int
    last: int
    cells: list[Cell]
    top: float
    bottom: float
    bold: tuple[bool | None, bool | None]
    begins: bool
    runs: bool

    @property
    def height(self) -> float:
        """The height of its type."""
        return max(self.bottom - self.top, 0.1)

    @property
    def is_bold(self) -> bool:
        """Whether it is set in bold type from end to end."""
        return self.bold == (True, True)


def rows_of(
    page: PageText,
    lines: Sequence[Line],
    apart: Collection[int],
    running: Collection[int],
    begins: Collection[int],
) -> list[Row]:
    """The lines of a page, those side by side together; without those of ``apart`` and those turned."""
    turn = Counter(line.turn for line in lines).most_common(1)[0][0]
    members = [place for place, line in enumerate(lines) if line.turn == turn and place not in apart]
    rows: list[Row] = []
    for place, cells in zip(members, _cells(page, [lines[place] for place in members], turn), strict=True):
        line = lines[place]
        begun = place in begins
        if rows and rows[-1].last == place - 1 and not begun and _is_beside(rows[-1], line):
            rows[-1].last = place
            rows[-1].cells += cells
            rows[-1].bold = rows[-1].bold[0], line.bold[1]
        else:
            repeated = place in running
            rows.append(Row(place, place, cells, line.top, line.bottom, line.bold, begun, repeated))
    for row in rows:
        if len(row.cells) > 1:
            row.cells = _whole(row.cells) if len(row.cells) <= _MOST_CELLS else []
    return rows


def _is_beside(row: Row, line: Line) -> bool:
    level = abs(row.bottom - line.bottom) <= 0.3 * row.height
    return level and bool(row.cells) and line.left > row.cells[-1].right


def _cells(page: PageText, lines: Sequence[Line], turn: int) -> list[list[Cell]]:
    """The pieces of each line between wide gaps."""
    import numpy as np

    cells: list[list[Cell]] = [[] for _ in lines]
    chars = np.fromiter(chain.from_iterable(line.chars for line in lines), np.intp)
    left, _, right, _ = turned(page.boxes[chars], turn, page.width, page.height).T
    text = "".join(line.text for line in lines)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    seen = np.flatnonzero((codes > 0x20) & (codes != 0xA0) & (right > left))
    if not len(seen):
        return cells
    ends = np.cumsum([len(line.chars) for line in lines])
    owner = np.searchsorted(ends, seen, "right")
    wide = _wide(lines, owner, (right - left)[seen])[owner[1:]]
    parted = (owner[1:] != owner[:-1]) | (left[seen][1:] - right[seen][:-1] >= wide)
    cuts = np.concatenate([[0], np.flatnonzero(parted) + 1])
    lefts = np.minimum.reduceat(left[seen], cuts).tolist()
    rights = np.maximum.reduceat(right[seen], cuts).tolist()
    owners = owner[cuts].tolist()
    starts = seen[cuts].tolist()
    stops = [*starts[1:], len(text)]
    for own, start, stop, begin, end in zip(owners, starts, stops, lefts, rights, strict=True):
        cells[own].append(Cell(begin, end, text[start : min(stop, int(ends[own]))].strip()))
    return cells


def _wide(lines: Sequence[Line], owner: NDArray[np.intp], widths: NDArray[np.float32]) -> NDArray[np.float64]:
    """How wide a gap of each line must be to part two cells; ``owner`` says whose each width is."""
    import numpy as np

    least = np.array([_GAP * line.height for line in lines])
    letters = np.maximum(np.bincount(owner, minlength=len(lines)), 1)
    mean = np.bincount(owner, widths, len(lines)) / letters
    square = np.bincount(owner, widths * widths, len(lines)) / letters
    return np.where(square <= 1.01 * mean * mean, np.maximum(least, _LETTERS * mean), least)


def _whole(cells: Sequence[Cell]) -> list[Cell]:
    """Cells with what stands apart from them: a currency, a bracket, the mark or number of an item."""
    whole: list[Cell] = []
    for cell in cells:
        numbered = len(whole) == 1 and _NUMBER.match(whole[0].text) and not cell.is_figure
        if whole and (numbered or _LEAD.match(whole[-1].text) or _TAIL.match(cell.text)):
            before = whole.pop()
            whole.append(Cell(before.left, max(before.right, cell.right), f"{before.text}{cell.text}"))
        else:
            whole.append(cell)
    return whole


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
    if len(known) > _MOST_CELLS or any(before.right > column.left for before, column in pairwise(known)):
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


def columns_of(rows: Sequence[Row], data: Sequence[int]) -> list[Column] | None:
    """The columns of rows; None where one has a cell that reaches across two of them."""
    columns: list[Column] | None = []
    for number in data:
        columns = fitted(columns or [], rows[number].cells)
        if columns is None:
            return None
        count(columns, rows[number].cells)
    return columns
