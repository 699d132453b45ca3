"""The parts of a snapshot, written into the work directory: catalogue, vectors, word index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from index import lexical, snapshot
from index.catalog import Catalog
from index.chunking import embedded_text
from index.embeddings import EmbeddingCache
from index.encoder import Encoder
from index.errors import FootnoteError, IndexDamagedError
from index.intake import Progress, Reading
from index.model import Passage
from index.scan import ScanOptions

BATCH = 256
REWRITTEN_PASSAGES = 5_000
"""A word index of so many passages takes 2 s to write."""

REMOVED_SHARE = 0.02
"""The share of removed passages that a large word index may still count."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one build was asked for."""

    folders: tuple[Path, ...]
    index_dir: Path
    encoder: Encoder
    options: ScanOptions
    reading: Reading
    progress: Progress


def open_catalog(index_dir: Path, work: Path, previous: str | None, base: str | None) -> Catalog:
    """A catalogue to write: a copy of ``base``'s, or an empty one that goes on counting from ``previous``."""
    path = work / snapshot.CATALOG
    if base is not None:
        snapshot.copy(snapshot.snapshot_dir(index_dir, base) / snapshot.CATALOG, path)
        return Catalog.open_for_writing(path)
    if path.exists():
        return Catalog.open_for_writing(path)  # work that was stopped goes on
    catalog = Catalog.create(path)
    if previous is not None:
        try:
            before = Catalog.open(snapshot.snapshot_dir(index_dir, previous) / snapshot.CATALOG)
        except IndexDamagedError:
            return catalog  # a rebuild mends it; only the numbering starts anew
        catalog.start_passage_ids_after(before.last_passage_id())
        before.close()
    return catalog


def write_vectors(
    job: Job, catalog: Catalog, work: Path, base: str | None, first_new: int, gone: Sequence[int]
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


def write_lexical(
    job: Job,
    catalog: Catalog,
    work: Path,
    base: str | None,
    first_new: int,
    orphans: Sequence[int],
    gone: int,
) -> int:
    """Write the word index; return how many removed passages its statistics still count.

    BM25 counts what was removed until its segment is written anew. So that an update answers as a
    rebuild would, it is all written anew where that takes no time, or the removed ones have become many.
    """
    target = work / snapshot.LEXICAL
    removed = gone
    if base is not None:
        removed += snapshot.read_manifest(job.index_dir, base).lexical_removed
        total = catalog.count_passages()
        if removed and (total <= REWRITTEN_PASSAGES or removed > REMOVED_SHARE * total):
            base, first_new, orphans, removed = None, 0, (), 0
    if base is not None:
        for path in (snapshot.snapshot_dir(job.index_dir, base) / snapshot.LEXICAL).iterdir():
            if not path.name.endswith(".lock"):
                snapshot.link_or_copy(path, target / path.name)
    total = len(catalog.passage_ids_after(first_new))

    def rows() -> Iterator[tuple[int, int, str, str]]:
        for done, (number, content, passage) in enumerate(each_passage(catalog, first_new)):
            if done % BATCH == 0:
                job.progress("index words", done, total)
            yield number, content, passage.context, passage.text

    lexical.write(target, rows(), orphans)
    return removed


def each_passage(catalog: Catalog, after: int) -> Iterator[tuple[int, int, Passage]]:
    """Yield (id, content, passage) of all passages with ids above ``after``."""
    for batch in catalog.passages_after(after, BATCH):
        yield from batch


def check(work: Path, passages: int) -> None:
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
