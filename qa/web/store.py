"""The conversations that are kept: one SQLite file, every row of it under its user.

Answers are kept as they were given, in a table of their own: what is counted and searched stays small.
"""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import unicodedata
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from index import UsageError
from qa.model import Answer
from qa.web.database import Database

NAME = "conversations.sqlite"
VERSION = 1
MAX_TITLE = 120
MAX_QUESTION = 10_000
MAX_ERROR = 2_000
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_LARGEST = 2**63 - 1  # SQLite's numbers end there
_COLUMNS = "t.number, t.conversation, t.at, t.question, t.sources, t.error, a.answer"
_LISTED = "c.id, c.title, c.began, c.updated, (SELECT count(*) FROM turns AS n WHERE n.conversation = c.id)"
_SCHEMA = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    title TEXT NOT NULL,
    folded TEXT NOT NULL,
    is_named INTEGER NOT NULL DEFAULT 0,
    began TEXT NOT NULL,
    updated TEXT NOT NULL
);
CREATE INDEX conversations_by_user ON conversations (user, updated);
CREATE TABLE turns (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    user TEXT NOT NULL,
    at TEXT NOT NULL,
    outcome TEXT NOT NULL,
    confidence REAL,
    question TEXT NOT NULL,
    folded TEXT NOT NULL,
    sources TEXT,
    error TEXT NOT NULL
);
CREATE INDEX turns_by_conversation ON turns (conversation);
CREATE INDEX turns_by_time ON turns (at);
CREATE TABLE answers (
    turn INTEGER PRIMARY KEY REFERENCES turns (number) ON DELETE CASCADE,
    answer TEXT NOT NULL
);
CREATE TABLE cited (
    turn INTEGER NOT NULL REFERENCES turns (number) ON DELETE CASCADE,
    source TEXT NOT NULL,
    PRIMARY KEY (turn, source)
) WITHOUT ROWID;
CREATE TABLE timings (
    turn INTEGER NOT NULL REFERENCES turns (number) ON DELETE CASCADE,
    stage TEXT NOT NULL,
    milliseconds REAL NOT NULL,
    PRIMARY KEY (turn, stage)
) WITHOUT ROWID;
"""


class ConversationError(UsageError):
    """This user has no such conversation or turn."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what came of it: an answer (a refusal is one), or else the error that was told.

    ``sources`` are what the question was limited to, None for all documents; ``at`` is ISO 8601, UTC.
    """

    number: int
    conversation: str
    at: str
    question: str
    sources: tuple[str, ...] | None
    answer: Answer | None
    error: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a list of conversations shows; ``turns`` is how many there are."""

    id: str
    title: str
    began: str
    updated: str
    turns: int


class Store:
    """The conversations of all users. Safe to use from several threads.

    Nothing is written, not even the folder, before the first turn. Whoever asks for what is another
    user's gets the same error as for what is not there.
    """

    def __init__(self, folder: str | Path) -> None:
        """Keep the conversations in ``folder``.

        Raises:
            StoreError: there is a file that can't be used.
        """
        self._file = Database(Path(folder) / NAME, "conversations", _SCHEMA, VERSION)

    @property
    def path(self) -> Path:
        """The file, whether it is there yet or not."""
        return self._file.path

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    @staticmethod
    def new_id() -> str:
        """An id for a conversation that is to begin: 128 random bits, safe in a URL."""
        return secrets.token_urlsafe(16)

    def add(
        self,
        user: str,
        conversation: str,
        question: str,
        sources: Sequence[str] | None,
        answer: Answer | None,
        error: str,
    ) -> Turn:
        """Keep a turn; the first of a conversation makes it, and its question is the title.

        Args:
            user: whose it is; "" where there are no users.
            conversation: its id, from `new_id`.
            question: as it was asked; more than `MAX_QUESTION` characters are not kept.
            sources: what it was limited to; None for all documents.
            answer: what came of it, or None with an ``error``.
            error: why there is no answer; "" where there is one.

        Raises:
            ConversationError: the conversation is another user's, or its id is none.
            StoreError: the file can't be written.
        """
        if (answer is None) == (not error):
            raise ValueError("a turn has either an answer or an error")
        _check_id(conversation)
        now = _now()
        kept, told = _storable(question)[:MAX_QUESTION], _storable(error)[:MAX_ERROR]
        within = None if sources is None else tuple(sources)
        with self._file.writing() as connection:
            self._begin(connection, user, conversation, kept, now)
            number = connection.execute(
                "INSERT INTO turns (conversation, user, at, outcome, confidence, question, folded, sources, "
                "error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    conversation,
                    user,
                    now,
                    "failed" if answer is None else "answered" if answer.found else "refused",
                    None if answer is None else answer.confidence,
                    kept,
                    _folded(kept),
                    None if within is None else json.dumps(within),
                    told,
                ),
            ).lastrowid
            assert number is not None  # sqlite3 gives one after each INSERT
            if answer is not None:
                _keep(connection, number, answer)
        return Turn(number, conversation, now, kept, within, answer, told)

    def conversations(self, user: str, wanted: str = "", limit: int = 100) -> tuple[Conversation, ...]:
        """A user's conversations, that with the newest turn first.

        Args:
            user: whose.
            wanted: what their title or one of their questions holds, in any case; "" for all.
            limit: how many at most.
        """
        searched, values = "", [user]
        if needle := _folded(wanted.strip()):
            searched = (
                "AND (instr(c.folded, ?) OR EXISTS (SELECT 1 FROM turns AS t "
                "WHERE t.conversation = c.id AND instr(t.folded, ?)))"
            )
            values += [needle, needle]
        rows = self._file.rows(
            f"SELECT {_LISTED} FROM conversations AS c WHERE c.user = ? {searched} "
            "ORDER BY c.updated DESC, c.rowid DESC LIMIT ?",
            (*values, max(limit, 0)),
        )
        return tuple(Conversation(*row) for row in rows)

    def conversation(self, user: str, conversation: str) -> Conversation:
        """One conversation of a user.

        Raises:
            ConversationError: this user has none with that id.
        """
        _check_id(conversation)
        rows = self._file.rows(
            f"SELECT {_LISTED} FROM conversations AS c WHERE c.user = ? AND c.id = ?", (user, conversation)
        )
        if not rows:
            raise _missing()
        return Conversation(*rows[0])

    def turns(self, user: str, conversation: str) -> tuple[Turn, ...]:
        """The turns of a conversation in the order in which they were asked.

        Raises:
            ConversationError: this user has no such conversation.
            StoreError: an answer in it is damaged.
        """
        _check_id(conversation)
        rows = self._file.rows(
            f"SELECT {_COLUMNS} FROM turns AS t LEFT JOIN answers AS a ON a.turn = t.number "
            "WHERE t.user = ? AND t.conversation = ? ORDER BY t.number",
            (user, conversation),
        )
        if not rows:
            self.conversation(user, conversation)  # one whose turns were dropped has none, and is there
        return tuple(self._turn(row) for row in rows)

    def numbers(self, user: str, conversation: str) -> list[int]:
        """The numbers of a conversation's turns, in order; none where this user has no such conversation."""
        _check_id(conversation)
        rows = self._file.rows(
            "SELECT number FROM turns WHERE user = ? AND conversation = ? ORDER BY number",
            (user, conversation),
        )
        return [number for (number,) in rows]

    def turn(self, user: str, number: int) -> Turn:
        """One turn of a user.

        Raises:
            ConversationError: this user has none with that number.
            StoreError: its answer is damaged.
        """
        rows = []
        if 0 < number <= _LARGEST:
            rows = self._file.rows(
                f"SELECT {_COLUMNS} FROM turns AS t LEFT JOIN answers AS a ON a.turn = t.number "
                "WHERE t.user = ? AND t.number = ?",
                (user, number),
            )
        if not rows:
            raise ConversationError("there is no such question of yours; it may have been deleted")
        return self._turn(rows[0])

    def drop_from(self, user: str, conversation: str, number: int) -> None:
        """Forget a turn and all after it, as before a question is asked again or otherwise.

        Raises:
            ConversationError: this user has no such conversation.
        """
        _check_id(conversation)
        with self._file.writing() as connection:
            _check_owner(connection, user, conversation)
            connection.execute(
                "DELETE FROM turns WHERE user = ? AND conversation = ? AND number >= ?",
                (user, conversation, min(max(number, 0), _LARGEST)),
            )

    def rename(self, user: str, conversation: str, title: str) -> None:
        """Give a conversation another title, of which `MAX_TITLE` characters are kept.

        Raises:
            ConversationError: this user has no such conversation, or the title is empty.
        """
        kept = _title(title)
        if not kept:
            raise ConversationError("the title is empty; give the conversation a name")
        _check_id(conversation)
        with self._file.writing() as connection:
            _check_owner(connection, user, conversation)
            connection.execute(
                "UPDATE conversations SET title = ?, folded = ?, is_named = 1 WHERE user = ? AND id = ?",
                (kept, _folded(kept), user, conversation),
            )

    def delete(self, user: str, conversation: str) -> None:
        """Forget a conversation. What it said is overwritten on the disk, too.

        Raises:
            ConversationError: this user has no such conversation.
        """
        _check_id(conversation)
        with self._file.writing() as connection:
            _check_owner(connection, user, conversation)
            connection.execute("DELETE FROM conversations WHERE user = ? AND id = ?", (user, conversation))
        self._file.forget()

    def reading(self) -> AbstractContextManager[sqlite3.Connection | None]:
        """A connection that can only read, for counting over all turns; see `Database.reading`."""
        return self._file.reading()

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._file.close()

    def _begin(
        self, connection: sqlite3.Connection, user: str, conversation: str, question: str, now: str
    ) -> None:
        """Make the conversation if it isn't there; one without turns takes the question as its title."""
        title = _title(question)
        connection.execute(
            "INSERT INTO conversations (id, user, title, folded, began, updated) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO NOTHING",
            (conversation, user, title, _folded(title), now, now),
        )
        _check_owner(connection, user, conversation)
        connection.execute("UPDATE conversations SET updated = ? WHERE id = ?", (now, conversation))
        connection.execute(
            "UPDATE conversations SET title = ?, folded = ? WHERE id = ? AND NOT is_named "
            "AND NOT EXISTS (SELECT 1 FROM turns WHERE conversation = ?)",
            (title, _folded(title), conversation, conversation),
        )

    def _turn(self, row: tuple[Any, ...]) -> Turn:
        number, conversation, at, question, sources, error, answer = row
        try:
            return Turn(
                number,
                conversation,
                at,
                question,
                None if sources is None else tuple(json.loads(sources)),
                None if answer is None else Answer.from_dict(json.loads(answer)),
                error,
            )
        except (ValueError, TypeError) as reason:
            raise self._file.damaged(f"question {number} can't be read: {reason}") from reason


def _keep(connection: sqlite3.Connection, number: int, answer: Answer) -> None:
    """Keep an answer, and beside it what is counted of it."""
    connection.execute("INSERT INTO answers VALUES (?, ?)", (number, json.dumps(answer.to_dict())))
    sources = dict.fromkeys(_storable(citation.source) for citation in answer.citations)
    connection.executemany("INSERT INTO cited VALUES (?, ?)", [(number, source) for source in sources])
    connection.executemany(
        "INSERT INTO timings VALUES (?, ?, ?)", [(number, *timing) for timing in answer.timings.items()]
    )


def _check_id(conversation: str) -> None:
    """Ids come from the browser: what can't be one is not looked for."""
    if _ID.fullmatch(conversation) is None:
        raise _missing()


def _check_owner(connection: sqlite3.Connection, user: str, conversation: str) -> None:
    owned = "SELECT 1 FROM conversations WHERE user = ? AND id = ?"
    if connection.execute(owned, (user, conversation)).fetchone() is None:
        raise _missing()


def _missing() -> ConversationError:
    return ConversationError("there is no such conversation of yours; begin a new one")


def _storable(text: str) -> str:
    """``text`` without halves of surrogate pairs, which no file can hold as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _folded(text: str) -> str:
    """What is compared where case and the way of writing an accent should not count."""
    return unicodedata.normalize("NFKC", _storable(text).casefold())


def _title(text: str) -> str:
    """``text`` in one line, shortened."""
    words = " ".join(_storable(text).split())
    return words if len(words) <= MAX_TITLE else words[: MAX_TITLE - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
