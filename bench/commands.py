"""How long the everyday commands take, process start included."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.machine import RUNS

FILES = 2000
WORDS = "river bridge stone market winter letter engine harbour garden window silver mountain".split()


def measure(work: Path) -> dict[str, object]:
    """Medians of `RUNS`, in seconds."""
    folder, index = work / "docs", work / "index"
    write_files(folder, FILES)
    named = [str(folder), "--index", str(index)]
    first = run("-m", "index", "rebuild", *named)
    changed = []
    for year in range(RUNS):
        (folder / "0.txt").write_text(f"The bridge was opened in {1980 + year}.", encoding="utf-8")
        changed.append(run("-m", "index", "update", *named))
    return {
        "python -m qa --help": median("-m", "qa", "--help"),
        "python -m index --help": median("-m", "index", "--help"),
        f"first rebuild, {FILES:,} files (one run)": first,
        f"update, one of {FILES:,} files changed": statistics.median(changed),
        f"update, nothing changed, {FILES:,} files": median("-m", "index", "update", *named),
        f"rebuild, nothing changed, {FILES:,} files": median("-m", "index", "rebuild", *named),
    }


def write_files(folder: Path, count: int) -> None:
    """Small files, each a sentence or two, written long enough ago for their mtimes to be trusted."""
    rng = random.Random(1)
    folder.mkdir()
    for number in range(count):
        words, year = " ".join(rng.choices(WORDS, k=12)), rng.randint(1700, 2020)
        text = f"Note {number}. The {words} was seen in {year}.\n"
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    time.sleep(3)


def run(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def median(*arguments: str) -> float:
    return statistics.median(run(*arguments) for _ in range(RUNS))
