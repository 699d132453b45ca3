"""Scores -> the probability that the answer is right, and the threshold under which it is refused.

A logistic model over a few signals of the whole search. It holds for the encoder and the reader that
it was fitted with, and is not used with others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

from index import Snapshot, question_terms, terms
from qa.reader import ScoredSpan

CALIBRATION_PATH = Path(__file__).parent / "models" / "calibration.json"


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted model: ``sigmoid(bias + sum(weights * signals))``, and the default threshold."""

    encoder: str
    reader: str
    weights: Mapping[str, float]
    bias: float
    min_confidence: float

    def probability(self, signals: Mapping[str, float]) -> float:
        """The probability that the answer with these signals is right."""
        logit = self.bias + sum(self.weights[name] * signals[name] for name in self.weights)
        return 1 / (1 + exp(-max(min(logit, 50.0), -50.0)))


def load_calibration(encoder_fingerprint: str, reader_id: str) -> Calibration | None:
    """The shipped calibration, if it was fitted with this encoder and this reader; else None."""
    calibration = Calibration(**json.loads(CALIBRATION_PATH.read_text(encoding="utf-8")))
    if (calibration.encoder, calibration.reader) != (encoder_fingerprint, reader_id):
        return None
    return calibration


def signals(
    question: str, snapshot: Snapshot, spans: Sequence[ScoredSpan], place: int = 0
) -> dict[str, float]:
    """What the model sees of the answer at ``place`` among ``spans``, which stand best first."""
    chosen = spans[place]
    passage = chosen.retrieved.passage.passage
    asked = snapshot.term_weights(question_terms(question))
    mass = sum(asked.values()) or 1.0
    there = set(terms(passage.context)) | set(terms(passage.text))
    missing = [weight for term, weight in asked.items() if term not in there]
    others = [span.score for number, span in enumerate(spans) if number != place]
    return {
        "score": chosen.score,
        "margin": chosen.score - max(others) if others else 0.0,
        "cosine": chosen.features["cosine"],
        "passage_cosine": chosen.features["passage_cosine"],
        "passage_bm25": chosen.features["passage_bm25"],
        "missing_share": sum(missing) / mass if asked else 1.0,
        "rarest_missing": max(missing, default=0.0) / max(asked.values(), default=1.0),
        "lacks_kind": max(chosen.features[f"lacks_{kind}"] for kind in ("number", "time", "name")),
    }
