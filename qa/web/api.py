"""The functions for other programs: named REST endpoints, and the tools of the MCP server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import gradio as gr
from gradio.events import api

from index import FootnoteError, UsageError
from qa.web import feedback as kept
from qa.web.site import Site

MOST_CHARACTERS = 100_000
"""The most of a document that one call gives."""

_LOG = logging.getLogger(__name__)
_Result = TypeVar("_Result")


def offer(site: Site) -> None:
    """Offer the functions in the page that is being made."""
    qa = site.qa

    def ask(
        question: str,
        sources: list[str] | None = None,
        min_confidence: float | None = None,
        k: int = 10,
        request: gr.Request = None,  # type: ignore[assignment]  # gradio fills it in
    ) -> dict[str, Any]:
        """Answer a question with a verbatim quote, or refuse and give the nearest passages.

        Args:
            question: The question; phrases in double quotation marks must stand in the passage.
            sources: Relative paths or globs of the documents to look in; null for all.
            min_confidence: Refuse below this probability, 0 to 1; null for the calibrated default.
            k: How many passages to return with the answer, 1 to 100.
            request: Who asks.
        """
        return _called(site, request, lambda: qa.ask(question, sources, min_confidence, k).to_dict())

    def search(
        query: str,
        k: int = 10,
        sources: list[str] | None = None,
        request: gr.Request = None,  # type: ignore[assignment]
    ) -> dict[str, Any]:
        """Find the passages nearest to a query, best first.

        Args:
            query: Words or a question; phrases in double quotation marks must stand in the passage.
            k: How many passages to return, 1 to 100.
            sources: Relative paths or globs of the documents to look in; null for all.
            request: Who asks.
        """
        return _called(
            site,
            request,
            lambda: {"query": query, "passages": [asdict(found) for found in qa.search(query, k, sources)]},
        )

    def documents() -> list[dict[str, Any]]:
        """List the documents with their title, status, reason and number of passages."""
        return _called(site, None, lambda: [asdict(document) for document in qa.documents()])

    def text(source: str, start: int = 0, end: int | None = None) -> dict[str, Any]:
        """Give the text of a document, or a part of it; all offsets of answers count its characters.

        Args:
            source: The document's relative path, as the other functions give it.
            start: The first character, from 0.
            end: Where to end; null for the end of the document. At most 100,000 characters are given.
        """
        return _called(site, None, lambda: _part(qa.text(source), source, start, end))

    def feedback(
        question: str,
        good: bool,
        answers: list[str] | None = None,
        source: str | None = None,
        reason: str = "",
        request: gr.Request = None,  # type: ignore[assignment]
    ) -> dict[str, Any]:
        """Say whether the answer to a question was right; kept on the server, in the question-set format.

        Args:
            question: The question that was asked.
            good: Whether what Footnote said was right.
            answers: The right words, as the document spells them; an empty list where no document holds an
                answer; null where they are not known.
            source: The document that holds them.
            reason: What was wrong, in words.
            request: Who says it.
        """
        return _called(
            site, request, lambda: kept.report(site, question, good, answers, source or "", reason)
        )

    for function in (ask, search, documents, text, feedback):
        api(function, api_name=function.__name__)


def _part(text: str, source: str, start: int, end: int | None) -> dict[str, Any]:
    last = len(text) if end is None else end
    if not 0 <= start <= last <= len(text):
        raise UsageError(
            f"start {start} and end {end} are no part of {source}, which has {len(text)} characters"
        )
    last = min(last, start + MOST_CHARACTERS)
    return {"source": source, "start": start, "end": last, "characters": len(text), "text": text[start:last]}


def _called(site: Site, request: gr.Request | None, function: Callable[[], _Result]) -> _Result:
    """What ``function`` returns; its errors become ones that gradio sends to the caller."""
    try:
        site.check_rate(request)
        return function()
    except FootnoteError as error:
        raise gr.Error(str(error), print_exception=False) from None
    except (TypeError, AttributeError) as error:  # a caller may send any JSON
        _LOG.info("A call with parameters of the wrong type", exc_info=error)
        raise gr.Error(
            "a parameter has the wrong type; docs/web.md has their order", print_exception=False
        ) from None
