"""``bench/results/*.json`` -> the tables of docs/performance.md, each between its two marks."""

from __future__ import annotations

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

Rows = dict[str, Any]


def write() -> None:
    """Put in the tables of which there are results."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, render in TABLES.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            result = json.loads(path.read_text(encoding="utf-8"))
            before, rest = text.split(f"<!-- {name} -->\n")
            after = rest.split(f"<!-- /{name} -->")[1]
            table = render(result["rows"])
            if name == "scaling":
                _draw(list(result["rows"].values()))
            text = f"{before}<!-- {name} -->\n{table}\n<!-- /{name} -->{after}"
    DOCUMENT.write_text(text, encoding="utf-8")


def encoding(rows: Rows) -> str:
    own, limits = rows["Footnote"], rows["limits"]
    lines = []
    for name in ("8 bits", "bf16 or fp32", "torch fp32"):
        row = own[name]
        rate = own["pieces"] / row["seconds"]
        lines.append(
            [
                name,
                f"{rate:,.0f}",
                f"{rate * FLOPS_A_PIECE / 1e9:.0f}",
                f"{row['question_ms']:.1f}",
                f"{row['cosine']:.5f}",
            ]
        )
    limit = ", ".join(f"{value:.0f} {name}" for name, value in limits.items())
    heads = ("encoder", "word pieces a second", "GFLOP/s", "a question, ms", "cosine to fp32")
    return f"{_table(heads, lines)}\n\nThe machine's own limits in the same run: {limit}."


def indexing(rows: Rows) -> str:
    rates = {n: rows["Footnote"]["passages"] / statistics.median(r["seconds"]) for n, r in rows.items() if r}
    best = max(rate for name, rate in rates.items() if name != "Footnote")
    lines = [
        [n, f"{rate:.1f}", f"{rate / best:.2f}", f"{rows[n]['memory']:.0f}"] for n, rate in rates.items()
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
            f"{cold['memory']:.0f}",
            f"{statistics.median(cold['seconds']):.2f}",
        ],
        [
            "Footnote: web app ready",
            "",
            "",
            f"{web['memory']:.0f}",
            f"{statistics.median(web['seconds']):.2f}",
        ],
    ]
    stages = ", ".join(f"{stage} {taken:.1f}" for stage, taken in own["stages"].items())
    heads = ("", "p50, ms", "p95, ms", "memory, MB", "new process, s")
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


TABLES: dict[str, Callable[[Rows], str]] = {
    "encoding": encoding,
    "indexing": indexing,
    "asking": asking,
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
