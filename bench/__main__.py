"""How long the everyday commands take: ``python -m bench [--files 2000]``.

Each figure is the median of five runs of a whole process, start included; run it on an idle machine.
The rows go to ``bench/results/commands.json`` with the machine they were measured on.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5
RESULTS = Path(__file__).parent / "results" / "commands.json"
WORDS = "river bridge stone market winter letter engine harbour garden window silver mountain".split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, index = Path(place) / "docs", Path(place) / "index"
        write_files(folder, options.files)
        first = run("-m", "index", "rebuild", str(folder), "--index", str(index))
        (folder / "0.txt").write_text("The bridge was opened in 1987.", encoding="utf-8")
        changed = run("-m", "index", "update", str(folder), "--index", str(index))
        named = [str(folder), "--index", str(index)]
        rows = {
            "python -m qa --help": median("-m", "qa", "--help"),
            "python -m index --help": median("-m", "index", "--help"),
            f"first rebuild, {options.files} files": first,
            "update, one file changed (one run)": changed,
            f"update, nothing changed, {options.files} files": median("-m", "index", "update", *named),
            f"rebuild, nothing changed, {options.files} files": median("-m", "index", "rebuild", *named),
        }
    for name, seconds in rows.items():
        print(f"{seconds:8.2f} s  {name}")
    machine = {"processor": processor(), "python": platform.python_version(), "system": platform.platform()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, "runs": RUNS, "seconds": rows}, indent=1) + "\n")


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


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
