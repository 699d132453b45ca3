"""``.footnoteignore``: what a folder's owner leaves out, in the syntax of .gitignore.

A file that can't be understood is an error, never passed over: what it was to leave out would be indexed.
"""

from __future__ import annotations

import os
import re
import stat
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import FolderError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".footnoteignore"
MOST_BYTES, MOST_PATTERNS = 1_000_000, 1_000

BACKEND = "re2"
"""Matches in linear time: no pattern can make a regular expression try every way to share out a name."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """What the ``.footnoteignore`` files say, the outermost first: the last that knows a path decides."""

    specs: tuple[tuple[str, GitIgnoreSpec], ...] = ()

    def with_folder(self, entries: Iterable[os.DirEntry[str]], prefix: str) -> Ignored:
        """Add what the folder with these entries says; its patterns are relative to it.

        Raises:
            FolderError: its file can't be read, or a line of it is no pattern.
        """
        path = next((Path(entry.path) for entry in entries if entry.name == IGNORE_FILE), None)
        if path is None:
            return self
        try:
            with warnings.catch_warnings():  # "[[" is no set within a set here
                warnings.simplefilter("ignore", FutureWarning)
                spec = _spec(_lines(path))
        except OSError as error:
            raise FolderError(f"{path} can't be read: {error.strerror}; mend it, or remove it") from error
        except ValueError as error:
            raise FolderError(f"{path} can't be read: {error}; mend it, or remove it") from error
        return Ignored((*self.specs, (prefix, spec)))

    def covers(self, source: str, is_folder: bool) -> bool:
        """Whether a file or folder is to be left out."""
        for prefix, spec in reversed(self.specs):
            said = spec.check_file(source[len(prefix) :] + ("/" if is_folder else "")).include
            if said is not None:
                return said
        return False


def _lines(path: Path) -> list[str]:
    """The lines of a file; ValueError says why it is not one to read."""
    if path.is_symlink():
        raise ValueError("it is a symbolic link")
    # What lies there may be changed meanwhile: a link is not followed, a pipe not waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file")
        data = b"".join(_chunks(descriptor, MOST_BYTES + 1))
    finally:
        os.close(descriptor)
    if len(data) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES:,} bytes")
    return [line.removesuffix("\r") for line in data.decode("utf-8-sig").split("\n")]


def _chunks(descriptor: int, most: int) -> Iterator[bytes]:
    while most > 0 and (chunk := os.read(descriptor, most)):
        yield chunk
        most -= len(chunk)


def _spec(lines: list[str]) -> GitIgnoreSpec:
    """The patterns of a file; ValueError says which line is none."""
    import re2
    from pathspec import GitIgnoreSpec

    patterns = [line for line in lines if line.strip() and not line.startswith("#")]
    if len(patterns) > MOST_PATTERNS:
        raise ValueError(f"it has more than {MOST_PATTERNS:,} patterns")
    for number, line in enumerate(lines, 1):
        try:
            understood = GitIgnoreSpec.from_lines([line], backend=BACKEND).patterns
        except (ValueError, re.error, re2.error) as error:
            raise ValueError(f"line {number}, {line[:60]!r}, is no pattern ({error})") from error
        if line in patterns and line.strip(" \t/") and all(each.include is None for each in understood):
            raise ValueError(f"line {number}, {line[:60]!r}, is no pattern (a [ is not closed)")
    try:
        return GitIgnoreSpec.from_lines(lines, backend=BACKEND)
    except re2.error as error:
        raise ValueError(f"its patterns are too large together ({error})") from error
