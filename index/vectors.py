"""Exhaustive nearest-neighbour search with FAISS (the only module that imports it).

The index is IDMap2 over all vectors in half precision: half the memory of a flat index in single precision
and half its time (docs/performance.md). With 384 dimensions its cosines are within 0.0001 of the exact ones.
Vectors are unit length, so that the inner product is the cosine. Ids come from the catalogue and
are never re-used. A reader loads the file; a writer changes a loaded copy and writes a new file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.errors import IndexDamagedError

VECTOR_INDEX = "IDMap2,SQfp16"

faiss.omp_set_num_threads(1)  # requests are the parallelism


class VectorIndex:
    """Vectors by passage id. Searching is safe from several threads; changing is the writer's."""

    def __init__(self, index: Any) -> None:  # noqa: ANN401 - faiss has no types
        """Wrap a faiss IDMap2 index."""
        self._index = index

    @classmethod
    def empty(cls, dimension: int) -> VectorIndex:
        """Return an index of no vectors, each to be ``dimension`` long."""
        return cls(faiss.index_factory(dimension, VECTOR_INDEX, faiss.METRIC_INNER_PRODUCT))

    @classmethod
    def read(cls, path: Path) -> VectorIndex:
        """Load the index in ``path``.

        Raises:
            IndexDamagedError: the file is missing or is no such index.
        """
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise IndexDamagedError(f"{path} can't be read as a FAISS index") from error
        if not isinstance(index, faiss.IndexIDMap2):
            raise IndexDamagedError(f"{path} holds a FAISS index of another kind")
        return cls(index)

    @property
    def count(self) -> int:
        """The number of vectors."""
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """The length of each vector."""
        return int(self._index.d)

    @property
    def ids(self) -> NDArray[np.int64]:
        """All passage ids, in the order of the file."""
        return np.asarray(faiss.vector_to_array(self._index.id_map), dtype=np.int64)

    def search(
        self, vector: NDArray[np.float32], k: int, ids: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """The ``k`` nearest passages as (passage id, cosine), best first; among ``ids`` if given."""
        if self.count == 0 or k == 0 or (ids is not None and not len(ids)):
            return []
        parameters = None
        if ids is not None:
            selector = faiss.IDSelectorBatch(np.asarray(ids, dtype=np.int64))
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]  # faiss's stub lacks it
        scores, found = self._index.search(vector.reshape(1, -1), min(k, self.count), params=parameters)
        pairs = zip(found[0].tolist(), scores[0].tolist(), strict=True)
        return [(passage, score) for passage, score in pairs if passage >= 0]

    def cosines(self, vector: NDArray[np.float32], ids: Sequence[int]) -> list[float]:
        """The cosine of ``vector`` with the vector of each passage in ``ids``."""
        if not len(ids):
            return []
        cosines: list[float] = (
            self._index.reconstruct_batch(np.asarray(ids, dtype=np.int64)) @ vector
        ).tolist()
        return cosines

    def remove(self, ids: Sequence[int]) -> None:
        """Remove these passages."""
        if len(ids):
            self._index.remove_ids(faiss.IDSelectorBatch(np.asarray(ids, dtype=np.int64)))

    def add(self, ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Add unit vectors of shape (len(ids), dimension)."""
        self._index.add_with_ids(np.ascontiguousarray(vectors), np.asarray(ids, dtype=np.int64))

    def write(self, path: Path) -> None:
        """Write the index to ``path``, which must be no live file: FAISS truncates in place."""
        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:  # what FAISS makes of any failure to write
            raise OSError(f"{path} can't be written: {error}") from error
