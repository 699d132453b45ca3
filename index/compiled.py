"""Models for OpenVINO -> compiled models, kept on disk so that the next process need not compile."""

from __future__ import annotations

import logging
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

CACHE_VARIABLE = "FOOTNOTE_CACHE"

ACTIVATIONS_A_SCALE = 96
"""Where weights are in 8 bits, OpenVINO multiplies bytes and gives each group of this many activations a
scale of their own. Its default, 32, is a fifth slower; docs/performance.md has the curve."""

_LOG = logging.getLogger(__name__)

_compiling = threading.Lock()
"""OpenVINO sets the process's locale to "C" and back while it reads a model: two at once leave it at "C"."""


def cache_folder() -> Path:
    """Where exported and compiled models are kept: $FOOTNOTE_CACHE, else the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("footnote", appauthor=False))


def compiled_model(path: Path, *, is_kept: bool = True) -> Any:  # noqa: ANN401 - openvino has no types
    """The model in ``path`` (.xml) compiled for this machine's processor, for good or for once."""
    settings: dict[str, object] = {
        "PERFORMANCE_HINT": "LATENCY",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": ACTIVATIONS_A_SCALE,
    }
    if not is_kept:
        settings["CACHE_DIR"] = ""
    with _compiling:
        return _core().compile_model(path, "CPU", settings)


def supports_eight_bits() -> bool:
    """Whether the processor multiplies bytes faster than floats."""
    return "INT8" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def _core() -> Any:  # noqa: ANN401 - openvino has no types
    import openvino

    core = openvino.Core()
    folder = cache_folder() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _LOG.warning("models are compiled in every process, for %s can't be made: %s", folder, error)
    else:
        core.set_property({"CACHE_DIR": str(folder)})
    return core
