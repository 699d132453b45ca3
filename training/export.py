"""Trained weights -> the model that ships: 8-bit weights for OpenVINO, tokenizer, checksum."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from qa.span_model import BUNDLED_FOLDER, MODEL_FILES
from training.network import CLS, SEP, SpanNetwork, encoder_folder

NAME = "minilm-l6-span"
INPUTS = ("pieces", "segments", "mask")


def weights_at(path: Path) -> dict[str, Tensor]:
    """The weights of a run's file, or of the folder of an exported model."""
    return read_back(path) if path.is_dir() else load_file(path)


def read_back(folder: Path = BUNDLED_FOLDER) -> dict[str, Tensor]:
    """The weights of an exported model, as exact as its 8 bits, to train on from.

    The matrices of the layers lost their names in the export; they stand in the network's order.
    """
    import openvino

    stored: dict[str, Tensor] = {}
    for node in openvino.Core().read_model(folder / "model.xml").get_ordered_ops():
        if node.get_type_name() == "Constant":
            stored[node.get_friendly_name()] = torch.from_numpy(node.data.astype("float32"))
    state = {name: torch.empty_like(value) for name, value in SpanNetwork().state_dict().items()}
    nameless = iter(
        sorted(
            (name for name in stored if re.fullmatch(r"onnx::MatMul_\d+", name)),
            key=lambda name: int(name[13:]),
        )
    )
    for name, value in state.items():
        if name in stored:
            value.copy_((stored[name] * stored.get(f"{name}/scale", torch.ones(1))).reshape(value.shape))
        else:
            matrix = next(nameless)
            value.copy_((stored[matrix] * stored[f"{matrix}/scale"]).T)
    assert next(nameless, None) is None
    return state


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
