"""A model's folder -> the runtime for it: OpenVINO, or torch for a model that can't be exported.

A model is exported once; the export is kept in the user's cache folder, under the checksum of what it
was made from, and is taken only if its vectors are those of the model itself.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index.compiled import cache_folder, supports_eight_bits
from index.encoder.openvino_model import OpenVinoModel, Recipe
from index.encoder.runtime import Runtime
from index.encoder.torch_model import TorchModel
from index.errors import EncoderError

if TYPE_CHECKING:
    import tokenizers

EXPORT_VERSION = 1
LEAST_COSINE = 0.999
LEAST_COSINE_EIGHT_BITS = 0.99
"""The lowest mean cosine of an export's vectors with the model's own; docs/performance.md has what the
8 bits of the default encoder cost in recall."""

SAMPLES = (
    "Who signed the contract?",
    "The bridge over the river was opened on 12 May 1990, two years late and 4.5 million over its budget.",
    "Umweltbundesamt, naïve café, 中文字, Ελλάδα",
    "Section 4.2 > Payment\nThe buyer pays within 30 days; later payments bear interest at 5% a year.",
    "Wear gloves. Disconnect the pump before you open the housing. " * 12,
    "and so on " * 600,
)

_LOG = logging.getLogger(__name__)


def load_runtime(
    folder: Path,
    fingerprint: str,
    tokenizer: tokenizers.Tokenizer,
    max_pieces: int,
    scales: Path | None,
    check_weights: Callable[[], None],
) -> Runtime:
    """Load the export of a model, making it first where there is none.

    Args:
        folder: a Sentence Transformers model.
        fingerprint: the checksum of that.
        tokenizer: its tokenizer, which must neither cut nor pad.
        max_pieces: how many word pieces it reads, special ones counted.
        scales: what it is made 8-bit with, where the processor gains by that; None to leave it as it is.
        check_weights: called before the weights are read; raises what is wrong with them.

    Raises:
        EncoderError: the model, or the export of it, can't be loaded.
    """
    if scales is not None and not supports_eight_bits():
        scales = None
    kept = _kept(fingerprint, scales)
    if not (kept / "card.json").is_file():
        check_weights()
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix="new-", dir=kept.parent))
            _export_to(kept, work, folder, tokenizer, max_pieces, scales)
        except OSError as error:
            _LOG.warning(
                "the encoder is run by torch, which is slower, for its export can't be kept: %s; name a "
                "folder that can be written: FOOTNOTE_CACHE=DIR",
                error,
            )
            return TorchModel(folder)
    card = json.loads((kept / "card.json").read_text(encoding="utf-8"))
    if card["unfit"]:
        check_weights()
        return TorchModel(folder)
    name = "OpenVINO, 8 bits" if scales is not None else "OpenVINO"
    try:
        return OpenVinoModel(name, kept / "model.xml", Recipe(**card["recipe"]), tokenizer)
    except RuntimeError as error:  # what OpenVINO makes of any file that it can't read
        raise EncoderError(
            f"the encoder's export in {kept} can't be read; delete that folder, it is made again ({error})"
        ) from error


def _kept(fingerprint: str, scales: Path | None) -> Path:
    """Where the export of a model is kept; another version of anything that makes it is another place."""
    import openvino

    made_by = hashlib.sha256(f"{EXPORT_VERSION}\n{openvino.__version__}".encode())
    if scales is not None:
        made_by.update(scales.read_bytes())
    return cache_folder() / "encoders" / f"{fingerprint[:16]}-{made_by.hexdigest()[:8]}"


def _export_to(
    kept: Path,
    work: Path,
    folder: Path,
    tokenizer: tokenizers.Tokenizer,
    max_pieces: int,
    scales: Path | None,
) -> None:
    """Export the model in ``work``, and move that to ``kept`` when it is whole."""
    try:
        model = TorchModel(folder)
        recipe = Recipe(model.dimension, max_pieces, model.padding, *model.prompts)
        unfit = _export(model, work, recipe, tokenizer, scales)
        card = {"recipe": recipe._asdict(), "unfit": unfit}
        (work / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        if not kept.exists():  # or another process was faster
            work.replace(kept)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _export(
    model: TorchModel, work: Path, recipe: Recipe, tokenizer: tokenizers.Tokenizer, scales: Path | None
) -> str:
    """Export and compare; return why the export is not fit for use, or nothing."""
    path = work / "model.xml"
    try:
        model.export(path, scales)
        made = OpenVinoModel("", path, recipe, tokenizer, is_kept=False)
        own, other = model.encode_passages(SAMPLES), made.encode_passages(SAMPLES)
        asked = float(model.encode_question(SAMPLES[0]) @ made.encode_question(SAMPLES[0]))
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
        said, *_ = str(error).split("\n")
        reason = f"it can't be exported ({type(error).__name__}: {said})"
    else:
        cosine = min(float(np.mean(np.sum(own * other, axis=1))), asked)
        least = LEAST_COSINE if scales is None else LEAST_COSINE_EIGHT_BITS
        if cosine >= least:
            return ""
        reason = f"the vectors of its export differ from its own (cosine {cosine:.4f})"
    _LOG.warning("the encoder is run by torch, which is slower: %s", reason)
    path.unlink(missing_ok=True)
    path.with_suffix(".bin").unlink(missing_ok=True)
    return reason
