"""Embedding beside reading: while the next file is read, the encoder is at the passages of the last."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from index.chunking import embedded_text
from index.embeddings import EmbeddingCache
from index.encoder import Encoder
from index.model import Passage

BATCH = 128
"""A build that is stopped waits for the batch at hand: about a second on two cores."""

WAITING = 16
"""So many batches may wait for the encoder, which takes a few hundred kilobytes."""


class EmbeddingAhead:
    """A thread that embeds passages into the cache as they are made; a context manager.

    It never holds up the reading. What the encoder has no time for, and what still waits at the end, is
    left to the stage that writes the vectors.
    """

    def __init__(self, path: Path, encoder: Encoder) -> None:
        """Describe the work; the cache in ``path`` and the encoder are opened for the first full batch."""
        self._path = path
        self._encoder = encoder
        self._batch: list[str] = []
        self._given: list[Future[int]] = []
        self._thread = ThreadPoolExecutor(1, "footnote-embedding")
        self.embedded = 0

    def add(self, passage: Passage) -> None:
        """Embed a passage some time soon, or leave it."""
        self._batch.append(embedded_text(passage))
        if len(self._batch) >= BATCH:
            self._settle()
            if len(self._given) < WAITING:
                self._given.append(self._thread.submit(self._embed, self._batch))
            self._batch = []

    def _embed(self, texts: list[str]) -> int:
        with EmbeddingCache(self._path, self._encoder) as cache:
            cache.vectors(texts)
            return cache.embedded

    def _settle(self) -> None:
        """Count what is done. A batch that failed is kept: it stops the build where reading ends."""
        waiting = []
        for future in self._given:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.embedded += future.result()
            else:
                waiting.append(future)
        self._given = waiting

    def __enter__(self) -> Self:
        """Return the work itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the batch at hand; raise what the encoder or the cache stopped at."""
        self._thread.shutdown(cancel_futures=True)
        self._settle()
        failed = next((future for future in self._given if not future.cancelled()), None)
        if failed is not None and error is None:
            failed.result()
