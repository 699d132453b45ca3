"""What the parent and the worker that draws say to each other: JSON lines and pixels, never code.

The parent writes one JSON line an order. The worker answers it with one frame: an eight-byte length, a
JSON header of that length, and where a page was drawn its pixels, whose number the header gives. The
parent takes nothing on trust.
"""

from __future__ import annotations

import json
import math
from dataclasses import astuple, dataclass
from typing import Any, BinaryIO, Literal, get_args

from index.sandbox.protocol import LENGTH, NonsenseError, exactly, require, whole, words

COLOURS = 3
MOST_PIXELS = 6_000_000
_HEADER_LIMIT = 100_000
_LARGEST_PAGE = 1e7  # points

Problem = Literal["changed", "page", "locked", "failed"]


@dataclass(frozen=True, slots=True)
class Order:
    """A page to draw.

    ``path`` is a file's, ``name`` what it is called, ``member`` the place of the PDF in it ("" where the
    file is the PDF). ``stamp`` changes with the file. ``sha256`` is that of the PDF that is meant. Pages
    count from 1; ``scale`` is in pixels a point.
    """

    path: str
    name: str
    member: str
    stamp: str
    sha256: str
    page: int
    scale: float

    def line(self) -> bytes:
        """Return the order as a worker reads it."""
        return json.dumps(astuple(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Order:
        """Return what `line` wrote."""
        return cls(*json.loads(line))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A page of ``width`` by ``height`` points, one of so many ``pages``.

    ``pixels`` are rows of red, green and blue, a byte each.
    """

    columns: int
    rows: int
    width: float
    height: float
    pages: int
    pixels: bytes


@dataclass(frozen=True, slots=True)
class Undrawn:
    """Why a page was not drawn: the file is another one, has no such page, is locked, or anything else."""

    problem: Problem
    reason: str


def send(stream: BinaryIO, answer: Drawn | Undrawn) -> None:
    """Write an answer."""
    if isinstance(answer, Drawn):
        header: dict[str, Any] = {
            "drawn": [answer.columns, answer.rows, answer.width, answer.height, answer.pages]
        }
        pixels = answer.pixels
    else:
        header, pixels = {"undrawn": [answer.problem, answer.reason]}, b""
    encoded = json.dumps(header).encode()
    stream.write(len(encoded).to_bytes(LENGTH, "big"))
    stream.write(encoded)
    stream.write(pixels)
    stream.flush()


def receive(stream: BinaryIO) -> Drawn | Undrawn:
    """Read an answer.

    Raises:
        EOFError: the worker has ended.
        NonsenseError: it makes no sense.
    """
    size = int.from_bytes(exactly(stream, LENGTH), "big")
    if size > _HEADER_LIMIT:
        raise NonsenseError("what draws pages answered what makes no sense")
    try:
        return _answer(json.loads(exactly(stream, size)), stream)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        raise NonsenseError("what draws pages answered what makes no sense") from error


def _answer(header: dict[str, Any], stream: BinaryIO) -> Drawn | Undrawn:
    if "undrawn" in header:
        problem, reason = header["undrawn"]
        require(problem in get_args(Problem))
        return Undrawn(problem, words(reason))
    columns, rows, width, height, pages = header["drawn"]
    require(whole(columns) > 0 and whole(rows) > 0 and whole(pages) > 0)
    # A row or a column more than fit is what rounding up can come to.
    require(columns * rows <= MOST_PIXELS + columns + rows)
    require(
        all(
            type(side) is float and math.isfinite(side) and 0 < side < _LARGEST_PAGE
            for side in (width, height)
        )
    )
    return Drawn(columns, rows, width, height, pages, exactly(stream, COLOURS * columns * rows))
