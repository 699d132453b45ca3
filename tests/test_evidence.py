"""Evidence: equal and nested spans of several places become one possible answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count
from math import exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import IndexedPassage, Passage
from qa.evidence import AGAIN_WEIGHT, checked, proposals, says_the_same, wording
from qa.reader import Reread, ScoredSpan
from qa.retriever import Retrieved

numbers = count()
WORDS = st.lists(
    st.sampled_from(["the", "5", "billion", "1931", "May", "Mary", "Jones", "Mary's", "—", ","]),
    min_size=1,
    max_size=6,
).map(" ".join)


def span(text: str, score: float = 0.0) -> ScoredSpan:
    """A span that is all of a passage of its own document."""
    number = next(numbers)
    passage = Passage(0, len(text), text, (), None, ((0, len(text)),), "")
    found = Retrieved(IndexedPassage(number, (f"{number}.txt",), None, passage), 1.0, 1.0, 0.0)
    return ScoredSpan(found, found, 0, len(text), score, score)


def said(*spans: ScoredSpan) -> list[list[str]]:
    """The texts of each proposal for the spans, of which the first is the best."""
    ranked = sorted(spans, key=lambda one: -one.score)
    return [[one.text for one in (found.best, *found.others)] for found in proposals(ranked)]


def test_equal_spans_join_and_keep_every_place():
    spans = [span("Mary Jones", 3), span("the Mary Jones,", 2), span("mary  JONES", 1)]
    (found,) = proposals(spans)
    assert found.best is spans[0]
    assert found.others == tuple(spans[1:])


def test_evidence_adds_up():
    (found,) = proposals([span("Mary", 2.0), span("Mary", 1.0), span("Mary", -30.0)])
    assert found.score == pytest.approx(log(exp(2) + exp(1) + exp(-30)))
    assert proposals([span("Mary", 2.0)])[0].score == 2.0


def test_two_places_outvote_a_better_one():
    assert said(span("Paul", 3.0), span("Mary", 2.8), span("Mary", 2.7)) == [["Mary", "Mary"], ["Paul"]]


def test_near_duplicates_keep_their_places_and_add_nothing():
    one = span("Mary", 2.0)
    twins = tuple(span("Mary").place for _ in range(3))
    whole = replace(one.candidate, twins=twins)
    spans = [
        replace(one, candidate=whole, place=place, score=2.0 - n) for n, place in enumerate((whole, *twins))
    ]
    (found,) = proposals(spans)
    assert (found.score, len(found.others)) == (2.0, 3)
    (found,) = proposals([*spans, span("Mary", -2.0)])
    assert found.score == pytest.approx(log(exp(2) + exp(-2)))


def test_two_mentions_in_a_passage_add_up():
    one = span("Mary", 2.0)
    assert proposals([one, replace(one, score=1.0)])[0].score == pytest.approx(log(exp(2) + exp(1)))


def test_a_huge_score_does_not_overflow():
    (found,) = proposals([span("Mary", 2000.0), span("Mary", -2000.0)])
    assert found.score == 2000.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Mary Jones", "Mary"),
        ("President Barack Obama", "Obama"),
        ("the University of Oxford", "Oxford University of Oxford"),
        ("in 1931", "1931"),
        ("May 1931", "1931"),
        ("4 May 1931", "1931"),
        ("$5 billion", "an additional $5 billion"),
        ("5 gigawatts", "up to 5 gigawatts"),
        ("The Tower", "tower."),
    ],
)
def test_what_says_the_same_joins(one, other):
    assert said(span(one, 2), span(other, 1)) == [[one, other]]
    assert said(span(other, 2), span(one, 1)) == [[other, one]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5", "5 billion"),
        ("chips", "AI training chips"),
        ("AI", "AI training chips"),
        ("not Mary", "Mary"),
        ("May", "May 1931"),
        ("$1.5 million", "$15 million"),
        ("-5 °C", "5 °C"),
        ("+10%", "-10%"),
        ("Article 1.2", "Article 12"),
        ("2019-20", "201920"),
        ("C++", "C"),
        ("Type A", "Type B"),
        ("Vitamin A", "Vitamin"),
        ("A", "B"),
        ("paid in full", "not paid in full"),
        ("No Change", "Change"),
        ("North Korea", "Korea"),
        ("Except Monday", "Monday"),
        ("5 million dollars", "million dollars"),
        ("5", "5 gigawatts"),
        ("300", "300 lorries"),
        ("1931", "1932"),
        ("4 May 1931", "4"),
        ("Mary Jones", "Jones Mary"),
        ("Mary Jones", "Maryland"),
        ("Mary", "Mary, who sold the spoon to Paul"),
        ("five", "fifty five hundred of the men"),
        ("40", "1940"),
    ],
)
def test_what_says_something_else_stays_apart(one, other):
    assert said(span(one, 2), span(other, 1)) == [[one], [other]]


def test_equal_bare_numbers_join():
    assert said(span("5", 2), span("5", 1)) == [["5", "5"]]


def test_what_holds_no_word_is_no_answer():
    assert said(span("-", 2), span(".", 1), span("the", 0), span("a", 0)) == []
    assert said(span("A", 1)) == [["A"]]
    assert proposals([]) == []


@given(WORDS, WORDS)
def test_saying_the_same_has_no_direction(one, other):
    said, others = wording(one), wording(other)
    assert says_the_same(said, others) == says_the_same(others, said)
    assert says_the_same(said, said)


@given(st.lists(st.tuples(WORDS | st.text(max_size=8), st.floats(-15, 15)), max_size=12))
def test_no_span_is_lost_and_the_best_stands_first(made):
    spans = sorted((span(text, score) for text, score in made), key=lambda one: -one.score)
    found = proposals(spans)
    kept = [one for proposal in found for one in (proposal.best, *proposal.others)]
    assert Counter(map(id, kept)) == Counter(id(one) for one in spans if wording(one.text).words)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for proposal in found:
        scores = [one.score for one in (proposal.best, *proposal.others)]
        assert scores == sorted(scores, reverse=True)
        assert max(scores) <= proposal.score < inf


# Read again


def test_what_its_sentences_say_when_read_again_moves_a_proposal():
    first, second, third = found = proposals([span("Paul", 5.0), span("Mary", 4.0), span("Otto", 3.0)])
    again = [Reread(-2.0, 0.0), Reread(3.0, 1.0)]
    mary, paul, otto = checked(found, again)
    assert (paul, mary) == (
        replace(first, score=5.0 - 2 * AGAIN_WEIGHT, again=again[0]),
        replace(second, score=4.0 + 4 * AGAIN_WEIGHT, again=again[1]),
    )
    assert otto == third  # what was not read again stays behind, whatever became of the others


def test_a_sentence_that_says_nothing_alone_keeps_its_proposal_comparable():
    [only] = checked(proposals([span("Paul", 5.0)]), [Reread(-inf, 0.0)])
    assert only.score == 5.0 - 12 * AGAIN_WEIGHT
    assert checked([], []) == []
