"""Mailboxes (.mbox): messages one after another, each under its subject.

Only one message is held as a tree at a time: the attachments are read again when they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from index.errors import CorruptError, EmptyFileError, EncryptedError, ParseError
from index.model import Document, Member
from index.parsers.mail import eml
from index.parsers.writer import Writer

# The line that begins a message: mailers escape it within one, but not all of them, so headers must
# follow it, and an empty line or nothing must stand before it, or a time of day in it.
_BEGIN = re.compile(rb"^From (?P<envelope>[^\r\n]*)\r?\n(?=>?[!-9;-~]{1,80}:|>From )", re.MULTILINE)
_TIME = re.compile(rb"\d:\d\d")
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)


def parse(data: bytes) -> Document:
    """Read a mailbox.

    Raises:
        EmptyFileError: There is nothing in the file.
        EncryptedError: Every message is encrypted.
        CorruptError: This is no mailbox, or none of its messages can be read.
    """
    if not data.strip():
        raise EmptyFileError("the file holds no text")
    ranges = _ranges(data)
    if not ranges:
        raise CorruptError('this is no mailbox: no line that begins with "From " and headers after it')
    writer = Writer()
    notices: dict[str, None] = {}
    with_files: list[int] = []
    encrypted = broken = 0
    for number, (start, end) in enumerate(ranges, 1):
        try:
            found = eml.write_message(_message(data, start, end), writer, 1)
        except EncryptedError:
            encrypted += 1
        except (ParseError, *eml.BROKEN):
            broken += 1
        else:
            notices |= dict.fromkeys(found.notices)
            if found.attachments:
                with_files.append(number)
    _refuse(len(ranges), encrypted, broken)
    counts = ((broken, "could not be read"), (encrypted, "encrypted"))
    lost = [f"{count} of {len(ranges)} messages {state}" for count, state in counts if count]
    return writer.document(
        None,
        notice="; ".join([*lost, *notices]),
        members=_members(data, ranges, with_files) if with_files else (),
    )


def _ranges(data: bytes) -> list[tuple[int, int]]:
    """Where each message's headers begin and its text ends."""
    begins: list[tuple[int, int]] = []
    for match in _BEGIN.finditer(data):
        start = match.start()
        before = data[max(0, start - 4) : start]
        apart = before.endswith((b"\n\n", b"\n\r\n")) or not before.strip()
        if apart or (begins and _TIME.search(match["envelope"])):
            begins.append((start, match.end()))
    if not begins or data[: begins[0][0]].strip():
        return []
    ends = [start for start, _ in begins[1:]] + [len(data)]
    return [(begin, end) for (_, begin), end in zip(begins, ends, strict=True)]


def _message(data: bytes, start: int, end: int) -> eml.Part:
    return eml.read(_ESCAPED.sub(rb"\1", data[start:end]))


def _refuse(count: int, encrypted: int, broken: int) -> None:
    if encrypted == count:
        raise EncryptedError("the messages are encrypted (S/MIME or PGP); save them decrypted")
    if encrypted + broken == count:
        raise CorruptError("none of the messages can be read")


def _members(data: bytes, ranges: Sequence[tuple[int, int]], numbers: Sequence[int]) -> Iterator[Member]:
    for number in numbers:
        found = eml.write_message(_message(data, *ranges[number - 1]), Writer(), 1)
        yield from eml.members(found.attachments, f"{number}/")
