"""Where a model's files lie, what they are, and a fingerprint of them; nothing is loaded here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from index.errors import ModelError

UNREAD = ["onnx/*", "openvino/*", "*.bin", "*.h5", "*.ot", "*.msgpack"]
"""What a hub model brings besides its safetensors weights and is not fetched."""

TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt", "*.model")
"""One of these holds a vocabulary; without it Transformers makes a tokenizer that knows no word."""


def model_folder(name: str, kind: str, remedy: str, error: type[ModelError] = ModelError) -> Path:
    """The folder of the model ``name``, which is a folder here or a model of the hub.

    Args:
        name: the path, or the name that the hub knows it by.
        kind: what the model is wanted as, for the message.
        remedy: what to do where there is no such model, for the message.
        error: the class of the error.

    Raises:
        ModelError: as ``error``: there is no such folder, and the hub does not give the model.
    """
    folder = Path(name)
    if folder.is_dir():
        return folder.resolve()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, ignore_patterns=UNREAD))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as cause:
        raise error(
            f"the {kind} {name!r} is neither a folder here nor a model that the hub gave "
            f"({type(cause).__name__}); {remedy}"
        ) from cause


def model_config(folder: Path, architecture: str, error: type[ModelError] = ModelError) -> dict[str, Any]:
    """The configuration of a Transformers model, whose folder has all that it is loaded from.

    Args:
        folder: the model's folder.
        architecture: what must stand in the name of its class, as in "ForQuestionAnswering".
        error: the class of the error.

    Raises:
        ModelError: as ``error``: a file is missing, or the model is of another kind.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise error(f"{folder} holds no Transformers model (config.json is missing); name another")
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        names = [str(name) for name in config.get("architectures") or ()]
    except (OSError, ValueError, TypeError, AttributeError) as cause:
        raise error(f"{path} can't be read ({cause}); download the model again") from cause
    if not any(architecture in name for name in names):
        raise error(
            f"the model in {folder} is {' and '.join(names) or 'of no stated architecture'}, not "
            f"...{architecture}, so that what it lacks would be random; name one that was trained for this"
        )
    model_weights(folder, error)
    if not any(any(folder.glob(name)) for name in TOKENIZERS):
        raise error(
            f"{folder} has no tokenizer (none of {', '.join(TOKENIZERS)}); download all files of the "
            "model, or save its tokenizer there with save_pretrained()"
        )
    return config


def model_weights(folder: Path, error: type[ModelError] = ModelError) -> list[Path]:
    """The files of the model's weights, sorted.

    Raises:
        ModelError: as ``error``: there are none that are safe to read.
    """
    weights = sorted(folder.rglob("*.safetensors"))
    if not weights:
        raise error(
            f"{folder} has no safetensors weights; other formats can run code when they are "
            "loaded and are not read. Save the model again with save_pretrained()"
        )
    return weights


def model_fingerprint(
    folder: Path, vocabularies: Sequence[str] = ("vocab.txt",), weights_sha256: str | None = None
) -> str:
    """Sha256 over the model's configuration, tokenizer and weights.

    Args:
        folder: the model's folder.
        vocabularies: patterns of the tokenizer's files that are no JSON.
        weights_sha256: the sha256 of its one file of weights, where that is known already.
    """
    digest = hashlib.sha256()
    files = [path for pattern in ("*.json", *vocabularies) for path in folder.rglob(pattern)]
    for path in sorted(files):
        if path.name != "data_config.json":  # a note on its training, not part of the model
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(path.read_bytes())
    weights = model_weights(folder)
    for path in weights:
        known = weights_sha256 if len(weights) == 1 else None
        digest.update((known or file_sha256(path)).encode())
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
