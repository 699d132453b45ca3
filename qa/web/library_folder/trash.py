"""Deleted documents: they go to a folder beside the index, and come back from there.

``<index>.trash/<time>/<source>``; a time is that of one deletion, and names it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from index import SourceNotFoundError, UsageError
from qa.web.library_folder.files import FolderChangeError, located, real
from qa.web.library_folder.moving import move

_STAMP = "%Y%m%dT%H%M%S.%fZ"
_STAMPS = re.compile(r"\d{8}T\d{6}\.\d{6}Z", re.ASCII)
_IGNORE = ".footnoteignore"


@dataclass(frozen=True, slots=True)
class Trashed:
    """A deleted document: what `restore` calls it, its source, when it was deleted (ISO 8601 in UTC)."""

    key: str
    source: str
    at: str
    bytes: int


def trash_dir(index_dir: Path) -> Path:
    """Where deleted documents go: beside the index, and named after it."""
    place = index_dir.absolute()
    return place.with_name(f"{place.name}.trash")


def move_to_trash(folders: Sequence[Path], index_dir: Path, source: str) -> Path:
    """Move the file of a document to the trash and return where it lies; a link goes, not what it leads to.

    Folders that become empty stay.

    Raises:
        SourceNotFoundError: there is no such file.
        UsageError: it is no document, lies inside another file, or behind a link.
        FolderChangeError: it can't be moved.
    """
    path, folder = located(folders, source)
    _check_file(path, folder, index_dir, source)
    try:
        place = _new_place(trash_dir(index_dir))
        target = place / source
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderChangeError(
            f"{source} can't be deleted: {trash_dir(index_dir)} can't be written ({error.strerror})"
        ) from error
    try:
        move(path, target)
    except FileNotFoundError as error:
        _remove_empty(place, target.parent)
        raise SourceNotFoundError(f"the file of {source} is not there any more") from error
    except OSError as error:
        _remove_empty(place, target.parent)
        raise FolderChangeError(f"{source} can't be deleted: {error.strerror}") from error
    return target


def restore(folders: Sequence[Path], index_dir: Path, key: str) -> str:
    """Move a deleted document back to where it was and return its source.

    Args:
        folders: the documents.
        index_dir: their index.
        key: that of a `Trashed`.

    Raises:
        SourceNotFoundError: it is not in the trash, or its folder is not one of these.
        UsageError: its place lies behind a link.
        FolderChangeError: another file has its name now, or it can't be moved.
    """
    found = _trashed(trash_dir(index_dir), key)
    if found is None:
        raise SourceNotFoundError(f"{key!r} is not in the trash; it may have been restored already")
    target, _ = located(folders, found.source)
    place = trash_dir(index_dir) / key
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        move(place / found.source, target)
    except FileExistsError as error:
        raise FolderChangeError(
            f"{found.source} can't be restored: another file has its name; rename or delete that first"
        ) from error
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"{found.source} is not in the trash any more") from error
    except OSError as error:
        raise FolderChangeError(f"{found.source} can't be restored: {error.strerror}") from error
    _remove_empty(place, (place / found.source).parent)
    return found.source


def trash(index_dir: Path, limit: int = 1_000) -> tuple[Trashed, ...]:
    """What was deleted, newest first."""
    place = trash_dir(index_dir)
    try:
        stamps = sorted((path.name for path in place.iterdir() if _STAMPS.fullmatch(path.name)), reverse=True)
    except FileNotFoundError:
        return ()
    found = (_trashed(place, stamp) for stamp in stamps[:limit])
    return tuple(file for file in found if file is not None)


def _check_file(path: Path, folder: Path, index_dir: Path, source: str) -> None:
    """See that ``path`` is a file, or a link, of the folder and not of the index."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceNotFoundError(f"there is no file {source} in {folder}") from error
    except OSError as error:
        raise FolderChangeError(f"{source} can't be deleted: {error.strerror}") from error
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise UsageError(f"{source} is a folder or a special file; only files can be deleted")
    if any(real(path.parent).is_relative_to(real(own)) for own in (index_dir, trash_dir(index_dir))):
        raise UsageError(f"{source} is part of the index")


def _new_place(trash: Path) -> Path:
    """A folder for one deletion, and a trash that no index takes for documents."""
    trash.mkdir(parents=True, exist_ok=True)
    if not (trash / _IGNORE).exists():
        (trash / _IGNORE).write_text("*\n", encoding="utf-8")
    while True:
        place = trash / datetime.now(UTC).strftime(_STAMP)
        with suppress(FileExistsError):  # two at the same microsecond
            place.mkdir()
            return place


def _remove_empty(place: Path, innermost: Path) -> None:
    """Remove the folders from ``innermost`` up to ``place`` that hold nothing."""
    with suppress(OSError):
        while innermost.is_relative_to(place):
            innermost.rmdir()
            innermost = innermost.parent


def _trashed(trash: Path, stamp: str) -> Trashed | None:
    """The file that was deleted at ``stamp``; None where there is none."""
    if not _STAMPS.fullmatch(stamp):
        return None
    place = trash / stamp
    for directory, folders, files in os.walk(place):
        links = [name for name in folders if (Path(directory) / name).is_symlink()]
        for name in (*files, *links):
            if name.startswith("."):
                continue  # what a copy that was cut off has left
            path = Path(directory) / name
            deleted = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
            return Trashed(
                stamp,
                path.relative_to(place).as_posix(),
                deleted.isoformat(timespec="seconds"),
                path.lstat().st_size,
            )
    return None
