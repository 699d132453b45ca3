"""The process that pages are drawn in: ``python -m index.sandbox.painter FOLDER MEMORY``.

The parent speaks to it over its pipes (see `index.sandbox.orders`). It keeps the bytes of the last PDF,
so that the next page of it need not be looked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from index.errors import CorruptError, EncryptedError, ParseError
from index.model import Member
from index.parsers import parser_for
from index.parsers.pdf.pages import attachments, drawn
from index.sandbox.orders import MOST_PIXELS, Drawn, Order, Undrawn, send
from index.sandbox.worker import DEPTH_LIMIT, confined, named


def main() -> None:
    """Serve orders until stdin ends."""
    with confined() as (orders, answers):
        serve(orders, answers)


def serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """Answer each order."""
    held = _Held()
    for line in orders:
        send(answers, _answer(Order.from_line(line), held))


class _ChangedError(Exception):
    """The file holds no such PDF any more."""


@dataclass(slots=True)
class _Held:
    """The bytes of the last PDF, and which one that is."""

    key: tuple[str, ...] = ()
    data: bytes = b""

    def get(self, order: Order) -> bytes:
        """The PDF that is meant.

        Raises:
            _ChangedError: the file holds another one, or none at its place.
            ParseError: the file, or an archive, can't be read or is locked.
        """
        key = (order.path, order.member, order.stamp, order.sha256)
        if key != self.key:
            self.key, self.data = (), b""
            self.data = _meant(order)
            self.key = key
        return self.data


def _answer(order: Order, held: _Held) -> Drawn | Undrawn:
    try:
        drawing, pages = drawn(held.get(order), order.page - 1, order.scale, MOST_PIXELS)
    except _ChangedError:
        return Undrawn("changed", "")
    except EncryptedError:
        return Undrawn("locked", "")
    except ParseError as error:
        return Undrawn("failed", _shown(str(error)))
    except MemoryError:
        return Undrawn("failed", "it takes more memory than drawing may")
    except Exception as error:  # whatever a hostile file provokes costs that picture, and is reported
        return Undrawn("failed", _shown(f"drawing it stopped ({type(error).__name__}: {error})"))
    if drawing is None:
        return Undrawn("page", f"it has {pages:,} {'page' if pages == 1 else 'pages'}")
    return Drawn(drawing.columns, drawing.rows, drawing.width, drawing.height, pages, drawing.pixels)


def _meant(order: Order) -> bytes:
    try:
        data = Path(order.path).read_bytes()
    except OSError as error:
        raise CorruptError(f"the file can't be read: {error.strerror}") from error
    for found in _at(order.member, data, order.name, 0):
        if hashlib.sha256(found).hexdigest() == order.sha256:
            return found
    raise _ChangedError


def _at(place: str, data: bytes, name: str, depth: int) -> Iterator[bytes]:
    """What lies at a place in a file; attachments may have the same names, so it may be several."""
    if not place:
        yield data
    elif depth == DEPTH_LIMIT:
        raise CorruptError(f"archives are nested more than {DEPTH_LIMIT} deep")
    else:
        for member in named(_members(data, name), name):
            if place != member.path and not place.startswith(f"{member.path}!/"):
                continue
            if member.problem is not None and member.problem[0] == "encrypted":
                raise EncryptedError(member.problem[1])
            if member.problem is None:
                yield from _at(place[len(member.path) + 2 :], member.data, member.path, depth + 1)


def _members(data: bytes, name: str) -> Iterable[Member]:
    parser = parser_for(name)
    return attachments(data, None) if parser.name == "pdf" else parser.parse(data).members


def _shown(reason: str) -> str:
    return reason.encode("utf-8", "backslashreplace").decode().replace("\0", "")[:1_000]


if __name__ == "__main__":
    main()
