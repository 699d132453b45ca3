"""The parent of the workers: several files at once, each within its limits, in the order asked for."""

from __future__ import annotations

import atexit
import hashlib
import math
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from index.errors import UnsupportedError
from index.parsers import parser_for
from index.sandbox.process import WorkerProcess, command, sweep
from index.sandbox.protocol import (
    Begun,
    Done,
    Frame,
    NonsenseError,
    ReadFile,
    Request,
    TooLargeError,
    receive,
)

COMMAND = command("index.sandbox.worker")
MOST_WORKERS = 4
LOOK_SECONDS = 0.2
"""How often it is looked whether a file takes too long."""

AHEAD_BYTES, AHEAD_FILES = 64_000_000, 128
"""Files are read ahead of the one that is wanted while they are no more and no larger than this together."""

CRASHES = 20
"""After so many crashes an archive is left."""

MEMBERS = 20_000
"""A file may hold so many files, those of archives within archives included."""

STEPS = 30
"""An archive, or a scan of many pages, may take so many times as long as one file."""

REQUESTS, LARGE_FILE = 2_000, 20_000_000
"""A worker that has read so many files, or one so large, is replaced: it would keep the memory."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may take.

    ``seconds`` is for each file, and each file inside it; ``memory`` is the address space of a worker and
    ``text`` what a file and all files inside it may give, in bytes.
    """

    seconds: float = 120.0
    memory: int = 3_000_000_000
    text: int = 500_000_000


DEFAULT_LIMITS = Limits()


def read_files(
    requests: Iterable[Request],
    limits: Limits,
) -> Iterator[list[ReadFile]]:
    """Read files in worker processes and yield what each held, in order: its members, then itself.

    Args:
        requests: the files, in any order.
        limits: what one file may take.
    """
    count = min(os.cpu_count() or 1, MOST_WORKERS)
    pending: deque[tuple[Future[list[ReadFile]], int]] = deque()
    ahead = 0
    crew = _Crew(limits)
    with ThreadPoolExecutor(count, thread_name_prefix="footnote-parse") as threads:
        try:
            for request in requests:
                while pending and (ahead + request.size > AHEAD_BYTES or len(pending) >= AHEAD_FILES):
                    first, held = pending.popleft()
                    ahead -= held
                    yield first.result()
                pending.append((threads.submit(_read, request, crew), request.size))
                ahead += request.size
            while pending:
                yield pending.popleft()[0].result()
        finally:  # also where the build was interrupted: nobody waits for files that are not wanted
            for future, _ in pending:
                future.cancel()
            crew.dismiss()


def _read(request: Request, crew: _Crew) -> list[ReadFile]:
    """Read one file; where a member ends the worker, go on after it with another.

    A worker may also end for a reason of its own (the system is short of memory, say), so what ends one is
    tried once more before it is blamed.
    """
    found: list[ReadFile] = []
    suspects: set[str] = set()
    room, last = crew.limits.text, time.monotonic() + STEPS * crew.limits.seconds
    for _ in range(2 * CRASHES):
        if crew.is_dismissed:
            return found
        worker = crew.acquire()
        attempt = _Attempt(room, last, MEMBERS - len(found))
        worker.ask(
            replace(request, settled={file.member: file.status == "indexed" for file in found}), attempt
        )
        room = attempt.room
        if not attempt.fault:
            crew.release(worker)
            return [*found, *attempt.files[:-1], _confirmed(request, attempt.files[-1])]
        crew.lose(worker)
        found += [file for file in attempt.files if file.member]
        culprit = attempt.begun[-1] if attempt.begun else ""
        is_settled = attempt.was_late or culprit in suspects
        if attempt.is_final or (is_settled and not culprit):
            return [*found, _failed(request, attempt)]
        if is_settled:
            found.append(ReadFile(culprit, "failed", attempt.fault))
        suspects.add(culprit)
    attempt.fault = f"{CRASHES} of the files inside it ended the parser"
    return [*found, _failed(request, attempt)]


def _confirmed(request: Request, file: ReadFile) -> ReadFile:
    """What was read, if it was read from the bytes that are there; else the next build tries again."""
    if file.sha256 in (None, _sha256(request)):
        return file
    return ReadFile("", "failed", "it changed while it was read")


def _failed(request: Request, attempt: _Attempt) -> ReadFile:
    """What is kept of a file that ended its parser: enough not to try the same bytes again.

    Without a hash it is tried again by the next build: where it has changed since it was found, and where
    the worker was killed from outside.
    """
    failed = ReadFile("", "failed", attempt.fault)
    sha256 = None if attempt.was_killed else _sha256(request)
    return failed if sha256 is None else replace(failed, parser=parser_for(request.name).key, sha256=sha256)


def _sha256(request: Request) -> str | None:
    """The hash of a file, if it still is the one that was found."""
    path = Path(request.path)
    try:
        status = path.stat()
        if request.mtime_ns and (status.st_size, status.st_mtime_ns) != (request.size, request.mtime_ns):
            return None
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _check_parser(file: ReadFile, request: Request) -> None:
    """See that a file was read by the parser that its name asks for.

    Raises:
        NonsenseError: it was not.
    """
    try:
        key = parser_for(file.member or request.name).key
    except UnsupportedError:
        key = ""
    if file.parser not in ("", key):
        raise NonsenseError(f"{file.parser} is not the parser of {file.member or request.name}")


@dataclass(slots=True)
class _Attempt:
    """What comes of one request, and what it may still take.

    ``begun`` are the files that were begun and not finished, outermost first. A fault that ``is_final``
    is that of the whole file, whichever member was at it.
    """

    room: int
    last: float
    members: int
    files: list[ReadFile] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    fault: str = ""
    is_final: bool = False
    was_late: bool = False
    was_killed: bool = False

    def take(self, frame: Frame) -> None:
        """Note a frame.

        Raises:
            TooLargeError: there are more files than there may be.
        """
        if isinstance(frame, Begun):
            self.begun.append(frame.member)
        elif isinstance(frame, ReadFile):
            if self.begun and self.begun[-1] == frame.member:
                self.begun.pop()
            self.files.append(frame)
            self.room -= len(frame.document.text) if frame.document else 0
        if len(self.files) + len(self.begun) > self.members + 1:
            raise TooLargeError(f"more than {MEMBERS:,} files inside it")


class _Worker(WorkerProcess):
    """A worker that reads files."""

    def __init__(self, command: tuple[str, ...], limits: Limits) -> None:
        super().__init__(command, limits.memory)
        self.limits = limits
        self._left = REQUESTS

    def ask(self, request: Request, attempt: _Attempt) -> None:
        """Have a file read, within the limits; what comes, and what goes wrong, is put into ``attempt``."""
        self._left = self._left - 1 if request.size < LARGE_FILE else 0
        try:
            self.write(request.line())
            frame: Frame | None = None
            while not isinstance(frame, Done):
                self.deadline = min(time.monotonic() + self.limits.seconds, attempt.last)
                frame = receive(self.answers, attempt.room)
                if isinstance(frame, ReadFile):
                    _check_parser(frame, request)
                attempt.take(frame)
            if not attempt.files or attempt.files[-1].member:
                raise NonsenseError("the parser said nothing of the file itself")
        except TooLargeError as error:
            attempt.fault, attempt.is_final = f"too large: {error}", True
        except NonsenseError as error:
            attempt.fault, attempt.is_final = str(error), True
        except (EOFError, OSError, ValueError):  # ValueError: its pipes are closed, for nobody waits for it
            self._explain(attempt)
        self.deadline = math.inf

    def _explain(self, attempt: _Attempt) -> None:
        """Say how the process ended."""
        if self.was_late:
            attempt.was_late, attempt.is_final = True, time.monotonic() > attempt.last
            times = STEPS if attempt.is_final else 1
            attempt.fault = f"reading it took longer than {times * self.limits.seconds:.0f} s"
            return
        ending = self.ending()
        attempt.was_killed = ending.was_killed
        attempt.fault = f"the parser {ending}"

    def is_usable(self) -> bool:
        """Whether the worker can take another file."""
        return self._left > 0 and self.is_running()


_IDLE: list[_Worker] = []
"""Workers wait here for the next file, and the next build: a start takes a fifth of a second."""

_LOCK = threading.Lock()


class _Crew:
    """The workers of one build."""

    def __init__(self, limits: Limits) -> None:
        sweep()
        self.limits = limits
        self._busy: list[_Worker] = []
        self._over = threading.Event()
        threading.Thread(target=self._watch, name="footnote-watch", daemon=True).start()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with _LOCK:
                busy = list(self._busy)
            for worker in busy:
                worker.end_if_late()

    @property
    def is_dismissed(self) -> bool:
        """Whether nobody waits for what is still being read."""
        return self._over.is_set()

    def acquire(self) -> _Worker:
        """A worker with the build's limits, an idle one if there is one."""
        with _LOCK:
            fitting = [each for each in _IDLE if (each.command, each.limits) == (COMMAND, self.limits)]
            for each in fitting:
                _IDLE.remove(each)
            usable = [each for each in fitting if each.is_usable()]
            worker = usable.pop() if usable else None
            _IDLE.extend(usable)
        for each in fitting:
            if not each.is_usable():
                each.kill()
        worker = worker or _Worker(COMMAND, self.limits)
        with _LOCK:
            self._busy.append(worker)
            is_late = self.is_dismissed
        if is_late:
            worker.kill()  # `ask` finds it ended
        return worker

    def release(self, worker: _Worker) -> None:
        """Take back a worker that has done its work."""
        with _LOCK:
            if worker in self._busy:
                self._busy.remove(worker)
            if worker.is_usable():
                _IDLE.append(worker)
                return
        worker.kill()

    def lose(self, worker: _Worker) -> None:
        """End a worker that a file has spoilt."""
        with _LOCK:
            if worker in self._busy:
                self._busy.remove(worker)
        worker.kill()

    def dismiss(self) -> None:
        """End the workers that are still at a file, and the watch over them."""
        self._over.set()
        with _LOCK:
            busy = list(self._busy)
        for worker in busy:
            worker.kill()


@atexit.register
def _end_workers() -> None:
    with _LOCK:
        while _IDLE:
            _IDLE.pop().kill()
