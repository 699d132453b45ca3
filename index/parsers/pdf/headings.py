"""The outline (bookmarks) -> where each of its headings begins in the lines of the pages."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from index.parsers.pdf.lines import Line
from index.parsers.pdf.paper import Bookmark
from index.parsers.writer import folded

_MARKS = re.compile(r"[\W_]+")
_ENUMERATOR = re.compile(
    r"(?:(?:chapter|section|part|appendix|annex|§)\s+)?(?:[ivxlc]{1,6}|\d{1,3}(?:\.\d{1,3})*|[a-z](?:\.\d{1,3})*)"
    r"(?:[.):]|\b)[\s:.–—-]*",
    re.IGNORECASE,
)
# What programs call a page of which nobody said what it is.
_NAMELESS = re.compile(
    r"(?:blank page|page vierge|leere seite|空白页面|(?:page|slide|folie|seite|sheet)\s*\d+|untitled\W*\d*"
    r"|.*\.(?:pdf|docx?|pptx?|xlsx?|indd|tiff?|jpe?g|png|html?|tex|dvi|ps))",
    re.IGNORECASE,
)
_LINES = 4  # the most lines that a heading is set in
# Nobody writes more than this on one page; a file that claims to must not cost more than others.
_MOST_HEADINGS = 200
_MOST_LINES = 3_000


@dataclass(frozen=True, slots=True)
class Mark:
    """A heading that begins before a line of a page; ``lines`` of them are the heading itself."""

    page: int
    place: int
    lines: int
    level: int
    title: str


def marks(
    bookmarks: Sequence[Bookmark],
    pages: Sequence[Sequence[Line]],
    running: Sequence[Collection[int]],
) -> list[list[Mark]]:
    """For each page, the headings of the outline that begin on it, in the order of the lines."""
    used: set[tuple[int, int]] = set()
    names = _Names(pages, running)
    found: list[Mark] = []
    counts: Counter[int | None] = Counter()
    for bookmark in _destined(bookmarks, len(pages)):
        counts[bookmark.page] += 1
        mark = _mark(bookmark, names, used) if counts[bookmark.page] <= _MOST_HEADINGS else None
        if mark is not None:
            used.update((mark.page, mark.place + step) for step in range(mark.lines))
            found.append(mark)
    result: list[list[Mark]] = [[] for _ in pages]
    for mark in _forward(found):
        result[mark.page].append(mark)
    return result


def _destined(bookmarks: Sequence[Bookmark], pages: int) -> list[Bookmark]:
    """The entries that lead somewhere; one that merely holds others begins where the first of them does."""
    found: list[Bookmark] = []
    for bookmark in reversed(bookmarks):
        page = bookmark.page
        if page is None and found and found[-1].level > bookmark.level:
            bookmark = replace(bookmark, page=found[-1].page, top=found[-1].top)
        if bookmark.page is not None and 0 <= bookmark.page < pages:
            found.append(bookmark)
    return found[::-1]


class _Names:
    """The lines of the pages without marks and case, made for a page when it is asked for."""

    def __init__(self, pages: Sequence[Sequence[Line]], running: Sequence[Collection[int]]) -> None:
        self.pages = pages
        self.running = running
        self._known: dict[int, list[str]] = {}

    def __getitem__(self, page: int) -> list[str]:
        if page not in self._known:
            self._known[page] = [_name(line.text) for line in self.pages[page]]
        return self._known[page]


def _mark(bookmark: Bookmark, names: _Names, used: set[tuple[int, int]]) -> Mark | None:
    title = folded(bookmark.title)
    page = bookmark.page or 0
    level = bookmark.level + 1
    if not _MARKS.sub("", title):
        return None
    lines, running = names.pages[page], names.running[page]
    if len(lines) > _MOST_LINES:
        return Mark(page, 0, 0, level, title)
    free = [place for place in range(len(lines)) if place not in running and (page, place) not in used]
    matches = _matches(title, names[page], set(free))
    if matches:
        place, count = min(matches, key=lambda match: _distance(lines[match[0]], bookmark.top, match[0]))
        return Mark(page, place, count, level, title)
    if _NAMELESS.fullmatch(title):
        return None
    name = _name(title)
    opened = [place for place in free if len(name) > 3 and names[page][place].startswith(name)]
    if opened:  # a heading that its paragraph goes on after
        place = min(opened, key=lambda place: _distance(lines[place], bookmark.top, place))
    elif bookmark.top is None:
        place = 0
    else:
        top = bookmark.top - 2
        below = (place for place in free if (lines[place].top + lines[place].bottom) / 2 > top)
        place = next(below, len(lines))
    return Mark(page, place, 0, level, title)


def _matches(title: str, names: Sequence[str], free: set[int]) -> list[tuple[int, int]]:
    """Where a title stands in the lines, and in how many of them; with or without its number."""
    wanted = {_name(title), _name(_ENUMERATOR.sub("", title, count=1))} - {""}
    longest = max(map(len, wanted))
    found: list[tuple[int, int]] = []
    for place in sorted(free):
        joined = ""
        for count in range(1, _LINES + 1):
            if place + count - 1 not in free:
                break
            joined += names[place + count - 1]
            if joined in wanted or _numberless(joined) in wanted:
                found.append((place, count))
                break
            if len(joined) > longest + 8:
                break
    whole = _name(title)
    exact = [match for match in found if "".join(names[match[0] : match[0] + match[1]]) == whole]
    return exact or found


def _numberless(name: str) -> str:
    return re.sub(r"^(?:chapter|section|part|appendix|annex)?\d{1,8}", "", name)


def _distance(line: Line, top: float | None, place: int) -> float:
    return float(place) if top is None else abs(line.top - top)


def _name(text: str) -> str:
    return _MARKS.sub("", text).casefold()


def _forward(found: Sequence[Mark]) -> list[Mark]:
    """The longest run of entries that lead forward: a list of figures at the end leads back."""
    tails: list[tuple[int, int]] = []
    ends: list[int] = []
    before: list[int] = []
    for number, mark in enumerate(found):
        key = (mark.page, mark.place)
        at = bisect_right(tails, key)
        tails[at : at + 1] = [key]
        ends[at : at + 1] = [number]
        before.append(ends[at - 1] if at else -1)
    chain: list[Mark] = []
    number = ends[-1] if ends else -1
    while number >= 0:
        chain.append(found[number])
        number = before[number]
    return chain[::-1]
