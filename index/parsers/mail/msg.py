"""Outlook messages (.msg): properties in the streams of an OLE file, written like a mail.

A property's stream is named after its tag and type: ``__substg1.0_0037001F`` is the subject (0037) in
UTF-16 (001F; 001E is text in a code page, 0102 bytes, 000D a storage of its own).
"""

from __future__ import annotations

import datetime
import email
import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from index.errors import CorruptError, EmptyFileError, EncryptedError, ParseError
from index.model import Document, Member
from index.parsers.bodies import codec, decode_text, write_html, write_plain
from index.parsers.mail import eml
from index.parsers.office import ole, rtf
from index.parsers.writer import Writer

if TYPE_CHECKING:
    from olefile.olefile import OleDirectoryEntry, OleFileIO

_CLASS, _SUBJECT, _TRANSPORT, _BODY, _HTML, _RTF = "001A", "0037", "007D", "1000", "1013", "1009"
# Name and addresses of the sender, then of the person sent for.
_SENDERS = (("0C1A", ("5D01", "0C1F")), ("0042", ("5D02", "0065")))
_NAME, _ADDRESSES = "3001", ("39FE", "3003")
_LISTS = {"To": (1, "0E04"), "Cc": (2, "0E03")}
_FILE_NAMES, _DATA, _EMBEDDED = ("3707", "3704", "3001"), "37010102", "3701000D"
_TYPE, _INSIDE = "370E", ("3712", "3713")  # media type; content id and place
_SENT, _RECEIVED, _PAGE, _BODY_PAGE = 0x0039, 0x0E06, 0x3FFD, 0x3FDE
_RECIPIENT_KIND, _HIDDEN = 0x0C15, 0x7FFE
_PAGES = {20127: "ascii", 20866: "koi8-r", 21866: "koi8-u", 50220: "iso2022_jp", 51932: "euc_jp"} | {
    28590 + part: f"iso8859-{part}" for part in range(1, 17)
}
_EPOCH = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)
_DEEPEST = 20
_BROKEN = (OSError, struct.error, *eml.BROKEN)  # olefile's own errors are OSErrors
_LETTER = b"-----BEGIN PGP MESSAGE-----"
_SEALED = "the message is encrypted or sealed (S/MIME, PGP or rights management); save it decrypted"
# What every compressed text is taken to begin with (MS-OXRTFCP).
_PRELOAD = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS"
    rb" Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)


@dataclass(slots=True)
class _Found:
    files: list[_Store] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


class _Store:
    """A storage with properties: a message, a recipient, an attachment."""

    def __init__(self, container: _File, node: OleDirectoryEntry, head: int) -> None:
        self.container = container
        self.node = node
        self.fixed: dict[int, bytes] = {}
        data = self._stream("__properties_version1.0") or b""
        for start in range(head, len(data) - 15, 16):
            self.fixed[int.from_bytes(data[start + 2 : start + 4], "little")] = data[start + 8 : start + 16]

    def data(self, name: str) -> bytes | None:
        """The bytes of a property by its tag and type."""
        return self._stream(f"__substg1.0_{name}")

    def text(self, tag: str, notices: list[str], page: int = _PAGE) -> str:
        """A text property; "" where it is missing."""
        if (wide := self.data(f"{tag}001F")) is not None:
            return wide[: len(wide) // 2 * 2].decode("utf-16-le", "surrogatepass").rstrip("\0")
        narrow = self.data(f"{tag}001E")
        return decode_text(narrow, self.charset(page), notices).rstrip("\0") if narrow else ""

    def number(self, tag: int) -> int:
        """A whole number; 0 where it is missing."""
        return int.from_bytes(self.fixed.get(tag, b"")[:4], "little")

    def charset(self, page: int) -> str | None:
        """The name of a code page, by the tag of the property that holds its number."""
        number = self.number(page) or self.number(_PAGE) or 1252
        return _PAGES.get(number) or codec(f"cp{number}")

    def stores(self, prefix: str, head: int) -> Iterator[_Store]:
        """The storages in this one whose names begin with ``prefix``."""
        for kid in self.node.kids:
            if kid.name.lower().startswith(prefix):
                yield _Store(self.container, kid, head)

    def embedded(self) -> _Store | None:
        """The message that is an attachment, which is a storage in it."""
        node = self.node.kids_dict.get(f"__substg1.0_{_EMBEDDED}".lower())
        return None if node is None or not node.kids else _Store(self.container, node, 24)

    def _stream(self, name: str) -> bytes | None:
        node = self.node.kids_dict.get(name.lower())
        if node is None or node.kids:
            return None
        if node.size > self.container.limit:  # the sectors of a damaged file may go round in a circle
            raise CorruptError("the message is damaged: a part of it is larger than the file")
        # By name every look-up would go through all parts of the file.
        content = self.container.file._open(node.isectStart, node.size).read()
        return bytes(content)


@dataclass(frozen=True, slots=True)
class _File:
    file: OleFileIO
    limit: int


def parse(data: bytes) -> Document:
    """Read an Outlook message.

    Raises:
        EmptyFileError: There is nothing in the file.
        EncryptedError: The message is encrypted or sealed.
        CorruptError: This is no Outlook message, or a damaged one.
    """
    if not data:
        raise EmptyFileError("the file holds no text")
    try:
        message = _opened(data)
        writer = Writer()
        found = _write_message(message, writer, 0)
        headers = _headers(message, [])
    except _BROKEN as error:
        raise CorruptError(f"the message is damaged: {error or type(error).__name__}") from error
    sent = _time(message)
    return writer.document(
        headers["Subject"],
        author=headers["From"],
        date=sent.isoformat() if sent else eml.iso_date(headers["Date"]),
        notice="; ".join(dict.fromkeys(found.notices)),
        members=_members(found.files) if found.files else (),
    )


def _opened(data: bytes) -> _Store:
    import olefile

    if not data.startswith(ole.MAGIC):
        raise CorruptError("this is no Outlook message")
    file = olefile.OleFileIO(io.BytesIO(data))
    if file.root.size > len(data):
        raise CorruptError("the message is damaged: a part of it is larger than the file")
    if "__properties_version1.0" not in file.root.kids_dict:
        raise CorruptError("this is no Outlook message: it has no properties")
    return _Store(_File(file, len(data)), file.root, 32)


def _write_message(message: _Store, writer: Writer, level: int) -> _Found:
    """Write a message; a forwarded one, from level 1 on, under its subject."""
    found = _Found()
    files = list(message.stores("__attach_version1.0_", 8))
    if _is_sealed(message, files, found.notices):
        raise EncryptedError(_SEALED)
    eml.write_headers(_headers(message, found.notices), writer, level)
    try:
        _write_body(message, writer, level, found.notices)
    except ParseError as error:
        found.notices.append(f"the text was left out: {error}")
    for file in files:
        inner = file.embedded()
        if inner is None:
            found.files.append(file)
        elif level < _DEEPEST:
            _write_forwarded(inner, writer, level + 1, found)
    return found


def _write_forwarded(message: _Store, writer: Writer, level: int, found: _Found) -> None:
    try:
        inner = _write_message(message, writer, level)
    except EncryptedError:
        found.notices.append("a forwarded message is encrypted")
        return
    found.files += inner.files
    found.notices += inner.notices


def _is_sealed(message: _Store, files: Sequence[_Store], notices: list[str]) -> bool:
    kind = message.text(_CLASS, notices).lower()
    if kind.startswith("ipm.note") and ".smime" in kind:
        return True
    names = [_file_name(file).lower() for file in files[:3]]
    if names[:1] == ["message.rpmsg"] or any(
        name.endswith((".pgp-encrypted", "smime.p7m")) for name in names
    ):
        return True
    return any((file.data(_DATA) or b"").lstrip().startswith(_LETTER) for file in files[:3])


def _headers(message: _Store, notices: list[str]) -> dict[str, str]:
    """The headers as they came with the mail, else from Outlook's own properties."""
    transport = message.text(_TRANSPORT, notices)
    came = email.message_from_bytes(transport.encode("utf-8", "ignore"))
    headers = {name: eml.header(came, name) for name in ("From", "To", "Cc", "Date")}
    headers["Subject"] = message.text(_SUBJECT, notices)
    headers["From"] = headers["From"] or _sender(message, notices)
    recipients = list(message.stores("__recip_version1.0_", 8))
    for name, (kind, shown) in _LISTS.items():
        people = [person for person in recipients if person.number(_RECIPIENT_KIND) == kind]
        named = ", ".join(_person(person, _NAME, _ADDRESSES, notices) for person in people)
        headers[name] = headers[name] or named or message.text(shown, notices)
    if not headers["Date"] and (sent := _time(message)):
        headers["Date"] = sent.strftime("%Y-%m-%d %H:%M:%S UTC")
    return headers


def _sender(message: _Store, notices: list[str]) -> str:
    people = (_person(message, name, addresses, notices) for name, addresses in _SENDERS)
    return next(filter(None, people), "")


def _person(store: _Store, name: str, addresses: Sequence[str], notices: list[str]) -> str:
    shown = store.text(name, notices).strip().strip("'")
    texts = (store.text(tag, notices) for tag in addresses)
    address = next((text for text in texts if "@" in text), "")  # others are of Exchange's own kind
    return f"{shown} <{address}>" if shown and address and address != shown else shown or address


def _time(message: _Store) -> datetime.datetime | None:
    for tag in (_SENT, _RECEIVED):
        ticks = int.from_bytes(message.fixed.get(tag, b""), "little")
        if 0 < ticks < 2**61:
            return _EPOCH + datetime.timedelta(seconds=ticks // 10_000_000)
    return None


def _write_body(message: _Store, writer: Writer, level: int, notices: list[str]) -> None:
    body = message.text(_BODY, notices, _BODY_PAGE)
    if body.strip():
        write_plain(body, writer)
        return
    page = message.data(f"{_HTML}0102")
    shown = decode_text(page, message.charset(_BODY_PAGE), notices) if page else message.text(_HTML, notices)
    if shown.strip():
        write_html(shown, writer, level)
    elif compressed := message.data(f"{_RTF}0102"):
        rtf.write(inflated(compressed), writer, level)


def inflated(data: bytes) -> bytes:
    """RTF as Outlook compresses it: runs of eight literals or references into the last 4 KiB."""
    if data[8:12] != b"LZFu":
        return data[16:]
    out = bytearray(_PRELOAD)
    place = 16
    while place < len(data):
        flags = data[place]
        place += 1
        for bit in range(8):
            if not flags >> bit & 1:
                out += data[place : place + 1]
                place += 1
                continue
            pair = int.from_bytes(data[place : place + 2], "big")
            place += 2
            back = (len(out) - (pair >> 4)) % 4096 or 4096
            if back == 4096 or place > len(data):
                return bytes(out[len(_PRELOAD) :])  # a reference to where writing goes on is the end
            for _ in range((pair & 15) + 2):
                out.append(out[-back])
    return bytes(out[len(_PRELOAD) :])


def _file_name(file: _Store) -> str:
    return next(filter(None, (eml.safe_name(file.text(tag, [])) for tag in _FILE_NAMES)), "")


def _is_shown_inside(file: _Store) -> bool:
    """Whether an attachment is a picture that the text refers to by an id or place."""
    picture = file.text(_TYPE, []).lower().startswith("image/") or bool(file.number(_HIDDEN) & 0xFF)
    return picture and any(file.text(tag, []) for tag in _INSIDE)


def _members(files: Sequence[_Store]) -> Iterator[Member]:
    taken: dict[str, int] = {}
    for number, file in enumerate(files, 1):
        data = file.data(_DATA)
        if data is None or _is_shown_inside(file):
            continue  # a link to a file elsewhere, or a picture within the text
        name = _file_name(file) or f"attachment-{number}.bin"
        yield Member(eml.unique_name(name, taken), data)
