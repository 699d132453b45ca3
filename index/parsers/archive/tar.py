"""Tar files, read from their start to their end."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Any

from index.errors import CorruptError, ParseError, UnsupportedError
from index.model import Member
from index.parsers.archive import bounds
from index.parsers.archive.paths import code_page_of, decoded, placed, unread

_MAX_HEADERS = 1_000_000  # bytes before a member: long names and attributes
_BROKEN = (tarfile.TarError, RecursionError, *bounds.BROKEN)


def is_tar(data: bytes) -> bool:
    """Whether a tar file begins with these bytes."""
    if not data[: tarfile.RECORDSIZE + 1].strip(b"\0"):
        return tarfile.BLOCKSIZE <= len(data) <= tarfile.RECORDSIZE  # with nothing in it but its end
    try:
        tarfile.TarInfo.frombuf(data[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def read_tar(pieces: Iterator[bytes]) -> Iterator[Member]:
    """The regular files of a tar file, given piece by piece.

    Raises:
        CorruptError: It is damaged, or over a limit.
    """
    blocks: Any = _Blocks(pieces)  # all of a file that tarfile uses
    code_page = ""
    try:
        with tarfile.open(fileobj=blocks, mode="r|", bufsize=tarfile.BLOCKSIZE, encoding="utf-8") as archive:
            for info in _regular(archive, blocks):
                raw = info.name.encode("utf-8", "surrogateescape")
                code_page = code_page or (code_page_of([raw]) if not info.name.isprintable() else "")
                found = placed(decoded(raw, code_page or "cp1252"))
                if found is not None:
                    yield _member(archive, info, *found)
    except _BROKEN as error:
        raise CorruptError("damaged file: it is cut off or altered") from error


class _Blocks:
    """What `tarfile` reads from. It takes headers into memory whole, so they must have an end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""
        self._place = 0
        self.passed = 0
        self.limit = _MAX_HEADERS
        self.last = b""

    def read(self, size: int) -> bytes:
        while len(self._held) - self._place < size and (piece := next(self._pieces, b"")):
            self._held, self._place = self._held[self._place :] + piece, 0
        self.last = self._held[self._place : self._place + size]
        self._place += len(self.last)
        self.passed += len(self.last)
        if self.passed > self.limit:
            raise CorruptError(f"damaged file: a header is larger than {_MAX_HEADERS:,} bytes")
        return self.last


def _regular(archive: tarfile.TarFile, blocks: _Blocks) -> Iterator[tarfile.TarInfo]:
    """The entries that are regular files: no folders, links or devices."""
    for _ in range(bounds.MAX_ENTRIES):
        info = archive.next()
        if info is None:
            if blocks.last.strip(b"\0"):  # tarfile takes a broken header for the end
                raise CorruptError("damaged file: it is cut off or altered")
            return
        blocks.limit = archive.offset + _MAX_HEADERS
        if archive.offset > blocks.passed + bounds.MAX_TOTAL:
            raise bounds.total_exceeded()
        if info.isreg():
            yield info
    raise bounds.LimitError(f"it holds more than {bounds.MAX_ENTRIES:,} entries")


def _member(archive: tarfile.TarFile, info: tarfile.TarInfo, path: str, problem: ParseError | None) -> Member:
    content = archive.extractfile(info)
    if content is None or info.issparse():
        problem = UnsupportedError("a sparse file: only parts of it are stored")
    elif info.size > bounds.MAX_MEMBER:
        problem = bounds.too_large()
    if content is None or problem is not None:
        return unread(path, problem or CorruptError("damaged file"))
    return Member(path, bounds.collected(bounds.pieces(content)))
