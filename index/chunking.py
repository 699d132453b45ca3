"""Document -> passages that fit the encoder, with exact offsets.

Whole sentences are packed up to ``passage_tokens`` word pieces, never across sections or pages.
Lengths are counted with the encoder's own tokenizer, so nothing is cut silently at the model's
limit: what does not fit into one passage goes into the next.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Protocol

from index.errors import EncoderError
from index.model import Block, Document, Page, Passage, Section, Span

CHUNKER_VERSION = 1
CONTEXT_SEPARATOR = " > "
HEADER_TOKENS = 48
"""The most of a table's header row that is repeated before rows without it."""

TOKENIZED_AT_ONCE = 1_000
CHARACTERS_PER_TOKEN = 8
"""A word of more than 100 letters is one unknown piece to WordPiece; longer text than this per
piece is counted by its characters instead, so that no passage grows without bound."""

READ_AT_ONCE = 4_000
LOOK_AHEAD = 1_000
"""sentencex takes quadratic time for many quotation marks, or sentences without white space. So it is
given a long text in windows; of each but the last, its last characters only show what follows."""

LONGEST_NAME = 10_000
"""The most characters of a title, heading or header row that are looked at: far more than fit."""


@dataclass(frozen=True, slots=True)
class ChunkSettings:
    """How documents are split. Lengths are word pieces of the encoder's tokenizer."""

    passage_tokens: int = 210
    overlap_tokens: int = 40
    context_tokens: int = 32
    version: int = CHUNKER_VERSION

    def as_manifest(self) -> dict[str, int]:
        """Return the settings as they are kept in a manifest."""
        return asdict(self)


# Possessive, as long runs of marks would else be tried in every partition.
_ENUMERATOR = re.compile(r"\W*+(?:\d{1,3}|[A-Za-z]|[ivxlc]{1,5}|[IVXLC]{1,5})?\W*+")
_MARKS = re.compile(r"\W+")


class Tokenizer(Protocol):
    """What chunking needs of an encoder."""

    @property
    def max_tokens(self) -> int:
        """The most word pieces that the encoder reads, special tokens not counted."""

    def token_offsets(self, texts: Sequence[str]) -> list[list[Span]]:
        """For each text, the range of each of its word pieces, nothing cut."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence, table row or piece of an over-long one: what is packed whole.

    ``gap`` counts the word pieces between it and the unit before (list marks, rules).
    """

    start: int
    end: int
    tokens: int
    gap: int
    block: Block


def chunk(
    document: Document, tokenizer: Tokenizer, settings: ChunkSettings, language: str = "en"
) -> Iterator[Passage]:
    """Split ``document`` into passages, which are made one by one: a book of them takes no memory.

    ``language`` (ISO 639-1) knows what ends no sentence: "14. September" in German.

    Raises:
        EncoderError: the encoder reads fewer word pieces than ``settings`` ask for.
    """
    budget = min(settings.passage_tokens, tokenizer.max_tokens - settings.context_tokens)
    if budget < settings.context_tokens:
        raise EncoderError(
            f"the encoder reads {tokenizer.max_tokens} word pieces, too few for passages with "
            f"{settings.context_tokens} pieces of context; choose an encoder that reads more"
        )
    page_of = _page_finder(document.pages)
    for section in document.sections:
        context = _context(document.title, section.heading, tokenizer, settings.context_tokens)
        for blocks in _by_page(section, page_of):
            headers = _headers(document.text, blocks, tokenizer)
            units = _units(document.text, blocks, headers, tokenizer, budget, language)
            for group, header in _pack(units, headers, budget, settings.overlap_tokens):
                yield _passage(document.text, group, section, page_of, (context, header), headers)


def embedded_text(passage: Passage) -> str:
    """The text that is embedded and searched for ``passage``: its context, then its own."""
    return f"{passage.context}\n{passage.text}" if passage.context else passage.text


def sentence_spans(text: str, start: int, end: int, language: str = "en") -> Iterator[Span]:
    """Yield the sentences of ``text[start:end]`` as ranges of ``text``, white space left out.

    Boundaries come from sentencex. A mere number, letter or mark ("1.", "(a)", "*") belongs to the
    sentence that it introduces.
    """
    begin = place = start
    held = ""
    for stop in _sentence_ends(text, start, end, language):
        held += text[place:stop]
        place = stop
        if stop < end and _is_enumerator(held):
            held = _MARKS.sub(".", held)  # as good as all of it, and never long
            continue
        span = _trimmed(text, begin, stop)
        begin, held = stop, ""
        if span[0] < span[1]:
            yield span


def _sentence_ends(text: str, start: int, end: int, language: str) -> Iterator[int]:
    """Yield where the sentences of ``text[start:end]`` end, in linear time."""
    import sentencex

    while end - start > READ_AT_ONCE:
        window = text[start : start + READ_AT_ONCE]
        sure = start + READ_AT_ONCE - LOOK_AHEAD
        stops = [start + found["end_index"] for found in sentencex.get_sentence_boundaries(language, window)]
        del stops[-1]  # the end of the window, not of a sentence
        stops = [stop for stop in stops if stop <= sure] or stops[:1]
        yield from stops
        start = stops[-1] if stops else _break_before(text, start, sure)
    for found in sentencex.get_sentence_boundaries(language, text[start:end]):
        yield start + found["end_index"]


def _is_enumerator(fragment: str) -> bool:
    return _ENUMERATOR.fullmatch(fragment) is not None


def _trimmed(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _page_finder(pages: Sequence[Page]) -> Callable[[int], Page | None]:
    def page_of(offset: int) -> Page | None:
        low, high = 0, len(pages)
        while low < high:
            middle = (low + high) // 2
            if pages[middle].end <= offset:
                low = middle + 1
            else:
                high = middle
        return pages[low] if low < len(pages) and pages[low].start <= offset else None

    return page_of


def _by_page(section: Section, page_of: Callable[[int], Page | None]) -> Iterator[list[Block]]:
    run: list[Block] = []
    for block in section.blocks:
        if run and page_of(block.start) != page_of(run[-1].start):
            yield run
            run = []
        run.append(block)
    if run:
        yield run


def _context(title: str | None, heading: tuple[str, ...], tokenizer: Tokenizer, limit: int) -> str:
    """Title > heading path in at most ``limit`` word pieces: the ends of the path matter most."""
    parts = [_one_line(part, limit) for part in ((title,) if title else ()) + heading]
    parts = [part for part in parts if part]
    del parts[1 : -(limit // 2)]  # even single letters, with what parts them, would be too long
    while len(parts) > 2 and _length(CONTEXT_SEPARATOR.join(parts), tokenizer) > limit:
        del parts[1]
    if len(parts) == 2:
        last = _cut(parts[1], tokenizer, limit // 2)
        room = limit - _length(CONTEXT_SEPARATOR + last, tokenizer)
        parts = [_cut(parts[0], tokenizer, room), last]
    return _cut(CONTEXT_SEPARATOR.join(parts), tokenizer, limit)


def _one_line(text: str, limit: int) -> str:
    """The text without line ends; of a long one, more than enough to be cut to ``limit``."""
    return " ".join(text[:LONGEST_NAME].split())[: 2 * limit * CHARACTERS_PER_TOKEN]


def _length(text: str, tokenizer: Tokenizer) -> int:
    return _tokens_in(len(tokenizer.token_offsets([text])[0]), len(text))


def _tokens_in(pieces: int, characters: int) -> int:
    return max(pieces, -(-characters // CHARACTERS_PER_TOKEN))


def _cut(text: str, tokenizer: Tokenizer, limit: int) -> str:
    offsets = tokenizer.token_offsets([text])[0]
    if len(offsets) > limit:
        text = text[: offsets[limit][0]]
    return text[: limit * CHARACTERS_PER_TOKEN].rstrip()


def _headers(text: str, blocks: Iterable[Block], tokenizer: Tokenizer) -> dict[Span, tuple[str, int]]:
    """The header rows of the tables, as they are repeated, with their lengths."""
    found = {}
    for span in {block.header for block in blocks if block.header is not None}:
        row = text[span[0] : min(span[1], span[0] + LONGEST_NAME)]
        header = _cut(_one_line(row, HEADER_TOKENS), tokenizer, HEADER_TOKENS)
        found[span] = header, _length(header, tokenizer)
    return found


def _units(
    text: str,
    blocks: Iterable[Block],
    headers: Mapping[Span, tuple[str, int]],
    tokenizer: Tokenizer,
    budget: int,
    language: str,
) -> Iterator[_Unit]:
    before: int | None = None
    for start, end, block, tokens in _tokenized(text, blocks, tokenizer, budget, language):
        gap = 0 if before is None else _gap(text[before:start], tokenizer)
        room = budget - headers[block.header][1] if block.header else budget
        if tokens <= room:
            yield _Unit(start, end, tokens, gap, block)
        else:
            for piece_start, piece_end, pieces in _split_long(text, start, end, tokenizer, room):
                yield _Unit(piece_start, piece_end, pieces, gap if piece_start == start else 0, block)
        before = end


def _tokenized(
    text: str, blocks: Iterable[Block], tokenizer: Tokenizer, budget: int, language: str
) -> Iterator[tuple[int, int, Block, int]]:
    """Sentences, rows and pieces of code with their lengths, as many at once as tokenizers like.

    What has too many characters for ``budget`` is not tokenized: it is cut anyway.
    """
    longest = budget * CHARACTERS_PER_TOKEN
    spans = (
        (span, block)
        for block in blocks
        for span in (
            sentence_spans(text, block.start, block.end, language)
            if block.kind in ("prose", "item")
            else [_trimmed(text, block.start, block.end)]
        )
        if span[0] < span[1]
    )
    while batch := list(islice(spans, TOKENIZED_AT_ONCE)):
        texts = [text[start:end] if end - start <= longest else "" for (start, end), _ in batch]
        found = tokenizer.token_offsets(texts)
        for ((start, end), block), offsets in zip(batch, found, strict=True):
            yield start, end, block, _tokens_in(len(offsets), end - start)


def _gap(between: str, tokenizer: Tokenizer) -> int:
    pieces = len(tokenizer.token_offsets([between])[0]) if between.strip() else 0
    return max(pieces, len(between) // CHARACTERS_PER_TOKEN)


def _split_long(
    text: str, start: int, end: int, tokenizer: Tokenizer, budget: int
) -> Iterator[tuple[int, int, int]]:
    """Cut a sentence that is longer than a passage, at white space where there is any.

    Yields (start, end, word pieces). Only a passage's worth of text is looked at for each cut, so the
    time grows with the length alone.
    """
    begin = start
    while begin < end:
        limit = min(begin + budget * CHARACTERS_PER_TOKEN, end)
        offsets = tokenizer.token_offsets([text[begin:limit]])[0]
        if len(offsets) > budget:
            limit = begin + max(offsets[budget][0], 1)
        stop = limit if limit == end else _break_before(text, begin, limit)
        pieces = _length(text[begin:stop], tokenizer)
        while pieces > budget and stop > begin + 1:  # half a word can be more pieces than all of it
            stop -= max((stop - begin) // 16, 1)
            pieces = _length(text[begin:stop], tokenizer)
        span = _trimmed(text, begin, stop)
        if span[0] < span[1]:
            yield *span, pieces
        begin = stop


def _break_before(text: str, begin: int, limit: int) -> int:
    """The best place to cut in ``text[begin:limit]``: a line end, white space, else a character."""
    earliest = begin + (limit - begin) // 2
    for is_break in (lambda c: c == "\n", str.isspace):
        for place in range(limit, earliest, -1):
            if is_break(text[place - 1]):
                return place
    for place in range(limit, earliest, -1):
        if not _continues(text, place):
            return place
    return limit  # nothing but marks


def _continues(text: str, place: int) -> bool:
    """Whether a cut at ``place`` would part a character from its combining marks or joiner."""
    return (
        unicodedata.combining(text[place]) > 0
        or text[place] in "\u200d\ufe0e\ufe0f"
        or text[place - 1] == "\u200d"
        or "\U0001f3fb" <= text[place] <= "\U0001f3ff"
    )


def _pack(
    units: Iterable[_Unit], headers: Mapping[Span, tuple[str, int]], budget: int, overlap: int
) -> Iterator[tuple[list[_Unit], str]]:
    """Group units into passages; with each, the header row that its table rows miss."""
    group: list[_Unit] = []
    header, room = "", budget
    size = 0
    fresh = 0  # units of the group that were in no earlier passage
    for unit in units:
        if fresh and size + unit.gap + unit.tokens > room:
            yield group, header
            group, fresh = _overlap(group, overlap), 0
            size = _size(group)
        if not fresh:
            header, cost = _missing_header(group[0] if group else unit, headers)
            room = budget - cost
            if group and size + unit.gap + unit.tokens > room:
                group, size = [], 0
                header, cost = _missing_header(unit, headers)
                room = budget - cost
        size += unit.tokens + (unit.gap if group else 0)
        group.append(unit)
        fresh += 1
    if fresh:
        yield group, header


def _size(group: Sequence[_Unit]) -> int:
    return sum(unit.tokens for unit in group) + sum(unit.gap for unit in group[1:])


def _overlap(group: Sequence[_Unit], limit: int) -> list[_Unit]:
    """The last sentences of ``group`` that fit ``limit``; rows and code are not repeated."""
    kept: list[_Unit] = []
    size = 0
    for unit in reversed(group[1:]):
        size += unit.tokens + (kept[-1].gap if kept else 0)
        if unit.block.kind not in ("prose", "item") or size > limit:
            break
        kept.append(unit)
    return kept[::-1]


def _missing_header(first: _Unit, headers: Mapping[Span, tuple[str, int]]) -> tuple[str, int]:
    """The header that stands before a passage which begins at ``first``, and its length."""
    span = first.block.header
    if span is None or first.start <= span[0]:
        return "", 0
    return headers[span]


def _passage(
    text: str,
    units: Sequence[_Unit],
    section: Section,
    page_of: Callable[[int], Page | None],
    context: Iterable[str],
    headers: Collection[Span],
) -> Passage:
    start, end = units[0].start, units[-1].end
    page = page_of(start)
    return Passage(
        start=start,
        end=end,
        text=text[start:end],
        heading=section.heading,
        page=page.number if page else None,
        sentences=tuple(span for span in ((u.start, u.end) for u in units) if span not in headers),
        context="\n".join(part for part in context if part),
        page_label=page.label if page else None,
    )
