"""Questions -> windows of word pieces with their targets, in batches of a few fixed lengths."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tokenizers
from numpy.typing import NDArray

from qa.span_model import CONTEXT_END, CONTEXT_PIECES, QUESTION_PIECES
from training.network import CLS, SEP
from training.questions import Question

LENGTHS = (48, 64, 96, 128, 160, 192, 224, 256, 320, 384)
"""Batches are padded to one of these: ever-changing shapes cost memory and time."""

TITLED = 0.5
"""The share of windows that show the title, where there is one."""


@dataclass(frozen=True, slots=True)
class Window:
    """The word pieces of ``[CLS] question [SEP] prefix passage [SEP]``.

    ``passage`` is the first piece of the passage; ``starts`` and ``ends`` are the annotators' spans
    as piece numbers, both 0 (the [CLS] piece) where the window holds no answer.
    """

    pieces: NDArray[np.uint16]
    second: int
    passage: int
    starts: tuple[int, ...]
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """``batch x length`` arrays: pieces, segments, what is no padding, and the target shares."""

    pieces: NDArray[np.int64]
    segments: NDArray[np.int64]
    mask: NDArray[np.bool_]
    candidates: NDArray[np.bool_]
    starts: NDArray[np.float32]
    ends: NDArray[np.float32]


def training_windows(
    questions: Sequence[Question], tokenizer: tokenizers.Tokenizer, length: int, rng: random.Random
) -> list[Window]:
    """One window for each question, around an answer where the paragraph is longer than it."""
    return [
        window
        for question, asked, told, prefix in _encoded(questions, tokenizer)
        if (window := _one(question, asked, told, prefix if rng.random() < TITLED else [], length, rng))
    ]


def _encoded(
    questions: Sequence[Question], tokenizer: tokenizers.Tokenizer
) -> Iterator[tuple[Question, list[int], tokenizers.Encoding, list[int]]]:
    contexts = list(dict.fromkeys(question.context for question in questions))
    told = dict(zip(contexts, tokenizer.encode_batch(contexts, add_special_tokens=False), strict=True))
    asked = tokenizer.encode_batch([question.text for question in questions], add_special_tokens=False)
    titles = {question.title for question in questions}
    prefixes = {
        title: tokenizer.encode(title, add_special_tokens=False).ids[: CONTEXT_PIECES - 1]
        + tokenizer.encode(CONTEXT_END, add_special_tokens=False).ids
        for title in titles
        if title
    }
    for question, pieces in zip(questions, asked, strict=True):
        yield (
            question,
            pieces.ids[:QUESTION_PIECES],
            told[question.context],
            prefixes.get(question.title, []),
        )


def _one(
    question: Question,
    asked: list[int],
    told: tokenizers.Encoding,
    prefix: list[int],
    length: int,
    rng: random.Random,
) -> Window | None:
    room = length - len(asked) - len(prefix) - 3
    spans = [
        span
        for start, text in question.answers
        if (span := piece_span(told.offsets, start, start + len(text)))
    ]
    if question.answers and not spans:
        return None
    first = 0
    if len(told.ids) > room:
        low, high = 0, len(told.ids) - room
        if spans:
            start, end = rng.choice(spans)
            if end - start >= room:
                return None
            low, high = max(low, end + 1 - room), min(high, start)
        first = rng.randint(low, max(low, high))
    return window(asked, prefix, told.ids[first : first + room], [(s - first, e - first) for s, e in spans])


def window(
    asked: Sequence[int], prefix: Sequence[int], told: Sequence[int], spans: Sequence[tuple[int, int]]
) -> Window:
    """Put the pieces together; spans that are not wholly inside count as no answer."""
    pieces = [CLS, *asked, SEP, *prefix, *told, SEP]
    second = len(asked) + 2
    passage = second + len(prefix)
    inside = [(s + passage, e + passage) for s, e in spans if s >= 0 and e < len(told)] or [(0, 0)]
    return Window(
        np.array(pieces, dtype=np.uint16),
        second,
        passage,
        tuple(start for start, _ in inside),
        tuple(end for _, end in inside),
    )


def piece_span(offsets: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int] | None:
    """The first and last word piece of the characters ``start:end``; None where there are none."""
    inside = [
        number for number, (low, high) in enumerate(offsets) if low < end and high > start and high > low
    ]
    return (inside[0], inside[-1]) if inside else None


def batches(windows: Sequence[Window], pieces: int, rng: random.Random) -> Iterator[list[int]]:
    """Numbers of windows of about the same length, about ``pieces`` word pieces in a batch.

    Within runs of a few thousand windows, so that the order of the sources stays random.
    """
    run = 4096
    for first in range(0, len(windows), run):
        here = list(range(first, min(first + run, len(windows))))
        here.sort(key=lambda number: len(windows[number].pieces))
        groups: list[list[int]] = []
        for number in here:
            length = padded(len(windows[number].pieces))
            group = groups[-1] if groups else []
            fits = group and padded(len(windows[group[0]].pieces)) == length
            if fits and (len(group) + 1) * length <= pieces:
                group.append(number)
            else:
                groups.append([number])
        rng.shuffle(groups)
        yield from groups


def padded(length: int) -> int:
    """The fixed length that holds so many pieces."""
    return next(fixed for fixed in LENGTHS if fixed >= length)


def collate(windows: Sequence[Window]) -> Batch:
    """Windows of one length class -> arrays."""
    length = padded(max(len(window.pieces) for window in windows))
    shape = (len(windows), length)
    pieces = np.zeros(shape, dtype=np.int64)
    segments = np.zeros(shape, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.bool_)
    candidates = np.zeros(shape, dtype=np.bool_)
    starts = np.zeros(shape, dtype=np.float32)
    ends = np.zeros(shape, dtype=np.float32)
    for row, one in enumerate(windows):
        size = len(one.pieces)
        pieces[row, :size] = one.pieces
        segments[row, one.second : size] = 1
        mask[row, :size] = True
        candidates[row, one.passage : size - 1] = True
        candidates[row, 0] = True
        for start, end in zip(one.starts, one.ends, strict=True):
            starts[row, start] += 1 / len(one.starts)
            ends[row, end] += 1 / len(one.ends)
    return Batch(pieces, segments, mask, candidates, starts, ends)
