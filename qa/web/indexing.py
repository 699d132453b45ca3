"""The index is kept in step with its folders by a process of its own, while the page answers.

Reading documents must neither block the answers nor slow them down. The process is ``python -m index`` with
``--lines``; what it prints becomes the `IndexingState` that the page shows. A question is answered from the
snapshot that is live, and finds a new one by itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from index import (
    ClosedError,
    FootnoteError,
    IndexLockedError,
    IndexNotFoundError,
    recorded_options,
    status,
)
from qa.web.child import Child

Task = Literal["update", "rebuild"]

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a process that ended by itself is started again; each pause is twice the one before."""

TRIES = 5
"""A run that was asked for and ended without a word so many times is given up."""

FEW_SECONDS = 0.3
"""A rate says something after that long."""


@dataclass(frozen=True, slots=True)
class IndexingReport:
    """What a run did: numbers of files, the failed ones by (source, reason).

    ``counts`` are the files by status. ``failed`` holds the first of them only. ``at`` is ISO 8601 in UTC.
    """

    snapshot: str
    added: int
    changed: int
    renamed: int
    removed: int
    counts: Mapping[str, int]
    passages: int
    seconds: float
    failed: tuple[tuple[str, str], ...]
    at: str


@dataclass(frozen=True, slots=True)
class IndexingState:
    """How it stands. Times are ISO 8601 in UTC.

    Attributes:
        running: whether an update or a rebuild goes on.
        task: which of them; "" where none does.
        queued: the run that comes next, as it was asked for; "" where none was.
        stage: "start" while the models are loaded, then "read", "embed", "index words".
        done: how much of the stage is done: files while they are read, then passages.
        total: how much there is of it.
        rate: so many a second; None while that can't be told.
        eta: seconds until the end of the stage; None while that can't be told.
        report: the last run that found changes, or rebuilt.
        error: why the index may be behind its folders, with what is done about it; "" where it is not.
        since: when the run began, or the waiting after it.
        checked: when the index was last found or brought in step with its folders; "" before that.
    """

    running: bool = False
    task: Task | Literal[""] = ""
    queued: Task | Literal[""] = ""
    stage: str = ""
    done: int = 0
    total: int = 0
    rate: float | None = None
    eta: float | None = None
    report: IndexingReport | None = None
    error: str = ""
    since: str = field(default_factory=lambda: _now())
    checked: str = ""


class Indexing:
    """Owns the process that writes the index. Safe to use from several threads; a context manager."""

    def __init__(self, folders: Sequence[Path], index_dir: Path, *, follow: bool) -> None:
        """Describe the work; `start` begins it.

        Args:
            folders: the documents.
            index_dir: where their index lies. Its encoder and options are kept.
            follow: whether changes of the folders are noticed, or runs are made only where asked for.
        """
        self._folders = tuple(folder.absolute() for folder in folders)
        self._index_dir = index_dir.absolute()
        self._follow = follow
        self._changed = threading.Condition()  # holds all below
        self._state = IndexingState()
        self._wanted: Task | None = None
        self._closing = False
        self._tries = 0
        self._not_before = 0.0
        self._failure = ""  # of a run that was asked for; a later look at the folders does not mend it
        self._last_error: tuple[str, str] = ("", "")
        self._stage_began = (0.0, 0)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start, and return the object itself."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def start(self) -> None:
        """Begin to follow the folders, or to wait for runs that are asked for."""
        with self._changed:
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._work, name="footnote-indexing", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the process; returns when it has ended. What it was at, the next update goes on with."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    @property
    def state(self) -> IndexingState:
        """How it stands now."""
        with self._changed:
            return replace(self._state, queued=self._wanted or "", error=self._state.error or self._failure)

    def update(self) -> None:
        """Ask for a look at all files; those that changed are read. Returns at once.

        Raises:
            ClosedError: this was closed.
        """
        self._ask("update")

    def rebuild(self) -> None:
        """Ask for all files to be read anew, with the encoder and the options of the index. Returns at once.

        Raises:
            ClosedError: this was closed.
        """
        self._ask("rebuild")

    def _ask(self, task: Task) -> None:
        with self._changed:
            if self._closing:
                raise ClosedError("the index is no longer kept in step: the app is closing")
            self._wanted = _stronger(task, self._wanted)
            self._tries, self._not_before, self._failure = 0, 0.0, ""
            self._changed.notify_all()

    def _work(self) -> None:
        """Run one process after the other until this is closed."""
        while (chosen := self._next()) is not None:
            task, follows = chosen
            started = time.monotonic()
            try:
                child = Child(self._arguments(task, follows))
            except (FootnoteError, OSError) as error:
                with self._changed:
                    self._last_error = (type(error).__name__, str(error))
                self._settle(task, follows, "did not start")
                continue
            listening = threading.Thread(target=self._listen, args=(child,), daemon=True)
            listening.start()
            was_ended = self._wait(child, follows)
            if was_ended:
                child.end(patiently=follows)
            listening.join()
            ending = child.ending()
            if time.monotonic() - started > LONGEST_PAUSE:
                self._tries = 0
            if was_ended:
                self._rest()
            elif ending is None and not follows:
                self._tries = 0
                self._rest()
            else:
                self._settle(task, follows, ending or "ended by itself")
        self._rest()

    def _next(self) -> tuple[Task, bool] | None:
        """What to run next, and whether it goes on to follow the folders; None once this is closed."""
        with self._changed:
            while not self._closing:
                pause = self._not_before - time.monotonic()
                if (self._wanted is not None or self._follow) and pause <= 0:
                    task, self._wanted = self._wanted or "update", None
                    self._last_error = ("", "")
                    # A follower begins with an update.
                    self._begin(task)
                    return task, self._follow and task == "update"
                self._changed.wait(pause if pause > 0 else None)
            return None

    def _wait(self, child: Child, follows: bool) -> bool:
        """Wait until the process ends by itself, or is to end; say whether the latter."""
        with self._changed:
            while not child.is_silent:
                if self._closing:
                    return True
                if follows and (
                    self._wanted == "rebuild" or (self._wanted is not None and not self._state.running)
                ):
                    return True
                self._changed.wait()
            return False

    def _listen(self, child: Child) -> None:
        """Take in what the process prints, until it ends."""
        for event in child.events():
            with self._changed:
                self._hear(event)
                self._changed.notify_all()
        with self._changed:
            child.is_silent = True
            self._changed.notify_all()

    def _hear(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "progress":
            self._state = self._progressed(event["stage"], event["done"], event["total"])
        elif event["event"] == "report":
            report = _report(event) if self._is_news(event) else self._state.report
            self._state = replace(self._idle(), report=report, error="", checked=_now())
        elif event["event"] == "error":
            self._last_error = (event["type"], event["message"])
            self._state = replace(self._idle(), error=event["message"])

    def _is_news(self, event: Mapping[str, Any]) -> bool:
        """Whether a run is one to show: a look that found nothing new does not hide the one before."""
        changed = any(event[name] for name in ("added", "changed", "renamed", "removed"))
        return changed or self._state.task == "rebuild" or self._state.report is None

    def _progressed(self, stage: str, done: int, total: int) -> IndexingState:
        state, now = self._state, time.monotonic()
        if not state.running:
            self._begin("update")
            state = self._state
        if stage != state.stage:
            self._stage_began = (now, done)
        began, first = self._stage_began
        rate = (done - first) / (now - began) if now - began >= FEW_SECONDS and done > first else None
        eta = (total - done) / rate if rate else None
        return replace(state, stage=stage, done=done, total=total, rate=rate, eta=eta, error="")

    def _begin(self, task: Task) -> None:
        kept = self._state
        self._state = IndexingState(
            running=True,
            task=task,
            stage="start",
            report=kept.report,
            error=kept.error,
            checked=kept.checked,
        )

    def _idle(self) -> IndexingState:
        kept = self._state
        since = _now() if kept.running else kept.since
        return IndexingState(report=kept.report, error=kept.error, since=since, checked=kept.checked)

    def _rest(self) -> None:
        with self._changed:
            self._state = self._idle()

    def _settle(self, task: Task, follows: bool, ending: str) -> None:
        """Say why a process ended that should not have, and when it is started again."""
        with self._changed:
            kind, message = self._last_error
            reason = message or f"the process that keeps the index in step {ending}"
            self._tries += 1
            is_locked = kind == IndexLockedError.__name__
            if not follows and not is_locked and (message or self._tries >= TRIES):
                self._failure, self._tries = f"the {task} was not made: {reason}", 0
                self._state = replace(self._idle(), error="")
                return
            if not follows:
                self._wanted = _stronger(task, self._wanted)
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._tries - 1))
            self._not_before = time.monotonic() + pause
            self._state = replace(self._idle(), error=f"{reason}; it is tried again in {pause:.0f} s")

    def _arguments(self, task: Task, follows: bool) -> list[str]:
        command = "watch" if follows else task
        arguments = [command, *map(str, self._folders), f"--index={self._index_dir}", "--lines", "--quiet"]
        if follows:
            return [*arguments, "--until-stdin-ends"]
        return arguments + (self._recorded() if task == "rebuild" else [])

    def _recorded(self) -> list[str]:
        """The options of the index: a rebuild alone would take the defaults."""
        options = recorded_options(self._index_dir)
        arguments = [f"--include={pattern}" for pattern in options.include]
        arguments += [f"--exclude={pattern}" for pattern in options.exclude]
        arguments += [f"--max-file-size={options.max_file_size}"]
        arguments += ["--follow-symlinks" if options.follow_symlinks else "--no-follow-symlinks"]
        with suppress(IndexNotFoundError):  # the first rebuild makes the index
            arguments.append(f"--encoder={status(self._index_dir).encoder}")
        return arguments


def _stronger(task: Task, other: Task | None) -> Task:
    """The one run that does for both."""
    return "rebuild" if "rebuild" in (task, other) else task


def _report(event: Mapping[str, Any]) -> IndexingReport:
    numbers = {name: event[name] for name in ("added", "changed", "renamed", "removed", "passages")}
    return IndexingReport(
        snapshot=event["snapshot"],
        counts=event["counts"],
        seconds=event["seconds"],
        failed=tuple((file["source"], file["reason"]) for file in event["failed"]),
        at=_now(),
        **numbers,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
