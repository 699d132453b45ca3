"""What was filled into a page's fields, put among its own text where a reader comes upon it.

A value follows what stands before it on its line; or the caption right above it, where that is nearer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from index.parsers.pdf.lines import turned
from index.parsers.pdf.paper import PageText, Piece, Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from index.parsers.pdf.paper import Boxes

_MOST = 100_000_000  # comparisons: a page with more is no form
_REACH = 150.0  # points between a label and its field
_FAR = 2.0  # heights of a line: a label so far off gives way to a caption right above the field
_INDENT = 6.0
_WORD_GAP = 0.3
_LONGEST = 500  # characters of a caption
_RULE = re.compile(r"(?:[._…][ /\xa0]*){3,}")  # what a form prints where a pen should write


@dataclass(frozen=True, slots=True)
class _Spot:
    """After which of the page's characters a piece stands, and whether on the same line."""

    after: int
    inline: bool


@dataclass(frozen=True, slots=True)
class _Placed:
    """A piece with its edges and those of its field, seen so that its letters stand upright."""

    piece: Piece
    left: float
    top: float
    right: float
    bottom: float
    area: tuple[float, float, float, float]

    @property
    def height(self) -> float:
        return max(self.bottom - self.top, 1.0)

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def woven(page: PageText) -> PageText:
    """The page with what is filled in among its characters."""
    if not page.filled:
        return page
    page = _unruled(page)
    chosen: dict[int, list[tuple[Piece, bool]]] = {}
    for turn in sorted({piece.turn for piece in page.filled}):
        placed = [_seen(piece, page) for piece in page.filled if piece.turn == turn]
        for one, spot in _spots(page, turn, _in_rows(placed)):
            chosen.setdefault(spot.after, []).append((one, spot.inline))
    return _Cloth(page).woven(chosen)


def _unruled(page: PageText) -> PageText:
    """The page without the dotted lines that something is written on."""
    import numpy as np

    rules = list(_RULE.finditer(page.text))
    if not rules or len(page.text) * len(page.filled) > _MOST:
        return page
    written = np.zeros(len(page.text), bool)
    across, down = (page.boxes[:, :2] + page.boxes[:, 2:]).T / 2
    for left, top, right, bottom in {piece.area for piece in page.filled}:
        written |= (across > left) & (across < right) & (down > top - 3) & (down < bottom + 3)
    gone = np.zeros(len(page.text), bool)
    blanks: set[int] = set()
    for rule in rules:
        if written[rule.start() : rule.end()].any():
            gone[rule.start() : rule.end()] = True
            if rule.start() and not page.text[rule.start() - 1].isspace():
                gone[rule.start()] = False
                blanks.add(rule.start())
    before = np.concatenate(([0], np.cumsum(~gone))).tolist()
    text = "".join(" " if place in blanks else page.text[place] for place in np.flatnonzero(~gone).tolist())
    boxes = page.boxes.copy()
    boxes[sorted(blanks)] = 0
    runs = [replace(run, start=before[run.start], end=before[run.end]) for run in page.runs]
    return replace(page, text=text, boxes=boxes[~gone], runs=runs)


def _seen(piece: Piece, page: PageText) -> _Placed:
    import numpy as np

    left, top, right, bottom = turned(piece.boxes, piece.turn, page.width, page.height).T
    area = turned(np.array([piece.area], np.float32), piece.turn, page.width, page.height)[0].tolist()
    edges = float(left.min()), float(np.median(top)), float(right.max()), float(np.median(bottom))
    return _Placed(piece, *edges, area)


def _in_rows(placed: Sequence[_Placed]) -> list[_Placed]:
    """From the top down and from the left; the lines of one field stay together."""
    fields = [list(group) for _, group in groupby(placed, key=lambda one: one.piece.field)]
    fields.sort(key=lambda lines: lines[0].middle)
    rows: list[list[list[_Placed]]] = []
    for lines in fields:
        if rows and lines[0].middle - rows[-1][0][0].middle <= 0.5 * lines[0].height:
            rows[-1].append(lines)
        else:
            rows.append([lines])
    return [one for row in rows for lines in sorted(row, key=lambda lines: lines[0].left) for one in lines]


def _spots(page: PageText, turn: int, placed: Sequence[_Placed]) -> Iterator[tuple[Piece, _Spot]]:
    own = _Own(page, turn)
    before: tuple[_Placed, _Spot] | None = None
    known = len(own.chars) * len(placed) <= _MOST
    for one in placed:
        if before is not None and before[0].piece.field == one.piece.field:
            spot = _Spot(before[1].after, False)
        elif known:
            spot = own.spot(one, before)
        else:
            spot = _Spot(len(page.text) - 1, False)
        before = one, spot
        yield one.piece, spot


class _Own:
    """The characters printed on the page itself whose letters stand at one turn."""

    def __init__(self, page: PageText, turn: int) -> None:
        import numpy as np

        self.page = page
        self.boxes = turned(page.boxes, turn, page.width, page.height)
        inked = (self.boxes[:, 2] > self.boxes[:, 0]) & (self.boxes[:, 3] > self.boxes[:, 1])
        same = np.zeros(len(page.text), bool)
        for run in page.runs:
            same[run.start : run.end] = run.turn == turn and not run.slanted
        blank = np.array([letter.isspace() for letter in page.text], bool)
        self.chars = np.flatnonzero(inked & same & ~blank)
        self.left, self.top, self.right, self.bottom = self.boxes[self.chars].T
        self.middle = (self.top + self.bottom) / 2
        self.words = np.array([page.text[place].isalnum() for place in self.chars], bool)

    def spot(self, one: _Placed, before: tuple[_Placed, _Spot] | None) -> _Spot:
        """Where a piece belongs; ``before`` is the one before it in reading order."""
        last = len(self.page.text) - 1
        if not len(self.chars):
            return _Spot(last, False)
        level = ((self.top < one.middle) & (one.middle < self.bottom)) | (
            (one.top < self.middle) & (self.middle < one.bottom)
        )
        across = (self.left + self.right) / 2
        if (level & self.words & (across > one.left + 1) & (across < one.right - 1)).any():
            return _Spot(last, False)  # it covers text
        label = self._label(one, level, before)
        caption = self._caption(one, across)
        if label is not None and (caption is None or label[1] <= _FAR * one.height):
            return label[0]
        if caption is not None:
            return caption
        return self._above(one)

    def _label(
        self, one: _Placed, level: NDArray[np.bool_], before: tuple[_Placed, _Spot] | None
    ) -> tuple[_Spot, float] | None:
        """What stands before a piece on its line, and how far off."""
        import numpy as np

        near = np.flatnonzero(level & (self.right <= one.left + 2) & (self.right >= one.left - _REACH))
        place = int(near[self.right[near].argmax()]) if len(near) else None
        if before is not None and before[1].inline:
            other, spot = before
            gap = one.left - other.right
            beside = abs(other.middle - one.middle) <= 0.5 * one.height and -2 <= gap <= _REACH
            if beside and (place is None or self.right[place] <= other.right):
                return spot, gap
        if place is None:
            return None
        return _Spot(self._word_end(int(self.chars[place])), True), float(one.left - self.right[place])

    def _caption(self, one: _Placed, across: NDArray[np.float32]) -> _Spot | None:
        """The end of a caption right above a field, or at its upper edge."""
        left, top, right, _ = one.area
        over = (across >= left - 2) & (across <= right + 2) & (self.middle < one.top + 1)
        over &= self.bottom >= top - 0.8 * (self.bottom - self.top)
        return self._line_end(over, left)

    def _line_end(self, over: NDArray[np.bool_], left: float) -> _Spot | None:
        import numpy as np

        found = np.flatnonzero(over)
        if not len(found):
            return None
        lowest = self.middle[found].max()
        line = found[self.middle[found] > lowest - 0.5 * (self.bottom[found] - self.top[found])]
        if self.left[line].min() < left - _INDENT:
            return None
        return _Spot(self._phrase_end(int(self.chars[line].max())), False)

    def _above(self, one: _Placed) -> _Spot:
        """The end of the nearest line above a piece; the page's start where there is none."""
        import numpy as np

        higher = self.middle < one.top
        left, _, right, _ = one.area
        over = higher & (self.right > left) & (self.left < right) & (self.bottom > one.top - _REACH / 2)
        above = np.flatnonzero(over if over.any() else higher)
        if not len(above):
            return _Spot(-1, False)
        lowest = self.middle[above].max()
        line = above[self.middle[above] > lowest - 0.5 * one.height]
        return _Spot(self._phrase_end(int(self.chars[line].max())), False)

    def _word_end(self, place: int) -> int:
        """The last character of the word that a character belongs to."""
        text = self.page.text
        furthest = min(len(text), place + _LONGEST)
        while place + 1 < furthest and text[place].isalnum() and text[place + 1].isalnum():
            if not self._is_next(place, place + 1, _WORD_GAP):
                break
            place += 1
        return place

    def _phrase_end(self, place: int) -> int:
        """The last character before a wide gap, or before the end of the line."""
        text = self.page.text
        after, furthest = place + 1, place + _LONGEST
        while after < min(len(text), furthest) and text[after] not in "\r\n":
            if not text[after].isspace():
                if not self._is_next(place, after, 1.0):
                    break
                place = after
            after += 1
        return place

    def _is_next(self, place: int, after: int, gap: float) -> bool:
        """Whether a character stands on the line of another, at most ``gap`` heights behind it."""
        (_, top, right, bottom), (left, head, _, foot) = self.boxes[[place, after]].tolist()
        height: float = bottom - top
        gap_is_small: bool = -height < left - right <= gap * height
        return gap_is_small and bool(abs(top + bottom - head - foot) < height)


class _Cloth:
    """A page's characters as they are put together anew."""

    def __init__(self, page: PageText) -> None:
        self._page = page
        self._text: list[str] = []
        self._boxes: list[Boxes] = []
        self._length = 0
        self._begin = 0
        self._runs: list[Run] = []

    def woven(self, chosen: dict[int, list[tuple[Piece, bool]]]) -> PageText:
        """The page with pieces after some of its characters."""
        import numpy as np

        page = self._page
        spots = sorted(chosen)
        waiting = 0
        for run in page.runs:
            waiting = self._pieces_before(run.start, spots, waiting, chosen)
            place = run.start
            whole = True
            while waiting < len(spots) and spots[waiting] < run.end:
                spot = spots[waiting]
                whole = False
                self._own(place, spot + 1)
                place = spot + 1
                for piece, inline in chosen[spot]:
                    self._piece(piece, run, inline)
                waiting += 1
                if place < run.end and self._length > self._begin and not page.text[place].isspace():
                    self._gap(" ")
            self._own(place, run.end)
            self._end(run if whole else replace(run, bold=None))
        self._pieces_before(len(page.text) + 1, spots, waiting, chosen)
        boxes = np.concatenate(self._boxes).astype(np.float32)
        return replace(page, text="".join(self._text), boxes=boxes, runs=self._runs, filled=())

    def _pieces_before(
        self, place: int, spots: Sequence[int], waiting: int, chosen: dict[int, list[tuple[Piece, bool]]]
    ) -> int:
        """Write what stands between two runs."""
        while waiting < len(spots) and spots[waiting] < place:
            for piece, _ in chosen[spots[waiting]]:
                self._add(piece.text, piece.boxes)
                self._end(Run(0, 0, piece.turn))
            waiting += 1
        return waiting

    def _own(self, start: int, end: int) -> None:
        if start < end:
            self._add(self._page.text[start:end], self._page.boxes[start:end])

    def _piece(self, piece: Piece, run: Run, inline: bool) -> None:
        if inline:
            self._gap(" ")
            self._add(piece.text, piece.boxes)
        else:
            self._end(replace(run, bold=None))
            self._add(piece.text, piece.boxes)
            self._end(Run(0, 0, piece.turn))

    def _add(self, text: str, boxes: Boxes) -> None:
        self._text.append(text)
        self._boxes.append(boxes)
        self._length += len(text)

    def _gap(self, mark: str) -> None:
        import numpy as np

        self._add(mark, np.zeros((1, 4), np.float32))

    def _end(self, run: Run) -> None:
        """End a run, with the looks of ``run``."""
        if self._length > self._begin:
            self._runs.append(replace(run, start=self._begin, end=self._length))
            self._gap("\n")
        self._begin = self._length
