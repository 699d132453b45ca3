"""Gradio's event streams, kept from losing an event.

The server ends a browser tab's stream when no event of the tab is left. The page opens a new one with its
next event, unless it believes the old one to be open still: if the answer to ``queue/join`` overtakes the
word that the stream has ended, nobody ever listens for that event, and a click or a question is lost. So
that answer waits until the word must have arrived.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qa.web.bodies import BODY, JOIN
from qa.web.tabs import DATA

OVERTAKING = 0.15
"""Seconds that the word of a stream's end may take to a browser on the same machine or network."""

_CLOSING = b'"close_stream"'
_MOST_TABS = 10_000


class Streams:
    """Has the answer to an event wait for the end of the stream that was open before it."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before ``app``, below `qa.web.bodies.Bodies`."""
        self._app = app
        self._ended: OrderedDict[str, float] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path.rstrip("/") == DATA:
            tab = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
            await self._app(scope, receive, self._watched(tab, send))
        elif BODY in scope and path.rstrip("/") == JOIN:
            tab = str(scope[BODY].get("session_hash", ""))
            await self._app(scope, receive, self._delayed(tab, send))
        else:
            await self._app(scope, receive, send)

    def _watched(self, tab: str, send: Send) -> Send:
        async def watched(message: Message) -> None:
            await send(message)
            if _CLOSING in message.get("body", b""):
                self._ended[tab] = time.monotonic()
                self._ended.move_to_end(tab)
                while len(self._ended) > _MOST_TABS:
                    self._ended.popitem(last=False)

        return watched

    def _delayed(self, tab: str, send: Send) -> Send:
        async def delayed(message: Message) -> None:
            if message["type"] == "http.response.start":
                ended = self._ended.get(tab)
                if ended is not None:
                    await asyncio.sleep(max(0.0, OVERTAKING - (time.monotonic() - ended)))
            await send(message)

        return delayed
