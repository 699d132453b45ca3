"""Several folders share one index; their documents are called by the name of their folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import FolderError, IndexMismatchError, UsageError, open_index, rebuild, status, update, verify
from index.__main__ import app
from index.terminal import exit_code

from .conftest import TinyEncoder, write_files


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    write_files(tmp_path / "reports", {"a.txt": "The car is red.", "sub/b.txt": "The van is slow."})
    write_files(tmp_path / "mails", {"a.txt": "The van is red.", ".footnoteignore": "*.bak", "x.bak": "Old."})
    return [tmp_path / "reports", tmp_path / "mails"]


def sources(index_dir: Path) -> list[str]:
    return [document.source for document in status(index_dir).documents]


def test_documents_are_called_by_their_folder(roots: list[Path], index_dir: Path) -> None:
    report = rebuild(roots, index_dir, encoder=TinyEncoder())
    assert report.added == ("mails/a.txt", "reports/a.txt", "reports/sub/b.txt")
    assert verify(index_dir) == ()
    with open_index(index_dir, TinyEncoder()) as index:
        assert index.live().text("mails/a.txt") == "The van is red."
        assert index.live().match(["reports/*"]) == {"reports/a.txt", "reports/sub/b.txt"}
    for root in roots:
        assert str(root) in status(index_dir).folder


def test_updates_touch_what_changed_in_either(roots: list[Path], index_dir: Path) -> None:
    rebuild(roots, index_dir, encoder=TinyEncoder())
    (roots[0] / "a.txt").rename(roots[1] / "moved.txt")
    encoder = TinyEncoder()
    report = update(reversed(roots), index_dir, encoder=encoder)
    assert report.renamed == (("reports/a.txt", "mails/moved.txt"),)
    assert encoder.encoded == []


def test_a_folder_can_be_added(roots: list[Path], index_dir: Path, tmp_path: Path) -> None:
    rebuild(roots, index_dir, encoder=TinyEncoder())
    write_files(tmp_path / "notes", {"n.txt": "A red note."})
    assert update([*roots, tmp_path / "notes"], index_dir, encoder=TinyEncoder()).added == ("notes/n.txt",)


def test_a_folder_is_not_dropped_by_an_update(roots: list[Path], index_dir: Path) -> None:
    rebuild(roots, index_dir, encoder=TinyEncoder())
    with pytest.raises(IndexMismatchError, match="rebuild"):
        update(roots[:1], index_dir, encoder=TinyEncoder())
    assert sources(index_dir) == ["mails/a.txt", "reports/a.txt", "reports/sub/b.txt"]
    rebuild(roots[:1], index_dir, encoder=TinyEncoder())
    assert sources(index_dir) == ["a.txt", "sub/b.txt"]


def test_several_folders_need_a_named_place(roots: list[Path]) -> None:
    with pytest.raises(UsageError, match="--index DIR"):
        rebuild(roots, encoder=TinyEncoder())


def test_folders_must_tell_their_documents_apart(roots: list[Path], index_dir: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "other" / "mails", {"a.txt": "Another."})
    with pytest.raises(FolderError, match="'mails'"):
        rebuild([*roots, tmp_path / "other" / "mails"], index_dir, encoder=TinyEncoder())
    with pytest.raises(FolderError, match="lies inside"):
        rebuild([roots[0], roots[0] / "sub"], index_dir, encoder=TinyEncoder())
    with pytest.raises(FolderError, match="'reports'"):
        rebuild([roots[0], roots[0]], index_dir, encoder=TinyEncoder())
    assert not index_dir.exists()


def test_the_command_line_takes_several(
    roots: list[Path], index_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["rebuild", *map(str, roots), "--index", str(index_dir)]
    assert exit_code(app, "index", command) == 0
    assert "3 indexed" in capsys.readouterr().out
    assert exit_code(app, "index", ["update", *map(str, roots), "--index", str(index_dir)]) == 0
    assert exit_code(app, "index", ["rebuild", *map(str, roots)]) == 2
