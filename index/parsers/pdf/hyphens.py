"""Words divided at the end of a line are joined again; compounds keep their hyphen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from index.parsers.pdf.lines import Line

_WORD = re.compile(r"\w+(?:-\w+)*")
_LAST = re.compile(r"[\w-]*$")
_FIRST = re.compile(r"[\w-]*")
_DIVIDED = re.compile(r"[^\W\d_][-\u2010]$")
_TOKEN = re.compile(r"\S*$")
_SERIES = re.compile(r"(?:and|or|to|und|oder|bis|et|ou|y|o|e)\b")  # "short- and long-term"


def words_of(pages: Iterable[Sequence[Line]]) -> set[str]:
    """The words and compounds of a document, to judge divided words by."""
    return {word.casefold() for lines in pages for line in lines for word in _WORD.findall(line.text)}


def mended(lines: Sequence[Line], known: set[str]) -> list[Line]:
    """The lines of a page in reading order, with divided words ready to be joined."""
    result = list(lines)
    for place, line in enumerate(result):
        after = result[place + 1] if place + 1 < len(result) else None
        if line.hyphen is not None:
            result[place] = _joined(line, after, known)
        elif after is not None and _DIVIDED.search(line.text) and _goes_on(line, after):
            bare = replace(line, text=line.text[:-1], chars=line.chars[:-1], hyphen=line.chars[-1])
            result[place] = _joined(bare, after, known)
    return result


def _goes_on(line: Line, after: Line) -> bool:
    """Whether a plain hyphen, which PDFium left alone, divides a word: the next line is the one below."""
    close = 0 < after.bottom - line.bottom < 2.5 * line.height or after.top < line.top  # or next column
    return close and after.turn == line.turn and after.text[0].islower() and not _SERIES.match(after.text)


def _joined(line: Line, after: Line | None, known: set[str]) -> Line:
    """Glue a line to the next one, with its hyphen where it belongs to the word."""
    if line.hyphen is None:
        return line
    token = _TOKEN.search(line.text)
    before = token[0] if token else ""
    rest = after.text.split(None, 1)[0] if after is not None else ""
    glued = bool(rest) and not _SERIES.fullmatch(rest)
    if before and (not glued or keeps_hyphen(before, rest, known)):
        return replace(line, text=line.text + "-", chars=[*line.chars, line.hyphen], glued=glued)
    return replace(line, glued=glued)


def keeps_hyphen(before: str, after: str, known: set[str]) -> bool:
    """A compound keeps its hyphen; a word that was merely divided loses it."""
    if "/" in before or "@" in before:
        return True
    if before[-1].isdigit() or after[0].isdigit() or (after[0].isupper() and not before.isupper()):
        return True
    tail, head = _LAST.search(before), _FIRST.match(after)
    left, right = (tail[0] if tail else "").casefold(), (head[0] if head else "").casefold()
    return f"{left}-{right}" in known and left + right not in known
