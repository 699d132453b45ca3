"""What lies in a folder: every file that could be a document, and why one could not be read."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self

from index.errors import FolderError
from index.ignoring import Ignored
from index.model import Status

DEFAULT_MAX_FILE_SIZE = 200_000_000
LIKE_AN_ARCHIVE = "paths in it would be those of files inside an archive; rename the folder, without '!'"
LINK_TO_INDEXED = "a link to a folder that is indexed anyway"
LINK = "a symbolic link; --follow-symlinks reads it"


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


def scan(folders: Sequence[Path], options: ScanOptions, skip: Iterable[Path] = ()) -> list[FoundFile]:
    """List the files below ``folders``, by source. Hidden files and folders are left out.

    A file's source is its path relative to the only folder, else ``name of its folder/path``.

    Args:
        folders: the folders of documents.
        options: which files count.
        skip: folders to leave out, such as an index that lies inside.

    Raises:
        FolderError: a folder is missing, is no folder, or can't be listed.
    """
    skipped = {os.path.realpath(path) for path in skip}
    found: list[FoundFile] = []
    for folder, prefix in roots(folders):
        check_folder(folder)
        found += _walk(folder, prefix, options, skipped)
    return sorted(found, key=lambda file: file.source)


def roots(folders: Sequence[Path]) -> list[tuple[Path, str]]:
    """Each folder with what stands before the paths of its files: "" where there is only one.

    Raises:
        FolderError: two folders have the same name, or one lies inside another.
    """
    if len(folders) == 1:
        return [(folders[0], "")]
    real = [folder.resolve() for folder in folders]
    for place, folder in enumerate(real):
        for other in real[:place]:
            if folder.name == other.name:
                raise FolderError(
                    f"two folders are called {folder.name!r} ({other} and {folder}), and the paths of their "
                    "documents begin with that name; rename one, or index the folder that holds both"
                )
            if folder.is_relative_to(other) or other.is_relative_to(folder):
                raise FolderError(f"one of {other} and {folder} lies inside the other; give the outer one")
    return [(folder, f"{resolved.name}/") for folder, resolved in zip(folders, real, strict=True)]


def _walk(folder: Path, root: str, options: ScanOptions, skipped: set[str]) -> Iterator[FoundFile]:
    # Folders behind symbolic links come last, and each real folder is entered once: a link into a
    # loop, or to a folder that is reached without it, is reported and not followed.
    pending = deque([(folder, root, Ignored())])
    linked = deque[tuple[Path, str, Ignored]]()
    entered: set[tuple[int, int]] = set()
    while pending or linked:
        is_link = not pending
        directory, prefix, ignored = (pending or linked).popleft()
        try:
            status = directory.stat()
            identity = (status.st_dev, status.st_ino)
            if is_link and identity in entered:
                yield _problem(prefix[:-1], directory, "unsupported", LINK_TO_INDEXED)
                continue
            entered.add(identity)
            with os.scandir(directory) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
            ignored = ignored.with_folder(entries, prefix)
        except OSError as error:
            yield _problem(prefix[:-1], directory, "failed", f"the folder can't be read: {error.strerror}")
            continue
        for entry in entries:
            source, path = prefix + entry.name, directory / entry.name
            is_folder = _is_folder(entry)
            if _is_left_out(entry, source, options, skipped) or ignored.covers(source, is_folder):
                continue
            if is_folder and (problem := _folder_problem(entry, options)) is not None:
                yield _problem(source, path, *problem)
            elif is_folder:
                (linked if entry.is_symlink() else pending).append((path, source + "/", ignored))
            elif not options.include or _matches(source, options.include):
                yield _file(source, path, entry, options)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one; a link to itself is neither."""
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry.path).is_dir())


def _folder_problem(entry: os.DirEntry[str], options: ScanOptions) -> tuple[Status, str] | None:
    """Why a folder is not to be entered, if so."""
    if entry.name.endswith("!"):
        return "failed", LIKE_AN_ARCHIVE
    if entry.is_symlink() and not options.follow_symlinks:
        return "unsupported", LINK
    return None


def _is_left_out(
    entry: os.DirEntry[str], source: str, options: ScanOptions, skipped: Collection[str]
) -> bool:
    return (
        entry.name.startswith(".")
        or _matches(source, options.exclude)
        or (_is_folder(entry) and os.path.realpath(entry.path) in skipped)
    )


def _file(source: str, path: Path, entry: os.DirEntry[str], options: ScanOptions) -> FoundFile:
    if _printable(source) != source:
        return _problem(source, path, "failed", "the file's name is not valid UTF-8; rename the file")
    if entry.is_symlink() and not options.follow_symlinks:
        return _problem(source, path, "unsupported", LINK)
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
