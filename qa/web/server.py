"""The web server: gradio's page behind checks of our own, on uvicorn in a thread."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI
from gradio.utils import get_upload_folder
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from index import FootnoteError, UsageError
from qa.users import Users
from qa.web import access, guard
from qa.web.bodies import Bodies
from qa.web.draining import Draining
from qa.web.files import OwnUploads, check_upload_folder, original_route
from qa.web.login import LOGOUT, Login, Visitors
from qa.web.streams import Streams
from qa.web.tabs import Tabs
from qa.web.tools import ToolServer

ORIGINAL = "/original"
BODY_LIMIT = 2_000_000
"""Bytes that a request may bring which is no upload."""

FILES_AT_ONCE = 20
"""Files of the largest size that one upload may bring."""

SESSIONS = 1_000
"""Browser tabs whose state gradio keeps."""

CLEANING = (600, 3_600)
"""Seconds between two looks at what was uploaded and made for download, and how old it may become."""

_STARTING = 30.0
_CLOSING = 2
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the app is served.

    Attributes:
        host: the address to listen on.
        port: its port; 0 takes any free one.
        users: who may log in; None lets in everyone who reaches the address.
        max_upload: bytes that an uploaded file may have; 0 closes uploads.
        certificate: a PEM file, for https; with ``key``, unless it holds the key, too.
        key: the private key's PEM file.
        proxy: addresses or networks of proxies, whose X-Forwarded-For and -Proto are believed.
        root_path: the path below which a proxy offers the app, as in "/footnote".
        allowed_hosts: further names by which the server may be called; "*" allows any.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    users: Users | None = None
    max_upload: int = 0
    certificate: Path | None = None
    key: Path | None = None
    proxy: Sequence[str] = ()
    root_path: str = ""
    allowed_hosts: Sequence[str] = ()


class Server:
    """A running server. Also a context manager that closes it."""

    def __init__(self, server: uvicorn.Server, draining: Draining, blocks: gr.Blocks) -> None:
        """Take over what `serve` has made; not to be called by others."""
        self._server = server
        self._draining = draining
        self._blocks = blocks
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="footnote-web", daemon=True)
        self._listener: socket.socket | None = None
        self.address = ""

    def start(self, listener: socket.socket, address: str) -> None:
        """Serve on ``listener`` in a thread, and return when requests are answered.

        Raises:
            FootnoteError: the server ended at once, or did not start in time.
        """
        self._listener = listener
        self.address = address
        self._thread.start()
        self._ready.wait(_STARTING)
        if not self._server.started:
            self.close()
            raise FootnoteError(f"the web server at {address} did not start; the log says why")

    def close(self) -> None:
        """End the open streams and the server; takes at most 3 seconds."""
        self._blocks.is_running = False
        self._blocks._queue.close()  # type: ignore[no-untyped-call]
        self._server.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._draining.close)
        self._thread.join(timeout=3)

    def __enter__(self) -> Server:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            _LOG.exception("The web server has stopped")
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        serving = asyncio.ensure_future(
            self._server.serve(sockets=[self._listener] if self._listener else None)
        )
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.005)
        self._ready.set()
        await serving


def serve(
    blocks: gr.Blocks,
    settings: ServerSettings,
    *,
    originals: Callable[[str], Path | None] | None = None,
    tools: ToolServer | None = None,
    **page: Any,  # noqa: ANN401 - gradio's
) -> Server:
    """Serve ``blocks`` in the background.

    Args:
        blocks: the page; its functions can tell who calls them with `qa.web.access`.
        settings: where, and to whom.
        originals: the file of a document that may be given out, or None; None gives out none at all.
        tools: an MCP server to stand beside the page.
        page: how gradio shows it: ``theme``, ``css_paths``, ``head``, ``favicon_path``, ``js``, ``i18n``.

    Raises:
        OSError: the port is taken, or the host is not an address of this machine.
        UsageError: the certificate or the key can't be used.
    """
    _check_certificate(settings)
    listener = _listen(settings.host, settings.port)
    try:
        port = int(listener.getsockname()[1])
        app = _mounted(blocks, settings, port, _routes(originals, tools), tools, page)
        draining = Draining(app)
        server = uvicorn.Server(_config(draining, settings))
        started = Server(server, draining, blocks)
        started.start(listener, _address(settings, port))
        return started
    except BaseException:
        listener.close()
        raise


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens, so that a taken port is found out here and 0 can mean any."""
    family, kind, _, _, address = socket.getaddrinfo(
        host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener


def _address(settings: ServerSettings, port: int) -> str:
    host = settings.host.strip("[]")
    if host in ("0.0.0.0", "::", ""):
        host = "localhost"
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if settings.certificate else 'http'}://{shown}:{port}/"


def _config(app: ASGIApp, settings: ServerSettings) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # uvicorn would believe every program of this machine; see guard.Forwarded
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=_CLOSING,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )
    config.load()
    return config


def _check_certificate(settings: ServerSettings) -> None:
    """Try the certificate and its key before anything is made."""
    if settings.certificate is None:
        if settings.key is not None:
            raise UsageError(f"the key {settings.key} is of no use without its certificate; name both")
        return
    try:
        # Without a password of its own OpenSSL would ask the terminal for that of a locked key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.certificate, settings.key, lambda: ""
        )
    except (ssl.SSLError, OSError) as error:
        named = " and ".join(str(path) for path in (settings.certificate, settings.key) if path)
        raise UsageError(
            f"the certificate and key in {named} can't be used: {error.strerror or error}; "
            "both must be PEM files that fit together, the key without a password"
        ) from None


def _routes(originals: Callable[[str], Path | None] | None, tools: ToolServer | None) -> list[Route]:
    """What is offered beside gradio's page."""
    routes = [
        Route(guard.HEALTH, _healthy, methods=["GET", "HEAD"]),
        Route("/robots.txt", _no_robots, methods=["GET", "HEAD"]),
    ]
    if originals is not None:
        routes.append(Route(ORIGINAL, original_route(originals), methods=["GET", "HEAD"]))
    if tools is not None:
        routes += tools.routes()
    return routes


def _mounted(
    blocks: gr.Blocks,
    settings: ServerSettings,
    port: int,
    own: list[Route],
    tools: ToolServer | None,
    page: dict[str, Any],
) -> ASGIApp:
    """The page in an app of our own, with everything that stands before it."""
    check_upload_folder(Path(get_upload_folder()))
    pages = {"/", *(f"/{name}" for name, *_ in blocks.pages)}
    login = Login(settings.users, pages, settings.root_path, port) if settings.users is not None else None
    routes: list[BaseRoute] = [*own, *(login.routes() if login is not None else ())]
    running = tools.running if tools is not None else None
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, routes=routes, lifespan=running)
    app.add_middleware(CORSMiddleware, allow_origins=[])  # without one gradio lets all sites read
    blocks.state_session_capacity = SESSIONS
    blocks.delete_cache = blocks.delete_cache or CLEANING
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "SSR mode is not supported", UserWarning)  # it is off
        gr.mount_gradio_app(
            app,
            blocks,
            path="/",
            server_name=settings.host,
            server_port=port,
            footer_links=[],
            run_history=False,
            show_error=False,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,  # that of qa.web.tools gives JSON, and calls the functions directly
            root_path=settings.root_path or None,
            max_file_size=settings.max_upload or 1,
            allowed_paths=[],
            auth_dependency=_user if login is not None else None,
            **page,
        )
    # Gradio checks no path of a file that comes in a request before it takes the page for launched, which
    # nobody tells it where it is mounted.
    blocks.has_launched = True
    uploads = OwnUploads(app, Path(get_upload_folder()), FILES_AT_ONCE * settings.max_upload + BODY_LIMIT)
    inner: ASGIApp = Bodies(Tabs(Streams(uploads), blocks), uploads.is_own, blocks.fns)
    if login is not None:
        inner = login.guard(inner)
    else:
        alone = guard.is_loopback(settings.host) and not settings.proxy
        inner = Visitors(inner, settings.root_path, all_are_admins=alone)
    paths = {*pages, *(route.path for route in routes if isinstance(route, Route))}
    return _guarded(inner, settings, pages, paths)


def _guarded(inner: ASGIApp, settings: ServerSettings, pages: set[str], paths: set[str]) -> ASGIApp:
    uploads = {guard.OpenRoutes.UPLOAD: FILES_AT_ONCE * settings.max_upload + BODY_LIMIT}
    limited = guard.BodyLimit(inner, BODY_LIMIT, uploads if settings.max_upload else {})
    opened = guard.OpenRoutes(limited, paths, uploads=settings.max_upload > 0)
    named = guard.Hosts(opened, settings.host, settings.allowed_hosts)
    headed = guard.Headers(guard.SameSite(named, {LOGOUT}), {*pages})
    return guard.Forwarded(headed, settings.proxy)


def _user(request: Request) -> str | None:
    """Whom gradio is to take for logged in; nobody else comes this far."""
    found: str | None = request.scope.get(access.USER)
    return found


def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok")


def _no_robots(_: Request) -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /\n")
