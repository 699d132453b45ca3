"""What the pages are made of: the documents, what is kept of visitors, and what they may do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from index import FootnoteError
from qa.engine import QA
from qa.web.access import RateLimit, address, visitor
from qa.web.indexing import Indexing
from qa.web.library_folder import UploadLimits, original
from qa.web.store import Store

QUIETLY: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""How the page's own events are wired: they are no part of the API."""

INTERNAL = "An error that Footnote did not expect. The terminal that runs it has the details."

_LOG = logging.getLogger(__name__)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Site:
    """One running web app.

    ``data`` is the folder for feedback. ``documents`` are the folders that originals may be given out of;
    without ``folders`` visitors can't change them, without ``uploads`` they can't add to them.
    """

    qa: QA
    store: Store
    data: Path
    folders: tuple[Path, ...] = ()
    indexing: Indexing | None = None
    uploads: UploadLimits | None = None
    limit: RateLimit | None = None
    originals: bool = False
    documents: tuple[Path, ...] = ()

    def original(self, source: str) -> Path | None:
        """The file of a document, where it may be given out."""
        if not self.originals:
            return None
        return original(
            self.documents, source, lambda each: any(d.source == each for d in self.qa.documents())
        )

    def check_rate(self, request: gr.Request | None) -> None:
        """Count a question of a visitor.

        Raises:
            RateError: there were too many of late.
        """
        if self.limit is not None and request is not None:
            self.limit.check(visitor(request), address(request))


@dataclass(frozen=True, slots=True)
class Refresh:
    """What shows a part of the page anew."""

    handler: Callable[..., Any]
    inputs: list[Any]
    outputs: list[Any]

    def on(self, *events: Callable[..., Any]) -> None:
        """Do so at each of these events."""
        for event in events:
            event(self.handler, self.inputs, self.outputs, **QUIETLY)


def attempt(work: Callable[[], _Result], failed: Callable[[str], _Result]) -> _Result:
    """What ``work`` gives, or what ``failed`` makes of the reason why it gives nothing."""
    try:
        return work()
    except FootnoteError as error:
        return failed(str(error))
    except Exception:
        _LOG.exception("A page could not do what it was asked for")
        return failed(INTERNAL)
