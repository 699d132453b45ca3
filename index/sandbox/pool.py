"""The parent of the workers: several files at once, each within its limits, in the order asked for."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

from index.parsers import parser_for
from index.sandbox.protocol import Begun, Done, Frame, ReadFile, Request, receive

ROOT = Path(__file__).parent.parent.parent
COMMAND = (sys.executable, "-P", "-m", "index.sandbox.worker")
MOST_WORKERS = 4
LOOK_SECONDS = 0.2
"""How often it is looked whether a file takes too long."""

AHEAD_BYTES, AHEAD_FILES = 64_000_000, 128
"""Files are read ahead of the one that is wanted while they are no more and no larger than this together."""

CRASHES = 20
"""After so many of its members have ended a worker, an archive is left."""

REQUESTS, LARGE_FILE = 2_000, 20_000_000
"""A worker that has read so many files, or one so large, is replaced: it would keep the memory."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may take.

    ``seconds`` is for each file, and each file inside it; ``memory`` is the address space of a worker and
    ``text`` what it may send for one file, in bytes.
    """

    seconds: float = 120.0
    memory: int = 3_000_000_000
    text: int = 1_000_000_000


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
    """Read one file; where a member ends the worker, go on after it with another."""
    found: list[ReadFile] = []
    for _ in range(CRASHES):
        worker = crew.acquire()
        attempt = worker.ask(
            replace(request, settled={file.member: file.status == "indexed" for file in found})
        )
        found += attempt.files
        if attempt.fault is None:
            crew.release(worker)
            return found
        crew.lose(worker)
        if not attempt.begun or crew.is_dismissed:
            return [*found, _failed(request, attempt.fault)]
        found.append(ReadFile(attempt.begun[-1], "failed", attempt.fault))
    return [*found, _failed(request, f"{CRASHES} of the files inside it ended the parser")]


def _failed(request: Request, reason: str) -> ReadFile:
    """What is kept of a file that ended its parser: enough not to try the same bytes again."""
    with Path(request.path).open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return ReadFile("", "failed", reason, parser_for(request.name).key, sha256)


@dataclass(slots=True)
class _Attempt:
    """What came of one request: ``begun`` are the files that were begun and not finished, outermost first."""

    files: list[ReadFile] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    fault: str | None = None

    def take(self, frame: Frame) -> None:
        if isinstance(frame, Begun):
            self.begun.append(frame.member)
        elif isinstance(frame, ReadFile):
            if self.begun and self.begun[-1] == frame.member:
                self.begun.pop()
            self.files.append(frame)


class _Worker:
    """One worker process and the folder that is its own."""

    def __init__(self, command: tuple[str, ...], limits: Limits) -> None:
        self.command = command
        self.limits = limits
        self._left = REQUESTS
        self._deadline = math.inf
        self._late = False
        self._folder = tempfile.mkdtemp(prefix="footnote-")
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [*command, self._folder, str(limits.memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the parent, which knows what to do
            cwd=self._folder,
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
                "TMPDIR": self._folder,
                "TEMP": self._folder,
                "OMP_THREAD_LIMIT": "1",  # tesseract's: several files are read at once already
            },
        )

    def ask(self, request: Request) -> _Attempt:
        """Have a file read, within the limits."""
        attempt = _Attempt()
        stdin = cast(BinaryIO, self._process.stdin)
        stdout = cast(BinaryIO, self._process.stdout)
        self._left = self._left - 1 if request.size < LARGE_FILE else 0
        try:
            stdin.write(request.line())
            stdin.flush()
            frame: Frame | None = None
            while not isinstance(frame, Done):
                self._deadline = time.monotonic() + self.limits.seconds
                frame = receive(stdout, self.limits.text)
                attempt.take(frame)
        except ValueError as error:
            attempt.fault = f"its text is too large ({error})"
        except (EOFError, OSError):
            attempt.fault = self._fault()
        self._deadline = math.inf
        return attempt

    def end_if_late(self) -> None:
        """End the process if a file takes longer than it may; `ask` then returns."""
        if time.monotonic() > self._deadline:
            self._late = True
            self._process.kill()

    def _fault(self) -> str:
        if self._late:
            return f"reading it took longer than {self.limits.seconds:.0f} s"
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "the parser stopped answering"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"the parser crashed at it ({signal.Signals(-code).name})"
        return f"the parser ended at it (exit code {code})"

    def is_usable(self) -> bool:
        """Whether the worker can take another file."""
        return self._left > 0 and self._process.poll() is None

    def kill(self) -> None:
        """End the process and remove its folder."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not flushed is not wanted
                    pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)


_IDLE: list[_Worker] = []
"""Workers wait here for the next file, and the next build: a start takes a fifth of a second."""

_LOCK = threading.Lock()


class _Crew:
    """The workers of one build."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
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
            fitting = [each for each in _IDLE if (each.command, each.limits) == (COMMAND, self._limits)]
            worker = fitting[0] if fitting else None
            if worker is not None:
                _IDLE.remove(worker)
        worker = worker or _Worker(COMMAND, self._limits)
        with _LOCK:
            self._busy.append(worker)
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
