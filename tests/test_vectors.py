"""The vector index: exhaustive, in half precision, with ids of its own that are never given twice."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from index import IndexDamagedError
from index.vectors import VectorIndex

DIMENSION = 24


def unit(count: int, seed: int = 0, dimension: int = DIMENSION) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def kept(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the index keeps of vectors."""
    return rows.astype(np.float16).astype(np.float32)


@pytest.fixture
def vectors() -> VectorIndex:
    """200 vectors under the ids 1000, 1003, 1006 ..."""
    made = VectorIndex.empty(DIMENSION)
    made.add(range(1000, 1600, 3), unit(200))
    return made


def test_search_equals_numpy(vectors: VectorIndex) -> None:
    rows, ids = kept(unit(200)), np.arange(1000, 1600, 3)
    for question in unit(20, seed=1):
        cosines = rows @ question
        best = np.argsort(-cosines)[:15]
        found = vectors.search(question, 15)
        assert [passage for passage, _ in found] == ids[best].tolist()
        assert [score for _, score in found] == pytest.approx(cosines[best].tolist(), abs=1e-6)


def test_cosines_are_within_a_ten_thousandth_of_the_exact_ones() -> None:
    rows = unit(500, dimension=384)
    made = VectorIndex.empty(384)
    made.add(range(500), rows)
    for question in unit(10, seed=1, dimension=384):
        found = dict(made.search(question, 500))
        assert [found[i] for i in range(500)] == pytest.approx((rows @ question).tolist(), abs=1e-4)


def test_search_among_ids_equals_numpy(vectors: VectorIndex) -> None:
    question, allowed = unit(1, seed=2)[0], [1003, 1300, 1597, 5]
    rows = dict(zip(range(1000, 1600, 3), unit(200), strict=True))
    expected = sorted((i for i in allowed if i in rows), key=lambda i: -float(rows[i] @ question))
    assert [passage for passage, _ in vectors.search(question, 10, allowed)] == expected
    assert len(vectors.search(question, 2, allowed)) == 2
    assert vectors.search(question, 10, []) == []
    assert vectors.search(question, 10, [1, 2]) == []


def test_no_more_than_there_are(vectors: VectorIndex) -> None:
    assert len(vectors.search(unit(1)[0], 10_000)) == 200
    assert vectors.search(unit(1)[0], 0) == []


def test_cosines_are_those_of_the_ids(vectors: VectorIndex) -> None:
    question = unit(1, seed=3)[0]
    expected = [float(kept(unit(200))[place] @ question) for place in (5, 0)]
    assert vectors.cosines(question, [1015, 1000]) == pytest.approx(expected, abs=1e-6)
    assert vectors.cosines(question, []) == []


def test_removed_vectors_are_gone_and_the_rest_keeps_its_ids(vectors: VectorIndex) -> None:
    rows = unit(200)
    vectors.remove([1000, 1300, 4])
    vectors.remove([])
    assert vectors.count == 198
    assert not {1000, 1300} & set(vectors.ids.tolist())
    assert vectors.search(rows[1], 1)[0][0] == 1003
    assert vectors.search(rows[199], 1)[0][0] == 1597
    vectors.add([1600], rows[:1])
    assert vectors.search(rows[0], 1)[0] == (1600, pytest.approx(1.0, abs=1e-3))
    assert vectors.ids.tolist()[-1] == 1600
    assert len(set(vectors.ids.tolist())) == 199


def test_write_and_read(vectors: VectorIndex, tmp_path: Path) -> None:
    vectors.remove([1003])
    vectors.write(tmp_path / "vectors.faiss")
    again = VectorIndex.read(tmp_path / "vectors.faiss")
    assert (again.count, again.dimension) == (199, DIMENSION)
    assert again.ids.tolist() == vectors.ids.tolist()
    question = unit(1, seed=4)[0]
    assert again.search(question, 20) == vectors.search(question, 20)
    again.add([2**40], unit(1, seed=4))  # what was read can be written to
    again.remove([1000])
    assert again.search(question, 1)[0][0] == 2**40
    assert vectors.search(question, 1)[0][0] != 2**40


def test_empty_index(tmp_path: Path) -> None:
    empty = VectorIndex.empty(DIMENSION)
    empty.write(tmp_path / "empty.faiss")
    for index in (empty, VectorIndex.read(tmp_path / "empty.faiss")):
        assert (index.count, index.dimension, index.ids.tolist()) == (0, DIMENSION, [])
        assert index.search(unit(1)[0], 5) == []
        assert index.search(unit(1)[0], 5, [1]) == []


@pytest.mark.parametrize("cut", [0, 3, 100, -1])
def test_cut_file_is_damage(vectors: VectorIndex, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "vectors.faiss"
    vectors.write(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(IndexDamagedError, match=r"vectors\.faiss"):
        VectorIndex.read(path)


def test_other_bytes_and_no_file_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "vectors.faiss"
    with pytest.raises(IndexDamagedError, match=r"vectors\.faiss"):
        VectorIndex.read(path)
    path.write_bytes(b"not an index at all" * 50)
    with pytest.raises(IndexDamagedError, match=r"vectors\.faiss"):
        VectorIndex.read(path)


def test_index_of_another_kind_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "vectors.faiss"
    faiss.write_index(faiss.IndexFlatL2(DIMENSION), str(path))
    with pytest.raises(IndexDamagedError, match=r"vectors\.faiss"):
        _ = VectorIndex.read(path).ids
