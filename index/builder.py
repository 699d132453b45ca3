"""A folder -> a published index: scan, read, parse, chunk, encode, publish."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from index import lexical, snapshot
from index.catalog import Catalog
from index.chunking import ChunkSettings, embedded_text
from index.embeddings import EmbeddingCache
from index.encoder import DEFAULT_ENCODER, Encoder, load_encoder
from index.errors import FootnoteError, IndexDamagedError, IndexMismatchError, IndexNotFoundError
from index.intake import Changes, Progress, is_current, take_in
from index.model import BuildReport, Passage
from index.scan import ScanOptions, check_folder, scan

BATCH = 256


@dataclass(frozen=True, slots=True)
class _Job:
    """What one build was asked for."""

    folder: Path
    index_dir: Path
    encoder: Encoder
    options: ScanOptions
    settings: ChunkSettings
    progress: Progress


def rebuild(
    folder: str | Path,
    index_dir: str | Path | None = None,
    *,
    encoder: Encoder | str = DEFAULT_ENCODER,
    options: ScanOptions | None = None,
    settings: ChunkSettings | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Read, parse and index every file of ``folder``; cached vectors are used again.

    Args:
        folder: the folder of documents.
        index_dir: where the index lies; by default ``FOLDER/../.footnote/<folder name>``.
        encoder: a Sentence Transformers model by name or path, or a loaded encoder.
        options: which files count.
        settings: how documents are split.
        progress: called while the build goes on.

    Raises:
        FolderError: the folder is missing or is no folder.
        IndexLockedError: another process is writing the index.
        EncoderError: the encoder can't be loaded.
    """
    place = _place(folder, index_dir)
    with snapshot.writer_lock(place):
        job = _Job(
            Path(folder),
            place,
            _loaded(encoder),
            options or ScanOptions(),
            settings or ChunkSettings(),
            progress or _silent,
        )
        return _build(job, previous=_replaceable(place), base=None, has_news=True)


def update(
    folder: str | Path,
    index_dir: str | Path | None = None,
    *,
    encoder: Encoder | str | None = None,
    options: ScanOptions | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Bring the index of ``folder`` up to date, touching only what changed; make it if absent.

    A file whose size and mtime are as before is not opened; one whose bytes are as before is not
    parsed. Encoder, options and chunk settings are those of the index where not given.

    Args:
        folder: the folder of documents.
        index_dir: where the index lies; by default ``FOLDER/../.footnote/<folder name>``.
        encoder: must be the index's own, if given.
        options: which files count.
        progress: called while the build goes on.

    Raises:
        FolderError: the folder is missing or is no folder.
        IndexMismatchError: the index was made with another encoder, chunker or format, or of
            another folder.
        IndexLockedError: another process is writing the index.
    """
    place = _place(folder, index_dir)
    with snapshot.writer_lock(place):
        try:
            live = snapshot.live_snapshot(place)
        except IndexNotFoundError:
            chosen = _loaded(encoder or DEFAULT_ENCODER)
            options = options or ScanOptions()
            job = _Job(Path(folder), place, chosen, options, ChunkSettings(), progress or _silent)
            return _build(job, previous=None, base=None, has_news=True)
        manifest = snapshot.read_manifest(place, live)
        chosen = _loaded(encoder or str(manifest.encoder["name"]))
        check_recipe(place, manifest, chosen)
        _check_folder(place, manifest, Path(folder))
        recorded = ScanOptions.from_manifest(manifest.scan)
        options = options or recorded
        settings = ChunkSettings(**manifest.chunker)
        job = _Job(Path(folder), place, chosen, options, settings, progress or _silent)
        has_news = options != recorded or manifest.folder != str(Path(folder).resolve())
        return _build(job, previous=live, base=live, has_news=has_news)


def purge(index_dir: str | Path, encoder: Encoder | None = None) -> int:
    """Drop all snapshots but the live one, and the cached vectors that no passage of it needs.

    Returns how many vectors went. ``encoder`` is the index's own where not given.

    Raises:
        IndexNotFoundError: there is no index.
        IndexLockedError: another process is writing the index.
    """
    place = Path(index_dir)
    snapshot.live_snapshot(place)  # where there is no index, no lock file is made either
    with snapshot.writer_lock(place):
        live = snapshot.live_snapshot(place)
        manifest = snapshot.read_manifest(place, live)
        snapshot.drop_snapshots(place, frozenset({live}))
        chosen = encoder or load_encoder(str(manifest.encoder["name"]))
        catalog = Catalog.open(snapshot.snapshot_dir(place, live) / snapshot.CATALOG)
        with closing(catalog), EmbeddingCache(place / snapshot.CACHE, chosen) as cache:
            return cache.keep_only(embedded_text(passage) for _, _, passage in _each(catalog, 0))


def check_recipe(index_dir: Path, manifest: snapshot.Manifest, encoder: Encoder) -> None:
    """Refuse an index that ``encoder`` and this version of Footnote would have made otherwise.

    Raises:
        IndexMismatchError: names what differs and the command that makes the index again.
    """
    differs = []
    if manifest.encoder["fingerprint"] != encoder.fingerprint:
        differs.append(f"its encoder is {manifest.encoder['name']}, not {encoder.name} as it is here")
    if manifest.chunker["version"] != ChunkSettings().version:
        differs.append("its passages were cut by another version of Footnote")
    if manifest.lexical != lexical.LEXICAL_VERSION:
        differs.append("its words were indexed by another version of Footnote")
    if differs:
        command = snapshot.rebuild_command(manifest.folder, index_dir)
        raise IndexMismatchError(
            f"the index in {index_dir} does not fit: {'; '.join(differs)}. Make it again: {command}"
        )


def default_index_dir(folder: str | Path) -> Path:
    """Where the index of ``folder`` lies if nothing else is said: ``FOLDER/../.footnote/<name>``."""
    resolved = Path(folder).resolve()
    return resolved.parent / ".footnote" / (resolved.name or "root")


def _loaded(encoder: Encoder | str) -> Encoder:
    return load_encoder(encoder) if isinstance(encoder, str) else encoder


def _silent(stage: str, done: int, total: int) -> None:
    """Report no progress."""


def _place(folder: str | Path, index_dir: str | Path | None) -> Path:
    check_folder(Path(folder))  # before anything is made: a folder that is missing leaves no trace
    return Path(index_dir) if index_dir is not None else default_index_dir(folder)


def _replaceable(index_dir: Path) -> str | None:
    """The live snapshot, whatever its state; a rebuild is the remedy for a damaged one."""
    try:
        return snapshot.live_snapshot(index_dir)
    except (IndexNotFoundError, IndexDamagedError):
        return None


def _check_folder(index_dir: Path, manifest: snapshot.Manifest, folder: Path) -> None:
    recorded = Path(manifest.folder)
    if recorded.is_dir() and not recorded.samefile(folder):
        command = snapshot.rebuild_command(str(folder), index_dir)
        raise IndexMismatchError(
            f"the index in {index_dir} is that of {recorded}, not of {folder}; choose another place with "
            f"--index, or replace it: {command}"
        )


def _build(job: _Job, previous: str | None, base: str | None, *, has_news: bool) -> BuildReport:
    """Write a snapshot, from ``base`` or from nothing, and publish it.

    ``has_news`` says that there is something to write even where no file has changed.
    """
    started = time.perf_counter()
    found = scan(job.folder, job.options, skip=[job.index_dir])
    if base is not None and not has_news:
        live = Catalog.open(snapshot.snapshot_dir(job.index_dir, base) / snapshot.CATALOG)
        with closing(live):
            if is_current(live, found):
                return _report(job, live, Changes(), started, base)
    work = snapshot.start_work(job.index_dir)
    try:
        with closing(_open_catalog(job.index_dir, work, previous, base)) as catalog:
            first_new = catalog.last_passage_id()
            changes = take_in(catalog, found, job.encoder, job.settings, job.progress)
            if not changes and not has_news:
                return _report(job, catalog, changes, started, str(base))
            orphans = catalog.orphans()
            gone = catalog.remove_contents(orphans)
            catalog.commit()
            embedded, dimension = _write_vectors(job, catalog, work, base, first_new, gone)
            _write_lexical(job, catalog, work, base, first_new, orphans)
            report = _report(job, catalog, changes, started)
        _check(work, report.passages)
        name = snapshot.publish(job.index_dir, _manifest(job, report, previous, dimension))
        snapshot.drop_snapshots(job.index_dir, frozenset(kept for kept in (name, previous) if kept))
        seconds = time.perf_counter() - started
        return replace(report, snapshot=name, published=True, embedded=embedded, seconds=seconds)
    finally:
        snapshot.clear_work(job.index_dir)


def _open_catalog(index_dir: Path, work: Path, previous: str | None, base: str | None) -> Catalog:
    path = work / snapshot.CATALOG
    if base is not None:
        snapshot.copy(snapshot.snapshot_dir(index_dir, base) / snapshot.CATALOG, path)
        return Catalog.open_for_writing(path)
    catalog = Catalog.create(path)
    if previous is not None:
        try:
            before = Catalog.open(snapshot.snapshot_dir(index_dir, previous) / snapshot.CATALOG)
        except IndexDamagedError:
            return catalog  # a rebuild mends it; only the numbering starts anew
        catalog.start_passage_ids_after(before.last_passage_id())
        before.close()
    return catalog


def _write_vectors(
    job: _Job, catalog: Catalog, work: Path, base: str | None, first_new: int, gone: Sequence[int]
) -> tuple[int, int]:
    """Write the vectors of all passages; return how many texts were embedded, and the dimension."""
    from index.vectors import VectorIndex

    target = work / snapshot.VECTORS
    new = len(catalog.passage_ids_after(first_new))
    vectors = None
    if base is not None:
        before = snapshot.snapshot_dir(job.index_dir, base) / snapshot.VECTORS
        vectors = VectorIndex.read(before)
        if not new and not gone:
            snapshot.link_or_copy(before, target)
            return 0, vectors.dimension
        vectors.remove(gone)
    with EmbeddingCache(job.index_dir / snapshot.CACHE, job.encoder) as cache:
        done = 0
        for batch in catalog.passages_after(first_new, BATCH):
            job.progress("embed", done, new)
            rows = cache.vectors([embedded_text(passage) for _, _, passage in batch])
            vectors = vectors or VectorIndex.empty(rows.shape[1])
            vectors.add([passage for passage, _, _ in batch], rows)
            done += len(batch)
        job.progress("embed", new, new)
        embedded = cache.embedded
    if vectors is None:
        vectors = VectorIndex.empty(job.encoder.dimension)
    vectors.write(target)
    return embedded, vectors.dimension


def _write_lexical(
    job: _Job, catalog: Catalog, work: Path, base: str | None, first_new: int, orphans: Sequence[int]
) -> None:
    target = work / snapshot.LEXICAL
    if base is not None:
        for path in (snapshot.snapshot_dir(job.index_dir, base) / snapshot.LEXICAL).iterdir():
            if not path.name.endswith(".lock"):
                snapshot.link_or_copy(path, target / path.name)
    total = len(catalog.passage_ids_after(first_new))

    def rows() -> Iterator[tuple[int, int, str, str]]:
        for done, (number, content, passage) in enumerate(_each(catalog, first_new)):
            if done % BATCH == 0:
                job.progress("index words", done, total)
            yield number, content, passage.context, passage.text

    lexical.write(target, rows(), orphans)


def _each(catalog: Catalog, after: int) -> Iterable[tuple[int, int, Passage]]:
    for batch in catalog.passages_after(after, BATCH):
        yield from batch


def _check(work: Path, passages: int) -> None:
    """Open what was written as a reader would, before it goes live.

    Raises:
        FootnoteError: the parts do not fit together; the live snapshot stays as it is.
    """
    from index.vectors import VectorIndex

    vectors = VectorIndex.read(work / snapshot.VECTORS).count
    words = lexical.LexicalIndex(work / snapshot.LEXICAL).count
    if not vectors == words == passages:
        raise FootnoteError(
            f"the new snapshot is not sound ({passages} passages, {vectors} vectors, {words} in the word "
            "index) and was not published; please report this"
        )


def _report(job: _Job, catalog: Catalog, changes: Changes, started: float, name: str = "") -> BuildReport:
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
    )


def _manifest(job: _Job, report: BuildReport, previous: str | None, dimension: int) -> snapshot.Manifest:
    from index.vectors import VECTOR_INDEX

    return snapshot.Manifest(
        folder=str(job.folder.resolve()),
        previous=previous,
        encoder={
            "name": job.encoder.name,
            "fingerprint": job.encoder.fingerprint,
            "dimension": dimension,
            "normalised": True,
        },
        chunker=job.settings.as_manifest(),
        lexical=lexical.LEXICAL_VERSION,
        vector_index=VECTOR_INDEX,
        scan=job.options.as_manifest(),
        counts=report.counts,
        passages=report.passages,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
