"""From SQuAD-form files to the reader that ships: weights, calibration, figures.

    python -m training TRAIN.json [MORE.json ...] --work DIR [--dev DEV.json]
    python -m training TRAIN.json --work DIR2 --from DIR/weights.safetensors --seed 21

Seeded and resumable: run it again with the same --work and it goes on from its last checkpoint.
--from starts from the weights of an earlier run with a fresh optimiser. Runs on a GPU where there is
one; on two cores a pass over 130,000 windows takes about two hours.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file

from training.benchmarks import write_benchmarks
from training.calibration import calibrate_shipped
from training.export import export
from training.network import SpanNetwork
from training.questions import SEED, hold_aside, read_questions
from training.shipped import score_shipped
from training.span_reader import Plan, reader_tokenizer, score, train_reader


def main() -> None:
    """Train, export, calibrate, score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("train", type=Path, nargs="+")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints, the log, the benchmarks")
    parser.add_argument("--dev", type=Path, help="questions to report scores on, never trained on")
    parser.add_argument("--windows", type=int, default=Plan.windows, help="how many to read in all")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="the highest learning rate")
    parser.add_argument("--seed", type=int, default=SEED, help="of the order and the variants")
    parser.add_argument("--from", dest="start", type=Path, help="weights to start from")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    kept, held = hold_aside(read_questions(options.train))
    plan = Plan(windows=options.windows, rate=options.rate, seed=options.seed, start=options.start)
    weights = options.work / "weights.safetensors"
    if not weights.exists():
        train_reader(kept, held, plan, options.work)
    network = SpanNetwork()
    network.load_state_dict(load_file(weights))
    network.eval()
    export(network)
    report: dict[str, object] = {
        "held": asdict(score(network, held, reader_tokenizer())),
        "held_shipped": asdict(score_shipped(held)),
        "end_to_end": calibrate_shipped(write_benchmarks(kept, held, options.work), options.work),
    }
    if options.dev:
        dev = read_questions([options.dev])
        report["dev"] = asdict(score(network, dev, reader_tokenizer()))
        report["dev_shipped"] = asdict(score_shipped(dev))
    text = json.dumps(report, indent=1)
    (options.work / "report.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
