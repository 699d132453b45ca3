"""Plain text: paragraphs, list items and, cautiously, headings.

The text is never altered, so every offset counts characters of the decoded file. A wrong heading
hides a line from quotes and mislabels what follows; a missing one costs little. So a line is taken for
a heading only where its form and its neighbours agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from index.model import Block, BlockKind, Document
from index.parsers.decoding import decode_file
from index.parsers.outline import Heading, outline

_RULE = re.compile(r"([=\-_*~#+^])(?:[ \t]*\1){2,}$")
_BULLET = re.compile(r"[-*•‣◦▪●–][ \t\xa0]+(?=\S)")
_NUMBER = re.compile(r"(?:\(?\d{1,3}[.)]|\((?:[a-z]|[ivx]{1,5})\)|[a-z]\))[ \t\xa0]+(?=\S)")
_TERMINAL = re.compile(r"[.!?…。！？؟۔।:;,][\"'”’»)\]]*$")
_ENDED = re.compile(r"[.!?…。！？؟۔।:;][\"'”’»)\]]*$")
_SENTENCE_END = re.compile(r"[.!?…。！？؟۔।][\"'”’»)\]]*(?:\s|$)")
_SENTENCES = re.compile(r"(?:[^\W\d_]{3}|(?<=.{9})\d)[.!?][\"'”’»)\]]* \w|^\d+ \.")
_NUMBERED = re.compile(
    r"(?:(?:Chapter|Section|Part|Article|Appendix)[ ]+)?(\d{1,3}(?:\.\d{1,3})*)\.?\s+(?=[^\W\d_])"
)
_TOKENISED = re.compile(r"[^\W_].{0,98}? \.$")
# Words that make a short tokenised line a sentence rather than a heading.
_FINITE = frozenset(
    "is are was were be been am has have had does did do will would can could may might must shall should"
    " he she it they we i you became won lost made died born left moved joined served played lives lived"
    " include includes included remains took began received see".split()
)
_MONTHS = "january february march april may june july august september october november december"
_FACT = re.compile(
    rf"\b(?:{'|'.join(_MONTHS.split())}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?,? \d"
    r"|\d (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*\b"
    r"|:\s*(?=\S*\d|\S+\s\S*\d|\S+\s\S+\s\S*\d)(?:\S+\s*){1,3}$"
    r"|^page \d|https?:|www\.|\S@\S|©|\.{4}|\t|[ ]{3}|[|{}<>]",
    re.IGNORECASE,
)
_HEADING_LIMIT = 120
_CUT_AT_ONCE = 1_000_000  # characters: all lines of a large file at once take many times its room
_WRAP_LIMIT = 140  # nobody wraps text by hand at more columns than this


def parse(data: bytes) -> Document:
    """Read a plain text file.

    Raises:
        EmptyFileError: There is nothing but white space.
        UnsupportedError: The bytes are not text.
        CorruptError: No encoding reads the bytes without loss.
    """
    decoded = decode_file(data)
    parts = _headings(_units(decoded.text))
    first = parts[0] if parts else None
    title = None
    if isinstance(first, Heading) and first.label is None:
        title = " ".join(decoded.text[first.start : first.end].split())
    return Document(title, decoded.text, outline(parts), notice=decoded.notice)


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str  # without the white space around it
    indent: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def width(self) -> int:
        return self.indent + len(self.text)

    @property
    def marker(self) -> int:
        """The length of a bullet, which belongs to no block; -1 without a list marker."""
        if bullet := _BULLET.match(self.text):
            return bullet.end()
        return 0 if _NUMBER.match(self.text) else -1


@dataclass(frozen=True, slots=True)
class _Unit:
    """A paragraph or item, before it is known whether it is a heading."""

    document: str
    start: int
    end: int
    kind: BlockKind
    lines: int
    gap_before: bool
    gap_after: bool
    level: int = 0  # of an underlined heading

    @property
    def text(self) -> str:
        return self.document[self.start : self.end]


def _lines(text: str) -> Iterator[str]:
    """The lines of a text, with their ends."""
    place = 0
    while place < len(text):
        end = text.find("\n", place + _CUT_AT_ONCE) + 1 or len(text)
        yield from text[place:end].splitlines(keepends=True)
        place = end


def _units(text: str) -> list[_Unit]:
    units: list[_Unit] = []
    run: list[_Line] = []
    place = 0
    for raw in chain(_lines(text), [""]):
        stripped = raw.strip()
        line = _Line(place + len(raw) - len(raw.lstrip()), stripped, len(raw) - len(raw.lstrip()))
        place += len(raw)
        rule = _RULE.match(stripped)
        if stripped and not rule:
            run.append(line)
            continue
        if rule and len(run) == 1 and _is_underline(run[0], stripped):
            only = run[0]
            level = 1 if rule[1] == "=" else 2
            units.append(_Unit(text, only.start, only.end, "prose", 1, True, True, level))
        else:
            units.extend(_paragraphs(text, run))
        run = []
    return units


def _is_underline(line: _Line, rule: str) -> bool:
    fits = 0.6 * len(line.text) <= len(rule) <= 1.6 * len(line.text) or abs(len(rule) - len(line.text)) <= 3
    return fits and line.width <= _HEADING_LIMIT and line.marker < 0 and not _FACT.search(line.text)


def _paragraphs(text: str, run: Sequence[_Line]) -> list[_Unit]:
    """Cut a run of lines between blank lines into paragraphs and items."""
    if not run:
        return []
    wrapped = _is_wrapped(run)
    width = max(line.width for line in run)
    starts = [0]
    for place in range(1, len(run)):
        if not _continues(run[place - 1], run[place], wrapped, width, starts[-1] == place - 1):
            starts.append(place)
    units = []
    for first, stop in zip(starts, [*starts[1:], len(run)], strict=True):
        marker = run[first].marker
        start, end = run[first].start + max(marker, 0), run[stop - 1].end
        kind: BlockKind = "item" if marker >= 0 else "prose"
        units.append(_Unit(text, start, end, kind, stop - first, first == 0, stop == len(run)))
    return units


def _is_wrapped(run: Sequence[_Line]) -> bool:
    """Whether the lines were broken for their length rather than their meaning."""
    pairs = list(pairwise(run))
    width = max(line.width for line in run)
    if not pairs or width > _WRAP_LIMIT:
        return False
    if sum(1 for line in run if "\t" in line.text or "   " in line.text) * 2 > len(run):
        return False  # columns
    # A line broken for its length is one on which the next word found no room.
    full = sum(1 for line, after in pairs if line.width + len(after.text.split(None, 1)[0]) >= width)
    running = sum(1 for line, after in pairs if not _ENDED.search(line.text) and after.text[0].islower())
    return full >= 0.6 * len(pairs) or running >= 0.4 * len(pairs)


def _continues(line: _Line, after: _Line, wrapped: bool, width: int, first: bool) -> bool:
    """Whether a paragraph goes on from one line to the next."""
    ended = _ENDED.search(line.text) is not None
    if after.marker >= 0 and (ended or not wrapped or line.marker >= 0 or _BULLET.match(after.text)):
        return False
    if not ended and after.text[0].islower():
        return True
    if first and _NUMBERED.match(line.text) and _could_head(line.text) and line.width < 0.75 * width:
        return False
    if not wrapped:
        return False
    new = ended and (line.width < 0.75 * width or after.indent > line.indent + 1)
    return not new or after.text[0].islower()


def _could_head(text: str) -> bool:
    """Whether a line has the form of a heading; its neighbours decide."""
    return (
        len(text) <= _HEADING_LIMIT
        and (text[0].isalnum() or text[0] in "\"'“‘«(¿¡§")
        and not text[0].islower()
        and any(character.isalpha() for character in text)
        and not _TERMINAL.search(text)
        and not _SENTENCES.search(text)
        and not _FACT.search(text)
    )


def _is_tokenised(unit: _Unit) -> bool:
    """The form "Early life ." of headings in tokenised encyclopaedia text."""
    words = unit.text.lower().split()
    return (
        unit.lines == 1
        and unit.kind == "prose"
        and unit.gap_before
        and unit.gap_after
        and _TOKENISED.match(unit.text) is not None
        and not unit.text[0].islower()
        and len(words) <= 11
        and not _SENTENCES.match(unit.text)
        and not _FINITE.intersection(words)
    )


def _headings(units: Sequence[_Unit]) -> list[Heading | Block]:
    parts: list[Heading | Block] = []
    levels = [_level(units, place) for place in range(len(units))]
    if units and _is_title(units, levels):
        levels[0] = 0
    for unit, level in zip(units, levels, strict=True):
        if level is None:
            parts.append(Block(unit.start, unit.end, unit.kind))
            continue
        before = parts[-1] if parts else None
        label: str | None = " ".join(unit.text.removesuffix(" .").split())
        if unit is units[0] and (level == 0 or _is_title(units, levels)):
            level, label = 0, None
        elif isinstance(before, Heading) and before.label and _is_tokenised(unit):
            level = before.level + 1  # directly below another: its first subsection
        parts.append(Heading(unit.start, unit.end, level, label))
    return parts


def _is_title(units: Sequence[_Unit], levels: Sequence[int | None]) -> bool:
    first = units[0]
    if len(units) == 1 or first.lines > 1 or first.kind != "prose":
        return False
    if levels[0] is not None and not _NUMBERED.match(first.text):
        return True
    form = _could_head(first.text[0].upper() + first.text[1:].rstrip("!?"))
    follows = levels[1] is not None or _reads_on(first, units[1])
    roomy = first.gap_after or levels[1] is not None or len(units[1].text) > len(first.text)
    return form and follows and roomy


def _level(units: Sequence[_Unit], place: int) -> int | None:
    """The level of a heading, from 1; None for anything else."""
    unit = units[place]
    number = _NUMBERED.match(unit.text)
    if unit.level:
        return number[1].count(".") + 1 if number else unit.level
    if place + 1 == len(units):
        return None
    if _is_tokenised(unit):
        return 1
    after = units[place + 1]
    before = units[place - 1] if place else None
    if unit.lines > 1 or not _could_head(unit.text) or (unit.kind == "item" and not number):
        return None
    if number:
        return _numbered_level(unit, number, before, after)
    if not _reads_on(unit, after):
        return None
    if unit.gap_before and unit.gap_after:
        return None if place > 1 and _is_loose(before) else 1
    closed = before is None or place == 1 or unit.gap_before or _TERMINAL.search(before.text)
    stands_out = len(after.text) > max(_WRAP_LIMIT, 2 * len(unit.text)) and after.lines == 1
    return 1 if closed and stands_out and _TERMINAL.search(after.text) else None


def _numbered_level(unit: _Unit, number: re.Match[str], before: _Unit | None, after: _Unit) -> int | None:
    """Numbered lines in a row are a list or a table of contents, not headings."""
    depth = number[1].count(".") + 1
    if not unit.gap_before or (after.kind == "item" and depth == 1):
        return None
    if depth == 1 and before is not None and _NUMBERED.match(before.text) and before.lines == 1:
        return None
    following = _NUMBERED.match(after.text)
    if following and following[1].count(".") + 1 <= depth:
        return None
    return depth if following or _reads_on(unit, after) else None


def _reads_on(unit: _Unit, after: _Unit) -> bool:
    """Whether what follows a possible heading is text with sentences, or a list."""
    if after.kind == "item":
        return unit.gap_after
    return len(after.text) > len(unit.text) and _SENTENCE_END.search(after.text) is not None


def _is_loose(unit: _Unit | None) -> bool:
    """A lone short line: several of these in a row are an address or a table, not headings."""
    return (
        unit is not None
        and unit.lines == 1
        and unit.kind == "prose"
        and not unit.level
        and _could_head(unit.text)
    )
