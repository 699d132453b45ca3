"""The chat: a log of cards, the box for questions, and what can be done with each answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from index import FootnoteError
from qa.model import Answer
from qa.web import cards, feedback, places
from qa.web.access import visitor
from qa.web.places import Place, escape
from qa.web.site import INTERNAL, QUIETLY, Site
from qa.web.store import Turn

MAX_TURNS = 100
"""Older questions of a chat are not shown: the whole chat is sent to the browser with each answer."""

MAX_PLACES = 2_000

MOST_SOURCES = 500
"""A question can be limited to so many documents by name; a glob limits it to any number."""

MOST_CHARACTERS = 1_000
"""The most of a path that a question is limited to."""

Within = tuple[str, ...] | None
"""The documents that a chat is limited to (paths and globs); None for all."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a place that was linked to; ``quote`` tells whether it still says the same."""

    title: str
    where: str
    quote: str
    page: int | None


@dataclass(frozen=True, slots=True)
class Chat:
    """One browser tab's chat: two messages for each turn, and the places that they link to.

    ``turns`` are the numbers under which the store keeps them, None for what is not kept. ``editing`` is
    the turn that the next question replaces; ``pending`` the question that is being answered.
    """

    conversation: str = ""
    messages: tuple[dict[str, Any], ...] = ()
    turns: tuple[int | None, ...] = ()
    places: dict[Place, Known] = field(default_factory=dict)
    editing: int | None = None
    pending: str = ""

    def with_turn(self, turn: Turn) -> Chat:
        """The chat with one more turn of the store."""
        if turn.answer is not None:
            card = cards.answer_card(turn.answer, turn.number)
            return self.said(turn.question, card, turn.number, _places(turn.answer))
        return self.said(turn.question, cards.error_card(turn.error, turn.number), turn.number, {})

    def said(self, question: str, card: str, number: int | None, known: dict[Place, Known]) -> Chat:
        """The chat with a question and a card."""
        pair = (_message("user", cards.question_text(question)), _message("assistant", card))
        return replace(
            self,
            messages=(*self.messages, *pair)[-2 * MAX_TURNS :],
            turns=(*self.turns, number)[-MAX_TURNS:],
            places=dict(list({**self.places, **known}.items())[-MAX_PLACES:]),
            editing=None,
            pending="",
        )

    def before(self, number: int) -> Chat:
        """The chat as it was before a turn."""
        at = self.turns.index(number)
        return replace(self, messages=self.messages[: 2 * at], turns=self.turns[:at], editing=None)

    def places_in(self, source: str) -> list[Place]:
        """The places of one document that the chat links to, in the order of its text."""
        return sorted((place for place in self.places if place.source == source), key=lambda p: p.offsets)


def opened(conversation: str, turns: Sequence[Turn]) -> Chat:
    """A conversation as the store has kept it."""
    chat = Chat(conversation)
    for turn in turns[-MAX_TURNS:]:
        chat = chat.with_turn(turn)
    return chat


@dataclass(frozen=True, slots=True)
class ChatRoom:
    """The components of the chat that other parts of the page are wired to.

    ``acts`` carries what links ask for from the page to here, and news of the chat back to the page.
    """

    log: gr.Chatbot
    box: gr.Textbox
    acts: gr.HTML
    held: gr.State
    within: gr.State
    scope: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        """What an answer changes."""
        return [self.log, self.held, self.box, self.acts]


def chat_room(site: Site, script: str) -> ChatRoom:
    """Make the chat; ``script`` is what runs in the browser."""
    held, within = gr.State(Chat()), gr.State(None)
    log = _log()
    scope = gr.HTML("", elem_id="fn-scope", apply_default_css=False, js_on_load=None)
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
    acts = gr.HTML(news(Chat()), elem_id="fn-acts", apply_default_css=False, js_on_load=script)
    room = ChatRoom(log, box, acts, held, within, scope)
    answers = responder(site)

    def pick(event: gr.SelectData, held: Chat, limited: Within, request: gr.Request) -> Iterator[Any]:
        yield from answers(str(event.value.get("text", "")), held, limited, request)

    def again(event: gr.EventData, held: Chat, request: gr.Request) -> Iterator[Any]:
        turn = _turn(site, event, held, request)
        if turn is None:
            yield gr.skip(), gr.skip(), gr.skip(), gr.skip()
            return
        yield from answers(turn.question, replace(held, editing=turn.number), turn.sources, request)

    def edit(event: gr.EventData, held: Chat, request: gr.Request) -> tuple[Any, Any, Any]:
        turn = _turn(site, event, held, request)
        if turn is None:
            return replace(held, editing=None), "", news(held)
        return replace(held, editing=turn.number), turn.question, news(held, editing=str(turn.number))

    asked: list[Any] = [
        box.submit(answers, [box, held, within], room.outputs, **QUIETLY),
        log.example_select(pick, [held, within], room.outputs, **QUIETLY),
        acts.retry(again, [held], room.outputs, **QUIETLY),
    ]
    acts.edit(edit, [held], [held, box, acts], **QUIETLY)
    acts.stop(_stopped, [held], room.outputs, cancels=asked, **QUIETLY)
    acts.input(_scoped, None, [within, scope], **QUIETLY)
    _verdicts(site, room)
    return room


def news(chat: Chat, **told: str) -> str:
    """What the page's script reads: which conversation is open, how far, and what else is ``told``."""
    said = {"chat": chat.conversation, "turns": " ".join(map(str, chat.turns)), **told}
    attributes = " ".join(f'data-{name}="{escape(value)}"' for name, value in said.items())
    return f'<span id="fn-news" hidden {attributes}></span>'


def responder(site: Site) -> Callable[[str, Chat, Within, gr.Request], Iterator[tuple[Any, ...]]]:
    """The handler of a question: first the question with a busy card, then the answer's card."""

    def answers(question: str, held: Chat, within: Within, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        asked = (question or "").encode("utf-8", "replace").decode().strip()  # half a pair can't be kept
        if not asked:
            yield gr.skip(), gr.skip(), gr.skip(), gr.skip()
            return
        chat = shown = _caught_up(site, held, request)
        if held.editing is not None and shown is not held:
            gr.Warning("This conversation has gone on elsewhere. Here is all of it: choose again.")
            yield list(shown.messages), shown, asked, news(shown)
            return
        if held.editing is not None and held.editing in held.turns:
            chat = held.before(held.editing)
        waiting = chat.said(asked, cards.busy_card(), None, {})
        yield list(waiting.messages), replace(shown, pending=asked), "", gr.skip()
        try:
            site.check_rate(request)
            done = _answered(site, visitor(request), chat, held.editing, asked, within)
        except FootnoteError as error:
            done = chat.said(asked, cards.error_card(str(error)), None, {})
        except Exception:
            _LOG.exception("A question could not be answered")
            done = chat.said(asked, cards.error_card(INTERNAL), None, {})
        yield list(done.messages), done, gr.skip(), news(done)

    return answers


def _caught_up(site: Site, held: Chat, request: gr.Request) -> Chat:
    """The chat with what has become of its conversation in another tab; ``held`` itself where nothing has.

    One that was deleted there does not come back.
    """
    if not held.conversation:
        return held
    who = visitor(request)
    known = [number for number in held.turns if number is not None]
    try:
        kept = site.store.numbers(who, held.conversation)
        if known == kept[len(kept) - len(known) :]:
            return held
        return opened(held.conversation, site.store.turns(who, held.conversation)) if kept else Chat()
    except FootnoteError:  # told when the answer can't be kept either
        return held


def _answered(site: Site, who: str, chat: Chat, replaced: int | None, asked: str, within: Within) -> Chat:
    """The chat with the answer, which is kept under its visitor."""
    answer: Answer | None = None
    problem = ""
    try:
        answer = site.qa.ask(asked, within)
    except FootnoteError as error:
        problem = str(error)
    conversation = chat.conversation or site.store.new_id()
    try:
        if replaced is not None:
            site.store.drop_from(who, conversation, replaced)
        turn = site.store.add(who, conversation, asked, within, answer, problem)
    except FootnoteError as error:  # an answer that can't be kept is an answer still
        gr.Warning(escape(f"This conversation can't be kept: {error}"))
        turn = None
    if turn is not None:
        return replace(chat, conversation=conversation).with_turn(turn)
    if answer is None:
        return chat.said(asked, cards.error_card(problem), None, {})
    return chat.said(asked, cards.answer_card(answer), None, _places(answer))


def _stopped(held: Chat) -> tuple[Any, ...]:
    if not held.pending:
        return gr.skip(), gr.skip(), gr.skip(), gr.skip()
    chat = held.said(held.pending, cards.stopped_card(), None, {})
    return list(chat.messages), chat, held.pending, news(chat)


def _scoped(event: gr.EventData) -> tuple[Within, str]:
    """Limit the chat to the documents that a link names, or to none of them: to all."""
    asked = event._data.get("within") if isinstance(event._data, dict) else None
    named = [str(each)[:MOST_CHARACTERS] for each in asked[:MOST_SOURCES]] if isinstance(asked, list) else []
    within = tuple(named) or None
    return within, scope(within)


def scope(within: Within) -> str:
    """Which documents are asked, where it is not all of them."""
    if not within:
        return ""
    shown = "".join(f'<span class="fn-chip">{places.path(each)}</span>' for each in within[:3])
    more = f" and {len(within) - 3} more" if len(within) > 3 else ""
    everything = '<a href="#do/within/" role="button">Ask all documents</a>'
    return f'<p class="fn-scope">Asking only in {shown}{more} {everything}</p>'


def _verdicts(site: Site, room: ChatRoom) -> None:
    """The thumbs of a card, and the panel that asks what was wrong."""
    judged = gr.State(None)
    with gr.Group(visible=False, elem_id="fn-verdict") as panel:
        reason = gr.Radio([], label="What is not right?", elem_id="fn-reason")
        words = gr.Textbox(
            label="The right words, if you know them (as the documents spell them)", max_lines=3
        )
        with gr.Row():
            send = gr.Button("Send", size="sm", variant="primary")
            keep = gr.Button("Never mind", size="sm")

    def judge(event: gr.EventData, held: Chat, request: gr.Request) -> tuple[Any, Any, Any]:
        turn = _turn(site, event, held, request)
        if turn is None or turn.answer is None:
            return gr.skip(), gr.skip(), gr.skip()
        if event._data.get("good"):
            _given(site, request, turn, good=True)
            return gr.Group(visible=False), gr.skip(), None
        return gr.Group(visible=True), gr.Radio(feedback.reasons(turn.answer), value=None), turn.number

    def told(
        number: int | None, why: str | None, right: str, held: Chat, request: gr.Request
    ) -> tuple[Any, str]:
        turn = _stored(site, number, held, request)
        if turn is not None:
            _given(site, request, turn, good=False, reason=why or "", words=(right or "").strip())
        return gr.Group(visible=False), ""

    room.acts.change(lambda: gr.Group(visible=False), None, panel, **QUIETLY)
    room.acts.like(judge, [room.held], [panel, reason, judged], **QUIETLY)
    send.click(told, [judged, reason, words, room.held], [panel, words], **QUIETLY)
    keep.click(lambda: (gr.Group(visible=False), ""), None, [panel, words], **QUIETLY)


def _given(
    site: Site, request: gr.Request, turn: Turn, *, good: bool, reason: str = "", words: str = ""
) -> None:
    try:
        feedback.give(site.data, turn, site.qa, good=good, reason=reason, words=words)
    except FootnoteError as error:
        gr.Warning(escape(str(error)))
    else:
        gr.Info("Thank you, that is kept on this machine.")


def _turn(site: Site, event: gr.EventData, held: Chat, request: gr.Request) -> Turn | None:
    """The turn that a link names, if it is one of this chat."""
    number = event._data.get("turn") if isinstance(event._data, dict) else None
    return _stored(site, number, held, request)


def _stored(site: Site, number: object, held: Chat, request: gr.Request) -> Turn | None:
    if not isinstance(number, int) or number not in held.turns:
        return None
    try:
        return site.store.turn(visitor(request), number)
    except FootnoteError as error:
        gr.Warning(escape(str(error)))
        return None


def _log() -> gr.Chatbot:
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
        autoscroll=False,  # acts.js shows an answer from its question on, not from its end
        placeholder=placeholder("Answers are quotes from the documents, with their place."),
    )


def placeholder(text: str) -> str:
    """What stands in an empty log."""
    return f'<div class="fn-hint">{escape(text)}</div>'


def _message(role: str, content: str) -> dict[str, Any]:
    # A plain string would lose its indentation to inspect.cleandoc.
    return {"role": role, "content": {"type": "text", "text": content}}


def _places(answer: Answer) -> dict[Place, Known]:
    """Title, page and heading, and the words, of each place that the answer's card links to."""
    passages = {
        places.span(p.source, p.start, p.end): Known(p.title, places.where(p), p.text, p.page)
        for p in answer.passages
    }
    cited = {
        cards.place_of(c): Known(c.title, places.where(c), c.quote, c.page)
        for c in (
            *answer.citations,
            *(candidate.citations[0] for candidate in answer.candidates if candidate.citations),
        )
    }
    return {**passages, **cited}
