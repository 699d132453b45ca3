"""Zip files that are documents (Office Open XML, OpenDocument, EPUB), read part by part.

They are checked before anything is unpacked.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from index.errors import CorruptError
from index.parsers.xml_reading import Event, events, tree

if TYPE_CHECKING:
    from lxml.etree import _Element

_MEMBERS = 50_000
_UNPACKED = 500_000_000
_RATIO_FROM = 50_000_000  # pictures of one colour shrink to nothing, but they are small
_RATIO = 200
_CHUNK = 1 << 20
_READ = 65_536
_ENTRY = b"PK\x01\x02"
_LOCAL = struct.Struct("<4s22xHH")
_READ_AGAIN = 8
_PART_COST = 1000  # what it takes to open a part, in bytes that could be read in that time
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What zipfile raises for files that are cut off, altered or locked.
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)


class Zipped:
    """A zip file whose parts are mostly XML."""

    def __init__(self, data: bytes) -> None:
        """Check the zip file and open it.

        Raises:
            CorruptError: It is no zip file, is cut off, or unpacks to too much.
        """
        check_zip(data)
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        members = self._archive.infolist()
        # A part may be named more than once, but not so often that reading it again takes for ever.
        self._allowance = _READ_AGAIN * (_PART_COST + sum(part.file_size for part in members))
        # Some programs write other letter cases or backslashes than those they refer to.
        self._names = {name.replace("\\", "/").lstrip("/").lower(): name for name in self._archive.namelist()}
        self.locked = any(part.flag_bits & 1 for part in members)

    def find(self, name: str) -> str | None:
        """The name of a part as the file has it, None where there is no such part."""
        return self._names.get(name.lower())

    def parts(self) -> list[str]:
        """The names of all parts."""
        return list(self._names.values())

    def size(self, name: str) -> int:
        """How many bytes a part has, 0 where there is no such part."""
        stored = self.find(name)
        return 0 if stored is None else self._archive.getinfo(stored).file_size

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a part, piece by piece.

        Raises:
            CorruptError: The part is missing or damaged.
        """
        stored = self.find(name)
        if stored is None:
            raise CorruptError(f"damaged file: its part {name} is missing")
        self._allowance -= _PART_COST + self.size(name)
        if self._allowance < 0:
            raise CorruptError("damaged file: it refers to its own parts again and again")
        try:
            with self._archive.open(stored) as stream:
                while chunk := stream.read(_READ):
                    yield chunk
        except _BROKEN as error:
            raise CorruptError(f"damaged file: its part {name} can't be unpacked ({error})") from error

    def read(self, name: str) -> bytes:
        """A part whole. See `chunks`."""
        return b"".join(self.chunks(name))

    def events(self, name: str) -> Iterator[Event]:
        """The XML events of a part.

        Raises:
            CorruptError: The part is missing, damaged, or no well-formed XML.
        """
        return events(self.chunks(name), name)

    def xml(self, name: str, *, typed: bool = False) -> _Element | None:
        """A part as a tree (see `tree`), None where there is no such part.

        Raises:
            CorruptError: It can't be unpacked, is no XML, or nests too deeply.
        """
        return None if self.find(name) is None else tree(self.read(name), name, typed=typed)

    def xml_if_sound(self, name: str, *, typed: bool = False) -> _Element | None:
        """A part that can be done without, None where it is missing or damaged."""
        try:
            return self.xml(name, typed=typed)
        except CorruptError:
            return None


def check_zip(data: bytes) -> None:
    """Refuse what is no zip file, or what would unpack to far more than any document holds.

    Members must be stored or deflated, as the formats of documents ask. Nothing is kept in memory: each
    member is unpacked once, piece by piece, and must not be longer than the directory says.

    Raises:
        CorruptError: With the reason.
    """
    if data.count(_ENTRY) > _MEMBERS:
        raise CorruptError("damaged file: it claims to hold too many parts")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except _BROKEN as error:
        raise CorruptError("damaged file: it is cut off, or no zip file at all") from error
    total = sum(member.file_size for member in members)
    if total > _UNPACKED or total > max(_RATIO_FROM, _RATIO * len(data)):
        raise CorruptError(f"damaged file: it would unpack to {total // 1_000_000} MB")
    for member in members:
        if member.compress_type not in _PACKINGS:
            raise CorruptError("damaged file: a part is packed in a way that documents do not use")
        if _outgrows(data, member):
            raise CorruptError("damaged file: a part unpacks to more than the file says")


def _outgrows(data: bytes, member: zipfile.ZipInfo) -> bool:
    """Whether a member is longer than declared; one that can't be unpacked is for its reader to refuse."""
    place = member.header_offset
    if member.compress_type == zipfile.ZIP_STORED:
        return member.compress_size < member.file_size
    if not 0 <= place <= len(data) - _LOCAL.size:
        return False
    signature, name, extra = _LOCAL.unpack_from(data, place)
    start = place + _LOCAL.size + name + extra
    waiting = data[start : start + member.compress_size] if signature == b"PK\x03\x04" else b""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    try:
        while waiting and not unpacker.eof:
            size += len(unpacker.decompress(waiting, _CHUNK))
            if size > member.file_size:
                return True
            waiting = unpacker.unconsumed_tail
    except zlib.error:
        return False
    return False
