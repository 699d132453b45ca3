"""What a command line names: which files count, and which index is meant."""

from __future__ import annotations

import pytest

from index import ScanOptions, builder, recorded_options, status, terminal
from index.__main__ import app as index_app
from index.terminal import exit_code

from .conftest import TinyEncoder, write_files

FILES = {"a.txt": "Alpha words.", "b.md": "Beta words.", "big.txt": "Gamma words. " * 100}


@pytest.fixture
def run(monkeypatch, folder, index_dir):
    """Run `python -m index COMMAND FOLDER --index DIR OPTIONS` with the tiny encoder."""
    monkeypatch.setattr(builder, "load_encoder", lambda name: TinyEncoder())
    write_files(folder, FILES)

    def go(command: str, *options: str) -> int:
        return exit_code(
            index_app, "index", [command, str(folder), "--index", str(index_dir), *options, "-q"]
        )

    return go


def sources(index_dir) -> list[str]:
    return [document.source for document in status(index_dir).documents if document.status == "indexed"]


def test_each_option_stays_until_it_is_given_again(run, index_dir):
    assert run("rebuild", "--exclude", "*.md") == 0
    assert sources(index_dir) == ["a.txt", "big.txt"]
    assert run("update", "--max-file-size", "1KB") == 0
    assert sources(index_dir) == ["a.txt"]
    assert recorded_options(index_dir) == ScanOptions(exclude=("*.md",), max_file_size=1000)
    assert run("update") == 0
    assert sources(index_dir) == ["a.txt"]
    assert run("rebuild") == 0
    assert sources(index_dir) == ["a.txt", "b.md", "big.txt"]


def test_a_pattern_that_no_file_matches_changes_nothing(run, index_dir, capsys):
    assert run("rebuild") == 0
    assert run("update", "--include", "*.pdfx") == 2
    assert "*.pdfx" in capsys.readouterr().err
    assert len(sources(index_dir)) == 3


def test_an_index_is_found_by_its_folder(run, folder, tmp_path, monkeypatch):
    monkeypatch.delenv("FOOTNOTE_INDEX", raising=False)
    assert exit_code(index_app, "index", ["rebuild", str(folder), "-q"]) == 0
    place = folder.parent / ".footnote" / folder.name
    assert terminal.find_index(folder) == place
    assert terminal.find_index(place) == place
    monkeypatch.chdir(tmp_path)
    assert terminal.find_index(None).resolve() == place


def test_a_folder_that_is_not_there_is_told_before_its_index(tmp_path, capsys):
    assert exit_code(index_app, "index", ["status", str(tmp_path / "dcos")]) == 2
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["", "0", "5 parsecs", "-1MB", "1.5GB"])
def test_a_size_that_is_none_is_a_usage_error(run, size, capsys):
    assert run("rebuild", "--max-file-size", size) == 2
    assert "write it like" in capsys.readouterr().err
