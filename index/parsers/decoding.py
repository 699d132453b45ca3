"""Bytes to text, without ever losing or inventing a character.

Every codec is used strictly: what can't be decoded is refused, never replaced.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from dataclasses import dataclass

from index.errors import CorruptError, EmptyFileError, UnsupportedError

# UTF-32 comes first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_SAMPLE = 200_000
_FEW = 32  # with fewer non-ASCII bytes than this, statistics over byte pairs say nothing
_LATIN = frozenset(
    "ascii latin_1 cp1250 cp1252 cp1254 cp1257 cp1258 iso8859_2 iso8859_3 iso8859_4 iso8859_9 iso8859_10"
    " iso8859_13 iso8859_14 iso8859_15 iso8859_16 mac_roman cp437 cp850 cp858 hp_roman8".split()
)
# Code pages that no text file is in; Windows' own look much the same to a guess.
_RARE = (
    "cp037 cp273 cp424 cp500 cp875 cp1026 cp1140 hz johab kz1048 mac_cyrillic mac_greek mac_iceland"
    " mac_latin2 mac_turkish ptcp154 utf_7".split()
)
_EASTERN = frozenset(
    "Czech Slovak Polish Hungarian Romanian Croatian Slovene Serbian Turkish Lithuanian Latvian Estonian"
    " Vietnamese".split()
)
# Python knows codecs that are no character sets; these are the ones of the web,
_CHARSET = re.compile(
    r"(?:utf-?8|us-ascii|ascii|latin-?1|iso-?8859-\d{1,2}|windows-125\d|cp125\d|koi8-[ru]|macintosh|ibm866"
    r"|gb2312|gbk|gb18030|big5|euc-jp|euc-kr|shift_jis|iso-2022-jp)"
)
# and the larger encodings that browsers read some of them as, for people mean these.
_MEANT = {
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "gb2312": "gb18030",
}
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b")) + b"\x7f"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text without its byte order mark, and what a user should know of the reading."""

    text: str
    notice: str = ""


def web_codec(charset: bytes) -> str | None:
    """The codec for what a web page or XML file names its encoding; None for what is no character set."""
    name = charset.decode("ascii", "ignore").lower()
    return _MEANT.get(name, name) if _CHARSET.fullmatch(name) else None


def decode_file(data: bytes, declared: str | None = None) -> Decoded:
    """Decode a file that must hold something. See `decode`.

    Raises:
        EmptyFileError: There is nothing but white space.
        UnsupportedError: The bytes are not text.
        CorruptError: No encoding reads the bytes without loss.
    """
    decoded = decode(data, declared)
    if not decoded.text.strip():
        raise EmptyFileError("the file holds no text")
    return decoded


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Decode text.

    The byte order mark decides, then ``declared`` (the name of a Python codec, from the file's own
    head), then UTF-8, then a guess from the bytes.

    Raises:
        UnsupportedError: The bytes are not text.
        CorruptError: No encoding reads the bytes without loss.
    """
    for mark, codec, name in _MARKS:
        if data.startswith(mark):
            return Decoded(_marked(data[len(mark) :], codec, name))
    if b"\0" in data:
        return _without_mark(data)
    if len(data.translate(None, _CONTROLS)) < 0.98 * len(data):
        raise UnsupportedError("binary content: this is not a text file")
    if declared is not None:
        with suppress(UnicodeDecodeError):  # where the file's own claim is wrong, its bytes decide
            return Decoded(data.decode(declared))
    try:
        return Decoded(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        if _is_damaged_utf8(data):
            raise CorruptError(f"damaged UTF-8: byte {error.start} is not valid") from error
    codec = _guess(data)
    return Decoded(data.decode(codec), f"read as {_display(codec)}")


def _marked(body: bytes, codec: str, name: str) -> str:
    """The text after a byte order mark, which leaves no doubt about the encoding."""
    try:
        text = body.decode(codec)
    except UnicodeDecodeError as error:
        raise CorruptError(f"marked as {name}, but byte {error.start} is not valid {name}") from error
    if "\0" in text:
        raise UnsupportedError("binary content: the text holds NUL characters")
    return text


def _without_mark(data: bytes) -> Decoded:
    """UTF-16 or UTF-32 without a mark is the only text whose bytes hold NULs."""
    for codec in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        if not codec.startswith("utf-32"):
            # In UTF-16 the NULs are the high halves of ASCII characters: all on one side.
            high, low = (data[1::2], data[::2]) if codec == "utf-16-le" else (data[::2], data[1::2])
            if b"\0" in low or high.count(0) < 0.2 * len(high):
                continue
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return Decoded(text, f"read as {codec.upper()}")
    raise UnsupportedError("binary content: this is not a text file")


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether nearly all non-ASCII bytes form valid UTF-8, which no legacy text does by chance."""
    text = data.decode("utf-8", "replace")  # looked at only, never returned
    broken = text.count("\ufffd")
    valid = sum(1 for character in text if character > "\x7f") - broken
    return valid >= 3 and broken * 4 <= valid


def _guess(data: bytes) -> str:
    high = len(data) - len(data.translate(None, bytes(range(128, 256))))
    if high < _FEW and _is_western(data):
        return "cp1252"
    import charset_normalizer

    sample = data
    if len(sample) > _SAMPLE:
        first = next(place for place, byte in enumerate(data) if byte > 127)
        start = data.rfind(b"\n", 0, first) + 1
        end = data.rfind(b"\n", start, start + _SAMPLE)
        sample = data[start : end if end > first else start + _SAMPLE]
    best = charset_normalizer.from_bytes(sample, cp_exclusion=_RARE).best()
    candidates = [] if best is None else [best.encoding]
    if _is_western(data):
        # Most bytes mean the same in the Latin code pages; only a known language tells them apart.
        latin = best is None or (best.encoding in _LATIN and best.language not in _EASTERN)
        candidates.insert(0 if latin else 1, "cp1252")
    for codec in candidates:
        try:
            data.decode(codec)
        except UnicodeDecodeError:
            continue
        return codec
    raise CorruptError("the text is in no known encoding; save it as UTF-8")


def _is_western(data: bytes) -> bool:
    """Whether Windows-1252 reads the bytes, with letters wherever a non-ASCII byte joins letters."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    for before, character, after in zip(" " + text, text, text[1:] + " ", strict=False):
        inside = before.isalpha() and after.isalpha()
        if character > "\x7f" and inside and not (character.isalpha() or character in "’‘´·–—\xad\xa0"):
            return False
    return True


def _display(codec: str) -> str:
    if codec.startswith("cp125") and len(codec) == 6:
        return f"windows-{codec[2:]}"
    return codec.replace("_", "-")
