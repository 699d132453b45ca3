"""Characters with boxes -> lines, each in the direction in which it is read."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from index.parsers.pdf.paper import HYPHEN, PageText, Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NOISE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff\ufeff\u00ad\ud800-\udfff]")
_SMALL = 2.0  # points
_LEVEL = 0.1  # of the height of type: what edges of one line may differ by
_LETTER = 0.12  # the same, from a letter to the next
_WORD = 0.4  # the same, from a word to the next
Edges = tuple[list[float], list[float], list[float], list[float]]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and where it stands, seen upright: ``top`` is above ``bottom``, and smaller.

    ``chars`` numbers the page's character behind each character of ``text``; ``hyphen`` the one that
    divides its last word, which goes on in the next line. ``glued`` says that no space stands between.
    ``bold`` says whether its first and its last letter are set in bold type, where that is known.
    """

    text: str
    chars: Sequence[int]
    left: float
    right: float
    top: float
    bottom: float
    turn: int
    hyphen: int | None = None
    glued: bool = False
    bold: tuple[bool | None, bool | None] = (None, None)

    @property
    def height(self) -> float:
        """The height of its type."""
        return self.bottom - self.top


class Frames:
    """The edges of a page's characters, seen so that letters at a given turn stand upright."""

    def __init__(self, page: PageText) -> None:
        """Nothing is turned before it is asked for."""
        import numpy as np

        self._page = page
        self._known: dict[int, tuple[Edges, list[int]]] = {}
        self.boxes = page.boxes
        codes = np.frombuffer(page.text.encode("utf-32-le", "surrogatepass"), "<u4")
        seen = (self.boxes[:, 2] > self.boxes[:, 0]) & (self.boxes[:, 3] > self.boxes[:, 1])
        self._seen = np.flatnonzero(seen)
        self.blank = (codes <= 0x20) | (codes == 0xA0)
        blank = ~seen & self.blank
        if blank.any():  # a space of PDFium's own has no place: let it stand on the letter before it
            before = np.maximum.accumulate(np.where(seen, np.arange(len(seen)), 0))
            self.boxes = np.where(blank[:, None], self.boxes[before], self.boxes)
        self.hidden = set(np.flatnonzero(~seen & ~blank).tolist())

    def edges(self, turn: int) -> Edges:
        """The left, top, right and bottom edges at a quarter ``turn`` (clockwise)."""
        return self._turned(turn)[0]

    def jumps(self, turn: int) -> list[int]:
        """The characters that stand on another line than the one before them."""
        return self._turned(turn)[1]

    def _turned(self, turn: int) -> tuple[Edges, list[int]]:
        if turn not in self._known:
            boxes = turned(self.boxes, turn, self._page.width, self._page.height)
            left, top, right, bottom = boxes.T.tolist()
            self._known[turn] = (left, top, right, bottom), _jumps(boxes, self._seen)
        return self._known[turn]


def _jumps(boxes: NDArray[np.float32], seen: NDArray[np.intp]) -> list[int]:
    import numpy as np

    if len(seen) < 2:
        return []
    left, top, _, bottom = boxes[seen].T
    heights = bottom - top
    drops = np.abs(np.diff(top + bottom)) / 2
    tall = np.maximum(heights[:-1], heights[1:])
    back = np.diff(left) < 0
    jumps: list[int] = seen[1:][(drops > 0.9 * tall) | (back & (drops > 0.5 * tall))].tolist()
    return jumps


def turned(boxes: NDArray[np.float32], turn: int, width: float, height: float) -> NDArray[np.float32]:
    """Boxes of a page of ``width`` by ``height``, after turning it back by ``turn`` quarters."""
    import numpy as np

    if not turn:
        return boxes
    x0, y0, x1, y1 = boxes.T
    seen = {
        1: (y0, width - x1, y1, width - x0),
        2: (width - x1, height - y1, width - x0, height - y0),
        3: (height - y1, x0, height - y0, x1),
    }[turn]
    return np.stack(seen, axis=1)


def lines_of(page: PageText, frames: Frames) -> list[Line]:
    """The lines of a page, in PDFium's order.

    It may run several into one, and where most of a page stands in a narrow column cut one at every letter.
    """
    found: list[list[Line]] = []
    for run in page.runs:
        for line in _lines(page, run, frames):
            if found and _goes_on(found[-1][-1], line):
                found[-1].append(line)
            else:
                found.append([line])
    return [_joined(pieces) if len(pieces) > 1 else pieces[0] for pieces in found]


def _goes_on(line: Line, after: Line) -> bool:
    """Whether two lines are parts of one: level, of one height, and no farther apart than two words."""
    near = abs(line.top - after.top) + abs(line.bottom - after.bottom) <= _LEVEL * line.height
    gap = after.left - line.right
    same = line.turn == after.turn and line.hyphen is None and not line.glued
    return same and near and -_LEVEL * line.height <= gap <= _WORD * line.height


def _joined(pieces: Sequence[Line]) -> Line:
    first, last = pieces[0], pieces[-1]
    text, chars = first.text, list(first.chars)
    for before, piece in pairwise(pieces):
        if piece.left - before.right > _LETTER * before.height:
            text += " "
            chars.append(piece.chars[0] - 1)  # the end of the line stands for the space
        text += piece.text
        chars += piece.chars
    return replace(last, text=text, chars=chars, left=first.left, bold=(first.bold[0], last.bold[1]))


def legible(lines: Sequence[Line], page: PageText) -> list[Line]:
    """The lines that a reader sees: not those beside the paper, nor anchors in type too small to read."""
    if not lines:
        return []
    heights = sorted(line.height for line in lines)
    least = min(_SMALL, 0.25 * heights[len(heights) // 2])
    seen = [line for line in lines if line.height >= least and _is_on_paper(line, page)]
    return seen or list(lines)


def _is_on_paper(line: Line, page: PageText) -> bool:
    width, height = (page.height, page.width) if line.turn % 2 else (page.width, page.height)
    return line.right > 0 and line.left < width and line.bottom > 0 and line.top < height


def line_at(
    page: PageText, chars: Sequence[int], turn: int, frames: Frames, hyphen: int | None = None
) -> Line | None:
    """The line that some of a page's characters form; None where nothing of it is seen."""
    letters = page.text
    text = (
        letters[chars.start : chars.stop]
        if isinstance(chars, range)
        else "".join(map(letters.__getitem__, chars))
    )
    if NOISE.search(text):
        chars = [place for place in chars if not NOISE.match(letters[place])]
        text = "".join(map(letters.__getitem__, chars))
    body = text.strip()
    if not body:
        return None
    lead = len(text) - len(text.lstrip())
    chars = chars[lead : lead + len(body)]
    inked: Sequence[int] = chars
    if frames.hidden and not frames.hidden.isdisjoint(chars):
        inked = [place for place in chars if place not in frames.hidden] or chars
    left, top, right, bottom = (_picked(edge, inked) for edge in frames.edges(turn))
    middle = len(inked) // 2  # what most of it stands on: marks above and below the line are no measure
    foot, head = sorted(bottom)[middle], sorted(top)[middle]
    return Line(body, chars, min(left), max(right), head, foot, turn, hyphen)


def _picked(edge: list[float], chars: Sequence[int]) -> list[float]:
    return edge[chars.start : chars.stop] if isinstance(chars, range) else [edge[place] for place in chars]


def _lines(page: PageText, run: Run, frames: Frames) -> Iterator[Line]:
    divided = page.text[run.end - 1] == HYPHEN
    end = run.end - divided
    turn = 1 if run.turn == 0 and _is_stacked(range(run.start, end), frames) else run.turn
    jumps = frames.jumps(turn)
    cuts = [] if run.slanted else jumps[bisect_right(jumps, run.start) : bisect_left(jumps, end)]
    for start, stop in pairwise((run.start, *cuts, end)):
        last = stop == end
        line = line_at(page, range(start, stop), turn, frames, run.end - 1 if divided and last else None)
        if line is not None:
            first, final = run.bold or (None, None)
            bold = first if start == run.start else None, final if last else None
            # Where PDFium sees no space between two lines, there is none.
            yield replace(line, bold=bold, glued=not last and not page.text[stop - 1].isspace())


def _is_stacked(chars: range, frames: Frames) -> bool:
    """Whether upright letters stand one below the other, as in vertical Japanese."""
    if len(chars) < 3:
        return False
    left, top, _, _ = frames.edges(0)
    first, last = chars[0], chars[-1]
    return top[last] - top[first] > 2 * abs(left[last] - left[first]) + 1
