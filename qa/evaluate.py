"""Question sets -> exact match, F1, recall, calibration, citation validity, latency.

A benchmark directory is ``docs/`` plus ``questions.jsonl``; docs/evaluation.md defines each figure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index import UsageError
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
    confidence: float | None
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
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise QuestionSetError(
            f"{path} can't be read ({error.strerror}); it should hold a question a line, and stands beside "
            "docs/ in a benchmark directory"
        ) from error
    except UnicodeDecodeError as error:
        raise QuestionSetError(f"{path} is not UTF-8: {error}") from error
    questions = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            questions.append(_question(json.loads(line)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise QuestionSetError(
                f"{path}, line {number}, is no question ({error!r}); each line is an object with id, "
                "question, answers and source"
            ) from error
    if not questions:
        raise QuestionSetError(f"{path} holds no questions")
    return questions


def _question(values: Mapping[str, Any]) -> Question:
    """Check the types of one line; a text where a list belongs would be read letter by letter."""
    question, within = values["question"], values.get("within")
    if not isinstance(question, str) or not question.strip():
        raise ValueError("question is no text")
    if within is not None and not isinstance(within, str):
        raise ValueError("within is no path")
    answers, source = values["answers"], values.get("source") or []
    for name, entries in (("answers", answers), ("source", source)):
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise ValueError(f"{name} is no list of texts")
    return Question(str(values["id"]), question, tuple(answers), tuple(source), within)


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

    Raises:
        QuestionSetError: a question can't be asked, such as one ``within`` a file that is not there.
    """
    qa.load()  # the first question should not be timed with the loading of the model
    outcomes = []
    for done, question in enumerate(questions):
        if progress is not None:
            progress("ask", done, len(questions))
        try:
            outcomes.append(judge(qa, question))
        except UsageError as error:
            raise QuestionSetError(f"question {question.id!r} can't be asked: {error}") from error
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
        confidence=answer.confidence,
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
    """Fold outcomes into the figures. Shares of nothing are None, and what needs a confidence without one."""
    asked = [outcome for outcome in outcomes if outcome.answerable]
    rights = [outcome.answerable and outcome.f1 >= RIGHT_F1 for outcome in outcomes]
    confidences = [outcome.confidence for outcome in outcomes if outcome.confidence is not None]
    is_calibrated = len(confidences) == len(outcomes)
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
        "auroc": auroc(confidences, [o.answerable for o in outcomes]) if is_calibrated else None,
        "ece": calibration_error(confidences, rights) if is_calibrated else None,
        "precision": _mean(answered),
        "coverage_at_80": coverage_at(PRECISION, confidences, rights) if is_calibrated else None,
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
