"""The catalogue: which file holds which content, and the passages of each content (SQLite).

A content is what a parser read from some bytes, under (sha256, parser, parser version). Files
point to contents, so a rename or a copy touches one row and neither text nor vectors.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Self

from index.errors import IndexDamagedError
from index.model import Document, DocumentStatus, IndexedPassage, Page, Passage, Span, Status

SCHEMA = """
CREATE TABLE contents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256 TEXT NOT NULL,
    parser TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    title TEXT,
    author TEXT,
    date TEXT,
    language TEXT,
    text TEXT NOT NULL,
    pages TEXT NOT NULL,
    tables TEXT NOT NULL,
    UNIQUE (sha256, parser)
);
CREATE TABLE layouts (
    content INTEGER NOT NULL REFERENCES contents (id),
    page INTEGER NOT NULL,
    layout BLOB NOT NULL,
    PRIMARY KEY (content, page)
) WITHOUT ROWID;
CREATE TABLE files (
    source TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    seen_ns INTEGER NOT NULL,
    sha256 TEXT,
    content INTEGER REFERENCES contents (id),
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    indexed_at TEXT NOT NULL,
    container TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX files_by_content ON files (content);
CREATE INDEX files_by_container ON files (container);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content INTEGER NOT NULL REFERENCES contents (id),
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    page INTEGER,
    heading TEXT NOT NULL,
    sentences TEXT NOT NULL,
    context TEXT NOT NULL,
    text TEXT NOT NULL,
    page_label TEXT
);
CREATE INDEX passages_by_content ON passages (content);
"""


@dataclass(frozen=True, slots=True)
class FileRow:
    """What the catalogue knows of one file. ``content`` is None where its bytes were not read.

    ``container`` is the file of the folder that a member lies in ("" for a file of the folder itself).
    """

    source: str
    size: int
    mtime_ns: int
    seen_ns: int
    sha256: str | None
    content: int | None
    status: Status
    reason: str
    indexed_at: str
    container: str = ""


class Catalog:
    """One catalogue file. Safe to read from several threads; written by one builder."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Wrap an open connection to ``path``."""
        self._path = path
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path) -> Self:
        """Create an empty catalogue at ``path``."""
        connection = _connect(path.as_posix())
        connection.executescript(SCHEMA)
        return cls(path, connection)

    @classmethod
    def open_for_writing(cls, path: Path) -> Self:
        """Open the catalogue of a snapshot that is not published yet."""
        return cls(path, _connect(path.as_posix()))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a published catalogue, which never changes again.

        Raises:
            IndexDamagedError: the file is missing or is no catalogue.
        """
        try:
            connection = _connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        except sqlite3.DatabaseError as error:
            raise IndexDamagedError(f"the catalogue {path} can't be opened ({error})") from error
        catalog = cls(path, connection)
        try:
            catalog.count_passages()
        except IndexDamagedError:
            connection.close()
            raise
        return catalog

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def commit(self) -> None:
        """Write what was changed to the disk."""
        self._connection.commit()

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise IndexDamagedError(f"the catalogue {self._path} can't be read ({error})") from error

    def _write(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        try:
            self._connection.executemany(statement, rows)
        except sqlite3.OperationalError:  # a full disk is no damage
            raise
        except sqlite3.DatabaseError as error:
            raise IndexDamagedError(f"the catalogue {self._path} can't be written ({error})") from error

    # -- files -------------------------------------------------------------------------------

    def files(self) -> dict[str, FileRow]:
        """All files by their source, members of archives too."""
        rows = self._rows(
            "SELECT source, size, mtime_ns, seen_ns, sha256, content, status, reason, indexed_at, container "
            "FROM files"
        )
        return {row[0]: FileRow(*row) for row in rows}

    def put_file(self, row: FileRow, members: Iterable[FileRow] = ()) -> None:
        """Insert a file of the folder with its members, or replace what is known of them."""
        self._write("DELETE FROM files WHERE container = ?", [(row.source,)])
        self._write(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [astuple(each) for each in (row, *members)],
        )

    def remove_files(self, sources: Iterable[str]) -> None:
        """Forget these files of the folder, and their members."""
        gone = [(source, source) for source in sources]
        self._write("DELETE FROM files WHERE source = ? OR container = ?", gone)

    def documents(self) -> tuple[DocumentStatus, ...]:
        """The status of every file, by source. The first of several equal files is the original."""
        rows = self._rows(
            """
            SELECT f.source, c.title, f.status, f.reason, f.sha256, f.indexed_at, f.content, c.pages,
                   (SELECT count(*) FROM passages p WHERE p.content = f.content),
                   c.author, c.date, c.language
            FROM files f LEFT JOIN contents c ON c.id = f.content ORDER BY f.source
            """
        )
        first: dict[int, str] = {}
        documents = []
        for source, title, status, reason, sha256, indexed_at, content, pages, passages, *about in rows:
            author, date, language = about
            original = first.setdefault(content, source) if content is not None else source
            documents.append(
                DocumentStatus(
                    source=source,
                    title=title or PurePosixPath(source).name,
                    status=status,
                    reason=reason,
                    passages=passages,
                    pages=len(json.loads(pages)) if pages else 0,
                    sha256=sha256,
                    indexed_at=indexed_at,
                    duplicate_of=None if original == source else original,
                    author=author,
                    date=date,
                    language=language,
                )
            )
        return tuple(documents)

    # -- contents ----------------------------------------------------------------------------

    def find_content(self, sha256: str, parser: str) -> tuple[int, Status, str] | None:
        """The (id, status, reason) of what ``parser`` read from these bytes before, if it did."""
        rows = self._rows(
            "SELECT id, status, reason FROM contents WHERE sha256 = ? AND parser = ?", (sha256, parser)
        )
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else None

    def add_content(
        self,
        sha256: str,
        parser: str,
        status: Status,
        reason: str,
        document: Document | None = None,
        language: str | None = None,
    ) -> int:
        """Insert what ``parser`` read from some bytes, and return its id.

        A content that was locked, and so has no passages, is replaced under the same id.
        """
        found = self.find_content(sha256, parser)
        pages = document.pages if document else ()
        ranges = json.dumps([(p.number, p.start, p.end, p.label) for p in pages], ensure_ascii=False)
        about = (document.title, document.author, document.date) if document else (None, None, None)
        self._write(
            "INSERT OR REPLACE INTO contents "
            "(id, sha256, parser, status, reason, title, author, date, language, text, pages, tables) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    found[0] if found else None,
                    sha256,
                    parser,
                    status,
                    reason,
                    *about,
                    language,
                    document.text if document else "",
                    ranges,
                    json.dumps(_tables(document) if document else []),
                )
            ],
        )
        content = found[0] if found else int(self._rows("SELECT last_insert_rowid()")[0][0])
        self._write(
            "INSERT INTO layouts VALUES (?, ?, ?)",
            [(content, page.number, page.layout) for page in pages if page.layout],
        )
        return content

    def content_parsers(self) -> dict[int, str]:
        """The parser that read each content, by content id."""
        return dict(self._rows("SELECT id, parser FROM contents"))

    def orphans(self) -> list[int]:
        """The ids of the contents that no file holds any more."""
        return [
            row[0]
            for row in self._rows(
                "SELECT id FROM contents "
                "WHERE id NOT IN (SELECT content FROM files WHERE content IS NOT NULL)"
            )
        ]

    def remove_contents(self, contents: Sequence[int]) -> list[int]:
        """Remove contents with their passages; return the ids of these passages."""
        removed = self.passage_ids(contents)
        keys = [(content,) for content in contents]
        self._write("DELETE FROM passages WHERE content = ?", keys)
        self._write("DELETE FROM layouts WHERE content = ?", keys)
        self._write("DELETE FROM contents WHERE id = ?", keys)
        return removed

    def pages(self, source: str, start: int, end: int) -> list[Page]:
        """The pages that hold ``text[start:end]`` of a file, with their layouts."""
        rows = self._rows(
            "SELECT c.id, c.pages FROM files f JOIN contents c ON c.id = f.content WHERE f.source = ?",
            (source,),
        )
        if not rows:
            return []
        content, ranges = rows[0]
        found = [page for page in json.loads(ranges) if page[1] < end and page[2] > start]
        return [
            Page(number, first, last, label, self._layout(content, number))
            for number, first, last, label in found
        ]

    def _layout(self, content: int, page: int) -> bytes:
        statement = "SELECT layout FROM layouts WHERE content = ? AND page = ?"
        return next((bytes(row[0]) for row in self._rows(statement, (content, page))), b"")

    def text(self, source: str) -> str | None:
        """The text of a file, or None where there is no such file or it was not read."""
        rows = self._rows(
            "SELECT c.text FROM files f JOIN contents c ON c.id = f.content WHERE f.source = ?", (source,)
        )
        return str(rows[0][0]) if rows else None

    def part(self, source: str, start: int, end: int) -> str:
        """A part of the text of a file; "" where there is no such file or it was not read."""
        rows = self._rows(
            "SELECT substr(c.text, ?, ?) FROM files f JOIN contents c ON c.id = f.content WHERE f.source = ?",
            (start + 1, end - start, source),
        )
        return str(rows[0][0]) if rows else ""

    def tables(self, source: str) -> list[tuple[Span, Span]]:
        """The header row of each table of a file that has one, and the range of the rows below it."""
        rows = self._rows(
            "SELECT c.tables FROM files f JOIN contents c ON c.id = f.content WHERE f.source = ?", (source,)
        )
        found = json.loads(rows[0][0]) if rows else []
        return [((header[0], header[1]), (first, last)) for header, first, last in found]

    # -- passages ----------------------------------------------------------------------------

    def passage_at(self, source: str, offset: int) -> IndexedPassage | None:
        """The passage that holds a character of a file, the last to begin where they overlap."""
        rows = self._rows(
            "SELECT p.id FROM files f JOIN passages p ON p.content = f.content "
            "WHERE f.source = ? AND p.start <= ? AND p.end > ? ORDER BY p.start DESC LIMIT 1",
            (source, offset, offset),
        )
        found = self.passages([row[0] for row in rows], {source})
        return found[0] if found else None

    def add_passages(self, content: int, passages: Iterable[Passage]) -> int:
        """Insert the passages of a content, as they are made; return how many they were."""
        before = self._connection.total_changes
        self._write(
            "INSERT INTO passages (content, start, end, page, heading, sentences, context, text, page_label) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    content,
                    passage.start,
                    passage.end,
                    passage.page,
                    json.dumps(passage.heading, ensure_ascii=False),
                    json.dumps(passage.sentences),
                    passage.context,
                    passage.text,
                    passage.page_label,
                )
                for passage in passages
            ),
        )
        return self._connection.total_changes - before

    def last_passage_id(self) -> int:
        """The highest passage id ever given out."""
        rows = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'passages'")
        return int(rows[0][0]) if rows else 0

    def start_passage_ids_after(self, last: int) -> None:
        """Give out ids above ``last`` only. For a catalogue that has no passage yet."""
        self._write("INSERT INTO sqlite_sequence (name, seq) VALUES ('passages', ?)", [(last,)])

    def count_passages(self) -> int:
        """The number of passages."""
        return int(self._rows("SELECT count(*) FROM passages")[0][0])

    def passage_ids(self, contents: Iterable[int]) -> list[int]:
        """The ids of the passages of ``contents``, ascending."""
        found = [
            row[0]
            for content in contents
            for row in self._rows("SELECT id FROM passages WHERE content = ?", (content,))
        ]
        return sorted(found)

    def passage_ids_after(self, last: int) -> list[int]:
        """The ids of all passages above ``last``, ascending."""
        return [row[0] for row in self._rows("SELECT id FROM passages WHERE id > ? ORDER BY id", (last,))]

    def passages_after(self, last: int, batch: int) -> Iterator[list[tuple[int, int, Passage]]]:
        """Yield (id, content, passage) of all ids above ``last``, ``batch`` at a time."""
        while rows := self._rows(
            "SELECT id, content, start, end, page, heading, sentences, context, text, page_label "
            "FROM passages WHERE id > ? ORDER BY id LIMIT ?",
            (last, batch),
        ):
            yield [(row[0], row[1], _passage(row[2:])) for row in rows]
            last = rows[-1][0]

    def passages(self, ids: Sequence[int], sources: Collection[str] | None = None) -> list[IndexedPassage]:
        """The passages ``ids``, in that order; limited to files in ``sources`` if given."""
        rows = self._rows(
            "SELECT p.start, p.end, p.page, p.heading, p.sentences, p.context, p.text, p.page_label, "
            "c.title, c.id, p.id "
            "FROM passages p JOIN contents c ON c.id = p.content "
            "WHERE p.id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(ids)),),
        )
        held: dict[int, list[str]] = {}
        for content, source in self._rows(
            "SELECT content, source FROM files WHERE content IN (SELECT value FROM json_each(?)) "
            "ORDER BY source",
            (json.dumps(list({row[9] for row in rows})),),
        ):
            if sources is None or source in sources:
                held.setdefault(content, []).append(source)
        found = {
            row[10]: IndexedPassage(row[10], tuple(held[row[9]]), row[8], _passage(row[:8]))
            for row in rows
            if row[9] in held
        }
        return [found[passage] for passage in ids if passage in found]

    def misplaced_passages(self) -> list[int]:
        """The ids of passages whose text is not what stands at their offsets."""
        rows = self._rows(
            "SELECT p.id FROM passages p JOIN contents c ON c.id = p.content "
            "WHERE substr(c.text, p.start + 1, p.end - p.start) <> p.text"
        )
        return [row[0] for row in rows]

    def integrity_problems(self) -> list[str]:
        """What SQLite's own check finds wrong."""
        try:
            rows = self._rows("PRAGMA integrity_check")
        except IndexDamagedError as error:
            return [str(error)]
        return [str(row[0]) for row in rows if row[0] != "ok"]


def _tables(document: Document) -> list[tuple[Span, int, int]]:
    """Each table of a document that has a header row: that row, and where the rows under it begin and end.

    One that goes on over pages is there once for each.
    """
    starts = [page.start for page in document.pages]
    found: list[tuple[Span, int, int]] = []
    last = 0
    for section in document.sections:
        for block in section.blocks:
            if block.header is None:
                continue
            page = bisect_right(starts, block.start)
            if found and found[-1][0] == block.header and page == last:
                found[-1] = block.header, found[-1][1], block.end
            else:
                found.append((block.header, block.start, block.end))
            last = page
    return found


def _connect(database: str, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(database, uri=uri, check_same_thread=False)
    connection.execute("PRAGMA secure_delete = ON")  # what is removed is not left in free pages
    return connection


def _passage(row: Sequence[Any]) -> Passage:
    start, end, page, heading, sentences, context, text, page_label = row
    return Passage(
        start=start,
        end=end,
        text=text,
        heading=tuple(json.loads(heading)),
        page=page,
        sentences=tuple((first, last) for first, last in json.loads(sentences)),
        context=context,
        page_label=page_label,
    )
