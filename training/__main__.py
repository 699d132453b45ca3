"""From SQuAD-form files to the reader that ships: weights, calibration, figures.

    python -m training TRAIN.json [MORE.json ...] --work DIR [--dev DEV.json]
    python -m training TRAIN.json --work DIR2 --from DIR/weights.safetensors --seed 21 --share 0.7
    python -m training TRAIN.json --work DIR3 --from qa/models/span_reader --kept 0.65
    python -m training TRAIN.json --work DIR4 --from DIR3/weights.safetensors --share 0.5 \\
        --against qa/models/span_reader

Seeded and resumable: run it again with the same --work and it goes on from its last checkpoint.
--from starts from the weights of an earlier run with a fresh optimiser. --kept moves the start so far back
towards the encoder's weights that what was learned by heart is lost and the rest is soon there again (after
Ash & Adams 2020, shrink and perturb). --share averages the new weights with those of --from (Wortsman et al.
2022, robust fine-tuning of zero-shot models), or with those of --against. Runs on a GPU where there is one;
on two cores that multiply bf16 in vectors a pass over 130,000 windows takes about two hours, on others three
to four times as long.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from training.benchmarks import write_benchmarks
from training.calibration import calibrate_shipped
from training.export import export, weights_at
from training.network import SpanNetwork
from training.questions import SEED, hold_aside, read_questions
from training.sentence_questions import sentence_questions
from training.shipped import score_shipped
from training.span_reader import STARTED, WEIGHTS, Plan, reader_tokenizer, score, train_reader

AGAINST = "against.safetensors"


def main() -> None:
    """Train, export, calibrate, score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("train", type=Path, nargs="+")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints, the log, the benchmarks")
    parser.add_argument("--dev", type=Path, help="questions to report scores on, never trained on")
    parser.add_argument("--windows", type=int, default=Plan.windows, help="how many to read in all")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="the highest learning rate")
    parser.add_argument("--seed", type=int, default=SEED, help="of the order and the variants")
    parser.add_argument(
        "--from", dest="start", type=Path, help="weights to start from: a file or an exported model"
    )
    parser.add_argument("--kept", type=float, default=1.0, help="of the weights of --from at the start")
    parser.add_argument("--share", type=float, default=1.0, help="of the new weights against those of --from")
    parser.add_argument("--against", type=Path, help="weights to average with instead: a file or a folder")
    options = parser.parse_args()
    if (options.share != 1 or options.kept != 1) and options.start is None:
        parser.error("--share and --kept are of the weights of --from; name them")
    if options.against and options.share == 1:
        parser.error("--against names what --share averages with; give a share below 1")
    options.work.mkdir(parents=True, exist_ok=True)
    kept, held = hold_aside(read_questions(options.train))
    made = sentence_questions(kept, random.Random(SEED))
    plan = Plan(options.windows, rate=options.rate, seed=options.seed, start=options.start, kept=options.kept)
    weights = options.work / WEIGHTS
    other = options.work / STARTED
    if options.against:
        try:
            other = kept_against(options.against, options.work)
        except ValueError as error:
            parser.error(str(error))
    if not weights.exists():
        train_reader([*kept, *made], held, plan, options.work)
    network = SpanNetwork()
    state = load_file(weights)
    if options.share != 1:
        averaged = load_file(other)
        state = {name: torch.lerp(averaged[name], value, options.share) for name, value in state.items()}
    network.load_state_dict(state)
    network.eval()
    export(network)
    report: dict[str, object] = {}
    if options.dev:
        dev = read_questions([options.dev])
        report["dev_fp32"] = asdict(score(network, dev, reader_tokenizer()))
        report["dev_shipped"] = asdict(score_shipped(dev))
        print(json.dumps(report), flush=True)
    report["end_to_end"] = calibrate_shipped(write_benchmarks(kept, held, options.work), options.work)
    text = json.dumps(report, indent=1)
    (options.work / "report.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def kept_against(path: Path, work: Path) -> Path:
    """A copy in ``work`` of the weights to average with: they may be the model that the run replaces.

    Raises:
        ValueError: the run was begun with others.
    """
    copy = work / AGAINST
    if not copy.exists():
        save_file(weights_at(path), copy, metadata={"path": str(path)})
    with safe_open(copy, "pt") as kept:
        begun = (kept.metadata() or {}).get("path")
    if begun != str(path):
        raise ValueError(f"{work} was begun with --against {begun}: go on with that, or give another --work")
    return copy


if __name__ == "__main__":
    main()
