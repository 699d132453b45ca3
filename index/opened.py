"""An index, opened for searching. Readers take no lock and follow the live snapshot."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from index import snapshot
from index.builder import check_recipe
from index.catalog import Catalog
from index.encoder import Encoder, load_encoder
from index.errors import ClosedError, IndexDamagedError, SourceNotFoundError
from index.layout import Rectangle, rectangles
from index.lexical import LexicalIndex
from index.model import STATUSES, DocumentStatus, IndexedPassage, IndexStatus, Rollback, Span
from index.pictures import DEFAULT_SCALE, Origin, PagePicture, Pictures
from index.printed_tables import OnPaper, PrintedTable, printed_table
from index.scan import roots

if TYPE_CHECKING:
    from index.vectors import VectorIndex

OPEN_ATTEMPTS = 5
"""A build may drop a snapshot between the look at CURRENT and the opening of its files."""


class Snapshot:
    """One snapshot, which never changes: everything that one question reads comes from one."""

    def __init__(self, index_dir: Path, name: str) -> None:
        """Open the snapshot ``name`` of ``index_dir``; vectors and words are loaded when needed.

        Raises:
            IndexDamagedError: a file of it is missing or can't be read.
            IndexMismatchError: it has another format.
        """
        self.name = name
        self.index_dir = index_dir
        self.manifest = snapshot.read_manifest(index_dir, name)
        self._directory = snapshot.snapshot_dir(index_dir, name)
        self._catalog = Catalog.open(self._directory / snapshot.CATALOG)
        self._loading = threading.Lock()
        weakref.finalize(self, self._catalog.close)

    @cached_property
    def _loaded_vectors(self) -> VectorIndex:
        from index.vectors import VectorIndex

        return VectorIndex.read(self._directory / snapshot.VECTORS)

    @cached_property
    def _loaded_words(self) -> LexicalIndex:
        return LexicalIndex(self._directory / snapshot.LEXICAL)

    @property
    def _vectors(self) -> VectorIndex:
        with self._loading:
            return self._loaded_vectors

    @property
    def _words(self) -> LexicalIndex:
        with self._loading:
            return self._loaded_words

    @cached_property
    def _contents(self) -> dict[str, int]:
        files = self._catalog.files()
        return {
            source: row.content
            for source, row in files.items()
            if row.content is not None and row.status == "indexed"
        }

    @cached_property
    def _sources(self) -> frozenset[str]:
        """All files and members, also those that hold no text."""
        return frozenset(self._checksums)

    @cached_property
    def _checksums(self) -> dict[str, str | None]:
        return {document.source: document.sha256 for document in self.documents}

    @cached_property
    def documents(self) -> tuple[DocumentStatus, ...]:
        """The status of every file, by source."""
        return self._catalog.documents()

    def load(self) -> None:
        """Load vectors and words now rather than at the first search."""
        _ = self._vectors, self._words

    def text(self, source: str) -> str:
        """The extracted text of a document.

        Raises:
            SourceNotFoundError: the index has no text of such a file.
        """
        text = self._catalog.text(source) if source in self._contents else None
        if text is None:
            raise SourceNotFoundError(
                f"the index holds no text of {source!r}; `python -m index status` lists the documents"
            )
        return text

    def rectangles(self, source: str, start: int, end: int) -> tuple[Rectangle, ...]:
        """Where ``text(source)[start:end]`` stands on its pages; () where they are not on paper.

        Raises:
            SourceNotFoundError: the index has no text of such a file.
        """
        if source not in self._contents:
            self.text(source)  # tells what is wrong
        pages = self._catalog.pages(source, start, end)
        return tuple(found for page in pages for found in rectangles(page, start, end))

    def passage_at(self, source: str, offset: int) -> IndexedPassage | None:
        """The passage that holds ``text(source)[offset]``; None where none does."""
        return self._catalog.passage_at(source, offset)

    def table_header(self, source: str, offset: int) -> Span | None:
        """The header row of the table that holds ``text(source)[offset]``; None where there is none."""
        tables = self.tables(source)
        return next((header for header, (first, last) in tables if first <= offset < last), None)

    def tables(self, source: str) -> list[tuple[Span, Span]]:
        """The tables of a document that have a header row: its range, and that of the rows below it."""
        return self._catalog.tables(source)

    def printed_table(self, source: str, header: Span, body: Span) -> PrintedTable | None:
        """The columns and cells of one of the `tables` of a document that has pages of paper.

        Of a table over several pages ``body`` is what stands on one of them. None where the document has no
        layout, or the table's cells no columns in common.
        """
        first = next((rows for above, rows in self.tables(source) if above == header), body)
        parts = [
            OnPaper(pages[0], span, self.part(source, *span))
            for span in (header, *dict.fromkeys((first, body)))
            if (pages := self._catalog.pages(source, *span))
        ]
        return printed_table(parts[0], parts[1:]) if parts else None

    def part(self, source: str, start: int, end: int) -> str:
        """``text(source)[start:end]``, without reading all of it; "" where there is no such document."""
        return self._catalog.part(source, start, end)

    def origin(self, source: str) -> Origin:
        """Where the bytes of a document are.

        Raises:
            SourceNotFoundError: the index has no such file.
        """
        if source in self._checksums:
            for folder, prefix in roots([Path(folder) for folder in self.manifest.folders]):
                if source.startswith(prefix):
                    name, _, member = source.removeprefix(prefix).partition("!/")
                    return Origin(source, folder / name, name, member, self._checksums[source])
        raise SourceNotFoundError(
            f"the index has no document {source!r}; `python -m index status` lists the documents"
        )

    def match(self, patterns: Sequence[str] | None) -> frozenset[str] | None:
        """The files that ``patterns`` (relative paths or globs) name; None for all of them.

        Raises:
            SourceNotFoundError: a pattern matches no document.
        """
        if patterns is None:
            return None
        matched: set[str] = set()
        for pattern in patterns:
            found = {pattern} & self._sources or {s for s in self._sources if fnmatchcase(s, pattern)}
            # An archive stands for all that is in it.
            found = {s for s in self._contents if not found.isdisjoint(_with_outer(s))}
            if not found:
                raise SourceNotFoundError(
                    f"no indexed document matches {pattern!r}; give a path relative to "
                    f"{self.manifest.folder}, or a pattern such as 'reports/*.pdf'"
                )
            matched |= found
        return frozenset(matched)

    def search_vectors(
        self, vector: NDArray[np.float32], k: int, within: Collection[str] | None, question: str
    ) -> list[tuple[int, float]]:
        """The ``k`` passages nearest to ``vector`` as (id, cosine), best first.

        Args:
            vector: the question's unit vector.
            k: how many at most.
            within: the files to search; None for all.
            question: its quoted phrases must stand in each passage.
        """
        contents = self._contents_of(within)
        allowed = self._words.phrase_matches(question, contents)
        if allowed is None and contents is not None:
            allowed = self._catalog.passage_ids(contents)
        return self._vectors.search(vector, k, allowed)

    def search_words(self, question: str, k: int, within: Collection[str] | None) -> list[tuple[int, float]]:
        """The ``k`` best passages by BM25 as (id, score), best first; see `search_vectors`."""
        return self._words.search(question, k, self._contents_of(within))

    def cosines(self, vector: NDArray[np.float32], ids: Sequence[int]) -> list[float]:
        """The cosine of ``vector`` with each of these passages."""
        return self._vectors.cosines(vector, ids)

    def term_weights(self, terms: Sequence[str]) -> dict[str, float]:
        """How much each term says among the passages of this snapshot: 1 + idf."""
        return {term: self._words.weight(term) for term in terms}

    def holds_any(self, question: str) -> bool:
        """Whether any search word of ``question`` stands in any passage."""
        return self._words.holds_any(question)

    def sample(self, count: int) -> list[IndexedPassage]:
        """``count`` passages spread evenly over the snapshot, or all where there are fewer."""
        ids = self._catalog.passage_ids_after(0)
        step = max(len(ids) / count, 1.0) if count else 1.0
        chosen = [ids[int(place * step)] for place in range(min(count, len(ids)))]
        return self._catalog.passages(chosen)

    def passages(self, ids: Sequence[int], within: Collection[str] | None) -> list[IndexedPassage]:
        """The passages ``ids``, in that order, with those of their files that are in ``within``."""
        return self._catalog.passages(ids, within)

    def _contents_of(self, within: Collection[str] | None) -> list[int] | None:
        if within is None:
            return None
        return sorted({self._contents[source] for source in within})

    def problems(self) -> list[str]:
        """Everything that is wrong with this snapshot, a sentence each; reads all of it."""
        problems = snapshot.checksum_problems(self.index_dir, self.name, self.manifest)
        problems += self._catalog.integrity_problems()
        if problems:
            return problems
        problems += [
            f"passage {i} is not what stands at its offsets" for i in self._catalog.misplaced_passages()
        ]
        listed = self._catalog.passage_ids_after(0)
        if sorted(self._vectors.ids.tolist()) != listed:
            problems.append("the vectors are not those of the catalogue's passages")
        if self._words.count != len(listed):
            problems.append("the word index does not hold the catalogue's passages")
        return problems


def _with_outer(source: str) -> Iterator[str]:
    """A file's path, and those of the files that it lies in, inside out."""
    while source:
        yield source
        source = source.rpartition("!/")[0]


class Index:
    """An index directory. Safe to use from several threads; a context manager."""

    def __init__(self, index_dir: Path, encoder: Encoder | None = None) -> None:
        """See `open_index`."""
        self.path = index_dir
        self._opening = threading.Lock()
        self._pictures = Pictures()
        opened = self._open()
        self._live: Snapshot | None = opened
        manifest = opened.manifest
        self.encoder = encoder or load_encoder(str(manifest.encoder["name"]))
        check_recipe(index_dir, manifest, self.encoder)

    def __enter__(self) -> Self:
        """Return the index itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the index."""
        self.close()

    def close(self) -> None:
        """Let go of the snapshot. Files close when the last question in flight is answered."""
        self._live = None
        self._pictures.close()

    def live(self) -> Snapshot:
        """The live snapshot: a look at one small file, and an opening where a build replaced it.

        Raises:
            ClosedError: the index was closed.
            IndexDamagedError: a file of it is missing or can't be read.
            IndexMismatchError: a build with another encoder or version replaced it.
        """
        with self._opening:
            live = self._live
            if live is None:
                raise ClosedError(f"the index in {self.path} was closed")
            if snapshot.live_snapshot(self.path) != live.name:
                live = self._open()
                check_recipe(self.path, live.manifest, self.encoder)
                self._live = live
            return live

    def _open(self) -> Snapshot:
        attempts = 1
        while True:
            name = snapshot.live_snapshot(self.path)
            try:
                opened = Snapshot(self.path, name)
                opened.load()  # from here on no build can take its files away
                return opened
            except IndexDamagedError:
                if attempts == OPEN_ATTEMPTS or snapshot.live_snapshot(self.path) == name:
                    raise
                attempts += 1

    def page_picture(self, source: str, page: int, scale: float = DEFAULT_SCALE) -> PagePicture:
        """A page of a PDF as a picture, drawn in a process that can do no harm.

        Args:
            source: the PDF; one inside an archive, a mail or another PDF too.
            page: its number, from 1.
            scale: pixels a point, at most 10; less where the picture would have over 6 million pixels.

        Raises:
            UsageError: ``scale`` is out of range.
            SourceNotFoundError: the index has no such document.
            NoPictureError: it is no PDF, or has no such page.
            SourceChangedError: its file is gone, or is not what was indexed.
            PageNotDrawableError: it is locked or damaged, or drawing it takes too long or too much memory.
            ClosedError, IndexDamagedError, IndexMismatchError: the index can't be asked any more.
        """
        return self._pictures.page(self.live().origin(source), page, scale)

    def status(self) -> IndexStatus:
        """The state of the index and of every file."""
        return _status(self.live())


def open_index(index_dir: str | Path, encoder: Encoder | None = None) -> Index:
    """Open the index in ``index_dir`` for searching.

    Args:
        index_dir: the directory of the index.
        encoder: the encoder that made it, if it is loaded already.

    Raises:
        IndexNotFoundError: there is no index.
        IndexMismatchError: it was made with another format, encoder or chunker.
        IndexDamagedError: a file of it is missing or can't be read.
        EncoderError: its encoder can't be loaded.
    """
    return Index(Path(index_dir), encoder)


def status(index_dir: str | Path) -> IndexStatus:
    """The state of an index and of every file; its encoder is not needed.

    Raises:
        IndexNotFoundError: there is no index.
        IndexDamagedError: a file of it is missing or can't be read.
    """
    place = Path(index_dir)
    return _status(Snapshot(place, snapshot.live_snapshot(place)))


def _status(live: Snapshot) -> IndexStatus:
    counts: dict[str, int] = {status: 0 for status in STATUSES}
    for document in live.documents:
        counts[document.status] += 1
    return IndexStatus(
        format=live.manifest.format,
        snapshot=live.name,
        folder=live.manifest.folder,
        encoder=str(live.manifest.encoder["name"]),
        vector_index=live.manifest.vector_index,
        counts=counts,
        documents=live.documents,
        runtime=str(live.manifest.encoder.get("runtime", "")),
    )


def verify(index_dir: str | Path) -> tuple[str, ...]:
    """Everything that is wrong with the live snapshot, a sentence each; () where it is sound.

    Raises:
        IndexNotFoundError: there is no index.
        IndexMismatchError: it has another format.
    """
    place = Path(index_dir)
    try:
        return tuple(Snapshot(place, snapshot.live_snapshot(place)).problems())
    except IndexDamagedError as error:
        return (str(error),)


def rollback(index_dir: str | Path) -> Rollback:
    """Make the snapshot before the live one live again, and say which documents that touches.

    Raises:
        IndexNotFoundError: there is no index, or no earlier snapshot of it.
        IndexDamagedError: the earlier snapshot can't be read either.
        IndexMismatchError: the earlier snapshot has another format.
        IndexLockedError: another process is writing the index.
    """
    place = Path(index_dir)
    snapshot.live_snapshot(place)  # where there is no index, no lock file is made either
    with snapshot.writer_lock(place):
        live = snapshot.live_snapshot(place)
        name = snapshot.earlier_snapshot(place, live)
        kept = {document.source: document for document in Snapshot(place, name).documents}
        try:
            left = {document.source: document for document in Snapshot(place, live).documents}
        except IndexDamagedError:
            left = {}  # what is damaged answers nothing: all of the earlier documents return
        snapshot.set_live(place, name)
    return Rollback(
        left=live,
        live=name,
        returned=tuple(sorted(kept.keys() - left.keys())),
        dropped=tuple(sorted(left.keys() - kept.keys())),
        reverted=tuple(s for s in sorted(kept.keys() & left.keys()) if kept[s].sha256 != left[s].sha256),
    )
