"""The source viewer as escaped HTML: a document at one place, as text or as the page on paper."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from index import Rectangle
from qa.web.places import Place, escape, link, name, path, span

WINDOW = 40_000
"""Characters shown on each side of the place: a browser lays out a book of a megabyte for seconds."""

LINE_REACH = 2_000
"""How far the window's edge may move to fall on a line end."""

_MINUS, _UP, _DOWN = "\N{MINUS SIGN}", "\N{UPWARDS ARROW}", "\N{DOWNWARDS ARROW}"
EMPTY = '<p class="fn-hint fn-empty">Click a source to read it here, the quoted words marked.</p>'
_LONGEST_ROW = 4_000
_MOST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Opened:
    """What the viewer's head says of a document that is open at a place.

    ``found_at`` is the page and heading path as HTML; ``marks`` are the places of the document that the chat
    links to, in the order of the text.
    """

    place: Place
    title: str
    found_at: str = ""
    marks: Sequence[Place] = ()
    has_pages: bool = False
    has_original: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """A page to show: its number of how many, and its picture (PNG), b"" while it is being drawn."""

    number: int
    pages: int
    width: float
    height: float
    png: bytes = b""
    context: Sequence[Rectangle] = ()
    key: Sequence[Rectangle] = ()


def show_text(opened: Opened, text: str, header: str = "", notice: str = "", reach: int = WINDOW) -> str:
    """The viewer with the text around the place.

    Args:
        opened: what is open; its place must fit ``text``.
        text: the whole document.
        header: the header row of the table that the place stands in.
        notice: why the page itself can't be shown.
        reach: characters to show on each side.
    """
    place = opened.place
    first, last = window(text, place, reach)
    row = _table(header, text[place.context_start : place.context_end]) if header else ""
    told = f'<p class="fn-notice">{escape(notice)}</p>' if notice else ""
    return _frame(
        opened,
        f"{told}{_part(text, place, first, last, reach)}{row}",
        '<div class="fn-text" tabindex="0" role="region" aria-label="Text of the document" dir="auto">'
        f"{marked(text, place, first, last)}</div>",
        _switch(opened, "open", "Page") if opened.has_pages else "",
    )


def show_paper(opened: Opened, paper: Paper) -> str:
    """The viewer with a page as it is printed, the place marked on it."""
    place = opened.place
    turns = "".join(
        _tool(link(place, f"page-{number}"), sign, label)
        if 1 <= number <= paper.pages
        else f'<span class="fn-tool fn-off" aria-hidden="true">{sign}</span>'
        for number, label, sign in (
            (paper.number - 1, "Previous page", "\N{BLACK LEFT-POINTING TRIANGLE}"),
            (paper.number + 1, "Next page", "\N{BLACK RIGHT-POINTING TRIANGLE}"),
        )
    )
    tools = (
        f'<span class="fn-group">{turns}<span class="fn-count">{paper.number} of {paper.pages}</span></span>'
        f'<span class="fn-group">{_tool("#zoom/out", _MINUS, "Smaller")}'
        f"{_tool('#zoom/in', '+', 'Larger')}</span>"
    )
    picture = (
        f'<img alt="Page {paper.number}" src="data:image/png;base64,{base64.b64encode(paper.png).decode()}">'
        if paper.png
        else '<span class="fn-drawing" role="status">Drawing the page</span>'
    )
    marks = _marks(paper.context, "fn-context") + _marks(paper.key, "fn-key")
    return _frame(
        opened,
        "",
        '<div class="fn-desk" tabindex="0" role="region" aria-label="Page of the document">'
        f'<div class="fn-paper" style="aspect-ratio:{paper.width:.2f}/{paper.height:.2f}">'
        f"{picture}{marks}</div></div>",
        tools + _switch(opened, "text", "Text"),
    )


def _frame(opened: Opened, about: str, body: str, tools: str) -> str:
    place = opened.place
    details = [opened.found_at] if opened.found_at else []
    if opened.title != place.source:
        details.append(f'<span class="fn-path">{path(place.source)}</span>')
    return (
        f'<div class="fn-viewer" data-place="{link(place)}"><header>'
        '<a class="fn-back" href="#back">\N{LEFTWARDS ARROW} Back to the answer</a>'
        '<a class="fn-close" href="#close" role="button" aria-label="Close the document (Esc)">'
        "\N{MULTIPLICATION X}</a>"
        f'<h2 tabindex="-1">{name(opened.title)}</h2><p class="fn-where">{"<br>".join(details)}</p>'
        '<div class="fn-tools" role="toolbar" aria-label="Document">'
        f"{_steps(opened)}{tools}{_links(opened)}</div>{about}</header>{body}</div>"
    )


def _steps(opened: Opened) -> str:
    """Links to the mark before and the mark after, where the chat links to several places of the document."""
    marks = list(opened.marks)
    if opened.place not in marks or len(marks) < 2:
        return ""
    at = marks.index(opened.place)
    before, after = marks[at - 1], marks[(at + 1) % len(marks)]
    return (
        f'<span class="fn-group">{_tool(link(before), _UP, "Previous mark")}'
        f"{_tool(link(after), _DOWN, 'Next mark')}"
        f'<span class="fn-count">mark {at + 1} of {len(marks)}</span></span>'
    )


def _tool(href: str, sign: str, label: str) -> str:
    return f'<a class="fn-tool" href="{href}" role="button" aria-label="{label}">{sign}</a>'


def _switch(opened: Opened, view: str, label: str) -> str:
    return f'<a class="fn-tool" href="{link(opened.place, view)}" role="button">{label}</a>'


def _links(opened: Opened) -> str:
    shared = '<a class="fn-tool" href="#do/place/0" role="button" title="Copy a link to this place">Link</a>'
    if not opened.has_original:
        return shared
    target = quote(opened.place.source, safe="", errors="replace")
    return (
        f'{shared}<a class="fn-tool" href="original?source={target}" target="_blank" rel="noopener">'
        "Original</a>"
    )


def _marks(rectangles: Iterable[Rectangle], kind: str) -> str:
    """Rectangles of a page as parts of its width and height, so that they stay right at any zoom."""
    return "".join(
        f'<span class="fn-box {kind}" style="left:{100 * one.left / one.page_width:.3f}%;'
        f"top:{100 * one.top / one.page_height:.3f}%;"
        f"width:{100 * (one.right - one.left) / one.page_width:.3f}%;"
        f'height:{100 * (one.bottom - one.top) / one.page_height:.3f}%"></span>'
        for one in rectangles
    )


def _table(header: str, rows: str) -> str:
    """Rows under their header: cell under cell where all have as many, else one line above the other."""
    header, rows = header[:_LONGEST_ROW].strip(), rows[:_LONGEST_ROW].strip()
    if not header or header == rows:
        return ""
    heads, *cells = _cells([header, *rows.splitlines()[:_MOST_ROWS]])
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in cells)
    return (
        '<div class="fn-row" tabindex="0" role="region" aria-label="The row under its header">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(lines: Sequence[str]) -> list[list[str]]:
    """The cells of lines of a table; each line is a single cell where they do not have equally many."""
    for mark in ("|", "\t", ",", ";"):
        try:
            found = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=mark)]
        except csv.Error:
            continue
        if len(found) == len(lines) and {len(row) for row in found} == {len(found[0])} != {1}:
            return found
    return [[line] for line in lines]


def window(text: str, place: Place, reach: int = WINDOW) -> tuple[int, int]:
    """The part of ``text`` to show: ``reach`` characters around ``place``, cut at line ends."""
    if len(text) <= 2 * reach:
        return 0, len(text)
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


def _part(text: str, place: Place, first: int, last: int, reach: int) -> str:
    """Which part of a large document is shown, with links to what is before and after it."""
    if first == 0 and last == len(text):
        return ""
    earlier, later = max(0, first - reach), min(len(text), last + reach)
    links = [
        f'<a href="{link(span(place.source, at, at), "text")}">{label}</a>'
        for label, at, wanted in (("earlier", earlier, first > 0), ("later", later, last < len(text)))
        if wanted
    ]
    return (
        f'<p class="fn-part">Characters {first:,} to {last:,} of {len(text):,} are shown; '
        f"go {' or '.join(links)}</p>"
    )
