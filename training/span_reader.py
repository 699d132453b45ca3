"""Questions -> the span reader's weights, with checkpoints and the log of the curve."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tokenizers
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from training.export import weights_at
from training.network import SpanNetwork, encoder_folder, from_encoder
from training.questions import SEED, Question, composition, one_pass
from training.spans import Scores, score_spans
from training.windows import Window, batches, collate, training_windows

WEIGHTS = "weights.safetensors"
STARTED = "started.safetensors"
TRAIN_LENGTH = 320
WARM_UP = 0.06
WEIGHT_DECAY = 0.01
CHECKPOINT_SECONDS = 600
REPORT_STEPS = 50
EVALUATION_QUESTIONS = 1000
EVALUATIONS = 10


@dataclass(frozen=True)
class Plan:
    """What a run is made of; the same plan and files give the same run.

    Attributes:
        windows: how many windows to read in all.
        pieces: about how many word pieces a batch holds.
        rate: the highest learning rate.
        seed: of the order and the variants.
        start: weights to start from instead of the encoder's: a run's file or an exported model's folder.
        kept: how much of them is kept against the encoder's, which forgets what they know by heart (after
            Ash & Adams 2020, shrink and perturb).
    """

    windows: int = 130_000
    pieces: int = 4608
    rate: float = 1.5e-4
    seed: int = SEED
    start: Path | None = None
    kept: float = 1.0


def train_reader(questions: Sequence[Question], held: Sequence[Question], plan: Plan, work: Path) -> Path:
    """Train, or go on training from the last checkpoint in ``work``; return the path of the weights."""
    torch.set_flush_denormal(True)
    torch.manual_seed(plan.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = reader_tokenizer()
    log = Log(work / "log.jsonl")
    log.write(train=len(questions), held=len(held), device=str(device), sources=composition(questions))
    windows = schedule(questions, tokenizer, plan.windows, plan.seed)
    order = list(batches(windows, plan.pieces, random.Random(plan.seed)))
    network = from_encoder()
    if plan.start is not None:
        started = weights_at(plan.start)
        save_file(started, work / STARTED)  # what it started from may be the model that this run replaces
        encoder = network.state_dict()
        network.load_state_dict(
            {
                name: value if name.startswith("head.") else torch.lerp(encoder[name], value, plan.kept)
                for name, value in started.items()
            }
        )
    network.to(device)
    sample = random.Random(SEED).sample(held, min(EVALUATION_QUESTIONS, len(held)))
    run(network, windows, order, plan.rate, work, log, lambda: score(network, sample, tokenizer))
    return work / WEIGHTS


def reader_tokenizer() -> tokenizers.Tokenizer:
    """The encoder's tokenizer, cutting and padding nothing."""
    tokenizer = tokenizers.Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


def schedule(
    questions: Sequence[Question], tokenizer: tokenizers.Tokenizer, count: int, seed: int
) -> list[Window]:
    """``count`` windows: as many passes over the questions as that takes."""
    rng = random.Random(seed)
    windows: list[Window] = []
    while len(windows) < count:
        windows += training_windows(one_pass(questions, rng), tokenizer, TRAIN_LENGTH, rng)
    return windows[:count]


def run(
    network: SpanNetwork,
    windows: Sequence[Window],
    order: Sequence[Sequence[int]],
    rate: float,
    work: Path,
    log: Log,
    evaluate: Callable[[], Scores],
) -> None:
    """Take the steps from where the last checkpoint stands, and write the weights."""
    device = next(network.parameters()).device
    optimiser = torch.optim.AdamW(groups(network), lr=rate, fused=True)
    checkpoint = work / "checkpoint.pt"
    done = 0
    if checkpoint.exists():
        stored = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(stored["network"])
        optimiser.load_state_dict(stored["optimiser"])
        done = stored["done"]
    warm = max(1, int(WARM_UP * len(order)))
    saved = began = time.monotonic()
    first = done
    losses: list[float] = []
    read = 0
    evaluated = {round(len(order) * part / EVALUATIONS) for part in range(1, EVALUATIONS + 1)}
    for number in range(done, len(order)):
        share = min((number + 1) / warm, (len(order) - number) / (len(order) - warm))
        for group in optimiser.param_groups:
            group["lr"] = rate * share
        torch.manual_seed(number)  # a run that was stopped leaves out the same numbers when it goes on
        chosen = [windows[i] for i in order[number]]
        losses.append(step(network, optimiser, chosen, device))
        read += len(chosen)
        if (number + 1) % REPORT_STEPS == 0:
            seconds = time.monotonic() - began
            log.write(
                step=number + 1,
                of=len(order),
                loss=round(float(np.mean(losses[-REPORT_STEPS:])), 4),
                per_second=round(read / seconds, 1),
                left_minutes=round((len(order) - number - 1) * seconds / (number + 1 - first) / 60, 1),
            )
        if number + 1 in evaluated:
            log.write(step=number + 1, **asdict(evaluate()))
        if time.monotonic() - saved > CHECKPOINT_SECONDS or number + 1 == len(order):
            store(network, optimiser, number + 1, checkpoint)
            saved = time.monotonic()
    save_file({name: value.cpu() for name, value in network.state_dict().items()}, work / WEIGHTS)


def step(
    network: SpanNetwork, optimiser: torch.optim.Optimizer, windows: Sequence[Window], device: torch.device
) -> float:
    """One step of the optimiser; returns the loss."""
    network.train()
    batch = collate(windows)
    logits = forward(network, batch.pieces, batch.segments, batch.mask, device)
    logits = logits.masked_fill(~torch.from_numpy(batch.candidates).to(device)[..., None], -1e4)
    targets = torch.from_numpy(np.stack([batch.starts, batch.ends], -1)).to(device)
    loss = -(targets * functional.log_softmax(logits, 1)).sum() / (2 * len(windows))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return float(loss.detach())


def forward(
    network: SpanNetwork,
    pieces: NDArray[np.int64],
    segments: NDArray[np.int64],
    mask: NDArray[np.bool_],
    device: torch.device,
) -> Tensor:
    """The logits, in fp32, from products in bf16 where those are no slower than in fp32."""
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu" or _has_wide_vectors()):
        given = [torch.from_numpy(array).to(device) for array in (pieces, segments, mask)]
        return network(*given).float()


def _has_wide_vectors() -> bool:
    """Whether this processor multiplies bf16 in vectors: without, they take 35 times as long."""
    return torch.backends.cpu.get_cpu_capability() not in {"DEFAULT", "AVX2"}


def score(network: SpanNetwork, questions: Sequence[Question], tokenizer: tokenizers.Tokenizer) -> Scores:
    """The scores of questions given their paragraph."""
    network.eval()
    device = next(network.parameters()).device

    def logits(
        pieces: NDArray[np.int64], segments: NDArray[np.int64], mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        with torch.no_grad():
            return forward(network, pieces, segments, mask, device).cpu().numpy()

    return score_spans(questions, tokenizer, logits)


def groups(network: SpanNetwork) -> list[dict[str, object]]:
    """Weight decay for matrices alone."""
    decayed = [value for value in network.parameters() if value.ndim > 1]
    other = [value for value in network.parameters() if value.ndim <= 1]
    return [
        {"params": decayed, "weight_decay": WEIGHT_DECAY},
        {"params": other, "weight_decay": 0.0},
    ]


def store(network: SpanNetwork, optimiser: torch.optim.Optimizer, done: int, path: Path) -> None:
    """Write a checkpoint whole or not at all."""
    scratch = path.with_suffix(".new")
    torch.save({"network": network.state_dict(), "optimiser": optimiser.state_dict(), "done": done}, scratch)
    scratch.replace(path)


class Log:
    """The curve, as JSON lines, also printed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, **values: object) -> None:
        """Add a line."""
        line = json.dumps(values)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)
