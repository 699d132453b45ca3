"""Places in documents, the links that lead to them, and names as HTML.

A place travels as the fragment of a link, ``#open/<six offsets>/<source>``: the chat's sanitiser
keeps links and drops data attributes, and a link can be followed with the keyboard or opened in a
new tab. ``#text/...`` opens the text where a page would be shown, ``#page-3/...`` another page.
Anyone can write such a link, so `read_link` and `fits` check all of it.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote, unquote

from qa.model import Citation, Evidence, named_page

MAX_LINK = 20_000

_LINK = re.compile(r"#(open|text|page-[1-9]\d{0,6})/((?:\d{1,12}-){5}\d{1,12})/([^/]+)", re.ASCII)
_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A range of a document, the key span inside it and the sentences around it."""

    source: str
    start: int
    end: int
    key_start: int
    key_end: int
    context_start: int
    context_end: int

    @property
    def offsets(self) -> tuple[int, int, int, int, int, int]:
        """The six offsets from left to right; in a place that can be, none is below the one before."""
        return (
            self.context_start,
            self.start,
            self.key_start,
            self.key_end,
            self.end,
            self.context_end,
        )


def span(source: str, start: int, end: int) -> Place:
    """A place without a key: a passage, or with ``start == end`` a point of the document."""
    return Place(source, start, end, start, start, start, end)


def link(place: Place, view: str = "open") -> str:
    """The fragment that opens ``place``; needs no escaping in an attribute."""
    offsets = "-".join(str(offset) for offset in place.offsets)
    return f"#{view}/{offsets}/{quote(place.source, safe='', errors='replace')}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a link asks for: a place, as text where the link says so, or with another page than its own."""

    place: Place
    as_text: bool = False
    page: int | None = None


def read_link(fragment: object) -> Wanted | None:
    """What ``fragment`` asks for, or None where it names no place."""
    if not isinstance(fragment, str) or len(fragment) > MAX_LINK:
        return None
    parts = _LINK.fullmatch(fragment)
    if parts is None:
        return None
    outer, start, key_start, key_end, end, outer_end = (int(part) for part in parts[2].split("-"))
    place = Place(unquote(parts[3]), start, end, key_start, key_end, outer, outer_end)
    if any(one > other for one, other in pairwise(place.offsets)):
        return None
    page = int(parts[1].removeprefix("page-")) if parts[1].startswith("page-") else None
    return Wanted(place, parts[1] == "text", page)


def fits(place: Place, text: str) -> bool:
    """Whether the document still reaches as far as ``place`` does."""
    return place.context_end <= len(text)


def escape(text: str) -> str:
    """``text`` as HTML that shows it and does nothing else."""
    return html.escape(text, quote=True)


def name(text: str) -> str:
    """A title, heading or path as HTML, its control characters made visible.

    A file name with a right-to-left override would otherwise pretend to end in something else.
    """
    shown = _CONTROLS.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)
    return f"<bdi>{escape(shown)}</bdi>"


def path(source: str) -> str:
    """A path as HTML, always from left to right: it ends in its file name's ending."""
    return name(source).replace("<bdi>", '<bdi dir="ltr">', 1)


def where(place: Citation | Evidence) -> str:
    """The page and the heading path of a place as HTML; empty where there is neither."""
    page = named_page(place.page, place.page_label)
    parts = [name(page)] if page else []
    if place.heading:
        parts.append(" \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} ".join(name(h) for h in place.heading))
    return " \N{MIDDLE DOT} ".join(parts)
