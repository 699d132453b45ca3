"""What parent and worker say to each other: JSON lines and text, never code.

A worker reads one JSON line a request. It answers with frames: an eight-byte length, a JSON header of
that length, then the document's text and its pages' layouts, whose lengths the header gives. The parent
takes nothing on trust: a frame that makes no sense costs the file that was being read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, get_args

from index.model import STATUSES, Block, BlockKind, Document, Page, Section, Span, Status

LENGTH = 8
HEADER_LIMIT = 256_000_000
"""The largest header that a parent accepts from a worker, in bytes."""

_KINDS = get_args(BlockKind)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_LARGEST = 2**62


class TooLargeError(Exception):
    """A worker sends more than it may."""


class NonsenseError(Exception):
    """A worker sends what no parser could have read."""


@dataclass(frozen=True, slots=True)
class Request:
    """A file to read, with the size and the mtime that it was found with.

    ``settled`` are the members that are not to be read again, with whether they gave text.
    """

    path: str
    name: str
    size: int = 0
    mtime_ns: int = 0
    passwords: tuple[str, ...] = ()
    settled: Mapping[str, bool] = field(default_factory=dict)

    def line(self) -> bytes:
        """Return the request as a worker reads it."""
        values = [self.path, self.name, self.passwords, dict(self.settled)]
        return json.dumps(values).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Request:
        """Return what `line` wrote, as far as a worker needs it."""
        path, name, passwords, settled = json.loads(line)
        return cls(path, name, passwords=tuple(passwords), settled=settled)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What was read of a file, or of a file inside it.

    ``member`` is "" for the file itself, else the member's place in it ("b.zip!/c.txt"). ``document`` is
    None where nothing could be read; ``status`` and ``reason`` say why. ``parser`` is "" and ``sha256``
    None where the bytes were not looked at. ``language`` is an ISO 639-1 code where it is sure.
    """

    member: str
    status: Status
    reason: str
    parser: str = ""
    sha256: str | None = None
    size: int = 0
    document: Document | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A worker now turns to a file inside the file."""

    member: str


@dataclass(frozen=True, slots=True)
class Alive:
    """A part of the work is done; the limit of time begins anew."""


@dataclass(frozen=True, slots=True)
class Done:
    """Everything that the request asked for has been sent."""


Frame = ReadFile | Begun | Alive | Done


def send(stream: BinaryIO, frame: Frame) -> None:
    """Write one frame.

    What was read of the file itself goes with the `Done` that follows it. All else goes at once, so that
    the parent knows what a worker was at when it ended.
    """
    body: list[bytes] = []
    header: dict[str, Any]
    if isinstance(frame, Begun):
        header = {"begun": frame.member}
    elif isinstance(frame, (Alive, Done)):
        header = {"done": isinstance(frame, Done)}
    else:
        header = {
            "file": [frame.member, frame.status, frame.reason, frame.parser, frame.sha256, frame.size],
            "language": frame.language,
        }
        if frame.document is not None:
            body = [frame.document.text.encode(), *(page.layout for page in frame.document.pages)]
            header["document"] = _described(frame.document)
            header["lengths"] = [len(part) for part in body]
    encoded = json.dumps(header).encode()
    stream.write(len(encoded).to_bytes(LENGTH, "big"))
    stream.write(encoded)
    for part in body:
        stream.write(part)
    if not (isinstance(frame, ReadFile) and not frame.member):
        stream.flush()


def receive(stream: BinaryIO, room: int) -> Frame:
    """Read one frame, with a document of at most ``room`` bytes.

    Raises:
        EOFError: the worker has ended.
        TooLargeError: the frame is larger than allowed.
        NonsenseError: it makes no sense.
    """
    size = int.from_bytes(exactly(stream, LENGTH), "big")
    if size > HEADER_LIMIT:
        raise TooLargeError(f"a header of {size:,} bytes")
    try:
        return _frame(json.loads(exactly(stream, size)), stream, room)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        raise NonsenseError("the parser answered what makes no sense") from error


def _frame(header: dict[str, Any], stream: BinaryIO, room: int) -> Frame:
    if "begun" in header:
        return Begun(_name(header["begun"]))
    if "done" in header:
        return Done() if header["done"] is True else Alive()
    member, status, reason, parser, sha256, size = header["file"]
    language = header["language"]
    require(status in STATUSES and isinstance(parser, str) and 0 <= whole(size) < _LARGEST)
    require(sha256 is None or _SHA256.fullmatch(sha256) is not None)
    require(language is None or _LANGUAGE.fullmatch(language) is not None)
    document = None
    if "document" in header:
        lengths = [whole(length) for length in header["lengths"]]
        require(min(lengths) >= 0)
        if sum(lengths) > room:
            raise TooLargeError(f"{sum(lengths):,} bytes of text")
        text = exactly(stream, lengths[0]).decode()
        layouts = [exactly(stream, part) for part in lengths[1:]]
        document = _document(header["document"], text, layouts)
    require((document is not None) == (status == "indexed"))
    return ReadFile(_name(member), status, words(reason), parser, sha256, size, document, language)


def exactly(stream: BinaryIO, count: int) -> bytes:
    """So many bytes.

    Raises:
        EOFError: there are fewer.
    """
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data


def require(condition: bool) -> None:
    """Raise ValueError where what came makes no sense."""
    if not condition:
        raise ValueError("a frame that is none")


def whole(value: Any) -> int:  # noqa: ANN401 - whatever a worker may send
    """A number without a fraction."""
    require(type(value) is int)
    return int(value)


def words(value: Any) -> str:  # noqa: ANN401
    """A string that can be kept: no half of a surrogate pair, no NUL."""
    require(isinstance(value, str) and "\0" not in value)
    value.encode()
    return str(value)


def _perhaps(value: Any) -> str | None:  # noqa: ANN401
    return None if value is None else words(value)


def _name(value: Any) -> str:  # noqa: ANN401
    """A member's place, which leads neither out of its file nor through it."""
    name = words(value)
    require(not name.startswith("/") and not any(part in (".", "..") for part in re.split("!?/", name)))
    return name


def _described(document: Document) -> dict[str, Any]:
    return {
        "title": document.title,
        "author": document.author,
        "date": document.date,
        "notice": document.notice,
        "pages": [(page.number, page.start, page.end, page.label) for page in document.pages],
        "sections": [
            (
                section.heading,
                [(each.start, each.end, each.kind, each.header) for each in section.blocks],
            )
            for section in document.sections
        ],
    }


def _document(values: dict[str, Any], text: str, layouts: Sequence[bytes]) -> Document:
    require("\0" not in text)
    reached = 0
    sections = []
    for heading, blocks in values["sections"]:
        checked = []
        for start, end, kind, header in blocks:
            require(reached <= whole(start) <= whole(end) <= len(text) and kind in _KINDS)
            checked.append(Block(start, end, kind, _span(header, len(text))))
            reached = end
        require(isinstance(heading, list))
        sections.append(Section(tuple(words(label) for label in heading), tuple(checked)))
    pages: list[Page] = []
    for (number, start, end, label), layout in zip(values["pages"], layouts, strict=True):
        require(whole(number) == len(pages) + 1)
        require(0 <= whole(start) <= whole(end) <= len(text))
        pages.append(Page(number, start, end, _perhaps(label), layout))
    return Document(
        title=_perhaps(values["title"]),
        text=text,
        sections=tuple(sections),
        pages=tuple(pages),
        notice=words(values["notice"]),
        author=_perhaps(values["author"]),
        date=_perhaps(values["date"]),
    )


def _span(value: Any, length: int) -> Span | None:  # noqa: ANN401
    if value is None:
        return None
    start, end = value
    require(0 <= whole(start) <= whole(end) <= length)
    return start, end
