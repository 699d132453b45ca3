"""Question sets -> exact match, F1, recall, calibration, citation validity, latency.

A benchmark directory is ``docs/`` plus ``questions.jsonl``; docs/evaluation.md defines each figure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa.engine import QA
from qa.errors import QuestionSetError
from qa.metrics import (
    auroc,
    calibration_error,
    contains_answer,
    coverage_at,
    exact_match,
    percentile,
    token_f1,
)
from qa.model import Answer

RANKS = (1, 5, 10)
RIGHT_F1 = 0.5
PRECISION = 0.8


@dataclass(frozen=True, slots=True)
class Question:
    """A line of ``questions.jsonl``; no answers where the documents hold none."""

    id: str
    question: str
    answers: tuple[str, ...]
    source: tuple[str, ...]
    within: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one question came to. ``confidence`` and ``key`` are the best candidate's."""

    answerable: bool
    found: bool
    confidence: float
    em: float
    f1: float
    sentence_hit: bool
    rank: int | None
    citations_valid: bool
    milliseconds: float


def read_questions(path: Path) -> list[Question]:
    """Read a ``questions.jsonl``.

    Raises:
        QuestionSetError: the file is missing, or a line of it is malformed.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise QuestionSetError(
            f"{path} can't be read ({error.strerror}); a benchmark directory holds docs/ and questions.jsonl"
        ) from error
    questions = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            questions.append(
                Question(
                    id=str(values["id"]),
                    question=values["question"],
                    answers=tuple(values["answers"]),
                    source=tuple(values.get("source") or ()),
                    within=values.get("within"),
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            raise QuestionSetError(
                f"{path}, line {number}, is no question ({error!r}); each line is an object with id, "
                "question, answers and source"
            ) from error
    if not questions:
        raise QuestionSetError(f"{path} holds no questions")
    return questions


def evaluate(
    qa: QA,
    questions: Sequence[Question],
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Ask every question and return the figures, as ``evaluate --json`` prints them.

    Args:
        qa: opened over the benchmark's documents.
        questions: see `read_questions`.
        progress: called with ("ask", done, total).
    """
    outcomes = []
    for done, question in enumerate(questions):
        if progress is not None:
            progress("ask", done, len(questions))
        outcomes.append(judge(qa, question))
    if progress is not None:
        progress("ask", len(questions), len(questions))
    return figures(outcomes)


def judge(qa: QA, question: Question) -> Outcome:
    """Ask one question and compare the best candidate, also of a refusal, with its answers."""
    sources = None if question.within is None else [question.within]
    answer = qa.ask(question.question, sources=sources, k=max(RANKS))
    best = answer.candidates[0] if answer.candidates else None
    citations = [citation for candidate in answer.candidates for citation in candidate.citations]
    return Outcome(
        answerable=bool(question.answers),
        found=answer.found,
        confidence=answer.confidence or 0.0,
        em=exact_match(best.key, question.answers) if best else 0.0,
        f1=token_f1(best.key, question.answers) if best else 0.0,
        sentence_hit=best is not None and contains_answer(best.citations[0].context, question.answers),
        rank=_rank(answer, question),
        citations_valid=all(
            qa.text(citation.source)[citation.start : citation.end] == citation.quote
            and qa.text(citation.source)[citation.context_start : citation.context_end] == citation.context
            for citation in citations
        )
        and (not answer.found or answer.text == answer.citations[0].quote),
        milliseconds=answer.timings["total"],
    )


def _rank(answer: Answer, question: Question) -> int | None:
    """The rank, from 1, of the first passage of a gold source that holds an accepted answer."""
    gold = set(question.source)
    for rank, passage in enumerate(answer.passages, start=1):
        sources = {passage.source, *(source for source, _, _ in passage.also_in)}
        if sources & gold and contains_answer(passage.text, question.answers):
            return rank
    return None


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Fold outcomes into the figures. Shares of nothing are None."""
    asked = [outcome for outcome in outcomes if outcome.answerable]
    confidences = [outcome.confidence for outcome in outcomes]
    rights = [outcome.answerable and outcome.f1 >= RIGHT_F1 for outcome in outcomes]
    answered = [right for outcome, right in zip(outcomes, rights, strict=True) if outcome.found]
    latencies = [outcome.milliseconds for outcome in outcomes]
    return {
        "n": len(outcomes),
        "answerable": len(asked),
        "em": _mean(outcome.em for outcome in asked),
        "f1": _mean(outcome.f1 for outcome in asked),
        "sentence_hit": _mean(outcome.sentence_hit for outcome in asked),
        **{
            f"r_at_{k}": _mean(outcome.rank is not None and outcome.rank <= k for outcome in asked)
            for k in RANKS
        },
        "mrr": _mean(1 / outcome.rank if outcome.rank else 0.0 for outcome in asked),
        "auroc": auroc(confidences, [outcome.answerable for outcome in outcomes]),
        "ece": calibration_error(confidences, rights),
        "precision": _mean(answered),
        "coverage_at_80": coverage_at(PRECISION, confidences, rights),
        "citation_valid": _mean(outcome.citations_valid for outcome in outcomes),
        "latency_ms": {"p50": percentile(latencies, 0.50), "p95": percentile(latencies, 0.95)},
    }


def _mean(values: Iterable[float]) -> float | None:
    found = [float(value) for value in values]
    return sum(found) / len(found) if found else None


ROWS: Mapping[str, str] = {
    "n": "questions",
    "answerable": "answerable",
    "em": "exact match of the key",
    "f1": "token F1 of the key",
    "sentence_hit": "answer in the first citation's sentence",
    "r_at_1": "answer in the first passage",
    "r_at_5": "answer in the first 5",
    "r_at_10": "answer in the first 10",
    "mrr": "mean reciprocal rank",
    "auroc": "AUROC of refusal",
    "ece": "calibration error (15 bins)",
    "precision": "right of what was answered",
    "coverage_at_80": "coverage at precision 0.8",
    "citation_valid": "valid citations",
}
"""What the table in the terminal calls each figure."""
