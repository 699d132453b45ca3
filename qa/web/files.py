"""The files that the server gives out: originals of documents, and what visitors have uploaded."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from index import FootnoteError
from qa.web import access, guard
from qa.web.library_folder.uploads import RESERVE

INLINE = {
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    **dict.fromkeys((".txt", ".md", ".rst", ".org", ".csv", ".tsv", ".log", ".srt", ".vtt"), "text/plain"),
}
"""What a browser may show of the originals; it saves all others."""


def check_upload_folder(folder: Path) -> None:
    """Where gradio keeps uploads and downloads, by default a folder that all users of a machine share."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name != "posix":
        return
    found = folder.lstat()
    if stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid():
        raise FootnoteError(
            f"{folder}, where uploads are kept for a while, belongs to another user of this machine; "
            "name a folder of your own in GRADIO_TEMP_DIR"
        )
    folder.chmod(0o700)


def original_route(find: Callable[[str], Path | None]) -> Callable[[Request], Response]:
    """The route that gives out the file of a document, if ``find`` names one."""

    def original(request: Request) -> Response:
        source = request.query_params.get("source", "")
        path = find(source) if source else None
        if path is None or not path.is_file():
            return PlainTextResponse("This document's file can't be opened here.\n", status_code=404)
        shown = INLINE.get(path.suffix.lower())
        return FileResponse(
            path,
            media_type=shown or "application/octet-stream",
            filename=path.name,
            content_disposition_type="inline" if shown else "attachment",
            headers={"Content-Security-Policy": guard.SANDBOX, "Cache-Control": "private, no-cache"},
        )

    return original


class OwnUploads:
    """Gives a visitor's upload to nobody else, as long as the server remembers whose it is.

    Gradio keeps it under a path that can't be guessed, and gives it to everyone who knows the path. What
    else lies there, and what was uploaded before the server began, is given to nobody.
    """

    MAX_FILES = 50_000

    def __init__(self, app: ASGIApp, folder: Path, an_hour: int) -> None:
        """Pass on to ``app``; a visitor may upload ``an_hour`` bytes an hour into ``folder``."""
        self.app = app
        self._folder = folder
        self._allowance = access.Allowance(an_hour)
        self._owners: OrderedDict[str, set[str]] = OrderedDict()  # used in the event loop only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        path = scope.get("path", "")
        if path == guard.OpenRoutes.UPLOAD:
            await self._upload(scope, receive, send)
        elif path.startswith(guard.OpenRoutes.FILE) and not self.is_own(
            path.removeprefix(guard.OpenRoutes.FILE), access.holder(scope)
        ):
            await guard.refuse(403, "This is no upload of yours.")(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def is_own(self, path: str, who: str) -> bool:
        """Whether ``path``, spelled as gradio has named it, is an upload of ``who`` (`access.holder`)."""
        return who in self._owners.get(path, ())

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Why an upload may not begin: what its sender has left, or the disk, is too little."""
        told = Headers(scope=scope).get("content-length", "")
        if not (told.isascii() and told.isdigit()):
            return 411, "An upload must say how many bytes it has."
        size = int(told)
        if shutil.disk_usage(self._folder).free < RESERVE + 2 * size:  # it is copied when it is saved
            return 507, "The disk is almost full; tell whoever runs Footnote."
        if wait := self._allowance.take(access.payers(scope, access.holder(scope)), size):
            most = access.megabytes(self._allowance.most)
            return 429, f"{most} an hour may be uploaded; try again in {access.seconds(wait)}."
        return None

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (refusal := self._refusal(scope)) is not None:
            await guard.refuse(*refusal)(scope, receive, send)
            return
        answer: list[bytes] = []
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                answer.append(message.get("body", b""))
                if status == 200 and not message.get("more_body"):
                    self._note(b"".join(answer), access.holder(scope))
            await send(message)

        plain = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
        await self.app({**scope, "headers": plain}, receive, noted)

    def _note(self, answer: bytes, who: str) -> None:
        """Note whose the files are that gradio has named in its answer to an upload."""
        for name in json.loads(answer):
            self._owners.setdefault(name, set()).add(who)
        while len(self._owners) > self.MAX_FILES:
            self._owners.popitem(last=False)
