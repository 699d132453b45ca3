"""What flows through ``qa``: frozen records.

All offsets count Unicode code points of the document's text and are half-open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

WORTH_A_LOOK = 0.1
"""A refused candidate that is less likely than this is chance, and not shown to people."""


def named_page(page: int | None, label: str | None) -> str:
    """A page as people name it: "page 3", "page 3 (xii)"; "" where there is none."""
    if page is None:
        return ""
    return f"page {page}" if label in (None, str(page)) else f"page {page} ({label})"


def named_cell(row: str | None, column: str | None) -> str:
    """A cell of a table by the names of its row and its column; "" where it has neither."""
    return ", ".join(f"{kind} “{name}”" for kind, name in (("row", row), ("column", column)) if name)


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a quote stands: ``qa.text(source)[start:end] == quote``, and likewise ``context``.

    ``context`` is the whole sentence or sentences around the quote; ``key_start`` and ``key_end``
    are the key span inside it. ``page`` is the physical page (slide, sheet) of ``start``, from 1, or
    None; ``page_label`` is what the document itself calls it ("xii", a sheet's name), or None.
    ``table_row`` and ``table_column`` are what the row and the column of a table that the key stands in are
    called, or None: what the quote is about may stand above and before it.
    """

    source: str
    start: int
    end: int
    quote: str
    key_start: int
    key_end: int
    context_start: int
    context_end: int
    context: str
    page: int | None
    heading: list[str]
    title: str
    page_label: str | None = None
    table_row: str | None = None
    table_column: str | None = None

    @property
    def key(self) -> str:
        """The key span's text."""
        return self.quote[self.key_start - self.start : self.key_end - self.start]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A retrieved passage; a higher ``score`` is better.

    ``also_in`` names the other places of the same or nearly the same text, as
    (source, start, end); they are collapsed into this one.
    """

    score: float
    source: str
    start: int
    end: int
    text: str
    page: int | None
    heading: list[str]
    title: str
    also_in: tuple[tuple[str, int, int], ...] = ()
    page_label: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible answer with all places that say it, best first."""

    text: str
    key: str
    confidence: float | None
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A verbatim answer, or a refusal (``found`` is False) with the nearest passages.

    ``text`` equals ``citations[0].quote``; ``key`` is the exact span inside it. ``confidence`` is
    the calibrated probability that the best candidate is right, also on a refusal, and None where
    there is no calibration for the encoder. ``timings`` are milliseconds by stage, with ``total``.
    ``notice`` says what the asker should know of how the question was read.
    """

    found: bool
    text: str
    key: str
    confidence: float | None
    citations: tuple[Citation, ...]
    candidates: tuple[Candidate, ...]
    passages: tuple[Evidence, ...]
    question: str
    timings: Mapping[str, float]
    notice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON holds it: the attribute names, tuples as lists."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the answer that `to_dict` gave, also after a way through JSON.

        Raises:
            ValueError: ``values`` are not those of an answer.
        """
        try:
            return cls(
                **{
                    **values,
                    "citations": _citations(values["citations"]),
                    "candidates": tuple(
                        Candidate(**{**each, "citations": _citations(each["citations"])})
                        for each in values["candidates"]
                    ),
                    "passages": tuple(_evidence(each) for each in values["passages"]),
                }
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"these are not the values of an answer: {error!r}") from error


def _citations(values: Iterable[Mapping[str, Any]]) -> tuple[Citation, ...]:
    return tuple(Citation(**each) for each in values)


def _evidence(values: Mapping[str, Any]) -> Evidence:
    also_in = tuple((source, start, end) for source, start, end in values.get("also_in", ()))
    return Evidence(**{**values, "also_in": also_in})
