"""Held-aside benchmarks -> the shipped calibration, and how well it holds on what it did not see."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from index import terminal
from qa import QA
from qa.calibrate import Judged, fit, judge
from qa.calibration import SHIPPED_PATH, Calibration
from qa.evaluate import read_questions
from qa.metrics import auroc, calibration_error
from training.plots import draw_confidence

PLOT = Path("docs") / "confidence.png"


def calibrate_shipped(benchmarks: Sequence[Path], work: Path) -> dict[str, dict[str, float | None]]:
    """Fit to all benchmarks and ship that; return each one's figures under a fit to the others' halves."""
    judged: dict[str, list[Judged]] = {}
    for folder in benchmarks:
        with (
            terminal.progress(quiet=False) as progress,
            QA.from_folder(folder / "docs", work / "indexes" / folder.name, progress=progress) as qa,
        ):
            judged[folder.name] = judge(qa, read_questions(folder / "questions.jsonl"), progress)
            ids = qa.ids
    every = [one for found in judged.values() for one in found]
    calibration = fit(every, *ids)
    SHIPPED_PATH.write_text(json.dumps(asdict(calibration), indent=1) + "\n", encoding="utf-8")
    halves = [fit([one for found in judged.values() for one in found[half::2]], *ids) for half in (0, 1)]
    unseen = {
        name: [(halves[1 - number % 2], one) for number, one in enumerate(found)]
        for name, found in judged.items()
    }
    draw_confidence(
        {
            name: [(calibration.probability(one.signals), one.is_right) for calibration, one in pairs]
            for name, pairs in unseen.items()
        },
        PLOT,
    )
    return {name: figures(pairs) for name, pairs in unseen.items()}


def figures(pairs: Sequence[tuple[Calibration, Judged]]) -> dict[str, float | None]:
    """AUROC of answerable against unanswerable, AUROC of right against wrong, calibration error."""
    confidences = [calibration.probability(one.signals) for calibration, one in pairs]
    rights = [one.is_right for _, one in pairs]
    return {
        "refusal_auroc": auroc(confidences, [one.is_answerable for _, one in pairs]),
        "right_auroc": auroc(confidences, rights),
        "ece": calibration_error(confidences, rights),
    }
