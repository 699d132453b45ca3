"""Scores of answers and of refusals, as the field defines them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import ceil

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """SQuAD's normal form: lower case, no ASCII punctuation, no articles, single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(text: str, answers: Sequence[str]) -> float:
    """1 if ``text`` is one of the answers in SQuAD's normal form, else 0."""
    return float(any(normalise(text) == normalise(answer) for answer in answers))


def token_f1(text: str, answers: Sequence[str]) -> float:
    """The best F1 of the words of ``text`` over the answers, in SQuAD's normal form."""
    return max((_f1(normalise(text).split(), normalise(answer).split()) for answer in answers), default=0.0)


def _f1(words: list[str], gold: list[str]) -> float:
    if not words or not gold:
        return float(words == gold)
    common = sum((Counter(words) & Counter(gold)).values())
    return 2 * common / (len(words) + len(gold))


def contains_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether an accepted answer stands in ``text``, both in SQuAD's normal form."""
    normal = normalise(text)
    return any(wanted in normal for wanted in map(normalise, answers) if wanted)


def auroc(scores: Sequence[float], positives: Sequence[bool]) -> float | None:
    """The chance that a positive scores above a negative (ties count half); None without both."""
    ranked = sorted(zip(scores, positives, strict=True))
    positive = sum(positives)
    negative = len(ranked) - positive
    if not positive or not negative:
        return None
    total, start = 0.0, 0
    while start < len(ranked):
        stop = start
        while stop < len(ranked) and ranked[stop][0] == ranked[start][0]:
            stop += 1
        total += sum(is_positive for _, is_positive in ranked[start:stop]) * (start + stop + 1) / 2
        start = stop
    return (total - positive * (positive + 1) / 2) / (positive * negative)


def calibration_error(confidences: Sequence[float], rights: Sequence[bool], bins: int = 15) -> float | None:
    """Expected calibration error over bins of equal mass; None without confidences."""
    ranked = sorted(zip(confidences, rights, strict=True), key=lambda pair: pair[0])
    if not ranked:
        return None
    edges = [round(place * len(ranked) / bins) for place in range(bins + 1)]
    error = 0.0
    for start, stop in pairwise(edges):
        part = ranked[start:stop]
        if part:
            mean_confidence = sum(confidence for confidence, _ in part) / len(part)
            share_right = sum(is_right for _, is_right in part) / len(part)
            error += len(part) / len(ranked) * abs(mean_confidence - share_right)
    return error


def coverage_at(precision: float, confidences: Sequence[float], rights: Sequence[bool]) -> float:
    """The largest share of all questions that a threshold answers at this precision or better."""
    ranked = sorted(zip(confidences, rights, strict=True), reverse=True)
    best, right = 0, 0
    for answered, (confidence, is_right) in enumerate(ranked, start=1):
        right += is_right
        is_threshold = answered == len(ranked) or ranked[answered][0] < confidence
        if is_threshold and right >= precision * answered:
            best = answered
    return best / len(ranked) if ranked else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of ``values`` do not exceed (nearest rank); 0 without values."""
    ranked = sorted(values)
    return ranked[max(ceil(share * len(ranked)) - 1, 0)] if ranked else 0.0
