"""QA: the one facade that the command line, the web app and Python callers use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self, TypeVar

from index import (
    DocumentStatus,
    Encoder,
    Index,
    IndexedPassage,
    IndexStatus,
    Progress,
    Snapshot,
    has_content,
    open_index,
    phrases,
    update,
)
from qa.calibration import load_calibration, signals
from qa.errors import CalibrationError, QuestionError
from qa.model import Answer, Candidate, Citation, Evidence
from qa.reader import ScoredSpan, load_reader
from qa.retriever import Retrieved, retrieve

_Result = TypeVar("_Result")

MAX_QUESTION_CHARACTERS = 2_000
"""Longer questions are cut, with a notice: the encoder reads no more of them than this."""

CANDIDATES = 5
RETRIEVED = 20
"""At least so many passages are retrieved, so that the answer and its citations do not hang on ``k``."""

MAX_K = 100


class QA:
    """Answers questions about an index with verbatim quotes. Safe to use from several threads."""

    def __init__(self, index: Index) -> None:
        """Answer from ``index``, which is closed with this object; see `open` and `from_folder`."""
        self._index = index
        self._reader = load_reader()
        self.calibration = load_calibration(index.encoder.fingerprint, self._reader.id)

    @classmethod
    def open(cls, index_dir: str | Path, encoder: Encoder | None = None) -> Self:
        """Open the index in ``index_dir``.

        Raises:
            IndexNotFoundError: there is no index.
            IndexMismatchError: it was made with another format, encoder or chunker.
            IndexDamagedError: a file of it is missing or can't be read.
            EncoderError: its encoder can't be loaded.
        """
        return cls(open_index(index_dir, encoder))

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        index_dir: str | Path | None = None,
        *,
        encoder: Encoder | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Bring the index of ``folder`` up to date, making it if absent, and open it.

        Raises:
            FolderError: the folder is missing or is no folder.
            IndexMismatchError: there is an index that was made otherwise.
            IndexDamagedError: there is an index that can't be read.
            IndexLockedError: another process is writing the index.
            IndexWriteError: the index can't be written.
            EncoderError: the encoder can't be loaded.
        """
        report = update(folder, index_dir, encoder=encoder, progress=progress)
        return cls.open(report.index_dir, encoder)

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

    def load(self) -> None:
        """Load index and encoder now rather than at the first question."""
        self._index.live().load()
        self._index.encoder.encode_question("ready")

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
            CalibrationError: ``min_confidence`` was given, and this encoder has no calibration.
            ClosedError, IndexDamagedError, IndexMismatchError: the index can't be asked any more.
        """
        threshold = self._threshold(min_confidence)
        clock = _Clock()
        encoder = self._index.encoder
        asked, notice = _fitted(_cleaned(question), encoder)
        snapshot = self._index.live()
        within = snapshot.match(_checked_sources(sources))
        vector = clock.time("encode", lambda: encoder.encode_question(asked))
        found = retrieve(snapshot, asked, vector, max(_checked_k(k), RETRIEVED), within, clock.add)
        spans = clock.time("read", lambda: self._reader.read(asked, vector, found, encoder, snapshot))
        if not found and phrases(asked):
            notice = (
                f"{notice} No passage holds these words in this order: {', '.join(phrases(asked))}.".strip()
            )
        candidates = clock.time("rank", lambda: self._candidates(asked, snapshot, spans))
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
            passages=tuple(_evidence(passage) for passage in found[:k]),
            question=asked,
            timings=clock.timings(),
            notice=notice,
        )

    def _threshold(self, min_confidence: float | None) -> float:
        if min_confidence is None:
            return self.calibration.min_confidence if self.calibration is not None else 0.0
        if not 0 <= min_confidence <= 1:
            raise QuestionError(f"min_confidence is {min_confidence}; give a probability from 0 to 1")
        if self.calibration is None:
            raise CalibrationError(
                f"there is no calibration for the encoder {self._index.encoder.name}, so a confidence can't "
                "be asked for; leave --min-confidence out, or use the bundled encoder"
            )
        return min_confidence

    def search(self, query: str, k: int = 10, sources: Sequence[str] | None = None) -> tuple[Evidence, ...]:
        """The ``k`` best passages for ``query``, best first, without looking for an answer.

        Raises:
            QuestionError: the query is empty, or ``k`` is out of range.
            SourceNotFoundError: an entry of ``sources`` matches no document.
            ClosedError, IndexDamagedError, IndexMismatchError: the index can't be asked any more.
        """
        asked, _ = _fitted(_cleaned(query), self._index.encoder)
        snapshot = self._index.live()
        within = snapshot.match(_checked_sources(sources))
        vector = self._index.encoder.encode_question(asked)
        return tuple(
            _evidence(passage) for passage in retrieve(snapshot, asked, vector, _checked_k(k), within)
        )

    def text(self, source: str) -> str:
        """The extracted text of a document, to which all offsets refer.

        Raises:
            SourceNotFoundError: the index holds no text of such a file.
        """
        return self._index.live().text(source)

    def documents(self) -> tuple[DocumentStatus, ...]:
        """The status of every file, by source."""
        return self._index.live().documents

    def status(self) -> IndexStatus:
        """The state of the index, with `documents`."""
        return self._index.status()

    def sample(self, count: int) -> tuple[Evidence, ...]:
        """``count`` passages spread evenly over the documents, with score 0."""
        return tuple(
            _evidence(Retrieved(passage, 0.0, 0.0, 0.0)) for passage in self._index.live().sample(count)
        )

    def _candidates(
        self, question: str, snapshot: Snapshot, spans: Sequence[ScoredSpan]
    ) -> tuple[Candidate, ...]:
        """The best answers, equal ones joined with all their citations."""
        merged: dict[str, list[int]] = {}
        for place, span in enumerate(spans):
            merged.setdefault(_folded(span.text), []).append(place)
        candidates: list[Candidate] = []
        # What a question finds that has no content word, or none that the documents know, is chance.
        ceiling = 1.0 if has_content(question) and snapshot.holds_any(question) else 0.0
        for places in list(merged.values())[:CANDIDATES]:
            text = spans[places[0]].text
            confidence = None
            if self.calibration is not None:
                found = signals(question, snapshot, spans, places[0])
                # Candidates stand in the reader's order; a later one is not surer than an earlier.
                ceiling = confidence = min(ceiling, self.calibration.probability(found))
            cited = {(c.source, c.start): c for place in places for c in _citations(spans[place])}
            candidates.append(Candidate(text, text, confidence, tuple(cited.values())))
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


def _cleaned(question: str) -> str:
    """The question without white space around it and without what can't be encoded as text."""
    if not isinstance(question, str):
        raise QuestionError(f"the question is {question!r}; give a text")
    asked = " ".join(question.encode("utf-8", "replace").decode("utf-8").split())
    if not asked:
        raise QuestionError("the question is empty; ask something about the documents")
    return asked


def _fitted(question: str, encoder: Encoder) -> tuple[str, str]:
    """The question as far as the encoder reads it, and a notice where that is not all of it."""
    head = question[:MAX_QUESTION_CHARACTERS]
    pieces = encoder.token_offsets([head])[0]
    if len(pieces) > encoder.max_tokens:
        head = head[: pieces[encoder.max_tokens - 1][1]]
    if len(head) == len(question):
        return question, ""
    notice = f"The question is long: its first {len(head):,} of {len(question):,} characters were searched."
    return head, notice


def _checked_k(k: int) -> int:
    if not isinstance(k, int) or not 1 <= k <= MAX_K:
        raise QuestionError(f"k is {k}; ask for 1 to {MAX_K} passages")
    return k


def _checked_sources(sources: Sequence[str] | None) -> Sequence[str] | None:
    if sources is not None and (
        isinstance(sources, str) or not all(isinstance(entry, str) for entry in sources)
    ):
        raise QuestionError(f"sources is {sources!r}; give a list of paths or patterns")
    return sources


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _citations(span: ScoredSpan) -> Iterator[Citation]:
    """Every place of the span's sentence: its own, and equal sentences of the passage's twins."""
    yield from _places(span.retrieved.passage, span.start, span.end)
    wanted = _folded(span.text)
    for twin in span.retrieved.twins:
        passage = twin.passage
        for start, end in passage.sentences:
            if _folded(passage.text[start - passage.start : end - passage.start]) == wanted:
                yield from _places(twin, start, end)


def _places(found: IndexedPassage, start: int, end: int) -> Iterator[Citation]:
    passage = found.passage
    quote = passage.text[start - passage.start : end - passage.start]
    for source in found.sources:
        yield Citation(
            source=source,
            start=start,
            end=end,
            quote=quote,
            key_start=start,
            key_end=end,
            context_start=start,
            context_end=end,
            context=quote,
            page=passage.page,
            heading=list(passage.heading),
            title=_title(found, source),
        )


def _title(found: IndexedPassage, source: str) -> str:
    return found.title or PurePosixPath(source).name


def _evidence(retrieved: Retrieved) -> Evidence:
    found = retrieved.passage
    passage = found.passage
    twins = [(s, t.passage.start, t.passage.end) for t in retrieved.twins for s in t.sources]
    return Evidence(
        score=retrieved.score,
        source=found.sources[0],
        start=passage.start,
        end=passage.end,
        text=passage.text,
        page=passage.page,
        heading=list(passage.heading),
        title=_title(found, found.sources[0]),
        also_in=(*((source, passage.start, passage.end) for source in found.sources[1:]), *twins),
    )
