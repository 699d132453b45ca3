"""What a calibration sees of an answer: each number, worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from math import exp, inf, log, log1p

import pytest

from index import IndexedPassage, Passage
from qa.calibration import SHIPPED_PATH, read_calibration
from qa.engine import _reranked
from qa.evidence import Proposal
from qa.reader import Reread, ScoredSpan
from qa.retriever import Retrieved
from qa.signals import SIGNALS, signals

WEIGHTS = {"sold": 1.0, "ann": 4.0, "silver": 2.0, "spoon": 3.0}
QUESTION = "Who sold Ann the silver spoon?"


class Words:
    """The part of a snapshot that the signals look at."""

    header: tuple[int, int] | None = None

    def term_weights(self, terms):
        return {term: WEIGHTS[term] for term in terms}

    def tables(self, source):
        return [(self.header, (0, 999))] if self.header else []

    def part(self, source, start, end):
        return BEST.passage.passage.text[start:end]


def retrieved(number: int, text: str, score: float, cosine: float, bm25: float) -> Retrieved:
    end = text.index(".") + 1
    sentences = ((0, end), (end + 1, len(text)))
    passage = Passage(0, len(text), text, (), None, sentences, "")
    return Retrieved(IndexedPassage(number, (f"{number}.txt",), None, passage), score, cosine, bm25)


def span(found: Retrieved, said: str, gap: float) -> ScoredSpan:
    start = found.passage.passage.text.index(said)
    return ScoredSpan(found, found, start, start + len(said), gap, gap + 10)


BEST = retrieved(1, "Mary Jones sold it. The spoon was old.", 0.9, 0.7, 0.8)
OTHER = retrieved(2, "Paul sold it. So did Mary Jones. It was Ann's.", 0.5, 0.6, 0.9)
MARY, MARY_AGAIN, PAUL = (
    span(BEST, "Mary Jones", 2.0),
    span(OTHER, "Mary Jones", 1.0),
    span(OTHER, "Paul", -1.0),
)
FOUND = [
    Proposal(MARY, (MARY_AGAIN,), 12.3, again=Reread(1.5, 1.0)),
    Proposal(PAUL, (), 9.0, again=Reread(-2.5, -3.0)),
]


def seen(found=FOUND, question=QUESTION, ranked=(BEST, OTHER), place=0) -> dict[str, float]:
    return signals(question, Words(), ranked, found, place)


def test_every_signal_of_a_worked_example():
    own, everything = exp(2) + exp(1), 1 + exp(2) + exp(1) + exp(-1)
    assert seen() == pytest.approx(
        {
            "gap": 2.0,
            "gap_above": 2.0,
            "margin": 12.3 - 9.0,
            "share": log(own / everything),
            "highest_gap": 2.0,
            "alone": 1.5,
            "beside": 1.0,
            "votes": log1p(1 / (1 + exp(-1))),
            "retrieval": 0.9,
            "cosine": 0.7,
            "behind_best": 0.0,
            "agreement": 0.0,  # BM25 puts the other passage first
            "missing_share": 6 / 10,  # Ann, silver
            "rarest_missing": 4 / 4,
            "sentence_missing": 9 / 10,  # and the spoon, which is in the next sentence
            "names_missing": 1.0,
            "words": log1p(2),
            "wants_sentences": 0.0,
        }
    )


def test_what_the_header_over_a_row_says_is_not_missing_in_it():
    words = Words()
    spoon = BEST.passage.passage.text.index("spoon")
    words.header = (spoon, spoon + 5)
    found = signals(QUESTION, words, (BEST, OTHER), FOUND, 0)
    assert found == pytest.approx({**seen(), "sentence_missing": 6 / 10})


def test_the_signals_of_a_later_answer():
    later = seen(place=1)
    assert later["gap"] == -1.0
    assert later["gap_above"] == 0.0
    assert later["margin"] == pytest.approx(9.0 - 12.3)
    assert later["highest_gap"] == 2.0
    assert (later["alone"], later["beside"]) == (-2.5, -3.0)
    assert later["votes"] == 0.0
    assert later["behind_best"] == pytest.approx(0.9 - 0.5)
    assert later["missing_share"] == pytest.approx(5 / 10)  # Ann is there
    assert later["names_missing"] == 0.0


def test_the_margin_is_over_the_best_of_the_others():
    third = Proposal(replace(PAUL, score=1.0), (), 1.0, again=Reread(0.0, 0.0))
    assert seen([*FOUND, third])["margin"] == pytest.approx(12.3 - 9.0)
    assert seen(FOUND[:1])["margin"] == 10.0
    unread = replace(third, score=99.0, again=None)  # its score says nothing of what it would come to
    assert seen([*FOUND, unread])["margin"] == pytest.approx(12.3 - 9.0)


def test_searches_that_agree_say_so():
    assert seen(ranked=(BEST, replace(OTHER, bm25=0.1)))["agreement"] == 1.0
    assert seen(ranked=(BEST, replace(OTHER, bm25=0.1, cosine=0.8)))["agreement"] == 0.0


def test_a_question_for_an_explanation_is_told():
    assert seen(question="Why was the silver spoon sold?")["wants_sentences"] == 1.0


def test_extreme_logits_are_bounded():
    far = [
        Proposal(replace(MARY, gap=900.0, score=900.0), (), 900.0, Reread(-inf, inf)),
        Proposal(PAUL, (), -900.0, Reread(-inf, -inf)),
    ]
    assert [seen(far)[name] for name in ("gap", "margin", "alone", "beside")] == [12.0, 12.0, -12.0, 12.0]


def test_the_reader_moves_a_passage_by_its_surest_span():
    surer = replace(PAUL, gap=8.0)
    spans = [MARY, span(OTHER, "Ann", -8.0), surer]
    first, second = _reranked([replace(BEST, score=0.5), replace(OTHER, score=0.5)], spans)
    assert first.passage.id == OTHER.passage.id
    assert first.score == pytest.approx(0.5 + surer.likelihood)
    assert second.score == pytest.approx(0.5 + MARY.likelihood)


def test_the_shipped_weights_go_the_way_of_their_signals():
    card = json.loads(SHIPPED_PATH.read_text())
    shipped = read_calibration(SHIPPED_PATH, card["encoder"], card["reader"])
    assert set(shipped.weights) == set(SIGNALS)
    for name, weight in shipped.weights.items():
        assert weight * SIGNALS[name] >= 0, name
    assert shipped.weights["gap"] + shipped.weights["gap_above"] > 0
