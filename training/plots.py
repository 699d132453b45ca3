"""Confidences and what came of them -> the plot in docs/reader.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

BINS = 15


def draw_confidence(sets: Mapping[str, Sequence[tuple[float, bool]]], path: Path) -> None:
    """Two panels: the share of right answers by confidence, and precision by coverage."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, (reliability, risk) = pyplot.subplots(1, 2, figsize=(10, 4.2), dpi=120)
    reliability.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1)
    for name, pairs in sets.items():
        confidence = np.array([pair[0] for pair in pairs])
        right = np.array([pair[1] for pair in pairs], dtype=float)
        order = np.argsort(-confidence, kind="stable")
        groups = np.array_split(order, BINS)
        reliability.plot(
            [confidence[group].mean() for group in groups],
            [right[group].mean() for group in groups],
            marker="o",
            markersize=4,
            label=f"{name} ({len(pairs):,})",
        )
        answered = np.arange(1, len(order) + 1)
        risk.plot(answered / len(order), right[order].cumsum() / answered, label=name)
    reliability.set(xlabel="confidence", ylabel="share of answers that are right", xlim=(0, 1), ylim=(0, 1))
    risk.set(xlabel="share of questions answered", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
    reliability.legend(frameon=False)
    for panel in (reliability, risk):
        panel.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
