"""Where the characters of a page stand on the paper, packed into a few bytes each.

A parser packs a page's lines once; whoever shows a quote asks for its rectangles. All measures are
points from the top left corner of the page as it is displayed, rotation and crop box applied.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index.model import Page

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LineEdges", "PlacedLine", "Rectangle", "edges", "pack", "rectangles"]

_HEAD = 20  # width, height and step as float32; the number of lines and of characters as uint32
_STEP = 0.1  # points; what is drawn from it is exact to half of this
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A part of one line, on a page of ``page_width`` by ``page_height`` points."""

    page: int
    left: float
    top: float
    right: float
    bottom: float
    page_width: float
    page_height: float


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line of a page's text: where it begins in that text, and its extent across its own direction.

    For ``upright`` text that is top and bottom; for text that runs up or down the page, left and right.
    """

    start: int
    length: int
    near: float
    far: float
    upright: bool = True


@dataclass(frozen=True, slots=True)
class LineEdges:
    """A line of a page, or a part of one, and where each of its characters begins and ends.

    ``start`` counts from the start of the document; the rest is as in `PlacedLine` and `pack`, and
    ``paper`` is the width and height of the page.
    """

    start: int
    near: float
    far: float
    upright: bool
    begins: NDArray[np.floating]
    ends: NDArray[np.floating]
    paper: tuple[float, float]


def pack(width: float, height: float, lines: Sequence[PlacedLine], edges: ArrayLike) -> bytes:
    """Pack the lines of a page of ``width`` by ``height``.

    ``edges`` has a row for each character, line after line: where it begins and ends along its line
    (left and right; top and bottom where the line is not upright). Equal edges say that nothing is seen.
    """
    import numpy as np

    if not lines:
        return b""
    places = np.asarray(edges, dtype=np.float32).reshape(-1, 2)
    step = max(_STEP, max(width, height) / 30_000)
    limit = 32_000
    steps = np.rint(np.nan_to_num(places / step)).clip(-limit, limit).astype(np.int32)
    begins, ends = steps[:, 0], steps[:, 1]
    # A character mostly begins where the one before it ended: all gaps but a few are 0.
    gaps = begins - np.concatenate(([0], ends[:-1]))
    rows = np.array([(line.start, line.length, line.upright) for line in lines], dtype=np.int32)
    starts = np.diff(rows[:, 0], prepend=0)
    across = np.array([(line.near, line.far) for line in lines], dtype=np.float32) / step
    cross = np.diff(np.rint(np.nan_to_num(across)).clip(-limit, limit).astype(np.int32), axis=0, prepend=0)
    numbers = np.concatenate(
        [starts, rows[:, 1], rows[:, 2], cross[:, 0], cross[:, 1], gaps, ends - begins], dtype=np.int32
    )
    head = np.array([width, height, step], dtype="<f4").tobytes()
    head += np.array([len(lines), len(places)], dtype="<u4").tobytes()
    return zlib.compress(head + _planes(numbers), _LEVEL)


def rectangles(page: Page, start: int, end: int) -> tuple[Rectangle, ...]:
    """The rectangles around ``text[start:end]`` on ``page``, one for each line, in the order of the text.

    ``start`` and ``end`` count from the start of the document; what lies on other pages is left out.
    """
    found: list[Rectangle] = []
    for line in edges(page, start, end):
        seen = line.ends > line.begins
        if not seen.any():
            continue
        low, high = float(line.begins[seen].min()), float(line.ends[seen].max())
        box = (low, line.near, high, line.far) if line.upright else (line.near, low, line.far, high)
        width, height = line.paper
        found.append(Rectangle(page.number, *_inside(box, width, height), width, height))
    return tuple(found)


def edges(page: Page, start: int, end: int) -> Iterator[LineEdges]:
    """The parts of ``text[start:end]`` that stand on ``page``, line by line, in the order of the text."""
    import numpy as np

    if not page.layout or start >= end:
        return
    raw = zlib.decompress(page.layout)
    width, height, step = (float(number) for number in np.frombuffer(raw, "<f4", 3))
    count, characters = (int(number) for number in np.frombuffer(raw, "<u4", 2, 12))
    numbers = _numbers(raw[_HEAD:])
    starts, lengths, upright, near, far = numbers[: 5 * count].reshape(5, count)
    gaps, widths = numbers[5 * count :].reshape(2, characters)
    ends = np.cumsum(gaps + widths)
    begins = ends - widths
    starts, near, far = np.cumsum(starts), np.cumsum(near), np.cumsum(far)
    firsts = np.cumsum(lengths) - lengths
    begin, stop = start - page.start, end - page.start
    for line in np.flatnonzero((starts < stop) & (starts + lengths > begin)):
        skipped = max(0, begin - int(starts[line]))
        first = int(firsts[line]) + skipped
        last = int(firsts[line]) + min(int(lengths[line]), stop - int(starts[line]))
        yield LineEdges(
            page.start + int(starts[line]) + skipped,
            float(near[line]) * step,
            float(far[line]) * step,
            bool(upright[line]),
            begins[first:last] * step,
            ends[first:last] * step,
            (width, height),
        )


def _inside(
    box: tuple[float, float, float, float], width: float, height: float
) -> tuple[float, float, float, float]:
    """What of a box is on the paper, to a hundredth of a point."""
    left, top, right, bottom = box
    across = (round(min(max(x, 0.0), width), 2) for x in (left, right))
    down = (round(min(max(y, 0.0), height), 2) for y in (top, bottom))
    left, right = across
    top, bottom = down
    return left, top, right, bottom


def _planes(numbers: NDArray[np.int32]) -> bytes:
    """Small signed numbers as low bytes and then high bytes, which compress far better apart."""
    import numpy as np

    folded = ((numbers << 1) ^ (numbers >> 31)).astype(np.uint32)
    low, high = (folded & 0xFF).astype(np.uint8), folded >> 8
    return low.tobytes() + (high & 0xFF).astype(np.uint8).tobytes() + (high >> 8).astype("<u2").tobytes()


def _numbers(planes: bytes) -> NDArray[np.int32]:
    import numpy as np

    count = len(planes) // 4
    low = np.frombuffer(planes, np.uint8, count).astype(np.uint32)
    middle = np.frombuffer(planes, np.uint8, count, count).astype(np.uint32)
    high = np.frombuffer(planes, "<u2", count, 2 * count).astype(np.uint32)
    folded = low | (middle << 8) | (high << 16)
    return (folded >> 1).astype(np.int32) ^ -(folded & 1).astype(np.int32)
