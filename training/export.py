"""Trained weights -> the model that ships: 8-bit weights for OpenVINO, tokenizer, checksum."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import torch

from qa.span_model import BUNDLED_FOLDER, MODEL_FILES
from training.network import CLS, SEP, SpanNetwork, encoder_folder

NAME = "minilm-l6-span"
INPUTS = ("pieces", "segments", "mask")


def export(network: SpanNetwork, folder: Path = BUNDLED_FOLDER) -> None:
    """Write the model for OpenVINO, every matrix in 8 bits with a scale for each row."""
    os.environ["NNCF_CI"] = "1"  # nncf reports its use otherwise
    import nncf
    import openvino

    folder.mkdir(parents=True, exist_ok=True)
    example = torch.tensor([[CLS, 2054, SEP, 3007, SEP]] * 2)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        torch.onnx.export(
            network,
            (example, torch.zeros_like(example), torch.ones_like(example)),
            path,
            input_names=list(INPUTS),
            output_names=["logits"],
            dynamic_axes={name: {0: "batch", 1: "length"} for name in (*INPUTS, "logits")},
            dynamo=False,
        )
        model = openvino.Core().read_model(path)
    compressed = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
    openvino.save_model(compressed, folder / "model.xml")
    shutil.copyfile(encoder_folder() / "tokenizer.json", folder / "tokenizer.json")
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in MODEL_FILES}
    card = {"name": NAME, "sha256": digests}
    (folder / "model.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
