"""A folder of many small files, kept in step: ``python -m bench.following [--files N] [--megabytes N]``.

Measures, each the median of five on an idle machine: ``update`` with no change and with one (the
command, in a new process), and the time from saving a file to the first right answer of an open QA while
``watch`` follows the folder. Then the memory of indexing: the peak of the builder and its workers
together, for so many megabytes of text in files of 100 kB and in a single one, with an encoder that costs
nothing (the real one adds some 250 MB). Writes ``bench/results/following.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from bench import report
from bench.machine import RUNS, described
from index import load_encoder, rebuild
from index.model import Span
from qa import QA

NAMES = "Abel Bora Cyra Dana Edel Fara Gila Hana Ines Jona Kara Lena Mira Nora Orla Pena".split()
TOWNS = "Aarau Basel Chur Davos Glarus Luzern Olten Sion Thun Uster Vevey Wil Zug".split()
LIMITS = {
    "update, no change": 1.5,
    "update, one change": 2.0,
    "watch, save to answer": 3.0,
    "peak, small files": 1_500.0,
    "peak, one file": 1_500.0,
}


class FreeEncoder:
    """Unit vectors without meaning; the word pieces are those of the bundled encoder."""

    name, fingerprint, dimension, max_tokens = "free", "free-1", 384, 254

    def __init__(self) -> None:
        self._real = load_encoder()
        self._random = np.random.default_rng(0)

    def token_offsets(self, texts: Sequence[str]) -> list[list[Span]]:
        return self._real.token_offsets(texts)

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = self._random.standard_normal((len(texts), self.dimension)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def encode_question(self, text: str) -> NDArray[np.float32]:
        return self.encode_passages([text])[0]


def write_notes(folder: Path, count: int) -> None:
    """Small files in folders of a hundred, each a note of two sentences."""
    drawn = random.Random(1)
    for number in range(count):
        place = folder / f"{number // 100:03d}"
        place.mkdir(parents=True, exist_ok=True)
        name, town = drawn.choice(NAMES), drawn.choice(TOWNS)
        year = 1900 + number % 120
        text = f"Note {number}. {name} {number} moved to {town} in {year} and opened a shop there."
        (place / f"note{number}.txt").write_text(text, encoding="utf-8")


def updates(folder: Path, index_dir: Path, change: bool) -> list[float]:
    """The seconds that the command takes, with a file changed before each or not."""
    taken = []
    for number in range(RUNS):
        if change:
            changed = f"Note 0. The harbour of Brest was dredged in {1700 + number}."
            (folder / "000" / "note0.txt").write_text(changed, encoding="utf-8")
        started = time.perf_counter()
        command = [sys.executable, "-m", "index", "update", str(folder), "--index", str(index_dir), "--quiet"]
        subprocess.run(command, check=True)
        taken.append(time.perf_counter() - started)
    return taken


def follow(folder: Path, index_dir: Path) -> list[float]:
    """The seconds from a save to the first answer that knows it."""
    command = [sys.executable, "-m", "index", "watch", str(folder), "--index", str(index_dir)]
    taken = []
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching,
        QA.open(index_dir) as qa,
    ):
        assert watching.stdout is not None
        while "following" not in watching.stdout.readline():
            pass
        for number in range(RUNS):
            time.sleep(2)
            keeper = NAMES[number]
            (folder / "keeper.txt").write_text(f"The lighthouse of Ouessant is kept by {keeper} Moreau.")
            started = time.perf_counter()
            while qa.ask("Who keeps the lighthouse of Ouessant?", min_confidence=0).key != f"{keeper} Moreau":
                assert time.perf_counter() - started < 60
            taken.append(time.perf_counter() - started)
        watching.terminate()
    return taken


def write_texts(folder: Path, files: int, size: int) -> None:
    """Files of so many characters each, in paragraphs of sentences."""
    drawn = random.Random(2)
    words = [f"{drawn.choice(NAMES).lower()}{number}" for number in range(20_000)]
    folder.mkdir()
    for number in range(files):
        left = size
        with (folder / f"text{number}.txt").open("w", encoding="utf-8") as file:
            while left > 0:
                text = ". ".join(" ".join(drawn.choices(words, k=14)).capitalize() for _ in range(60))
                left -= file.write(f"{text}.\n\n"[:left])


def peak(folder: Path, index_dir: Path) -> float:
    """The most resident memory of this process and its children, in MB, while a folder is indexed."""
    encoder, highest, over = FreeEncoder(), 0, threading.Event()

    def look() -> None:
        nonlocal highest
        process = psutil.Process()
        while not over.wait(0.1):
            children = process.children(recursive=True)
            highest = max(
                highest, sum(each.memory_info().rss for each in [process, *children] if each.is_running())
            )

    watching = threading.Thread(target=look)
    watching.start()
    built = rebuild(folder, index_dir, encoder=encoder)
    over.set()
    watching.join()
    assert built.counts["indexed"] == len(list(folder.iterdir())), built.failed
    return highest / 1e6


def peak_alone(scratch: Path, files: int, size: int) -> float:
    """`peak` in a process of its own, for so many files of so many characters."""
    folder = scratch / f"texts{files}"
    write_texts(folder, files, size)
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(peak, folder, scratch / f"texts{files}-index").result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--megabytes", type=int, default=200)
    arguments = parser.parse_args()
    rows: dict[str, Any] = {"files": arguments.files}
    with tempfile.TemporaryDirectory() as scratch:
        notes, place = Path(scratch) / "notes", Path(scratch) / "index"
        write_notes(notes, arguments.files)
        rebuild(notes, place)
        time.sleep(3)  # files seen within two seconds of their change are looked at once more
        updates(notes, place, change=False)
        rows["update, no change"] = updates(notes, place, change=False)
        rows["update, one change"] = updates(notes, place, change=True)
        rows["watch, save to answer"] = follow(notes, place)
        size = arguments.megabytes * 1_000_000
        rows["megabytes"] = arguments.megabytes
        rows["peak, small files"] = peak_alone(Path(scratch), size // 100_000, 100_000)
        rows["peak, one file"] = peak_alone(Path(scratch), 1, size)
    result = {"machine": described(), "rows": rows}
    (report.RESULTS / "following.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, limit in LIMITS.items():
        value, unit = (rows[name], "MB") if name.startswith("peak") else (statistics.median(rows[name]), "s")
        print(f"{name:24} {value:8.2f} {unit}, at most {limit:g}: {'met' if value <= limit else 'missed'}")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
