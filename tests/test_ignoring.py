"""What a .footnoteignore leaves out, and that a bad one is an error that says what to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from index import ignoring
from index.errors import FolderError
from index.ignoring import IGNORE_FILE, Ignored
from index.scan import ScanOptions, scan

from .conftest import write_files


def ignored(folder: Path, text: str | bytes | None = None, prefix: str = "") -> Ignored:
    """What the folder's file says, which is written first if ``text`` is given."""
    if text is not None:
        (folder / IGNORE_FILE).write_bytes(text.encode() if isinstance(text, str) else text)
    with os.scandir(folder) as entries:
        return Ignored().with_folder(list(entries), prefix)


def seconds(said: Ignored, path: str) -> float:
    started = time.perf_counter()
    said.covers(path, is_folder=False)
    return time.perf_counter() - started


@pytest.mark.parametrize(
    ("text", "covered", "kept"),
    [
        ("*.bak\n!keep.bak", ["a.bak", "b/a.bak"], ["keep.bak", "a.bakery"]),
        ("*.bak\r\n# a comment\r\n\r\nold/\r\n", ["a.bak", "old/a.txt"], ["a.txt", "# a comment"]),
        (b"\xef\xbb\xbfa.txt\n", ["a.txt"], ["b.txt"]),
        ("a\u2028b.txt\nc\x0bd", ["a\u2028b.txt", "c\x0bd"], ["b.txt", "d"]),
        ("/a/**/b/*.txt", ["a/b/c.txt", "a/x/y/b/c.txt"], ["b/c.txt", "a/b/x/c.txt"]),
        ("a**b***c", ["abc", "axbyc", "abcbc"], ["abcd", "a/bc"]),
        ("**/a/**/b/**/c", ["a/b/c", "x/a/a/x/b/x/x/c"], ["a/c/b", "ax/b/c"]),
        ("(a|b)*(c)*\\\\d", ["(a|b)x(c)\\d"], ["a", "(a|b)(c)d"]),
        ("\\[a--b]", ["[a--b]"], ["a"]),
        ("# [[:alpha:]] --", [], ["a"]),
        ("", [], ["a"]),
        ("\n\n/\n", [], ["a"]),
    ],
)
def test_patterns(tmp_path: Path, text: str | bytes, covered: list[str], kept: list[str]) -> None:
    said = ignored(tmp_path, text)
    assert [path for path in covered if not said.covers(path, is_folder=False)] == []
    assert [path for path in kept if said.covers(path, is_folder=False)] == []


def test_patterns_are_relative_to_their_folder(tmp_path: Path) -> None:
    said = ignored(tmp_path, "/a.txt\nold/", "sub/")
    assert said.covers("sub/a.txt", is_folder=False)
    assert not said.covers("sub/sub/a.txt", is_folder=False)
    assert said.covers("sub/old", is_folder=True)
    assert not said.covers("sub/old", is_folder=False)


def test_the_innermost_file_that_knows_a_path_decides(tmp_path: Path) -> None:
    write_files(tmp_path, {IGNORE_FILE: "*.txt", "sub/" + IGNORE_FILE: "!b.txt"})
    write_files(tmp_path, {name: "words" for name in ("a.txt", "a.md", "sub/a.txt", "sub/b.txt")})
    assert [file.source for file in scan([tmp_path], ScanOptions())] == ["a.md", "sub/b.txt"]


def test_no_file_leaves_nothing_out(tmp_path: Path) -> None:
    assert ignored(tmp_path) == Ignored()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[z-a]", "bad character range"),
        ("a\\", "Invalid git pattern"),
        ("!", "Invalid git pattern"),
        ("[abc", "a [ is not closed"),
    ],
)
def test_a_line_that_is_no_pattern_is_named(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(FolderError, match="line 2") as raised:
        ignored(tmp_path, f"*.bak\n{line}\n*.old")
    message = str(raised.value)
    assert message.startswith(str(tmp_path / IGNORE_FILE))
    assert reason in message
    assert message.endswith("; mend it, or remove it")
    assert len(message) < 400


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"\xff\xfea\0", "can't decode"),
        (b"a\n" * 500_001, "larger than 1,000,000 bytes"),
        (b"a\n" * 1_001, "more than 1,000 patterns"),
    ],
)
def test_a_file_that_is_no_list_of_patterns(tmp_path: Path, text: bytes, reason: str) -> None:
    with pytest.raises(FolderError, match=f"can't be read: .*{re.escape(reason)}.*; mend it, or remove it"):
        ignored(tmp_path, text)


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "folder" / IGNORE_FILE
    path.parent.mkdir()
    elsewhere.write_text("*.bak")
    for make, reason in (
        (lambda: path.symlink_to(elsewhere), "a symbolic link"),
        (lambda: path.symlink_to("/dev/zero"), "a symbolic link"),
        (lambda: path.symlink_to("missing"), "a symbolic link"),
        (lambda: os.mkfifo(path), "no regular file"),
        (path.mkdir, "no regular file"),
    ):
        make()
        with pytest.raises(FolderError, match=f"can't be read: it is {reason}; mend it, or remove it"):
            ignored(path.parent)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def test_a_link_is_not_followed_though_it_came_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / IGNORE_FILE).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text("*.bak")
    monkeypatch.setattr(Path, "is_symlink", lambda path: False)
    with pytest.raises(FolderError, match="mend it, or remove it"):
        ignored(tmp_path)


def test_a_bad_file_ends_a_scan(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "words", "sub/b.txt": "words", "sub/" + IGNORE_FILE: "[z-a]"})
    with pytest.raises(FolderError, match=r"line 1, '\[z-a\]', is no pattern"):
        scan([tmp_path], ScanOptions())


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 30 + "b", "a" * 255),
        ("*a?" * 30 + "*b", "a" * 255),
        ("*[ab]" * 30 + "c", "ab" * 127),
        ("*" * 200 + "b", "a" * 255),
        ("/" + "**/a/" * 30 + "b", "a/" * 2_000 + "c"),
        ("**/*a*/" * 30 + "b", "aa/" * 1_300 + "c"),
        ("**/a/" * 30 + "*a" * 30 + "*b/", "a/" * 1_900 + "a" * 255),
    ],
)
def test_many_wildcards_take_no_time(tmp_path: Path, pattern: str, path: str) -> None:
    assert seconds(ignored(tmp_path, pattern), path) < 1


PIECES = st.sampled_from(["a", "b", "*", "?", "[ab]", "/", "**", "/**/", "**/", "/**"])
PATHS = st.from_regex(r"[ab]{1,4}(/[ab]{1,4}){0,3}/?", fullmatch=True)


@given(st.lists(st.lists(PIECES, min_size=1, max_size=9).map("".join), min_size=1, max_size=2), PATHS)
def test_what_matches_is_what_pathspec_matches(patterns: list[str], path: str) -> None:
    lines = [patterns[0], *("!" + pattern for pattern in patterns[1:])]
    expected = GitIgnoreSpec.from_lines(lines, backend="simple").check_file(path)
    assert ignoring._spec(lines).check_file(path).include == expected.include


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_agrees(tmp_path: Path) -> None:
    patterns = ["*a*b*a", "a/**/b/**/*c", "/x[b]y", "[[]q", "old/", "!old/keep", "**/z/*/*.t*t"]
    paths = ["aba", "abab", "q/aaba", "a/b/c", "a/a/b/b/cc", "xby", "x/y", "xay", "[q", "old/a", "z/a/b.txt"]
    (tmp_path / ".gitignore").write_text("\n".join(patterns))
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    found = subprocess.run(
        [*git, "check-ignore", "--stdin"], input="\n".join(paths), capture_output=True, text=True, check=True
    )
    said = ignored(tmp_path, "\n".join(patterns))
    assert [path for path in paths if said.covers(path, is_folder=False)] == found.stdout.splitlines()
