"""Candidate passages -> scored answer spans.

The span model gives start and end logits for each word piece and a null score for each window; the
reader turns them into the best spans of each window. Offsets come from the tokenizer and the passage
and are never searched for. After Devlin et al. 2019 (BERT, section 4.3): a span's score is the sum of
its two logits, and its gap what that is above the null score; the gap compares spans of different
windows.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index import IndexedPassage, Passage, Span, question_terms, terms
from qa.errors import ReaderError
from qa.extent import neighbours, sentences_around
from qa.retriever import Retrieved
from qa.rows import Part, Row, Tables
from qa.span_ends import balanced, whole_words
from qa.span_model import SpanModel, Text, Window

READ_PASSAGES = 8
"""How many passages are read; docs/performance.md has the curve."""

FARTHEST_BEHIND = 0.6
"""Passages whose score is so far below the best one's are not read; docs/performance.md has the curve."""

READ_ROWS = 24
"""How many rows of tables are read; docs/reader.md has the curve."""

ROWS_CHARACTERS = 10_000
"""How many characters these may have in all, as they are told: a row may have hundreds of cells."""

READ_BY_CELL = 3
"""Of how many rows the cells are read one by one."""

READ_CELLS = 32
"""How many cells these may have in all."""

READ_TWINS = 8
"""How many near-duplicates that say something else are read besides."""

SPANS_OF_A_WINDOW = 4
SPAN_PIECES = 30
WHOLE_CELL_WORDS = 8
"""A cell of a table that has no more is the answer as a whole."""

RETRIEVAL_WEIGHT = 6.0
"""What one point of the retriever's score is worth in logits; docs/reader.md has the curve."""


_Found = tuple[int, int, float]
"""A range of a document, and the gap of its span."""


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """A span of a passage that was read.

    Attributes:
        candidate: the passage that was read, or the one whose near-duplicate was.
        place: what was read: the candidate or one of its twins.
        start: the first code point in the document.
        end: the code point after the last.
        gap: its logits above those of no answer in its window.
        score: what it is ranked by: the gap and the retriever's score.
    """

    candidate: Retrieved
    place: Retrieved
    start: int
    end: int
    gap: float
    score: float

    @property
    def likelihood(self) -> float:
        """The gap as a probability, against no answer in its window."""
        return 1 / (1 + exp(-max(-50.0, min(50.0, self.gap))))

    @property
    def text(self) -> str:
        """The span, verbatim."""
        passage = self.place.passage.passage
        return passage.text[self.start - passage.start : self.end - passage.start]


class Reread(NamedTuple):
    """The highest gaps of a span's sentences read again: by themselves, and with those beside them."""

    alone: float
    beside: float


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is read at once: a row of a table, or a passage without its rows.

    ``sentences`` are those in which answers may lie.
    """

    candidate: Retrieved
    place: Retrieved
    text: Text
    sentences: Sequence[Span]
    row: Row | None = None

    @property
    def alone(self) -> tuple[Row, ...]:
        """The cells of a row, each told by itself."""
        return self.row.alone if self.row is not None else ()

    def spans(self, windows: Sequence[Window]) -> list[_Found]:
        """The best spans of each window as ranges of the document; of a row all, best first."""
        checked = [_checked(window, self.text.passage) for window in windows]
        if self.row is not None:
            return _highest(span for window in checked for span in _placed_in_row(window, self.row))
        passage = self.place.passage.passage
        return [span for window in checked for span in _placed(window, passage, self.sentences)]


def read(question: str, retrieved: Sequence[Retrieved], model: SpanModel, tables: Tables) -> list[ScoredSpan]:
    """The best spans of the best passages, best first; of overlapping spans only the best stays.

    Args:
        question: the stand-alone question.
        retrieved: the candidate passages, best first.
        model: gives the logits.
        tables: those of the documents; their rows are read one by one, as they are told.

    Raises:
        ReaderError: the model gave something that is no number, or a place that is not in its passage.
    """
    readings = _likeliest(
        question,
        [
            reading
            for candidate, place in _readable(retrieved)
            for reading in _readings(candidate, place, tables)
        ],
    )
    if not readings:
        return []
    windows = model.windows(question, [reading.text for reading in readings])
    spans = [one.spans(found) for one, found in zip(readings, windows, strict=True)]
    scored = [
        ScoredSpan(one.candidate, one.place, start, end, gap, gap + RETRIEVAL_WEIGHT * one.place.score)
        for one, found in zip(readings, _by_cell(question, readings, spans, model), strict=True)
        for start, end, gap in found
    ]
    return _without_overlaps(sorted(scored, key=lambda span: -span.score))


def read_again(question: str, spans: Sequence[ScoredSpan], model: SpanModel, tables: Tables) -> list[Reread]:
    """What the sentences of each span come to when they are read again; the same for spans of the same ones.

    The row of a table is read as it is told, and by itself alone.

    With less of the passage a question that only resembles what it says finds less to be misled
    by: a verifier made of the reader itself (after Hu et al. 2019, Read + Verify).

    Raises:
        ReaderError: as `read`.
    """
    asked = []
    for span in spans:
        found = span.place.passage
        sentences = sentences_around(found.passage, span.start, span.end)
        text, row = _alone(found, sentences, tables)
        wider = _text(found.passage, _with_neighbours(found, sentences, tables)) if row is None else text
        asked.append(((text, row), (wider, row)))
    unique = list(dict.fromkeys(itertools.chain.from_iterable(asked)))
    windows = model.windows(question, [text for text, _ in unique])
    highest = {
        one: max((gap for window in found for gap in _gaps(window, *one)), default=-inf)
        for one, found in zip(unique, windows, strict=True)
    }
    return [Reread(highest[alone], highest[beside]) for alone, beside in asked]


def _gaps(window: Window, text: Text, row: Row | None) -> Iterator[float]:
    window = _checked(window, text.passage)
    return (gap for _, _, gap in (best_spans(window) if row is None else _placed_in_row(window, row)))


def _readings(candidate: Retrieved, place: Retrieved, tables: Tables) -> Iterator[_Reading]:
    """A passage, read as a whole but for the rows of its tables, which are read one by one."""
    passage = place.passage.passage
    prose = []
    for sentence in passage.sentences:
        text, row = _alone(place.passage, sentence, tables)
        if row is None:
            prose.append(sentence)
        else:
            yield _Reading(candidate, place, text, (sentence,), row)
    if prose or not passage.sentences:
        yield _Reading(candidate, place, Text(passage.context, passage.text), prose)


def _by_cell(
    question: str, readings: Sequence[_Reading], spans: Sequence[list[_Found]], model: SpanModel
) -> list[list[_Found]]:
    """The spans, those of the best rows weighed half by their rows and half by what each cell says by itself.

    A reader finds the table's row more surely than the cell in it. The best of these cells keeps the gap that
    the best of these rows has.
    """
    weighed = [
        found if one.row is None else found[:SPANS_OF_A_WINDOW]
        for one, found in zip(readings, spans, strict=True)
    ]
    rows = [number for number, one in enumerate(readings) if one.alone and spans[number]]
    rows.sort(key=lambda n: -max(gap for _, _, gap in spans[n]) - RETRIEVAL_WEIGHT * readings[n].place.score)
    told: list[tuple[int, Row]] = []
    for number in rows[:READ_BY_CELL]:
        cells = readings[number].alone
        told += [(number, cell) for cell in cells] if len(told) + len(cells) <= READ_CELLS else []
    texts = [Text(readings[number].text.context, cell.text) for number, cell in told]
    alone: dict[int, list[_Found]] = {}
    for (number, cell), text, windows in zip(
        told, texts, model.windows(question, texts) if texts else [], strict=True
    ):
        for window in windows:
            alone.setdefault(number, []).extend(_placed_in_row(_checked(window, text.passage), cell))
    found = {
        number: _highest((a, b, (gap + _gap_there(spans[number], a, b)) / 2) for a, b, gap in cells)
        for number, cells in alone.items()
        if cells
    }
    if not found:
        return weighed
    highest = max(spans[number][0][2] for number in found)
    above = highest - max(best[0][2] for best in found.values())
    for number, best in found.items():
        weighed[number] = [(start, end, gap + above) for start, end, gap in best[:SPANS_OF_A_WINDOW]]
    return weighed


def _highest(spans: Iterable[_Found]) -> list[_Found]:
    """Each range once, with its highest gap; best first."""
    best: dict[Span, float] = {}
    for start, end, gap in spans:
        best[start, end] = max(gap, best.get((start, end), -inf))
    return [(start, end, gap) for (start, end), gap in sorted(best.items(), key=lambda one: -one[1])]


def _gap_there(spans: Sequence[_Found], start: int, end: int) -> float:
    """The gap of the best span that overlaps the range, or where none does that of the worst."""
    return next((gap for first, last, gap in spans if first < end and start < last), spans[-1][2])


def _likeliest(question: str, readings: Sequence[_Reading]) -> list[_Reading]:
    """All prose, and of many rows those that share most words with the question."""
    asked = set(question_terms(question))
    shared = {
        number: len(asked.intersection(terms(one.row.text)))
        for number, one in enumerate(readings)
        if one.row is not None
    }
    likeliest = sorted(shared, key=lambda number: -shared[number])[:READ_ROWS]
    lengths = itertools.accumulate(len(readings[number].text.passage) for number in likeliest)
    kept = {number for number, total in zip(likeliest, lengths, strict=True) if total <= ROWS_CHARACTERS}
    return [one for number, one in enumerate(readings) if one.row is None or number in kept]


def _alone(found: IndexedPassage, span: Span, tables: Tables) -> tuple[Text, Row | None]:
    """What is read of a part of a passage by itself; of a row, as it is told."""
    passage = found.passage
    row = tables.row(found, *span)
    if row is None:
        return _text(passage, span), None
    is_above = row.header[0] < passage.start  # then it is the last line of the context
    return Text(passage.context.rpartition("\n")[0] if is_above else passage.context, row.text), row


def _with_neighbours(found: IndexedPassage, sentences: Span, tables: Tables) -> Span:
    """The range of the sentences and of those beside them that are no row of a table."""
    beside = [span for span in neighbours(found.passage, sentences) if tables.row(found, *span) is None]
    return min([sentences, *beside])[0], max([sentences, *beside])[1]


def _text(passage: Passage, span: Span) -> Text:
    return Text(passage.context, passage.text[span[0] - passage.start : span[1] - passage.start])


def _readable(retrieved: Sequence[Retrieved]) -> Iterator[tuple[Retrieved, Retrieved]]:
    """The candidates, and with them those of their near-duplicates that say something else.

    A template filled in many times is one candidate, and each filling a possible answer.
    """
    room = READ_TWINS
    least = max((one.score for one in retrieved), default=0.0) - FARTHEST_BEHIND
    for candidate in [one for one in retrieved[:READ_PASSAGES] if one.score >= least]:
        yield candidate, candidate
        seen = {_folded(candidate.passage)}
        for twin in candidate.twins:
            if room and _folded(twin.passage) not in seen:
                seen.add(_folded(twin.passage))
                room -= 1
                yield candidate, twin


def _folded(passage: IndexedPassage) -> str:
    return " ".join(passage.passage.text.split()).casefold()


def _checked(window: Window, text: str) -> Window:
    """The window, if a reader could have meant it: what is wrong in it would look like a refusal."""
    logits = np.concatenate([window.starts, window.ends, [window.null_start, window.null_end]])
    if len(window.starts) != len(window.offsets) or len(window.ends) != len(window.offsets):
        raise ReaderError("the reader gave more or fewer logits than word pieces; choose another --reader")
    if np.isnan(logits).any() or np.isposinf(logits).any() or not np.isfinite(logits[-2:]).all():
        raise ReaderError("the reader gave a logit that is no number; choose another --reader")
    if any(not 0 <= start <= end <= len(text) for start, end in window.offsets):
        raise ReaderError("the reader gave a place outside of its passage; choose another --reader")
    return window


def _placed_in_row(window: Window, row: Row) -> Iterator[tuple[int, int, float]]:
    """The best spans of a row that is told: of each cell one, whole where it is short."""
    for part in row.parts:
        inside = [
            number
            for number, (start, end) in enumerate(window.offsets)
            if part.start <= start < end <= part.end
        ]
        if not inside:
            continue
        cell = slice(inside[0], inside[-1] + 1)
        stretch = replace(
            window,
            offsets=window.offsets[cell],
            starts=window.starts[cell],
            ends=window.ends[cell],
        )
        for first, last, gap in best_spans(stretch)[:1]:
            span = _in_cell(row.text[part.start : part.end], stretch, first, last, part)
            if span[0] < span[1]:
                yield (*span, gap)


def _in_cell(cell: str, window: Window, first: int, last: int, part: Part) -> Span:
    """A span of word pieces of a cell as a range of the document."""
    start, end = 0, len(cell)
    if len(cell.split()) > WHOLE_CELL_WORDS:
        start, end = window.offsets[first][0] - part.start, window.offsets[last][1] - part.start
        start, end = balanced(cell, *whole_words(cell, start, end))
    return part.place + start, part.place + end


def _placed(window: Window, passage: Passage, sentences: Sequence[Span]) -> Iterator[tuple[int, int, float]]:
    """The best spans of a window as ranges of the document, snapped to whole words."""
    spans = [
        (offset + first, offset + last, gap)
        for offset, stretch in _stretches(_in_sentences(window, passage, sentences), passage)
        for first, last, gap in best_spans(stretch)
    ]
    for first, last, gap in sorted(spans, key=lambda span: -span[2])[:SPANS_OF_A_WINDOW]:
        start, end = window.offsets[first][0], window.offsets[last][1]
        said = passage.text[start:end]
        if said.strip():  # some tokenizers count the space before a word to it
            start, end = end - len(said.lstrip()), start + len(said.rstrip())
            start, end = balanced(passage.text, *whole_words(passage.text, start, end))
            if start < end:
                yield passage.start + start, passage.start + end, gap


def _in_sentences(window: Window, passage: Passage, sentences: Sequence[Span]) -> Window:
    """The window without the logits of what is no sentence: list marks, rules, a table's header."""
    if not window.offsets:
        return window
    starts, ends = np.array(window.offsets).T + passage.start
    inside = np.zeros(len(starts), dtype=bool)
    for first, last in sentences:
        inside |= (starts < last) & (ends > first)
    return replace(
        window,
        starts=np.where(inside, window.starts, -np.inf).astype(np.float32),
        ends=np.where(inside, window.ends, -np.inf).astype(np.float32),
    )


def _stretches(window: Window, passage: Passage) -> Iterator[tuple[int, Window]]:
    """The parts of the window that no answer goes beyond, with the number of their first word piece.

    A sentence that ends with its line ends a paragraph, a list item or a heading. Within them an
    answer may go on into the next sentence: the end of a sentence may be that of an abbreviation.
    """
    ends = [
        end
        for (_, end), (start, _) in itertools.pairwise(passage.sentences)
        if "\n" in passage.text[end - passage.start : start - passage.start]
    ]
    starts = [offset[0] + passage.start for offset in window.offsets]
    cuts = sorted({0, *(bisect_left(starts, end) for end in ends), len(starts)})
    for first, last in itertools.pairwise(cuts):
        yield (
            first,
            replace(
                window,
                offsets=window.offsets[first:last],
                starts=window.starts[first:last],
                ends=window.ends[first:last],
            ),
        )


def best_spans(window: Window) -> list[tuple[int, int, float]]:
    """The (first piece, last piece, gap) of the best spans that do not overlap, best first."""
    null = window.null_start + window.null_end
    sums: NDArray[np.float32] = np.add.outer(window.starts, window.ends) - np.float32(null)
    allowed = np.triu(np.ones(sums.shape, dtype=bool))
    allowed &= ~np.triu(allowed, k=SPAN_PIECES)
    sums[~allowed] = -np.inf
    best: list[tuple[int, int, float]] = []
    while len(best) < SPANS_OF_A_WINDOW and sums.size:
        first, last = divmod(int(sums.argmax()), sums.shape[1])
        gap = float(sums[first, last])
        if not np.isfinite(gap):
            break
        best.append((first, last, gap))
        # What starts at or before its last piece and ends at or after its first overlaps it.
        sums[: last + 1, first:] = -np.inf
    return best


def _without_overlaps(spans: Sequence[ScoredSpan]) -> list[ScoredSpan]:
    """Of spans that share characters of the same document, the best one.

    One that stands in the overlap of two passages is placed in the later of them: what follows it, such
    as the items of a list, is there.
    """
    kept: list[ScoredSpan] = []
    taken: dict[str, dict[Span, int]] = {}  # by document: each range, and where it stands in ``kept``
    for span in spans:
        places = taken.setdefault(span.place.passage.sources[0], {})
        same = places.get((span.start, span.end))
        if same is not None:
            if span.place.passage.passage.end > kept[same].place.passage.passage.end:
                kept[same] = replace(kept[same], candidate=span.candidate, place=span.place)
        elif all(span.end <= start or span.start >= end for start, end in places):
            places[span.start, span.end] = len(kept)
            kept.append(span)
    return kept
