"""Files inside files: their rows follow the file that they lie in, whatever becomes of it."""

from __future__ import annotations

import io
import lzma
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from index import BuildReport, DocumentStatus, open_index, rebuild, status, update, verify
from index.sandbox import pool

from .conftest import TinyEncoder, write_files
from .test_archive import LOCKED


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


class Library:
    """A folder and its index."""

    def __init__(self, folder: Path, index_dir: Path) -> None:
        self.folder, self.index_dir, self.encoder = folder, index_dir, TinyEncoder()

    def update(
        self, files: Mapping[str, str | bytes] | None = None, passwords: tuple[str, ...] = ()
    ) -> BuildReport:
        write_files(self.folder, dict(files or {}))
        report = update(self.folder, self.index_dir, encoder=self.encoder, passwords=passwords)
        assert verify(self.index_dir) == ()
        return report

    def rows(self) -> dict[str, DocumentStatus]:
        return {row.source: row for row in status(self.index_dir).documents}

    def statuses(self) -> dict[str, str]:
        return {source: row.status for source, row in self.rows().items()}

    def text(self, source: str) -> str:
        with open_index(self.index_dir, self.encoder) as index:
            return index.live().text(source)


@pytest.fixture
def library(folder: Path, index_dir: Path) -> Library:
    return Library(folder, index_dir)


def test_members_come_change_and_go_with_their_archive(library: Library) -> None:
    library.update({"a.zip": zipped({"one.txt": "The car is red.", "two.txt": "The van is slow."})})
    assert list(library.rows()) == ["a.zip", "a.zip!/one.txt", "a.zip!/two.txt"]
    report = library.update({"a.zip": zipped({"one.txt": "The car is fast.", "three.txt": "A red van."})})
    assert report.changed == ("a.zip",)
    assert list(library.rows()) == ["a.zip", "a.zip!/one.txt", "a.zip!/three.txt"]
    assert library.text("a.zip!/one.txt") == "The car is fast."
    (library.folder / "a.zip").rename(library.folder / "b.zip")
    embedded = len(library.encoder.encoded)
    assert library.update().renamed == (("a.zip", "b.zip"),)
    assert list(library.rows()) == ["b.zip", "b.zip!/one.txt", "b.zip!/three.txt"]
    assert len(library.encoder.encoded) == embedded
    (library.folder / "b.zip").unlink()
    assert library.update().removed == ("b.zip",)
    assert library.rows() == {}


def test_a_file_inside_and_outside_is_indexed_once(library: Library) -> None:
    library.update({"a.zip": zipped({"one.txt": "The car is red."}), "one.txt": "The car is red."})
    assert library.rows()["one.txt"].duplicate_of == "a.zip!/one.txt"
    (library.folder / "a.zip").unlink()
    library.update()
    assert library.text("one.txt") == "The car is red."


def test_the_same_archive_deep_and_shallow(library: Library) -> None:
    inner = zipped({"t.txt": "The car is red."})
    deep = inner
    for _ in range(6):
        deep = zipped({"x.zip": deep})
    library.update({"z.zip": deep})
    assert "failed" in library.statuses().values()
    library.update({"a.zip": inner})
    assert library.statuses()["a.zip!/t.txt"] == "indexed"
    library.update({"b.zip": inner})
    assert library.statuses()["b.zip!/t.txt"] == library.statuses()["a.zip"] == "indexed"


def test_a_packed_file_without_a_name_is_called_after_its_file(library: Library) -> None:
    library.update({"notes.txt.xz": lzma.compress(b"car,van\nred,slow\n")})
    assert "notes.txt.xz!/notes.txt" in library.rows()
    (library.folder / "notes.txt.xz").rename(library.folder / "table.csv.xz")
    library.update()
    assert list(library.rows()) == ["table.csv.xz", "table.csv.xz!/table.csv"]


def test_a_locked_archive_within_one_opens_when_the_password_comes(library: Library) -> None:
    library.update({"out.zip": zipped({"in.zip": LOCKED, "a.txt": "One."})})
    assert library.statuses()["out.zip!/in.zip"] == "encrypted"
    library.update(passwords=("lion",))
    assert library.statuses()["out.zip!/in.zip"] == "encrypted"
    library.update(passwords=("lion", "secret"))
    assert library.statuses()["out.zip!/in.zip!/a.txt"] == "indexed"
    library.update({"out.zip": zipped({"in.zip": LOCKED, "a.txt": "Two."})})  # and now without
    assert library.statuses()["out.zip!/in.zip"] == "encrypted"
    library.update(passwords=("secret",))
    assert library.statuses()["out.zip!/in.zip!/a.txt"] == "indexed"


def test_a_rebuild_without_the_password_says_what_it_locks_again(library: Library) -> None:
    library.update({"in.zip": LOCKED, "a.txt": "One."}, passwords=("secret",))
    assert library.statuses()["in.zip"] == "indexed"
    report = rebuild(library.folder, library.index_dir, encoder=TinyEncoder(), passwords=("secret",))
    assert report.locked == ()
    report = rebuild(library.folder, library.index_dir, encoder=TinyEncoder())
    assert report.locked == ("in.zip",)
    assert rebuild(library.folder, library.index_dir, encoder=TinyEncoder()).locked == ()


def test_an_update_answers_as_a_rebuild(library: Library, tmp_path: Path) -> None:
    library.update({"a.zip": zipped({"one.txt": "The car is red."}), "b.txt": "The van is slow."})
    library.update({"a.zip": zipped({"in.zip": zipped({"b.txt": "The van is slow."}), "x.bin": b"\0"})})
    rebuild(library.folder, tmp_path / "anew", encoder=TinyEncoder())
    anew = {row.source: (row.status, row.reason) for row in status(tmp_path / "anew").documents}
    assert {source: (row.status, row.reason) for source, row in library.rows().items()} == anew


def test_a_folder_called_like_an_archive(library: Library) -> None:
    library.update({"a.zip": zipped({"b.txt": "Inside."}), "a.zip!/b.txt": "Outside."})
    rows = library.rows()
    assert {source: row.status for source, row in rows.items()} == {
        "a.zip": "indexed",
        "a.zip!": "failed",
        "a.zip!/b.txt": "indexed",
    }
    assert library.text("a.zip!/b.txt") == "Inside."


def test_sources_match_what_is_inside(library: Library) -> None:
    files = {"cut.zip": zipped({"a.txt": "One."}), "b [1].zip": zipped({"in.zip": zipped({"c.txt": "Two."})})}
    library.update(files)
    with open_index(library.index_dir, library.encoder) as index:
        live = index.live()
        assert live.match(["*.zip"]) >= {"cut.zip!/a.txt", "b [1].zip!/in.zip!/c.txt"}
        assert live.match(["b [1].zip"]) >= {"b [1].zip!/in.zip!/c.txt"}
        assert live.match(["b [1].zip!/in.zip"]) == {"b [1].zip!/in.zip", "b [1].zip!/in.zip!/c.txt"}
        assert live.match(["*.txt"]) == {"cut.zip!/a.txt", "b [1].zip!/in.zip!/c.txt"}


def test_a_worker_that_was_killed_from_outside_costs_no_file(library: Library) -> None:
    library.update({"a.txt": "One car."})
    for worker in pool._IDLE:
        worker._process.kill()
        worker._process.wait()
    library.update({"b.txt": "Two cars."})
    assert set(library.statuses().values()) == {"indexed"}


def test_a_file_that_changes_while_it_is_read_is_read_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = pool._sha256

    def changed(request: pool.Request) -> str | None:
        Path(request.path).write_text("The car is fast.")
        return sha256(request)

    with monkeypatch.context() as patch:
        patch.setattr(pool, "_sha256", changed)
        library.update({"a.txt": "The car is red."})
    assert (library.rows()["a.txt"].status, library.rows()["a.txt"].reason) == (
        "failed",
        "it changed while it was read",
    )
    time.sleep(0.01)
    library.update()
    assert library.text("a.txt") == "The car is fast."
