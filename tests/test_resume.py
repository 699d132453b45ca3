"""A build that is stopped goes on where it stopped."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from index import (
    IndexDamagedError,
    IndexNotFoundError,
    ScanOptions,
    intake,
    rebuild,
    snapshot,
    status,
    update,
    verify,
)
from index.sandbox import Limits, ReadFile, Request
from index.sandbox import read_files as really_read

from .conftest import TinyEncoder, write_files

FILES = {f"f{number}.txt": f"The car number {number} is red." for number in range(10)}


class StoppedEncoder(TinyEncoder):
    """Embeds the first texts, and then somebody presses Ctrl-C."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def encode_passages(self, texts: Sequence[str]) -> np.ndarray:
        if self.left < len(texts):
            raise KeyboardInterrupt
        self.left -= len(texts)
        return super().encode_passages(texts)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read, as builds go on."""
    names: list[str] = []

    def noted(requests: Iterable[Request], limits: Limits) -> Iterable[list[ReadFile]]:
        def passed() -> Iterable[Request]:
            for request in requests:
                names.append(request.name)
                yield request

        return really_read(passed(), limits)

    monkeypatch.setattr(intake, "read_files", noted)
    monkeypatch.setattr("index.writing.BATCH", 2)
    monkeypatch.setattr("index.ahead.BATCH", 2)
    return names


@pytest.fixture
def library(folder: Path) -> Path:
    write_files(folder, FILES)
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    return folder


def stop(library: Path, index_dir: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        rebuild(library, index_dir, encoder=StoppedEncoder(after=6))
    with pytest.raises(IndexNotFoundError):
        status(index_dir)


def test_a_first_build_goes_on_where_it_was_stopped(library: Path, index_dir: Path, read: list[str]) -> None:
    stop(library, index_dir)
    assert sorted(read) == sorted(FILES)
    read.clear()
    encoder = TinyEncoder()
    report = update(library, index_dir, encoder=encoder)
    assert (read, len(encoder.encoded)) == ([], 4)
    assert report.added == tuple(sorted(FILES))  # what is new is new against what was published
    assert (report.passages, verify(index_dir)) == (10, ())
    assert not (index_dir / "snapshots" / ".work").exists()


def test_what_changed_meanwhile_is_read_again(library: Path, index_dir: Path, read: list[str]) -> None:
    stop(library, index_dir)
    read.clear()
    write_files(library, {"f3.txt": "The van is slow.", "new.txt": "A new van."})
    (library / "f5.txt").unlink()
    report = rebuild(library, index_dir, encoder=TinyEncoder())
    assert read == ["f3.txt", "new.txt"]
    assert report.counts == {"indexed": 10}
    assert verify(index_dir) == ()


def test_a_rebuild_goes_on_too(library: Path, index_dir: Path, read: list[str]) -> None:
    first = rebuild(library, index_dir, encoder=TinyEncoder("other"))
    with pytest.raises(KeyboardInterrupt):
        rebuild(library, index_dir, encoder=StoppedEncoder(after=6))
    assert status(index_dir).snapshot == first.snapshot
    read.clear()
    report = rebuild(library, index_dir, encoder=TinyEncoder())
    assert (read, report.embedded, report.added, report.changed) == ([], 4, (), ())


@pytest.mark.parametrize("change", ["options", "encoder", "published"])
def test_work_of_another_kind_is_not_gone_on_with(
    library: Path, index_dir: Path, read: list[str], change: str
) -> None:
    stop(library, index_dir)
    if change == "published":
        rebuild(library, index_dir, encoder=TinyEncoder("other"))
    read.clear()
    options = ScanOptions(exclude=("f1.txt",)) if change == "options" else None
    encoder = TinyEncoder("tiny-2") if change == "encoder" else TinyEncoder()
    rebuild(library, index_dir, encoder=encoder, options=options)
    assert len(read) == (9 if change == "options" else 10)


def test_damaged_work_is_thrown_away(library: Path, index_dir: Path) -> None:
    stop(library, index_dir)
    (index_dir / "snapshots" / ".work" / snapshot.CATALOG).write_bytes(b"no database" * 500)
    with pytest.raises(IndexDamagedError):
        rebuild(library, index_dir, encoder=TinyEncoder())
    assert rebuild(library, index_dir, encoder=TinyEncoder()).passages == 10
