"""One bad file costs itself: it gets a status and a reason, the rest is indexed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from index import (
    CorruptError,
    Document,
    DocumentStatus,
    EncryptedError,
    NoTextLayerError,
    parsers,
    rebuild,
    status,
    update,
    verify,
)
from index.model import Block, Section

from .conftest import TinyEncoder, age, write_files

GOOD = {"good.txt": "Some good words."}
Build = Callable[..., dict[str, DocumentStatus]]


@pytest.fixture
def build(folder: Path, index_dir: Path, tiny_encoder: TinyEncoder, in_process: None) -> Build:
    """Write files beside a good one, update the index, and return the status rows of the others."""

    def make(files: dict[str, str | bytes]) -> dict[str, DocumentStatus]:
        write_files(folder, GOOD | files)
        report = update(folder, index_dir, encoder=tiny_encoder)
        rows = {document.source: document for document in status(index_dir).documents}
        assert rows.pop("good.txt").status == "indexed"
        assert report.failed == tuple(row for row in rows.values() if row.status == "failed")
        assert verify(index_dir) == ()
        return rows

    return make


def parse_with(monkeypatch: pytest.MonkeyPatch, parse: Callable[[bytes], Document]) -> None:
    """Have Markdown files read by ``parse``."""
    monkeypatch.setattr("index.parsers.markdown.parse", parse)


@pytest.mark.parametrize(
    ("name", "content", "expected", "reason"),
    [
        ("empty.txt", b"", "empty", "no text"),
        ("blank.txt", b" \r\n\t\n", "empty", "no text"),
        ("blank.md", b"\n\n", "empty", "no text"),
        ("binary.txt", bytes(range(256)) * 20, "unsupported", "binary"),
        ("picture.png", b"\x89PNG", "unsupported", ".png files are not supported"),
        ("no extension", b"\x7fELF" + bytes(range(256)), "unsupported", "binary"),
        ("broken.pdf", b"%PDF-1.7\nthis is no PDF", "failed", ""),
        ("damaged.txt", "Příliš žluťoučký kůň. ".encode() * 40 + b"\xc3(", "failed", "UTF-8"),
    ],
)
def test_status_and_reason(build: Build, name: str, content: bytes, expected: str, reason: str) -> None:
    row = build({name: content})[name]
    assert row.status == expected
    assert row.reason
    assert reason in row.reason
    assert (row.passages, row.pages, row.duplicate_of) == (0, 0, None)


def test_unreadable_file(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    read_bytes = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "locked.txt":
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        row = build({"locked.txt": "Words."})["locked.txt"]
        assert (row.status, row.reason) == ("failed", "the file can't be read: Permission denied")
        assert row.sha256 is None
    assert build({})["locked.txt"].status == "indexed"  # it is tried again, though nothing changed


def test_file_that_goes_while_it_is_read(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    read_bytes = Path.read_bytes

    def vanish(path: Path) -> bytes:
        if path.name == "gone.txt":
            path.unlink()
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", vanish)
    assert build({"gone.txt": "Words."})["gone.txt"].status == "failed"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("odd"),
        RecursionError("deep"),
        AssertionError("wrong"),
        KeyError("k"),
        OSError(5, "Input/output error"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        type("HouseError", (Exception,), {})("custom"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_parser_that_raises_costs_one_file(
    build: Build, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(data: bytes) -> Document:
        raise error

    parse_with(monkeypatch, fail)
    row = build({"a.md": "# Words"})["a.md"]
    assert row.status == "failed"
    assert f"the markdown parser stopped at it ({type(error).__name__}: {error})" == row.reason


def test_parser_out_of_memory_costs_one_file(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(data: bytes) -> Document:
        raise MemoryError

    parse_with(monkeypatch, fail)
    row = build({"a.md": "# Words"})["a.md"]
    assert (row.status, row.reason) == ("failed", "it takes more memory than a parser may use")


@pytest.mark.parametrize("error", [CorruptError, EncryptedError, NoTextLayerError])
def test_parse_errors_are_statuses(
    build: Build, monkeypatch: pytest.MonkeyPatch, error: type[CorruptError]
) -> None:
    def refuse(data: bytes) -> Document:
        raise error("told by the parser")

    parse_with(monkeypatch, refuse)
    row = build({"a.md": "# Words"})["a.md"]
    assert (row.status, row.reason) == (error.status, "told by the parser")


def test_half_a_surrogate_pair_costs_one_file(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    parse_with(monkeypatch, lambda data: Document(None, "half \ud800", ()))
    assert build({"a.md": "# Words"})["a.md"].status == "failed"


def told(title: str | None = None, notice: str = "", error: str = "") -> Document:
    if error:
        raise ValueError(error)
    return Document(title, "Words.", (Section((), (Block(0, 6),)),), notice=notice)


@pytest.mark.parametrize("place", ["title", "notice", "error"])
def test_half_a_surrogate_pair_anywhere_costs_one_file(
    build: Build, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    parse_with(monkeypatch, lambda data: told(**{place: "half \ud800"}))
    assert "a.md" in build({"a.md": "# Words"})


def test_document_without_blocks_is_empty(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    parse_with(monkeypatch, lambda data: Document(None, "Front matter only.", ()))
    row = build({"a.md": "# Words"})["a.md"]
    assert (row.status, row.reason) == ("empty", "there is no text in it to index")


def test_failed_file_is_not_parsed_again_until_it_changes(
    build: Build, folder: Path, index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []

    def fail(data: bytes) -> Document:
        parsed.append(data)
        raise ValueError("odd")

    parse_with(monkeypatch, fail)
    build({"a.md": "# One"})
    age(folder)
    update(folder, index_dir, encoder=TinyEncoder())
    assert update(folder, index_dir, encoder=TinyEncoder()).published is False
    os.utime(folder / "a.md", ns=(1, 1))
    build({})
    assert parsed == [b"# One"]
    assert len(update(folder, index_dir, encoder=TinyEncoder()).failed) == 1  # still reported
    build({"a.md": "# Two"})
    assert parsed == [b"# One", b"# Two"]
    monkeypatch.undo()
    build({"a.md": "# Three words"})
    assert status(index_dir).counts["failed"] == 0


def test_new_parser_version_reads_again(build: Build, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    write_files(folder, {"a.md": "# Title\n\nWords."})
    os.utime(folder / "a.md", ns=(1, 1))
    assert build({})["a.md"].title == "Title"
    better = tuple(
        replace(parser, version=parser.version + 1) if parser.name == "markdown" else parser
        for parser in parsers.PARSERS
    )
    parse_with(monkeypatch, lambda data: Document("Better", "x", ()))
    monkeypatch.setattr(parsers, "PARSERS", better)
    assert build({})["a.md"].status == "empty"


def test_a_folder_of_bad_files_is_still_an_index(
    folder: Path, index_dir: Path, tiny_encoder: TinyEncoder
) -> None:
    write_files(folder, {"a.pdf": b"%PDF-1.7 broken", "b.txt": b"", "c.bin": b"\0"})
    report = rebuild(folder, index_dir, encoder=tiny_encoder)
    assert report.counts == {"failed": 1, "empty": 1, "unsupported": 1}
    assert [document.source for document in report.failed] == ["a.pdf"]
    assert (report.passages, verify(index_dir)) == (0, ())


def test_interrupt_is_no_failed_file(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(data: bytes) -> Document:
        raise KeyboardInterrupt

    parse_with(monkeypatch, interrupt)
    with pytest.raises(KeyboardInterrupt):
        build({"a.md": "# Words"})
