"""Found files -> rows of the catalogue: what is unchanged is not opened, the rest is read."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from index.catalog import Catalog, FileRow
from index.chunking import ChunkSettings, Tokenizer, chunk
from index.errors import EmptyFileError, EncoderError, ParseError
from index.model import Status
from index.parsers import Parser, parser_for
from index.scan import FoundFile

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) while a build goes on."""

FRESH_NS = 2_000_000_000
"""A file that changed within 2 s before it was last seen may have changed once more without a new
mtime (clocks of file systems are coarse), so its bytes are compared."""

COMMIT_EVERY = 200


@dataclass(slots=True)
class Changes:
    """What differs from the catalogue as it was. ``touched`` counts rows with a new mtime alone."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    touched: int = 0

    def __bool__(self) -> bool:
        """Whether anything has to be written."""
        return self.is_visible or bool(self.touched)

    @property
    def is_visible(self) -> bool:
        """Whether a user could tell the difference."""
        return bool(self.added or self.changed or self.renamed or self.removed)


def take_in(
    catalog: Catalog,
    found: Sequence[FoundFile],
    tokenizer: Tokenizer,
    settings: ChunkSettings,
    progress: Progress,
) -> Changes:
    """Bring the files of ``catalog`` in line with those ``found``; new content is read and cut.

    A file that can't be read costs itself only: its row carries the status and the reason.
    """
    known = catalog.files()
    parsers = catalog.content_parsers()
    suspects = [file for file in found if not _is_unchanged(file, known.get(file.source), parsers)]
    changes = Changes()
    for done, file in enumerate(suspects):
        progress("read", done, len(suspects))
        before = known.get(file.source)
        after = _read(catalog, file, tokenizer, settings)
        if before is None:
            changes.added.append(file.source)
        elif (before.content, before.status, before.reason) != (after.content, after.status, after.reason):
            changes.changed.append(file.source)
        elif (before.size, before.mtime_ns) == (after.size, after.mtime_ns) and not _has_aged(before, after):
            continue
        else:
            after = replace(after, indexed_at=before.indexed_at)
            changes.touched += 1
        catalog.put_file(after)
        if done % COMMIT_EVERY == 0:
            catalog.commit()
    progress("read", len(suspects), len(suspects))
    gone = sorted(known.keys() - {file.source for file in found})
    catalog.remove_files(gone)
    _note_renames(changes, gone, known, catalog.files())
    return changes


def is_current(catalog: Catalog, found: Sequence[FoundFile]) -> bool:
    """Whether ``catalog`` is in line with the files ``found``, as far as can be told without opening one."""
    known = catalog.files()
    parsers = catalog.content_parsers()
    return len(known) == len(found) and all(
        _is_unchanged(file, known.get(file.source), parsers) for file in found
    )


def _is_unchanged(file: FoundFile, row: FileRow | None, parsers: Mapping[int, str]) -> bool:
    """Whether the file need not be opened. One that could not be read is tried again."""
    if row is None:
        return False
    refused = _refusal(file)
    if refused is not None:
        return (row.content, row.status, row.reason) == (None, *refused)
    return (
        row.content is not None
        and (row.size, row.mtime_ns) == (file.size, file.mtime_ns)
        and not _is_fresh(row)
        and parsers[row.content] == _parser_key(parser_for(file.source))
    )


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


def _parser_key(parser: Parser) -> str:
    return f"{parser.name}/{parser.version}"


def _read(catalog: Catalog, file: FoundFile, tokenizer: Tokenizer, settings: ChunkSettings) -> FileRow:
    row = FileRow(
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
    refused = _refusal(file)
    if refused is not None:
        status, reason = refused
        return replace(row, status=status, reason=reason)
    parser = parser_for(file.source)
    try:
        data = file.path.read_bytes()
    except OSError as error:
        return replace(row, status="failed", reason=f"the file can't be read: {error.strerror}")
    sha256 = hashlib.sha256(data).hexdigest()
    content, status, reason = catalog.find_content(sha256, _parser_key(parser)) or _parse(
        catalog, parser, data, sha256, tokenizer, settings
    )
    return replace(row, sha256=sha256, content=content, status=status, reason=reason)


def _parse(
    catalog: Catalog,
    parser: Parser,
    data: bytes,
    sha256: str,
    tokenizer: Tokenizer,
    settings: ChunkSettings,
) -> tuple[int, Status, str]:
    key = _parser_key(parser)
    try:
        if not data:
            raise EmptyFileError("the file holds no text")
        document = parser.parse(data)
        for text in (document.text, document.title or "", document.notice):
            text.encode()  # half a surrogate pair can't be kept, nor shown
        passages = chunk(document, tokenizer, settings)
        if not passages:
            raise EmptyFileError("there is no text in it to index")
    except EncoderError:
        raise
    except ParseError as error:
        return _refused(catalog, sha256, key, error.status, str(error))
    except Exception as error:  # whatever a hostile file provokes costs that file, and is reported
        reason = f"the {parser.name} parser stopped at it ({type(error).__name__}: {error})"
        return _refused(catalog, sha256, key, "failed", reason)
    content = catalog.add_content(
        sha256, key, "indexed", document.notice, document.title, document.text, document.pages
    )
    catalog.add_passages(content, passages)
    return content, "indexed", document.notice


def _refused(catalog: Catalog, sha256: str, key: str, status: Status, reason: str) -> tuple[int, Status, str]:
    shown = reason.encode("utf-8", "backslashreplace").decode()
    return catalog.add_content(sha256, key, status, shown), status, shown


def _note_renames(
    changes: Changes, gone: Sequence[str], known: Mapping[str, FileRow], now: Mapping[str, FileRow]
) -> None:
    """Pair each file that went with one that came and holds the same content."""
    came: dict[int, list[str]] = {}
    for source in changes.added:
        content = now[source].content
        if content is not None:
            came.setdefault(content, []).append(source)
    for source in gone:
        content = known[source].content
        if content is not None and came.get(content):
            renamed = came[content].pop(0)
            changes.renamed.append((source, renamed))
            changes.added.remove(renamed)
        else:
            changes.removed.append(source)
