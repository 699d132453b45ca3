"""What lies in a folder: every file that could be a document, and why one could not be read."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self

from index.errors import FolderError
from index.model import Status

DEFAULT_MAX_FILE_SIZE = 200_000_000


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """Which files of the folder count. Patterns match the path relative to it; ``*`` crosses ``/``."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_file_size: int = DEFAULT_MAX_FILE_SIZE
    follow_symlinks: bool = False

    def as_manifest(self) -> dict[str, Any]:
        """Return the options as they are kept in a manifest."""
        return asdict(self)

    @classmethod
    def from_manifest(cls, values: Mapping[str, Any]) -> Self:
        """Return the options that a manifest holds."""
        return cls(
            include=tuple(values["include"]),
            exclude=tuple(values["exclude"]),
            max_file_size=values["max_file_size"],
            follow_symlinks=values["follow_symlinks"],
        )


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of the folder. ``problem`` says why it is not to be opened, with the status it gets."""

    source: str
    path: Path
    size: int
    mtime_ns: int
    problem: tuple[Status, str] | None = None


def check_folder(folder: Path) -> None:
    """See that ``folder`` can be listed.

    Raises:
        FolderError: the folder is missing, is no folder, or can't be listed.
    """
    if not folder.exists():
        raise FolderError(f"the folder {folder} does not exist; give the folder that holds your documents")
    if not folder.is_dir():
        raise FolderError(f"{folder} is a file, not a folder; give the folder that holds it")
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise FolderError(f"the folder {folder} can't be listed: {error.strerror}") from error


def scan(folder: Path, options: ScanOptions, skip: Iterable[Path] = ()) -> list[FoundFile]:
    """List the files below ``folder``, by source. Hidden files and folders are left out.

    Args:
        folder: the folder of documents.
        options: which files count.
        skip: folders to leave out, such as an index that lies inside.

    Raises:
        FolderError: the folder is missing, is no folder, or can't be listed.
    """
    check_folder(folder)
    skipped = {os.path.realpath(path) for path in skip}
    return sorted(_walk(folder, options, skipped), key=lambda found: found.source)


def _walk(folder: Path, options: ScanOptions, skipped: set[str]) -> Iterator[FoundFile]:
    # Folders behind symbolic links come last, and each real folder is entered once: a link into a
    # loop, or to a folder that is reached without it, is reported and not followed.
    pending, linked = deque([(folder, "")]), deque[tuple[Path, str]]()
    entered: set[tuple[int, int]] = set()
    while pending or linked:
        is_link = not pending
        directory, prefix = (pending or linked).popleft()
        try:
            status = directory.stat()
            identity = (status.st_dev, status.st_ino)
            if is_link and identity in entered:
                yield _problem(
                    prefix[:-1], directory, "unsupported", "a link to a folder that is indexed anyway"
                )
                continue
            entered.add(identity)
            with os.scandir(directory) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield _problem(prefix[:-1], directory, "failed", f"the folder can't be read: {error.strerror}")
            continue
        for entry in entries:
            path, source = directory / entry.name, prefix + entry.name
            if _is_left_out(entry, source, options, skipped):
                continue
            if entry.is_dir(follow_symlinks=False):
                pending.append((path, source + "/"))
            elif path.is_dir() and options.follow_symlinks:
                linked.append((path, source + "/"))
            elif path.is_dir():
                yield _problem(source, path, "unsupported", "a symbolic link; --follow-symlinks reads it")
            elif not options.include or _matches(source, options.include):
                yield _file(source, path, entry, options)


def _is_left_out(entry: os.DirEntry[str], source: str, options: ScanOptions, skipped: set[str]) -> bool:
    return (
        entry.name.startswith(".")
        or _matches(source, options.exclude)
        or os.path.realpath(entry.path) in skipped
    )


def _file(source: str, path: Path, entry: os.DirEntry[str], options: ScanOptions) -> FoundFile:
    if _printable(source) != source:
        return _problem(source, path, "failed", "the file's name is not valid UTF-8; rename the file")
    if entry.is_symlink() and not options.follow_symlinks:
        return _problem(source, path, "unsupported", "a symbolic link; --follow-symlinks reads it")
    try:
        status = entry.stat()
    except OSError as error:
        reason = "a broken symbolic link" if entry.is_symlink() else f"it can't be read: {error.strerror}"
        return _problem(source, path, "failed", reason)
    if not stat.S_ISREG(status.st_mode):
        return _problem(source, path, "unsupported", "not a regular file")
    if status.st_size > options.max_file_size:
        reason = (
            f"{status.st_size:,} bytes, over the limit of {options.max_file_size:,}; "
            "--max-file-size raises it"
        )
        return FoundFile(source, path, status.st_size, status.st_mtime_ns, ("unsupported", reason))
    return FoundFile(source, path, status.st_size, status.st_mtime_ns)


def _problem(source: str, path: Path, status: Status, reason: str) -> FoundFile:
    return FoundFile(_printable(source), path, 0, 0, (status, reason))


def _printable(source: str) -> str:
    """A name as text, also where the bytes on disk are no UTF-8."""
    return os.fsencode(source).decode("utf-8", "backslashreplace")


def _matches(source: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(source, pattern) or fnmatchcase(source, f"*/{pattern}") for pattern in patterns)
