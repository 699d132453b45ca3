"""Files that come from a browser: into ``uploads/`` of the folder, under a name that can do no harm."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from index import FolderError, FootnoteError, supported
from qa.web.library_folder.files import source_of
from qa.web.library_folder.moving import put

if TYPE_CHECKING:
    from qa.web.access import Quota

FOLDER = "uploads"
NAME_BYTES = 200
SAME_NAMES = 1_000
"""So many files may have the same name but for their numbers."""

RESERVE = 500_000_000
"""Bytes of the disk that uploads leave free."""

_ENDING_BYTES = 20
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # words of several languages need them
_FORBIDDEN = re.compile(r'[<>:"|?*]')  # on Windows, and by what a shell makes of them
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]) *(\.|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What one upload may bring: bytes a file, and files; and the users' quota, if there is one."""

    file_bytes: int = 200_000_000
    files: int = 100
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What became of one file.

    Attributes:
        name: what it was called.
        outcome: "saved", "already there" with the same bytes under the same name, or "refused".
        source: what it is called in the index; None where it was refused.
        reason: why it was refused, or what it is called now; "" where there is nothing to say.
        bytes: its size; 0 where it was refused.
    """

    name: str
    outcome: Literal["saved", "already there", "refused"]
    source: str | None
    reason: str
    bytes: int


class _RefusedError(FootnoteError):
    """One file is not taken."""


def save_uploads(
    folders: Sequence[Path],
    files: Sequence[tuple[str, Path]],
    limits: UploadLimits | None = None,
    payers: tuple[str, ...] = ("",),
) -> tuple[Uploaded, ...]:
    """Save files in ``uploads`` of the first folder; one that is refused costs the others nothing.

    A file comes to its name whole and in one step, and never in place of another. Safe to call from
    several threads and processes.

    Args:
        folders: the documents.
        files: the name that each was sent with, and where its bytes are; these stay there.
        limits: what is too much.
        payers: on whose quota it is, as `qa.web.access.payers` names them.

    Raises:
        FolderError: ``uploads`` can't be made, or is a link.
    """
    limits = limits or UploadLimits()
    place = _uploads_of(folders[0])
    outcomes = []
    for number, (name, temporary) in enumerate(files):
        try:
            if number >= limits.files:
                raise _RefusedError(f"more than {limits.files:,} files at once; send it again")
            target, size, is_new = _saved(place, name, temporary, limits, payers)
        except FootnoteError as error:
            outcomes.append(Uploaded(name, "refused", None, str(error), 0))
        except OSError as error:
            reason = f"it can't be saved: {error.strerror or error}"
            outcomes.append(Uploaded(name, "refused", None, reason, 0))
        else:
            reason = f"saved as {target.name}" if target.name != name else ""
            source = source_of(folders, target)
            outcomes.append(Uploaded(name, "saved" if is_new else "already there", source, reason, size))
    return tuple(outcomes)


def safe_name(name: str) -> str:
    """``name`` as a file may be called on every system; "" where nothing of it is left.

    No folders, no control or format characters, no dots or spaces around it, no name that Windows keeps
    for itself; Unicode in NFC, at most `NAME_BYTES` bytes of UTF-8 with the ending kept.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    shown = "".join(" " if unicodedata.category(c) == "Zs" else c for c in last if _is_shown(c))
    safe = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", shown)).lstrip(". ").rstrip(". ")
    if _RESERVED.match(safe):
        safe = f"_{safe}"
    return numbered(safe, 1)


def numbered(name: str, number: int) -> str:
    """``name`` with " (number)" before its ending, but for the first; cut to `NAME_BYTES`."""
    stem, ending = _split(name)
    mark = f" ({number})" if number > 1 else ""
    room = NAME_BYTES - len(mark.encode()) - len(ending.encode())
    if len(stem.encode()) > room:
        stem = stem.encode()[:room].decode(errors="ignore")
    return f"{stem.rstrip('. ')}{mark}{ending}"


def _is_shown(character: str) -> bool:
    """Whether a character is to be seen. Marks of direction make a name look like another one."""
    return character in _JOINERS or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _split(name: str) -> tuple[str, str]:
    """A name's stem, and its ending with the dot, as in ".tar.gz"; long endings are none."""
    stem, dot, last = name.rpartition(".")
    if not stem or len(last.encode()) >= _ENDING_BYTES:
        return name, ""
    ending = dot + last
    if stem.lower().endswith(".tar") and len(stem) > len(".tar"):
        stem, ending = stem[: -len(".tar")], stem[-len(".tar") :] + ending
    return stem, ending


def _uploads_of(folder: Path) -> Path:
    place = folder / FOLDER
    try:
        place.mkdir(exist_ok=True)
        mode = place.lstat().st_mode
    except OSError as error:
        raise FolderError(f"{place} can't be made: {error.strerror}; uploads go there") from error
    if not stat.S_ISDIR(mode):
        raise FolderError(f"{place} is a link to another folder; uploads are saved in the folder itself")
    return place


def _saved(
    place: Path, name: str, temporary: Path, limits: UploadLimits, payers: tuple[str, ...]
) -> tuple[Path, int, bool]:
    """Save one file; return where it lies, its size, and whether it was not there before."""
    wanted = safe_name(name)
    if not wanted:
        raise _RefusedError("it has no name")
    if not supported(wanted):
        raise _RefusedError(
            f"{Path(wanted).suffix} files are not read; save it as .pdf, .docx, .html or .txt"
        )
    if shutil.disk_usage(place).free < RESERVE + temporary.lstat().st_size:
        raise _RefusedError("the disk is almost full; tell whoever runs Footnote")
    partial = place / f".{uuid4().hex}.part"  # hidden: nobody takes it for a document
    try:
        size, digest = _copied(temporary, partial, limits.file_bytes)
        with _counted(limits.quota, payers, size) as keep:
            target, is_new = _placed(place, wanted, partial, size, digest)
            if is_new:
                keep()
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return target, size, is_new


@contextmanager
def _counted(quota: Quota | None, payers: tuple[str, ...], size: int) -> Iterator[Callable[[], None]]:
    """Take ``size`` of the quota; it is given back where it is not kept."""
    if quota is None:
        yield lambda: None
        return
    quota.take(payers, size)
    kept = Event()
    try:
        yield kept.set
    finally:
        if not kept.is_set():
            quota.give_back(payers, size)


def _copied(source: Path, target: Path, most: int) -> tuple[int, str]:
    """Copy a file's bytes to the disk; return how many there are and their sha256."""
    size, digest = 0, hashlib.sha256()
    with _opened(source) as read, target.open("xb") as written:
        while chunk := read.read(1 << 20):
            size += len(chunk)
            if size > most:
                raise _RefusedError(f"it is larger than {most:,} bytes")
            digest.update(chunk)
            written.write(chunk)
        if not size:
            raise _RefusedError("it is empty")
        written.flush()
        os.fsync(written.fileno())
    return size, digest.hexdigest()


def _opened(path: Path) -> BufferedReader:
    """A regular file, opened for reading; a link is not followed, where the system can tell."""
    descriptor = os.open(
        path,
        os.O_RDONLY
        | getattr(os, "O_BINARY", 0)
        | getattr(os, "O_NOFOLLOW", 0)
        | getattr(os, "O_NONBLOCK", 0),
    )
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _RefusedError("it is not a file")
    return os.fdopen(descriptor, "rb")


def _placed(place: Path, wanted: str, partial: Path, size: int, digest: str) -> tuple[Path, bool]:
    """Give the file the first name that is free; or find the one that has its bytes already."""
    for number in range(1, SAME_NAMES + 1):
        target = place / numbered(wanted, number)
        try:
            put(partial, target)
            return target, True
        except FileExistsError:
            if _holds(target, size, digest):
                return target, False
    raise _RefusedError(f"there are {SAME_NAMES:,} files called {wanted} already; rename it")


def _holds(path: Path, size: int, digest: str) -> bool:
    """Whether a file has these bytes. One that is gone meanwhile, or is none, has others."""
    try:
        with _opened(path) as file:
            same_size = os.fstat(file.fileno()).st_size == size
            return same_size and hashlib.file_digest(file, "sha256").hexdigest() == digest
    except (_RefusedError, OSError):
        return False
