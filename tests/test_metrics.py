"""The scores, against values worked out by hand and against scikit-learn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from qa.metrics import (
    auroc,
    calibration_error,
    contains_answer,
    coverage_at,
    exact_match,
    normalise,
    percentile,
    token_f1,
)

SCORED = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0]), st.booleans()), min_size=2)


def test_normal_form_is_that_of_squad():
    assert normalise("The  Quick, brown-fox's (a) DEN!") == "quick brownfoxs den"


def test_exact_match_and_f1():
    assert exact_match("The Eiffel Tower.", ["eiffel tower"]) == 1
    assert exact_match("Eiffel", ["eiffel tower"]) == 0
    assert token_f1("in the Eiffel Tower", ["Eiffel Tower", "Paris"]) == pytest.approx(0.8)
    assert token_f1("London", ["Paris"]) == 0
    assert token_f1("anything", []) == 0


def test_an_answer_is_contained_in_normal_form():
    assert contains_answer("It was in the 1990's, they say.", ["1990s"])
    assert not contains_answer("It cost 1999.", ["1998", "the 1998"])
    assert not contains_answer("The", ["the"])


@given(SCORED)
def test_auroc_is_that_of_scikit_learn(pairs):
    scores, positives = [score for score, _ in pairs], [positive for _, positive in pairs]
    if len(set(positives)) < 2:
        assert auroc(scores, positives) is None
    else:
        assert auroc(scores, positives) == pytest.approx(roc_auc_score(positives, scores))


def test_calibration_error():
    assert calibration_error([0.5] * 30, [True, False] * 15) == pytest.approx(0)
    assert calibration_error([1.0] * 15, [False] * 15) == pytest.approx(1)
    assert calibration_error([], []) is None


def test_coverage_is_the_largest_that_keeps_the_precision():
    assert coverage_at(0.8, [0.9, 0.8, 0.7, 0.6, 0.5], [True, True, False, True, True]) == 1.0
    assert coverage_at(0.8, [0.9, 0.8, 0.7], [True, False, False]) == pytest.approx(1 / 3)
    assert coverage_at(0.8, [0.9, 0.9], [True, False]) == 0.0
    assert coverage_at(0.8, [], []) == 0.0


def test_percentiles_by_nearest_rank():
    assert percentile(list(range(1, 101)), 0.95) == 95
    assert percentile([1.0, 2.0], 0.5) == 1.0
    assert percentile([3.0], 0.95) == 3.0
    assert percentile([], 0.5) == 0.0
