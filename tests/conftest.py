"""What several test files share: a tiny encoder, small libraries of documents, both indexes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from index import BuildReport, rebuild
from qa import QA

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.pop("FOOTNOTE_INDEX", None)

SEEDS = Path(__file__).parent.parent / "seeds"

settings.register_profile("footnote", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("footnote")


class TinyEncoder:
    """A deterministic encoder of hashed words: no model, no meaning, unit vectors of 64."""

    name = "tiny"
    dimension = 64
    max_tokens = 254

    def __init__(self, fingerprint: str = "tiny-1") -> None:
        self.fingerprint = fingerprint
        self.encoded: list[str] = []

    def token_offsets(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        return [[match.span() for match in re.finditer(r"\w+|[^\w\s]", text)] for text in texts]

    def encode_passages(self, texts: Sequence[str]) -> np.ndarray:
        self.encoded += texts
        return np.stack([self._encode(text) for text in texts])

    def encode_question(self, text: str) -> np.ndarray:
        return self._encode(text)

    def _encode(self, text: str) -> np.ndarray:
        vector = np.full(self.dimension, 1e-3, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()):
            vector[
                int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16) % self.dimension
            ] += 1
        return vector / np.linalg.norm(vector)


@pytest.fixture
def tiny_encoder() -> TinyEncoder:
    return TinyEncoder()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for documents."""
    made = tmp_path / "library"
    made.mkdir()
    return made


@pytest.fixture
def index_dir(tmp_path: Path) -> Path:
    """Where an index may be made."""
    return tmp_path / "index"


@pytest.fixture
def ask_files(
    folder: Path, index_dir: Path, tiny_encoder: TinyEncoder
) -> Callable[[dict[str, str | bytes]], QA]:
    """Write files, index them with the tiny encoder, and open them for asking."""
    opened: list[QA] = []

    def make(files: dict[str, str | bytes]) -> QA:
        write_files(folder, files)
        rebuild(folder, index_dir, encoder=tiny_encoder)
        opened.append(QA.open(index_dir, encoder=tiny_encoder))
        return opened[-1]

    yield make
    for qa in opened:
        qa.close()


@pytest.fixture(scope="session")
def seed_index(tmp_path_factory: pytest.TempPathFactory) -> BuildReport:
    """The index of ``seeds/`` with the real encoder, built once."""
    return rebuild(SEEDS, tmp_path_factory.mktemp("seeds") / "index")


@pytest.fixture(scope="session")
def seed_qa(seed_index: BuildReport) -> QA:
    """The seed document, opened for asking, with the real encoder."""
    with QA.open(seed_index.index_dir) as qa:
        yield qa


def write_files(folder: Path, files: dict[str, str | bytes]) -> None:
    """Write files by their relative path; text as UTF-8, line ends as given."""
    for source, content in files.items():
        path = folder / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
