"""The Gradio page and its REST API. All wording and escaping is in `qa.web.render`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.events import api

from index import FootnoteError
from qa.engine import QA
from qa.model import Answer
from qa.suggestions import suggest
from qa.web import render, viewer

MAX_TURNS = 100
"""Older questions of a chat are dropped: the whole chat is sent to the browser with each answer."""

MAX_PLACES = 2_000
WORKERS = 4
WAITING = 64
SUGGESTIONS = 4

_Result = TypeVar("_Result")

_HERE = Path(__file__).parent
_LOG = logging.getLogger(__name__)
_FONTS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_QUIETLY: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_EMPTY_VIEWER = '<p class="fn-hint fn-empty">Click a source to read it here, the quoted words marked.</p>'
_NO_DOCUMENTS = (
    "None of the documents holds any text that can be searched. Put some into the folder and run "
    "python -m index update FOLDER; this page finds the new index by itself."
)
_INTERNAL = "An error that Footnote did not expect. The terminal that runs it has the details."


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a place that was linked to; ``quote`` tells whether it still says the same."""

    title: str
    where: str
    quote: str


@dataclass(frozen=True, slots=True)
class Chat:
    """One browser session's chat, kept on the server: what was said, and the places it linked to."""

    messages: tuple[dict[str, Any], ...] = ()
    places: dict[viewer.Place, Known] = field(default_factory=dict)

    def said(self, role: str, content: str, places: dict[viewer.Place, Known]) -> Chat:
        """The chat with one more message."""
        messages = (*self.messages, _message(role, content))
        known = list({**self.places, **places}.items())[-MAX_PLACES:]
        return Chat(messages[-2 * MAX_TURNS :], dict(known))


def build_app(qa: QA) -> gr.Blocks:
    """Make the page that asks ``qa``; its functions ask, search and documents are also the REST API."""
    app = gr.Blocks(title="Footnote", analytics_enabled=False, fill_height=True)
    with app:
        head = gr.HTML(_head(""), elem_id="fn-head", js_on_load=None)
        chat = gr.State(Chat())
        with gr.Row(elem_id="fn-columns"):
            with gr.Column(elem_id="fn-left", min_width=320):
                log = _chatbot()
                box = gr.Textbox(
                    placeholder="Ask the documents a question",
                    label="Question",
                    show_label=False,
                    lines=1,
                    max_lines=6,
                    autofocus=True,
                    submit_btn="Ask",
                    elem_id="fn-box",
                )
                fresh = gr.Button("New chat", size="sm", elem_id="fn-new")
            with gr.Column(elem_id="fn-right", min_width=320):
                shown = gr.HTML(
                    _EMPTY_VIEWER,
                    elem_id="fn-viewer",
                    apply_default_css=False,
                    js_on_load=(_HERE / "page.js").read_text(encoding="utf-8"),
                )
        listed = _document_list(qa)
        answers = _responder(qa)

        def pick(event: gr.SelectData, held: Chat) -> Iterator[tuple[Any, Any, Any]]:
            yield from answers(str(event.value.get("text", "")), held)

        outputs = [log, chat, box]
        asked = box.submit(answers, [box, chat], outputs, **_QUIETLY)
        picked = log.example_select(pick, [chat], outputs, **_QUIETLY)
        for restart in (fresh.click, log.clear):
            restart(
                lambda: ([], Chat(), "", _EMPTY_VIEWER),
                outputs=[*outputs, shown],
                cancels=[asked, picked],
                **_QUIETLY,
            )
        shown.click(_opener(qa), [chat], shown, **_QUIETLY)
        app.load(_greeter(qa), outputs=[head, log, listed], **_QUIETLY)
        app.load(_suggester(qa), outputs=log, **_QUIETLY)
        _api(qa)
    app.queue(default_concurrency_limit=WORKERS, max_size=WAITING)
    return app


def launch(app: gr.Blocks, host: str = "127.0.0.1", port: int | None = None) -> str:
    """Serve ``app`` in the background and return its address.

    Raises:
        OSError: the port is taken, or the host is not an address of this machine.
    """
    _, address, _ = app.launch(
        server_name=host,
        server_port=port,
        share=False,
        prevent_thread_lock=True,
        quiet=True,
        show_error=False,
        footer_links=["api", "settings"],
        run_history=False,
        enable_monitoring=False,
        mcp_server=False,
        ssr_mode=False,
        pwa=False,
        max_file_size="1mb",  # nothing is uploaded, and gradio's upload route can't be closed
        state_session_capacity=1_000,
        theme=gr.themes.Default(primary_hue="teal", neutral_hue="stone", text_size="lg", font=_FONTS),
        css_paths=_HERE / "style.css",
    )
    return address


def _chatbot() -> gr.Chatbot:
    """A log that shows messages as the escaped HTML they are: no Markdown, no LaTeX, sanitised."""
    return gr.Chatbot(
        label="Chat",
        show_label=False,
        elem_id="fn-chat",
        render_markdown=False,
        latex_delimiters=[],
        allow_tags=False,
        sanitize_html=True,
        buttons=[],
        layout="bubble",
        group_consecutive_messages=False,
        height=None,
        autoscroll=False,  # page.js shows an answer from its question on, not from its end
        placeholder=_placeholder("Answers are quotes from the documents, with their place."),
    )


def _document_list(qa: QA) -> gr.Accordion:
    """The accordion with the documents; it reads them when it is opened."""
    accordion = gr.Accordion("Documents", open=False, elem_id="fn-library")
    with accordion:
        page = gr.State(0)
        wanted = gr.Textbox(label="Find a document", placeholder="part of its path or title", max_lines=1)
        table = gr.HTML("", elem_id="fn-table", apply_default_css=False, js_on_load=None)
        with gr.Row():
            back = gr.Button("Previous", size="sm")
            on = gr.Button("Next", size="sm")

    def turn(step: int) -> Callable[[str, int], tuple[str, int, Any, Any]]:
        def turned(text: str, at: int) -> tuple[str, int, Any, Any]:
            start = 0 if step == 0 else at + step
            try:
                content, number, pages = render.document_list(qa.documents(), text or "", start)
            except FootnoteError as error:
                content, number, pages = render.error_card(str(error)), 0, 1
            more = pages > 1
            return (
                content,
                number,
                gr.Button(interactive=number > 0, visible=more),
                gr.Button(interactive=number < pages - 1, visible=more),
            )

        return turned

    for event, step in ((accordion.expand, 0), (wanted.change, 0), (back.click, -1), (on.click, 1)):
        event(turn(step), [wanted, page], [table, page, back, on], **_QUIETLY)
    return accordion


def _responder(qa: QA) -> Callable[[str, Chat], Iterator[tuple[Any, Any, Any]]]:
    """The handler of a question: first the question with a busy card, then the answer's card."""

    def answers(question: str, held: Chat) -> Iterator[tuple[Any, Any, Any]]:
        asked = (question or "").strip()
        if not asked:
            yield gr.skip(), gr.skip(), gr.skip()
            return
        waiting = held.said("user", render.question_text(asked), {})
        yield [*waiting.messages, _message("assistant", render.busy_card())], gr.skip(), ""
        places: dict[viewer.Place, Known] = {}
        try:
            answer = qa.ask(asked)
            card, places = render.answer_card(answer), _places(answer)
        except FootnoteError as error:
            card = render.error_card(str(error))
        except Exception:
            _LOG.exception("A question could not be answered")
            card = render.error_card(_INTERNAL)
        done = waiting.said("assistant", card, places)
        yield list(done.messages), done, gr.skip()

    return answers


def _opener(qa: QA) -> Callable[[gr.EventData, Chat], str]:
    """The handler of a link to a place; the link comes from the browser, so nothing of it is trusted."""

    def opened(event: gr.EventData, held: Chat) -> str:
        fragment = event._data.get("place") if isinstance(event._data, dict) else None
        place = viewer.read_link(fragment)
        if place is None:
            return render.error_card("This link names no place of a document; follow one from an answer.")
        try:
            text = qa.text(place.source)
            known = held.places.get(place)
            if not viewer.fits(place, text) or (known and text[place.start : place.end] != known.quote):
                return render.error_card(
                    f"{place.source} has changed since this was quoted; ask the question again."
                )
            title = known.title if known else _title(qa, place.source)
            found_at = known.where if known else ""
        except FootnoteError as error:
            return render.error_card(str(error))
        return viewer.show(text, place, title, found_at)

    return opened


def _greeter(qa: QA) -> Callable[[], tuple[str, Any, Any]]:
    """The handler that tells a new visitor what can be asked."""

    def greet() -> tuple[str, Any, Any]:
        try:
            documents = qa.documents()
        except FootnoteError as error:
            return _head(""), gr.Chatbot(placeholder=_placeholder(str(error))), gr.skip()
        counts = render.summary(documents)
        empty = not any(document.status == "indexed" for document in documents)
        log = gr.Chatbot(placeholder=_placeholder(_NO_DOCUMENTS)) if empty else gr.skip()
        return _head(counts), log, gr.Accordion(label=f"Documents: {counts}")

    return greet


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


def _api(qa: QA) -> None:
    """The three functions that other programs may call."""

    def ask(
        question: str, sources: list[str] | None = None, min_confidence: float | None = None, k: int = 10
    ) -> dict[str, Any]:
        """Answer a question with a verbatim quote, or refuse and give the nearest passages.

        Args:
            question: The question; phrases in double quotation marks must stand in the passage.
            sources: Relative paths or globs of the documents to look in; null for all.
            min_confidence: Refuse below this probability, 0 to 1; null for the calibrated default.
            k: How many passages to return with the answer, 1 to 100.
        """
        return _called(lambda: qa.ask(question, sources, min_confidence, k).to_dict())

    def search(query: str, k: int = 10, sources: list[str] | None = None) -> dict[str, Any]:
        """Find the passages nearest to a query, best first.

        Args:
            query: Words or a question; phrases in double quotation marks must stand in the passage.
            k: How many passages to return, 1 to 100.
            sources: Relative paths or globs of the documents to look in; null for all.
        """
        return _called(
            lambda: {"query": query, "passages": [asdict(found) for found in qa.search(query, k, sources)]}
        )

    def documents() -> list[dict[str, Any]]:
        """List the documents with their title, status, reason and number of passages."""
        return _called(lambda: [asdict(document) for document in qa.documents()])

    for function in (ask, search, documents):
        api(function, api_name=function.__name__)


def _called(function: Callable[[], _Result]) -> _Result:
    """What ``function`` returns; its errors become ones that gradio sends to the caller."""
    try:
        return function()
    except FootnoteError as error:
        raise gr.Error(str(error), print_exception=False) from None
    except (TypeError, AttributeError) as error:  # a caller may send any JSON
        _LOG.info("A call with parameters of the wrong type", exc_info=error)
        raise gr.Error(
            "a parameter has the wrong type; docs/web.md has their order", print_exception=False
        ) from None


def _message(role: str, content: str) -> dict[str, Any]:
    # A plain string would lose its indentation to inspect.cleandoc.
    return {"role": role, "content": {"type": "text", "text": content}}


def _places(answer: Answer) -> dict[viewer.Place, Known]:
    """Title, page and heading, and the words, of each place that the answer's card links to."""
    places = {
        viewer.span(p.source, p.start, p.end): Known(p.title, viewer.where(p), p.text)
        for p in answer.passages
    }
    cited = {render.place_of(c): Known(c.title, viewer.where(c), c.quote) for c in answer.citations}
    return {**places, **cited}


def _title(qa: QA, source: str) -> str:
    return next((d.title for d in qa.documents() if d.source == source), source)


def _head(counts: str) -> str:
    """The page's head: what this is, and over how many documents."""
    counted = f'<p class="fn-counts">{counts}</p>' if counts else ""
    return (
        "<h1>Footnote</h1><p>Answers in the documents\N{RIGHT SINGLE QUOTATION MARK} own words, "
        f"or none at all.</p>{counted}"
    )


def _placeholder(text: str) -> str:
    return f'<div class="fn-hint">{viewer.escape(text)}</div>'
