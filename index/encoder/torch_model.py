"""A Sentence Transformers model, run by its library, and its export: all that needs torch."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index.encoder.runtime import Vectors
from index.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PASSAGE_PROMPTS = ("document", "passage", "corpus")
QUESTION_PROMPT = "query"


class TorchModel:
    """A model as its authors run it."""

    name = "torch"

    def __init__(self, folder: Path) -> None:
        """Load the model.

        Raises:
            EncoderError: it can't be loaded.
        """
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        # A bar for 0.01 s of loading would stand among the error lines.
        disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self._model = SentenceTransformer(
                str(folder),
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise EncoderError(f"the model in {folder} can't be loaded: {error}") from error
        dimension = self._model.get_embedding_dimension()
        if dimension is None:
            raise EncoderError(f"the model in {folder} does not say how long its vectors are")
        self.dimension: int = dimension

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

    @property
    def prompts(self) -> tuple[str, str]:
        """What stands before a passage and before a question."""
        prompts = self._model.prompts
        passage = next((prompts[name] for name in PASSAGE_PROMPTS if name in prompts), None)
        return passage or "", prompts.get(QUESTION_PROMPT) or ""

    @property
    def padding(self) -> int:
        """The word piece that fills a row."""
        return int(self._model.tokenizer.pad_token_id or 0)

    def export(self, path: Path, scales: Path | None) -> None:
        """Write the model for OpenVINO, from word pieces and mask to unit vectors.

        Args:
            path: the model.xml to write; model.bin will stand beside it.
            scales: what to make its matrix products 8-bit with, if at all; see `index.encoder.eight_bits`.

        Raises:
            OSError: the file can't be written.
        """
        import openvino
        import torch
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        class UnitVectors(torch.nn.Module):
            def __init__(self, model: SentenceTransformer) -> None:
                super().__init__()
                self.model = model

            def forward(self, pieces: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
                told = self.model({"input_ids": pieces, "attention_mask": mask})
                return torch.nn.functional.normalize(told["sentence_embedding"], dim=-1)

        pieces = torch.tensor([[1, 2, 3, 4, 5], [5, 4, 3, self.padding, self.padding]])
        mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
        network = UnitVectors(self._model.to("cpu")).eval()
        with torch.no_grad(), _quiet():
            # What openvino.convert_model does, which would also report its use over the network.
            traced = TorchScriptPythonDecoder(network, example_input=(pieces, mask))
            frontend = FrontEndManager().load_by_framework("pytorch")
            model = frontend.convert(frontend.load(traced))
        if scales is not None:
            from index.encoder.eight_bits import make_eight_bit

            make_eight_bit(model, scales)
        try:
            openvino.save_model(model, path, compress_to_fp16=False)
        except RuntimeError as error:  # what OpenVINO makes of any failure to write
            raise OSError(f"{path} can't be written: {error}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what tracing says of the libraries' own code from the terminal."""
    loggers = [logging.getLogger(name) for name in ("transformers", "sentence_transformers")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
