"""Office files that are encrypted, and legacy ones behind a modern name.

An encrypted .docx, .pptx or .xlsx is no zip file but an OLE container, as the formats before 2007 are.
"""

from __future__ import annotations

import io
import re
from binascii import Error as Base64Error
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError

from index.errors import CorruptError, EmptyFileError, EncryptedError, UnsupportedError
from index.parsers.office import ole

if TYPE_CHECKING:
    from msoffcrypto.format.base import BaseOfficeFile

# The streams by which legacy files are known.
_LEGACY = {
    "worddocument": "it is a legacy Word file; save it as .docx",
    "workbook": "it is a legacy Excel file; save it as .xlsx",
    "book": "it is a legacy Excel file; save it as .xlsx",
    "powerpoint document": "it is a legacy PowerPoint file; save it as .pptx",
}
# What Excel and PowerPoint encrypt with where a file is only protected against changes.
_BUILT_IN = ("VelvetSweatshop", "/01Hannes Ruescher/01")
_REMEDY = "give its password with --password-file"
_SPINS = re.compile(rb'spinCount\s*=\s*["\']\s*(\d+)')
_SPIN_LIMIT = 1_000_000  # Office asks for 100,000 rounds
_INFO_LIMIT = 65_536
_LEGACY_LIMIT = 64_000_000  # msoffcrypto needs ten times the size of a legacy file
# What msoffcrypto raises for what is cut off or altered.
_BROKEN = (AssertionError, Base64Error, ExpatError, *ole.BROKEN)


def unlocked(data: bytes, passwords: Sequence[str] = ()) -> bytes:
    """An Office file as it is without encryption; what is not encrypted is returned as it is.

    Reads .docx, .pptx and .xlsx, and .doc, .xls and .ppt, which stay what they are.

    Raises:
        EncryptedError: None of the passwords fits.
        UnsupportedError: It is encrypted in a way that is not known.
        CorruptError: The container is damaged.
    """
    if not data.startswith(ole.MAGIC):
        return data
    import msoffcrypto
    from msoffcrypto.exceptions import DecryptionError, FileFormatError, ParseError

    modern = _is_package(data)
    try:
        office = msoffcrypto.OfficeFile(io.BytesIO(data))
        if not office.is_encrypted():
            return data
    except DecryptionError as error:
        raise UnsupportedError(f"it is encrypted in a way that is not known ({error})") from error
    except (FileFormatError, ParseError, *_BROKEN) as error:
        if modern:
            raise CorruptError("damaged file: how it is encrypted can't be read") from error
        return data  # of another kind, or for its reader to refuse
    if not modern and len(data) > _LEGACY_LIMIT:
        raise UnsupportedError(
            "it is encrypted and too large to be decrypted; save a copy without a password"
        )
    for password in filter(None, (*passwords, *_BUILT_IN)):
        if _fits(office, password, modern):
            return _decrypted(office)
    tried = "none of the passwords given opens the file" if passwords else "the file is encrypted"
    raise EncryptedError(f"{tried}; {_REMEDY}")


def unlocked_package(data: bytes, passwords: Sequence[str] = ()) -> bytes:
    """`unlocked` for formats that are zip files, with a reason where the file is one of the old ones.

    Raises:
        EmptyFileError: There is not a single byte.
        UnsupportedError: It is a legacy file of Word, Excel or PowerPoint.
        EncryptedError: None of the passwords fits.
        CorruptError: The container is damaged.
    """
    if not data:
        raise EmptyFileError("the file is empty")
    if data.startswith(ole.MAGIC):
        names = _streams(data)
        for stream, reason in _LEGACY.items():
            if stream in names:
                raise UnsupportedError(reason)
        if "encryptedpackage" not in names:
            raise CorruptError("the file is no Office file, whatever its name says")
    return unlocked(data, passwords)


def _streams(data: bytes) -> frozenset[str]:
    """The streams at the top of an OLE container, in lower case."""
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            return frozenset(path[0].lower() for path in container.listdir() if len(path) == 1)
    except ole.BROKEN as error:
        raise CorruptError("damaged file: its container is cut off or altered") from error


def _is_package(data: bytes) -> bool:
    """Whether a container holds an encrypted zip file, after a look at how it is encrypted."""
    names = _streams(data)
    if "encryptedpackage" not in names:
        return False
    if "encryptioninfo" not in names:
        raise EncryptedError("the file is protected by rights management; save a copy without it")
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            info = bytes(container.openstream("EncryptionInfo").read(_INFO_LIMIT + 1))
    except _BROKEN as error:
        raise CorruptError("damaged file: how it is encrypted can't be read") from error
    spins = max((int(digits[:9]) for digits in _SPINS.findall(info)), default=0)
    if spins > _SPIN_LIMIT or len(info) > _INFO_LIMIT or b"<!" in info:
        raise UnsupportedError("it is encrypted in a way that no Office program uses")
    return True


def _fits(office: BaseOfficeFile, password: str, modern: bool) -> bool:
    from msoffcrypto.exceptions import DecryptionError, InvalidKeyError

    try:
        if modern:
            office.load_key(password=password, verify_password=True)
        else:
            office.load_key(password=password)
    except (InvalidKeyError, DecryptionError, *_BROKEN):
        return False
    return True


def _decrypted(office: BaseOfficeFile) -> bytes:
    from msoffcrypto.exceptions import DecryptionError
    from msoffcrypto.format import doc97, ppt97, xls97

    # For legacy files msoffcrypto writes what it decrypted into a temporary file; it stays in memory here.
    for module in (doc97, ppt97, xls97):
        module.tempfile = SimpleNamespace(TemporaryFile=io.BytesIO)
    plain = io.BytesIO()
    try:
        office.decrypt(plain)
    except (DecryptionError, *_BROKEN) as error:
        raise CorruptError("damaged file: it can't be decrypted") from error
    return plain.getvalue()
