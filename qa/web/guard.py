"""What stands before every request, as plain ASGI: nothing here buffers an answer but the page itself.

From the outside in, below `qa.web.draining`: `Forwarded`, `Headers`, `SameSite`, `Hosts`, `OpenRoutes`,
`BodyLimit`, and then who asks (`qa.web.login`).
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers as Fields
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

HEALTH = "/healthz"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'{nonce}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; "
    "worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
"""The policy of what users and documents brought: nothing of it runs or loads anything.

The styles are those of the browser's own viewers of images and text.
"""

_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "SAMEORIGIN",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_FORWARDED = ("x-forwarded-", "forwarded", "x-real-ip", "x-gradio-server", "x-gradio-user")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class Forwarded:
    """Believes what trusted proxies say of the client and its scheme, and nobody else.

    Nothing further in sees these headers: gradio would believe them of everyone. The name that the
    page was asked under is the Host header's, which a proxy must pass on.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        """Pass on to ``app``; ``trusted`` are addresses or networks of proxies."""
        self._app = app
        self._believing = ProxyHeadersMiddleware(self._without, list(trusted))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Set the scope's client and scheme."""
        await self._believing(scope, receive, send)  # type: ignore[arg-type]

    async def _without(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            kept = [pair for pair in scope["headers"] if not _is_forwarded(pair[0])]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)


def _is_forwarded(name: bytes) -> bool:
    return name.decode("latin-1").lower().startswith(_FORWARDED)


class Headers:
    """The headers that every answer gets, and for a page the nonce of its own scripts.

    Gradio's page holds inline scripts. Each gets a nonce, so that the policy need not allow inline
    scripts and event handlers; 'unsafe-eval' stays, by which gradio runs ``js_on_load`` and plots.
    """

    def __init__(self, app: ASGIApp, pages: Collection[str]) -> None:
        """Pass on to ``app``; ``pages`` are the paths of gradio's pages."""
        self.app = app
        self._pages = frozenset(pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path in self._pages and scope["method"] == "GET":
            await self._page(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _dress(message, path)
            await send(message)

        await self.app(scope, receive, dressed)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        nonce = secrets.token_urlsafe(16)
        start: Message = {}
        body: list[bytes] = []

        async def gathered(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.append(message.get("body", b""))
            if message.get("more_body"):
                return
            page = b"".join(body)
            headers = MutableHeaders(raw=list(start["headers"]))
            if headers.get("content-type", "").startswith("text/html"):
                page = page.replace(b"<script", f'<script nonce="{nonce}"'.encode())
            headers["content-length"] = str(len(page))
            start["headers"] = headers.raw
            _dress(start, scope["path"], nonce)
            await send(start)
            await send({"type": "http.response.body", "body": page, "more_body": False})

        # As it is: gradio would compress it, and the scripts could not be found.
        plain = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
        await self.app({**scope, "headers": plain}, receive, gathered)


def _dress(message: Message, path: str, nonce: str = "") -> None:
    headers = MutableHeaders(raw=list(message.get("headers", [])))
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    if path.startswith("/gradio_api/file="):
        headers["content-security-policy"] = SANDBOX
    else:
        allowed = f" 'nonce-{nonce}'" if nonce else ""
        headers.setdefault("content-security-policy", _POLICY.format(nonce=allowed))
    del headers["server"]
    # The names of these files hold a hash of what is in them.
    lasting = path.startswith("/assets/") and message.get("status") == 200
    headers.setdefault(
        "cache-control", "public, max-age=31536000, immutable" if lasting else "private, no-cache"
    )
    message["headers"] = headers.raw


class Hosts:
    """Answers only to names that are this server's.

    A page of another site can have its own name lead to this machine, and would then be same-site
    (DNS rebinding). It can't do so with an address, nor with a name that is not its own.
    """

    def __init__(self, app: ASGIApp, host: str, allowed: Iterable[str]) -> None:
        """Pass on to ``app``, which listens on ``host`` and is also known as ``allowed`` ("*" is any)."""
        self.app = app
        self._any_address = not is_loopback(host)
        names = {*_LOOPBACK_NAMES, host.strip("[]"), *allowed}
        if self._any_address:
            names |= {socket.gethostname(), f"{socket.gethostname()}.local"}
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] == "http" and scope["path"] != HEALTH:
            host = Fields(scope=scope).get("host", "")
            if not self.knows(host):
                name = host_name(host) or "of this request"
                told = f"Footnote does not answer to the name {name}; whoever runs it can allow that host."
                await refuse(421, told)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server; the port does not matter."""
        name = host_name(host)
        if "*" in self._names or name in self._names:
            return True
        return self._any_address and _is_address(name)


def host_name(host: str) -> str:
    """The name in a Host header, in lower case, without the port and an address's brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on ``host``."""
    name = host.strip("[]").lower()
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class SameSite:
    """Refuses what a page of another site sends, and anything of ours in such a page.

    A browser says where a request comes from in Sec-Fetch-Site (to https and localhost) or Origin.
    Other programs send neither, and have no visitor's cookies to misuse. From elsewhere a link may
    be followed to a page; that is all.
    """

    def __init__(self, app: ASGIApp, unsafe: Collection[str] = ()) -> None:
        """Pass on to ``app``; ``unsafe`` are paths at which a GET changes something, too."""
        self.app = app
        self._unsafe = frozenset(unsafe)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] == "http" and not self._is_welcome(scope):
            await refuse(403, "This was sent by a page of another site, and is refused.")(
                scope, receive, send
            )
            return
        await self.app(scope, receive, send)

    def _is_welcome(self, scope: Scope) -> bool:
        headers = Fields(scope=scope)
        changes = scope["method"] not in SAFE_METHODS or scope["path"] in self._unsafe
        site = headers.get("sec-fetch-site")
        if site is not None:
            if site in ("same-origin", "none"):
                return True
            return not changes and headers.get("sec-fetch-mode") == "navigate"
        origin = headers.get("origin")
        if scope["method"] in SAFE_METHODS and changes and origin is None:
            # A link's click names no origin, and where the page came by http, no site: see where from.
            origin = headers.get("referer", "")
        return origin is None or not changes or _netloc(origin) == headers.get("host", "").lower()


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


class OpenRoutes:
    """Only the routes that the app needs; all others of gradio are closed, and those of later versions."""

    PATHS = frozenset(
        "/config /theme.css /manifest.json /favicon.ico /gradio_api/theme.css /gradio_api/info "
        "/gradio_api/openapi.json /gradio_api/app_id /gradio_api/startup-events /gradio_api/login_check "
        "/gradio_api/queue/join /gradio_api/queue/data /gradio_api/queue/status /gradio_api/cancel "
        "/gradio_api/reset".split()
    )
    BELOW = (
        "/assets/",
        "/static/",
        "/svelte/",
        "/gradio_api/heartbeat/",
        "/gradio_api/call/",
        "/gradio_api/run/",
    )
    FILE = "/gradio_api/file="
    UPLOAD = "/gradio_api/upload"

    def __init__(self, app: ASGIApp, own: Iterable[str], *, uploads: bool) -> None:
        """Pass on to ``app``; ``own`` are paths besides those of gradio that are needed always."""
        self.app = app
        own = set(own)
        self._paths = self.PATHS | own
        self._below = (*self.BELOW, *(path.partition("{")[0] for path in own if "{" in path))
        if uploads:
            self._paths |= {self.UPLOAD, f"{self.UPLOAD}_progress"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http" or self._is_open(scope["path"]):
            await self.app(scope, receive, send)
        elif scope["path"].rstrip("/") == self.UPLOAD:
            await refuse(403, "Uploads are closed here.")(scope, receive, send)
        else:
            await refuse(404, "There is nothing at this address.")(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        if "\0" in path:
            return False
        if path.startswith(self.FILE):
            # A path of the disk, of which gradio gives only what it has kept itself; an address of
            # the web would be fetched by the server.
            return path[len(self.FILE) :].startswith(("/", "\\")) or path[len(self.FILE) + 1 :][:1] == ":"
        return path in self._paths or path.startswith(self._below)


class BodyLimit:
    """Bounds the bytes that a request brings; ``limits`` has paths with a limit of their own."""

    def __init__(self, app: ASGIApp, limit: int, limits: dict[str, int]) -> None:
        """Pass on to ``app``; limits in bytes."""
        self.app = app
        self._limit = limit
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; one that brings too much is cut and answered with 413."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self._limits.get(scope["path"], self._limit)
        too_large = refuse(413, f"This is larger than the {limit:,} bytes that may be sent here.")
        told = Fields(scope=scope).get("content-length", "")
        if told.isdigit() and int(told) > limit:
            await too_large(scope, receive, send)
            return
        brought = _Brought(receive, send, limit)
        try:
            await self.app(scope, brought.receive, brought.send)
        except Exception:
            if not brought.too_much:
                raise
        if brought.too_much and not brought.answered:
            await too_large(scope, receive, send)


class _Brought:
    """One request's bytes, counted; when they are too many, its sender is gone for the app."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive = receive
        self._send = send
        self._left = limit
        self.answered = False

    @property
    def too_much(self) -> bool:
        return self._left < 0

    async def receive(self) -> Message:
        if self.too_much:
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self.too_much:
                return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        if self.too_much and not self.answered:
            return  # what the app makes of half a body
        self.answered = True
        await self._send(message)


def refuse(status: int, text: str) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI app that answers with a reason, and nothing else."""
    headers = {"connection": "close"} if status == 413 else {}
    return PlainTextResponse(f"{text}\n", status_code=status, headers=headers)
