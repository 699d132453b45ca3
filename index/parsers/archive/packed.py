"""Files packed with gzip, bzip2 or xz: a single one, or a tar file."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from itertools import chain

from index.errors import CorruptError
from index.model import Member
from index.parsers.archive import bounds
from index.parsers.archive.paths import decoded, placed
from index.parsers.archive.tar import is_tar, read_tar

Packing = Callable[[io.BytesIO], io.BufferedIOBase]
"""Opens packed bytes as a stream of what they unpack to."""

_GZIP = b"\x1f\x8b"
_PACKINGS: tuple[tuple[bytes, Packing], ...] = (
    (_GZIP, lambda data: gzip.GzipFile(fileobj=data)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
)


def packing_of(data: bytes) -> Packing | None:
    """How a file is packed, by its first bytes."""
    return next((packing for magic, packing in _PACKINGS if data.startswith(magic)), None)


def read_packed(data: bytes, packing: Packing) -> Iterator[Member]:
    """The one file that is packed, or the members of the tar file.

    Raises:
        UnsupportedError: It is too large.
        CorruptError: It is damaged, or over a limit.
    """
    try:
        with packing(io.BytesIO(data)) as stream:
            pieces = bounds.Budget().counted(bounds.pieces(stream), len(data))
            head = b""
            while len(head) <= tarfile.RECORDSIZE and (piece := next(pieces, b"")):
                head += piece
            pieces = chain([head], pieces)
            if is_tar(head):
                yield from read_tar(pieces)
            else:
                yield Member(_name(data), bounds.collected(pieces))
    except bounds.BROKEN as error:
        raise CorruptError("damaged file: it is cut off or altered") from error


def _name(data: bytes) -> str:
    """What a single packed file was called, as the header of gzip may say; "" where nothing does."""
    place = 10
    if data.startswith(_GZIP) and data[3] & 8:
        if data[3] & 4:
            place += 2 + int.from_bytes(data[10:12], "little")
        name = decoded(data[place : data.find(b"\0", place)], "cp1252")
        found = placed(name.replace("\\", "/").rpartition("/")[2])
        if found is not None:
            return found[0]
    return ""
