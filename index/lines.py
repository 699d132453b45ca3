"""Progress, reports and errors as JSON lines on stdout, for a program that runs a build and shows it.

``{"event": "progress" | "report" | "error", ...}``, one object a line, each flushed; see docs/cli.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from index import terminal
from index.intake import Progress
from index.model import BuildReport

EVERY_SECONDS = 0.2
"""A stage tells of itself no more often, but for its first and last line."""

MOST_FAILED = 50
"""So many failed files are named; ``counts`` says how many there are."""


def progress() -> Progress:
    """A progress that prints lines. A reader that has gone does not stop the build."""
    shown, due = "", 0.0

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal shown, due
        now = time.monotonic()
        if stage == shown and done < total and now < due:
            return
        shown, due = stage, now + EVERY_SECONDS
        with suppress(BrokenPipeError):
            _print("progress", {"stage": stage, "done": done, "total": total})

    return tell


def report(done: BuildReport) -> None:
    """Print what a build did, in numbers."""
    values = {
        "snapshot": done.snapshot,
        "published": done.published,
        "added": len(done.added),
        "changed": len(done.changed),
        "renamed": len(done.renamed),
        "removed": len(done.removed),
        "counts": dict(done.counts),
        "passages": done.passages,
        "embedded": done.embedded,
        "seconds": round(done.seconds, 3),
        "failed": [{"source": file.source, "reason": file.reason} for file in done.failed[:MOST_FAILED]],
    }
    _print("report", values)


def error(found: Exception) -> None:
    """Print what has gone wrong."""
    _print("error", {"type": type(found).__name__, "message": str(found)})


@contextmanager
def told_errors() -> Iterator[None]:
    """Print an error that ends the command, and let it go on to do so."""
    try:
        yield
    except BrokenPipeError:  # there is nobody to tell
        raise
    except Exception as found:
        with suppress(BrokenPipeError):
            error(found)
        raise


def _print(event: str, values: Mapping[str, Any]) -> None:
    terminal.print_json({"event": event, **values})
