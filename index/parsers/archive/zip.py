"""Zip files, with members that may be encrypted in the old way or with AES."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence

from index.errors import CorruptError, EncryptedError, ParseError, UnsupportedError
from index.model import Member
from index.parsers.archive import bounds
from index.parsers.archive.aes import decrypted
from index.parsers.archive.paths import code_page_of, decoded, placed, unread

_TRIED = 100  # encrypted members, to see whether any password fits
_AES = 99  # the packing method that stands for encryption with AES
_AES_FIELD, _UNICODE_FIELD = 0x9901, 0x7075
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, _AES)
_UNIX = 3
_ENCRYPTED, _UTF8 = 0x1, 0x800
_ENTRY, _END = b"PK\x01\x02", b"PK\x05\x06"  # of the list of members
_LOCAL = struct.Struct("<4s22xHH")
_BROKEN = (zipfile.BadZipFile, *bounds.BROKEN)


def read_zip(data: bytes, passwords: Sequence[str]) -> Iterator[Member]:
    """The regular files of a zip file.

    Raises:
        EncryptedError: All of them are encrypted, and none of the passwords fits.
        CorruptError: It is damaged, or over a limit.
    """
    end = data.rfind(_END)
    size = int.from_bytes(data[end + 12 : end + 16], "little")
    if data.count(_ENTRY, max(end - size, 0)) > bounds.MAX_ENTRIES:  # zipfile would take in all of them
        raise CorruptError(f"it holds more than {bounds.MAX_ENTRIES:,} entries; unpack it into the folder")
    try:
        archive = _Zip(data, [password.encode() for password in passwords])
    except (NotImplementedError, *_BROKEN) as error:
        raise CorruptError("damaged file: its list of members is missing, cut off or altered") from error
    for info, path, problem in archive.files():
        try:
            if problem is not None:
                raise problem
            yield Member(path, archive.content(info))
        except bounds.LimitError:
            raise
        except ParseError as error:
            yield unread(path, error)


class _Zip:
    """A zip file, and the passwords that its members may have."""

    def __init__(self, data: bytes, keys: Sequence[bytes]) -> None:
        self._data = data
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self._keys = keys
        self._budget = bounds.Budget()

    def files(self) -> list[tuple[zipfile.ZipInfo, str, ParseError | None]]:
        """The files that count, with their paths and why they can't be read.

        Raises:
            EncryptedError: None of them can be, without another password.
            CorruptError: The archive is not whole.
        """
        infos = self._archive.infolist()
        if any(info.volume for info in infos):
            raise CorruptError("it is one part of an archive that was split; join the parts first")
        code_page = code_page_of([_raw(info) for info in infos if not info.flag_bits & _UTF8])
        found = []
        for info in infos:
            kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
            at = placed(_path(info, code_page).replace("\\", "/"))
            if at is not None and not info.is_dir() and kind in (0, stat.S_IFREG):
                found.append((info, *at))
        locked = [info for info, _, _ in found if info.flag_bits & _ENCRYPTED]
        if found and len(locked) == len(found) and not any(self._opens(info) for info in locked[:_TRIED]):
            raise self._locked()
        return found

    def content(self, info: zipfile.ZipInfo) -> bytes:
        """A member, unpacked and checked.

        Raises:
            ParseError: It can't be had.
        """
        if info.file_size > bounds.MAX_MEMBER:
            raise bounds.too_large()
        method = info.compress_type
        if method not in _METHODS:
            raise UnsupportedError(f"it is packed in a rare way (method {method}); unpack it into the folder")
        problem: ParseError = self._locked()
        for key in self._keys if info.flag_bits & _ENCRYPTED else (None,):
            try:
                return bounds.collected(self._budget.counted(self._opened(info, key), info.compress_size))
            except NotImplementedError as error:
                raise UnsupportedError(f"it can't be unpacked ({error})") from error
            except RuntimeError:
                continue  # not this password
            except _BROKEN as error:
                # One wrong password in 256 is known only by what comes out.
                problem = CorruptError(f"damaged file: it can't be unpacked ({error})")
        raise problem

    def _opens(self, info: zipfile.ZipInfo) -> bool:
        """Whether a password seems to fit."""
        for key in self._keys:
            try:
                self._opened(info, key)
            except (NotImplementedError, *_BROKEN):
                return True  # it can't be read, whatever its password
            except RuntimeError:
                continue
            return True
        return False

    def _opened(self, info: zipfile.ZipInfo, key: bytes | None) -> Iterator[bytes]:
        """A member's content; a wrong password is a RuntimeError at once, as in `zipfile`."""
        if info.compress_type != _AES or key is None:
            return bounds.pieces(self._archive.open(info, pwd=key))
        place = info.header_offset
        signature, name, extra = _LOCAL.unpack_from(self._data, place)
        if signature != b"PK\3\4":
            raise ValueError("it is not where the archive says")
        place += _LOCAL.size + name + extra
        return decrypted(self._data[place : place + info.compress_size], _extra(info, _AES_FIELD), key)

    def _locked(self) -> EncryptedError:
        tried = "none of the passwords given opens it" if self._keys else "it is encrypted"
        return EncryptedError(f"{tried}; give its password with --password-file")


def _raw(info: zipfile.ZipInfo) -> bytes:
    return info.filename.encode("cp437")  # which zipfile takes every path for that is not marked as UTF-8


def _path(info: zipfile.ZipInfo, code_page: str) -> str:
    if info.flag_bits & _UTF8:
        return info.filename
    unicode = _extra(info, _UNICODE_FIELD)  # the path once more, in UTF-8, with the checksum of the first
    if unicode[:1] == b"\1" and unicode[1:5] == zlib.crc32(_raw(info)).to_bytes(4, "little"):
        return decoded(unicode[5:], code_page)
    return decoded(_raw(info), code_page)


def _extra(info: zipfile.ZipInfo, kind: int) -> bytes:
    """An additional field of a member, b"" without it."""
    place = 0
    while place + 4 <= len(info.extra):
        found, size = struct.unpack_from("<HH", info.extra, place)
        if found == kind:
            return info.extra[place + 4 : place + 4 + size]
        place += 4 + size
    return b""
