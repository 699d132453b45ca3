"""The scales with which the default encoder runs in 8 bits: ``python -m training.encoder_scales TEXTS.json``.

nncf measures them on passages of SQuAD-form files (smoothing after Xiao et al. 2023, ranges by the least
and greatest inputs); what is kept are the scales alone, 89 kB.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from index.encoder import BUNDLED_SCALES, bundled_folder
from index.encoder.eight_bits import PRODUCT
from index.encoder.torch_model import TorchModel
from training.questions import SEED
from training.span_reader import reader_tokenizer

PASSAGES = 300
PIECES = 254


def main() -> None:
    os.environ["NNCF_CI"] = "1"  # nncf reports its use otherwise
    import nncf

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("texts", type=Path, nargs="+", help="files in the form of SQuAD")
    texts = passages(parser.parse_args().texts)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.xml"
        TorchModel(bundled_folder()).export(path, None)
        model = openvino.Core().read_model(path)
        rounded = nncf.quantize(
            model,
            nncf.Dataset(inputs(texts)),
            subset_size=len(texts),
            model_type=nncf.ModelType.TRANSFORMER,
        )
        np.savez_compressed(BUNDLED_SCALES, **scales(rounded))


def passages(files: list[Path]) -> list[str]:
    found = {
        paragraph["context"]
        for file in files
        for article in json.loads(file.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
    }
    return random.Random(SEED).sample(sorted(found), PASSAGES)


def inputs(texts: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    tokenizer = reader_tokenizer()
    tokenizer.encode_special_tokens = False
    rows = [np.array([tokenizer.encode(text).ids[:PIECES]]) for text in texts]
    return [(row, np.ones_like(row)) for row in rows]


def scales(model: Any) -> dict[str, np.ndarray]:  # noqa: ANN401 - openvino has no types
    """For each layer, how its input is smoothed and the range of it."""
    found: dict[str, np.ndarray] = {}
    for node in model.get_ordered_ops():
        named = PRODUCT.search(node.get_friendly_name())
        if node.get_type_name() == "MatMul" and named is not None:
            rounding = node.input_value(0).get_node()
            low, high = (rounding.input_value(place).get_node().data.item() for place in (1, 2))
            smoothing = rounding.input_value(0).get_node().input_value(1).get_node().data
            found[f"{named[0]}.smooth"] = (1 / smoothing).ravel().astype(np.float32)
            found[f"{named[0]}.range"] = np.array([low, high], dtype=np.float32)
    return found


if __name__ == "__main__":
    main()
