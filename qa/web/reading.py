"""The source viewer: what a link to a place opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import gradio as gr

from index import PageNotDrawableError, Rectangle
from qa.engine import QA
from qa.model import Evidence
from qa.web import cards, places, viewer
from qa.web.chat import Chat, ChatRoom, Known
from qa.web.places import Wanted
from qa.web.site import QUIETLY, Site, attempt

SCALE = 2.0
"""Pixels a point: sharp on a laptop's screen, and at a zoom of two."""

NO_PLACE = "This link names no place of a document; follow one from an answer."


def source_viewer(site: Site, room: ChatRoom, script: str) -> gr.HTML:
    """Make the viewer of the places that the chat links to; ``script`` follows the links."""
    shown = gr.HTML(viewer.EMPTY, elem_id="fn-viewer", apply_default_css=False, js_on_load=script)
    # Who clicks on while a page is being drawn is not to be ignored.
    shown.click(opener(site), [room.held], shown, trigger_mode="multiple", **QUIETLY)
    shown.clear(lambda: viewer.EMPTY, None, shown, **QUIETLY)
    return shown


def opener(site: Site) -> Callable[[gr.EventData, Chat], Iterator[str]]:
    """The handler of a link to a place; the link comes from the browser, so nothing of it is trusted."""

    def opened(event: gr.EventData, held: Chat) -> Iterator[str]:
        fragment = event._data.get("place") if isinstance(event._data, dict) else None
        wanted = places.read_link(fragment)
        if wanted is None:
            yield cards.error_card(NO_PLACE)
            return
        steps = _steps(site, wanted, held)
        while (shown := attempt(lambda: next(steps, None), cards.error_card)) is not None:
            yield shown

    return opened


def _steps(site: Site, wanted: Wanted, held: Chat) -> Iterator[str]:
    """What the viewer shows of a place: the marks of a page at once, its picture when it is drawn."""
    qa, place = site.qa, wanted.place
    text = qa.text(place.source)
    known = held.places.get(place)
    if not places.fits(place, text) or (known and text[place.start : place.end] != known.quote):
        yield cards.error_card(f"{place.source} has changed since this was quoted; ask the question again.")
        return
    around = qa.passage_at(place.source, place.start)
    opened = viewer.Opened(
        place=place,
        title=known.title if known else around.title if around else _title(qa, place.source),
        found_at=known.where if known else places.where(around) if around else "",
        marks=[each for each in held.places_in(place.source) if each.key_start < each.key_end],
        has_original=site.originals and "!/" not in place.source,
    )
    notice = ""
    number = wanted.page or _page(known, around)
    if number is not None and _is_paper(place.source):
        opened = replace(opened, has_pages=True)
        if wanted.page not in (None, _page(known, around)):
            opened = replace(opened, found_at=f"page {wanted.page}")
        if not wanted.as_text:
            try:
                yield from _paper(qa, opened, number)
                return
            except PageNotDrawableError as error:
                notice = f"The page itself can't be shown: {error}"
    header = qa.table_header(place.source, place.start)
    yield viewer.show_text(opened, text, text[slice(*header)] if header else "", notice)


def _is_paper(source: str) -> bool:
    return source.lower().endswith(".pdf")


def _paper(qa: QA, opened: viewer.Opened, number: int) -> Iterator[str]:
    place = opened.place
    context = _on(qa, place.source, place.context_start, place.context_end, number)
    key = _on(qa, place.source, place.key_start, place.key_end, number)
    if context:  # they tell the size of the page, so that the picture falls into its place
        first = context[0]
        pages = max(number, _pages(qa, place.source))
        yield viewer.show_paper(
            opened,
            viewer.Paper(number, pages, first.page_width, first.page_height, context=context, key=key),
        )
    drawn = qa.page_picture(place.source, number, SCALE)
    yield viewer.show_paper(
        opened, viewer.Paper(number, drawn.pages, drawn.width, drawn.height, drawn.png, context, key)
    )


def _on(qa: QA, source: str, start: int, end: int, page: int) -> list[Rectangle]:
    return [each for each in qa.rectangles(source, start, end) if each.page == page]


def _page(known: Known | None, around: Evidence | None) -> int | None:
    if known is not None:
        return known.page
    return around.page if around is not None else 1


def _pages(qa: QA, source: str) -> int:
    return next((document.pages for document in qa.documents() if document.source == source), 1)


def _title(qa: QA, source: str) -> str:
    return next((d.title for d in qa.documents() if d.source == source), source)
