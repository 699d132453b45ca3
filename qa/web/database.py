"""A SQLite file that several threads read and write: made when needed, checked, its errors told."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from index import FootnoteError

BUSY_SECONDS = 10.0
"""How long another process may hold the file before that is told."""

_OURS = 0x464E4F54  # "FNOT", SQLite's application_id: a file of another program is not taken for ours


class StoreError(FootnoteError):
    """A file of what is kept is damaged, of another version, or can't be read or written."""


class Database:
    """One file, one connection behind a lock. Neither file nor folder is made before the first write.

    Where the file is deleted all in it is forgotten, and the next write makes a new one.
    """

    def __init__(self, path: Path, holds: str, schema: str, version: int) -> None:
        """Use the file at ``path``.

        Args:
            path: the file; if it is there it is checked now.
            holds: what is in it, for messages: "conversations".
            schema: the statements that make its tables.
            version: the number of that schema.

        Raises:
            StoreError: there is a file that can't be used.
        """
        self.path = path
        self._holds = holds
        self._schema = schema
        self._version = version
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        if path.exists():
            with self._lock, self._told():
                self._opened()

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What a query finds; nothing where there is no file yet.

        Raises:
            StoreError: the file can't be read.
        """
        with self._lock, self._told():
            if not self.path.exists():
                return []
            return self._opened().execute(statement, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is kept, or after an error nothing.

        Raises:
            StoreError: the file can't be written.
        """
        with self._lock, self._told():
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection of its own that can only read, and sees one state; None where there is no file.

        Counting over everything takes its time, and should keep nobody from writing.

        Raises:
            StoreError: the file can't be read.
        """
        if not self.path.exists():
            yield None
            return
        address = f"{self.path.absolute().as_uri()}?mode=ro"
        with self._told(), closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            yield connection

    def forget(self) -> None:
        """Take what was deleted out of the log of changes, too; the file itself overwrites it."""
        with self._lock, self._told():
            self._opened().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            self._close()

    def damaged(self, reason: str) -> StoreError:
        """The error of a file whose content makes no sense."""
        return StoreError(
            f"{self.path} is damaged ({reason}); put a copy of it in its place, or move it away to begin "
            f"without {self._holds}"
        )

    def _opened(self) -> sqlite3.Connection:
        """The connection to what is in the path, made where there is none. Needs the lock."""
        if self._connection is not None and self._identity != _identity(self.path):
            self._close()
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self.path.exists():
                self.path.touch(mode=0o600)  # what people ask is nobody else's business
            connection = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection, self._identity = connection, _identity(self.path)
        return self._connection

    def _close(self) -> None:
        """Close the connection, if there is one. Needs the lock."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Check whose file it is, and make the tables of an empty one."""
        for setting in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "secure_delete = ON",
        ):
            connection.execute(f"PRAGMA {setting}").fetchall()
        connection.execute("BEGIN IMMEDIATE")  # two processes may find it empty
        ours = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if (ours, version) == (0, 0) and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in self._schema.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_OURS}")
            connection.execute(f"PRAGMA user_version = {self._version}")
        elif ours != _OURS:
            raise self.damaged(f"it is no file of Footnote's {self._holds}")
        elif version != self._version:
            raise StoreError(
                f"{self.path} has version {version} of the {self._holds}, and this Footnote reads "
                f"{self._version}: update Footnote, or move the file away to begin without {self._holds}"
            )
        connection.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of SQLite and of the system become ones that name the file and the remedy."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"{self.path} can't be read or written ({error}); see that its folder may be written, that "
                "the disk is not full, and that no other program holds the file"
            ) from error
        except sqlite3.DatabaseError as error:
            raise self.damaged(str(error)) from error
        except OSError as error:
            raise StoreError(
                f"{self.path} can't be written ({error.strerror}); see that its folder may be written"
            ) from error


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file is in the path; None for none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
