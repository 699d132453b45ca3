"""Reading order: PDFium's own, unless it reads straight across the columns of a page.

PDFium follows the order in which a program wrote the page, which mostly is the order of reading. It is
left alone but where a page was written from its foot upwards, or prose in columns line by line from edge
to edge or from right to left.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from index.parsers.pdf.lines import Frames, Line, line_at
from index.parsers.pdf.paper import PageText

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BIN = 2.0  # points
_EMPTY = 0.6  # of the fullest strips on both sides: titles and figures may stretch across a gutter
_LINES = 5  # a column has at least so many


@dataclass(frozen=True, slots=True)
class _Piece:
    """A line, or what of it stands in one column; the ``column`` is None where it reaches across."""

    line: Line
    origin: int
    column: int | None


def in_reading_order(page: PageText, lines: list[Line], frames: Frames) -> list[Line]:
    """The lines of a page in the order in which they are read."""
    if _climbs(lines):
        lines = sorted(lines, key=lambda line: (line.turn, line.bottom, line.left))
    if len(lines) < _LINES:
        return lines
    turn = Counter(line.turn for line in lines).most_common(1)[0][0]
    gutters = _gutters(lines, frames, turn)
    # A thin strip inside a column may look like a gutter, too.
    for chosen in [gutters, *([gutter] for gutter in gutters if len(gutters) > 1)]:
        ordered = _by_columns(page, lines, frames, turn, chosen) if chosen else None
        if ordered is not None:
            return ordered
    return lines


def _climbs(lines: Sequence[Line]) -> bool:
    """Whether a page is written from its foot to its head, as PDFium takes text that runs downwards."""
    same = [(above, line) for above, line in pairwise(lines) if above.turn == line.turn]
    up = sum(
        line.bottom < above.bottom - 0.5 * above.height
        and min(line.right, above.right) > max(line.left, above.left)
        for above, line in same
    )
    fewest = 1 if lines and lines[0].turn else _LINES
    return up >= max(fewest, 0.8 * len(same))


def _by_columns(
    page: PageText, lines: Sequence[Line], frames: Frames, turn: int, gutters: Sequence[float]
) -> list[Line] | None:
    """The lines in the order of the columns; None where PDFium's order will do."""
    pieces: list[_Piece] = []
    for number, line in enumerate(lines):
        if line.turn == turn:
            pieces += [_Piece(part, number, column) for part, column in _parted(page, line, frames, gutters)]
    bands = _bands(pieces)
    crossed = [_is_crossed(band) for band in bands]
    if not any(crossed):
        return None
    ordered: list[Line] = []
    for band, is_crossed in zip(bands, crossed, strict=True):
        if is_crossed:
            ordered += [piece.line for piece in sorted(band, key=_by_column)]
        else:
            ordered += [lines[origin] for origin in sorted({piece.origin for piece in band})]
    return ordered + [line for line in lines if line.turn != turn]


def _gutters(lines: Sequence[Line], frames: Frames, turn: int) -> list[float]:
    """The middles of the upright strips between columns, where few letters stand."""
    import numpy as np

    counts, origin = _letters(lines, frames, turn)
    if len(counts) < 40:
        return []
    left, right = np.maximum.accumulate(counts), np.maximum.accumulate(counts[::-1])[::-1]
    empty = counts <= _EMPTY * np.minimum(left, right)
    height = sorted(line.height for line in lines)[len(lines) // 2]
    found: list[float] = []
    place = 0
    for is_empty, strip in groupby(empty.tolist()):
        size = len(list(strip))
        inside = place > 0.12 * len(counts) and place + size < 0.88 * len(counts)
        if is_empty and inside and size * _BIN >= 0.6 * height:
            least = np.flatnonzero(counts[place : place + size] == counts[place : place + size].min())
            found.append(origin + (place + float(np.median(least)) + 0.5) * _BIN)
        place += size
    return found if len(found) <= 4 else []


def _letters(lines: Sequence[Line], frames: Frames, turn: int) -> tuple[NDArray[np.int64], float]:
    """How many letters stand over each strip of the page, from the left edge of its text."""
    import numpy as np

    same = [line for line in lines if line.turn == turn]
    chars = np.concatenate([np.asarray(line.chars) for line in same])
    edges = frames.edges(turn)
    left, right = np.asarray(edges[0])[chars], np.asarray(edges[2])[chars]
    seen = np.flatnonzero((right > left) & ~frames.blank[chars])
    if not len(seen):
        return np.zeros(0, np.int64), 0.0
    origin = float(left[seen].min())
    begins = ((left[seen] - origin) / _BIN).astype(np.int64).clip(0, 5000)
    ends = (np.ceil((right[seen] - origin) / _BIN)).astype(np.int64).clip(1, 5001)
    size = int(ends.max()) + 1
    steps = np.bincount(begins, minlength=size) - np.bincount(ends, minlength=size)
    return np.cumsum(steps)[:-1], origin


def _parted(
    page: PageText, line: Line, frames: Frames, gutters: Sequence[float]
) -> list[tuple[Line, int | None]]:
    """A line cut where a wide gap of it lies over a gutter, and the column of each part."""
    first, last = bisect_right(gutters, line.left + 1), bisect_right(gutters, line.right - 1)
    if first == last:
        return [(line, first)]
    left, _, right, _ = frames.edges(line.turn)
    seen = [place for place in line.chars if not page.text[place].isspace()]
    cuts: list[int] = []
    crossed = False
    for gutter in gutters[first:last]:
        gap = next(
            (
                after
                for before, after in pairwise(seen)
                if right[before] <= gutter <= left[after] and left[after] - right[before] >= 0.6 * line.height
            ),
            None,
        )
        if gap is None:
            crossed = True
        else:
            cuts.append(gap)
    if crossed:
        return [(line, None)]
    chars = line.chars
    bounds = [chars[0], *cuts]
    parts: list[tuple[Line, int | None]] = []
    for number, begin in enumerate(bounds):
        end = bounds[number + 1] if number + 1 < len(bounds) else None
        members = [place for place in chars if place >= begin and (end is None or place < end)]
        part = line_at(page, members, line.turn, frames, line.hyphen if end is None else None)
        if part is not None:
            parts.append((part, bisect_right(gutters, part.left + 1)))
    return parts


def _bands(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Pieces from the top down, between the lines that reach across the columns; each of these apart."""
    across = sorted((piece for piece in pieces if piece.column is None), key=_middle)
    heights = [_middle(piece) for piece in across]
    between: list[list[_Piece]] = [[] for _ in range(len(across) + 1)]
    for piece in pieces:
        if piece.column is not None:
            between[bisect_right(heights, _middle(piece))].append(piece)
    bands = [between[0]]
    for piece, band in zip(across, between[1:], strict=True):
        bands += [[piece], band]
    return [band for band in bands if band]


def _middle(piece: _Piece) -> float:
    return (piece.line.top + piece.line.bottom) / 2


def _by_column(piece: _Piece) -> tuple[int, float, float]:
    return piece.column or 0, piece.line.bottom, piece.line.left


def _is_crossed(band: Sequence[_Piece]) -> bool:
    """Whether a band holds columns of prose that PDFium reads across, or from right to left."""
    order = [piece.column for piece in band if piece.column is not None]
    sizes = Counter(order)
    if len(sizes) < 2 or not all(
        _is_prose([piece.line for piece in band if piece.column == column]) for column in sizes
    ):
        return False
    switches = sum(1 for before, after in pairwise(order) if before != after)
    if switches >= 0.6 * (len(order) - max(sizes.values())) * 2:
        return True
    visits = [column for column, _ in groupby(order)]
    return visits == sorted(sizes, reverse=True) and not _runs_left(band)


def _is_prose(lines: Sequence[Line]) -> bool:
    """Whether the lines of a column go on from one to the next, and fill it."""
    if len(lines) < _LINES:
        return False
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    filled = sum(1 for line in lines if line.right - line.left >= 0.75 * (right - left))
    going = sum(1 for line in lines if not line.text[0].isupper() and line.text[0].isalpha())
    words = sum(len(line.text.split()) >= 3 or not line.text.isascii() for line in lines)
    return filled >= 0.6 * len(lines) and going >= 0.35 * len(lines) and words >= 0.6 * len(lines)


def _runs_left(band: Sequence[_Piece]) -> bool:
    """Whether the script is written from right to left."""
    letters = [letter for piece in band for letter in piece.line.text if letter.isalpha()]
    leftward = sum("\u0590" <= letter <= "\u08ff" for letter in letters)
    return leftward * 2 > len(letters)
