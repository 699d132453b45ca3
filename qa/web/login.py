"""Logging in and out, and who sent a request: a user, or a visitor known by a cookie."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qa.users import User, Users
from qa.web import access

LOGIN, LOGOUT = "/login", "/logout"
SESSION_AGE = 30 * 24 * 3600
"""Seconds after which somebody must log in again."""

MAX_SESSIONS = 10_000
FREE_FAILURES = 5
FIRST_WAIT = 5.0
LONGEST_WAIT = 300.0
FORGOTTEN = 3_600.0
"""Seconds after which failures are forgotten."""

MAX_KEYS = 20_000

PUBLIC = frozenset({LOGIN, "/healthz", "/manifest.json", "/favicon.ico", "/robots.txt"})
PUBLIC_BELOW = ("/assets/", "/static/")  # gradio's own files, the same for everyone

_KEEP_FRAGMENT = "document.forms[0].action += location.hash"
_SCRIPT_HASH = base64.b64encode(hashlib.sha256(_KEEP_FRAGMENT.encode()).digest()).decode()
_PAGE_POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_SCRIPT_HASH}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in - Footnote</title>
<style>
:root {{ color-scheme: light dark; font: 18px/1.5 ui-sans-serif, system-ui, sans-serif; }}
body {{ display: grid; min-height: 90vh; place-items: center; margin: 1rem; }}
main {{ width: min(22rem, 100%); }}
h1 {{ margin: 0 0 1rem; font-size: 1.6rem; }}
label {{ display: block; margin: 0.75rem 0 0.25rem; }}
input, button {{ box-sizing: border-box; width: 100%; padding: 0.6rem; font: inherit; }}
input {{ border: 1px solid #78716c; border-radius: 6px; }}
button {{ margin-top: 1.25rem; border: 0; border-radius: 6px; background: #0f766e; color: #fff; }}
:focus-visible {{ outline: 3px solid #14b8a6; outline-offset: 2px; }}
.error {{ padding: 0.5rem 0.75rem; border-left: 4px solid #dc2626; }}
</style>
</head>
<body>
<main>
<h1>Footnote</h1>
{error}<form method="post" action="{action}">
<label for="name">Name</label>
<input id="name" name="username" value="{name}" autocomplete="username" autocapitalize="none"
 required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button>Log in</button>
</form>
</main>
<script>{script}</script>
</body>
</html>
"""


class Attempts:
    """Slows down who guesses passwords: by name, and by address. Nobody is locked out for good."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with no failures."""
        self._clock = clock
        self._lock = threading.Lock()
        # How many there were, the last, and the one before.
        self._failures: OrderedDict[str, tuple[int, float, float]] = OrderedDict()

    def begin(self, name: str, address: str) -> float:
        """Count an attempt as failed until `succeed` says otherwise; or the seconds to wait before it.

        Counted before the password is checked, so that many attempts at once gain nothing.
        """
        now = self._clock()
        keys = _keys(name, address)
        with self._lock:
            wait = max(self._wait(key, now) for key in keys)
            if wait <= 0:
                for key in keys:
                    before = self._failures.get(key, (0, now, now))[1]
                    self._failures[key] = (self._count(key, now) + 1, now, before)
                    self._failures.move_to_end(key)
                while len(self._failures) > MAX_KEYS:
                    self._failures.popitem(last=False)
            return max(wait, 0.0)

    def succeed(self, name: str, address: str) -> None:
        """Forget the failures of the name, and take back the attempt of the address.

        An address keeps its other failures: else an own account would give free guesses at others. They
        are as long ago as before, so that a success makes nobody wait longer.
        """
        named, of_address = _keys(name, address)
        with self._lock:
            self._failures.pop(named, None)
            count, _, before = self._failures.get(of_address, (0, 0.0, 0.0))
            if count > 1:
                self._failures[of_address] = (count - 1, before, before)
            else:
                self._failures.pop(of_address, None)

    def _count(self, key: str, now: float) -> int:
        count, then, _ = self._failures.get(key, (0, now, now))
        return count if now - then < FORGOTTEN else 0

    def _wait(self, key: str, now: float) -> float:
        count = self._count(key, now)
        if count < FREE_FAILURES:
            return 0.0
        wait = min(FIRST_WAIT * math.pow(2, min(count - FREE_FAILURES, 32)), LONGEST_WAIT)
        return self._failures[key][1] + wait - now


def _keys(name: str, address: str) -> tuple[str, str]:
    return f"name:{hashlib.sha256(name.casefold().encode()).hexdigest()}", f"at:{access.network(address)}"


@dataclass(frozen=True, slots=True)
class _Session:
    """Somebody who is logged in; another password (another hash) ends it, as does the user's removal."""

    user: User
    ends: float


class Login:
    """Lets users in, and nobody else; and the routes by which they log in and out."""

    def __init__(self, users: Users, pages: Collection[str], root_path: str, port: int) -> None:
        """Let ``users`` in; ``pages`` are paths at which a browser is led to the login page."""
        self._users = users
        self._pages = frozenset(pages)
        self._root = root_path.rstrip("/")
        # Cookies know no ports: two servers on one machine would log each other's users out.
        self._cookie = f"footnote_session_{port}"
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._attempts = Attempts()
        self._key = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, User] = OrderedDict()

    def routes(self) -> list[Route]:
        """The login page and what its form is sent to, and the way out."""
        return [
            Route(LOGIN, self._form, methods=["GET"]),
            Route(LOGIN, self._log_in, methods=["POST"]),
            Route(LOGOUT, self._log_out, methods=["GET", "POST"]),
        ]

    def guard(self, app: ASGIApp) -> ASGIApp:
        """``app``, behind the login."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope.get("path", "")
            if scope["type"] != "http" or path in PUBLIC or path.startswith(PUBLIC_BELOW):
                await app(scope, receive, send)
                return
            user = await self._user(Request(scope))
            if user is None:
                await self._turn_away(scope)(scope, receive, send)
                return
            who = {
                access.VISITOR: f"user:{user.name}",
                access.USER: user.name,
                access.IS_ADMIN: user.admin,
            }
            await app({**scope, **who}, receive, send)

        return guarded

    async def _user(self, request: Request) -> User | None:
        """Who sent the request, by a session's cookie or by HTTP's basic authentication."""
        token = request.cookies.get(self._cookie)
        if token:
            return self._of_session(token)
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            return await self._of_credentials(credentials.strip(), access.address(request))
        return None

    def _of_session(self, token: str) -> User | None:
        digest = _digest(token)
        with self._lock:
            session = self._sessions.get(digest)
        if session is None:
            return None
        now = self._users.find(session.user.name)
        if now is None or now.hash != session.user.hash or time.time() > session.ends:
            with self._lock:
                self._sessions.pop(digest, None)
            return None
        return now

    async def _of_credentials(self, credentials: str, address: str) -> User | None:
        """For programs. A password that fitted is not checked again until the user's hash is another."""
        digest = hmac.digest(self._key, credentials.encode(), "sha256")
        with self._lock:
            known = self._verified.get(digest)
        if known is not None:
            now = self._users.find(known.name)
            return now if now is not None and now.hash == known.hash else None
        try:
            name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except ValueError:  # no base64, no ASCII or no UTF-8
            return None
        if await self._check(name, password, address):  # a wait, or a wrong password
            return None
        user = self._users.find(name)
        if user is not None:
            with self._lock:
                self._verified[digest] = user
                while len(self._verified) > MAX_SESSIONS:
                    self._verified.popitem(last=False)
        return user

    async def _check(self, name: str, password: str, address: str) -> str:
        """Why this name and password let nobody in; "" where they do."""
        if wait := self._attempts.begin(name, address):
            return f"Too many failed attempts; try again in {access.seconds(wait)}."
        if not await run_in_threadpool(self._users.check, name, password):
            return "Wrong name or password."
        self._attempts.succeed(name, address)
        return ""

    def _turn_away(self, scope: Scope) -> Response:
        headers = Headers(scope=scope)
        if scope["method"] in ("GET", "HEAD") and scope["path"] in self._pages and _is_browser(headers):
            query = scope["query_string"].decode("latin-1")
            wanted = f"{scope['path']}?{query}" if query else scope["path"]
            target = f"?next={quote(wanted, safe='')}" if wanted != "/" else ""
            return RedirectResponse(f"{self._root}{LOGIN}{target}", status_code=303)
        return JSONResponse(
            {"detail": "Log in first: POST username and password to /login, or send them with each request."},
            status_code=401,
        )

    async def _form(self, request: Request) -> Response:
        if await self._user(request) is not None:
            return RedirectResponse(self._next(request), status_code=303)
        return self._page(request)

    def _page(self, request: Request, error: str = "", name: str = "", status: int = 200) -> Response:
        """The login page; it works without scripts, which only keep a link's fragment."""
        wanted = _local(request.query_params.get("next", ""))
        action = f"{self._root}{LOGIN}" + (f"?next={quote(wanted, safe='')}" if wanted else "")
        shown = f'<p class="error" role="alert">{html.escape(error)}</p>\n' if error else ""
        page = _PAGE.format(
            error=shown, action=html.escape(action), name=html.escape(name), script=_KEEP_FRAGMENT
        )
        headers = {"Content-Security-Policy": _PAGE_POLICY, "Cache-Control": "no-store"}
        return HTMLResponse(page, status_code=status, headers=headers)

    async def _log_in(self, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=10) as form:
            name, password = str(form.get("username", "")).strip(), str(form.get("password", ""))
        error = await self._check(name, password, access.address(request))
        user = None if error else self._users.find(name)
        if user is None:
            status = 429 if error.startswith("Too") else 401
            if _is_browser(request.headers):
                return self._page(request, error, name[:64], status)
            return JSONResponse({"detail": error}, status_code=status)
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[_digest(token)] = _Session(user, time.time() + SESSION_AGE)
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        answer: Response = JSONResponse({"success": True})
        if _is_browser(request.headers):
            answer = RedirectResponse(self._next(request), status_code=303)
        answer.set_cookie(
            self._cookie,
            token,
            max_age=SESSION_AGE,
            path=self._root or "/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return answer

    async def _log_out(self, request: Request) -> Response:
        """End all sessions of this browser's user but those in other browsers."""
        with self._lock:
            self._sessions.pop(_digest(request.cookies.get(self._cookie, "")), None)
        answer = RedirectResponse(f"{self._root}{LOGIN}", status_code=303)
        answer.delete_cookie(self._cookie, path=self._root or "/")
        return answer

    def _next(self, request: Request) -> str:
        return self._root + (_local(request.query_params.get("next", "")) or "/")


class Visitors:
    """Gives everyone without the cookie of a visitor a new one."""

    def __init__(self, app: ASGIApp, root_path: str, *, all_are_admins: bool) -> None:
        """Pass on to ``app``."""
        self.app = app
        self._root = root_path.rstrip("/")
        self._all_are_admins = all_are_admins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["path"] in PUBLIC or scope["path"].startswith(PUBLIC_BELOW):
            await self.app(scope, receive, send)
            return
        value = Request(scope).cookies.get(access.COOKIE, "")
        is_known = access.is_cookie(value)
        value = value if is_known else access.new_cookie()
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        cookie = (
            f"{access.COOKIE}={value}; Path={self._root or '/'}; Max-Age={access.COOKIE_AGE}; "
            f"HttpOnly; SameSite=Lax{secure}"
        )

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and not is_known:
                headers = MutableHeaders(raw=list(message.get("headers", [])))
                headers.append("set-cookie", cookie)
                message["headers"] = headers.raw
            await send(message)

        who = {
            access.VISITOR: access.visitor_of(value),
            access.USER: None,
            access.IS_ADMIN: self._all_are_admins,
            access.IS_NEW: not is_known,
        }
        await self.app({**scope, **who}, receive, with_cookie)


def _is_browser(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")


def _local(path: str) -> str:
    """``path`` if it is one of this server, else ""."""
    is_path = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_path else ""


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
