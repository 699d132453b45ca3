"""Footnote at the work that `bench.peers` does, and at what they have no part in.

Run as ``python -m bench.own TASK WORK``, in a process of its own; prints one JSON object.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.corpus import write_folder
from bench.machine import RUNS, each, limits, memory, seconds
from index import load_encoder, rebuild
from index.encoder import bundled_folder
from index.encoder.sentence_transformer import SentenceTransformerEncoder
from index.encoder.torch_model import TorchModel
from qa import QA


def encode(work: Path) -> dict[str, Any]:
    """The encoder alone on the passages: as it ships, not in 8 bits, and as sentence-transformers runs it."""
    texts = json.loads((work / "few.json").read_text())
    shipped = load_encoder()
    plain = SentenceTransformerEncoder("plain", bundled_folder())
    pieces = sum(map(len, shipped.token_offsets(texts)))
    model = TorchModel(bundled_folder())
    own = model.encode_passages(texts)
    question = "How much is Amazon investing in Anthropic?"
    outcome: dict[str, Any] = {"pieces": pieces, "passages": len(texts)}
    for name, encoder in (("8 bits", shipped), ("bf16 or fp32", plain), ("torch fp32", model)):
        outcome[name] = {
            "seconds": seconds(lambda encoder=encoder: encoder.encode_passages(texts)),
            "question_ms": 1000 * seconds(lambda encoder=encoder: encoder.encode_question(question), 101),
        }
        outcome[name]["cosine"] = float(np.sum(encoder.encode_passages(texts) * own, axis=1).mean())
    return outcome


def vectors(work: Path) -> dict[str, Any]:
    """Footnote's vectors, for the peers to search."""
    texts = json.loads((work / "many.json").read_text())
    np.save(work / "vectors.npy", load_encoder().encode_passages(texts))
    return {"passages": len(texts)}


def timed_index(work: Path) -> dict[str, Any]:
    """Index the passages, each a file, anew `RUNS` times, from reading the folder to the live snapshot."""
    texts = json.loads((work / "few.json").read_text())
    folder, place = work / "few", work / "few-index"
    write_folder(folder, texts)
    encoder = load_encoder()
    encoder.encode_passages(texts[:32])
    taken = []
    for _ in range(RUNS):
        shutil.rmtree(place, ignore_errors=True)
        started = time.perf_counter()
        report = rebuild(folder, place, encoder=encoder)
        taken.append(time.perf_counter() - started)
    return {"seconds": taken, "passages": report.passages, "memory": memory(os.getpid())}


def timed_search(work: Path) -> dict[str, Any]:
    """Search and ask with each question."""
    questions = json.loads((work / "questions.json").read_text())
    outcome: dict[str, Any] = {}
    with QA.open(work / "index") as qa:
        qa.search(questions[0])
        outcome["search_memory"] = memory(os.getpid())
        outcome["search"] = each(qa.search, questions)
        outcome["ask"] = each(qa.ask, questions)
        outcome["p50"] = statistics.median(outcome["search"])
        outcome["stages"] = _stages(qa, questions)
        outcome["memory"] = memory(os.getpid())
    return outcome


def _stages(qa: QA, questions: list[str]) -> dict[str, float]:
    """The median milliseconds of each stage of a question."""
    seen = [qa.ask(question).timings for question in questions]
    return {stage: statistics.median(one.get(stage, 0.0) for one in seen) for stage in seen[0]}


class Random:
    """An encoder that costs nothing: what is left is everything else."""

    name, fingerprint, dimension, max_tokens = "random", "random-1", 384, 254

    def __init__(self) -> None:
        self._real = load_encoder()
        self._rng = np.random.default_rng(1)
        self.token_offsets = self._real.token_offsets

    def encode_passages(self, texts: list[str]) -> np.ndarray:
        vectors = self._rng.standard_normal((len(texts), 384), dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def encode_question(self, text: str) -> np.ndarray:
        return self.encode_passages([text])[0]


def scale(work: Path) -> dict[str, Any]:
    """Index a folder whose documents hold a number of passages, but for the encoding; and search it."""
    folder, place = work / "docs", work / "index"
    texts = json.loads((work / "many.json").read_text())
    for number in range(0, len(texts), 20):
        path = folder / f"{number // 20000:03}" / f"{number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n\n".join(texts[number : number + 20]), encoding="utf-8")
    encoder = Random()
    started = time.perf_counter()
    report = rebuild(folder, place, encoder=encoder)
    taken = time.perf_counter() - started
    questions = json.loads((work / "questions.json").read_text())
    real = load_encoder()
    with QA.open(place, encoder=encoder) as qa:
        encoder.encode_question = real.encode_question  # type: ignore[method-assign]
        searched = each(qa.search, questions)
    return {
        "passages": report.passages,
        "seconds": taken,
        "search_ms": statistics.median(searched),
        "memory": memory(os.getpid()),
        "bytes": sum(path.stat().st_size for path in place.rglob("*") if path.is_file()),
    }


def main() -> None:
    task, work = sys.argv[1:]
    tasks = {
        "encode": encode,
        "limits": limits,
        "index": timed_index,
        "vectors": vectors,
        "search": timed_search,
        "scale": scale,
    }
    print(json.dumps(tasks[task](Path(work))))


if __name__ == "__main__":
    main()
