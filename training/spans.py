"""Scores of a reader that is given the right paragraph: EM, F1, and SQuAD 2.0 F1 with refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import tokenizers
from numpy.typing import NDArray

from qa.metrics import auroc, exact_match, token_f1
from qa.reader import best_spans
from qa.span_ends import whole_words
from qa.span_model import QUESTION_PIECES, STRIDE, WINDOW_PIECES, Window
from training.questions import Question
from training.windows import Window as TrainingWindow
from training.windows import collate, window

Logits = Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]], NDArray[np.float32]]


@dataclass(frozen=True)
class Scores:
    """Percentages; ``squad2_f1`` is at the threshold that is best on these very questions."""

    questions: int
    em: float
    f1: float
    squad2_f1: float
    auroc: float


def score_spans(questions: Sequence[Question], tokenizer: tokenizers.Tokenizer, logits: Logits) -> Scores:
    """Read each question with its paragraph and score the best span and the null gap."""
    return figures(questions, read_all(questions, tokenizer, logits))


def figures(questions: Sequence[Question], found: Sequence[tuple[str, float]]) -> Scores:
    """The scores of the (span, null gap) that was found for each question."""
    gaps: list[float] = []
    ems: list[float] = []
    f1s: list[float] = []
    for question, (text, gap) in zip(questions, found, strict=True):
        accepted = [answer for _, answer in question.answers]
        gaps.append(gap)
        ems.append(exact_match(text, accepted))
        f1s.append(token_f1(text, accepted))
    can = np.array([bool(question.answers) for question in questions])
    f1, gap = np.array(f1s), np.array(gaps)
    return Scores(
        questions=len(questions),
        em=round(100 * float(np.mean(np.array(ems)[can])), 2),
        f1=round(100 * float(np.mean(f1[can])), 2),
        squad2_f1=round(100 * best_with_refusals(f1, gap, can), 2),
        auroc=round(auroc(gaps, can.tolist()) or 0.0, 4),
    )


def best_with_refusals(f1: NDArray[np.float64], gap: NDArray[np.float64], can: NDArray[np.bool_]) -> float:
    """The mean of F1 where answered and of right refusals, at the best threshold of the null gap."""
    order = np.argsort(-gap)
    gained = np.where(can, f1, -1.0)[order].cumsum()
    return float((np.sum(~can) + max(0.0, gained.max())) / len(gap))


def read_all(
    questions: Sequence[Question], tokenizer: tokenizers.Tokenizer, logits: Logits
) -> list[tuple[str, float]]:
    """For each question the best span of its paragraph and how far it stands above the null score."""
    pieces: list[tuple[TrainingWindow, int, int, tokenizers.Encoding]] = []
    for number, question in enumerate(questions):
        asked = tokenizer.encode(question.text, add_special_tokens=False).ids[:QUESTION_PIECES]
        told = tokenizer.encode(question.context, add_special_tokens=False)
        room = WINDOW_PIECES - len(asked) - 3
        first = 0
        while True:
            pieces.append((window(asked, [], told.ids[first : first + room], []), number, first, told))
            if first + room >= len(told.ids):
                break
            first += STRIDE
    windows: list[list[Window]] = [[] for _ in questions]
    for where in _grouped(pieces):
        group = [pieces[i] for i in where]
        batch = collate([one[0] for one in group])
        for (one, number, first, told), row in zip(
            group, logits(batch.pieces, batch.segments, batch.mask), strict=True
        ):
            size = len(one.pieces) - 1 - one.passage
            inside = row[one.passage : one.passage + size]
            windows[number].append(
                Window(told.offsets[first : first + size], inside[:, 0], inside[:, 1], *map(float, row[0]))
            )
    return [best_span(asked.context, found) for asked, found in zip(questions, windows, strict=True)]


def best_span(context: str, windows: Iterable[Window]) -> tuple[str, float]:
    """The best span of a paragraph, as the product would widen it, and its null gap."""
    best = ("", float("-inf"))
    for one in windows:
        for first, last, gap in best_spans(one)[:1]:
            if gap > best[1]:
                start, end = whole_words(context, one.offsets[first][0], one.offsets[last][1])
                best = (context[start:end], gap)
    return best


def _grouped(pieces: Sequence[tuple[TrainingWindow, int, int, tokenizers.Encoding]]) -> list[list[int]]:
    order = sorted(range(len(pieces)), key=lambda i: len(pieces[i][0].pieces))
    return [order[first : first + 24] for first in range(0, len(order), 24)]
