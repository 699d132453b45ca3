"""QA: the one facade that the command line, the web app and Python callers use."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from index import (
    DocumentStatus,
    Encoder,
    Folders,
    Index,
    IndexStatus,
    PagePicture,
    Progress,
    Rectangle,
    Snapshot,
    Span,
    has_content,
    open_index,
    phrases,
    update,
)
from qa.calibration import Calibration, find_calibration
from qa.citations import citations, evidence
from qa.errors import CalibrationError
from qa.evidence import Proposal, checked, proposals
from qa.model import Answer, Candidate, Citation, Evidence
from qa.question import check_k, check_probability, check_sources, cleaned, fitted
from qa.reader import ScoredSpan, read, read_again
from qa.reranker import Reranker, rerank
from qa.retriever import Retrieved, retrieve
from qa.rows import Tables
from qa.signals import signals
from qa.span_model import BundledSpanModel, SpanModel

_Result = TypeVar("_Result")

CHECKED = 4
"""So many of the best proposals are read again and may become candidates: some quote the same sentence."""

RETRIEVED = 20
"""At least so many passages are retrieved, so that the answer and its citations do not hang on ``k``."""

READER_BONUS = 1.0
"""What a passage gains in rank, in points of the retriever's score, by holding a certain answer."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a search came to before any judgement, best first.

    ``retrieved`` stands as the retriever ranked it, ``passages`` as the reader did. The first `CHECKED`
    proposals have been read again.
    """

    question: str
    notice: str
    snapshot: Snapshot
    tables: Tables
    retrieved: tuple[Retrieved, ...]
    proposals: tuple[Proposal, ...]
    passages: tuple[Retrieved, ...]


class QA:
    """Answers questions about an index with verbatim quotes. Safe to use from several threads."""

    def __init__(
        self, index: Index, reader: SpanModel | None = None, reranker: Reranker | None = None
    ) -> None:
        """Answer from ``index``, which is closed with this object; see `open` and `from_folder`."""
        self._index = index
        self.reader: SpanModel = reader or BundledSpanModel()
        self.reranker = reranker
        self._is_loaded = False

    @cached_property
    def calibration(self) -> Calibration | None:
        """What turns signals into a confidence; None where there is none for these models.

        Raises:
            CalibrationError: the index's own can't be read.
        """
        return find_calibration(self._index.path, *self.ids)

    @classmethod
    def open(
        cls,
        index_dir: str | Path,
        encoder: Encoder | None = None,
        reader: SpanModel | None = None,
        reranker: Reranker | None = None,
    ) -> Self:
        """Open the index in ``index_dir``.

        Args:
            index_dir: the directory of the index.
            encoder: the encoder that made it, if it is loaded already.
            reader: finds the spans; None for the bundled one, see `load_reader`.
            reranker: orders the passages anew; None for none, see `load_reranker`.

        Raises:
            IndexNotFoundError: there is no index.
            IndexMismatchError: it was made with another format, encoder or chunker.
            IndexDamagedError: a file of it is missing or can't be read.
            EncoderError: its encoder can't be loaded.
        """
        return cls(open_index(index_dir, encoder), reader, reranker)

    @classmethod
    def from_folder(
        cls,
        folder: Folders,
        index_dir: str | Path | None = None,
        *,
        encoder: Encoder | None = None,
        reader: SpanModel | None = None,
        reranker: Reranker | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Bring the index of a folder (or several) up to date, making it if absent, and open it.

        Raises:
            FolderError: the folder is missing or is no folder.
            IndexMismatchError: there is an index that was made otherwise.
            IndexDamagedError: there is an index that can't be read.
            IndexLockedError: another process is writing the index.
            IndexWriteError: the index can't be written.
            EncoderError: the encoder can't be loaded.
        """
        report = update(folder, index_dir, encoder=encoder, progress=progress)
        return cls.open(report.index_dir, encoder, reader, reranker)

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the index."""
        self.close()

    def close(self) -> None:
        """Let go of the index."""
        self._index.close()

    @property
    def ids(self) -> tuple[str, str]:
        """The encoder's fingerprint and the reader's id (with the re-ranker's): what a calibration is for."""
        ranked = f" + {self.reranker.id}" if self.reranker is not None else ""
        return self._index.encoder.fingerprint, self.reader.id + ranked

    @property
    def index_dir(self) -> Path:
        """The directory of the index."""
        return self._index.path

    def load(self) -> None:
        """Load index, encoder and reader now rather than at the first question, all at once."""
        self._load_models()
        _ = self.calibration

    def _load_models(self) -> None:
        work = [
            lambda: self._index.encoder.encode_question("ready"),
            self.reader.load,
            self._index.live().load,
            *([self.reranker.load] if self.reranker is not None else []),
        ]
        with ThreadPoolExecutor(len(work)) as pool:
            for loaded in [pool.submit(load) for load in work]:
                loaded.result()
        self._is_loaded = True

    def ask(
        self,
        question: str,
        sources: Sequence[str] | None = None,
        min_confidence: float | None = None,
        k: int = 10,
    ) -> Answer:
        """Answer ``question`` with a verbatim quote, or refuse and give the nearest passages.

        Args:
            question: in words; phrases in double quotation marks must stand in the passage.
            sources: relative paths or globs of the documents to look in; None for all.
            min_confidence: refuse below this probability, 0..1; None for the calibrated default,
                0 never refuses while there is a candidate.
            k: how many passages to return with the answer.

        Raises:
            QuestionError: the question is empty, or a parameter is out of range.
            SourceNotFoundError: an entry of ``sources`` matches no document.
            CalibrationError: ``min_confidence`` was given, and this encoder has no calibration; or the
                index's own can't be read.
            ClosedError, IndexDamagedError, IndexMismatchError: the index can't be asked any more.
        """
        threshold = self._threshold(min_confidence)
        clock = _Clock()
        found = self._find(question, sources, check_k(k), clock)
        notice = found.notice
        if not found.retrieved and phrases(found.question):
            missing = ", ".join(phrases(found.question))
            notice = f"{notice} No passage holds these words in this order: {missing}.".strip()
        candidates = clock.time("rank", lambda: self._candidates(found))
        confidence = candidates[0].confidence if candidates else None
        if self.calibration is not None and confidence is None:
            confidence = 0.0
        is_found = bool(candidates) and (confidence is None or confidence >= threshold)
        best = candidates[0] if is_found else None
        return Answer(
            found=is_found,
            text=best.text if best else "",
            key=best.key if best else "",
            confidence=confidence,
            citations=best.citations if best else (),
            candidates=candidates,
            passages=tuple(evidence(passage) for passage in found.passages[:k]),
            question=found.question,
            timings=clock.timings(),
            notice=notice,
        )

    def find(self, question: str, sources: Sequence[str] | None = None) -> Findings:
        """Retrieve and read without judging what was found; raises what `ask` does."""
        return self._find(question, sources, RETRIEVED, _Clock())

    def _find(self, question: str, sources: Sequence[str] | None, k: int, clock: _Clock) -> Findings:
        encoder = self._index.encoder
        asked, notice = fitted(cleaned(question), encoder)
        snapshot = self._index.live()
        within = snapshot.match(check_sources(sources))
        if not self._is_loaded:
            clock.time("load", self._load_models)
        vector = clock.time("encode", lambda: encoder.encode_question(asked))
        retrieved = retrieve(snapshot, asked, vector, max(k, RETRIEVED), within, clock.add)
        if self.reranker is not None:
            ranked, reranker = retrieved, self.reranker
            retrieved = clock.time("rerank", lambda: rerank(asked, ranked, reranker))
        tables = Tables(snapshot)
        spans = clock.time("read", lambda: read(asked, retrieved, self.reader, tables))
        found = clock.time("check", lambda: _checked(asked, proposals(spans), self.reader, tables))
        return Findings(
            question=asked,
            notice=notice,
            snapshot=snapshot,
            tables=tables,
            retrieved=tuple(retrieved),
            proposals=tuple(found),
            passages=_reranked(retrieved, spans),
        )

    def _threshold(self, min_confidence: float | None) -> float:
        if min_confidence is None:
            return self.calibration.min_confidence if self.calibration is not None else 0.0
        least = check_probability(min_confidence)
        if self.calibration is None:
            raise CalibrationError(
                f"there is no calibration for the encoder {self._index.encoder.name} with this reader, so a "
                "confidence can't be asked for; leave --min-confidence out, or make one with: "
                "python -m qa calibrate QUESTIONS.jsonl"
            )
        return least

    def search(self, query: str, k: int = 10, sources: Sequence[str] | None = None) -> tuple[Evidence, ...]:
        """The ``k`` best passages for ``query``, best first, without looking for an answer.

        Raises:
            QuestionError: the query is empty, or ``k`` is out of range.
            SourceNotFoundError: an entry of ``sources`` matches no document.
            ClosedError, IndexDamagedError, IndexMismatchError: the index can't be asked any more.
        """
        asked, _ = fitted(cleaned(query), self._index.encoder)
        snapshot = self._index.live()
        within = snapshot.match(check_sources(sources))
        vector = self._index.encoder.encode_question(asked)
        if self.reranker is None:
            found = retrieve(snapshot, asked, vector, check_k(k), within)
        else:
            pool = retrieve(snapshot, asked, vector, max(check_k(k), RETRIEVED), within)
            found = rerank(asked, pool, self.reranker)[:k]
        return tuple(evidence(passage) for passage in found)

    def text(self, source: str) -> str:
        """The extracted text of a document, to which all offsets refer.

        Raises:
            SourceNotFoundError: the index holds no text of such a file.
        """
        return self._index.live().text(source)

    def rectangles(self, source: str, start: int, end: int) -> tuple[Rectangle, ...]:
        """Where ``text(source)[start:end]`` stands on the document's pages, a rectangle a line.

        Points from the top left corner of the page as it is displayed; () for a document without pages
        on paper.

        Raises:
            SourceNotFoundError: the index holds no text of such a file.
        """
        return self._index.live().rectangles(source, start, end)

    def passage_at(self, source: str, offset: int) -> Evidence | None:
        """The passage that holds ``text(source)[offset]``, with score 0; None where none does."""
        found = self._index.live().passage_at(source, offset)
        return evidence(Retrieved(found, 0.0, 0.0, 0.0)) if found else None

    def table_header(self, source: str, offset: int) -> Span | None:
        """The range of the header row of the table that holds ``text(source)[offset]``, if it has one."""
        return self._index.live().table_header(source, offset)

    def page_picture(self, source: str, page: int, scale: float = 1.5) -> PagePicture:
        """A page of a PDF, from 1, as a PNG of ``scale`` pixels a point; `rectangles` fit on it.

        Raises:
            UsageError: ``scale`` is not above 0 and at most 10.
            SourceNotFoundError: the index has no such document.
            NoPictureError: it is no PDF, or has no such page.
            SourceChangedError: its file is gone, or is not what was indexed.
            PageNotDrawableError: it is locked or damaged, or drawing it takes too long or too much memory.
        """
        return self._index.page_picture(source, page, scale)

    def documents(self) -> tuple[DocumentStatus, ...]:
        """The status of every file, by source."""
        return self._index.live().documents

    def status(self) -> IndexStatus:
        """The state of the index, with `documents`."""
        return self._index.status()

    def sample(self, count: int) -> tuple[Evidence, ...]:
        """``count`` passages spread evenly over the documents, with score 0."""
        return tuple(
            evidence(Retrieved(passage, 0.0, 0.0, 0.0)) for passage in self._index.live().sample(count)
        )

    def _candidates(self, found: Findings) -> tuple[Candidate, ...]:
        """The best answers, each with all its citations."""
        candidates: list[Candidate] = []
        quoted: set[tuple[str, int, int]] = set()
        # What a question finds that has no content word, or none that the documents know, is chance.
        is_known = has_content(found.question) and found.snapshot.holds_any(found.question)
        ceiling = 1.0 if is_known else 0.0
        for place, proposal in enumerate(found.proposals[:CHECKED]):
            cited: dict[tuple[str, int], Citation] = {}
            for span in (proposal.best, *proposal.others):
                for citation in citations(found.question, span, found.tables):
                    cited.setdefault((citation.source, citation.start), citation)
            first = next(iter(cited.values()))
            if (first.source, first.start, first.end) in quoted:
                continue  # two spans of a sentence that is quoted whole
            quoted.add((first.source, first.start, first.end))
            confidence = None
            if self.calibration is not None:
                seen = signals(found.question, found.snapshot, found.retrieved, found.proposals, place)
                # Candidates stand in the reader's order; a later one is not surer than an earlier.
                ceiling = confidence = min(ceiling, self.calibration.probability(seen))
            candidates.append(Candidate(first.quote, first.key, confidence, tuple(cited.values())))
        return tuple(candidates)


class _Clock:
    """Milliseconds by stage of one question."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._stages: dict[str, float] = {}

    def add(self, stage: str, milliseconds: float) -> None:
        self._stages[stage] = milliseconds

    def time(self, stage: str, work: Callable[[], _Result]) -> _Result:
        started = time.perf_counter()
        result = work()
        self.add(stage, 1000 * (time.perf_counter() - started))
        return result

    def timings(self) -> dict[str, float]:
        return {**self._stages, "total": 1000 * (time.perf_counter() - self._started)}


def _checked(question: str, found: Sequence[Proposal], reader: SpanModel, tables: Tables) -> list[Proposal]:
    """The proposals, the first ones ranked by what their sentences say when they are read again, too."""
    if not found:
        return []
    return checked(
        found, read_again(question, [proposal.best for proposal in found[:CHECKED]], reader, tables)
    )


def _reranked(retrieved: Sequence[Retrieved], spans: Sequence[ScoredSpan]) -> tuple[Retrieved, ...]:
    """The passages with what the reader found in them added to their scores, best first."""
    likelihood: dict[int, float] = {}
    for span in spans:
        candidate = span.candidate.passage.id
        likelihood[candidate] = max(span.likelihood, likelihood.get(candidate, 0.0))
    scored = [
        replace(one, score=one.score + READER_BONUS * likelihood.get(one.passage.id, 0.0))
        for one in retrieved
    ]
    return tuple(sorted(scored, key=lambda one: -one.score))
