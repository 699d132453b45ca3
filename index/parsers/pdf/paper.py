"""A PDF as plain data, measured in points from the top left corner of a page as it is displayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Boxes = NDArray[np.float32]

HYPHEN = "\ufffe"  # PDFium's mark for a hyphen at the end of a line, which it joins to the next
_FAR = 1e6  # points: far beyond any paper, and near enough to reckon with


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of PDFium's text without a line break, and the quarter turns (clockwise) of its letters.

    A ``slanted`` one stands at no multiple of a quarter turn. ``bold`` says whether its first and its
    last letter are set in bold type.
    """

    start: int
    end: int
    turn: int
    slanted: bool = False
    bold: tuple[bool, bool] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A line of what stands in a field of a form: number ``field`` of its page, which fills ``area``."""

    text: str
    boxes: Boxes
    turn: int
    field: int
    area: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PageText:
    """A page's characters in PDFium's order; ``boxes`` holds left, top, right and bottom of each.

    What is ``filled`` in stands on the page, too, but is not among these characters.
    """

    text: str
    boxes: Boxes
    runs: Sequence[Run]
    width: float
    height: float
    filled: Sequence[Piece] = ()


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the outline; ``page`` counts from 0, ``top`` is measured on the displayed page."""

    title: str
    level: int
    page: int | None
    top: float | None


@dataclass(frozen=True, slots=True)
class Content:
    """A file as PDFium reads it. A page that can't be read is None."""

    pages: list[PageText | None]
    labels: list[str | None]
    bookmarks: list[Bookmark]
    metadata: dict[str, str]
    attachments: int
    password: str | None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A page as it is seen, of ``width`` by ``height`` points: rows of red, green and blue, a byte each."""

    columns: int
    rows: int
    pixels: bytes
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class View:
    """What part of PDF's own plane, whose vertical axis points up, a page shows, and how it is turned."""

    left: float
    bottom: float
    right: float
    top: float
    quarters: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the page as it is displayed."""
        width, height = self.right - self.left, self.top - self.bottom
        return (height, width) if self.quarters % 2 else (width, height)

    def displayed(self, boxes: Boxes) -> Boxes:
        """Boxes (left, bottom, right, top on the plane) as left, top, right, bottom on the page."""
        import numpy as np

        x0, y0, x1, y1 = boxes.T
        turns = (
            (x0 - self.left, self.top - y1, x1 - self.left, self.top - y0),
            (y0 - self.bottom, x0 - self.left, y1 - self.bottom, x1 - self.left),
            (self.right - x1, y0 - self.bottom, self.right - x0, y1 - self.bottom),
            (self.top - y1, self.right - x1, self.top - y0, self.right - x0),
        )
        placed: Boxes = np.stack(turns[self.quarters], axis=1, dtype=np.float32)
        if not np.isfinite(placed).all():
            placed[~np.isfinite(placed).all(axis=1)] = 0
        return placed.clip(-_FAR, _FAR)

    def top_of(self, x: float, y: float) -> float:
        """How far below the top edge of the page a point of the plane is."""
        return (self.top - y, x - self.left, y - self.bottom, self.right - x)[self.quarters]
