"""Passages and questions that anyone has the same: the encoder's words, drawn by Zipf's law."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.encoder import bundled_folder

SEED = 7
WORDS_A_SENTENCE = (8, 22)
WORDS_A_PASSAGE = 150
"""About 160 word pieces, with the punctuation: as long as the passages of a document are."""


def passages(count: int) -> list[str]:
    """``count`` passages of some ten sentences each."""
    rng = np.random.default_rng(SEED)
    words = _words()
    weights = 1 / np.arange(3, len(words) + 3)
    chance = np.cumsum(weights / weights.sum())
    made = []
    for _ in range(count):
        drawn = [
            words[i] for i in np.minimum(np.searchsorted(chance, rng.random(WORDS_A_PASSAGE)), len(words) - 1)
        ]
        sentences = []
        while drawn:
            size = int(rng.integers(*WORDS_A_SENTENCE))
            sentence, drawn = " ".join(drawn[:size]), drawn[size:]
            sentences.append(sentence[0].upper() + sentence[1:] + ".")
        made.append(" ".join(sentences))
    return made


def questions(of: Sequence[str], count: int) -> list[str]:
    """Questions about passages spread over all: "What ...?" with seven words of one."""
    rng = np.random.default_rng(SEED + 1)
    asked = []
    for place in np.linspace(0, len(of) - 1, count).astype(int):
        words = of[place].replace(".", "").lower().split()
        asked.append(f"What {' '.join(rng.choice(words, 7, replace=False))}?")
    return asked


def write_folder(folder: Path, texts: Sequence[str]) -> None:
    """A text file for each passage, a thousand a folder."""
    for number, text in enumerate(texts):
        path = folder / f"{number // 1000:03}" / f"{number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")


def _words() -> list[str]:
    vocabulary = json.loads((bundled_folder() / "tokenizer.json").read_text(encoding="utf-8"))["model"][
        "vocab"
    ]
    return [word for word in vocabulary if word.isascii() and word.isalpha()]
