"""Scores -> the probability that the answer is right, and the threshold under which it is refused.

A logistic model over a few signals of the whole search. It holds for the encoder and the reader that
it was fitted with and is refused with others. The shipped one is in ``models/``; ``python -m qa
calibrate`` writes one into an index directory, where it goes before the shipped one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, isfinite
from pathlib import Path

from qa.errors import CalibrationError, CalibrationMismatchError
from qa.signals import SIGNALS

LARGEST_WEIGHT = 1e6

SHIPPED_PATH = Path(__file__).parent / "models" / "calibration.json"


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


def calibration_path(index_dir: Path, encoder: str, reader: str) -> Path:
    """Where an index keeps the calibration for this encoder and this reader."""
    ids = hashlib.sha256(f"{encoder}\n{reader}".encode()).hexdigest()[:12]
    return index_dir / f"calibration-{ids}.json"


def find_calibration(index_dir: Path, encoder: str, reader: str) -> Calibration | None:
    """The calibration of the index, else the shipped one where it was fitted with these, else None.

    Raises:
        CalibrationError: the index's own can't be read, or is of another encoder or reader.
    """
    own = calibration_path(index_dir, encoder, reader)
    if own.exists():
        return read_calibration(own, encoder, reader)
    try:
        return read_calibration(SHIPPED_PATH, encoder, reader)
    except CalibrationMismatchError:
        return None


def read_calibration(path: Path, encoder: str, reader: str) -> Calibration:
    """Read a calibration that was fitted with this encoder and this reader.

    Raises:
        CalibrationMismatchError: it was fitted with others.
        CalibrationError: it can't be read, or is of another version.
    """
    again = "make it again with: python -m qa calibrate QUESTIONS.jsonl"
    try:
        found = Calibration(**json.loads(path.read_text(encoding="utf-8")))
        numbers = [found.bias, *found.weights.values()]
        if not 0 <= found.min_confidence <= 1 or any(abs(number) > LARGEST_WEIGHT for number in numbers):
            raise ValueError("a number is out of range")
        if not isfinite(sum(numbers)):
            raise ValueError("something is no number")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise CalibrationError(f"the calibration {path} can't be read ({error}); {again}") from error
    if (found.encoder, found.reader) != (encoder, reader):
        raise CalibrationMismatchError(
            f"the calibration {path} was fitted with the encoder {found.encoder} and the reader "
            f"{found.reader}, not with {encoder} and {reader}; make one with: "
            "python -m qa calibrate QUESTIONS.jsonl"
        )
    if not found.weights or not set(found.weights) <= set(SIGNALS):
        raise CalibrationError(f"the calibration {path} is of another version of Footnote; {again}")
    return found
