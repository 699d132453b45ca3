"""The library: every document with its status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from index import FootnoteError
from qa.web import cards, listing
from qa.web.access import is_admin
from qa.web.changing import changes
from qa.web.chat import MOST_SOURCES, ChatRoom, scope
from qa.web.places import escape
from qa.web.site import QUIETLY, Refresh, Site, attempt


def library(site: Site, room: ChatRoom, head: Refresh) -> Refresh:
    """Make the library; ``head`` tells how many documents there are."""
    page = gr.State(0)
    above = gr.Column()
    with gr.Row(elem_id="fn-finder"):
        wanted = gr.Textbox(label="Find a document", placeholder="part of its path or title", max_lines=1)
        status = gr.Dropdown(list(listing.CHOICES), value=listing.EVERY, label="Show", filterable=False)
    table = gr.HTML("", elem_id="fn-table", apply_default_css=False, js_on_load=None)
    with gr.Row(elem_id="fn-turn"):
        back = gr.Button("Previous", size="sm", visible=False)
        on = gr.Button("Next", size="sm", visible=False)
        only = gr.Button("Ask only in these", size="sm")
    fill = _filler(site)
    shown = [table, page, back, on]
    for event, step in ((wanted.change, 0), (status.change, 0), (back.click, -1), (on.click, 1)):
        event(_stepped(fill, step), [wanted, status, page], shown, **QUIETLY)
    only.click(_limiter(site), [wanted, status], [room.within, room.scope], **QUIETLY)
    if site.folders:
        changes(site, room, Refresh(fill, [wanted, status, page], shown), head, above)
    return Refresh(_stepped(fill, 0), [wanted, status, page], shown)


def _filler(site: Site) -> Callable[[str, str, int, gr.Request], tuple[Any, ...]]:
    def fill(text: str, status: str, number: int, request: gr.Request) -> tuple[Any, ...]:
        def made() -> tuple[str, int, int]:
            documents = site.qa.documents()
            found = listing.matching(documents, text or "", status or listing.EVERY)
            can_delete = bool(site.folders) and is_admin(request)
            return listing.table(found, len(documents), number, can_delete=can_delete)

        content, at, pages = attempt(made, lambda reason: (cards.error_card(reason), 0, 1))
        more = pages > 1
        return (
            content,
            at,
            gr.Button(interactive=at > 0, visible=more),
            gr.Button(interactive=at < pages - 1, visible=more),
        )

    return fill


def _stepped(
    fill: Callable[[str, str, int, gr.Request], tuple[Any, ...]], step: int
) -> Callable[[str, str, int, gr.Request], tuple[Any, ...]]:
    """A handler that turns the table's pages; a step of 0 goes to the first."""

    def turned(text: str, status: str, number: int, request: gr.Request) -> tuple[Any, ...]:
        return fill(text, status, number + step if step else 0, request)

    return turned


def _limiter(site: Site) -> Callable[[str, str], tuple[Any, Any]]:
    """The handler that limits the chat to the documents that the table shows."""

    def limit(text: str, status: str) -> tuple[Any, Any]:
        try:
            found = listing.matching(site.qa.documents(), text or "", status or listing.EVERY)
        except FootnoteError as error:
            gr.Warning(escape(str(error)))
            return gr.skip(), gr.skip()
        sources = tuple(each.source for each in found if each.passages)
        if not 0 < len(sources) <= MOST_SOURCES:
            few = "None of these can be asked." if not sources else "These are too many to ask by name."
            gr.Warning(f"{few} Find fewer, at most {MOST_SOURCES}, or ask all documents.")
            return gr.skip(), gr.skip()
        gr.Info(f"Questions now look in {len(sources)} document{'s' * (len(sources) > 1)} only.")
        return sources, scope(sources)

    return limit
