"""``bench/results/*.json`` -> the tables of docs/performance.md, each between its two marks."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.peers import PEERS, WORDS_ONLY

RESULTS = Path(__file__).parent / "results"
DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
PLOT = DOCUMENT.parent / "scaling.png"
FLOPS_A_PIECE = 22.6e6
"""Of all-MiniLM-L6-v2 at 150 word pieces: 2 x 10.6 million weights, and what attention takes."""

PEER = "torch fp32"
ENCODERS = {
    "8 bits": "8 bits, as it ships",
    "bf16 or fp32": "not in 8 bits (bf16 where the processor has it)",
    PEER: "sentence-transformers (torch, fp32), as the peers run it",
}
OWNERS_SHOWN = 12

Rows = dict[str, Any]


def write() -> None:
    """Put in the tables of which there are results."""
    check_one_machine()
    text = DOCUMENT.read_text(encoding="utf-8")
    results = read()
    for name, table in tables(results).items():
        before, rest = text.split(f"<!-- {name} -->\n")
        after = rest.split(f"<!-- /{name} -->")[1]
        text = f"{before}<!-- {name} -->\n{table}\n<!-- /{name} -->{after}"
    if "scaling" in results:
        _draw(list(results["scaling"].values()))
    DOCUMENT.write_text(text, encoding="utf-8")


def read() -> dict[str, Rows]:
    """The rows of each table that was measured."""
    return {
        name: json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]
        for name in TABLES
        if (RESULTS / f"{name}.json").exists()
    }


def tables(results: dict[str, Rows]) -> dict[str, str]:
    """The text between each pair of marks."""
    made = {name: TABLES[name](rows) for name, rows in results.items()}
    return made | ({"goals": goals(results)} if results.keys() == TABLES.keys() else {})


def check_one_machine() -> None:
    """Refuse to set results of several machines or versions beside one another."""
    results = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("*.json")}
    timed = {name: results[name]["machine"] for name in sorted(results) if "machine" in results[name]}
    for one, other in itertools.combinations(timed, 2):
        if _differ(timed[one], timed[other]):
            raise SystemExit(f"{one}, {other} are of different machines or versions; run all tables")


def _differ(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether machines or versions differ; a package that one of them lacks had no part in its figures."""
    versions = one.get("versions", {}), other.get("versions", {})
    return any(one[name] != other[name] for name in one.keys() - {"versions"}) or any(
        versions[0][name] != versions[1][name] for name in versions[0].keys() & versions[1].keys()
    )


def encoding(rows: Rows) -> str:
    own, limits = rows["Footnote"], rows["limits"]
    lines = []
    for name, label in ENCODERS.items():
        row, rate = own[name], own["pieces"] / own[name]["seconds"]
        lines.append(
            [
                label,
                f"{rate:,.0f}",
                f"{own[PEER]['seconds'] / row['seconds']:.2f}",
                f"{_share_of_the_limit(rows, name):.0%}",
                f"{row['question_ms']:.1f}",
                f"{row['cosine']:.5f}",
            ]
        )
    limit = ", ".join(
        f"{value:,.0f} {name}" if value >= 10 else f"{value:.1f} {name}" for name, value in limits.items()
    )
    heads = (
        "encoder",
        "word pieces a second",
        "to the peers' encoder",
        "of the bf16 limit",
        "a question, ms",
        "cosine to fp32",
    )
    return f"{_table(heads, lines)}\n\nThe machine's own limits in the same run: {limit}."


def indexing(rows: Rows) -> str:
    rates = _rates(rows)
    best = max(rate for name, rate in rates.items() if name != "Footnote")
    lines = [
        [n, f"{rate:.1f}", f"{rate / best:.2f}", f"{rows[n]['memory']:.0f}"]
        for n, rate in sorted(rates.items(), key=lambda pair: pair[1])
    ]
    return _table(("", "passages a second", "to the fastest peer", "memory, MB"), lines)


def asking(rows: Rows) -> str:
    lines = []
    for name in [*PEERS, *WORDS_ONLY, "Footnote"]:
        row, cold = rows.get(name), rows.get(f"{name}, cold")
        if not row:
            continue
        taken = row["search"] if name == "Footnote" else row["milliseconds"]
        lines.append(
            [
                f"{name}: search",
                *_spread(taken),
                f"{row.get('search_memory', row['memory']):.0f}",
                f"{statistics.median(cold['seconds']):.2f}" if cold and name != "Footnote" else "",
            ]
        )
    own, cold, web = rows["Footnote"], rows["Footnote, cold"], rows["Footnote, web app"]
    lines += [
        [
            "Footnote: ask",
            *_spread(own["ask"]),
            f"{own['memory']:.0f}",
            f"{statistics.median(cold['seconds']):.2f}",
        ],
        [
            "Footnote: web app ready",
            "",
            "",
            f"{web['memory']:.0f}",
            f"{statistics.median(web['seconds']):.2f}",
        ],
        [
            "Footnote: web app, first answer",
            "",
            "",
            f"{web['memory']:.0f}",
            f"{statistics.median(web['answered']):.2f}",
        ],
        [
            "Footnote: build of all",
            "",
            "",
            f"{rows['Footnote, build']['memory']:.0f}",
            f"{rows['Footnote, build']['seconds'][0]:.1f}",
        ],
    ]
    stages = ", ".join(f"{stage} {taken:.1f}" for stage, taken in own["stages"].items())
    heads = ("", "p50, ms", "p95, ms", "memory, MB", "whole process, s")
    return f"{_table(heads, lines)}\n\nThe stages of `ask`, median ms: {stages}."


def scaling(rows: Rows) -> str:
    lines = [
        [
            f"{row['passages']:,}",
            f"{1000 * row['seconds'] / row['passages']:.2f}",
            f"{row['bytes'] / row['passages'] / 1000:.1f}",
            f"{row['search_ms']:.1f}",
            f"{row['memory']:.0f}",
        ]
        for row in rows.values()
    ]
    heads = ("passages", "ms a passage, without encoding", "kB a passage", "search p50, ms", "memory, MB")
    return f"{_table(heads, lines)}\n\n![Cost by the number of passages]({PLOT.name})"


def commands(rows: Rows) -> str:
    return _table(
        ("command", "seconds"),
        [[f"`{n}`" if n.startswith("python") else n, f"{s:.2f}"] for n, s in rows.items()],
    )


def where(rows: Rows) -> str:
    parts = []
    for name, label in (("build", "a build, ms a passage"), ("ask", "a question, ms")):
        seconds, units = rows[name]["seconds"], rows[name]["units"]
        total = sum(seconds.values())
        shown = sorted(seconds.items(), key=lambda pair: -pair[1])[:OWNERS_SHOWN]
        left = total - sum(taken for _, taken in shown)
        lines = [
            [
                f"`{owner}`" if owner.endswith(".py") else owner,
                f"{1000 * taken / units:.2f}",
                f"{taken / total:.0%}",
            ]
            for owner, taken in [*shown, ("everything else", left)]
        ]
        parts.append(_table((label, "ms", "share"), lines))
    start = rows["start"]
    imports = ", ".join(f"{name} {1000 * taken:.0f}" for name, taken in list(start["imports"].items())[:8])
    stages = ", ".join(f"{stage} {taken:.0f}" for stage, taken in start["stages"].items())
    parts.append(f"A new process, ms of imports by package: {imports}. Stages of its answer, ms: {stages}.")
    return "\n\n".join(parts)


def goals(results: dict[str, Rows]) -> str:
    """Each figure that was aimed at, and what was measured."""
    encoder, index, asked = results["encoding"], results["indexing"], results["asking"]
    own = encoder["Footnote"]
    rates = _rates(index)
    peer_index = max(rate for name, rate in rates.items() if name != "Footnote")
    peers = [name for name in PEERS if asked.get(name)]
    peer_search = min(asked[name]["p50"] for name in peers)
    peer_cold = min(statistics.median(asked[f"{name}, cold"]["seconds"]) for name in peers)
    search = statistics.median(asked["Footnote"]["search"])
    cold, web = asked["Footnote, cold"], asked["Footnote, web app"]
    started = statistics.median(cold["seconds"])
    p50, p95 = _spread(asked["Footnote"]["ask"])
    by_count = {row["passages"]: row for row in results["scaling"].values()}
    at_100k = min(by_count, key=lambda count: abs(count - 100_000))
    costs = [row["seconds"] / row["passages"] for row in by_count.values()]
    most = max(by_count)
    lines = [
        _goal("encoder, times the peers'", ">=", 3, own[PEER]["seconds"] / own["8 bits"]["seconds"]),
        _goal("encoder, percent of the bf16 limit", ">=", 100, 100 * _share_of_the_limit(encoder, "8 bits")),
        _goal("indexing, times the fastest peer", ">=", 2.5, rates["Footnote"] / peer_index),
        _goal("encoding a question, ms", "<=", 3, own["8 bits"]["question_ms"]),
        _goal("search among 10,000, p50, ms", "<=", 6, search),
        _goal(f"search among {at_100k:,}, p50, ms", "<=", 12, by_count[at_100k]["search_ms"]),
        _goal("the fastest peer's search by vectors, times ours", ">=", 2, peer_search / search),
        _goal("`ask` among 10,000, p50, ms", "<=", 120, float(p50)),
        _goal("`ask` among 10,000, p95, ms", "<=", 250, float(p95)),
        _goal("`python -m qa ask --json`, new process, s", "<=", 1.3, started),
        _goal("the fastest peer's search in a new process, times that", ">=", 5, peer_cold / started),
        _goal("web app ready, s", "<=", 4, statistics.median(web["seconds"])),
        _goal("memory of `ask`, MB", "<=", 450, max(asked["Footnote"]["memory"], cold["memory"])),
        _goal("memory of the web app, MB", "<=", 650, web["memory"]),
        _goal("memory of a build of 10,000, MB", "<=", 1000, asked["Footnote, build"]["memory"]),
        _goal(f"cost of a passage among {most:,}, times the lowest", "<=", 1.2, costs[-1] / min(costs)),
    ]
    return _table(("figure", "aimed at", "measured", "verdict"), lines)


def _goal(figure: str, sign: str, aim: float, measured: float) -> list[str]:
    is_met = measured >= aim if sign == ">=" else measured <= aim
    shown = f"{measured:.0f}" if measured >= 100 else f"{measured:.2f}"
    return [figure, f"{sign} {aim:g}", shown, "met" if is_met else "missed"]


def _rates(rows: Rows) -> dict[str, float]:
    """Passages a second; all rows are of the same passages."""
    measured = {name: row for name, row in rows.items() if row}
    counts = {row["passages"] for row in measured.values()}
    if len(counts) > 1:
        raise SystemExit(f"the rows of indexing are of different numbers of passages: {sorted(counts)}")
    return {name: row["passages"] / statistics.median(row["seconds"]) for name, row in measured.items()}


def _share_of_the_limit(rows: Rows, name: str) -> float:
    own = rows["Footnote"]
    rate = own["pieces"] / own[name]["seconds"]
    return float(rate * FLOPS_A_PIECE / 1e9 / rows["limits"]["bf16 GFLOP/s"])


TABLES: dict[str, Callable[[Rows], str]] = {
    "encoding": encoding,
    "indexing": indexing,
    "asking": asking,
    "where": where,
    "scaling": scaling,
    "commands": commands,
}


def _spread(taken: Sequence[float]) -> tuple[str, str]:
    ordered = sorted(taken)
    return f"{statistics.median(ordered):.1f}", f"{ordered[int(0.95 * (len(ordered) - 1))]:.1f}"


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _draw(rows: Sequence[Rows]) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3))
    counts = [row["passages"] for row in rows]
    axes[0].plot(counts, [1000 * row["seconds"] / row["passages"] for row in rows], "o-")
    axes[0].set(xscale="log", ylim=(0, None), xlabel="passages", ylabel="ms a passage, without encoding")
    axes[1].plot(counts, [row["search_ms"] for row in rows], "o-")
    axes[1].set(xscale="log", ylim=(0, None), xlabel="passages", ylabel="search p50, ms")
    figure.tight_layout()
    figure.savefig(PLOT, dpi=110)


if __name__ == "__main__":
    write()
