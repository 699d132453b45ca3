"""The conversations that a visitor has had: opened again, found, renamed, exported, deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import gradio as gr

from qa.web import cards, exports, viewer
from qa.web.access import visitor
from qa.web.chat import Chat, ChatRoom, news, opened
from qa.web.places import escape
from qa.web.site import QUIETLY, Refresh, Site, attempt
from qa.web.store import Conversation

_Given = TypeVar("_Given")
_FORMS = {"Markdown": ("md", exports.conversation_markdown), "JSON": ("json", exports.conversation_json)}


def conversations(site: Site, room: ChatRoom, shown: gr.HTML) -> Refresh:
    """Make the list of a visitor's conversations, and what can be done with the one that is open."""
    fresh = gr.Button("New chat", size="sm", elem_id="fn-new")
    wanted = gr.Textbox(label="Find a conversation", placeholder="words of its questions", max_lines=1)
    listed = gr.HTML("", elem_id="fn-conversations", apply_default_css=False, js_on_load=None)

    def choose(event: gr.EventData, held: Chat, request: gr.Request) -> tuple[Any, ...]:
        chosen = event._data.get("chat") if isinstance(event._data, dict) else None
        chat = attempt(lambda: restored(site, str(chosen), request), lambda reason: _told(reason, held))
        return list(chat.messages), chat, "", news(chat)

    room.acts.select(choose, [room.held], room.outputs, **QUIETLY)
    fresh.click(lambda: (*_empty(), viewer.EMPTY), None, [*room.outputs, shown], **QUIETLY)
    with gr.Accordion("This conversation", open=False, elem_id="fn-this"):
        title = gr.Textbox(label="Name", max_lines=1)
        refill = Refresh(_filler(site), [wanted, room.held], [listed, title])
        _renaming(site, room, title, refill)
        _exporting(site, room)
        _deleting(site, room, shown)
    refill.on(wanted.change, room.acts.change)
    return refill


def _filler(site: Site) -> Callable[[str, Chat, gr.Request], tuple[str, Any]]:
    def fill(text: str, held: Chat, request: gr.Request) -> tuple[str, Any]:
        def made() -> tuple[str, Any]:
            found = site.store.conversations(visitor(request), text or "")
            current = [each.title for each in found if each.id == held.conversation]
            named = current[0] if current else gr.skip() if held.conversation else ""
            return _list(found, held.conversation), named

        return attempt(made, lambda reason: (cards.error_card(reason), ""))

    return fill


def _renaming(site: Site, room: ChatRoom, title: gr.Textbox, refill: Refresh) -> None:
    def renamed(text: str, held: Chat, request: gr.Request) -> None:
        if held.conversation and text.strip():
            attempt(lambda: site.store.rename(visitor(request), held.conversation, text), _complain)

    rename = gr.Button("Rename", size="sm")
    refill.on(rename.click(renamed, [title, room.held], None, **QUIETLY).then)


def _exporting(site: Site, room: ChatRoom) -> None:
    def exporter(form: str) -> Callable[[Chat, gr.Request], str]:
        ending, write = _FORMS[form]

        def export(held: Chat, request: gr.Request) -> str:
            def made() -> str:
                kept = site.store.conversation(visitor(request), held.conversation)
                text = write(kept, site.store.turns(visitor(request), held.conversation))
                return news(held, file=f"conversation.{ending}", text=text)

            if not held.conversation:
                return _told("There is nothing to save yet.", news(held))
            return attempt(made, lambda reason: _told(reason, news(held)))

        return export

    with gr.Row():
        for form in _FORMS:
            button = gr.Button(f"Save as {form}", size="sm")
            button.click(exporter(form), room.held, room.acts, **QUIETLY)


def _deleting(site: Site, room: ChatRoom, shown: gr.HTML) -> None:
    def deleted(held: Chat, request: gr.Request) -> tuple[Any, ...]:
        if held.conversation:
            attempt(lambda: site.store.delete(visitor(request), held.conversation), _complain)
        return *_empty(), viewer.EMPTY, gr.Group(visible=False)

    delete = gr.Button("Delete", size="sm", variant="stop")
    with gr.Group(visible=False) as panel:
        gr.HTML("<p>Delete this conversation for good?</p>", apply_default_css=False, js_on_load=None)
        sure = gr.Button("Delete it", size="sm", variant="stop")
        keep = gr.Button("Keep it", size="sm")
    delete.click(lambda: gr.Group(visible=True), None, panel, **QUIETLY)
    keep.click(lambda: gr.Group(visible=False), None, panel, **QUIETLY)
    sure.click(deleted, room.held, [*room.outputs, shown, panel], **QUIETLY)


def restored(site: Site, conversation: str, request: gr.Request) -> Chat:
    """A conversation of this visitor, as it was left.

    Raises:
        FootnoteError: there is none with this id.
    """
    return opened(conversation, site.store.turns(visitor(request), conversation))


def _empty() -> tuple[Any, ...]:
    return [], Chat(), "", news(Chat())


def _complain(reason: str) -> None:
    gr.Warning(escape(reason))


def _told(reason: str, instead: _Given) -> _Given:
    _complain(reason)
    return instead


def _list(found: Sequence[Conversation], current: str) -> str:
    if not found:
        return '<p class="fn-hint">No conversation yet.</p>'
    rows = "".join(
        f"<li{' class=fn-current' if each.id == current else ''}>"
        f'<a href="#do/chat/{quote(each.id, safe="")}" role="button">{escape(each.title)}</a>'
        f'<span class="fn-where">{escape(each.updated[:10])}, '
        f"{each.turns} question{'s' * (each.turns != 1)}</span></li>"
        for each in found
    )
    return f'<ul aria-label="Conversations">{rows}</ul>'
