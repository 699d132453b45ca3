"""The functions for other programs: named REST endpoints here, tools of an MCP server in `qa.web.tools`."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import partial, wraps
from typing import Any, TypeVar

import gradio as gr
from anyio import CapacityLimiter, to_thread
from gradio.events import api

from index import FootnoteError, UsageError
from qa.web import feedback as kept
from qa.web.site import Site

MOST_CHARACTERS = 100_000
"""The most of a document that one call gives."""

_LOG = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class BusyError(FootnoteError):
    """Too many calls wait already."""


class Programs:
    """The functions that other programs may call, and the one bound on how many of them work at once.

    Gradio bounds only what goes through its queue; calls that are answered at once, and those of MCP,
    do not.
    """

    def __init__(self, site: Site, at_once: int, waiting: int) -> None:
        """Let ``at_once`` calls work, and ``waiting`` more wait, first come, first served."""
        self._site = site
        self._limiter = CapacityLimiter(at_once)
        self._waiting = waiting

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """Those that are offered; the signature and docstring of each describe it to programs."""
        return self.ask, self.search, self.documents, self.text, self.feedback

    async def call(self, function: Callable[..., _Result], request: Any, **parameters: Any) -> _Result:  # noqa: ANN401
        """What one of the functions returns, for gradio's or starlette's request.

        Raises:
            FootnoteError: what it raises; or whoever asks asks too often, or too many wait.
        """
        if function.__name__ in ("ask", "search", "feedback"):
            self._site.check_rate(request)
        if self._limiter.statistics().tasks_waiting >= self._waiting:
            raise BusyError(f"{self._waiting} calls wait already; call again in a few seconds")
        return await to_thread.run_sync(partial(function, **parameters), limiter=self._limiter)

    def ask(
        self,
        question: str,
        sources: list[str] | None = None,
        min_confidence: float | None = None,
        k: int = 10,
    ) -> dict[str, Any]:
        """Answer a question with a verbatim quote, or refuse and give the nearest passages.

        In the result `found` is false for a refusal; `text` is the quote, `key` the exact words in it,
        `confidence` the probability that it is right, `citations` where it stands, best first.

        Args:
            question: The question; phrases in double quotation marks must stand in the passage.
            sources: Relative paths or globs of the documents to look in; null for all.
            min_confidence: Refuse below this probability, 0 to 1; null for the calibrated default.
            k: How many passages to return with the answer, 1 to 100.
        """
        return self._site.qa.ask(question, sources, min_confidence, k).to_dict()

    def search(self, query: str, k: int = 10, sources: list[str] | None = None) -> dict[str, Any]:
        """Find the passages nearest to a query, best first, without an answer.

        Each has its `text`, `source`, `page` and `heading`, and `start` and `end` in the document's text.

        Args:
            query: Words or a question; phrases in double quotation marks must stand in the passage.
            k: How many passages to return, 1 to 100.
            sources: Relative paths or globs of the documents to look in; null for all.
        """
        passages = self._site.qa.search(query, k, sources)
        return {"query": query, "passages": [asdict(passage) for passage in passages]}

    def documents(self) -> list[dict[str, Any]]:
        """List the documents with their title, status, reason and number of passages."""
        return [asdict(document) for document in self._site.qa.documents()]

    def text(self, source: str, start: int = 0, end: int | None = None) -> dict[str, Any]:
        """Give the text of a document, or a part of it; all offsets of answers count its characters.

        Args:
            source: The document's relative path, as the other functions give it.
            start: The first character, from 0.
            end: Where to end; null for the end of the document. At most 100,000 characters are given.
        """
        text = self._site.qa.text(source)
        last = len(text) if end is None else end
        if not 0 <= start <= last <= len(text):
            raise UsageError(
                f"start {start} and end {end} are no part of {source}, which has {len(text)} characters"
            )
        last = min(last, start + MOST_CHARACTERS)
        part = text[start:last]
        return {"source": source, "start": start, "end": last, "characters": len(text), "text": part}

    def feedback(
        self,
        question: str,
        good: bool,
        answers: list[str] | None = None,
        source: str | None = None,
        reason: str = "",
    ) -> dict[str, Any]:
        """Say whether the answer to a question was right; kept on the server, in the question-set format.

        Only for what a person has said; a later verdict on the same question replaces it.

        Args:
            question: The question that was asked.
            good: Whether what Footnote said was right.
            answers: The right words, as the document spells them; an empty list where no document holds an
                answer; null where they are not known.
            source: The document that holds them.
            reason: What was wrong, in words.
        """
        site = self._site
        return kept.report(
            site.data, question, site.qa, good=good, answers=answers, source=source or "", reason=reason or ""
        )


def offer(programs: Programs) -> None:
    """Offer the functions in the page that is being made.

    To be called before the page's events are wired: gradio gives each a name, too, and the first one
    called "ask" keeps it.
    """
    for function in programs.functions:
        # Without gradio's queue a call can be answered at once; with it, it still can be queued.
        api(_endpoint(programs, function), api_name=function.__name__, queue=False)


def _endpoint(programs: Programs, function: Callable[..., _Result]) -> Callable[..., Any]:
    """``function`` as gradio calls it: with the request as a further parameter, which no caller sees."""

    @wraps(function)
    async def endpoint(*values: Any) -> _Result:  # noqa: ANN401 - any JSON
        *given, request = values
        names = inspect.signature(function).parameters
        try:
            return await programs.call(function, request, **dict(zip(names, given, strict=True)))
        except FootnoteError as error:
            raise gr.Error(str(error), print_exception=False) from None
        except (TypeError, AttributeError) as error:  # a caller may send any JSON
            _LOG.info("A call with parameters of the wrong type", exc_info=error)
            raise gr.Error(
                "a parameter has the wrong type; docs/api.md has their order", print_exception=False
            ) from None

    described = inspect.signature(function)
    asking = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None)
    endpoint.__signature__ = described.replace(  # type: ignore[attr-defined]
        parameters=[*described.parameters.values(), asking]
    )
    endpoint.__annotations__ = {**function.__annotations__, "request": gr.Request}
    return endpoint
