"""Browser tabs: whose each is, how many may be new, and how much may wait for one visitor.

A tab (gradio's ``session_hash``) is named by its browser. What gradio keeps for it (its state, its messages)
would else be anyone's who names it, and making up names would push out the state of others.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from typing import Any

import gradio as gr
from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from qa.web import access
from qa.web.bodies import BODY, CALL, JOIN, refuse

NEW_A_MINUTE = 60
"""Tabs that a visitor, and all of a network without logins, may begin in a minute."""

WAITING_EACH, WAITING_NETWORK = 12, 48
"""Events that may wait in the queue for a visitor, and for a network without logins or cookies."""

MAX_TABS = 20_000

DATA = "/gradio_api/queue/data"
"""The route of a tab's stream of events."""

_HEARTBEAT = "/gradio_api/heartbeat/"
_TAB = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OF_A_CALL = re.compile(r"[0-9a-f]{32}")


class Tabs:
    """Lets each visitor into their own tabs only. Used in the event loop only."""

    def __init__(self, app: ASGIApp, blocks: gr.Blocks) -> None:
        """Pass on to ``app``; ``blocks`` is the page, whose queue is looked into."""
        self._app = app
        self._blocks = blocks
        self._holders: OrderedDict[str, str] = OrderedDict()
        self._new = access.RateLimit(NEW_A_MINUTE)
        self._joining: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_join = BODY in scope and (scope["path"].rstrip("/") == JOIN or scope["path"].startswith(CALL))
        keys = access.payers(scope, access.holder(scope)) if is_join else ()
        refused = self._of_tab(scope) or (self._too_many(keys) if is_join else None)
        if refused is not None:
            await refused(scope, receive, send)
            return
        self._joining.update(keys)
        try:
            await self._app(scope, receive, send)
        finally:
            self._joining.subtract(keys)
            self._joining += Counter()  # without those that are 0

    def _of_tab(self, scope: Scope) -> JSONResponse | None:
        """Why this request may not use the tab that it names."""
        named = _named(scope)
        if named is None:
            self._forget_calls()
            return None
        if not isinstance(named, str) or not _TAB.fullmatch(named):
            return refuse(400, "A session_hash is 1 to 64 letters, digits, - and _.")
        holder = access.holder(scope)
        owner = self._holders.get(named)
        if owner is None:
            wait = self._new.take(str(scope.get(access.VISITOR, "")), access.address_of(scope))
            if wait:
                told = f"Too many pages are being opened; try again in {access.seconds(wait)}."
                return refuse(429, told)
            self._holders[named] = holder
            while len(self._holders) > MAX_TABS:
                self._holders.popitem(last=False)
        elif owner != holder:
            return refuse(403, "This is another visitor's page; reload it to have one of your own.")
        self._holders.move_to_end(named)
        self._forget_updates(named)
        return None

    def _too_many(self, keys: tuple[str, ...]) -> JSONResponse | None:
        """Why no more may wait for somebody: it is the queue of all."""
        waiting = Counter(self._joining)
        for queue in list(self._blocks._queue.event_queue_per_concurrency_id.values()):
            for event in list(queue.queue):
                scope = event.request.scope
                waiting.update(access.payers(scope, access.holder(scope)))
        if any(waiting[key] >= _most_waiting(key) for key in keys):
            return refuse(429, "Too much that you have asked for is waiting still; try again in a moment.")
        return None

    def _forget_calls(self) -> None:
        """Drop what gradio keeps of calls without a tab: it is of use to nobody, and pushes out tabs'."""
        kept = self._blocks.state_holder
        running = self._blocks._queue.event_ids_to_events
        with kept.lock:
            for name in list(kept.session_data):
                if name not in self._holders and name not in running and _OF_A_CALL.fullmatch(name):
                    kept.session_data.pop(name, None)
                    kept.time_last_used.pop(name, None)

    def _forget_updates(self, tab: str) -> None:
        """Drop what gradio keeps of a tab's earlier updates: a new component for each, under a new number."""
        held = self._blocks.state_holder.session_data.get(tab)
        if held is None or self._blocks._queue.pending_event_ids_session.get(tab):
            return  # what works for the tab at this moment may be about to look at them
        own = self._blocks.blocks.keys()
        for kept in (held.blocks_config.blocks, held.config_values):
            for number in kept.keys() - own:
                del kept[number]


def _most_waiting(key: str) -> int:
    return WAITING_EACH if key.startswith(("user:", "visitor:")) else WAITING_NETWORK


def _named(scope: Scope) -> Any:  # noqa: ANN401 - what a client sends
    """The tab that a request names; None where it names none."""
    path = scope["path"]
    if BODY in scope:
        return None if path.startswith(f"{CALL}v2/") else scope[BODY].get("session_hash")
    if path.rstrip("/") == DATA:
        named = QueryParams(scope["query_string"]).getlist("session_hash")
        return named[0] if len(named) == 1 else ""
    if path.startswith(_HEARTBEAT):
        return path[len(_HEARTBEAT) :]
    return None
