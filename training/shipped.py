"""Scores of the model as it ships, read as the product reads it, given the right paragraph."""

from __future__ import annotations

from collections.abc import Sequence

from qa.reader import best_spans, whole_words
from qa.span_model import BundledSpanModel, Text
from training.questions import Question
from training.spans import Scores, figures


def score_shipped(questions: Sequence[Question]) -> Scores:
    """The scores of the shipped weights."""
    model = BundledSpanModel()
    found = []
    for question in questions:
        best: tuple[float, str] = (float("-inf"), "")
        for window in model.windows(question.text, [Text("", question.context)])[0]:
            for first, last, gap in best_spans(window)[:1]:
                start, end = whole_words(question.context, window.offsets[first][0], window.offsets[last][1])
                best = max(best, (gap, question.context[start:end]))
        found.append((best[1], best[0]))
    return figures(questions, found)
