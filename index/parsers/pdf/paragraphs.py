"""Lines in reading order -> paragraphs, list items and rows, by what follows from what."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from statistics import median

from index.model import BlockKind
from index.parsers.pdf.lines import Line

_BULLET = re.compile(r"[-*•‣◦▪●✓✔➢–\uf0b7\uf0a7\uf0d8][ \t\xa0]+(?=\S)")
_NUMBER = re.compile(r"(?:\(?\d{1,3}[.)]|\(?(?:[a-z]|[ivx]{1,5})\)|\d{1,2}(?:\.\d{1,2})+\.?)[ \t\xa0]+(?=\S)")
_ENDED = re.compile(r"[.!?…。！？:;][\"'”’»)\]]*$")
_LEADER = re.compile(r"\.{4}|(?:\. ){4}|…{2}|_{4}")
_LABEL = re.compile(r"[A-Z][^:.!?]{1,48}:(?:\s|$)")
_FIGURES = re.compile(r"(?:\s[$€£]?\s?\(?\d[\d,.]*\)?%?|\s[—–-]){2,}$")
_DATE = re.compile(r"[A-Z][a-z]{2,8}\.? \d{1,2}, \d{4}$")
_SYMBOLS = re.compile(r"[\W_]+")
_CONTENTS = re.compile(r"(?:\.{4}|(?:\. ){4}|…{2})[.… ]*(?:\d{1,4}|[ivxlc]{1,6})?$")
_ENDS_IN_FIGURE = re.compile(r"\d[)%]?$")


def bullet_length(text: str) -> int:
    """The length of the bullet and white space that a list item begins with."""
    bullet = _BULLET.match(text)
    return bullet.end() if bullet else 0


def kind_of(text: str) -> BlockKind:
    """The kind of block that a paragraph is."""
    return "item" if _is_item(text) else "prose"


def is_contents_line(text: str) -> bool:
    """Whether a paragraph is a line of a table of contents: a name, dots and a page."""
    return _CONTENTS.search(text) is not None


def is_ornament(text: str) -> bool:
    """Whether a paragraph is nothing but a rule or other marks."""
    return _SYMBOLS.fullmatch(text) is not None


def paragraphs(
    lines: Sequence[Line], apart: Collection[int], begins: Collection[int] = (), cuts: Collection[int] = ()
) -> list[list[int]]:
    """Group a page's lines into paragraphs.

    The lines of ``apart`` stand alone; where those of ``begins`` do not go on with a sentence, a
    paragraph begins, and with those of ``cuts`` in any case.
    """
    if not lines:
        return []
    drops = [b.bottom - a.bottom for a, b in pairwise(lines) if b.bottom > a.bottom]
    pitch = median(drops) if drops else 1.0
    solid = [breadth(line) for line in lines if not _LEADER.search(line.text)]  # dots are narrow
    usual = median(solid) if solid else 1.0
    groups = [[0]]
    for place in range(1, len(lines)):
        line, before = lines[place], lines[place - 1]
        begun = place in cuts or (place in begins and not line.text[0].islower())
        free = place not in apart and place - 1 not in apart and not begun
        if free and (before.glued or (_follows(before, line, pitch) and _reads_on(lines, place, usual))):
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def breadth(line: Line) -> float:
    """The width of a line's characters, on average."""
    return max(line.right - line.left, 0.0) / len(line.text or " ")


def _follows(before: Line, line: Line, pitch: float) -> bool:
    """Whether a line stands directly below another, in the same size of type."""
    if before.turn != line.turn:
        return False
    drop = line.bottom - before.bottom
    tall, small = max(before.height, line.height), min(before.height, line.height)
    near = 0 < drop <= max(1.3 * pitch, 1.4 * tall) and drop <= 3 * max(tall, 0.1)
    alike = small >= 0.75 * tall
    return (
        (near and alike and line.left < before.right + tall)
        or (drop < 0 and small >= 0.95 * tall and _in_next_column(before, line))
        or _beside(before, line)
    )


def _in_next_column(before: Line, line: Line) -> bool:
    """Whether a sentence goes on at the top of the next column."""
    unfinished = not _ENDED.search(before.text) and line.text[0].islower()
    return unfinished and line.left > before.right and before.text[-1].isalnum() | (before.text[-1] == ",")


def _beside(before: Line, line: Line) -> bool:
    """Whether two pieces stand on one line: PDFium cuts it at a wide gap, too."""
    return abs(line.bottom - before.bottom) <= 0.02 * before.height


def _reads_on(lines: Sequence[Line], place: int, usual: float) -> bool:
    """Whether a line goes on with the paragraph of the line before it."""
    before, line = lines[place - 1], lines[place]
    if _BULLET.match(line.text) or any(
        _LEADER.search(text) or _SYMBOLS.fullmatch(text) for text in (before.text, line.text)
    ):
        return False
    ended = _ENDED.search(before.text) is not None
    if _changes_weight(before, line) and (ended or not line.text[0].islower()):
        return False
    full = _is_full(lines, place, usual)
    if _NUMBER.match(line.text) and (ended or not full or _is_item(before.text)):
        return False
    if _LABEL.match(before.text) and _LABEL.match(line.text):
        return False
    if not line.text[0].islower() and (is_row(before.text) or is_row(line.text)):
        return False
    if is_row(line.text) and _ENDS_IN_FIGURE.search(before.text):
        return False  # a row may begin with a small letter; only a name without figures goes on in it
    if not ended and line.text[0].islower():
        return True
    if ended and line.left > before.left + line.height and not _BULLET.match(before.text):
        return False  # a first line is indented
    return full


def _changes_weight(before: Line, line: Line) -> bool:
    """Whether one of the lines is bold from end to end, and the other is not where they meet."""
    return (before.bold == (True, True) and line.bold[0] is False) or (
        before.bold[1] is False and line.bold == (True, True)
    )


def _is_item(text: str) -> bool:
    return _BULLET.match(text) is not None or _NUMBER.match(text) is not None


def is_row(text: str) -> bool:
    """Whether a line ends in several figures, as the rows of a table do."""
    return _FIGURES.search(text) is not None and _DATE.search(text) is None


def _is_full(lines: Sequence[Line], place: int, usual: float) -> bool:
    """Whether the next word found no room on the line before; columns of a table look loose."""
    before, line = lines[place - 1], lines[place]
    if breadth(before) > 1.35 * usual:
        return False
    near = lines[max(0, place - 12) : place + 12]
    margin = 0.5 * before.height
    rights = sorted(
        other.right
        for other in near
        if min(abs(other.left - before.left), abs(other.left - line.left)) <= margin
    )
    if len(rights) < 4:  # too few share the left edge: take whatever stands above and below
        rights = sorted(
            other.right for other in near if other.left < before.right and other.right >= before.left
        )
    edge = rights[int(0.9 * (len(rights) - 1))] if rights else before.right
    word = len(line.text.split(None, 1)[0]) * max(breadth(line), 0.8 * usual)
    return before.right + 0.9 * word + usual >= edge
