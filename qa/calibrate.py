"""Questions with known answers -> a calibration for an index's encoder and reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index import UsageError
from qa.calibration import Calibration, calibration_path
from qa.citations import citations
from qa.engine import QA
from qa.errors import QuestionSetError
from qa.evaluate import RIGHT_F1, Question
from qa.metrics import token_f1
from qa.signals import SIGNALS, signals

FEWEST = 50
"""Fewer right or wrong answers than this say too little to fit a model to."""

REGULARISATION = 1.0
LEAST_SPREAD = 1e-6
"""A signal that varies by less is the same for all answers, but for rounding."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The best answer to one question: what the model sees of it, and whether it is right."""

    signals: dict[str, float]
    is_right: bool
    is_answerable: bool


def calibrate(
    qa: QA, questions: Sequence[Question], progress: Callable[[str, int, int], None] | None = None
) -> Calibration:
    """Ask the questions and fit a calibration to what comes back; see `save` to keep it.

    Args:
        qa: opened over the documents that the questions are about.
        questions: see `qa.evaluate.read_questions`; no answers where the documents hold none.
        progress: called with ("ask", done, total).

    Raises:
        QuestionSetError: a question can't be asked, or too few are answered rightly or wrongly.
    """
    judged = judge(qa, questions, progress)
    return fit(judged, *qa.ids)


def judge(
    qa: QA, questions: Sequence[Question], progress: Callable[[str, int, int], None] | None = None
) -> list[Judged]:
    """Ask the questions; one that finds nothing to propose is left out."""
    judged = []
    for done, question in enumerate(questions):
        if progress is not None:
            progress("ask", done, len(questions))
        try:
            found = qa.find(question.question, None if question.within is None else [question.within])
        except UsageError as error:
            raise QuestionSetError(f"question {question.id!r} can't be asked: {error}") from error
        if found.proposals:
            seen = signals(found.question, found.snapshot, found.retrieved, found.proposals)
            shown = next(citations(found.question, found.proposals[0].best, found.tables))
            right = token_f1(shown.key, question.answers) >= RIGHT_F1
            judged.append(Judged(seen, bool(question.answers) and right, bool(question.answers)))
    if progress is not None:
        progress("ask", len(questions), len(questions))
    return judged


def fit(judged: Sequence[Judged], encoder: str, reader: str) -> Calibration:
    """Fit a logistic model of "the best answer is right" and choose the threshold.

    No weight contradicts the direction of its signal (`qa.signals.SIGNALS`).

    Raises:
        QuestionSetError: fewer than `FEWEST` answers are right, or wrong.
    """
    right = np.array([one.is_right for one in judged], dtype=bool)
    if min(right.sum(), (~right).sum()) < FEWEST:
        raise QuestionSetError(
            f"{right.sum()} of {len(right)} best answers are right; a calibration needs at least {FEWEST} "
            "right and as many wrong ones: give more questions, also some that nothing answers"
        )
    names = list(judged[0].signals)
    seen = np.array([[one.signals[name] for name in names] for one in judged])
    middle, spread = seen.mean(axis=0), seen.std(axis=0)
    spread[spread < LEAST_SPREAD] = 1.0
    scaled, intercept = _logistic((seen - middle) / spread, right, [SIGNALS[name] for name in names])
    weights = scaled / spread
    bias = float(intercept - weights @ middle)
    confidence = 1 / (1 + np.exp(-(seen @ weights + bias)))
    answerable = np.array([one.is_answerable for one in judged], dtype=bool)
    return Calibration(
        encoder=encoder,
        reader=reader,
        weights={name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)},
        bias=round(bias, 4),
        min_confidence=round(best_threshold(confidence, right, answerable), 3),
    )


def _logistic(
    seen: NDArray[np.float64], right: NDArray[np.bool_], directions: Sequence[int]
) -> tuple[NDArray[np.float64], float]:
    """Weights and intercept of an L2-regularised logistic regression, each weight of the given sign."""
    from scipy.optimize import minimize
    from scipy.special import expit

    sign = np.where(right, 1.0, -1.0)

    def loss(solution: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, intercept = solution[:-1], solution[-1]
        agreement = sign * (seen @ weights + intercept)
        pull = -sign * expit(-agreement)
        value = np.logaddexp(0, -agreement).sum() + REGULARISATION / 2 * weights @ weights
        return float(value), np.append(seen.T @ pull + REGULARISATION * weights, pull.sum())

    ranges = {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}
    bounds = [*(ranges[direction] for direction in directions), ranges[0]]
    found = minimize(loss, np.zeros(seen.shape[1] + 1), jac=True, bounds=bounds, method="L-BFGS-B").x
    return found[:-1], float(found[-1])


def best_threshold(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], answerable: NDArray[np.bool_]
) -> float:
    """The threshold at which most questions are treated rightly: answered right, or rightly refused.

    That is the rule of SQuAD 2.0 (Rajpurkar et al. 2018). A wrong answer to an answerable question
    costs no more than its refusal, so where hardly any question is unanswerable the threshold is low.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    gains = np.where(right, 1, np.where(answerable, 0, -1))[order]
    gained = np.append(0, gains.cumsum()).astype(float)  # by the number of answers
    above, below = np.append(1.0, ranked), np.append(ranked, 0.0)
    gained[:-1][above[:-1] <= below[:-1]] = -np.inf  # no threshold parts equal confidences
    best = int(gained.argmax())
    return float((above[best] + below[best]) / 2)


def save(calibration: Calibration, index_dir: Path) -> Path:
    """Keep a calibration with an index, where `QA.open` finds it; return its path."""
    path = calibration_path(index_dir, calibration.encoder, calibration.reader)
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(asdict(calibration), indent=1) + "\n", encoding="utf-8")
    scratch.replace(path)
    return path
