"""The index directory: snapshots, the CURRENT pointer, the writer's lock.

A build writes a new snapshot beside the live one, flushes it to the disk and then replaces
CURRENT in one step. A crash at any instant leaves the old snapshot live. Readers take no lock.
See docs/index-format.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from index.errors import (
    IndexDamagedError,
    IndexLockedError,
    IndexMismatchError,
    IndexNotFoundError,
    IndexWriteError,
)

FORMAT = 5
CURRENT, LOCK, SNAPSHOTS, WORK = "CURRENT", "LOCK", "snapshots", ".work"
MANIFEST, CATALOG, VECTORS, LEXICAL = "manifest.json", "catalog.sqlite", "vectors.faiss", "lexical"
RECIPE = "recipe.json"
CACHE = Path("cache") / "embeddings.sqlite"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot is made of. Two snapshots with unlike ``recipe`` can't be mixed."""

    folders: Sequence[str]
    previous: str | None
    encoder: Mapping[str, Any]
    chunker: Mapping[str, int]
    lexical: int
    lexical_removed: int
    vector_index: str
    scan: Mapping[str, Any]
    counts: Mapping[str, int]
    passages: int
    created: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def folder(self) -> str:
        """The folder of documents; several are separated as the system separates paths."""
        return os.pathsep.join(self.folders)


def live_snapshot(index_dir: Path) -> str:
    """The name of the live snapshot.

    Raises:
        IndexNotFoundError: there is no index in ``index_dir``.
        IndexDamagedError: CURRENT names a snapshot that is not there.
    """
    name = _current(index_dir)
    while not name.isdecimal() or not snapshot_dir(index_dir, name).is_dir():
        again = _current(index_dir)
        if again == name:
            raise IndexDamagedError(f"{index_dir / CURRENT} names the snapshot {name!r}, which is not there")
        name = again  # a build replaced it, and dropped the old one, between the two looks
    return name


def _current(index_dir: Path) -> str:
    try:
        return (index_dir / CURRENT).read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IndexNotFoundError(
            f"there is no index in {index_dir}; make one with: {rebuild_command(['FOLDER'], index_dir)}"
        ) from error
    except UnicodeDecodeError as error:
        raise IndexDamagedError(f"{index_dir / CURRENT} is damaged") from error


def snapshot_dir(index_dir: Path, name: str) -> Path:
    """The directory of the snapshot ``name``."""
    return index_dir / SNAPSHOTS / name


def snapshot_names(index_dir: Path) -> list[str]:
    """The names of all snapshots on disk, oldest first."""
    directory = index_dir / SNAPSHOTS
    if not directory.is_dir():
        return []
    return sorted(path.name for path in directory.iterdir() if path.name.isdecimal())


def earlier_snapshot(index_dir: Path, name: str) -> str:
    """The snapshot that was live before ``name``.

    Raises:
        IndexNotFoundError: it is not kept, or there was none.
    """
    names = snapshot_names(index_dir)
    try:
        previous = read_manifest(index_dir, name).previous
    except IndexDamagedError:  # then the newest one beside it, if there is one
        previous = next((other for other in reversed(names) if other != name), None)
    if previous is None or previous not in names:
        raise IndexNotFoundError(f"the index in {index_dir} keeps no snapshot from before {name}")
    return previous


def read_manifest(index_dir: Path, name: str) -> Manifest:
    """Read the manifest of the snapshot ``name``.

    Raises:
        IndexMismatchError: the index has another format.
        IndexDamagedError: the manifest is missing or can't be read.
    """
    path = snapshot_dir(index_dir, name) / MANIFEST
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        found = values["format"]
        if found == FORMAT:
            return Manifest(**values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IndexDamagedError(f"{path} can't be read ({error})") from error
    raise IndexMismatchError(
        f"the index in {index_dir} has format {found}, this version of Footnote reads {FORMAT}; "
        f"make it again: {rebuild_command(_folders(values), index_dir)}"
    )


def _folders(values: Mapping[str, Any]) -> Sequence[str]:
    """The folders that a manifest of any format names."""
    return values.get("folders") or [str(values.get("folder", "FOLDER"))]


def rebuild_command(folders: Sequence[str], index_dir: Path) -> str:
    """The command that makes the index of ``folders`` again."""
    return shlex.join(["python", "-m", "index", "rebuild", *folders, "--index", str(index_dir)])


@contextmanager
def writer_lock(index_dir: Path) -> Iterator[None]:
    """Hold the writer's lock of ``index_dir``, which is made where there is none.

    The lock is the operating system's and ends with the process; the file only says who holds it.

    Raises:
        IndexLockedError: another process holds it; the message names its pid and the lock's age.
        IndexWriteError: the index can't be written.
    """
    import portalocker

    path = index_dir / LOCK
    try:
        index_dir.mkdir(parents=True, exist_ok=True)
        opened = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise IndexWriteError(f"the index in {index_dir} can't be written: {error}") from error
    with opened as file:
        try:
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.exceptions.LockException as error:
            raise IndexLockedError(_holder(index_dir, path)) from error
        try:
            file.truncate(0)
            file.write(json.dumps({"pid": os.getpid(), "since": time.time()}))
            file.flush()
            yield
        finally:
            file.truncate(0)
            portalocker.unlock(file)


def _holder(index_dir: Path, path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        age = f"process {holder['pid']} has been writing it for {time.time() - holder['since']:.0f} s"
    except (ValueError, KeyError):
        age = "another process has just begun to write it"
    return f"the index in {index_dir} is locked: {age}; wait for it, or stop that process"


def start_work(index_dir: Path, recipe: Mapping[str, Any] | None = None) -> Path:
    """A directory for the next snapshot. Needs the lock.

    Work that was stopped leaves its catalogue there; it is kept where it was begun with the same
    ``recipe`` (which is not None), and all else goes.
    """
    work = index_dir / SNAPSHOTS / WORK
    described = json.dumps(recipe, sort_keys=True)
    resumed = recipe is not None and _read(work / RECIPE) == described and (work / CATALOG).exists()
    if resumed:
        (work / VECTORS).unlink(missing_ok=True)
        shutil.rmtree(work / LEXICAL, ignore_errors=True)
    else:
        clear_work(index_dir)
    (work / LEXICAL).mkdir(parents=True, exist_ok=True)
    if not resumed:
        (work / RECIPE).write_text(described, encoding="utf-8")
    return work


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def clear_work(index_dir: Path) -> None:
    """Delete what is left of a snapshot that was not published. Needs the lock."""
    work = index_dir / SNAPSHOTS / WORK
    if work.exists():
        shutil.rmtree(work)


def link_or_copy(source: Path, target: Path) -> None:
    """Hard-link a file that never changes; copy it where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def copy(source: Path, target: Path) -> None:
    """Copy a file that will be written to."""
    shutil.copyfile(source, target)


def publish(index_dir: Path, manifest: Manifest) -> str:
    """Make the work directory the live snapshot and return its name. Needs the lock."""
    work = index_dir / SNAPSHOTS / WORK
    (work / RECIPE).unlink(missing_ok=True)
    values = asdict(manifest) | {"checksums": checksums(work)}
    (work / MANIFEST).write_text(json.dumps(values, indent=1, ensure_ascii=False), encoding="utf-8")
    for path in sorted(work.rglob("*")):
        _flush(path)
    _flush(work)
    names = snapshot_names(index_dir)
    name = f"{int(names[-1]) + 1 if names else 1:06d}"
    work.rename(snapshot_dir(index_dir, name))
    _flush(index_dir / SNAPSHOTS)
    set_live(index_dir, name)
    return name


def set_live(index_dir: Path, name: str) -> None:
    """Replace CURRENT in one step. Needs the lock."""
    temporary = index_dir / f"{CURRENT}.new"
    temporary.write_text(name + "\n", encoding="ascii")
    _flush(temporary)
    temporary.replace(index_dir / CURRENT)
    _flush(index_dir)


def drop_snapshots(index_dir: Path, keep: frozenset[str]) -> None:
    """Delete all snapshots but those named. Open readers keep the files they hold."""
    for name in snapshot_names(index_dir):
        if name not in keep:
            shutil.rmtree(snapshot_dir(index_dir, name))


def checksums(directory: Path) -> dict[str, str]:
    """The sha256 of each file below ``directory`` that holds data, by its relative path."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != MANIFEST and not path.name.endswith(".lock"):
            with path.open("rb") as file:
                found[path.relative_to(directory).as_posix()] = hashlib.file_digest(
                    file, "sha256"
                ).hexdigest()
    return found


def checksum_problems(index_dir: Path, name: str, manifest: Manifest) -> list[str]:
    """What differs between the files of a snapshot and its manifest, a sentence each."""
    directory = snapshot_dir(index_dir, name)
    found = checksums(directory)
    problems = []
    for path, expected in manifest.checksums.items():
        if path not in found:
            problems.append(f"{directory / path} is missing")
        elif found[path] != expected:
            problems.append(f"{directory / path} is altered: its checksum is not the manifest's")
    return problems


def _flush(path: Path) -> None:
    """Have the operating system write ``path`` to the disk; a folder too, where that exists."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
