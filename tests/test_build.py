"""From a folder to an index and back in step with it: only what changed is touched."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from pathlib import Path

import numpy as np
import pytest

from index import (
    BuildReport,
    DocumentStatus,
    FolderError,
    IndexMismatchError,
    ScanOptions,
    default_index_dir,
    intake,
    open_index,
    rebuild,
    snapshot,
    status,
    update,
    verify,
    writing,
)
from index.sandbox import Limits, ReadFile, Request

from .conftest import LONG_AGO, TinyEncoder, age, write_files

FILES = {
    "a.txt": "Alpha is the first letter.",
    "b.txt": "Beta is the second letter.",
    "c/d.md": "# Delta\n\nFourth.",
}


class Later(datetime):
    """A clock in the far future."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime(2099, 1, 1, tzinfo=tz)


@pytest.fixture
def library(folder: Path) -> Path:
    """Three documents, none of them fresh."""
    write_files(folder, FILES)
    age(folder)
    return folder


@pytest.fixture
def built(library: Path, index_dir: Path, tiny_encoder: TinyEncoder) -> BuildReport:
    return rebuild(library, index_dir, encoder=tiny_encoder)


def refresh(folder: Path, index_dir: Path, encoder: TinyEncoder, **options: object) -> BuildReport:
    """Update, and see that what was published is sound."""
    report = update(folder, index_dir, encoder=encoder, **options)
    assert verify(index_dir) == ()
    return report


def found(index_dir: Path, encoder: TinyEncoder, question: str) -> list[str]:
    """The files of the passages that hold a word of the question, and of all nearest vectors."""
    with open_index(index_dir, encoder) as index:
        live = index.live()
        near = [i for i, _ in live.search_vectors(encoder.encode_question(question), 100, None, "")]
        told = [i for i, _ in live.search_words(question, 100, None)]
        assert set(told) <= set(near)
        assert len(live.passages(near, None)) == len(near)
        return [source for passage in live.passages(told, None) for source in passage.sources]


def passage_ids(index_dir: Path, encoder: TinyEncoder) -> set[int]:
    with open_index(index_dir, encoder) as index:
        return {i for i, _ in index.live().search_vectors(encoder.encode_question("x"), 10_000, None, "")}


def rows(index_dir: Path) -> dict[str, DocumentStatus]:
    return {document.source: document for document in status(index_dir).documents}


def forbid_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(requests: Iterable[Request], limits: Limits) -> list[list[ReadFile]]:
        assert [request.name for request in requests] == []
        return []

    monkeypatch.setattr(intake, "read_files", refuse)


def test_first_build(built: BuildReport, index_dir: Path, tiny_encoder: TinyEncoder) -> None:
    assert built.added == ("a.txt", "b.txt", "c/d.md")
    assert (built.published, built.counts, built.passages, built.embedded) == (True, {"indexed": 3}, 3, 3)
    assert (built.changed, built.removed, built.renamed, built.failed) == ((), (), (), ())
    assert Path(built.index_dir) == index_dir
    assert verify(index_dir) == ()
    assert found(index_dir, tiny_encoder, "alpha") == ["a.txt"]


def test_second_rebuild_embeds_nothing(built: BuildReport, library: Path, index_dir: Path) -> None:
    encoder = TinyEncoder()
    again = rebuild(library, index_dir, encoder=encoder)
    assert (again.embedded, again.passages, encoder.encoded) == (0, 3, [])
    assert again.snapshot != built.snapshot
    assert verify(index_dir) == ()
    encoder.fingerprint = "tiny-2"  # the cache knows whose vectors it holds
    assert rebuild(library, index_dir, encoder=encoder).embedded == 3


def test_equal_text_is_embedded_once(folder: Path, index_dir: Path, tiny_encoder: TinyEncoder) -> None:
    write_files(folder, {"a.txt": "Same words.", "b.md": "Same words."})
    report = rebuild(folder, index_dir, encoder=tiny_encoder)
    assert (report.passages, report.embedded, tiny_encoder.encoded) == (2, 1, ["Same words."])


def test_update_without_change_opens_no_file(
    built: BuildReport,
    library: Path,
    index_dir: Path,
    tiny_encoder: TinyEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(path: Path) -> bytes:
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    report = update(library, index_dir, encoder=tiny_encoder)
    assert (report.published, report.snapshot) == (False, built.snapshot)
    assert (report.counts, report.passages, report.embedded) == ({"indexed": 3}, 3, 0)
    assert snapshot.snapshot_names(index_dir) == [built.snapshot]


def test_update_makes_an_index_where_there_is_none(library: Path, index_dir: Path) -> None:
    report = update(library, index_dir, encoder=TinyEncoder())
    assert (report.published, report.added) == (True, ("a.txt", "b.txt", "c/d.md"))


def test_changed_file(built: BuildReport, library: Path, index_dir: Path, tiny_encoder: TinyEncoder) -> None:
    before = passage_ids(index_dir, tiny_encoder)
    write_files(library, {"a.txt": "Omega is the last letter."})
    report = refresh(library, index_dir, tiny_encoder)
    assert (report.changed, report.added, report.removed, report.embedded) == (("a.txt",), (), (), 1)
    assert found(index_dir, tiny_encoder, "alpha") == []
    assert found(index_dir, tiny_encoder, "omega") == ["a.txt"]
    after = passage_ids(index_dir, tiny_encoder)
    assert len(before & after) == 2
    assert max(after) > max(before)


def test_deleted_file_answers_no_more(
    built: BuildReport, library: Path, index_dir: Path, tiny_encoder: TinyEncoder
) -> None:
    (library / "a.txt").unlink()
    report = refresh(library, index_dir, tiny_encoder)
    assert (report.removed, report.counts, report.embedded) == (("a.txt",), {"indexed": 2}, 0)
    assert found(index_dir, tiny_encoder, "alpha letter") == ["b.txt"]
    assert "a.txt" not in rows(index_dir)
    write_files(library, {"a.txt": FILES["a.txt"]})  # and back: its vector is cached, its id is new
    before = passage_ids(index_dir, tiny_encoder)
    assert refresh(library, index_dir, tiny_encoder).embedded == 0
    assert len(passage_ids(index_dir, tiny_encoder) - before) == 1


def test_renamed_file_is_neither_parsed_nor_embedded(
    built: BuildReport,
    library: Path,
    index_dir: Path,
    tiny_encoder: TinyEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = passage_ids(index_dir, tiny_encoder)
    (library / "a.txt").rename(library / "c" / "z.txt")
    forbid_parsing(monkeypatch)
    report = refresh(library, index_dir, tiny_encoder)
    assert report.renamed == (("a.txt", "c/z.txt"),)
    assert (report.added, report.removed, report.embedded) == ((), (), 0)
    assert found(index_dir, tiny_encoder, "alpha") == ["c/z.txt"]
    assert passage_ids(index_dir, tiny_encoder) == before


def test_copies_share_their_passages(
    built: BuildReport, library: Path, index_dir: Path, tiny_encoder: TinyEncoder
) -> None:
    write_files(library, {"copy.txt": FILES["a.txt"]})
    report = refresh(library, index_dir, tiny_encoder)
    assert (report.added, report.passages, report.embedded) == (("copy.txt",), 3, 0)
    assert rows(index_dir)["copy.txt"].duplicate_of == "a.txt"
    assert found(index_dir, tiny_encoder, "alpha") == ["a.txt", "copy.txt"]
    (library / "a.txt").unlink()  # the copy stays, and is now the original
    refresh(library, index_dir, tiny_encoder)
    assert rows(index_dir)["copy.txt"].duplicate_of is None
    assert found(index_dir, tiny_encoder, "alpha") == ["copy.txt"]


def test_touched_file_is_not_opened_twice(
    built: BuildReport,
    library: Path,
    index_dir: Path,
    tiny_encoder: TinyEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = rows(index_dir)
    age(library, LONG_AGO + 5)
    forbid_parsing(monkeypatch)
    monkeypatch.setattr(intake, "datetime", Later)
    report = refresh(library, index_dir, tiny_encoder)
    assert (report.changed, report.added, report.embedded) == ((), (), 0)
    assert rows(index_dir) == before
    monkeypatch.setattr(Path, "read_bytes", None)
    assert not update(library, index_dir, encoder=tiny_encoder).published


def test_fresh_file_is_compared_by_its_bytes(
    library: Path, index_dir: Path, tiny_encoder: TinyEncoder
) -> None:
    now = time.time_ns()
    age(library, now)
    rebuild(library, index_dir, encoder=tiny_encoder)
    write_files(library, {"a.txt": FILES["a.txt"].replace("Alpha", "Gamma")})
    age(library, now)
    assert refresh(library, index_dir, tiny_encoder).changed == ("a.txt",)
    assert found(index_dir, tiny_encoder, "gamma") == ["a.txt"]


def test_file_is_fresh_only_once(
    library: Path, index_dir: Path, tiny_encoder: TinyEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, clock = time.time_ns(), time.time_ns
    age(library, now)
    rebuild(library, index_dir, encoder=tiny_encoder)
    monkeypatch.setattr(time, "time_ns", lambda: clock() + 10_000_000_000)
    update(library, index_dir, encoder=tiny_encoder)
    monkeypatch.setattr(Path, "read_bytes", None)
    update(library, index_dir, encoder=tiny_encoder)


def test_passage_ids_are_never_used_again(
    built: BuildReport, library: Path, index_dir: Path, tiny_encoder: TinyEncoder
) -> None:
    seen = passage_ids(index_dir, tiny_encoder)
    for n in range(3):
        write_files(library, {"a.txt": f"Version {n}."})
        (refresh if n % 2 else update)(library, index_dir, encoder=tiny_encoder)
        seen |= passage_ids(index_dir, tiny_encoder)
    assert len(seen) == 6
    rebuild(library, index_dir, encoder=tiny_encoder)
    assert min(passage_ids(index_dir, tiny_encoder)) > max(seen)


def test_update_remembers_the_options(library: Path, index_dir: Path, tiny_encoder: TinyEncoder) -> None:
    options = ScanOptions(exclude=("b.*",), max_file_size=10_000)
    rebuild(library, index_dir, encoder=tiny_encoder, options=options)
    write_files(library, {"b.new.txt": "x", "e.txt": "New words.", "big.txt": "words " * 2_000})
    report = refresh(library, index_dir, tiny_encoder)
    assert report.added == ("big.txt", "e.txt")
    assert rows(index_dir)["big.txt"].status == "unsupported"
    report = refresh(library, index_dir, tiny_encoder, options=ScanOptions())
    assert report.added == ("b.new.txt", "b.txt")
    assert report.changed == ("big.txt",)


def test_folder_without_documents(folder: Path, index_dir: Path, tiny_encoder: TinyEncoder) -> None:
    report = rebuild(folder, index_dir, encoder=tiny_encoder)
    assert (report.published, report.counts, report.passages) == (True, {}, 0)
    assert found(index_dir, tiny_encoder, "anything") == []
    write_files(folder, {"a.txt": "Some words."})
    assert refresh(folder, index_dir, tiny_encoder).passages == 1
    assert found(index_dir, tiny_encoder, "words") == ["a.txt"]
    (folder / "a.txt").unlink()
    assert refresh(folder, index_dir, tiny_encoder).passages == 0
    assert found(index_dir, tiny_encoder, "words") == []


@pytest.mark.parametrize("build", [rebuild, update])
def test_missing_folder_leaves_no_trace(build: object, tmp_path: Path) -> None:
    with pytest.raises(FolderError):
        build(tmp_path / "gone", encoder=TinyEncoder())
    with pytest.raises(FolderError):
        build(tmp_path / "gone", tmp_path / "index", encoder=TinyEncoder())
    assert list(tmp_path.iterdir()) == []


def test_index_of_another_folder_is_not_mixed(
    built: BuildReport, library: Path, index_dir: Path, tiny_encoder: TinyEncoder, tmp_path: Path
) -> None:
    write_files(tmp_path / "other", {"x.txt": "Other."})
    with pytest.raises(IndexMismatchError, match=r"is that of .*library.* not of .*other"):
        update(tmp_path / "other", index_dir, encoder=tiny_encoder)
    library.rename(tmp_path / "moved")  # a folder that moved keeps its index
    assert refresh(tmp_path / "moved", index_dir, tiny_encoder).embedded == 0


def test_default_place_is_beside_the_folder(library: Path) -> None:
    report = rebuild(library, encoder=TinyEncoder())
    assert Path(report.index_dir) == library.parent / ".footnote" / "library" == default_index_dir(library)


def test_interrupted_build_goes_on_where_it_stopped(
    built: BuildReport, library: Path, index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(TinyEncoder):
        def encode_passages(self, texts: Sequence[str]) -> np.ndarray:
            if self.encoded:
                raise KeyboardInterrupt
            return super().encode_passages(texts)

    monkeypatch.setattr(writing, "BATCH", 4)
    write_files(library, {f"new{n}.txt": f"New text number {n}." for n in range(10)})
    with pytest.raises(KeyboardInterrupt):
        update(library, index_dir, encoder=Interrupted())
    assert snapshot.live_snapshot(index_dir) == built.snapshot
    assert verify(index_dir) == ()
    assert found(index_dir, TinyEncoder(), "alpha") == ["a.txt"]
    report = refresh(library, index_dir, TinyEncoder())
    assert (report.passages, report.embedded, len(report.added)) == (13, 6, 10)


def test_update_without_a_change_leaves_nothing_behind(
    built: BuildReport, library: Path, index_dir: Path, tiny_encoder: TinyEncoder
) -> None:
    before = sorted(index_dir.rglob("*"))
    assert not update(library, index_dir, encoder=tiny_encoder).published
    assert sorted(index_dir.rglob("*")) == before


def test_new_options_are_remembered_though_no_file_changed(
    built: BuildReport, library: Path, index_dir: Path, tiny_encoder: TinyEncoder
) -> None:
    assert refresh(library, index_dir, tiny_encoder, options=ScanOptions(exclude=("z*",))).published
    write_files(library, {"z.txt": "Zeta."})
    assert refresh(library, index_dir, tiny_encoder).added == ()


def test_a_moved_folder_keeps_its_index(
    built: BuildReport, library: Path, index_dir: Path, tiny_encoder: TinyEncoder
) -> None:
    moved = library.rename(library.with_name("elsewhere"))
    tiny_encoder.encoded.clear()
    refresh(moved, index_dir, tiny_encoder)
    assert status(index_dir).folder == str(moved)
    assert tiny_encoder.encoded == []
