"""Passages are embedded while further files are read, and reading never waits for it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from index import EncoderError, ahead, intake, rebuild, update, verify
from index.sandbox import Limits, ReadFile, Request
from index.sandbox import read_files as really_read

from .conftest import TinyEncoder, write_files

FILES = {f"f{number}.txt": f"The car number {number} is red." for number in range(10)}
PATIENCE = 20.0


@pytest.fixture
def library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ahead, "BATCH", 2)
    write_files(folder, FILES)
    return folder


class WatchedEncoder(TinyEncoder):
    """Says when it is called, and goes on when it may."""

    def __init__(self, *, may_go_on: bool = True) -> None:
        super().__init__()
        self.called = threading.Event()
        self.go_on = threading.Event()
        if may_go_on:
            self.go_on.set()

    def encode_passages(self, texts: Sequence[str]) -> np.ndarray:
        self.called.set()
        assert self.go_on.wait(PATIENCE), "nobody let the encoder go on"
        return super().encode_passages(texts)


def test_passages_are_embedded_while_files_are_read(
    library: Path, index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = WatchedEncoder()

    def held(requests: Iterable[Request], limits: Limits) -> Iterable[list[ReadFile]]:
        for number, read in enumerate(really_read(requests, limits)):
            if number == len(FILES) - 1:
                assert encoder.called.wait(PATIENCE), "nothing was embedded before the last file"
            yield read

    monkeypatch.setattr(intake, "read_files", held)
    report = rebuild(library, index_dir, encoder=encoder)
    assert (report.embedded, len(encoder.encoded)) == (10, 10)
    assert verify(index_dir) == ()


def test_reading_does_not_wait_for_the_encoder(
    library: Path, index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "WAITING", 1)
    encoder = WatchedEncoder(may_go_on=False)

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "read" and done == total:
            encoder.go_on.set()

    report = rebuild(library, index_dir, encoder=encoder, progress=progress)
    assert (report.embedded, report.passages, len(encoder.encoded)) == (10, 10, 10)
    assert verify(index_dir) == ()


class BrokenEncoder(TinyEncoder):
    def encode_passages(self, texts: Sequence[str]) -> np.ndarray:
        raise EncoderError("its weights can't be read")


def test_an_encoder_that_fails_stops_the_build_and_is_no_fault_of_the_files(
    library: Path, index_dir: Path
) -> None:
    rebuild(library, index_dir, encoder=TinyEncoder("before"))
    with pytest.raises(EncoderError, match="can't be read"):
        rebuild(library, index_dir, encoder=BrokenEncoder())
    report = update(library, index_dir, encoder=TinyEncoder("before"))
    assert (report.counts, report.published) == ({"indexed": 10}, False)


def test_what_is_in_the_cache_is_not_embedded_again(library: Path, index_dir: Path) -> None:
    rebuild(library, index_dir, encoder=TinyEncoder())
    encoder = TinyEncoder()
    assert rebuild(library, index_dir, encoder=encoder).embedded == 0
    assert encoder.encoded == []
