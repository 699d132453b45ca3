"""Where the time of a build, of a question and of a new process goes, by library and module.

Run as ``python -m bench.where TASK WORK``, in a process of its own; prints one JSON object.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from index import load_encoder, rebuild
from qa import QA

ROOT = Path(__file__).parent.parent
LIBRARIES = ("openvino", "tokenizers", "tantivy", "faiss", "sqlite3", "numpy")
"""Compiled libraries that are named by themselves; what has no owner counts to what called it."""

REST = "the rest"

Function = tuple[str, int, str]


def shares(work: Callable[[], object]) -> dict[str, float]:
    """The seconds of ``work`` by owner: a library, or the module that called what has no owner."""
    profile = cProfile.Profile()
    profile.runcall(work)
    statistics: dict[Function, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    taken: Counter[str] = Counter()
    for function, (_, _, own, _, _) in statistics.items():
        for owner, share in _owners(function, statistics, frozenset()).items():
            taken[owner] += own * share
    return dict(taken.most_common())


def _owners(
    function: Function, statistics: dict[Function, Any], below: frozenset[Function]
) -> dict[str, float]:
    """Whose the time of a function is, in shares that make 1: its own module's, or its callers'."""
    owner = _owner(function)
    if owner is not None:
        return {owner: 1.0}
    callers = {
        caller: told[3]
        for caller, told in statistics[function][4].items()
        if caller not in below | {function}
    }
    total = sum(callers.values())
    if not total:
        return {REST: 1.0}
    found: Counter[str] = Counter()
    for caller, cumulative in callers.items():
        for name, share in _owners(caller, statistics, below | {function}).items():
            found[name] += share * cumulative / total
    return dict(found)


def _owner(function: Function) -> str | None:
    path, _, name = function
    if path == "~":
        return next((library for library in LIBRARIES if library in name.lower()), None)
    if path.startswith(str(ROOT)) and "site-packages" not in path:
        return str(Path(path).relative_to(ROOT))
    found = re.search(r"site-packages/(\w+)", path)
    return found[1] if found else None


def build(work: Path) -> dict[str, object]:
    """A build of a part of the passages."""
    folder, place = work / "few", work / "few-profiled"
    encoder = load_encoder()
    encoder.encode_passages(["A first text."])
    seconds = shares(lambda: rebuild(folder, place, encoder=encoder))
    return {"seconds": seconds, "units": sum(1 for _ in folder.rglob("*.txt"))}


def ask(work: Path) -> dict[str, object]:
    """Every question, after the first few were asked once."""
    questions = json.loads((work / "questions.json").read_text())
    with QA.open(work / "index") as qa:
        for question in questions[:10]:
            qa.ask(question)
        seconds = shares(lambda: [qa.ask(question) for question in questions])
    return {"seconds": seconds, "units": len(questions)}


def start(work: Path) -> dict[str, object]:
    """The imports of ``python -m qa ask`` by package, and the stages of its answer."""
    question = json.loads((work / "questions.json").read_text())[0]
    command = [sys.executable, "-X", "importtime", "-m", "qa", "ask", question]
    command += ["--index", str(work / "index"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    imports: Counter[str] = Counter()
    for own, name in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", done.stderr):
        package = name.split(".")[0].lstrip("_")
        imports["standard library" if package in _STANDARD else package] += int(own) / 1e6
    return {"imports": dict(imports.most_common()), "stages": json.loads(done.stdout)["timings"]}


_STANDARD = {name.lstrip("_") for name in sys.stdlib_module_names}


def main() -> None:
    task, work = sys.argv[1:]
    print(json.dumps({"build": build, "ask": ask, "start": start}[task](Path(work))))


if __name__ == "__main__":
    main()
