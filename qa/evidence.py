"""Scored spans -> possible answers: equal or nested spans add up and keep every place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log
from typing import NamedTuple

from qa.reader import Reread, ScoredSpan

AGAIN_WEIGHT = 0.5
"""What each gap of its sentences read again is worth to a proposal; docs/reader.md has the curve."""

_WORD = re.compile(r"[-+−]?[$€£¥#@.]?\w(?:\S*[\w%+#°])?")
_ARTICLES = frozenset({"a", "an", "the"})
_CHANGING = frozenset(
    (
        "no not never nor neither non none without except excluding unless but than anti former ex "
        "north south east west northern southern eastern western upper lower under over inside outside"
    ).split()
)
_CAPITALISED = re.compile(r"\W*(?:[^\W\d_a-z]|(?:and|da|de|del|der|of|the|van|von)\b)")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A possible answer.

    Attributes:
        best: the span that is quoted first.
        others: spans of other places that say the same, best first.
        score: the logarithm of the sum of the independent spans' odds: evidence adds up. Where it was
            `checked`, also what its sentences say when read again.
        again: what `qa.reader.read_again` gives for the best span; None until that was asked.
    """

    best: ScoredSpan
    others: tuple[ScoredSpan, ...]
    score: float
    again: Reread | None = None


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
        Proposal(group[0], tuple(group[1:]), log_sum([span.score for span in independent(group)]))
        for group in groups
    ]
    return sorted(joined, key=lambda proposal: -proposal.score)


def checked(found: Sequence[Proposal], again: Sequence[Reread]) -> list[Proposal]:
    """The proposals, best first, ``again`` being what the sentences of the first ones said when read again.

    Those stay before the others.
    """
    first = [
        replace(proposal, again=said, score=proposal.score + AGAIN_WEIGHT * sum(map(bounded, said)))
        for proposal, said in zip(found, again, strict=False)
    ]
    return [*sorted(first, key=lambda proposal: -proposal.score), *found[len(first) :]]


def bounded(logit: float) -> float:
    """The logit, or what is beyond doubt where it says more."""
    return max(-12.0, min(12.0, logit))


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
    """The words of a span, in lower case and without what surrounds them, and whether they are a name."""

    words: tuple[str, ...]
    is_name: bool


def wording(text: str) -> Wording:
    """What `says_the_same` compares: signs, decimal points and single letters tell answers apart."""
    found = [match for token in text.split() if (match := _WORD.search(token))]
    words = tuple(match[0].casefold() for match in found)
    if words and words[0] in _ARTICLES and (len(words) > 1 or found[0][0] != "A"):
        words = words[1:]  # "A" alone is a grade or a blood group
    return Wording(words, all(map(_CAPITALISED.match, (match[0] for match in found))))


def says_the_same(one: Wording, other: Wording) -> bool:
    """Whether the words are equal, or the shorter ones stand in the longer ones and mean the same there.

    A single word does only as the year of a date ("1990", "12 May 1990") or as a part of a name
    ("Jones", "Mary Jones"): "5" is not "5 billion", and "chips" not "training chips". More words do
    unless those beside them change the sense ("not", "except", "north") or the number.
    """
    shorter, longer = sorted((one.words, other.words), key=len)
    if shorter == longer:
        return True
    size = len(shorter)
    first = next((i for i in range(len(longer) - size + 1) if longer[i : i + size] == shorter), None)
    if first is None or not shorter or 2 * size < len(longer) - 1:
        return False
    has_year = re.fullmatch(r"\d{4}", shorter[-1]) is not None
    if size == 1 and not has_year and not (one.is_name and other.is_name):
        return False
    if size > 1 and all(word.isdigit() for word in shorter):
        return False
    return not any(_changes(word, has_year) for word in (*longer[:first], *longer[first + size :]))


def _changes(word: str, beside_year: bool) -> bool:
    """Whether words say something else with this one beside them; the day of a date does not."""
    if any(character.isdigit() for character in word):
        return not (beside_year and re.fullmatch(r"\d{1,2}(?:st|nd|rd|th)?", word))
    return word in _CHANGING or (len(word) == 1 and word.isascii())


def log_sum(values: Sequence[float]) -> float:
    """The logarithm of the sum of what these are the logarithms of."""
    highest = max(values)
    return highest + log(sum(exp(value - highest) for value in values))
