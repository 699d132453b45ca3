"""Footnote beside its peers: ``python -m bench [TABLE ...]``.

Tables: encoding, indexing, asking, where, scaling, commands; all of them where none is named, some forty
minutes on two cores. Each row is measured in a process of its own, the peers and Footnote in one run; run
it on an idle machine. The peers come with ``pip install -e '.[bench]'``; one that is missing is left out.
What was measured goes to ``bench/results/TABLE.json``, and from there into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import commands, corpus, report
from bench.machine import RUNS, described, memory
from bench.peers import INDEXING_ONLY, PEERS, WORDS_ONLY

FEW = 200
INDEXED = 500
MANY = 10_000
ASKED = 200
PORT = 7999
ADDRESS = f"http://127.0.0.1:{PORT}/"
SCALE = (1_000, 10_000, 50_000, 100_000, 200_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(TABLES))
    chosen = parser.parse_args().tables or list(TABLES)
    report.RESULTS.mkdir(exist_ok=True)
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            rows = TABLES[name](Path(scratch))
        result = {"machine": described(), "rows": rows}
        (report.RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    report.write()


def encoding(work: Path) -> dict[str, Any]:
    """The encoders alone."""
    _few(work, FEW)
    return {"Footnote": _run("bench.own", "encode", work), "limits": _run("bench.own", "limits", work)}


def indexing(work: Path) -> dict[str, Any]:
    """From passages to an index."""
    _few(work, INDEXED)
    rows = {name: _run("bench.peers", name, "index", work) for name in PEERS | INDEXING_ONLY}
    return rows | {"Footnote": _run("bench.own", "index", work)}


def asking(work: Path) -> dict[str, Any]:
    """Searches and answers among `MANY` passages, in a process that goes on and in a new one."""
    built = _many(work, MANY)
    rows = {name: _run("bench.peers", name, "search", work) for name in PEERS | WORDS_ONLY}
    rows["Footnote"] = _run("bench.own", "search", work)
    for name in PEERS:
        if rows[name]:  # else its library is missing
            rows[f"{name}, cold"] = _whole([sys.executable, "-m", "bench.peers", name, "cold", str(work)])
    question = json.loads((work / "questions.json").read_text())[0]
    own = [sys.executable, "-m", "qa", "ask", question, "--index", str(work / "index"), "--json"]
    rows["Footnote, cold"] = _whole(own)
    rows["Footnote, web app"] = _web(work)
    rows["Footnote, build"] = built
    return rows


def where(work: Path) -> dict[str, Any]:
    """Where the time of a build, of a question and of a new process goes."""
    texts = corpus.passages(MANY // 10)
    corpus.write_folder(work / "few", texts)
    (work / "questions.json").write_text(json.dumps(corpus.questions(texts, ASKED)))
    built = _run("bench.where", "build", work)
    shutil.move(work / "few-profiled", work / "index")
    return {
        "build": built,
        "ask": _run("bench.where", "ask", work),
        "start": _run("bench.where", "start", work),
    }


def scaling(work: Path) -> dict[str, Any]:
    """What all but the encoder costs, by the number of passages."""
    rows = {}
    for count in SCALE:
        place = work / str(count)
        place.mkdir()
        texts = corpus.passages(count)
        (place / "many.json").write_text(json.dumps(texts))
        (place / "questions.json").write_text(json.dumps(corpus.questions(texts, ASKED)))
        rows[str(count)] = _run("bench.own", "scale", place)
        shutil.rmtree(place)
    return rows


TABLES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "encoding": encoding,
    "indexing": indexing,
    "asking": asking,
    "where": where,
    "commands": commands.measure,
    "scaling": scaling,
}


def _few(work: Path, count: int) -> None:
    (work / "few.json").write_text(json.dumps(corpus.passages(count)))


def _many(work: Path, count: int) -> dict[str, Any]:
    """Passages, questions, Footnote's index of them, and its vectors for the peers; what the index took."""
    texts = corpus.passages(count)
    (work / "many.json").write_text(json.dumps(texts))
    (work / "questions.json").write_text(json.dumps(corpus.questions(texts, ASKED)))
    corpus.write_folder(work / "docs", texts)
    command = [sys.executable, "-m", "index", "rebuild", str(work / "docs"), "--index", str(work / "index")]
    built = _watched(command)
    _run("bench.own", "vectors", work)
    return built


def _run(module: str, *arguments: str | Path) -> dict[str, Any] | None:
    """What a process of its own printed; nothing where its library is missing."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode and "ModuleNotFoundError" in done.stderr:
        print(f"{arguments[0]} is not installed and left out", file=sys.stderr)
        return None
    if done.returncode:
        raise SystemExit(f"{module} {arguments[0]} failed:\n{done.stderr}")
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome


def _whole(command: list[str]) -> dict[str, Any]:
    """Seconds of whole processes, and the most memory that one held in a run before them."""
    watched = _watched(command)
    taken = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        taken.append(time.perf_counter() - started)
    return {"seconds": taken, "memory": watched["memory"]}


def _watched(command: list[str]) -> dict[str, Any]:
    """Seconds of one whole process, and the most memory that it held, looked at all the while."""
    most = 0.0
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        most = max(most, _memory(process.pid))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed; run it by itself to see why")
    return {"seconds": [time.perf_counter() - started], "memory": most}


def _web(work: Path) -> dict[str, Any]:
    """Seconds until the web app serves its page and until a client has an answer, and its memory then."""
    from gradio_client import Client

    taken, answered = [], []
    for _ in range(RUNS):
        command = [sys.executable, "app.py", "--index", str(work / "index"), "--port", str(PORT)]
        environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        try:
            _wait_for_the_page()
            taken.append(time.perf_counter() - started)
            client = Client(ADDRESS, verbose=False)
            client.predict("What is said about the river?", api_name="/ask")
            answered.append(time.perf_counter() - started)
            held = memory(process.pid)
        finally:
            process.terminate()
            process.wait()
    return {"seconds": taken, "answered": answered, "memory": held}


def _wait_for_the_page() -> None:
    for _ in range(6000):
        try:
            with urllib.request.urlopen(ADDRESS, timeout=30):
                return
        except OSError:
            time.sleep(0.01)
    raise SystemExit("the web app did not start")


def _memory(process: int) -> float:
    try:
        return memory(process)
    except OSError:
        return 0.0  # it has just ended


if __name__ == "__main__":
    main()
