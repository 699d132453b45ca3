"""Scored spans -> possible answers: equal or nested spans add up and keep every place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from qa.metrics import normalise
from qa.reader import ScoredSpan


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
    words: list[tuple[str, ...]] = []
    for span in spans:
        said = tuple(normalise(span.text).split())
        if not said:
            continue
        place = next((i for i, other in enumerate(words) if says_the_same(said, other)), None)
        if place is None:
            groups.append([span])
            words.append(said)
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


def says_the_same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the words are equal, or the shorter ones stand in the longer ones as they are.

    A bare number says the same as a longer text only as a year in a date: "5" is not "5 billion".
    """
    shorter, longer = sorted((tuple(one), tuple(other)), key=len)
    if shorter == longer:
        return True
    if all(word.isdigit() for word in shorter) and not (len(shorter) == 1 and len(shorter[0]) == 4):
        return False
    size = len(shorter)
    return 2 * size >= len(longer) - 1 and any(
        longer[first : first + size] == shorter for first in range(len(longer) - size + 1)
    )


def _added(scores: Sequence[float]) -> float:
    highest = max(scores)
    return highest + log(sum(exp(score - highest) for score in scores))
