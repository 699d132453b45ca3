"""The parent of the worker that draws pages: one order at a time, each within its limits."""

from __future__ import annotations

import math
import threading
import time

from index.errors import ClosedError
from index.sandbox import orders
from index.sandbox.orders import Drawn, Order, Undrawn
from index.sandbox.process import WorkerProcess, command, sweep
from index.sandbox.protocol import NonsenseError

COMMAND = command("index.sandbox.painter")
MEMORY = 2_000_000_000
"""The address space of the worker, in bytes."""

SECONDS, WAIT_SECONDS = 20.0, 30.0
"""How long a page may be drawn, and how long an order waits for those before it."""

IDLE_SECONDS = 120.0
"""A worker that nobody has asked for so long is ended; starting one takes a third of a second."""

LOOK_SECONDS = 0.2
"""How often it is looked whether a page takes too long."""


class Drawer:
    """Draws pages in a process of its own, started at the first order. Safe to use from several threads."""

    def __init__(
        self,
        seconds: float = SECONDS,
        wait_seconds: float = WAIT_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        command: tuple[str, ...] = COMMAND,
    ) -> None:
        """No process is started yet."""
        self._seconds = seconds
        self._wait_seconds = wait_seconds
        self._idle_seconds = idle_seconds
        self._command = command
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._closed = threading.Event()
        self._worker: WorkerProcess | None = None
        self._last_used = 0.0

    def draw(self, order: Order) -> Drawn | Undrawn:
        """Draw a page.

        Raises:
            ClosedError: there was a `close`.
        """
        if not self._turn.acquire(timeout=self._wait_seconds):
            return Undrawn("failed", f"others were still being drawn after {self._wait_seconds:.0f} s")
        try:
            return self._draw(order)
        finally:
            self._last_used = time.monotonic()
            self._turn.release()

    def close(self) -> None:
        """End the worker, whatever it is at."""
        self._closed.set()
        self._dismiss()

    def _draw(self, order: Order) -> Drawn | Undrawn:
        """Draw a page; a worker that had drawn others before is not believed that the page has ended it."""
        worker = self._worker
        if worker is not None and worker.is_running():
            answer = self._ask(worker, order)
            if isinstance(answer, (Drawn, Undrawn)):
                return answer
        answer = self._ask(self._start(), order)
        return Undrawn("failed", answer) if isinstance(answer, str) else answer

    def _ask(self, worker: WorkerProcess, order: Order) -> Drawn | Undrawn | str:
        """The answer; or, if the worker was lost, what happened to it."""
        try:
            worker.deadline = time.monotonic() + self._seconds
            worker.write(order.line())
            answer = orders.receive(worker.answers)
            worker.deadline = math.inf
            return answer
        except NonsenseError as error:
            fault = str(error)
        except (EOFError, OSError, ValueError) as error:  # ValueError: its pipes are closed
            if self._closed.is_set():
                raise ClosedError("the index was closed while the page was drawn") from error
            fault = f"what draws pages {worker.ending()}"
        self._dismiss()
        if worker.was_late:
            return Undrawn("failed", f"drawing it takes longer than {self._seconds:.0f} s")
        return fault

    def _start(self) -> WorkerProcess:
        self._dismiss()
        sweep()
        worker = WorkerProcess(self._command, MEMORY)
        with self._state:
            is_late = self._closed.is_set()
            if not is_late:
                self._worker = worker
        if is_late:
            worker.kill()
            raise ClosedError("the index was closed before the page was drawn")
        threading.Thread(target=self._watch, args=(worker,), name="footnote-draw", daemon=True).start()
        return worker

    def _dismiss(self) -> None:
        with self._state:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()

    def _watch(self, worker: WorkerProcess) -> None:
        """End a worker that is late, or that nobody asks any more."""
        while self._worker is worker and not self._closed.wait(LOOK_SECONDS):
            worker.end_if_late()
            if self._turn.acquire(blocking=False):
                try:
                    if self._worker is worker and time.monotonic() - self._last_used > self._idle_seconds:
                        self._dismiss()
                finally:
                    self._turn.release()
