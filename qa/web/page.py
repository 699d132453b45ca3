"""The page: chat, library and conversations at the left, the document at the right."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Navbar

from index import FootnoteError
from qa.engine import QA
from qa.suggestions import suggest
from qa.web import api, insights, listing
from qa.web.access import is_admin, visitor
from qa.web.chat import Chat, chat_room, news, placeholder, responder
from qa.web.conversations import conversations, restored
from qa.web.library import library
from qa.web.places import name
from qa.web.reading import source_viewer
from qa.web.server import Server, ServerSettings, serve
from qa.web.site import QUIETLY, Refresh, Site
from qa.web.tools import ToolServer

WORKERS = 4
WAITING = 64
SUGGESTIONS = 4

_HERE = Path(__file__).parent
_FONTS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_NO_DOCUMENTS = (
    "None of the documents holds any text that can be searched. Put some into the folder and run "
    "python -m index update FOLDER; this page finds the new index by itself."
)


def build_page(site: Site, programs: api.Programs | None = None) -> gr.Blocks:
    """Make the web app's pages and its API; ``programs`` are its functions, if others call them, too."""
    app = gr.Blocks(title="Footnote", analytics_enabled=False, fill_height=True, fill_width=True)
    with app:
        api.offer(programs or api.Programs(site, WORKERS, WAITING))
        Navbar(main_page_name=insights.MAIN_PAGE)
        head = gr.HTML(_head(""), elem_id="fn-head", js_on_load=None)
        sidebar = gr.Sidebar(open=False, width=300, elem_id="fn-sidebar", label="Conversations")
        with gr.Row(elem_id="fn-columns"):
            with gr.Column(elem_id="fn-left", min_width=320), gr.Tabs(elem_id="fn-tabs"):
                with gr.Tab("Ask", id="ask"):
                    room = chat_room(site, _script("acts.js"))
                with gr.Tab("Library", id="library") as shelf:
                    fill = library(site, room, Refresh(_header(site.qa), [], [head]))
            with gr.Column(elem_id="fn-right", min_width=320):
                shown = source_viewer(site, room, _script("viewer.js"))
        with sidebar:
            refill = conversations(site, room, shown)
        fill.on(shelf.select)
        app.load(_greeter(site.qa), outputs=[head, room.log], **QUIETLY)
        app.load(_arrival(site), [room.held], room.outputs, **QUIETLY)
        app.load(_suggester(site.qa), outputs=room.log, **QUIETLY)
        refill.on(app.load)
    insights.add_page(app, site.store, _whose)
    app.queue(default_concurrency_limit=WORKERS, max_size=WAITING, api_open=False)
    return app


def start(site: Site, settings: ServerSettings, *, mcp: bool = False) -> Server:
    """Serve the web app in the background; with ``mcp`` the functions for programs as an MCP server, too.

    Raises:
        OSError: the port is taken, or the host is not an address of this machine.
        UsageError: the certificate or the key can't be used.
        MissingExtraError: MCP is wanted, and its extra is not installed.
    """
    programs = api.Programs(site, WORKERS, WAITING)
    return serve(
        build_page(site, programs),
        settings,
        originals=site.original if site.originals else None,
        tools=ToolServer(programs) if mcp else None,
        theme=gr.themes.Default(primary_hue="teal", neutral_hue="stone", text_size="lg", font=_FONTS),
        css_paths=[_HERE / "style.css", _HERE / "insights.css"],
    )


def _script(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _header(qa: QA) -> Callable[[gr.Request], tuple[str]]:
    """The handler that counts the documents anew."""

    def count(request: gr.Request) -> tuple[str]:
        return (_head(listing.summary(qa.documents()), str(request.username or "")),)

    return count


def _greeter(qa: QA) -> Callable[[gr.Request], tuple[str, Any]]:
    """The handler that tells a visitor what can be asked, and by which name they came in."""

    def greet(request: gr.Request) -> tuple[str, Any]:
        user = str(request.username or "")
        try:
            documents = qa.documents()
        except FootnoteError as error:
            return _head("", user), gr.Chatbot(placeholder=placeholder(str(error)))
        counts = listing.summary(documents)
        empty = not any(document.status == "indexed" for document in documents)
        log = gr.Chatbot(placeholder=placeholder(_NO_DOCUMENTS)) if empty else gr.skip()
        return _head(counts, user), log

    return greet


def _arrival(site: Site) -> Callable[[Chat, gr.Request], Iterator[tuple[Any, ...]]]:
    """The handler of the page's own address: ``?chat=ID`` opens a conversation, ``?q=...`` asks."""
    answers = responder(site)

    def arrive(held: Chat, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        chat = held
        asked = dict(request.query_params)
        if asked.get("chat"):
            try:
                chat = restored(site, asked["chat"], request)
            except FootnoteError:  # another visitor's, or deleted: a new chat begins
                chat = held
        if asked.get("q"):
            yield from answers(asked["q"], chat, None, request)
        else:
            yield list(chat.messages), chat, gr.skip(), news(chat)

    return arrive


def _suggester(qa: QA) -> Callable[[], Any]:
    """The handler that offers first questions, made once for each state of the documents."""
    lock = threading.Lock()
    made: dict[int, tuple[str, ...]] = {}

    def offer() -> Any:  # noqa: ANN401 - gradio's updates have no common type
        try:
            state = hash(tuple((document.source, document.sha256) for document in qa.documents()))
            with lock:
                if state not in made:
                    made.clear()
                    made[state] = suggest(qa, SUGGESTIONS)
                questions = made[state]
        except FootnoteError:
            return gr.skip()  # the greeting has said why
        return gr.Chatbot(examples=[{"text": question} for question in questions])

    return offer


def _whose(request: gr.Request) -> str | None:
    """Whose questions the insights count: everybody's for an administrator, else the visitor's own."""
    return None if is_admin(request) else visitor(request)


def _head(counts: str, user: str = "") -> str:
    """The page's head: what this is, over how many documents, and who is logged in."""
    counted = f'<p class="fn-counts">{counts}</p>' if counts else ""
    theme = '<a class="fn-theme" href="#do/theme/" role="button">Light or dark</a>'
    leave = f'{name(user)} <a href="logout">Log out</a> ' if user else ""
    return (
        "<h1>Footnote</h1><p>Answers in the documents\N{RIGHT SINGLE QUOTATION MARK} own words, "
        f"or none at all.</p>{counted}<p class='fn-user'>{leave}{theme}</p>"
    )
