"""Passages in a new order: a cross-encoder reads the question with each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from index import embedded_text
from qa.retriever import Retrieved


class Reranker(Protocol):
    """What the engine asks of a re-ranker. Implementations are safe to use from several threads."""

    @property
    def id(self) -> str:
        """Changes whenever its scores could."""

    def load(self) -> None:
        """Load it now rather than at the first question."""

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the question, 0..1."""


def rerank(question: str, retrieved: Sequence[Retrieved], reranker: Reranker) -> list[Retrieved]:
    """The passages with the re-ranker's scores, best first."""
    scores = reranker.scores(question, [embedded_text(one.passage.passage) for one in retrieved])
    scored = [
        replace(one, score=score, twins=tuple(replace(twin, score=score) for twin in one.twins))
        for one, score in zip(retrieved, scores, strict=True)
    ]
    return sorted(scored, key=lambda one: -one.score)
