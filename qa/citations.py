"""Spans and passages -> citations: every place of a quote, with exact offsets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from index import IndexedPassage, Passage, Span
from qa.extent import quoted, sentences_around
from qa.model import Citation, Evidence
from qa.reader import ScoredSpan
from qa.retriever import Retrieved
from qa.rows import Tables


def citations(question: str, span: ScoredSpan, tables: Tables) -> Iterator[Citation]:
    """Every place of the span: its own, and equal sentences of the passage's near-duplicates.

    ``tables`` are those of the documents; a key that stands in one is named by its row and column.
    """
    passage = span.place.passage.passage
    quote, key = quoted(question, passage, (span.start, span.end))
    context = sentences_around(passage, *quote)
    yield from _places(span.place.passage, key, quote, context, tables)
    for other in (span.candidate, *span.candidate.twins):
        twin = other.passage
        if twin.id == span.place.passage.id:
            continue
        for first, _ in twin.passage.sentences:
            place = _carried(passage, context, twin.passage, first)
            if place is not None:
                there = [(place[start], place[end - 1] + 1) for start, end in (key, quote, context)]
                yield from _places(twin, there[0], there[1], there[2], tables)
                break


def evidence(retrieved: Retrieved) -> Evidence:
    """A retrieved passage as answers show it."""
    found = retrieved.passage
    passage = found.passage
    twins = [
        (source, twin.passage.passage.start, twin.passage.passage.end)
        for twin in retrieved.twins
        for source in twin.passage.sources
    ]
    return Evidence(
        score=retrieved.score,
        source=found.sources[0],
        start=passage.start,
        end=passage.end,
        text=passage.text,
        page=passage.page,
        heading=list(passage.heading),
        title=_title(found, found.sources[0]),
        page_label=passage.page_label,
        also_in=(*((source, passage.start, passage.end) for source in found.sources[1:]), *twins),
    )


def _carried(passage: Passage, context: Span, twin: Passage, first: int) -> dict[int, int] | None:
    """For each character of the context its place in the twin, if the twin says the same at ``first``.

    White space and case may differ; nothing else may, and a sentence must end where the context does.
    """
    mine = [i for i in range(*context) if not passage.text[i - passage.start].isspace()]
    theirs = [i for i in range(first, twin.end) if not twin.text[i - twin.start].isspace()][: len(mine)]
    if len(mine) != len(theirs) or all(end != theirs[-1] + 1 for _, end in twin.sentences):
        return None
    if any(
        passage.text[i - passage.start].casefold() != twin.text[j - twin.start].casefold()
        for i, j in zip(mine, theirs, strict=True)
    ):
        return None
    return dict(zip(mine, theirs, strict=True))


def _places(
    found: IndexedPassage, key: Span, quote: Span, context: Span, tables: Tables
) -> Iterator[Citation]:
    passage = found.passage
    cell = tables.cell(found, sentences_around(passage, *key), *key)
    for source in found.sources:
        yield Citation(
            source=source,
            start=quote[0],
            end=quote[1],
            quote=_text(passage, quote),
            key_start=key[0],
            key_end=key[1],
            context_start=context[0],
            context_end=context[1],
            context=_text(passage, context),
            page=passage.page,
            heading=list(passage.heading),
            title=_title(found, source),
            page_label=passage.page_label,
            table_row=cell.row or None if cell else None,
            table_column=cell.column or None if cell else None,
        )


def _text(passage: Passage, span: Span) -> str:
    return passage.text[span[0] - passage.start : span[1] - passage.start]


def _title(found: IndexedPassage, source: str) -> str:
    return found.title or PurePosixPath(source).name
