"""What parent and worker say to each other: JSON lines and text, never code.

A worker reads one JSON line a request. It answers with frames: an eight-byte length, a JSON header of
that length, then the document's text and its pages' layouts, whose lengths the header gives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from index.model import Block, Document, Page, Section, Status

LENGTH = 8
HEADER_LIMIT = 1 << 30
"""The largest header that a parent accepts from a worker, in bytes."""


@dataclass(frozen=True, slots=True)
class Request:
    """A file to read, of ``size`` bytes.

    ``settled`` are the members that are not to be read again, with whether they gave text.
    """

    path: str
    name: str
    size: int = 0
    passwords: tuple[str, ...] = ()
    settled: Mapping[str, bool] = field(default_factory=dict)

    def line(self) -> bytes:
        """Return the request as a worker reads it."""
        values = [self.path, self.name, self.size, self.passwords, dict(self.settled)]
        return json.dumps(values).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Request:
        """Return what `line` wrote."""
        path, name, size, passwords, settled = json.loads(line)
        return cls(path, name, size, tuple(passwords), settled)


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


def receive(stream: BinaryIO, text_limit: int) -> Frame:
    """Read one frame.

    Raises:
        EOFError: the worker has ended.
        ValueError: the frame is larger than allowed, or is none.
    """
    size = int.from_bytes(_exactly(stream, LENGTH), "big")
    if size > HEADER_LIMIT:
        raise ValueError(f"a header of {size:,} bytes")
    header = json.loads(_exactly(stream, size))
    if "begun" in header:
        return Begun(header["begun"])
    if "done" in header:
        return Done() if header["done"] else Alive()
    member, status, reason, parser, sha256, length = header["file"]
    document = None
    if "document" in header:
        lengths = header["lengths"]
        if sum(lengths) > text_limit:
            raise ValueError(f"{sum(lengths):,} bytes of text")
        text = _exactly(stream, lengths[0]).decode()
        layouts = [_exactly(stream, part) for part in lengths[1:]]
        document = _document(header["document"], text, layouts)
    return ReadFile(member, status, reason, parser, sha256, length, document, header["language"])


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data


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
                [(block.start, block.end, block.kind, block.header) for block in section.blocks],
            )
            for section in document.sections
        ],
    }


def _document(values: dict[str, Any], text: str, layouts: list[bytes]) -> Document:
    return Document(
        title=values["title"],
        text=text,
        sections=tuple(
            Section(
                tuple(heading),
                tuple(
                    Block(start, end, kind, (header[0], header[1]) if header else None)
                    for start, end, kind, header in blocks
                ),
            )
            for heading, blocks in values["sections"]
        ),
        pages=tuple(
            Page(number, start, end, label, layout)
            for (number, start, end, label), layout in zip(values["pages"], layouts, strict=True)
        ),
        notice=values["notice"],
        author=values["author"],
        date=values["date"],
    )
