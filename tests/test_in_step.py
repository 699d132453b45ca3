"""An updated index answers as one made anew, and a purged one knows nothing of what went."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from index import open_index, purge, rebuild, rollback, status, update, verify, writing
from qa import QA

from .conftest import TinyEncoder, write_files

QUESTIONS = ("Who is the chair?", "Who is the chair near the pier?", "Where is room 7?")


def fill(folder: Path) -> None:
    rng = random.Random(3)
    words = "chair pier room lamp boat gate Mary Paul John near old blue".split()
    files = {f"{n}.txt": f"In room {n} the {' '.join(rng.choices(words, k=9))}." for n in range(60)}
    write_files(folder, files)


def found(index_dir: Path) -> list[list[tuple[str, float]]]:
    with QA.open(index_dir, TinyEncoder()) as qa:
        return [[(p.source, round(p.score, 5)) for p in qa.search(question)] for question in QUESTIONS]


def test_an_update_answers_as_a_rebuild(folder, index_dir, tmp_path, tiny_encoder):
    fill(folder)
    rebuild(folder, index_dir, encoder=tiny_encoder)
    for n in range(5, 60):
        (folder / f"{n}.txt").unlink()
    write_files(folder, {"2.txt": "The chair is John.", "new.txt": "The pier is old."})
    update(folder, index_dir, encoder=tiny_encoder)
    rebuild(folder, tmp_path / "fresh", encoder=tiny_encoder)
    assert found(index_dir) == found(tmp_path / "fresh")
    assert verify(index_dir) == ()


def test_a_large_index_is_rewritten_when_much_was_removed(folder, index_dir, tiny_encoder, monkeypatch):
    monkeypatch.setattr(writing, "REWRITTEN_PASSAGES", 0)
    monkeypatch.setattr(writing, "REMOVED_SHARE", 0.05)
    fill(folder)
    rebuild(folder, index_dir, encoder=tiny_encoder)
    known = []
    for n in range(4):
        (folder / f"{n}.txt").unlink()
        update(folder, index_dir, encoder=tiny_encoder)
        with open_index(index_dir, tiny_encoder) as index:
            known.append(index.live().manifest.lexical_removed)
        assert verify(index_dir) == ()
    assert known == [1, 2, 0, 1]


def test_a_purge_leaves_no_word_of_what_was_deleted(folder, index_dir, tiny_encoder, monkeypatch):
    monkeypatch.setattr(writing, "REWRITTEN_PASSAGES", 0)
    monkeypatch.setattr(writing, "REMOVED_SHARE", 1.0)
    fill(folder)
    write_files(folder, {"secret.txt": "The word is xylophonist."})
    rebuild(folder, index_dir, encoder=tiny_encoder)
    (folder / "secret.txt").unlink()
    update(folder, index_dir, encoder=tiny_encoder)
    assert holds(index_dir, b"xylophonist")
    purge(index_dir, tiny_encoder)
    assert not holds(index_dir, b"xylophonist")
    assert verify(index_dir) == ()
    assert found(index_dir)[2][0][0] == "7.txt"


def holds(index_dir: Path, word: bytes) -> bool:
    return any(word in path.read_bytes() for path in index_dir.rglob("*") if path.is_file())


def test_a_mere_touch_does_not_use_up_the_rollback(folder, index_dir, tiny_encoder):
    write_files(folder, {"a.txt": "Alpha.", "b.txt": "Beta."})
    rebuild(folder, index_dir, encoder=tiny_encoder)
    (folder / "a.txt").unlink()
    update(folder, index_dir, encoder=tiny_encoder)
    (folder / "b.txt").touch()
    touched = update(folder, index_dir, encoder=tiny_encoder)
    assert touched.published
    assert rollback(index_dir).returned == ("a.txt",)
    assert {document.source for document in status(index_dir).documents} == {"a.txt", "b.txt"}


@pytest.mark.parametrize("name", ["write_vectors", "write_lexical"])
def test_a_full_disk_is_told_and_leaves_the_index_as_it_was(
    folder, index_dir, tiny_encoder, monkeypatch, name
):
    from index import IndexWriteError, builder

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    write_files(folder, {"a.txt": "Alpha."})
    rebuild(folder, index_dir, encoder=tiny_encoder)
    write_files(folder, {"b.txt": "Beta."})
    monkeypatch.setattr(builder, name, fail)
    with pytest.raises(IndexWriteError, match=r"No space left.*as it was"):
        update(folder, index_dir, encoder=tiny_encoder)
    assert verify(index_dir) == ()
    assert [document.source for document in status(index_dir).documents] == ["a.txt"]
    assert not (index_dir / "snapshots" / ".work").exists()


def test_an_index_that_can_not_be_written_can_be_asked(folder, index_dir, tiny_encoder, monkeypatch):
    write_files(folder, {"a.txt": "The chair is John."})
    rebuild(folder, index_dir, encoder=tiny_encoder)
    before = sorted(index_dir.rglob("*"))
    monkeypatch.setattr("index.lexical.os.access", lambda path, mode: False)
    assert found(index_dir)[0][0][0] == "a.txt"
    assert verify(index_dir) == ()
    assert sorted(index_dir.rglob("*")) == before
