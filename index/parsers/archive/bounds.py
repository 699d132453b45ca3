"""How much of an archive is unpacked. No size that it declares is believed: what comes out is counted."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from typing import IO

from index.errors import CorruptError, UnsupportedError

MAX_MEMBERS = 10_000  # more files than anyone packs by hand
MAX_ENTRIES = 100_000  # with folders, links and hidden files; each takes about 1 kB of memory
MAX_TOTAL = 1_000_000_000  # bytes unpacked in all: seconds of work, a minute at worst
MAX_MEMBER = 200_000_000  # bytes: as large as a file of the folder may be
MAX_RATIO = 200  # text shrinks to a tenth, tables of numbers to a fiftieth, zeros to a thousandth
RATIO_FROM = 10_000_000  # bytes: logs of one line over and over exist; below this they do no harm
PIECE = 65_536

# What the standard library raises for what is cut off or altered.
BROKEN = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    ArithmeticError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)


class LimitError(CorruptError):
    """Ends the whole archive, not one member."""

    def __init__(self, excess: str) -> None:
        """Say what there is too much of; the remedy is always the same."""
        super().__init__(f"{excess}; the rest is left out; unpack it into the folder")


class Budget:
    """How much may still be unpacked of an archive."""

    def __init__(self) -> None:
        """Begin with all that is allowed."""
        self._left = MAX_TOTAL

    def counted(self, pieces: Iterable[bytes], packed: int) -> Iterator[bytes]:
        """``pieces`` as they are unpacked from so many bytes."""
        limit, size = max(RATIO_FROM, MAX_RATIO * packed), 0
        for piece in pieces:
            size += len(piece)
            if size > limit:
                raise CorruptError(f"it unpacks to more than {MAX_RATIO} times its size, as only bombs do")
            self._left -= len(piece)
            if self._left < 0:
                raise total_exceeded()
            yield piece


def total_exceeded() -> LimitError:
    """The error for an archive that unpacks to too much."""
    return LimitError(f"it unpacks to more than {MAX_TOTAL:,} bytes")


def too_large() -> UnsupportedError:
    """The error for a member that unpacks to too much."""
    return UnsupportedError(f"unpacked, it is over the limit of {MAX_MEMBER:,} bytes")


def pieces(stream: IO[bytes] | BufferedIOBase) -> Iterator[bytes]:
    """What can be read from a stream, a bounded piece at a time."""
    return iter(lambda: stream.read(PIECE), b"")


def collected(pieces: Iterable[bytes]) -> bytes:
    """A member whole.

    Raises:
        UnsupportedError: It is too large.
    """
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) > MAX_MEMBER:
            raise too_large()
    return bytes(found)
