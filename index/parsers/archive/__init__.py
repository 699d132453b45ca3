"""Archives: zip, tar (plain, or packed with gzip, bzip2 or xz), and single packed files.

An archive is hostile until it is read: everything is unpacked piece by piece and counted, with one member
in memory at a time.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from itertools import chain

from index.errors import CorruptError, EmptyFileError
from index.model import Document, Member
from index.parsers.archive import bounds
from index.parsers.archive.packed import packing_of, read_packed
from index.parsers.archive.paths import unique
from index.parsers.archive.tar import is_tar, read_tar
from index.parsers.archive.zip import read_zip


def parse(data: bytes, passwords: Sequence[str] = ()) -> Document:
    """Open an archive; its members are unpacked while they are iterated.

    The iteration ends with a CorruptError where the rest can't be had: damaged, or over a limit.

    Raises:
        EmptyFileError: There is no file in it.
        EncryptedError: All of it is encrypted, and none of the passwords fits.
        UnsupportedError: It is a single packed file that is too large.
        CorruptError: It is no archive, or damaged from the start.
    """
    if not data:
        raise EmptyFileError("the file is empty")
    members = unique(_counted(_members(data, passwords)))
    first = next(members, None)
    if first is None:
        raise EmptyFileError("the archive holds no files")
    return Document(None, "", (), members=chain([first], members))


def _members(data: bytes, passwords: Sequence[str]) -> Iterator[Member]:
    packing = packing_of(data)
    if packing is not None:
        return read_packed(data, packing)
    if is_tar(data):
        return read_tar(bounds.pieces(io.BytesIO(data)))
    if data.startswith(b"PK") or zipfile.is_zipfile(io.BytesIO(data)):
        return read_zip(data, passwords)
    raise CorruptError("damaged file: it is no archive, whatever its name says")


def _counted(members: Iterator[Member]) -> Iterator[Member]:
    for count, member in enumerate(members):
        if count == bounds.MAX_MEMBERS:
            raise bounds.LimitError(f"it holds more than {bounds.MAX_MEMBERS:,} files")
        yield member
