"""The end of what is open when the server closes."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qa.web.guard import refuse


class Draining:
    """Ends the open streams when the server closes: a browser's stream would else last for hours."""

    GRACE = 1.0
    """Seconds that other requests have to come to their end."""

    def __init__(self, app: ASGIApp) -> None:
        """Pass all on to ``app``."""
        self.app = app
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End what is open. To be called in the server's event loop."""
        self._closing.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the part of it until `close`."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Watched(send)
        serving = asyncio.ensure_future(self.app(scope, receive, answer.send))
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait((serving, closing), return_when=asyncio.FIRST_COMPLETED)
            if not serving.done() and not answer.is_stream:
                await asyncio.wait((serving,), timeout=self.GRACE)
            if serving.done():
                serving.result()
                return
            serving.cancel()
            await asyncio.wait((serving,))
            if not answer.started:
                await refuse(503, "Footnote is being stopped.")(scope, receive, send)
            elif not answer.complete:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            closing.cancel()
            serving.cancel()


class _Watched:
    """How far one answer has come."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False
        self.complete = False
        self.is_stream = False

    async def send(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self.started = True
            kind = Headers(raw=list(message.get("headers", []))).get("content-type", "")
            self.is_stream = kind.startswith("text/event-stream")
        else:
            self.complete = not message.get("more_body", False)
