"""A file is given another name in one step, and never over another file."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from contextlib import suppress
from functools import partial
from pathlib import Path


def put(source: Path, target: Path) -> None:
    """Give the file ``source`` the name ``target`` on the same file system, in one step.

    Raises:
        FileExistsError: there is a file of that name.
        OSError: it can't be moved; then nothing has changed.
    """
    try:
        os.link(source, target, follow_symlinks=False)
        give_up = source.unlink
    except FileExistsError:
        raise
    except (OSError, NotImplementedError) as error:  # there are no hard links here, or none to links
        if isinstance(error, OSError) and error.errno == errno.EXDEV:
            raise
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))  # the name is taken
        give_up = partial(os.replace, source, target)
    try:
        give_up()
    except OSError:
        target.unlink()
        raise
    flush(target.parent)
    flush(source.parent)


def move(source: Path, target: Path) -> None:
    """Move a file or a link, never over another file; to another file system by a copy that is flushed.

    Raises:
        FileExistsError: there is a ``target``.
        OSError: it can't be moved; then nothing has changed.
    """
    try:
        put(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    beside = target.with_name(f".{target.name[:40]}.{os.getpid()}-{time.time_ns()}.part")
    try:
        before = _copied(source, beside)
        if _identity(source.lstat()) != before:
            raise OSError(errno.EBUSY, "it was changed while it was copied", str(source))
        put(beside, target)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    try:
        source.unlink()
    except OSError:
        target.unlink()
        raise
    flush(source.parent)


def flush(path: Path) -> None:
    """Have the operating system write a folder to the disk, where that exists."""
    if os.name != "nt":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _copied(source: Path, target: Path) -> tuple[int, int, int, int]:
    """Copy a file or a link with its times and rights; return which file it was when that began."""
    before = source.lstat()
    if stat.S_ISLNK(before.st_mode):
        target.symlink_to(source.readlink())
        return _identity(before)
    with source.open("rb") as read, target.open("xb") as written:
        shutil.copyfileobj(read, written, 1 << 20)
        written.flush()
        os.fsync(written.fileno())
    shutil.copystat(source, target)
    return _identity(before)
