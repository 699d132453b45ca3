"""What a caller asks with -> the same, checked and cut to what the models read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from numbers import Real

from index import Encoder
from qa.errors import QuestionError
from qa.span_model import QUESTION_PIECES

MAX_CHARACTERS = 2_000
"""Longer questions are cut, with a notice: the encoder reads no more of them than this."""

MAX_K = 100


def cleaned(question: str) -> str:
    """The question without white space around it and without what can't be encoded as text.

    Raises:
        QuestionError: nothing is left of it, or it is no text.
    """
    if not isinstance(question, str):
        raise QuestionError(f"the question is {question!r}; give a text")
    asked = " ".join(question.encode("utf-8", "replace").decode("utf-8").split())
    if not asked:
        raise QuestionError("the question is empty; ask something about the documents")
    return asked


def fitted(question: str, encoder: Encoder) -> tuple[str, str]:
    """The question as far as the encoder reads it, and a notice where that is not all of it."""
    head = question[:MAX_CHARACTERS]
    pieces = encoder.token_offsets([head])[0]
    if len(pieces) > encoder.max_tokens:
        head = head[: pieces[encoder.max_tokens - 1][1]]
    if len(head) == len(question) and len(pieces) <= QUESTION_PIECES:
        return question, ""
    # The reader's pieces may be others than the encoder's.
    read = pieces[:QUESTION_PIECES][-1][1] if pieces else len(head)
    return head, (
        f"The question is long: its first {len(head):,} of {len(question):,} characters were searched, and "
        f"the exact answer was looked for by about the first {read:,} of them."
    )


def check_k(k: int) -> int:
    """The number of passages asked for.

    Raises:
        QuestionError: it is no number from 1 to `MAX_K`.
    """
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= MAX_K:
        raise QuestionError(f"k is {k!r}; ask for 1 to {MAX_K} passages")
    return k


def check_sources(sources: Sequence[str] | None) -> Sequence[str] | None:
    """The paths and patterns of the documents to look in; None for all.

    Raises:
        QuestionError: they are no list of texts.
    """
    if sources is not None and (
        isinstance(sources, str)
        or not isinstance(sources, Collection)
        or not all(isinstance(entry, str) for entry in sources)
    ):
        raise QuestionError(f"sources is {sources!r}; give a list of paths or patterns")
    return sources


def check_probability(value: float) -> float:
    """The least confidence asked for.

    Raises:
        QuestionError: it is no number from 0 to 1.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
        raise QuestionError(f"min_confidence is {value!r}; give a probability from 0 to 1")
    return value
