"""A folder -> a published index: scan, read, parse, chunk, encode, publish."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from index import lexical, snapshot
from index.ahead import EmbeddingAhead
from index.catalog import Catalog, FileRow
from index.changes import Changes, compare
from index.chunking import ChunkSettings, embedded_text
from index.embeddings import EmbeddingCache
from index.encoder import DEFAULT_ENCODER, Encoder, load_encoder
from index.encoder.sentence_transformer import SentenceTransformerEncoder
from index.errors import (
    IndexDamagedError,
    IndexMismatchError,
    IndexNotFoundError,
    IndexWriteError,
    UsageError,
)
from index.intake import Progress, Reading, is_current, take_in
from index.languages import is_foreign
from index.model import BuildReport
from index.sandbox import DEFAULT_LIMITS, Limits
from index.scan import FoundFile, ScanOptions, check_folder, roots, scan
from index.writing import Job, check, each_passage, open_catalog, write_lexical, write_vectors

Folders = str | Path | Sequence[str | Path]
"""A folder of documents, or several."""


def rebuild(
    folder: Folders,
    index_dir: str | Path | None = None,
    *,
    encoder: Encoder | str = DEFAULT_ENCODER,
    options: ScanOptions | None = None,
    settings: ChunkSettings | None = None,
    passwords: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> BuildReport:
    """Read, parse and index every file of ``folder``; cached vectors are used again.

    Args:
        folder: the folder of documents, or several of them.
        index_dir: where the index lies; by default ``FOLDER/../.footnote/<folder name>``.
        encoder: a Sentence Transformers model by name or path, or a loaded encoder.
        options: which files count.
        settings: how documents are split.
        passwords: tried on each file that asks for one.
        limits: what reading one file may take.
        progress: called while the build goes on.

    Raises:
        FolderError: the folder is missing or is no folder.
        IndexLockedError: another process is writing the index.
        IndexWriteError: the index can't be written.
        EncoderError: the encoder can't be loaded.
    """
    folders, place = folders_and_place(folder, index_dir)
    with snapshot.writer_lock(place):
        chosen, settings = _loaded(encoder), settings or ChunkSettings()
        reading = Reading(chosen, settings, chosen.name, tuple(passwords), limits)
        job = Job(folders, place, chosen, options or ScanOptions(), reading, progress or _silent)
        return _build(job, previous=_replaceable(place), base=None, has_news=True)


def update(
    folder: Folders,
    index_dir: str | Path | None = None,
    *,
    encoder: Encoder | str | None = None,
    options: ScanOptions | None = None,
    passwords: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> BuildReport:
    """Bring the index of ``folder`` up to date, touching only what changed; make it if absent.

    A file whose size and mtime are as before is not opened; one whose bytes are as before is not
    parsed. Encoder, options and chunk settings are those of the index where not given.

    Args:
        folder: the folder of documents, or several of them.
        index_dir: where the index lies; by default ``FOLDER/../.footnote/<folder name>``.
        encoder: must be the index's own, if given.
        options: which files count.
        passwords: tried on each file that asks for one.
        limits: what reading one file may take.
        progress: called while the build goes on.

    Raises:
        FolderError: the folder is missing or is no folder.
        IndexMismatchError: the index was made with another encoder, chunker or format, or of
            another folder.
        IndexDamagedError: a file of the index is missing or can't be read.
        IndexLockedError: another process is writing the index.
        IndexWriteError: the index can't be written.
        EncoderError: its encoder can't be loaded.
    """
    folders, place = folders_and_place(folder, index_dir)
    with snapshot.writer_lock(place):
        try:
            live = snapshot.live_snapshot(place)
        except IndexNotFoundError:
            chosen = _loaded(encoder or DEFAULT_ENCODER)
            reading = Reading(chosen, ChunkSettings(), chosen.name, tuple(passwords), limits)
            job = Job(folders, place, chosen, options or ScanOptions(), reading, progress or _silent)
            return _build(job, previous=None, base=None, has_news=True)
        manifest = snapshot.read_manifest(place, live)
        chosen = _loaded(encoder or str(manifest.encoder["name"]))
        check_recipe(place, manifest, chosen)
        _check_folders(place, manifest, folders)
        recorded = ScanOptions.from_manifest(manifest.scan)
        options = options or recorded
        settings = ChunkSettings(**manifest.chunker)
        reading = Reading(chosen, settings, chosen.name, tuple(passwords), limits)
        job = Job(folders, place, chosen, options, reading, progress or _silent)
        has_news = options != recorded or list(manifest.folders) != _resolved(folders)
        return _build(job, previous=live, base=live, has_news=has_news)


def purge(index_dir: str | Path, encoder: Encoder | None = None) -> int:
    """Drop all snapshots but the live one, and the cached vectors that no passage of it needs.

    Returns how many vectors went. ``encoder`` is the index's own where not given.

    Raises:
        IndexNotFoundError: there is no index.
        IndexDamagedError: a file of it is missing or can't be read.
        IndexLockedError: another process is writing the index.
        EncoderError: its encoder can't be loaded.
    """
    place = Path(index_dir)
    snapshot.live_snapshot(place)  # where there is no index, no lock file is made either
    with snapshot.writer_lock(place):
        live = snapshot.live_snapshot(place)
        manifest = snapshot.read_manifest(place, live)
        chosen = encoder or load_encoder(str(manifest.encoder["name"]))
        if manifest.lexical_removed:
            live = _without_removed_words(place, live, manifest)
        snapshot.drop_snapshots(place, frozenset({live}))
        catalog = Catalog.open(snapshot.snapshot_dir(place, live) / snapshot.CATALOG)
        with closing(catalog), EmbeddingCache(place / snapshot.CACHE, chosen) as cache:
            return cache.keep_only(embedded_text(passage) for _, _, passage in each_passage(catalog, 0))


def _without_removed_words(index_dir: Path, live: str, manifest: snapshot.Manifest) -> str:
    """Publish the live snapshot once more, with a word index that knows no removed passage."""
    before, work = snapshot.snapshot_dir(index_dir, live), snapshot.start_work(index_dir)
    for name in (snapshot.CATALOG, snapshot.VECTORS):
        snapshot.link_or_copy(before / name, work / name)
    with closing(Catalog.open(before / snapshot.CATALOG)) as catalog:
        rows = ((number, content, p.context, p.text) for number, content, p in each_passage(catalog, 0))
        lexical.write(work / snapshot.LEXICAL, rows)
    return snapshot.publish(index_dir, replace(manifest, previous=None, lexical_removed=0))


def check_recipe(index_dir: Path, manifest: snapshot.Manifest, encoder: Encoder) -> None:
    """Refuse an index that ``encoder`` and this version of Footnote would have made otherwise.

    Raises:
        IndexMismatchError: names what differs and the command that makes the index again.
    """
    differs = []
    if manifest.encoder["fingerprint"] != encoder.fingerprint:
        made, here = str(manifest.encoder["fingerprint"])[:8], encoder.fingerprint[:8]
        differs.append(f"its encoder is {manifest.encoder['name']} ({made}), not {encoder.name} ({here})")
    if manifest.chunker["version"] != ChunkSettings().version:
        differs.append("its passages were cut by another version of Footnote")
    if manifest.lexical != lexical.LEXICAL_VERSION:
        differs.append("its words were indexed by another version of Footnote")
    if differs:
        command = snapshot.rebuild_command(manifest.folders, index_dir)
        raise IndexMismatchError(
            f"the index in {index_dir} does not fit: {'; '.join(differs)}. Make it again: {command}"
        )


def recorded_options(index_dir: str | Path) -> ScanOptions:
    """Which files count for an index; the defaults where there is none.

    Raises:
        IndexDamagedError: its manifest can't be read.
        IndexMismatchError: it has another format.
    """
    place = Path(index_dir)
    try:
        manifest = snapshot.read_manifest(place, snapshot.live_snapshot(place))
    except IndexNotFoundError:
        return ScanOptions()
    return ScanOptions.from_manifest(manifest.scan)


def default_index_dir(folder: str | Path) -> Path:
    """Where the index of ``folder`` lies if nothing else is said: ``FOLDER/../.footnote/<name>``."""
    resolved = Path(folder).resolve()
    return resolved.parent / ".footnote" / (resolved.name or "root")


def _loaded(encoder: Encoder | str) -> Encoder:
    return load_encoder(encoder) if isinstance(encoder, str) else encoder


def _silent(stage: str, done: int, total: int) -> None:
    """Report no progress."""


def folders_and_place(folder: Folders, index_dir: str | Path | None) -> tuple[tuple[Path, ...], Path]:
    """The folders, and where their index lies. Checked before anything is made: an error leaves no trace."""
    folders = (Path(folder),) if isinstance(folder, (str, Path)) else tuple(Path(each) for each in folder)
    for each in folders:
        check_folder(each)
    roots(folders)
    if index_dir is not None:
        return folders, Path(index_dir)
    if len(folders) != 1:
        raise UsageError("several folders have no common place for their index; name one with --index DIR")
    return folders, default_index_dir(folders[0])


def _resolved(folders: Sequence[Path]) -> list[str]:
    return [str(folder.resolve()) for folder in folders]


def _replaceable(index_dir: Path) -> str | None:
    """The live snapshot, whatever its state; a rebuild is the remedy for a damaged one."""
    try:
        return snapshot.live_snapshot(index_dir)
    except (IndexNotFoundError, IndexDamagedError):
        return None


def _check_folders(index_dir: Path, manifest: snapshot.Manifest, folders: Sequence[Path]) -> None:
    """Refuse to replace the documents of other folders. A folder that was moved is no other one."""
    before = [Path(folder) for folder in manifest.folders]
    there = [folder for folder in before if folder.is_dir()]
    if there and not all(any(old.samefile(new) for new in folders) for old in there):
        command = snapshot.rebuild_command([str(folder) for folder in folders], index_dir)
        raise IndexMismatchError(
            f"the index in {index_dir} is that of {manifest.folder}, not of {', '.join(map(str, folders))}; "
            f"choose another place with --index, or replace it: {command}"
        )


def _build(job: Job, previous: str | None, base: str | None, *, has_news: bool) -> BuildReport:
    """Write a snapshot, from ``base`` or from nothing, and publish it.

    ``has_news`` says that there is something to write even where no file has changed.
    """
    started = time.perf_counter()
    found = scan(job.folders, job.options, skip=[job.index_dir])
    if job.options.include and not found:
        places, patterns = ", ".join(map(str, job.folders)), " ".join(job.options.include)
        raise UsageError(f"no file in {places} matches --include {patterns}")
    if base is not None and not has_news:
        live = Catalog.open(snapshot.snapshot_dir(job.index_dir, base) / snapshot.CATALOG)
        with closing(live):
            if is_current(live, found, job.reading):
                return _report(job, live, Changes(), started, base)
    try:
        work = snapshot.start_work(job.index_dir, _recipe(job, previous, base))
        report = _written(job, work, found, previous, base, has_news=has_news, started=started)
    except IndexDamagedError:
        snapshot.clear_work(job.index_dir)  # nothing is gone on with that can't be read
        raise
    except (sqlite3.OperationalError, OSError) as error:
        with suppress(OSError):
            snapshot.clear_work(job.index_dir)
        raise IndexWriteError(
            f"the index in {job.index_dir} can't be written: {error}; the live snapshot is as it was"
        ) from error
    snapshot.clear_work(job.index_dir)
    return report


def _written(
    job: Job,
    work: Path,
    found: Sequence[FoundFile],
    previous: str | None,
    base: str | None,
    *,
    has_news: bool,
    started: float,
) -> BuildReport:
    """Fill the work directory and publish it, if there is anything to publish."""
    before = _files_before(job.index_dir, previous)
    with closing(open_catalog(job.index_dir, work, previous, base)) as catalog:
        first_new = catalog.last_passage_id() if base is not None else 0
        with EmbeddingAhead(job.index_dir / snapshot.CACHE, job.encoder) as ahead:
            written = take_in(catalog, found, replace(job.reading, hear=ahead.add), job.progress)
        changes = compare(before, catalog.files())
        if not written and not has_news:
            return _report(job, catalog, changes, started, str(base))
        orphans = catalog.orphans()
        gone = catalog.remove_contents(orphans)
        catalog.commit()
        embedded, dimension = write_vectors(job, catalog, work, base, first_new, gone)
        removed = write_lexical(job, catalog, work, base, first_new, orphans, len(gone))
        report = _report(job, catalog, changes, started)
    check(work, report.passages)
    if base is not None and not changes and not has_news:
        previous = snapshot.read_manifest(job.index_dir, base).previous  # rollback still leads to it
    manifest = _manifest(job, report, previous, dimension, removed)
    name = snapshot.publish(job.index_dir, manifest)
    snapshot.drop_snapshots(job.index_dir, frozenset(kept for kept in (name, previous) if kept))
    seconds = time.perf_counter() - started
    embedded += ahead.embedded
    return replace(report, snapshot=name, published=True, embedded=embedded, seconds=seconds)


def _recipe(job: Job, previous: str | None, base: str | None) -> Mapping[str, Any] | None:
    """What work that was stopped must have been begun with, to be gone on with; None for an update.

    An update takes the texts of its base from there; only what is built from nothing is worth keeping.
    """
    if base is not None:
        return None
    return {
        "folders": _resolved(job.folders),
        "previous": previous,
        "encoder": job.encoder.fingerprint,
        "chunker": job.reading.settings.as_manifest(),
        "scan": job.options.as_manifest(),
        "seconds": job.reading.limits.seconds,
    }


def _files_before(index_dir: Path, previous: str | None) -> Mapping[str, FileRow]:
    """The files of the live snapshot; none where there is no sound one."""
    if previous is None:
        return {}
    try:
        with closing(Catalog.open(snapshot.snapshot_dir(index_dir, previous) / snapshot.CATALOG)) as catalog:
            return catalog.files()
    except IndexDamagedError:
        return {}


def _report(job: Job, catalog: Catalog, changes: Changes, started: float, name: str = "") -> BuildReport:
    """What the build found; the live snapshot's ``name`` where nothing is published."""
    documents = catalog.documents()
    return BuildReport(
        index_dir=str(job.index_dir),
        snapshot=name,
        published=False,
        added=tuple(changes.added),
        changed=tuple(changes.changed),
        renamed=tuple(changes.renamed),
        removed=tuple(changes.removed),
        counts=dict(Counter(document.status for document in documents)),
        passages=catalog.count_passages(),
        seconds=time.perf_counter() - started,
        failed=tuple(document for document in documents if document.status == "failed"),
        locked=tuple(changes.locked),
        foreign=tuple(document for document in documents if is_foreign(document.language, job.encoder.name)),
    )


def _runtime(encoder: Encoder) -> str:
    return encoder.runtime.name if isinstance(encoder, SentenceTransformerEncoder) else ""


def _manifest(
    job: Job, report: BuildReport, previous: str | None, dimension: int, lexical_removed: int
) -> snapshot.Manifest:
    from index.vectors import VECTOR_INDEX

    return snapshot.Manifest(
        folders=_resolved(job.folders),
        previous=previous,
        encoder={
            "name": job.encoder.name,
            "fingerprint": job.encoder.fingerprint,
            "dimension": dimension,
            "normalised": True,
            "runtime": _runtime(job.encoder),
        },
        chunker=job.reading.settings.as_manifest(),
        lexical=lexical.LEXICAL_VERSION,
        lexical_removed=lexical_removed,
        vector_index=VECTOR_INDEX,
        scan=job.options.as_manifest(),
        counts=report.counts,
        passages=report.passages,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
