"""Pages of PDFs as pictures, drawn in a process of their own; the last ones are kept."""

from __future__ import annotations

import stat
import struct
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import (
    NoPictureError,
    PageNotDrawableError,
    SourceChangedError,
    UnsupportedError,
    UsageError,
)
from index.parsers import parser_for
from index.sandbox.drawing import Drawer
from index.sandbox.orders import COLOURS, Drawn, Order, Undrawn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEFAULT_SCALE, LARGEST_SCALE = 1.5, 10.0
"""In pixels a point."""

KEPT_BYTES = 32_000_000
_LEVEL = 3
_POOR = 0.25  # of the pixels' bytes: text takes a tenth, a photograph most of them
_UPDATE = "bring the index up to date: python -m index update FOLDER"


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page of a PDF as a picture, with the fields of its forms filled in.

    ``width`` and ``height`` are those of the page as it is displayed, in points: what the rectangles of a
    quote are measured on. The picture shows all of the page and nothing else, whatever its own size in
    pixels. ``page`` counts from 1 and is one of ``pages``.
    """

    png: bytes
    width: float
    height: float
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the bytes of a document are: a file, and the place in it of one that lies inside.

    ``name`` is what the file is called. ``sha256`` is None where the bytes were not looked at.
    """

    source: str
    path: Path
    name: str
    member: str
    sha256: str | None


class Pictures:
    """Draws the pages of an index's documents. Safe to use from several threads."""

    def __init__(self, drawer: Drawer | None = None, kept_bytes: int = KEPT_BYTES) -> None:
        """Keep pictures of ``kept_bytes`` together; see `close`."""
        self._drawer = drawer or Drawer()
        self._room = kept_bytes
        self._kept: OrderedDict[Order, PagePicture] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the process that draws, and forget the pictures."""
        self._drawer.close()
        with self._lock:
            self._kept.clear()

    def page(self, origin: Origin, page: int, scale: float) -> PagePicture:
        """Draw a page, or find its picture; raises what `Index.page_picture` does."""
        if not 0 < scale <= LARGEST_SCALE:
            raise UsageError(
                f"a scale of {scale} is out of range; give one above 0, at most {LARGEST_SCALE:g}"
            )
        order = _order(origin, page, scale)
        with self._lock:
            if order in self._kept:
                self._kept.move_to_end(order)
                return self._kept[order]
        answer = self._drawer.draw(order)
        if isinstance(answer, Undrawn):
            raise _error(origin.source, page, answer)
        picture = PagePicture(png(answer), answer.width, answer.height, page, answer.pages)
        self._keep(order, picture)
        return picture

    def _keep(self, order: Order, picture: PagePicture) -> None:
        with self._lock:
            self._kept[order] = picture
            held = sum(len(each.png) for each in self._kept.values())
            while held > self._room:
                _, oldest = self._kept.popitem(last=False)
                held -= len(oldest.png)


def _order(origin: Origin, page: int, scale: float) -> Order:
    source = origin.source
    try:
        is_pdf = parser_for(source).name == "pdf"
    except UnsupportedError:
        is_pdf = False
    if not is_pdf:
        raise NoPictureError(f"{source} is no PDF, so it has no pages to show; its text can be shown")
    if page < 1:
        raise NoPictureError(f"{source} has no page {page}; pages count from 1")
    if origin.sha256 is None:
        raise PageNotDrawableError(
            f"{source} was not read, so it can't be shown; `python -m index status` says why"
        )
    try:
        found = origin.path.stat()
    except FileNotFoundError as error:
        raise SourceChangedError(
            f"{source} can't be shown: {origin.path} is not there any more; put it back, or {_UPDATE}"
        ) from error
    except OSError as error:
        raise PageNotDrawableError(f"{source} can't be shown: {origin.path}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise SourceChangedError(f"{source} can't be shown: {origin.path} is no file any more; {_UPDATE}")
    stamp = f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"
    return Order(str(origin.path), origin.name, origin.member, stamp, origin.sha256, page, scale)


def _error(source: str, page: int, answer: Undrawn) -> PageNotDrawableError:
    if answer.problem == "changed":
        return SourceChangedError(f"{source} can't be shown: it has changed since it was indexed; {_UPDATE}")
    if answer.problem == "page":
        return NoPictureError(f"{source} has no page {page}; {answer.reason}")
    if answer.problem == "locked":
        return PageNotDrawableError(
            f"{source} can't be shown: it asks for a password, and passwords are not kept; "
            "open the file itself"
        )
    return PageNotDrawableError(
        f"page {page} of {source} can't be shown: {answer.reason}; open the file itself"
    )


def png(drawn: Drawn) -> bytes:
    """Write pixels as a PNG file, in grey where they have no colour.

    It is written here and not where it was drawn: what leaves this process is a picture and nothing else,
    whatever a document has done to the one that drew it.
    """
    import numpy as np

    pixels = np.frombuffer(drawn.pixels, np.uint8).reshape(drawn.rows, drawn.columns, COLOURS)
    first = pixels[:, :, :1]
    is_grey = bool((pixels == first).all())
    shown = first if is_grey else pixels
    packed = _packed(shown, 0)
    if len(packed) > _POOR * shown.size:  # a photograph: neighbours differ by little
        differences = shown.copy()
        differences[:, 1:] -= shown[:, :-1]
        packed = min(packed, _packed(differences, 1), key=len)
    head = struct.pack(">IIBBBBB", drawn.columns, drawn.rows, 8, 0 if is_grey else 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_part(kind, body) for kind, body in parts)


def _packed(pixels: NDArray[np.uint8], method: int) -> bytes:
    """The rows of a picture, each behind the number of PNG's method that it was prepared with."""
    import numpy as np

    flat = pixels.reshape(len(pixels), -1)
    rows = np.full((len(flat), flat.shape[1] + 1), method, np.uint8)
    rows[:, 1:] = flat
    return zlib.compress(rows.tobytes(), _LEVEL)


def _part(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
