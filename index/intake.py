"""Found files -> rows of the catalogue: what is unchanged is not opened, the rest is read."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from index.catalog import Catalog, FileRow
from index.chunking import ChunkSettings, Tokenizer, chunk
from index.errors import EncoderError, IndexDamagedError, ParseError
from index.languages import language_notice
from index.model import Passage, Status
from index.parsers import parser_for
from index.sandbox import DEFAULT_LIMITS, Limits, ReadFile, Request, read_files
from index.scan import FoundFile

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) while a build goes on."""

FRESH_NS = 2_000_000_000
"""A file that changed within 2 s before it was last seen may have changed once more without a new
mtime (clocks of file systems are coarse), so its bytes are compared."""

_NOTHING: tuple[Status, str] = ("empty", "there is no text in it to index")
COMMIT_SECONDS = 2.0
"""A build that is stopped loses no more than what it read in so long."""


def _unheard(passage: Passage) -> None:
    """Nobody is told of a passage."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read: what cuts them into passages, what opens them, and what each may take.

    ``hear`` is told of each new passage as it is made.
    """

    tokenizer: Tokenizer
    settings: ChunkSettings
    encoder: str
    passwords: tuple[str, ...] = ()
    limits: Limits = DEFAULT_LIMITS
    hear: Callable[[Passage], None] = _unheard


def take_in(catalog: Catalog, found: Sequence[FoundFile], reading: Reading, progress: Progress) -> bool:
    """Bring the files of ``catalog`` in line with those ``found``; new content is read and cut.

    A file that can't be read costs itself only: its row carries the status and the reason. Returns
    whether any row is another one than before, if only by its time.
    """
    known = _Known(catalog, reading)
    suspects = [file for file in found if not known.is_unchanged(file)]
    written = False
    last_commit = time.monotonic()
    for done, (row, members) in enumerate(_rows(catalog, known, suspects, reading)):
        progress("read", done, len(suspects))
        before = known.files.get(row.source)
        if before is not None and _said(before, known.members(row.source)) == _said(row, members):
            if (before.size, before.mtime_ns) == (row.size, row.mtime_ns) and not _has_aged(before, row):
                continue
            row = replace(row, indexed_at=before.indexed_at)
        catalog.put_file(row, members)
        written = True
        if time.monotonic() - last_commit > COMMIT_SECONDS:
            catalog.commit()
            last_commit = time.monotonic()
    progress("read", len(suspects), len(suspects))
    gone = known.sources - {file.source for file in found}
    catalog.remove_files(sorted(gone))
    catalog.commit()
    return written or bool(gone)


def is_current(catalog: Catalog, found: Sequence[FoundFile], reading: Reading) -> bool:
    """Whether ``catalog`` is in line with the files ``found``, as far as can be told without opening one."""
    known = _Known(catalog, reading)
    return len(known.sources) == len(found) and all(known.is_unchanged(file) for file in found)


class _Known:
    """The catalogue before a build: what need not be read again."""

    def __init__(self, catalog: Catalog, reading: Reading) -> None:
        self.files = catalog.files()
        self._parsers = catalog.content_parsers()
        self._has_passwords = bool(reading.passwords)
        outer = {source.rpartition("!/")[0] for source, row in self.files.items() if row.container}
        self._containers = {self.files[source].content for source in outer if source in self.files}
        self._members: dict[str, list[FileRow]] = {}
        for row in self.files.values():
            if row.container:
                self._members.setdefault(row.container, []).append(row)
        self.sources = {source for source, row in self.files.items() if not row.container}

    def members(self, source: str) -> Sequence[FileRow]:
        """The rows of the files inside a file."""
        return self._members.get(source, ())

    def is_unchanged(self, file: FoundFile) -> bool:
        """Whether the file need not be opened. One whose bytes could not be had is tried again."""
        row = self.files.get(file.source)
        if row is None or row.container:
            return False
        refused = _refusal(file)
        if refused is not None:
            return (row.content, row.status, row.reason) == (None, *refused)
        return (
            row.content is not None
            and (row.size, row.mtime_ns) == (file.size, file.mtime_ns)
            and not _is_fresh(row)
            and self._is_settled([row, *self.members(row.source)])
        )

    def can_stand_for(self, row: FileRow) -> bool:
        """Whether ``row``, which has the content of a file that was read, says all that reading it would.

        Not so where there are files inside it: what they are called, and how deep they lie, is the outer
        file's doing.
        """
        return row.content not in self._containers and self._is_settled([row])

    def _is_settled(self, rows: Sequence[FileRow]) -> bool:
        """Whether reading the same bytes again would give the same.

        Not so where a parser is a newer one, or where a locked file may now be opened.
        """
        for row in rows:
            if row.status == "encrypted" and self._has_passwords:
                return False
            try:
                key = parser_for(row.source).key
            except ParseError as error:
                if (row.content, row.status, row.reason) != (None, error.status, str(error)):
                    return False
            else:
                if row.content is not None and self._parsers.get(row.content, key) != key:
                    return False
        return True


def _refusal(file: FoundFile) -> tuple[Status, str] | None:
    """The status and reason of a file that is not to be opened at all."""
    if file.problem is not None:
        return file.problem
    try:
        parser_for(file.source)
    except ParseError as error:
        return error.status, str(error)
    return None


def _is_fresh(row: FileRow) -> bool:
    return row.mtime_ns >= row.seen_ns - FRESH_NS


def _has_aged(before: FileRow, after: FileRow) -> bool:
    """Whether the file was seen too soon after its change to trust its mtime, and now can be."""
    return after.content is not None and _is_fresh(before) and not _is_fresh(after)


def _said(row: FileRow, members: Sequence[FileRow]) -> list[tuple[str, int | None, str, str]]:
    """What a user could see of a file and of those inside it."""
    rows = [row, *sorted(members, key=lambda member: member.source)]
    return [(each.source, each.content, each.status, each.reason) for each in rows]


def _rows(
    catalog: Catalog, known: _Known, files: Sequence[FoundFile], reading: Reading
) -> Iterator[tuple[FileRow, list[FileRow]]]:
    """The row of each file, with those of its members; files are read only where their bytes are new."""
    settled: deque[tuple[FileRow, list[FileRow]]] = deque()
    waiting: deque[FileRow] = deque()

    def requests() -> Iterator[Request]:
        for file in files:
            row = _unread(file)
            refused = _refusal(file)
            if refused is not None:
                settled.append((replace(row, status=refused[0], reason=refused[1]), []))
            elif known.files and (same := _read_before(catalog, known, file, row)) is not None:
                settled.append((same, []))
            else:
                waiting.append(row)
                yield Request(
                    str(file.path.absolute()), file.source, file.size, file.mtime_ns, reading.passwords
                )

    for read in read_files(requests(), reading.limits):
        yield from _drained(settled)
        yield _stored(catalog, waiting.popleft(), read, reading)
    yield from _drained(settled)


def _drained(queue: deque[tuple[FileRow, list[FileRow]]]) -> Iterator[tuple[FileRow, list[FileRow]]]:
    while queue:
        yield queue.popleft()


def _unread(file: FoundFile) -> FileRow:
    return FileRow(
        source=file.source,
        size=file.size,
        mtime_ns=file.mtime_ns,
        seen_ns=time.time_ns(),
        sha256=None,
        content=None,
        status="indexed",
        reason="",
        indexed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _read_before(catalog: Catalog, known: _Known, file: FoundFile, row: FileRow) -> FileRow | None:
    """The row of a file whose bytes were read before, here or under another name."""
    parser = parser_for(file.source)
    if parser.archive:
        return None
    try:
        with file.path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return replace(row, status="failed", reason=f"the file can't be read: {error.strerror}")
    content = catalog.find_content(sha256, parser.key)
    if content is None:
        return None
    number, status, reason = content
    row = replace(row, sha256=sha256, content=number, status=status, reason=reason)
    return row if known.can_stand_for(row) else None


def _stored(
    catalog: Catalog, row: FileRow, read: Sequence[ReadFile], reading: Reading
) -> tuple[FileRow, list[FileRow]]:
    """Put what was read of a file into the catalogue; return its row and those of its members."""
    members = []
    for file in read:
        content, status, reason = _content(catalog, row.source, file, reading)
        told = replace(row, sha256=file.sha256, content=content, status=status, reason=reason)
        if file.member:
            source = f"{row.source}!/{file.member}"
            members.append(replace(told, source=source, container=row.source, size=file.size, mtime_ns=0))
        else:
            row = told
    return row, members


def _content(
    catalog: Catalog, source: str, file: ReadFile, reading: Reading
) -> tuple[int | None, Status, str]:
    if file.sha256 is None or not file.parser:
        return None, file.status, file.reason
    known = catalog.find_content(file.sha256, file.parser)
    if known is not None and parser_for(file.member or source).archive:
        return known[0], file.status, file.reason  # what was inside it this time is not its content's doing
    if known is not None and known[1] != "encrypted":
        return known
    if file.document is None:
        content = catalog.add_content(file.sha256, file.parser, file.status, file.reason)
        return content, file.status, file.reason
    reason = "; ".join(filter(None, [file.reason, language_notice(file.language, reading.encoder)]))
    content = catalog.add_content(file.sha256, file.parser, "indexed", reason, file.document, file.language)
    passages = chunk(file.document, reading.tokenizer, reading.settings, file.language or "en")
    try:
        if catalog.add_passages(content, _heard(passages, reading)) or not file.document.text:
            return content, "indexed", reason
        status, reason = _NOTHING
    except (EncoderError, sqlite3.Error, IndexDamagedError):
        raise
    except Exception as error:  # a document that can't be cut costs itself, and is reported
        status, reason = "failed", f"it can't be cut into passages ({type(error).__name__}: {error})"
    catalog.remove_contents([content])
    return catalog.add_content(file.sha256, file.parser, status, reason), status, reason


def _heard(passages: Iterator[Passage], reading: Reading) -> Iterator[Passage]:
    for passage in passages:
        reading.hear(passage)
        yield passage
