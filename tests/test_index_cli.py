"""``python -m index``: exit codes, what goes to stdout and stderr, JSON, and where the index lies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from index import builder, snapshot
from index.__main__ import app
from index.terminal import exit_code

from .conftest import TinyEncoder, age, write_files

REPOSITORY = Path(__file__).parent.parent
FILES = {"a.txt": "Alpha words.", "sub/b.md": "# Beta\n\nMore words.", "copy.txt": "Alpha words."}
BROKEN = {"broken.pdf": b"%PDF-1.7\nbroken"}
Run = Callable[..., tuple[int, str, str]]

TEXT, COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
STATUSES = ["indexed", "empty", "no_text_layer", "encrypted", "unsupported", "failed"]
DOCUMENT = {
    "source": TEXT,
    "title": TEXT,
    "status": {"enum": STATUSES},
    "reason": TEXT,
    "passages": COUNT,
    "pages": COUNT,
    "sha256": {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"},
    "indexed_at": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$"},
    "duplicate_of": {"type": ["string", "null"]},
}
STATUS = {
    "format": COUNT,
    "snapshot": TEXT,
    "folder": TEXT,
    "encoder": TEXT,
    "vector_index": TEXT,
    "counts": {"type": "object", "required": STATUSES, "additionalProperties": COUNT},
    "documents": {
        "type": "array",
        "items": {"type": "object", "properties": DOCUMENT, "required": list(DOCUMENT)},
    },
}
STATUS_SCHEMA = {"type": "object", "properties": STATUS, "required": list(STATUS)}


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tiny encoder, whatever is asked for, and none of the caller's environment."""
    monkeypatch.setattr(builder, "load_encoder", lambda name: TinyEncoder())
    for name in ("FOOTNOTE_INDEX", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line; return its exit code, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = exit_code(app, "python -m index", [str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err + out
        return code, out, err

    return call


@pytest.fixture
def built(folder: Path, run: Run) -> Path:
    write_files(folder, FILES)
    assert run("rebuild", folder, "--quiet") == (0, "", "")
    return folder.parent / ".footnote" / "library"


def process(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "index", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, encoding="utf-8", check=False, timeout=60
    )


def test_help_lists_the_commands(tmp_path: Path) -> None:
    done = process("--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("rebuild", "update", "status", "verify", "rollback"):
        assert command in done.stdout


def test_missing_folder_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = process("rebuild", tmp_path / "gone", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"the folder {tmp_path / 'gone'} does not exist; give the folder that holds your documents\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_named_index_is_not_in_the_way(built: Path, tmp_path: Path) -> None:
    write_files(tmp_path, {"here/index/notes.txt": "A plain folder."})
    done = process("status", "--index", built, "--json", cwd=tmp_path / "here")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["counts"]["indexed"] == 3


def test_rebuild_and_update_say_what_they_did(folder: Path, run: Run) -> None:
    write_files(folder, FILES)
    age(folder, time.time_ns() + 60_000_000_000)  # fresh for as long as this test takes
    code, out, err = run("rebuild", folder)
    assert code == 0
    assert "3 indexed: 2 passages" in out
    assert "3 added; 2 passages embedded" in out
    assert str(folder.parent / ".footnote" / "library") in out
    assert err.splitlines() == ["read: 3", "embed: 2", "index words: 2"]
    code, out, err = run("update", folder)
    assert (code, err) == (0, "read: 3\n")  # fresh files are looked at once more
    assert "nothing changed; 0 passages embedded" in out
    (folder / "a.txt").unlink()
    write_files(folder, {"sub/b.md": "# Beta\n\nOther words.", "c.txt": "New."})
    assert "1 added, 1 changed, 1 removed" in run("update", folder)[1]


def test_partial_is_3_and_the_rest_is_indexed(folder: Path, run: Run) -> None:
    write_files(folder, FILES | BROKEN)
    code, out, err = run("rebuild", folder)
    assert code == 3
    assert "3 indexed, 1 failed" in out
    assert "failed: broken.pdf: " in err
    code, out, err = run("update", folder, "--quiet")
    assert (code, out) == (3, "")
    assert err.startswith("failed: broken.pdf: ")
    assert run("status", folder)[0] == 0


def test_files_that_are_no_documents_are_not_partial(folder: Path, run: Run) -> None:
    write_files(folder, {"a.txt": "Words.", "empty.txt": "", "picture.png": b"\x89PNG"})
    code, out, _ = run("rebuild", folder)
    assert code == 0
    assert "1 indexed, 1 empty, 1 unsupported" in out


def test_many_failures_are_cut_short(folder: Path, run: Run) -> None:
    write_files(folder, {f"{n:02}.pdf": b"%PDF-1.7 broken" + bytes([n]) for n in range(25)})
    code, _, err = run("rebuild", folder, "--quiet")
    assert (code, len(err.splitlines())) == (3, 21)
    assert "and 5 more" in err


def test_folder_without_documents_is_told(folder: Path, run: Run) -> None:
    code, _, err = run("rebuild", folder)
    assert code == 0
    assert "no documents were found" in err


def test_status_json(folder: Path, run: Run) -> None:
    write_files(folder, FILES | BROKEN | {"[bold]ü 中.txt": "Words.", "x.bin": b"\0", "empty.txt": ""})
    run("rebuild", folder)
    code, out, err = run("status", folder, "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    state = json.loads(out)
    jsonschema.validate(state, STATUS_SCHEMA, jsonschema.Draft202012Validator)
    documents = {document["source"]: document for document in state["documents"]}
    assert list(documents) == sorted(documents)
    assert "[bold]ü 中.txt" in documents
    assert documents["copy.txt"]["duplicate_of"] == "a.txt"
    assert documents["broken.pdf"]["status"] == "failed"
    assert documents["x.bin"]["sha256"] is None
    assert state["counts"]["indexed"] == 4
    assert state["folder"] == str(folder)


def test_status_for_people(built: Path, run: Run) -> None:
    code, out, err = run("status", "--index", built)
    assert (code, err) == (0, "")
    assert "3 indexed" in out
    assert "sub/b.md" in out
    assert "same as a.txt" in out


def test_verify(built: Path, run: Run) -> None:
    assert run("verify", "--index", built) == (0, "the index is sound\n", "")
    code, out, err = run("verify", "--index", built, "--json")
    assert (code, json.loads(out), err) == (0, {"ok": True, "problems": []}, "")
    path = snapshot.snapshot_dir(built, "000001") / "vectors.faiss"
    path.write_bytes(path.read_bytes() + b"x")
    code, out, err = run("verify", "--index", built)
    assert (code, out) == (1, "")
    assert "vectors.faiss is altered" in err
    code, out, err = run("verify", "--index", built, "--json")
    report = json.loads(out)
    assert (code, report["ok"], err) == (1, False, "")
    assert "vectors.faiss is altered" in report["problems"][0]


def test_rollback(built: Path, folder: Path, run: Run) -> None:
    (folder / "copy.txt").unlink()
    write_files(folder, {"a.txt": "Omega.", "new [x].txt": "New words."})
    run("update", folder)
    code, out, err = run("rollback", "--index", built)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "snapshot 000001 is live again instead of 000002",
        "returns: copy.txt",
        "goes: new [x].txt",
        "takes its earlier content: a.txt",
        "the next update brings the index in line with the folder again",
    ]
    code, out, err = run("rollback", "--index", built)
    assert (code, out) == (1, "")
    assert "keeps no snapshot from before 000001" in err


@pytest.mark.parametrize("command", ["status", "verify", "rollback"])
def test_no_index_is_1_and_names_the_command(command: str, run: Run, tmp_path: Path) -> None:
    for arguments in ((command,), (command, "--index", tmp_path / "nowhere")):
        code, out, err = run(*arguments)
        assert (code, out) == (1, "")
        assert "python -m index rebuild FOLDER" in err
    assert list(tmp_path.iterdir()) == []


def test_the_only_index_here_is_found(built: Path, run: Run, tmp_path: Path) -> None:
    assert run("status")[0] == 0
    write_files(tmp_path, {"other/a.txt": "Words."})
    run("rebuild", "other")
    code, out, err = run("status")
    assert (code, out) == (2, "")
    assert "choose one with --index" in err
    assert run("status", "other")[0] == 0


def test_index_from_the_environment(
    folder: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(folder, FILES)
    monkeypatch.setenv("FOOTNOTE_INDEX", str(tmp_path / "named"))
    assert run("rebuild", folder)[0] == 0
    assert (tmp_path / "named" / "CURRENT").exists()
    assert not (tmp_path / ".footnote").exists()
    assert json.loads(run("status", "--json")[1])["folder"] == str(folder)
    assert run("rebuild", folder, "--index", tmp_path / "given")[0] == 0  # the option goes first
    assert (tmp_path / "given" / "CURRENT").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("rebuild",),
        ("rebuild", "library", "--max-file-size", "large"),
        ("rebuild", "library", "--max-file-size", "0"),
        ("rebuild", "library", "--no-such-option"),
        ("no-such-command",),
        ("status", "--json", "one", "two"),
        ("update", "a-file.txt"),
    ],
)
def test_wrong_use_is_2(folder: Path, run: Run, tmp_path: Path, arguments: Sequence[str]) -> None:
    write_files(tmp_path, {"a-file.txt": "Words."})
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err


def test_options_reach_the_scan(folder: Path, run: Run) -> None:
    write_files(folder, FILES | {"large.txt": "x" * 3_000, "draft/x.txt": "Draft."})
    options = ("--include", "*.txt", "--exclude", "draft", "--exclude", "copy*", "--max-file-size", "2KB")
    assert run("rebuild", folder, *options)[0] == 0
    listed = json.loads(run("status", folder, "--json")[1])["documents"]
    assert {d["source"]: d["status"] for d in listed} == {"a.txt": "indexed", "large.txt": "unsupported"}


def test_update_purges(built: Path, folder: Path, run: Run) -> None:
    write_files(folder, {"a.txt": "Omega words.", "copy.txt": "Omega words."})
    code, out, _ = run("update", folder, "--purge")
    assert code == 0
    assert "purged: older snapshots and 1 cached vectors" in out
    assert snapshot.snapshot_names(built) == ["000002"]


def test_failures_are_one_line_without_a_traceback(folder: Path, run: Run, tmp_path: Path) -> None:
    write_files(tmp_path, {"plain-file": "x"})
    code, out, err = run("rebuild", folder, "--index", tmp_path / "plain-file")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "plain-file" in err


@pytest.fixture
def interrupted(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """What comes of Ctrl-C while texts are embedded."""

    class Interrupted(TinyEncoder):
        def encode_passages(self, texts: Sequence[str]) -> np.ndarray:
            raise KeyboardInterrupt

    write_files(folder, FILES)
    monkeypatch.setattr(builder, "load_encoder", lambda name: Interrupted())
    return run("rebuild", folder, "--quiet")


def test_interrupt_is_130(interrupted: tuple[int, str, str], folder: Path, run: Run) -> None:
    assert interrupted[:2] == (130, "")
    assert run("status", folder)[0] == 1  # nothing was published


def test_interrupt_is_told(interrupted: tuple[int, str, str]) -> None:
    assert interrupted[2].strip() == "stopped"


def test_no_color(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[31m" in run("rebuild", "gone", "--quiet")[2]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("rebuild", "gone", "--quiet")[2]
