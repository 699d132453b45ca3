"""An exported embedding model, run by OpenVINO."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.compiled import compiled_model
from index.encoder.runtime import Vectors

if TYPE_CHECKING:
    import tokenizers

BATCH_PIECES = 2048
LENGTH_STEP = 16
"""Texts are padded to a multiple of this: a new shape costs the runtime more than the padding."""


class Recipe(NamedTuple):
    """What turns a text into the model's input, and the model's output into a vector."""

    dimension: int
    max_pieces: int
    padding: int
    passage_prompt: str
    question_prompt: str


class OpenVinoModel:
    """Word pieces and mask in, unit vectors out."""

    def __init__(
        self,
        name: str,
        path: Path,
        recipe: Recipe,
        tokenizer: tokenizers.Tokenizer,
        *,
        is_kept: bool = True,
    ) -> None:
        """Compile the model in ``path``, for good or for once; ``tokenizer`` must neither cut nor pad."""
        self.name = name
        self.dimension = recipe.dimension
        self._recipe = recipe
        self._tokenizer = tokenizer
        self._compiled = compiled_model(path, is_kept=is_kept)
        self._requests = threading.local()

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of shape (len(texts), dimension)."""
        return self._encode([self._recipe.passage_prompt + text for text in texts])

    def encode_question(self, text: str) -> Vectors:
        """Return the unit vector of a question, of shape (dimension,)."""
        vector: Vectors = self._encode([self._recipe.question_prompt + text])[0]
        return vector

    def _encode(self, texts: Sequence[str]) -> Vectors:
        pieces = [self._cut(encoding.ids) for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for group in _groups(pieces):
            vectors[group] = self._run([pieces[i] for i in group])
        return vectors

    def _cut(self, pieces: list[int]) -> list[int]:
        most = self._recipe.max_pieces
        return pieces if len(pieces) <= most else [*pieces[: most - 1], pieces[-1]]

    def _run(self, rows: Sequence[Sequence[int]]) -> Vectors:
        length = min(-(-max(map(len, rows)) // LENGTH_STEP) * LENGTH_STEP, self._recipe.max_pieces)
        ids = np.full((len(rows), length), self._recipe.padding, dtype=np.int64)
        mask = np.zeros((len(rows), length), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        result: NDArray[np.float32] = self._request().infer({0: ids, 1: mask}, share_inputs=True)[0]
        return result

    def _request(self) -> Any:  # noqa: ANN401 - openvino has no types
        """This thread's own request, so that threads do not wait for one another."""
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        return self._requests.own


def _groups(pieces: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Texts of about the same length, about `BATCH_PIECES` pieces in all."""
    group: list[int] = []
    for i in sorted(range(len(pieces)), key=lambda i: len(pieces[i])):
        if group and (len(group) + 1) * len(pieces[i]) > BATCH_PIECES:
            yield group
            group = []
        group.append(i)
    if group:
        yield group
