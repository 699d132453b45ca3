"""What the page does to the folder of documents: uploads, the trash, originals, bytes on the disk."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import FolderError, FootnoteError, SourceNotFoundError, UsageError, rebuild, scan, supported
from qa.web.access import Quota
from qa.web.library_folder import (
    FolderChangeError,
    UploadLimits,
    disk_use,
    move_to_trash,
    original,
    restore,
    save_uploads,
    trash,
    trash_dir,
)
from qa.web.library_folder.uploads import NAME_BYTES, RESERVE, numbered, safe_name

from .conftest import write_files

PARTS = [
    "..",
    "/",
    "\\",
    ".",
    " ",
    "CON",
    "nul",
    "COM1",
    "\u00b9",
    ".txt",
    ".tar.gz",
    "\0",
    "\n",
    "\u202e",
    ":",
]
PARTS += ["e\u0301", "?", "\u00e9" * 120, "\u200d", "\u3000", "\ud800", "a", "北京"]
NAMES = st.lists(st.sampled_from(PARTS) | st.characters(), max_size=12).map("".join)


@given(NAMES)
def test_a_safe_name_is_safe_whatever_was_sent(name):
    safe = safe_name(name)
    assert len(safe.encode()) <= NAME_BYTES
    assert unicodedata.is_normalized("NFC", safe)
    assert not set(safe) & set('/\\<>:"|?*\0')
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in safe)
    assert not set(safe) & set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert safe == safe.strip(". ")
    assert safe.split(".")[0].strip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "COM¹", "LPT9"}
    assert safe_name(safe) == safe


@given(NAMES, st.integers(2, 1000))
def test_a_numbered_name_stays_safe(name, number):
    if safe := safe_name(name):
        assert safe_name(numbered(safe, number)) == numbered(safe, number)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("C:\\fakepath\\Report.pdf", "Report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("...hidden.txt", "hidden.txt"),
        ("con.txt", "_con.txt"),
        ("invoice\u202efdp.exe.txt", "invoicefdp.exe.txt"),
        ("Zoe\u0308 .txt . ", "Zoë.txt"),
        ("می\u200cخواهم.txt", "می\u200cخواهم.txt"),
        ("x" * 300 + ".tar.gz", "x" * (NAME_BYTES - 7) + ".tar.gz"),
        (" .. ", ""),
    ],
)
def test_names(sent, kept):
    assert safe_name(sent) == kept


def sent(tmp_path: Path, *contents: bytes) -> list[Path]:
    made = []
    for content in contents:
        made.append(tmp_path / f"sent-{time.time_ns()}")
        made[-1].write_bytes(content)
    return made


def uploads(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "uploads").iterdir()}


def test_each_file_has_its_own_outcome(folder: Path, tmp_path: Path):
    good, program, empty, large, other = sent(tmp_path, b"Text.", b"MZ", b"", b"x" * 11, b"Other.")
    (tmp_path / "link").symlink_to(good)
    files = [
        ("a.txt", good),
        ("b.exe", program),
        ("c.txt", empty),
        ("d.txt", large),
        ("e.txt", tmp_path / "nowhere"),
        ("f.txt", tmp_path / "link"),
        ("..", good),
        ("dir/g.txt", other),
        ("h.txt", other),
    ]
    done = save_uploads([folder], files, UploadLimits(file_bytes=10, files=8))
    outcomes = [(each.outcome, each.source) for each in done]
    assert outcomes == [
        ("saved", "uploads/a.txt"),
        *[("refused", None)] * 6,
        ("saved", "uploads/g.txt"),
        ("refused", None),
    ]
    assert all(each.reason for each in done[1:])
    assert uploads(folder) == {"a.txt": b"Text.", "g.txt": b"Other."}
    assert good.exists()


def test_an_upload_is_a_document_under_the_source_that_is_told(folder: Path, tmp_path: Path):
    (other := tmp_path / "other").mkdir()
    (file,) = sent(tmp_path, b"Text.")
    for folders in ([folder], [folder, other]):
        done = save_uploads(folders, [("a.txt", file)])
        found = [each.source for each in scan.scan(folders, scan.ScanOptions())]
        assert [each.source for each in done] == found


def test_the_same_name_again(folder: Path, tmp_path: Path):
    one, two, same = sent(tmp_path, b"One.", b"Two.", b"Two.")
    outcomes = []
    for file in (one, two, same):
        outcomes += save_uploads([folder], [("a.tar.gz", file)])
    assert [(each.outcome, each.source) for each in outcomes] == [
        ("saved", "uploads/a.tar.gz"),
        ("saved", "uploads/a (2).tar.gz"),
        ("already there", "uploads/a (2).tar.gz"),
    ]
    assert uploads(folder) == {"a.tar.gz": b"One.", "a (2).tar.gz": b"Two."}


@pytest.mark.parametrize("has_links", [True, False])
def test_many_uploads_of_one_name_at_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
):
    if not has_links:
        monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    files = sent(tmp_path, *(f"Text {number % 8}.".encode() * 1000 for number in range(16)))
    barrier = threading.Barrier(16)

    def save(file: Path) -> None:
        barrier.wait()
        save_uploads([folder], [("a.txt", file)])

    threads = [threading.Thread(target=save, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contents = sorted(uploads(folder).values())
    assert sorted(set(contents)) == sorted({file.read_bytes() for file in files})
    if has_links:  # without them, a file that is just being named can't be compared
        assert len(contents) == 8


def refuse(number: int):
    def refused(*arguments: object, **named: object) -> None:
        raise OSError(number, os.strerror(number))

    return refused


def test_uploads_that_is_a_link_is_refused(folder: Path, tmp_path: Path):
    (tmp_path / "outside").mkdir()
    (folder / "uploads").symlink_to(tmp_path / "outside")
    (file,) = sent(tmp_path, b"Text.")
    with pytest.raises(FolderError, match="is a link"):
        save_uploads([folder], [("a.txt", file)])
    assert not list((tmp_path / "outside").iterdir())


def test_a_link_in_uploads_is_not_written_through(folder: Path, tmp_path: Path):
    target, file = sent(tmp_path, b"Precious.", b"Text.")
    (folder / "uploads").mkdir()
    (folder / "uploads" / "a.txt").symlink_to(target)
    (done,) = save_uploads([folder], [("a.txt", file)])
    assert (done.source, target.read_bytes()) == ("uploads/a (2).txt", b"Precious.")


def test_a_quota_counts_what_is_kept_and_nothing_else(folder: Path, tmp_path: Path):
    quota = Quota(tmp_path / "data", per_user=8, total=0)
    limits = UploadLimits(quota=quota)
    one, two = sent(tmp_path, b"12345", b"67890")
    done = [save_uploads([folder], [("a.txt", file)], limits, ("ann",))[0] for file in (one, one, two)]
    assert [each.outcome for each in done] == ["saved", "refused", "refused"]  # 10 bytes are more than 8
    assert quota.used("ann") == 5
    (again,) = save_uploads([folder], [("a.txt", one)], limits, ("ben",))
    assert (again.outcome, quota.used("ben")) == ("already there", 0)
    assert list(uploads(folder)) == ["a.txt"]


def test_an_upload_leaves_some_of_the_disk_free(folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=RESERVE))
    (file,) = sent(tmp_path, b"12345")
    (done,) = save_uploads([folder], [("a.txt", file)])
    assert (done.outcome, done.reason) == ("refused", "the disk is almost full; tell whoever runs Footnote")
    assert list(uploads(folder)) == []


def test_supported_types():
    assert [name for name in ("a.PDF", "README", "a.tar.gz", "a.exe", "a.mp4") if supported(name)] == [
        "a.PDF",
        "README",
        "a.tar.gz",
    ]


def test_delete_list_and_restore(folder: Path, index_dir: Path):
    write_files(folder, {"sub/a.txt": "One.", "b.txt": "Two."})
    move_to_trash([folder], index_dir, "sub/a.txt")
    place = move_to_trash([folder], index_dir, "b.txt")
    assert place.read_text() == "Two."
    assert place.is_relative_to(trash_dir(index_dir))
    assert [path.name for path in folder.rglob("*")] == ["sub"]  # an empty folder stays
    listed = trash(index_dir)
    assert [(each.source, each.bytes) for each in listed] == [("b.txt", 4), ("sub/a.txt", 4)]
    assert listed[0].at.endswith("+00:00")
    (folder / "sub").rmdir()
    assert restore([folder], index_dir, listed[1].key) == "sub/a.txt"
    assert (folder / "sub" / "a.txt").read_text() == "One."
    assert [each.source for each in trash(index_dir)] == ["b.txt"]
    with pytest.raises(SourceNotFoundError, match="not in the trash"):
        restore([folder], index_dir, listed[1].key)


def test_two_folders(folder: Path, tmp_path: Path, index_dir: Path):
    write_files(tmp_path / "other", {"a.txt": "One."})
    folders = [folder, tmp_path / "other"]
    move_to_trash(folders, index_dir, "other/a.txt")
    assert not (tmp_path / "other" / "a.txt").exists()
    restore(folders, index_dir, trash(index_dir)[0].key)
    assert (tmp_path / "other" / "a.txt").read_text() == "One."
    with pytest.raises(SourceNotFoundError, match="in none of the folders"):
        move_to_trash(folders, index_dir, "third/a.txt")


def test_restore_writes_over_nothing(folder: Path, index_dir: Path):
    write_files(folder, {"a.txt": "One."})
    move_to_trash([folder], index_dir, "a.txt")
    write_files(folder, {"a.txt": "New."})
    with pytest.raises(FolderChangeError, match="another file has its name"):
        restore([folder], index_dir, trash(index_dir)[0].key)
    assert (folder / "a.txt").read_text() == "New."
    assert len(trash(index_dir)) == 1


BAD = [
    "",
    ".",
    "..",
    "../x.txt",
    "/etc/passwd",
    "a/../../x.txt",
    ".footnoteignore",
    "sub/.env",
    "a\0",
    "\ud800",
]


@pytest.mark.parametrize("source", [*BAD, "a.zip!/b.txt", "sub"])
def test_what_is_no_document_is_not_deleted(folder: Path, tmp_path: Path, index_dir: Path, source: str):
    write_files(tmp_path, {"x.txt": "Outside."})
    write_files(folder, {"a.zip": b"PK", "sub/.env": "x", ".footnoteignore": "x"})
    with pytest.raises(UsageError):
        move_to_trash([folder], index_dir, source)
    assert (tmp_path / "x.txt").exists()
    assert (folder / "a.zip").exists()
    assert trash(index_dir) == ()


def test_a_file_that_is_not_there(folder: Path, index_dir: Path):
    with pytest.raises(SourceNotFoundError, match="no file"):
        move_to_trash([folder], index_dir, "sub/a.txt")


def test_links(folder: Path, tmp_path: Path, index_dir: Path):
    write_files(tmp_path / "outside", {"x.txt": "Outside."})
    (folder / "out").symlink_to(tmp_path / "outside")
    (folder / "link.txt").symlink_to(tmp_path / "outside" / "x.txt")
    (folder / "loop").symlink_to(folder / "loop")
    for source in ("out/x.txt", "loop/x.txt"):
        with pytest.raises(FootnoteError):
            move_to_trash([folder], index_dir, source)
    place = move_to_trash([folder], index_dir, "link.txt")
    assert place.is_symlink()
    assert (tmp_path / "outside" / "x.txt").exists()
    restore([folder], index_dir, trash(index_dir)[0].key)
    assert (folder / "link.txt").is_symlink()


def test_part_of_the_index_is_not_deleted(folder: Path):
    write_files(folder, {"index/CURRENT": "000001"})
    with pytest.raises(UsageError, match="part of the index"):
        move_to_trash([folder], folder / "index", "index/CURRENT")


def test_a_trash_inside_the_folder_is_not_indexed(folder: Path):
    write_files(folder, {"a.txt": "One.", "b.txt": "Two."})
    move_to_trash([folder], folder / "index", "a.txt")
    assert [file.source for file in scan.scan([folder], scan.ScanOptions())] == ["b.txt"]


def test_a_trash_on_another_file_system(folder: Path, index_dir: Path, monkeypatch: pytest.MonkeyPatch):
    write_files(folder, {"a.txt": "One."})
    os.utime(folder / "a.txt", (1, 1))
    link = os.link

    def crossing(source: Path, target: Path, **named: bool) -> None:
        if source.parent != target.parent:
            refuse(errno.EXDEV)()
        link(source, target, **named)

    monkeypatch.setattr(os, "link", crossing)
    place = move_to_trash([folder], index_dir, "a.txt")
    assert (place.read_text(), place.stat().st_mtime) == ("One.", 1)
    assert not (folder / "a.txt").exists()
    restore([folder], index_dir, trash(index_dir)[0].key)
    assert [path.name for path in folder.iterdir()] == ["a.txt"]
    assert trash(index_dir) == ()


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC])
def test_a_move_that_fails_leaves_the_file(
    folder: Path, index_dir: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    write_files(folder, {"a.txt": "One."})
    monkeypatch.setattr(os, "link", refuse(number))
    monkeypatch.setattr(os, "replace", refuse(number))
    with pytest.raises(FolderChangeError, match=r"a\.txt can't be deleted"):
        move_to_trash([folder], index_dir, "a.txt")
    assert (folder / "a.txt").read_text() == "One."
    assert trash(index_dir) == ()


def test_two_delete_the_same_file_at_once(folder: Path, index_dir: Path):
    for _ in range(20):
        write_files(folder, {"a.txt": "One."})
        barrier, outcomes = threading.Barrier(2), []

        def delete(barrier: threading.Barrier = barrier, outcomes: list[str] = outcomes) -> None:
            barrier.wait()
            try:
                move_to_trash([folder], index_dir, "a.txt")
                outcomes.append("moved")
            except SourceNotFoundError:
                outcomes.append("gone")

        threads = [threading.Thread(target=delete) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["gone", "moved"]
    assert len(trash(index_dir)) == 20


def test_originals(folder: Path, tmp_path: Path):
    write_files(tmp_path, {"x.txt": "Outside."})
    write_files(folder, {"a.txt": "One.", "sub/b.txt": "Two.", ".env": "x"})
    (folder / "in.txt").symlink_to(folder / "a.txt")
    (folder / "out.txt").symlink_to(tmp_path / "x.txt")
    (folder / "loop.txt").symlink_to(folder / "loop.txt")
    real = folder.resolve()

    def known(source: str) -> bool:
        return True

    assert original([folder], "sub/b.txt", known) == real / "sub" / "b.txt"
    assert original([folder], "in.txt", known) == real / "a.txt"
    for source in (*BAD, "out.txt", "loop.txt", "sub", "nowhere.txt", "a.zip!/b.txt", ".env"):
        assert original([folder], source, known) is None
    assert original([folder], "a.txt", lambda source: False) is None


def test_disk_use(folder: Path, index_dir: Path, tmp_path: Path, tiny_encoder):
    write_files(folder, {"a.txt": "x" * 1000, "sub/b.txt": "y" * 500, ".git/x": "z" * 9000})
    (folder / "link").symlink_to(tmp_path)
    rebuild(folder, index_dir, encoder=tiny_encoder)
    move_to_trash([folder], index_dir, "sub/b.txt")
    write_files(index_dir, {"web/history": "w" * 70})
    use = disk_use(index_dir, [folder], index_dir / "web")
    link = (folder / "link").lstat().st_size
    assert (use.documents, use.trash, use.web, use.is_complete) == (1000 + link, 500 + 2, 70, True)
    assert use.cache == (index_dir / "cache" / "embeddings.sqlite").stat().st_size
    assert use.index == sum(p.stat().st_size for p in index_dir.rglob("*") if p.is_file()) - use.cache - 70


def test_a_file_with_two_names_counts_once(folder: Path, index_dir: Path):
    write_files(index_dir, {"snapshots/1/x": "x" * 100})
    (index_dir / "snapshots" / "2").mkdir()
    os.link(index_dir / "snapshots" / "1" / "x", index_dir / "snapshots" / "2" / "x")
    assert disk_use(index_dir, [folder]).index == 100


def test_disk_use_ends_in_time(folder: Path, index_dir: Path):
    write_files(folder, {f"{number}/a.txt": "x" for number in range(5)})
    use = disk_use(index_dir, [folder], seconds=0)
    assert (use.documents, use.is_complete) == (0, False)
