"""The encoders: the bundled model offline, a model by path, and everything that must be refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from index import EncoderError, IndexMismatchError, load_encoder, open_index, rebuild, update
from index.encoder import (
    BUNDLED_SHA256,
    Encoder,
    SentenceTransformerEncoder,
    bundled_folder,
)
from index.model_files import file_sha256

from .conftest import age, write_files


@pytest.fixture(scope="module")
def bundled() -> Encoder:
    return load_encoder()


@pytest.fixture
def copied_model(small_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_model, tmp_path / "copied"))


def test_bundled_weights_are_the_known_ones() -> None:
    (weights,) = bundled_folder().rglob("*.safetensors")
    assert file_sha256(weights) == BUNDLED_SHA256


def test_bundled_model_gives_unit_vectors(bundled: Encoder) -> None:
    vectors = bundled.encode_passages(["One text.", "", "中文 🙂", "long " * 2_000])
    assert (vectors.shape, vectors.dtype, bundled.dimension) == ((4, 384), np.float32, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    question = bundled.encode_question("One text.")
    assert question.shape == (384,)
    assert float(question @ vectors[0]) == pytest.approx(1.0, abs=1e-4)


def test_bundled_model_knows_meaning(bundled: Encoder) -> None:
    cat, kitten, contract = bundled.encode_passages(["a cat", "a kitten", "a contract"])
    assert float(cat @ kitten) > 0.7 > 0.4 > float(cat @ contract)


def test_bundled_model_by_either_name() -> None:
    full = load_encoder("sentence-transformers/all-MiniLM-L6-v2")
    assert (full.name, full.fingerprint) == (load_encoder().name, load_encoder().fingerprint)
    assert (full.name, full.max_tokens) == ("all-MiniLM-L6-v2", 254)


def test_nothing_is_cut_by_the_tokenizer(bundled: Encoder) -> None:
    texts = ["word " * 1_000, "Zażółć gęślą", "🧑🏽‍🚀 in space", "中文字", "", "unbelievably"]
    for text, offsets in zip(texts, bundled.token_offsets(texts), strict=True):
        read = "".join(text[start:end] for start, end in offsets)
        assert read == "".join(text.split())
    assert len(bundled.token_offsets(texts)[0]) == 1_000


def test_other_weights_are_refused_before_they_are_loaded(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bundled_folder(), tmp_path / "model"))
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    encoder = SentenceTransformerEncoder("mine", folder, BUNDLED_SHA256)
    with pytest.raises(EncoderError, match=r"weights .* are not those of mine"):
        encoder.encode_question("text")


def test_wrong_checksum_is_refused(small_model: Path) -> None:
    encoder = SentenceTransformerEncoder("mine", small_model, "0" * 64)
    for use in (lambda: encoder.dimension, lambda: encoder.encode_passages(["text"])):
        with pytest.raises(EncoderError, match="not those of mine"):
            use()


@pytest.mark.parametrize("name", ["nobody/no-such-model", "nobody", "a/b/c", "bad name!", ""])
def test_unknown_name_offline(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderError) as caught:
        load_encoder(name)
    assert name in str(caught.value)


def test_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"modules\.json is missing"):
        load_encoder(str(tmp_path))


def test_only_safetensors_are_read(copied_model: Path) -> None:
    weights = copied_model / "model.safetensors"
    weights.rename(copied_model / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="no safetensors weights"):
        load_encoder(str(copied_model))


def test_model_without_a_fast_tokenizer(copied_model: Path) -> None:
    (copied_model / "tokenizer.json").unlink()
    with pytest.raises(EncoderError, match=r"no tokenizer\.json"):
        load_encoder(str(copied_model)).token_offsets(["text"])


def test_damaged_weights_are_an_encoder_error(copied_model: Path) -> None:
    weights = copied_model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(EncoderError, match="can't be loaded"):
        load_encoder(str(copied_model)).encode_question("text")


def test_damaged_tokenizer_is_an_encoder_error(copied_model: Path) -> None:
    (copied_model / "tokenizer.json").write_text("{}")
    with pytest.raises(EncoderError):
        load_encoder(str(copied_model)).token_offsets(["text"])


def test_fingerprint_follows_what_the_vectors_come_from(copied_model: Path) -> None:
    before = load_encoder(str(copied_model)).fingerprint
    assert load_encoder(str(copied_model)).fingerprint == before
    (copied_model / "README.md").write_text("A note.")
    assert load_encoder(str(copied_model)).fingerprint == before
    config = copied_model / "1_Pooling" / "config.json"
    config.write_text(config.read_text() + " ")
    after_config = load_encoder(str(copied_model)).fingerprint
    weights = copied_model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x55")
    assert len({before, after_config, load_encoder(str(copied_model)).fingerprint}) == 3


def test_input_length_comes_from_the_model(copied_model: Path) -> None:
    for name, key, expected in (
        ("tokenizer_config.json", "model_max_length", 80 - 2),
        ("config.json", "max_position_embeddings", 96 - 2),
    ):
        assert load_encoder(str(copied_model)).max_tokens == expected
        values = json.loads((copied_model / name).read_text())
        del values[key]
        (copied_model / name).write_text(json.dumps(values))
    with pytest.raises(EncoderError, match="does not say how many word pieces"):
        _ = load_encoder(str(copied_model)).max_tokens


def test_model_by_path_end_to_end(small_model: Path, folder: Path, index_dir: Path) -> None:
    write_files(folder, {"a.txt": "The red car is fast. " * 30, "b.txt": "The van is slow."})
    age(folder)
    report = rebuild(folder, index_dir, encoder=str(small_model))
    assert report.counts == {"indexed": 2}
    with open_index(index_dir) as index:  # finds the model again by its name
        assert index.encoder.name == str(small_model)
        live = index.live()
        assert live.manifest.encoder["dimension"] == 32
        found = live.search_vectors(index.encoder.encode_question("The van is slow."), 1, None, "")
        (passage,) = live.passages([found[0][0]], None)
        assert passage.sources == ("b.txt",)
        assert found[0][1] == pytest.approx(1.0, abs=1e-4)
    assert not update(folder, index_dir).published
    with pytest.raises(IndexMismatchError, match="rebuild"):
        update(folder, index_dir, encoder=load_encoder())
