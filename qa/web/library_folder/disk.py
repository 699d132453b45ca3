"""What documents, index and trash take on the disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from qa.web.library_folder.trash import trash_dir

WALK_SECONDS = 1.0
"""So long `disk_use` looks; some 100,000 files on a local disk."""


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes on the disk. ``is_complete`` is False where there was not the time to see all.

    ``index`` is the index without its ``cache`` of embeddings; ``web`` what the page itself keeps.
    """

    index: int
    cache: int
    trash: int
    web: int
    documents: int
    is_complete: bool


def disk_use(
    index_dir: Path, folders: Sequence[Path], web_dir: Path | None = None, seconds: float = WALK_SECONDS
) -> DiskUse:
    """What all of it takes on the disk, looked at for ``seconds`` at most.

    Links are not followed, and a file with several names counts once, as two snapshots share files.

    Args:
        index_dir: the index.
        folders: the documents. Hidden files, and what is counted elsewhere, are left out.
        web_dir: what the page itself keeps, if anything.
        seconds: after that long it stops.
    """
    walk = _Walk(time.monotonic() + seconds)
    index_dir, trash = index_dir.absolute(), trash_dir(index_dir)
    cache = walk.bytes_below(index_dir / "cache")
    web = walk.bytes_below(web_dir.absolute()) if web_dir is not None else 0
    kept = walk.bytes_below(index_dir)
    thrown = walk.bytes_below(trash)
    documents = sum(walk.bytes_below(folder.absolute(), hidden=False) for folder in folders)
    return DiskUse(kept, cache, thrown, web, documents, walk.is_complete)


class _Walk:
    """Adds up files, each folder and each file once over all calls."""

    def __init__(self, until: float) -> None:
        self.is_complete = True
        self._until = until
        self._seen: set[tuple[int, int]] = set()

    def bytes_below(self, folder: Path, hidden: bool = True) -> int:
        """The bytes of the files below ``folder`` that were not counted yet; 0 where there is none."""
        pending = [str(folder)]
        total = 0
        while pending:
            directory = pending.pop()
            if time.monotonic() > self._until:
                self.is_complete = False
                return total
            with suppress(OSError):  # it has gone, or may not be read
                status = Path(directory).stat()
                if self._is_new(status):
                    total += self._bytes_in(directory, hidden, pending)
        return total

    def _bytes_in(self, directory: str, hidden: bool, pending: list[str]) -> int:
        total = 0
        for entry in _entries(directory):
            if not hidden and entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
                continue
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if status.st_nlink < 2 or self._is_new(status):
                    total += status.st_size
        return total

    def _is_new(self, status: os.stat_result) -> bool:
        identity = (status.st_dev, status.st_ino)
        is_new = identity not in self._seen
        self._seen.add(identity)
        return is_new


def _entries(directory: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(directory) as listing:
        yield from listing
