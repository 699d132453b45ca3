"""Running heads, running feet and page numbers: lines at the edges that other pages repeat."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from index.parsers.pdf.lines import Line

_SENTENCE = re.compile(r"(?:\S+\s+){4,}\S+[.!?][\"'”’)]*$")
_DIGITS = re.compile(r"\d+")
_AMOUNT = re.compile(r"(?<!\S)[$€£(+\-]*\d[\d,.]*[)%]*(?!\S)")
_ROW = 3  # so many amounts make a line the row of a table
_PAGE_OF = re.compile(r"(?:page|seite|p\.)? ?(\d{1,5}) ?(?:of|/|von|de) ?(\d{1,5})\b.{0,40}$", re.IGNORECASE)
_EDGE = 3  # running heads and feet have at most so many lines


def running(pages: Sequence[Sequence[Line]]) -> list[set[int]]:
    """The lines of each page that are running heads, running feet or page numbers."""
    edges = [_edge(lines) for lines in pages]
    counts: Counter[str] = Counter()
    offsets: Counter[int] = Counter()
    for number, (lines, edge) in enumerate(zip(pages, edges, strict=True)):
        counts.update({_key(lines[place].text) for place in edge})
        offsets.update({int(lines[place].text) - number for place in edge if _is_number(lines[place].text)})
    needed = max(3, len(pages) * 0.2)
    result: list[set[int]] = []
    for number, (lines, edge) in enumerate(zip(pages, edges, strict=True)):
        found = set()
        for place in edge:
            text = lines[place].text
            if _is_number(text):
                repeated = offsets[int(text) - number] >= min(needed, max(2, len(pages)))
            else:
                repeated = counts[_key(text)] >= needed or _counts_pages(text, number + 1, len(pages))
            if repeated:
                found.add(place)
        # A page of nothing but repeated lines is content that resembles other pages.
        result.append(found if len(found) < len(lines) else set())
    return result


def _edge(lines: Sequence[Line]) -> set[int]:
    """The first and last lines of a page, in reading order and by their place on the paper."""
    order = range(len(lines))
    by_height = sorted(order, key=lambda place: lines[place].bottom)
    return {*order[:_EDGE], *order[-_EDGE:], *by_height[:_EDGE], *by_height[-_EDGE:]}


def _key(text: str) -> str:
    """What is the same on many pages: everything but numbers, unless a sentence or a row holds them."""
    folded = " ".join(text.split())
    kept = _SENTENCE.match(folded) or len(_AMOUNT.findall(folded)) >= _ROW
    return folded if kept else _DIGITS.sub("#", folded)


def _counts_pages(text: str, number: int, count: int) -> bool:
    """Whether a line says which page of how many it stands on, and little more: "Page 2 of 3 DEN08"."""
    match = _PAGE_OF.match(text)
    return match is not None and (int(match[1]), int(match[2])) == (number, count)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5
