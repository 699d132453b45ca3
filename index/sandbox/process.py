"""A worker process as its parent sees it: how it is started, timed and ended."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

ROOT = Path(__file__).parent.parent.parent
FOLDERS = "footnote-"
"""How the folders of workers are called, with the number of the process that they belong to."""


def command(module: str) -> tuple[str, ...]:
    """The words that start a worker, before its folder and its memory."""
    return sys.executable, "-P", "-m", module


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended at its work; ``code`` is None where it has not."""

    code: int | None

    def __str__(self) -> str:
        """What happened, as a sentence about the worker ends."""
        if self.code is None:
            return "stopped answering"
        if self.code < 0:
            with contextlib.suppress(ValueError):
                return f"crashed at it ({signal.Signals(-self.code).name})"
        return f"ended at it (exit code {self.code})"

    @property
    def was_killed(self) -> bool:
        """Whether something outside has ended it."""
        return self.code in (-signal.SIGKILL, -signal.SIGTERM)


class WorkerProcess:
    """One worker process and the folder that is its own."""

    def __init__(self, command: tuple[str, ...], memory: int) -> None:
        """Start a worker that may take ``memory`` bytes of address space."""
        self.command = command
        self.deadline = math.inf
        self.was_late = False
        self._folder = tempfile.mkdtemp(prefix=f"{FOLDERS}{os.getpid()}-")
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [*command, self._folder, str(memory)],
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
        self.answers = cast(BinaryIO, self._process.stdout)

    def write(self, line: bytes) -> None:
        """Hand the worker a request.

        Raises:
            OSError, ValueError: it has ended.
        """
        stdin = cast(BinaryIO, self._process.stdin)
        stdin.write(line)
        stdin.flush()

    def end_if_late(self) -> None:
        """End the process if it is at its work for longer than it may; its answers then end."""
        if time.monotonic() > self.deadline:
            self.was_late = True
            self._process.kill()

    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def ending(self) -> Ending:
        """How the process ended, whose answers have."""
        try:
            return Ending(self._process.wait(5))
        except subprocess.TimeoutExpired:
            return Ending(None)

    def kill(self) -> None:
        """End the process and remove its folder."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not flushed is not wanted
                    pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders that workers of killed processes have left."""
    for path in Path(tempfile.gettempdir()).glob(f"{FOLDERS}*-*"):
        owner = path.name.removeprefix(FOLDERS).partition("-")[0]
        if owner.isdecimal() and not _is_alive(int(owner)):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(process: int) -> bool:
    if os.name == "nt":
        return True  # there is no harmless way to ask
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
