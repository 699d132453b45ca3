"""What is read of odd files is held against a list that a person could have written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import files
from bench.files import Expected, Indexed, Miss
from index import DocumentStatus

ROOT = Path(__file__).parent.parent


def row(source: str, status: str = "indexed", reason: str = "") -> DocumentStatus:
    return DocumentStatus(source, "Title", status, reason, 1, 0, None, "", None)


def held(**texts: str) -> Indexed:
    return Indexed(
        {name: row(name) for name in texts}, texts, {name: [(2, text)] for name, text in texts.items()}
    )


def kinds(found: list[Miss]) -> list[tuple[str, str]]:
    return [(miss.kind, miss.what) for miss in found]


def test_each_line_of_the_list_says_what_to_look_for():
    wanted = files.expected()
    assert len({each.name for each in wanted}) == len(wanted) >= 70
    assert sum(each.is_openable for each in wanted) >= 45
    for each in wanted:
        assert set(each.statuses) <= set(files.STATUSES)
        assert each.phrases or not each.is_openable, each.file
        assert each.page.keys() <= set(each.phrases), each.file
        assert each.phrases or not each.absent, each.file


def test_white_space_is_folded_and_nothing_else_is():
    assert files.folded(" a\n\tb\u00a0c ") == "a b c"
    wanted = Expected("a", ("indexed",), ("two  words", "Two words", "gone"))
    assert kinds(files.misses(wanted, held(a="two words"))) == [("phrase", "Two words"), ("phrase", "gone")]


def test_what_must_not_be_read_is_told():
    wanted = Expected("a", ("indexed",), ("seen",), absent=("alert(1)", "hidden"))
    assert kinds(files.misses(wanted, held(a="seen alert(1)"))) == [("absent", "alert(1)")]


def test_a_phrase_on_another_page_is_told():
    wanted = Expected("a", ("indexed",), ("here", "there"), page={"here": 2, "there": 3})
    found = files.misses(wanted, held(a="here and there"))
    assert kinds(found) == [("page", "'there' is on 2, not on 3")]


def test_text_of_a_file_inside_counts_for_it_and_that_of_a_namesake_does_not():
    indexed = Indexed(
        {name: row(name) for name in ("a", "a!/b.txt", "ab")},
        {"a": "", "a!/b.txt": "within", "ab": "beside"},
        {},
    )
    wanted = Expected("a", ("indexed",), ("within", "beside"))
    assert kinds(files.misses(wanted, indexed)) == [("phrase", "beside")]
    member = Expected("a", ("indexed",), ("within",), member="*.txt")
    assert files.misses(member, indexed) == []


def test_a_member_that_is_missing_is_told_with_the_state_of_its_archive():
    indexed = Indexed({"a.zip": row("a.zip", "failed", "cut off")}, {}, {})
    wanted = Expected("a.zip", ("indexed",), ("x",), member="b.txt")
    assert kinds(files.misses(wanted, indexed)) == [
        ("status", "there is no such file; the archive is failed: cut off")
    ]


def test_phrases_are_wanted_only_of_what_is_indexed():
    indexed = Indexed({"a": row("a", "unsupported")}, {}, {})
    assert files.misses(Expected("a", ("indexed", "unsupported"), ("x",)), indexed) == []
    assert kinds(files.misses(Expected("a", ("indexed",), ("x",)), indexed)) == [
        ("status", "unsupported, not indexed")
    ]


def test_the_share_is_of_the_files_for_which_only_text_will_do():
    wanted = [Expected(name, ("indexed",), ("x",)) for name in "abcd"] + [Expected("e", ("failed",))]
    found = [
        Miss("a", "phrase", "x"),
        Miss("a", "phrase", "y"),
        Miss("b", "page", "x"),
        Miss("e", "status", ""),
    ]
    assert files.share_found(wanted, found) == 0.75


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("the pdf parser stopped at it (KeyError: 'a')", "crash"),
        ("the parser crashed at it (SIGSEGV)", "crash"),
        ("the parser ended at it (exit code 1)", "crash"),
        ("it can't be cut into passages (IndexError: 1)", "crash"),
        ("20 of the files inside it ended the parser", "crash"),
        ("reading it took longer than 120 s", "hang"),
        ("the parser stopped answering", "hang"),
        ("it is no PDF file", None),
    ],
)
def test_a_crash_is_told_from_a_corrupt_file(reason, kind):
    found = files.violent_ends([row("a", "failed", reason), row("b", "indexed", reason)])
    assert [miss.kind for miss in found] == ([kind] if kind else [])


def test_the_reasons_of_crashes_are_those_of_the_product():
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in [ROOT / "index" / "intake.py", *(ROOT / "index" / "sandbox").glob("*.py")]
    )
    for words in "stopped at it,crashed at it,ended at it,ended the parser,cut into passages".split(","):
        assert words in code
    for words in ("took longer than", "stopped answering"):
        assert words in code


def test_files_without_status(tmp_path):
    for name in ("a.txt", "b.txt", ".hidden", "sub/c.txt", ".git/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert files.without_status(tmp_path, ["a.txt"]) == ["b.txt", "sub/c.txt"]


def test_a_folder_is_measured_and_a_missed_figure_is_an_error(tmp_path, monkeypatch, capsys):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text("The ferry leaves\nat nine.")
    (docs / "b.txt").write_text("Nothing of note.")
    (docs / "c.unknown").write_text("x")
    lines = [
        {"file": "a.txt", "status": "indexed", "phrases": ["ferry leaves at nine"]},
        {"file": "b.txt", "status": ["indexed"], "phrases": ["a white whale"]},
        {"file": "c.unknown", "status": "unsupported", "phrases": []},
    ]
    listed = tmp_path / "expected.jsonl"
    listed.write_text("\n".join(map(json.dumps, lines)))
    monkeypatch.setattr(files, "EXPECTED", listed)
    monkeypatch.setattr(files, "RESULTS", tmp_path / "results")
    monkeypatch.setattr("sys.argv", ["files", str(docs)])
    with pytest.raises(SystemExit) as ended:
        files.main()
    assert ended.value.code == 1
    rows = json.loads((tmp_path / "results" / "files.json").read_text())["rows"]
    assert rows["counts"] == dict.fromkeys(files.STATUSES, 0) | {"indexed": 2, "unsupported": 1}
    assert rows["misses"] == [{"file": "b.txt", "kind": "phrase", "what": "a white whale"}]
    assert list(rows["figures"].values()) == [0, 0, 0, 0.5]
    assert "phrase    b.txt: a white whale" in capsys.readouterr().out
