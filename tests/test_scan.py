"""What of a folder is a document: links, odd names, patterns, and everything that is no file."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from index import FolderError, ScanOptions, rebuild, status
from index.scan import FoundFile, scan

from .conftest import TinyEncoder, write_files

FOLLOW = ScanOptions(follow_symlinks=True)


def sources(folder: Path, options: ScanOptions | None = None) -> list[str]:
    return [found.source for found in scan([folder], options or ScanOptions())]


def problems(folder: Path, options: ScanOptions | None = None) -> dict[str, tuple[str, str] | None]:
    return {found.source: found.problem for found in scan([folder], options or ScanOptions())}


def test_files_are_listed_by_source_with_size_and_mtime(folder: Path) -> None:
    write_files(folder, {"b.txt": "four", "a/c.txt": "x", "a.txt": "", "a/b/d.txt": "x"})
    os.utime(folder / "b.txt", ns=(1, 5_000_000_001))
    found = scan([folder], ScanOptions())
    assert [file.source for file in found] == ["a.txt", "a/b/d.txt", "a/c.txt", "b.txt"]
    assert found[-1] == FoundFile("b.txt", folder / "b.txt", 4, 5_000_000_001)


def test_hidden_files_and_folders_are_left_out(folder: Path) -> None:
    write_files(folder, {".hidden.txt": "x", ".git/a.txt": "x", "sub/.b/c.txt": "x", "sub/seen.txt": "x"})
    assert sources(folder) == ["sub/seen.txt"]


def test_hidden_folder_can_be_given_itself(tmp_path: Path) -> None:
    write_files(tmp_path, {".hidden/a.txt": "x"})
    assert sources(tmp_path / ".hidden") == ["a.txt"]


def test_link_to_a_file(folder: Path, tmp_path: Path) -> None:
    write_files(tmp_path, {"outside.txt": "secret"})
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    assert problems(folder) == {"link.txt": ("unsupported", "a symbolic link; --follow-symlinks reads it")}
    assert problems(folder, FOLLOW) == {"link.txt": None}


def test_link_to_a_folder(folder: Path, tmp_path: Path) -> None:
    write_files(tmp_path, {"elsewhere/sub/a.txt": "x"})
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    assert problems(folder) == {"link": ("unsupported", "a symbolic link; --follow-symlinks reads it")}
    assert problems(folder, FOLLOW) == {"link/sub/a.txt": None}


def test_link_upwards_is_not_followed_for_ever(folder: Path) -> None:
    write_files(folder, {"sub/a.txt": "x"})
    (folder / "sub" / "up").symlink_to(folder)
    assert problems(folder, FOLLOW) == {
        "sub/a.txt": None,
        "sub/up": ("unsupported", "a link to a folder that is indexed anyway"),
    }


def test_two_links_to_one_folder_give_its_files_once(folder: Path, tmp_path: Path) -> None:
    write_files(tmp_path, {"elsewhere/a.txt": "x"})
    (folder / "one").symlink_to(tmp_path / "elsewhere")
    (folder / "two").symlink_to(tmp_path / "elsewhere")
    assert [s for s, problem in problems(folder, FOLLOW).items() if problem is None] == ["one/a.txt"]


def test_broken_link(folder: Path) -> None:
    (folder / "gone.txt").symlink_to(folder / "nothing")
    assert problems(folder)["gone.txt"] == (
        "unsupported",
        "a symbolic link; --follow-symlinks reads it",
    )
    assert problems(folder, FOLLOW)["gone.txt"] == ("failed", "a broken symbolic link")


@pytest.mark.parametrize("options", [ScanOptions(), FOLLOW], ids=["default", "follow"])
def test_link_to_itself_costs_itself_only(folder: Path, options: ScanOptions) -> None:
    write_files(folder, {"a.txt": "x"})
    (folder / "loop.txt").symlink_to(folder / "loop.txt")
    found = problems(folder, options)
    assert found["a.txt"] is None
    assert found["loop.txt"] is not None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipe_is_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.txt")
    assert problems(folder) == {"pipe.txt": ("unsupported", "not a regular file")}


def test_too_large(folder: Path) -> None:
    write_files(folder, {"large.txt": "x" * 1_001, "right.txt": "x" * 1_000})
    found = problems(folder, ScanOptions(max_file_size=1_000))
    assert found["right.txt"] is None
    assert found["large.txt"] == (
        "unsupported",
        "1,001 bytes, over the limit of 1,000; --max-file-size raises it",
    )


def test_long_names_and_deep_folders(folder: Path) -> None:
    name = "n" * 251 + ".txt"
    deep = "/".join(["d" * 50] * 30) + "/a.txt"
    write_files(folder, {name: "x", deep: "x", "🙂" * 60 + ".txt": "x"})
    assert set(sources(folder)) == {name, deep, "🙂" * 60 + ".txt"}


def test_names_are_kept_as_on_disk(folder: Path, index_dir: Path, tiny_encoder: TinyEncoder) -> None:
    names = {unicodedata.normalize(form, "Über/příliš žluťoučký.txt") for form in ("NFC", "NFD")}
    names |= {"中文 文件.txt", "new\nline.txt", "a'b\"c %20 #?.txt", "[x] *.txt", "-rf.txt"}
    write_files(folder, {name: f"Text number {n}." for n, name in enumerate(sorted(names))})
    on_disk = {path.relative_to(folder).as_posix() for path in folder.rglob("*.txt")}
    assert set(sources(folder)) == on_disk
    rebuild(folder, index_dir, encoder=tiny_encoder)
    assert {d.source for d in status(index_dir).documents if d.status == "indexed"} == on_disk


def undecodable(folder: Path, name: bytes) -> Path:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    try:
        path.mkdir()
    except OSError:
        pytest.skip("this file system takes no such names")
    path.rmdir()
    return path


def test_undecodable_names_are_reported(folder: Path, index_dir: Path, tiny_encoder: TinyEncoder) -> None:
    undecodable(folder, b"bad\xff.txt").write_text("x")
    inside = undecodable(folder, b"d\xfe")
    inside.mkdir()
    (inside / "a.txt").write_text("x")
    (folder / "good.txt").write_text("Good words.")
    report = rebuild(folder, index_dir, encoder=tiny_encoder)
    assert {document.source for document in report.failed} == {r"bad\xff.txt", r"d\xfe/a.txt"}
    assert {document.reason for document in report.failed} == {
        "the file's name is not valid UTF-8; rename the file"
    }
    assert report.counts == {"indexed": 1, "failed": 2}


def test_undecodable_link_to_a_folder(folder: Path, index_dir: Path, tiny_encoder: TinyEncoder) -> None:
    write_files(folder, {"sub/a.txt": "Good words."})
    undecodable(folder, b"link\xff").symlink_to(folder / "sub")
    report = rebuild(folder, index_dir, encoder=tiny_encoder)
    assert report.counts["indexed"] == 1


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ((), (), ["a.md", "a.txt", "drafts/c.txt", "sub/b.txt", "sub/drafts/d.txt"]),
        (("*.txt",), (), ["a.txt", "drafts/c.txt", "sub/b.txt", "sub/drafts/d.txt"]),
        (("sub/*",), (), ["sub/b.txt", "sub/drafts/d.txt"]),
        (("b.txt", "*.md"), (), ["a.md", "sub/b.txt"]),
        ((), ("drafts",), ["a.md", "a.txt", "sub/b.txt"]),
        ((), ("drafts/*",), ["a.md", "a.txt", "sub/b.txt"]),
        ((), ("*.txt",), ["a.md"]),
        ((), ("*.TXT",), ["a.md", "a.txt", "drafts/c.txt", "sub/b.txt", "sub/drafts/d.txt"]),
        (("*.txt",), ("sub/*", "a.?xt"), ["drafts/c.txt"]),
        (("nothing*",), (), []),
    ],
)
def test_patterns(
    folder: Path, include: tuple[str, ...], exclude: tuple[str, ...], expected: list[str]
) -> None:
    write_files(
        folder, dict.fromkeys(["a.txt", "a.md", "sub/b.txt", "drafts/c.txt", "sub/drafts/d.txt"], "x")
    )
    assert sources(folder, ScanOptions(include=include, exclude=exclude)) == expected


def test_options_survive_a_manifest() -> None:
    options = ScanOptions(("*.txt",), ("a", "b"), 5, follow_symlinks=True)
    values = options.as_manifest()
    assert ScanOptions.from_manifest(values | {"include": list(values["include"])}) == options


def test_missing_folder_and_file_for_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="nowhere does not exist"):
        scan([tmp_path / "nowhere"], ScanOptions())
    write_files(tmp_path, {"a.txt": "x"})
    with pytest.raises(FolderError, match=r"a\.txt is a file, not a folder"):
        scan([tmp_path / "a.txt"], ScanOptions())


def test_folder_that_cannot_be_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(folder, {"locked/a.txt": "x", "b.txt": "x"})
    scandir = os.scandir

    def refuse(path: str | Path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert problems(folder) == {
        "b.txt": None,
        "locked": ("failed", "the folder can't be read: Permission denied"),
    }


def test_index_inside_the_folder_is_no_document(folder: Path, tiny_encoder: TinyEncoder) -> None:
    write_files(folder, {"a.txt": "Some words."})
    index_dir = folder / "my index"
    for _ in range(2):
        report = rebuild(folder, index_dir, encoder=tiny_encoder)
        assert [document.source for document in status(index_dir).documents] == ["a.txt"]
        assert report.counts == {"indexed": 1}
