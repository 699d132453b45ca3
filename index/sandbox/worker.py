"""The process that parsers run in: ``python -m index.sandbox.worker FOLDER MEMORY``.

The parent speaks to it over its pipes (see `index.sandbox.protocol`).

It holds no state between two requests. Whatever a file makes it do is the file's own misfortune: the
parent ends it and starts another.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from index.errors import CorruptError, EmptyFileError, ParseError
from index.model import Document, Member
from index.parsers import Parser, parser_for, pulse
from index.sandbox.confinement import confine
from index.sandbox.language import language_of
from index.sandbox.protocol import Alive, Begun, Done, Frame, ReadFile, Request, send

DEPTH_LIMIT = 5
"""Archives in archives are opened so many deep."""

ENCODED_AT_ONCE = 1_000_000


def main() -> None:
    """Serve requests until stdin ends."""
    with confined() as (requests, answers):
        pulse.listen(lambda: send(answers, Alive()))
        serve(requests, answers)


@contextmanager
def confined() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """What the parent asks and where it is answered, in a process that can do no harm from now on."""
    folder, memory = Path(sys.argv[1]), int(sys.argv[2])
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    sys.dont_write_bytecode = True  # modules are imported when their first file comes, and then it may not
    confine(folder, memory)
    try:
        yield requests, answers
    finally:  # a parent that was killed can't do it
        shutil.rmtree(folder, ignore_errors=True)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each request."""
    for line in requests:
        for frame in read(Request.from_line(line)):
            send(answers, frame)


def read(request: Request) -> Iterator[Frame]:
    """Read a file, and the files inside it."""
    try:
        data = Path(request.path).read_bytes()
    except OSError as error:
        yield ReadFile("", "failed", f"the file can't be read: {error.strerror}")
    else:
        frames = _Reading(request).read(data, request.name, "", 0)
        del data
        yield from frames
    yield Done()


@dataclass(slots=True)
class _Inside:
    """How many files a file holds, and how many of them gave text."""

    found: int = 0
    read: int = 0
    problem: str = ""

    def __str__(self) -> str:
        files = "1 file" if self.found == 1 else f"{self.found:,} files"
        told = f"holds {files}" if self.read == self.found else f"{self.read:,} of its {files} read"
        return f"{told}; {self.problem}" if self.problem else told


class _Reading:
    """One request being served."""

    def __init__(self, request: Request) -> None:
        self._passwords = request.passwords
        self._settled = request.settled

    def read(self, data: bytes, name: str, member: str, depth: int) -> Iterator[Frame]:
        """Read one file. The files inside it come before it, for they may yet spoil it."""
        if member:
            yield Begun(member)
        sha256, size = hashlib.sha256(data).hexdigest(), len(data)
        key = ""
        try:
            parser = parser_for(name)
            key = parser.key
            document = self._parse(parser, data)
            del data  # it takes as much room as what was read of it
            inside = _Inside()
            yield from self._members(named(document.members, name), member, depth, inside)
            if inside.problem and not (document.text or inside.found):
                raise CorruptError(inside.problem)
            notice = _notice(document, inside)
            yield ReadFile(member, "indexed", notice, key, sha256, size, document, language_of(document))
        except ParseError as error:
            yield ReadFile(member, error.status, _shown(str(error)), key, sha256, size)
        except MemoryError:
            yield ReadFile(member, "failed", "it takes more memory than a parser may use", key, sha256, size)
        except Exception as error:  # whatever a hostile file provokes costs that file, and is reported
            reason = f"the {parser.name} parser stopped at it ({type(error).__name__}: {error})"
            yield ReadFile(member, "failed", _shown(reason), key, sha256, size)

    def _parse(self, parser: Parser, data: bytes) -> Document:
        if not data:
            raise EmptyFileError("the file holds no text")
        document = parser.parse(data, self._passwords)
        for text in _texts(document):
            for start in range(0, len(text), ENCODED_AT_ONCE):  # half a surrogate pair can't be kept
                text[start : start + ENCODED_AT_ONCE].encode()
            if "\0" in text:
                raise CorruptError("binary content: its text holds NUL characters")
        return document

    def _members(self, members: Iterable[Member], outer: str, depth: int, inside: _Inside) -> Iterator[Frame]:
        try:
            for each in members:
                if depth == DEPTH_LIMIT:
                    raise CorruptError(f"archives are nested more than {DEPTH_LIMIT} deep")
                inside.found += 1
                place = f"{outer}!/{each.path}" if outer else each.path
                if place in self._settled:
                    inside.read += self._settled[place]
                    continue
                for frame in self._member(each, place, depth + 1):
                    yield frame
                    if isinstance(frame, ReadFile) and frame.member == place:
                        inside.read += frame.status == "indexed"
        except ParseError as error:  # what came before it is kept
            inside.problem = str(error)

    def _member(self, member: Member, place: str, depth: int) -> Iterator[Frame]:
        if member.problem is None:
            yield from self.read(member.data, member.path, place, depth)
        else:
            status, reason = member.problem
            yield ReadFile(place, status, _shown(reason))


def _texts(document: Document) -> Iterator[str]:
    yield from (document.text, document.notice)
    yield from filter(None, (document.title, document.author, document.date))
    yield from (label for section in document.sections for label in section.heading)
    yield from (page.label for page in document.pages if page.label)


def named(members: Iterable[Member], name: str) -> Iterator[Member]:
    """The members; one without a name has that of the file around it, less its last ending."""
    for member in members:
        yield member if member.path else replace(member, path=PurePosixPath(name).stem)


def _notice(document: Document, inside: _Inside) -> str:
    """What the user should know of a file that was read.

    Raises:
        EmptyFileError: it holds no text, nor does any file inside it.
        CorruptError: an archive could not be read to its end.
    """
    if document.text.strip():
        return "; ".join(filter(None, [document.notice, inside.problem]))
    if inside.problem:
        raise CorruptError(str(inside))
    if not inside.read:
        raise EmptyFileError(str(inside) if inside.found else "there is no text in it to index")
    return str(inside)


def _shown(reason: str) -> str:
    return reason.encode("utf-8", "backslashreplace").decode()


if __name__ == "__main__":
    main()
