"""An OpenVINO model's matrix products in 8 bits, with scales that were measured beforehand.

What goes into a product is divided by a smoothing scale for each column, so that no column is far wider
than the others, and the weights are multiplied by it (Xiao et al. 2023, SmoothQuant). Then the input is
rounded to 256 levels of a measured range, and each row of the weights to 255 of its own. The runtime
recognises the pattern and multiplies bytes. ``training/encoder_scales.py`` measures the scales.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from index.errors import EncoderError

PRODUCT = re.compile(r"encoder\.layer\.\d+\.[\w.]+?(?=/)")
"""The name of a matrix product's layer within the name of its node."""

LEVELS = 256
LARGEST = 127


def make_eight_bit(model: Any, scales: Path) -> None:  # noqa: ANN401 - openvino has no types
    """Change ``model`` in place.

    Args:
        model: an openvino.Model with fp32 weights.
        scales: for each layer "NAME.smooth", fp32 of shape (columns,), and "NAME.range", its least and
            greatest smoothed input.

    Raises:
        EncoderError: the scales are not those of this model.
    """
    from openvino import opset13 as ops

    stored = np.load(scales, allow_pickle=False)
    rounded: dict[tuple[str, bytes], Any] = {}
    for node in model.get_ordered_ops():
        named = PRODUCT.search(node.get_friendly_name())
        if node.get_type_name() != "MatMul" or named is None:
            continue
        layer = named[0]
        if f"{layer}.smooth" not in stored:
            raise EncoderError(f"{scales} has no scales for {layer}")
        smooth, (low, high) = stored[f"{layer}.smooth"], stored[f"{layer}.range"]
        given = node.input_value(0)
        key = (given.get_node().get_friendly_name(), smooth.tobytes())
        if key not in rounded:  # what goes into several products is rounded once
            smoothed = ops.multiply(given, ops.constant(1 / smooth))
            rounded[key] = ops.fake_quantize(smoothed, low, high, low, high, LEVELS)
        weights = node.input_value(1).get_node().data * smooth
        steps = np.abs(weights).max(axis=1, keepdims=True) / LARGEST
        bytes_ = ops.constant(np.rint(weights / steps).astype(np.int8))
        restored = ops.multiply(ops.convert(bytes_, "f32"), ops.constant(steps.astype(np.float32)))
        node.input(0).replace_source_output(rounded[key].output(0))
        node.input(1).replace_source_output(restored.output(0))
    model.validate_nodes_and_infer_types()
