"""Snapshots: published in one step, kept, rolled back, checked, locked; readers just follow."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

from index import (
    BuildReport,
    FootnoteError,
    Index,
    IndexLockedError,
    IndexMismatchError,
    IndexNotFoundError,
    lexical,
    open_index,
    purge,
    rebuild,
    rollback,
    snapshot,
    update,
    verify,
)

from .conftest import TinyEncoder, age, write_files

HOLD = """
import sys
from pathlib import Path
from index.snapshot import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def one(folder: Path, index_dir: Path, tiny_encoder: TinyEncoder) -> Path:
    """The index directory after a first build."""
    write_files(folder, {"a.txt": "Alpha words.", "b.txt": "Beta words."})
    age(folder)
    rebuild(folder, index_dir, encoder=tiny_encoder)
    return index_dir


@pytest.fixture
def change(folder: Path, index_dir: Path) -> Callable[[dict[str, str | None]], BuildReport]:
    """Write files (None deletes) and update the index."""

    def do(files: dict[str, str | None]) -> BuildReport:
        write_files(folder, {name: text for name, text in files.items() if text is not None})
        for name in [name for name, text in files.items() if text is None]:
            (folder / name).unlink()
        return update(folder, index_dir, encoder=TinyEncoder())

    return do


def live_dir(index_dir: Path) -> Path:
    return snapshot.snapshot_dir(index_dir, snapshot.live_snapshot(index_dir))


def answers(index: Index, question: str) -> set[str]:
    live = index.live()
    found = live.search_words(question, 10, None)
    return {source for p in live.passages([i for i, _ in found], None) for source in p.sources}


def edit_manifest(index_dir: Path, **values: object) -> None:
    path = live_dir(index_dir) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("step", ["publish", "checksums", "_flush", "set_live"])
def test_crash_before_the_swap_leaves_the_old_snapshot_live(
    one: Path, change: Callable[..., BuildReport], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(snapshot, step, crash)
        with pytest.raises(RuntimeError, match="the power went"):
            change({"c.txt": "Gamma words."})
    assert snapshot.live_snapshot(one) == "000001"
    assert verify(one) == ()
    with open_index(one, TinyEncoder()) as index:
        assert answers(index, "words gamma") == {"a.txt", "b.txt"}
    report = change({})  # the next build finishes the work, with the vectors that were made
    assert (report.added, report.embedded) == (("c.txt",), 0)
    assert verify(one) == ()
    assert len(snapshot.snapshot_names(one)) <= 2


def test_crash_after_the_swap_is_a_finished_build(
    one: Path, change: Callable[..., BuildReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "drop_snapshots", crash)
        with pytest.raises(RuntimeError, match="the power went"):
            change({"c.txt": "Gamma words."})
    assert snapshot.live_snapshot(one) == "000002"
    assert verify(one) == ()
    assert not change({}).published


def test_crash_in_the_swap_itself(
    one: Path, change: Callable[..., BuildReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        with pytest.raises(RuntimeError, match="the power went"):
            change({"c.txt": "Gamma words."})
    assert snapshot.live_snapshot(one) == "000001"
    report = change({})
    assert (report.added, report.embedded, verify(one)) == (("c.txt",), 0, ())
    assert rollback(one).live == "000001"  # not what was left behind by the crash


def test_unsound_snapshot_is_not_published(
    one: Path, change: Callable[..., BuildReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = lexical.write
    with monkeypatch.context() as patch:
        patch.setattr(lexical, "write", lambda directory, rows, gone: write(directory, [], gone))
        with pytest.raises(FootnoteError, match="3 passages, 3 vectors, 2 in the word index"):
            change({"c.txt": "Gamma words."})
    assert snapshot.live_snapshot(one) == "000001"
    assert change({}).added == ("c.txt",)


def test_two_snapshots_are_kept(one: Path, change: Callable[..., BuildReport]) -> None:
    for n in range(3):
        assert change({"a.txt": f"Version {n}."}).published
    assert snapshot.snapshot_names(one) == ["000003", "000004"]
    assert verify(one) == ()


def test_rollback_lists_what_it_does(one: Path, change: Callable[..., BuildReport]) -> None:
    change({"a.txt": "Omega words.", "b.txt": None, "c.txt": "Gamma words."})
    done = rollback(one)
    assert (done.left, done.live) == ("000002", "000001")
    assert (done.returned, done.dropped, done.reverted) == (("b.txt",), ("c.txt",), ("a.txt",))
    assert verify(one) == ()
    with open_index(one, TinyEncoder()) as index:
        assert answers(index, "alpha beta gamma omega") == {"a.txt", "b.txt"}
    with pytest.raises(IndexNotFoundError, match="keeps no snapshot from before 000001"):
        rollback(one)
    again = change({})  # what was rolled back is applied once more
    assert (again.snapshot, again.added, again.removed) == ("000003", ("c.txt",), ("b.txt",))
    assert rollback(one).live == "000001"


def test_nothing_to_roll_back_to(one: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError):
        rollback(one)
    assert snapshot.live_snapshot(one) == "000001"
    with pytest.raises(IndexNotFoundError, match="there is no index in"):
        rollback(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("difference", "told"),
    [
        ("encoder", "its encoder is tiny \\(tiny-1\\), not tiny \\("),
        ("format", "has format 99"),
        ("chunker", "its passages were cut by another version"),
        ("lexical", "its words were indexed by another version"),
    ],
)
def test_mismatch_names_the_command_that_mends_it(
    one: Path, monkeypatch: pytest.MonkeyPatch, difference: str, told: str
) -> None:
    encoder = TinyEncoder("tiny-2" if difference == "encoder" else "tiny-1")
    if difference == "format":
        edit_manifest(one, format=99)
    elif difference == "chunker":
        chunker = json.loads((live_dir(one) / "manifest.json").read_text())["chunker"]
        edit_manifest(one, chunker=chunker | {"version": 99})
    elif difference == "lexical":
        monkeypatch.setattr(lexical, "LEXICAL_VERSION", 99)
    for use in (
        lambda: open_index(one, encoder),
        lambda: update(one.parent / "library", one, encoder=encoder),
    ):
        with pytest.raises(IndexMismatchError, match=told) as caught:
            use()
    command = shlex.split(re.search(r"python -m index rebuild .*", str(caught.value))[0])
    assert command[:4] == ["python", "-m", "index", "rebuild"]
    assert command[5] == "--index"
    report = rebuild(command[4], command[6], encoder=encoder)
    assert report.counts == {"indexed": 2}
    with open_index(one, encoder) as index:
        assert answers(index, "alpha") == {"a.txt"}


def test_command_is_quoted_for_the_shell() -> None:
    command = snapshot.rebuild_command(["/my files/it's"], Path("/an index"))
    assert shlex.split(command)[4:] == ["/my files/it's", "--index", "/an index"]


def test_lock_of_another_process(one: Path, folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(snapshot.__file__).parent.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(one)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        told = rf"process {holder.pid} has been writing it for \d+ s"
        calls = (
            lambda: rebuild(folder, one, encoder=TinyEncoder()),
            lambda: update(folder, one, encoder=TinyEncoder()),
            lambda: purge(one, TinyEncoder()),
            lambda: rollback(one),
        )
        for call in calls:
            with pytest.raises(IndexLockedError, match=told):
                call()
        with open_index(one, TinyEncoder()) as index:  # readers take no lock
            assert answers(index, "alpha") == {"a.txt"}
        holder.kill()
    assert json.loads((one / "LOCK").read_text())["pid"] == holder.pid
    assert rebuild(folder, one, encoder=TinyEncoder()).published  # its lock died with it


def test_readers_follow_without_reopening(one: Path, change: Callable[..., BuildReport]) -> None:
    with open_index(one, TinyEncoder()) as index:
        held = index.live()
        held.load()
        change({"a.txt": "Omega words."})
        assert answers(index, "omega alpha") == {"a.txt"}
        assert index.live().name == "000002"
        for n in range(3):
            change({"c.txt": f"Gamma {n}."})
        assert not snapshot.snapshot_dir(one, held.name).exists()
        # A question that began on the old snapshot is finished on it.
        assert held.search_words("alpha", 5, None)
        assert held.search_words("omega", 5, None) == []
        assert held.text("a.txt") == "Alpha words."
        rollback(one)
        assert index.live().name == "000004"


def test_reader_refuses_a_snapshot_of_another_encoder(one: Path, folder: Path) -> None:
    with open_index(one, TinyEncoder()) as index:
        rebuild(folder, one, encoder=TinyEncoder("tiny-2"))
        with pytest.raises(IndexMismatchError, match="rebuild"):
            index.live()


def test_purge(one: Path, change: Callable[..., BuildReport]) -> None:
    change({"a.txt": "Omega words."})
    assert purge(one, TinyEncoder()) == 1  # the vector of the text that went
    assert snapshot.snapshot_names(one) == ["000002"]
    assert verify(one) == ()
    with pytest.raises(IndexNotFoundError):
        rollback(one)
    assert change({"c.txt": "Omega words.", "d.txt": "Alpha words."}).embedded == 1
    with pytest.raises(IndexNotFoundError):
        purge(one / "nowhere", TinyEncoder())


@pytest.mark.parametrize("action", ["purge", "rollback"])
def test_build_just_before_the_lock_is_seen(
    one: Path, change: Callable[..., BuildReport], monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    change({"c.txt": "Gamma words."})
    lock = snapshot.writer_lock

    @contextmanager
    def late(index_dir: Path):
        monkeypatch.setattr(snapshot, "writer_lock", lock)
        change({"d.txt": "Delta words."})
        with lock(index_dir):
            yield

    monkeypatch.setattr(snapshot, "writer_lock", late)
    if action == "purge":
        purge(one, TinyEncoder())
        assert snapshot.live_snapshot(one) == "000003"
    else:
        assert rollback(one).left == "000003"
    assert verify(one) == ()


def test_closing_twice_is_no_error(one: Path) -> None:
    with open_index(one, TinyEncoder()) as index:
        index.close()
