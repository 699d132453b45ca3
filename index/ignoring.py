"""``.footnoteignore``: what a folder's owner leaves out, in the syntax of .gitignore."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import FolderError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".footnoteignore"


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
        from pathspec import GitIgnoreSpec

        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
            spec = GitIgnoreSpec.from_lines(lines)
        except (OSError, ValueError) as error:
            raise FolderError(f"{path} can't be read: {error}; mend it, or remove it") from error
        return Ignored((*self.specs, (prefix, spec)))

    def covers(self, source: str, is_folder: bool) -> bool:
        """Whether a file or folder is to be left out."""
        for prefix, spec in reversed(self.specs):
            said = spec.check_file(source[len(prefix) :] + ("/" if is_folder else "")).include
            if said is not None:
                return said
        return False
