"""The ends of a span: whole words, and no half of a pair of brackets, quotes or marks of emphasis."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from index import Span

_UNSPACED = re.compile(  # Thai to Khmer, Chinese, Japanese: no spaces between words, so no ends to widen to
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]"
)
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>\"“”]*[\w/]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
ADDRESS_CHARACTERS = 200
"""How far beyond a span an address is looked for."""

_EMPHASIS = ("**", "*", "``", "`", "~~")
"""Marks that stand on both sides of words in Markdown. Underscores belong to identifiers, too."""

_IN_NUMBERS = frozenset(",.'’")
_BRACKETS = {")": "(", "]": "[", "”": "“"}
_JOINER = "\u200d"
_INVISIBLE_IN_WORDS = "\u00ad\u200c" + _JOINER


def whole_words(text: str, start: int, end: int) -> Span:
    """Widen a range to the ends of the words, numbers, and web and mail addresses that it cuts."""
    for low, high in _addresses(text, start, end):
        if low < end and high > start:
            start, end = min(start, low), max(end, high)
    while _is_in_word(text, start) or _is_in_number(text, start):
        start -= 1
    while _is_in_word(text, end) or _is_in_number(text, end):
        end += 1
    return start, end


def _is_in_number(text: str, place: int) -> bool:
    """Whether a place is beside a mark between digits, as in 15,634.5: half a number is another number."""
    around = text[max(place - 2, 0) : place], text[place : place + 2]
    return (around[0][-1:].isdigit() and around[1][:1] in _IN_NUMBERS and around[1][1:].isdigit()) or (
        around[0][:1].isdigit() and around[0][1:] in _IN_NUMBERS and around[1][:1].isdigit()
    )


def _addresses(text: str, start: int, end: int) -> Iterator[Span]:
    """The web and mail addresses among the tokens that the range touches."""
    low = max(start - ADDRESS_CHARACTERS, 0)
    before = [place for place in range(low, start) if text[place].isspace()]
    first = before[-1] + 1 if before else low
    high = min(end + ADDRESS_CHARACTERS, len(text))
    last = next((place for place in range(end, high) if text[place].isspace()), high)
    around = text[first:last]
    if "@" in around or "://" in around or "www." in around:
        for found in _ADDRESS.finditer(around):
            yield first + found.start(), first + found.end()


def balanced(text: str, start: int, end: int) -> Span:
    """The range without half a pair of brackets, quotes or marks of emphasis.

    A bracket is closed if the other half comes next, else cut; the others are cut.
    """
    start, end = _without_half_emphasis(text, start, end)
    if text.count('"', start, end) % 2:
        if text[start] == '"':
            start += 1
        elif text[end - 1] == '"':
            end -= 1
    while unpaired := _unpaired(text, start, end):
        place = unpaired[0]
        if len(unpaired) == 1 and place > start and _BRACKETS.get(text[end : end + 1]) == text[place]:
            end += 1
        elif place - start >= end - place - 1:
            end = start + len(text[start:place].rstrip())
        else:
            start = end - len(text[place + 1 : end].lstrip())
    return _without_half_emphasis(text, start, end)


def _without_half_emphasis(text: str, start: int, end: int) -> Span:
    for mark in _EMPHASIS:
        if text[start:end].count(mark) % 2:
            if text.startswith(mark, start, end):
                start += len(mark)
            elif text.endswith(mark, start, end):
                end -= len(mark)
    return start, end


def _unpaired(text: str, start: int, end: int) -> list[int]:
    """Where in the range a bracket stands whose other half is outside of it."""
    opened: list[int] = []
    closed: list[int] = []
    for place in range(start, end):
        if text[place] in _BRACKETS.values():
            opened.append(place)
        elif text[place] in _BRACKETS:
            if opened and text[opened[-1]] == _BRACKETS[text[place]]:
                opened.pop()
            else:
                closed.append(place)
    return [*closed, *opened]


def _is_in_word(text: str, place: int) -> bool:
    """Whether a cut at ``place`` would part a word, or a character from its marks."""
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    if _is_mark(after) or before == _JOINER:
        return not (before.isspace() or after.isspace())
    return _joins(before) and _joins(after)


def _joins(character: str) -> bool:
    return (character.isalnum() or character == "_" or _is_mark(character)) and not _UNSPACED.match(character)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or character in _INVISIBLE_IN_WORDS
