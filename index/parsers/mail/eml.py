"""Mail (.eml): the headers a reader sees, the body, the messages forwarded in it.

Read with the standard library's older interface (``compat32``): the newer one parses every header into
a tree, which is slow and fails on the broken headers that old mail is full of.
"""

from __future__ import annotations

import binascii
import codecs
import quopri
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import Message

from index.errors import CorruptError, EmptyFileError, EncryptedError, ParseError, UnsupportedError
from index.model import Document, Member
from index.parsers.bodies import decode_text, write_html, write_plain
from index.parsers.writer import Writer, folded

# What the standard library raises for mail that breaks the rules in ways it does not foresee.
BROKEN = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)

_SHOWN = ("From", "To", "Cc", "Date")
_KNOWN = frozenset(
    "from to cc bcc subject date sender reply-to message-id mime-version content-type received return-path"
    " delivered-to in-reply-to references x-mailer".split()
)
# No part of an encoded word may hold a "?", so a search can't run on from one to the next.
_WORD = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,60})?\?([bBqQ])\?([^?\r\n]*)\?=")
_SUFFIXES = {
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/rtf": ".rtf",
    "application/json": ".json",
    "application/xml": ".xml",
    "application/msword": ".doc",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.ms-powerpoint": ".ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.oasis.opendocument.text": ".odt",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/rtf": ".rtf",
    "text/xml": ".xml",
}
_SIGNATURES = frozenset(
    ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
)
_SEALED = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted"))
_LETTER = "-----BEGIN PGP MESSAGE-----"
_NAME_LIMIT = 200

_DEEPEST = 50
_LONGEST_TYPE = 10_000  # characters of a Content-Type or the like; its parameters take quadratic time

Part = Message
"""A message, or a part of one."""


class _Bounded(Part):
    """A part that keeps the time of reading in bounds: each line is held against every boundary above it."""

    depth = 0

    def attach(self, payload: _Bounded) -> None:  # type: ignore[override]
        payload.depth = self.depth + 1
        if payload.depth > _DEEPEST:
            raise ValueError("its parts nest too deeply")
        super().attach(payload)

    def set_raw(self, name: str, value: str) -> None:
        content = name.lower().startswith("content-")
        super().set_raw(name, value[:_LONGEST_TYPE] if content else value)


@dataclass(slots=True)
class Found:
    """What a message holds beside its text."""

    attachments: list[Part] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    forwarded: list[Part] = field(default_factory=list)
    bodies: int = 0


def parse(data: bytes) -> Document:
    """Read a mail.

    Raises:
        EmptyFileError: There is nothing in the file.
        EncryptedError: The message is encrypted.
        CorruptError: This is no mail, or one that can't be read.
    """
    if not data.strip():
        raise EmptyFileError("the file holds no text")
    try:
        message = read(data)
        writer = Writer()
        found = write_message(message, writer, 0)
        subject, author, date = (header(message, name) for name in ("Subject", "From", "Date"))
    except BROKEN as error:
        raise CorruptError(f"the mail can't be read: {error or type(error).__name__}") from error
    return writer.document(
        subject,
        author=author,
        date=iso_date(date),
        notice="; ".join(dict.fromkeys(found.notices)),
        members=members(found.attachments) if found.attachments else (),
    )


def read(data: bytes) -> Part:
    """The parts of one message.

    Raises:
        CorruptError: It has none of the headers of a mail.
    """
    import email

    message = email.message_from_bytes(data.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n\t "), _Bounded)
    if not any(name.lower() in _KNOWN for name in message.keys()):  # noqa: SIM118 - a Message is no dict
        raise CorruptError("this is no mail: it does not begin with headers such as From, To or Subject")
    return message


def write_message(message: Part, writer: Writer, level: int) -> Found:
    """Write a message; from ``level`` 1 on, its subject is a heading of that level.

    Raises:
        EncryptedError: The message is encrypted.
    """
    kind = message.get_content_type()
    if kind == "multipart/encrypted" or kind in _SEALED:
        raise EncryptedError("the message is encrypted or sealed (S/MIME or PGP); save it decrypted")
    headers = {name: header(message, name) for name in ("Subject", *_SHOWN)}
    write_headers(headers, writer, level)
    found = Found()
    _write_part(message, writer, level, found)
    for forwarded in found.forwarded:
        try:
            inner = write_message(forwarded, writer, level + 1)
        except EncryptedError:
            found.notices.append("a forwarded message is encrypted")
            continue
        found.attachments += inner.attachments
        found.notices += inner.notices
    return found


def write_headers(headers: dict[str, str], writer: Writer, level: int) -> None:
    """Write the headers that a reader sees, a line each; the subject is a heading below level 0."""
    subject = headers.get("Subject", "")
    if level:
        writer.leave_headings(below=level - 1)
        writer.heading(subject or headers.get("From", "") or headers.get("Date", ""), level)
    elif subject:
        writer.block(f"Subject: {subject}", "row")
    for name in _SHOWN:
        if value := headers.get(name, ""):
            writer.block(f"{name}: {value}", "row")


def header(message: Part, name: str) -> str:
    """A header as a reader sees it: on one line, its encoded words decoded; "" where it is missing."""
    for known, value in message.raw_items():
        if known.lower() == name.lower():
            return folded(_decoded(str(value)))
    return ""


def iso_date(value: str) -> str | None:
    """A Date header in ISO 8601; None where it is no date."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(value[:100]).isoformat()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def members(parts: Sequence[Part], folder: str = "") -> Iterator[Member]:
    """The attachments, decoded one by one, under safe names that no two share."""
    taken: dict[str, int] = {}
    for number, part in enumerate(parts, 1):
        name = safe_name(_decoded(_file_name(part)))
        name = unique_name(
            name or f"attachment-{number}{_SUFFIXES.get(part.get_content_type(), '.bin')}", taken
        )
        yield Member(folder + name, _payload(part))


def safe_name(name: str) -> str:
    """The last part of a path, without anything that means more than a name; "" where none is left."""
    last = folded(name).replace("\\", "/").rsplit("/", 1)[-1].strip(" .\"'")
    if len(last) > _NAME_LIMIT:
        stem, dot, suffix = last.rpartition(".")
        last = f"{stem[: _NAME_LIMIT - 20]}{dot}{suffix}" if len(suffix) < 20 else last[:_NAME_LIMIT]
    return last


def unique_name(name: str, taken: dict[str, int]) -> str:
    """``name``, with a number where it is ``taken``, which is kept up to date."""
    stem, dot, suffix = name.rpartition(".")
    made = name
    while (known := made.casefold()) in taken:
        taken[name.casefold()] = count = taken[name.casefold()] + 1
        made = f"{stem} ({count}){dot}{suffix}" if dot and stem else f"{name} ({count})"
    taken[known] = 1
    return made


def _write_part(part: Part, writer: Writer, level: int, found: Found) -> None:
    kind = part.get_content_type()
    payload = [inner for inner in part.get_payload() if isinstance(inner, Message)]
    if not part.is_multipart():
        _write_leaf(part, kind, writer, level, found)
    elif not payload:
        return
    elif kind == "multipart/alternative":
        _write_alternative(payload, writer, level, found)
    elif kind == "multipart/related":
        _write_part(payload[0], writer, level, found)
        found.attachments += [other for other in payload[1:] if _is_kept(other)]
    elif kind == "multipart/encrypted":
        found.notices.append("a part is encrypted")
    elif kind.startswith("multipart/"):
        for inner in payload:
            _write_part(inner, writer, level, found)
    elif kind == "message/delivery-status":
        for report in payload:
            lines = [f"{name}: {_decoded(str(value))}" for name, value in report.raw_items()]
            writer.block("\n".join(map(folded, lines)))
    else:
        found.forwarded += payload


def _write_alternative(payload: Sequence[Part], writer: Writer, level: int, found: Found) -> None:
    """Write the first wording with text, plain text before others; an invitation is a file of its own."""
    others = [part for part in payload if not part.is_multipart() and not _is_readable(part)]
    wordings = [part for part in payload if all(part is not other for other in others)]
    wordings.sort(key=lambda part: part.get_content_type() != "text/plain")
    before = found.bodies
    for part in wordings:
        if found.bodies == before:
            _write_part(part, writer, level, found)
    found.attachments += [part for part in others if _is_kept(part)]


def _write_leaf(part: Part, kind: str, writer: Writer, level: int, found: Found) -> None:
    named = bool(_file_name(part)) and found.bodies > 0
    if not _is_readable(part) or part.get_content_disposition() == "attachment" or named:
        if _is_kept(part):
            found.attachments.append(part)
        return
    try:
        body = _text(part, kind, found)
        if body.lstrip().startswith(_LETTER):
            found.notices.append("a part is encrypted")
        elif body.strip():
            found.bodies += 1
            _write_body(part, body, writer, level)
    except ParseError as error:
        found.notices.append(f"a part was left out: {error}")


def _text(part: Part, kind: str, found: Found) -> str:
    data = _payload(part)
    charset = part.get_content_charset()
    if charset is None and kind == "text/html":
        declared = re.search(
            rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]+)", data[:4096], re.IGNORECASE
        )
        charset = declared[1].decode("ascii", "ignore") if declared else None
    return decode_text(data, charset, found.notices)


def _write_body(part: Part, body: str, writer: Writer, level: int) -> None:
    if part.get_content_type() == "text/html":
        write_html(body, writer, level)
        return
    flowed = str(part.get_param("format", "")).lower() == "flowed"
    write_plain(body, writer, flowed=flowed, joined=str(part.get_param("delsp", "")).lower() == "yes")


def _is_readable(part: Part) -> bool:
    """Whether a part can be a body rather than a file; one cut into parts that can't be found is, too."""
    kind = part.get_content_type()
    return kind in ("text/plain", "text/html", "text/rfc822-headers") or kind.startswith("multipart/")


def _is_kept(part: Part) -> bool:
    """Whether a part is a file of interest, not a picture within the text or a seal on it."""
    kind = part.get_content_type()
    if part.is_multipart() or kind in _SIGNATURES or kind == "text/css":
        return False
    return not kind.startswith("image/") or part.get_content_disposition() == "attachment"


def _file_name(part: Part) -> str:
    try:
        return part.get_filename() or ""
    except BROKEN:
        return ""


def _payload(part: Part) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _decoded(raw: str) -> str:
    """A header's value with its encoded words and its bytes beyond ASCII decoded."""
    pieces: list[tuple[str, bytes]] = []  # charset and bytes; neighbours may share a character
    place = 0
    for word in _WORD.finditer(raw):
        between = raw[place : word.start()]
        if between.strip() or not pieces or not place:
            pieces.append(("", between.encode("utf-8", "surrogateescape")))
        charset, data = word[1].lower(), _word_bytes(word[2], word[3])
        if pieces and pieces[-1][0] == charset:
            pieces[-1] = (charset, pieces[-1][1] + data)
        else:
            pieces.append((charset, data))
        place = word.end()
    pieces.append(("", raw[place:].encode("utf-8", "surrogateescape")))
    return "".join(_header_text(data, charset) for charset, data in pieces)


def _word_bytes(form: str, content: str) -> bytes:
    data = content.encode("utf-8", "surrogateescape")
    if form in "qQ":
        return quopri.decodestring(data.replace(b"_", b" ").replace(b" ", b"=20"))
    try:
        return binascii.a2b_base64(data + b"==")
    except binascii.Error:
        return data


def _header_text(data: bytes, charset: str) -> str:
    try:
        return decode_text(data, charset or "utf-8", [])
    except (CorruptError, UnsupportedError):
        return ""
