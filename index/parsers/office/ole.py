"""OLE containers, in which Office files from before 2007 and encrypted ones are kept, and their properties.

These are read here because olefile believes the counts that a damaged file states, and then never ends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from index.parsers.office.package import Properties

if TYPE_CHECKING:
    from olefile import OleFileIO

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How a container begins."""

# What olefile raises for containers that are cut off or altered.
BROKEN = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, struct.error)

_STREAM = "\x05SummaryInformation"
_LONGEST = 65_536
_MOST = 64  # the format knows 19 properties
_CODEPAGE, _TITLE, _AUTHOR, _CREATED, _SAVED = 1, 2, 4, 12, 13
_SHORT, _BYTES, _WIDE, _MOMENT = 0x02, 0x1E, 0x1F, 0x40
_CODECS = {1200: "utf-16-le", 10000: "mac_roman", 65001: "utf-8"}


def summary(container: OleFileIO) -> Properties:
    """What a file says of itself; None for what is missing or can't be read."""
    found: dict[int, bytes | int] = {}
    if container.exists(_STREAM):
        with suppress(OSError, OverflowError, struct.error):
            for number, content in _properties(bytes(container.openstream(_STREAM).read(_LONGEST))):
                found.setdefault(number, content)
    codepage = found.get(_CODEPAGE, 1252)
    return Properties(
        title=_text(found.get(_TITLE), codepage),
        author=_text(found.get(_AUTHOR), codepage),
        date=_date(found.get(_SAVED)) or _date(found.get(_CREATED)),
    )


def _properties(stream: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The number and value of each property of the first section."""
    (start,) = struct.unpack_from("<I", stream, 44)
    (count,) = struct.unpack_from("<I", stream, start + 4)
    for place in range(start + 8, start + 8 + 8 * min(count, _MOST), 8):
        number, offset = struct.unpack_from("<II", stream, place)
        kind, length = struct.unpack_from("<II", stream, start + offset)
        body = start + offset + 8
        if kind == _SHORT:
            yield number, length & 0xFFFF
        elif kind in (_BYTES, _WIDE):
            yield number, stream[body : body + length * (2 if kind == _WIDE else 1)]
        elif kind == _MOMENT:
            (ticks,) = struct.unpack_from("<Q", stream, body - 4)
            yield number, ticks


def _text(value: bytes | int | None, codepage: bytes | int) -> str | None:
    """A text, where the code page that the file names reads it."""
    if not isinstance(value, bytes) or not isinstance(codepage, int):
        return None
    # Some programs write two bytes a character whatever they state.
    wide = len(value) > 2 and not value[1::2].strip(b"\0")
    try:
        text = value.decode("utf-16-le" if wide else _CODECS.get(codepage, f"cp{codepage}"))
    except (LookupError, UnicodeDecodeError):
        return None
    return text.partition("\0")[0].strip() or None


def _date(ticks: bytes | int | None) -> str | None:
    """A moment, from tenths of microseconds since 1601."""
    if not isinstance(ticks, int):
        return None
    try:
        moment = datetime(1601, 1, 1) + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return None
    return f"{moment.isoformat(timespec='seconds')}Z" if moment.year >= 1980 else None
