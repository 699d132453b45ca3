"""The encoder as OpenVINO runs it: exported once, the model's own vectors, torch where that fails."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from index import EncoderError, load_encoder
from index.encoder import BUNDLED_SCALES, SentenceTransformerEncoder, bundled_folder, export
from index.encoder.torch_model import TorchModel

from .conftest import ROOT, SEEDS

TEXTS = (SEEDS / "000_4d6451841364124c.txt").read_text(encoding="utf-8").split("\n\n")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder; what was compiled before is still found."""
    monkeypatch.setenv("FOOTNOTE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_export_gives_the_models_own_vectors(small_model: Path, cache: Path) -> None:
    encoder, model = load_encoder(str(small_model)), TorchModel(small_model)
    texts = ["the red car", "", "a van . " * 200, "is the car fast ?", "slow"]
    cosines = np.sum(encoder.encode_passages(texts) * model.encode_passages(texts), axis=1)
    assert cosines == pytest.approx(np.ones(5), abs=1e-3)
    assert encoder.encode_question("a car") @ model.encode_question("a car") == pytest.approx(1, abs=1e-3)
    assert (encoder.runtime.name, encoder.dimension) == ("OpenVINO", 32)


def test_the_bundled_encoder_in_eight_bits_is_near_the_models_own_vectors() -> None:
    encoder, model = load_encoder(), TorchModel(bundled_folder())
    cosines = np.sum(encoder.encode_passages(TEXTS) * model.encode_passages(TEXTS), axis=1)
    assert cosines.mean() > 0.995
    assert cosines.min() > 0.98


def test_a_text_has_the_same_vector_alone_and_among_others() -> None:
    encoder = load_encoder()
    together = encoder.encode_passages(TEXTS)
    alone = np.stack([encoder.encode_passages([text])[0] for text in TEXTS])
    assert np.sum(together * alone, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=2e-3)


def test_a_model_is_exported_once(small_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_encoder(str(small_model)).encode_question("a car")
    monkeypatch.setattr(export, "TorchModel", None)
    assert load_encoder(str(small_model)).encode_question("a car") == pytest.approx(before, abs=1e-4)


def test_an_export_cut_off_leaves_nothing_behind(
    small_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    encoder = load_encoder(str(small_model))
    with monkeypatch.context() as patched:
        patched.setattr(TorchModel, "export", stop)
        with pytest.raises(KeyboardInterrupt):
            encoder.encode_question("a car")
    assert list((cache / "encoders").iterdir()) == []
    assert load_encoder(str(small_model)).runtime.name == "OpenVINO"


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("<net")])
def test_a_damaged_export_is_told_with_the_remedy(small_model: Path, cache: Path, damage) -> None:
    load_encoder(str(small_model)).encode_question("a car")
    (kept,) = (cache / "encoders").iterdir()
    damage(kept / "model.xml")
    with pytest.raises(EncoderError, match="delete that folder"):
        load_encoder(str(small_model)).encode_question("a car")


def test_another_version_of_the_weights_is_another_export(
    small_model: Path, cache: Path, tmp_path: Path
) -> None:
    load_encoder(str(small_model)).encode_question("a car")
    copied = Path(shutil.copytree(small_model, tmp_path / "copied"))
    pooling = copied / "1_Pooling" / "config.json"
    pooling.write_text(pooling.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    load_encoder(str(copied)).encode_question("a car")
    assert len(list((cache / "encoders").iterdir())) == 2


def test_a_model_that_cannot_be_exported_is_run_by_torch(
    small_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise NotImplementedError("no such operation")

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(TorchModel, "export", fail)
        encoder = load_encoder(str(small_model))
        vector = encoder.encode_question("a car")
    assert "no such operation" in caplog.text
    assert "slower" in caplog.text
    assert encoder.runtime.name == "torch"
    assert vector == pytest.approx(TorchModel(small_model).encode_question("a car"), abs=1e-5)
    assert load_encoder(str(small_model)).runtime.name == "torch"  # and it is not tried each time


def test_a_full_disk_is_no_property_of_the_model(
    small_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no space left")

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr("openvino.save_model", fail)
        assert load_encoder(str(small_model)).runtime.name == "torch"
    assert "no space left" in caplog.text
    assert list((cache / "encoders").iterdir()) == []
    assert load_encoder(str(small_model)).runtime.name == "OpenVINO"


def test_an_export_with_other_vectors_is_not_used(
    small_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(export, "LEAST_COSINE", 1.1)
    with caplog.at_level(logging.WARNING):
        assert load_encoder(str(small_model)).runtime.name == "torch"
    assert "differ from its own" in caplog.text


def test_where_no_export_can_be_kept_torch_runs_the_model(
    small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FOOTNOTE_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        assert load_encoder(str(small_model)).runtime.name == "torch"
    assert "FOOTNOTE_CACHE=DIR" in caplog.text


def test_scales_of_another_model_are_refused(small_model: Path, cache: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "none.npz")
    encoder = SentenceTransformerEncoder("mine", small_model, None, tmp_path / "none.npz")
    with pytest.raises(EncoderError, match="no scales for"):
        encoder.encode_question("a car")


def test_the_scales_are_those_of_every_layer() -> None:
    stored = np.load(BUNDLED_SCALES)
    assert len(stored.files) == 2 * 6 * 6  # six products in each of six layers
    assert all(np.isfinite(stored[name]).all() for name in stored.files)


def test_loading_leaves_the_locale_as_it_was(seed_index) -> None:
    code = (
        "import locale; from qa import QA\n"
        "before = locale.setlocale(locale.LC_ALL, '')\n"
        f"QA.open({seed_index.index_dir!r}).load()\n"
        "print(before == locale.setlocale(locale.LC_ALL))"
    )
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    for _ in range(5):  # what changes it is a race
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == "True"


def test_asking_loads_no_torch(seed_index) -> None:
    code = (
        "import sys; from qa import QA\n"
        f"answer = QA.open({seed_index.index_dir!r}).ask('How much is Amazon investing in Anthropic?')\n"
        "print(answer.found, 'torch' in sys.modules, 'transformers' in sys.modules, 'scipy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split() == ["True", "False", "False", "False"]
