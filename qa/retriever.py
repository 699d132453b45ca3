"""A question -> ranked passages: dense and BM25 candidates, fused by their scores.

The fused score is ``cosine + BM25_WEIGHT * BM25 share``: the scores themselves are added, because
ranks alone (reciprocal rank fusion) lose the first place to BM25. BM25 is a share of the weight of the
question's terms, so that one factor serves small and large collections; docs/tuning.md has the curve.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from index import IndexedPassage, Snapshot

POOL = 100
"""How many candidates each of the two searches gives."""

BM25_WEIGHT = 1.0
NEAR_DUPLICATE = 0.8
"""Two passages that share this part of their word pairs (Jaccard) are shown as one."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A candidate passage with its scores; ``twins`` are passages with nearly the same text."""

    passage: IndexedPassage
    score: float
    cosine: float
    bm25: float
    twins: tuple[Retrieved, ...] = ()


def retrieve(
    snapshot: Snapshot,
    question: str,
    vector: NDArray[np.float32],
    k: int,
    within: Collection[str] | None = None,
    clock: Callable[[str, float], None] | None = None,
) -> list[Retrieved]:
    """The ``k`` best passages for ``question``, near-duplicates collapsed, best first.

    Args:
        snapshot: what to search.
        question: the stand-alone question; phrases in double quotation marks must match.
        vector: its unit vector.
        k: how many passages at most.
        within: the files to search; None for all.
        clock: told the milliseconds of each stage.
    """
    started = time.perf_counter()
    dense = dict(snapshot.search_vectors(vector, POOL, within, question))
    searched = time.perf_counter()
    words = dict(snapshot.search_words(question, POOL, within))
    counted = time.perf_counter()
    unseen = [passage for passage in words if passage not in dense]
    dense.update(zip(unseen, snapshot.cosines(vector, unseen), strict=True))
    ranked = sorted(dense, key=lambda i: (-fused_score(dense[i], words.get(i, 0.0)), i))
    found = _collapse(snapshot, ranked, dense, words, k, within)
    if clock is not None:
        clock("dense", 1000 * (searched - started))
        clock("bm25", 1000 * (counted - searched))
        clock("fuse", 1000 * (time.perf_counter() - counted))
    return found


def fused_score(cosine: float, bm25: float) -> float:
    """One score of the two."""
    return cosine + BM25_WEIGHT * bm25


def _collapse(
    snapshot: Snapshot,
    ranked: Sequence[int],
    dense: dict[int, float],
    words: dict[int, float],
    k: int,
    within: Collection[str] | None,
) -> list[Retrieved]:
    """Take the best passages until ``k`` different ones are found; the others become twins."""
    kept: list[Retrieved] = []
    shingles: list[frozenset[tuple[str, str]]] = []
    for start in range(0, len(ranked), k):
        if len(kept) >= k:
            break
        for passage in snapshot.passages(ranked[start : start + k], within):
            pairs = _word_pairs(passage.passage.text)
            twin = next((i for i, other in enumerate(shingles) if _alike(pairs, other)), None)
            cosine, bm25 = dense[passage.id], words.get(passage.id, 0.0)
            found = Retrieved(passage, fused_score(cosine, bm25), cosine, bm25)
            if twin is not None:
                kept[twin] = replace(kept[twin], twins=(*kept[twin].twins, found))
            elif len(kept) < k:
                kept.append(found)
                shingles.append(pairs)
    return kept


def _word_pairs(text: str) -> frozenset[tuple[str, str]]:
    words = re.findall(r"\w+", text.casefold())
    return frozenset(pairwise(["", *words]))


def _alike(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> bool:
    smaller, larger = sorted((len(one), len(other)))
    if not larger or smaller < NEAR_DUPLICATE * larger:
        return False
    shared = len(one & other)
    return shared >= NEAR_DUPLICATE * (smaller + larger - shared)
