"""A document's text with one place marked, as escaped HTML.

A place travels as the fragment of a link, ``#open/<six offsets>/<source>``: the chat's sanitiser
keeps links and drops data attributes, and a link can be followed with the keyboard or opened in a
new tab. Anyone can write such a link, so `read_link` and `fits` check all of it.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote, unquote

from qa.model import Citation, Evidence, named_page

WINDOW = 40_000
"""Characters shown on each side of the place: a browser lays out a book of a megabyte for seconds."""

LINE_REACH = 2_000
"""How far the window's edge may move to fall on a line end."""

MAX_LINK = 20_000

_LINK = re.compile(r"#open/((?:\d{1,12}-){5}\d{1,12})/([^/]+)", re.ASCII)
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


def link(place: Place) -> str:
    """The fragment that opens ``place``; needs no escaping in an attribute."""
    offsets = "-".join(str(offset) for offset in place.offsets)
    return f"#open/{offsets}/{quote(place.source, safe='', errors='replace')}"


def read_link(fragment: object) -> Place | None:
    """The place that ``fragment`` names, or None where it names none."""
    if not isinstance(fragment, str) or len(fragment) > MAX_LINK:
        return None
    parts = _LINK.fullmatch(fragment)
    if parts is None:
        return None
    outer, start, key_start, key_end, end, outer_end = (int(part) for part in parts[1].split("-"))
    place = Place(unquote(parts[2]), start, end, key_start, key_end, outer, outer_end)
    return place if all(one <= other for one, other in pairwise(place.offsets)) else None


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


def window(text: str, place: Place, reach: int = WINDOW) -> tuple[int, int]:
    """The part of ``text`` to show: ``reach`` characters around ``place``, cut at line ends."""
    first = max(0, place.context_start - reach)
    last = min(len(text), place.context_end + reach)
    if first > 0:
        line = text.find("\n", first - 1, min(first + LINE_REACH, place.context_start))
        first = first if line < 0 else line + 1
    if last < len(text):
        line = text.rfind("\n", max(last - LINE_REACH, place.context_end), last)
        last = last if line < 0 else line + 1
    return first, last


def marked(text: str, place: Place, first: int, last: int) -> str:
    """``text[first:last]`` as HTML: the context tinted, the key marked."""
    outer, _, key_start, key_end, _, outer_end = place.offsets
    key = f'<mark class="fn-key">{escape(text[key_start:key_end])}</mark>' if key_start < key_end else ""
    inner = f"{escape(text[outer:key_start])}{key}{escape(text[key_end:outer_end])}"
    if outer < outer_end:
        inner = f'<mark class="fn-context">{inner}</mark>'
    return f"{escape(text[first:outer])}{inner}{escape(text[outer_end:last])}"


def show(text: str, place: Place, title: str, found_at: str = "", reach: int = WINDOW) -> str:
    """The viewer's content: the head of the document and its text around ``place``.

    Args:
        text: the whole document.
        place: what to mark; it must fit ``text``.
        title: the document's title.
        found_at: the page and heading as HTML, from `where`.
        reach: characters to show on each side.
    """
    first, last = window(text, place, reach)
    details = [found_at] if found_at else []
    if title != place.source:
        details.append(f'<span class="fn-path">{path(place.source)}</span>')
    return (
        '<div class="fn-viewer"><header>'
        '<a class="fn-back" href="#back">\N{LEFTWARDS ARROW} Back to the answer</a>'
        f'<h2 tabindex="-1">{name(title)}</h2><p class="fn-where">{"<br>".join(details)}</p>'
        f"{_part(text, place, first, last, reach)}</header>"
        '<div class="fn-text" tabindex="0" role="region" aria-label="Text of the document" dir="auto">'
        f"{marked(text, place, first, last)}</div></div>"
    )


def _part(text: str, place: Place, first: int, last: int, reach: int) -> str:
    """Which part of a large document is shown, with links to what is before and after it."""
    if first == 0 and last == len(text):
        return ""
    earlier, later = max(0, first - reach), min(len(text), last + reach)
    links = [
        f'<a href="{link(span(place.source, at, at))}">{label}</a>'
        for label, at, wanted in (("earlier", earlier, first > 0), ("later", later, last < len(text)))
        if wanted
    ]
    return (
        f'<p class="fn-part">Characters {first:,} to {last:,} of {len(text):,} are shown; '
        f"go {' or '.join(links)}</p>"
    )
