"""Headings of a file without an outline: bold lines that stand alone above prose.

A wrong heading hides a line from quotes and a missing one costs little, so all of its looks must agree.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from statistics import median

from index.parsers.pdf.headings import Mark
from index.parsers.pdf.lines import Line
from index.parsers.pdf.paragraphs import breadth, is_row

_CLOSED = re.compile(r"[.,;:!?)\]…–—-]$")
_CAPTION = re.compile(r"(?:table|figure|fig|chart|exhibit|source|note to)\b\.?\s*\d*", re.IGNORECASE)
_FIGURES = re.compile(r"%|[$€£]|\d{4,}")
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2})*)\.?\s")
_LONGEST = 100
_PROSE = 60  # letters of the line below
_FEWEST = 2
_SHARE = 0.25  # of all letters may be bold, where boldness is to mean anything


def bold_marks(pages: Sequence[Sequence[Line]], running: Sequence[Collection[int]]) -> list[list[Mark]]:
    """For each page, its headings by the look of them; none where they are not reliable."""
    found_on: list[list[Mark]] = [[] for _ in pages]
    total = sum(len(line.text) for lines in pages for line in lines)
    bold = sum(len(line.text) for lines in pages for line in lines if _is_bold(line))
    if not 0 < bold <= _SHARE * total:
        return found_on
    usual = median(breadth(line) / max(line.height, 0.1) for lines in pages for line in lines)
    found = [
        (number, *group)
        for number, (lines, apart) in enumerate(zip(pages, running, strict=True))
        for group in _groups(lines, apart, usual)
    ]
    sizes = {_size(pages[number][place]) for number, place, _, is_heading in found if is_heading}
    if sum(is_heading for *_, is_heading in found) < _FEWEST:
        return found_on
    open_levels: list[int] = []
    for number, place, count, is_heading in found:
        title = " ".join(line.text for line in pages[number][place : place + count]) if is_heading else ""
        numbered = _NUMBERED.match(title)
        larger = sum(size > _size(pages[number][place]) for size in sizes)
        level = 1 + 10 * larger + (numbered[1].count(".") if numbered else 0)
        under = bool(open_levels) and level <= open_levels[-1]
        while open_levels and level <= open_levels[-1]:
            open_levels.pop()
        if is_heading:
            open_levels.append(level)
        if is_heading or under:
            found_on[number].append(Mark(number, place, count if is_heading else 0, level, title))
    return found_on


def _size(line: Line) -> int:
    return round(line.height)


def _groups(lines: Sequence[Line], apart: Collection[int], usual: float) -> Iterator[tuple[int, int, bool]]:
    """Where bold lines begin, how many there are, and whether they are a heading.

    Bold lines that may be one, but look less like it, end what stands under the headings before them.
    """
    place = 0
    while place < len(lines):
        count = 0
        while place + count < len(lines) and place + count not in apart and _is_bold(lines[place + count]):
            count += 1
        after = place + count
        if count:
            is_heading = False
            if count <= 2 and after < len(lines) and after not in apart:
                before = lines[place - 1] if place else None
                is_heading = _stands_alone(before, lines[place:after], lines[after], usual)
            yield place, count, is_heading
        place += max(count, 1)


def _stands_alone(before: Line | None, heading: Sequence[Line], after: Line, usual: float) -> bool:
    """Whether bold lines look like a heading between the lines around them."""
    first, last = heading[0], heading[-1]
    text = " ".join(line.text for line in heading)
    letters = sum(map(str.isalpha, text))
    above = before is None or before.turn != first.turn or _apart(before, first)
    return (
        above
        and (first is last or 0 < last.bottom - first.bottom <= 1.5 * first.height)
        and last.turn == after.turn
        and 0.9 * last.height < after.bottom - last.bottom <= 4 * last.height
        and after.left < last.right
        and after.bold[0] is False
        and first.height >= 0.95 * after.height
        and 4 <= len(text) <= _LONGEST
        and letters >= 0.6 * len(text.replace(" ", ""))
        and not (text[0].islower() or _CLOSED.search(text) or _CAPTION.match(text) or _FIGURES.search(text))
        and all(breadth(line) <= 1.4 * usual * line.height for line in heading)  # cells of a table look loose
        and len(after.text) >= _PROSE
        and after.text[0].isalnum()
        and not is_row(after.text)
    )


def _apart(before: Line, line: Line) -> bool:
    """Whether a line stands neither beside the one before it nor right below it."""
    drop = line.bottom - before.bottom
    return drop < -0.5 * line.height or drop >= 1.25 * line.height


def _is_bold(line: Line) -> bool:
    return line.bold == (True, True)
