"""Scored spans -> possible answers: equal or nested spans add up and keep every place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import NamedTuple

from qa.metrics import normalise
from qa.reader import ScoredSpan

_CAPITALISED = re.compile(r"\W*(?:[^\W\d_a-z]|(?:and|da|de|del|der|of|the|van|von)\b)")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A possible answer.

    Attributes:
        best: the span that is quoted first.
        others: spans of other places that say the same, best first.
        score: the logarithm of the sum of the independent spans' odds: evidence adds up.
    """

    best: ScoredSpan
    others: tuple[ScoredSpan, ...]
    score: float


def proposals(spans: Sequence[ScoredSpan]) -> list[Proposal]:
    """Join equal and nested spans; best first.

    Args:
        spans: as the reader gives them, best first.
    """
    groups: list[list[ScoredSpan]] = []
    wordings: list[Wording] = []
    for span in spans:
        said = wording(span.text)
        if not said.words:
            continue
        place = next((i for i, other in enumerate(wordings) if says_the_same(said, other)), None)
        if place is None:
            groups.append([span])
            wordings.append(said)
        else:
            groups[place].append(span)
    joined = [
        Proposal(group[0], tuple(group[1:]), _added([span.score for span in independent(group)]))
        for group in groups
    ]
    return sorted(joined, key=lambda proposal: -proposal.score)


def independent(spans: Sequence[ScoredSpan]) -> list[ScoredSpan]:
    """The spans without those of near-duplicates of a passage that stands before: they only repeat it."""
    counted: dict[int, int] = {}  # candidate -> the passage among it and its near-duplicates that counts
    kept = []
    for span in spans:
        place = span.place.passage.id
        if counted.setdefault(span.candidate.passage.id, place) == place:
            kept.append(span)
    return kept


class Wording(NamedTuple):
    """The words of a span in SQuAD's normal form, and whether they are a name."""

    words: tuple[str, ...]
    is_name: bool


def wording(text: str) -> Wording:
    """What `says_the_same` compares."""
    return Wording(tuple(normalise(text).split()), all(map(_CAPITALISED.match, text.split())))


def says_the_same(one: Wording, other: Wording) -> bool:
    """Whether the words are equal, or the shorter ones stand in the longer ones as they are.

    A single word is that only as the year of a date ("1990", "12 May 1990") or as a part of a name
    ("Jones", "Mary Jones"): "5" is not "5 billion", and "chips" not "training chips".
    """
    shorter, longer = sorted((one.words, other.words), key=len)
    if shorter == longer:
        return True
    size = len(shorter)
    are_numbers = all(word.isdigit() for word in shorter)
    if size == 1:
        counts = len(shorter[0]) == 4 if are_numbers else one.is_name and other.is_name
    else:
        counts = not are_numbers
    return (
        counts
        and 2 * size >= len(longer) - 1
        and any(longer[first : first + size] == shorter for first in range(len(longer) - size + 1))
    )


def _added(scores: Sequence[float]) -> float:
    highest = max(scores)
    return highest + log(sum(exp(score - highest) for score in scores))
