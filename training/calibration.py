"""Held-aside benchmarks -> the shipped calibration, and how well it holds on what it did not see."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from index import terminal
from qa import QA
from qa.calibrate import Judged, fit, judge
from qa.calibration import SHIPPED_PATH, Calibration
from qa.evaluate import Question, read_questions
from qa.metrics import auroc, calibration_error
from training.plots import draw_confidence

PLOT = Path("docs") / "confidence.png"

WEIGHTS = {"articles": 2}
"""How often a question of a benchmark counts in the fit, once if not told.

The questions about whole articles are the hardest, half of them made to be refused. Documents of other
kinds than the reader was trained on are hard too, and there a confidence should rather be too low.
"""


def calibrate_shipped(benchmarks: Sequence[Path], work: Path) -> dict[str, dict[str, float | None]]:
    """Fit to all benchmarks and ship that; return each one's figures under a fit to the others' halves."""
    judged: dict[str, tuple[list[Judged], list[Judged]]] = {}
    for folder in benchmarks:
        with (
            terminal.progress(quiet=False) as progress,
            QA.from_folder(folder / "docs", work / "indexes" / folder.name, progress=progress) as qa,
        ):
            asked = read_questions(folder / "questions.jsonl")
            judged[folder.name] = tuple(
                judge(qa, [one for one in asked if half(one) == part], progress) for part in (0, 1)
            )
            ids = qa.ids

    def fitted(parts: Sequence[int]) -> Calibration:
        chosen = [
            one
            for name, found in judged.items()
            for part in parts
            for one in found[part] * WEIGHTS.get(name, 1)
        ]
        return fit(chosen, *ids)

    calibration = fitted((0, 1))
    SHIPPED_PATH.write_text(json.dumps(asdict(calibration), indent=1) + "\n", encoding="utf-8")
    fits = [fitted((part,)) for part in (0, 1)]
    unseen = {
        name: [(fits[1 - part], one) for part in (0, 1) for one in found[part]]
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


def half(question: Question) -> int:
    """Which half a question is in; the same words are in the same half of every benchmark."""
    return hashlib.sha256(question.question.encode()).digest()[0] % 2


def figures(pairs: Sequence[tuple[Calibration, Judged]]) -> dict[str, float | None]:
    """AUROC of answerable against unanswerable, AUROC of right against wrong, calibration error."""
    confidences = [calibration.probability(one.signals) for calibration, one in pairs]
    rights = [one.is_right for _, one in pairs]
    return {
        "refusal_auroc": auroc(confidences, [one.is_answerable for _, one in pairs]),
        "right_auroc": auroc(confidences, rights),
        "ece": calibration_error(confidences, rights),
    }
