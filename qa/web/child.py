"""One ``python -m index`` process: heard line by line, ended for certain."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import index

ROOT = Path(index.__file__).parent.parent
COMMAND = (sys.executable, "-P", "-m", "index")
DONE, PARTIAL = 0, 3
PATIENCE_SECONDS = 3.0
LAST_SECONDS = 10.0
"""What a process that was told to end may take for it: it stops between two batches of the encoder."""

_EVENTS = ("progress", "report", "error")
_LOG = logging.getLogger(__name__)


class Child:
    """The process. Its stderr is that of this one."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Start ``python -m index`` with ``arguments``.

        Raises:
            OSError: the system starts no more processes.
        """
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for this process, which then ends the other
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        self.is_silent = False
        """Whether it has ended and all that it said was heard; set by the one who listens."""

    def events(self) -> Iterator[dict[str, Any]]:
        """What it prints, as it prints it; ends when it has ended."""
        with cast(BinaryIO, self._process.stdout) as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                    is_known = event["event"] in _EVENTS
                except (ValueError, KeyError, TypeError):
                    is_known = False
                if is_known:
                    yield event
                else:
                    _LOG.warning("the process that keeps the index in step printed %.200r", line)
        self._process.wait()

    def end(self, *, patiently: bool) -> None:
        """End the process and wait for that; ``patiently`` by closing its stdin, where it looks at it."""
        self._close_stdin()
        if patiently and self._has_ended(PATIENCE_SECONDS):
            return
        self._process.terminate()  # it is at an update, which the next start goes on with
        if not self._has_ended(LAST_SECONDS):
            self._process.kill()
            self._process.wait()

    def _close_stdin(self) -> None:
        with contextlib.suppress(OSError):  # it has ended before
            cast(BinaryIO, self._process.stdin).close()

    def _has_ended(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def ending(self) -> str | None:
        """How it has ended, in words that follow its name; None where all went well."""
        code = self._process.wait()
        self._close_stdin()
        if code in (DONE, PARTIAL):
            return None
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"
