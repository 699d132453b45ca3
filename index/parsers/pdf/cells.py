"""Lines of a page -> rows of cells, by the wide gaps in them, and the columns that rows have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

from index.columns import MOST_CELLS, Cell, is_level, parted, whole
from index.parsers.pdf.lines import Line, turned
from index.parsers.pdf.paper import PageText


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
            row.cells = whole(row.cells) if len(row.cells) <= MOST_CELLS else []
    return rows


def _is_beside(row: Row, line: Line) -> bool:
    level = is_level(row.bottom, row.height, line.bottom)
    return level and bool(row.cells) and line.left > row.cells[-1].right


def _cells(page: PageText, lines: Sequence[Line], turn: int) -> list[list[Cell]]:
    """The pieces of each line between wide gaps."""
    import numpy as np

    chars = np.fromiter(chain.from_iterable(line.chars for line in lines), np.intp)
    left, _, right, _ = turned(page.boxes[chars], turn, page.width, page.height).T
    return parted([line.text for line in lines], [line.height for line in lines], left, right)
