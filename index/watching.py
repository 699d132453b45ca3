"""A folder that is followed: its index is brought up to date whenever a file comes, changes or goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

from index import snapshot
from index.builder import Folders, folders_and_place, update
from index.encoder import DEFAULT_ENCODER, Encoder, load_encoder
from index.errors import (
    FolderError,
    FootnoteError,
    IndexLockedError,
    IndexNotFoundError,
    IndexWriteError,
)
from index.ignoring import IGNORE_FILE
from index.intake import Progress
from index.model import BuildReport
from index.sandbox import DEFAULT_LIMITS, Limits
from index.scan import ScanOptions

QUIET_MS = 200
"""Editors save in several steps (write, flush, rename): these belong together."""

LONGEST_QUIET_MS = 1_000
"""A folder that never comes to rest is looked at all the same."""

LOOK_EVERY_MS = 1_000
"""How often the folders themselves are looked at: one that was replaced has to be followed anew."""

RETRY_SECONDS = 5.0
"""After trouble that may pass (another writer, a full disk, a folder that is not mounted)."""


def watch(
    folder: Folders,
    index_dir: str | Path | None = None,
    *,
    encoder: Encoder | str | None = None,
    options: ScanOptions | None = None,
    passwords: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
    trouble: Callable[[FootnoteError], None] = lambda error: None,
    stop: Event | None = None,
) -> Iterator[BuildReport]:
    """Bring the index of ``folder`` up to date now and after every change; yield what each update did.

    Args:
        folder: the folder of documents, or several of them.
        index_dir: where the index lies; by default ``FOLDER/../.footnote/<folder name>``.
        encoder: must be the index's own, if given; it is loaded once.
        options: which files count.
        passwords: tried on each file that asks for one.
        limits: what reading one file may take.
        progress: called while an update goes on.
        trouble: called with what keeps an update from being made; it is tried again.
        stop: ends the watching once it is set.

    Raises:
        FolderError: a folder is missing at the start.
        IndexMismatchError, IndexDamagedError, EncoderError: as `update`.
    """
    folders, place = folders_and_place(folder, index_dir)
    chosen = load_encoder(encoder or _recorded_encoder(place)) if isinstance(encoder, str | None) else encoder
    stop = stop or Event()
    due, not_before = True, 0.0
    while not stop.is_set():
        for changed in _changes(folders, place, stop):
            due = due or changed
            if not due or time.monotonic() < not_before:
                continue
            try:
                yield update(
                    folders,
                    place,
                    encoder=chosen,
                    options=options,
                    passwords=passwords,
                    limits=limits,
                    progress=progress,
                )
                due = False
            except (FolderError, IndexLockedError, IndexWriteError) as error:
                trouble(error)
                not_before = time.monotonic() + RETRY_SECONDS
        due = True  # the folders were replaced: look at all of them
        stop.wait(LOOK_EVERY_MS / 1000)


def _recorded_encoder(index_dir: Path) -> str:
    """The encoder of the index; the bundled one where there is none yet."""
    try:
        manifest = snapshot.read_manifest(index_dir, snapshot.live_snapshot(index_dir))
    except IndexNotFoundError:
        return DEFAULT_ENCODER
    return str(manifest.encoder["name"])


def _changes(folders: Sequence[Path], index_dir: Path, stop: Event) -> Iterator[bool]:
    """Yield whether something has changed, at least once a second, until a folder is replaced."""
    import watchfiles

    real_index = index_dir.resolve()
    identities = _identities(folders)
    if None in identities:
        return
    roots = [folder.resolve() for folder in folders]

    def counts(change: watchfiles.Change, path: str) -> bool:
        return _counts(Path(path), roots, real_index)

    yield True  # what happened before the watch began
    for changes in watchfiles.watch(
        *roots,
        watch_filter=counts,
        debounce=LONGEST_QUIET_MS,
        step=QUIET_MS,
        stop_event=stop,
        rust_timeout=LOOK_EVERY_MS,
        yield_on_timeout=True,
        raise_interrupt=True,
    ):
        yield bool(changes)
        if _identities(folders) != identities:
            return


def _identities(folders: Sequence[Path]) -> list[tuple[int, int] | None]:
    """Which folders these are on the disk; None for one that is not there."""
    found: list[tuple[int, int] | None] = []
    for folder in folders:
        try:
            status = folder.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_dev, status.st_ino))
    return found


def _counts(path: Path, roots: Sequence[Path], index_dir: Path) -> bool:
    """Whether a change of ``path`` can matter: hidden files and the index itself do not."""
    if path.is_relative_to(index_dir):
        return False
    root = next((root for root in roots if path.is_relative_to(root)), None)
    parts = path.relative_to(root).parts if root is not None else path.parts
    return all(not part.startswith(".") or part == IGNORE_FILE for part in parts)
