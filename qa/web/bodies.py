"""What the page and programs post as JSON, looked at before gradio sees it.

Gradio takes every object that looks like its own FileData for a file: it reads the path, and fetches it if
it is an address of the web. So nothing but an upload of this very visitor may come in such an object.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from gradio.block_function import BlockFunction
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qa.web import access

BODY = "footnote.body"
"""The key in a request's ASGI scope of the JSON object that it brought; only below `Bodies`."""

JOIN, CANCEL, RESET = "/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/reset"
CALL, RUN = "/gradio_api/call/", "/gradio_api/run/"
DEEPEST = 64
"""Levels of lists and objects inside each other."""

_FILE = "/gradio_api/file="


class _BodyError(ValueError):
    """A body that is answered with 400."""


class Bodies:
    """Refuses bodies that gradio would stumble over, and files in them that are not their visitor's."""

    def __init__(
        self, app: ASGIApp, is_own: Callable[[str, str], bool], functions: Mapping[int, BlockFunction]
    ) -> None:
        """Pass on to ``app``.

        Args:
            app: what comes next.
            is_own: whether a path (as gradio names it) is an upload of somebody (`access.holder`).
            functions: gradio's functions by their numbers.
        """
        self._app = app
        self._is_own = is_own
        self._functions = functions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http" or scope["method"] != "POST" or not is_event(scope["path"]):
            await self._app(scope, receive, send)
            return
        if not self._has_name(scope["path"]):
            await refuse(404, "There is no function of this name.")(scope, receive, send)
            return
        brought = await _whole(receive)
        if brought is None:
            return  # its sender is gone, or `guard.BodyLimit` has cut it
        try:
            body = self._read(brought)
            welcome = all(self._is_welcome(each, scope) for each in _objects(body))
        except _BodyError as error:
            await refuse(400, f"This can't be read: {error}.")(scope, receive, send)
            return
        if not welcome:
            told = "Only a file that you have uploaded here yourself can be named in a request."
            await refuse(403, told)(scope, receive, send)
            return
        await self._app({**scope, BODY: body}, _replayed(brought, receive), send)

    def _read(self, brought: bytes) -> dict[str, Any]:
        try:
            body = json.loads(brought, parse_constant=_no_number, parse_float=_finite)
        except RecursionError:
            raise _BodyError(f"it is nested deeper than {DEEPEST} levels") from None
        except ValueError as error:
            raise _BodyError(str(error) if isinstance(error, _BodyError) else "it is no JSON") from None
        if not isinstance(body, dict):
            raise _BodyError("it is no JSON object")
        number = body.get("fn_index")
        if number is not None and not self._is_function(number):
            raise _BodyError("there is no function with this fn_index")
        return body

    def _is_function(self, number: object) -> bool:
        return isinstance(number, int) and number in self._functions

    def _has_name(self, path: str) -> bool:
        """Whether a path that names a function names one that there is."""
        if not path.startswith((CALL, RUN)):
            return True
        named = path.removeprefix(f"{CALL}v2/").removeprefix(CALL).removeprefix(RUN).rstrip("/")
        return any(function.api_name == named for function in self._functions.values())

    def _is_welcome(self, value: dict[str, Any], scope: Scope) -> bool:
        """Whether an object is no file, or the file that its visitor has uploaded."""
        path, url = value.get("path"), value.get("url")
        if "meta" not in value or not (isinstance(path, str) or isinstance(url, str)):
            return True
        if not isinstance(path, str) or not self._is_own(path, access.holder(scope)):
            return False
        return not url or _leads_to(url, path, Headers(scope=scope).get("host", ""))


def is_event(path: str) -> bool:
    """Whether what is posted to this path is JSON for gradio."""
    return path.rstrip("/") in (JOIN, CANCEL, RESET) or path.startswith((CALL, RUN))


def refuse(status: int, text: str) -> JSONResponse:
    """An answer that gradio's page shows to its user, as it does its own errors."""
    return JSONResponse({"detail": text}, status_code=status)


def _objects(body: object) -> Iterator[dict[str, Any]]:
    """All objects in it, without recursion."""
    left: list[tuple[object, int]] = [(body, 1)]
    while left:
        value, depth = left.pop()
        if depth > DEEPEST:
            raise _BodyError(f"it is nested deeper than {DEEPEST} levels")
        if isinstance(value, dict):
            yield value
            left.extend((each, depth + 1) for each in value.values() if isinstance(each, dict | list))
        elif isinstance(value, list):
            left.extend((each, depth + 1) for each in value if isinstance(each, dict | list))


def _leads_to(url: object, path: str, host: str) -> bool:
    """Whether an address is the one at which this server gives out the file."""
    if not isinstance(url, str):
        return False
    before, found, after = url.partition(_FILE)
    try:
        netloc = urlsplit(before).netloc.lower()
    except ValueError:
        return False
    return bool(found) and netloc in ("", host.lower()) and path in (after, unquote(after))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _BodyError("a number in it is too large")
    return number


def _no_number(text: str) -> NoReturn:
    raise _BodyError(f"{text} is no number in JSON")


async def _whole(receive: Receive) -> bytes | None:
    """The body; None where it did not come to its end."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the body once more, and then what comes after it."""
    left = [body]

    async def replayed() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return replayed
