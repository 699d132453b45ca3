"""The index is kept in step beside the answers: `--lines`, and the process that prints them for the page."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from index import ClosedError, builder, lines, snapshot, watching
from index.__main__ import app
from index.terminal import exit_code
from qa import QA
from qa.web import child, indexing
from qa.web.indexing import Indexing
from qa.web.library_folder import save_uploads

from .conftest import TinyEncoder, write_files

LONG = 20  # seconds: how long a test waits for what should take a moment

STAND_IN = """
import json, os, sys, time
from pathlib import Path

place, (command, *arguments) = Path(sys.argv[1]), sys.argv[2:]
is_first = not (place / "calls").exists()
with (place / "calls").open("a") as calls:
    calls.write(json.dumps([command, os.getpid(), arguments, time.time()]) + "\\n")

def say(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)

def report(**values):
    empty = dict(added=0, changed=0, renamed=0, removed=0, counts={}, passages=0, seconds=0.1, failed=[])
    say("report", **{"snapshot": "000001", "published": True, **empty, **values})

def said(name):
    return (place / name).exists()

if said("dies"):
    sys.exit(1)
if said("locked"):
    say("error", type="IndexLockedError", message="the index is locked: process 7")
    sys.exit(1)
if said("broken"):
    say("error", type="IndexWriteError", message="the disk is full")
    sys.exit(1)
if command == "watch":
    report(added=int(is_first))
    if said("is deaf"):
        time.sleep(60)
    sys.stdin.read()
else:
    say("progress", stage="read", done=2, total=10)
    while not said("go"):
        time.sleep(0.01)
    report(snapshot="000002", counts={"failed": 1}, failed=[{"source": "a.pdf", "reason": "broken"}])
    sys.exit(3)
"""


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class StandIn:
    """In place of ``python -m index``: does at once what the files in its place tell it to."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def tell(self, name: str) -> None:
        (self.place / name).touch()

    def forget(self, name: str) -> None:
        (self.place / name).unlink()

    @property
    def calls(self) -> list[tuple[str, int, list[str], float]]:
        try:
            return [tuple(json.loads(line)) for line in (self.place / "calls").read_text().splitlines()]
        except FileNotFoundError:
            return []

    @property
    def commands(self) -> list[str]:
        return [command for command, *_ in self.calls]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    place = tmp_path / "stand-in"
    write_files(place, {"index.py": STAND_IN})
    monkeypatch.setattr(child, "COMMAND", (sys.executable, "-I", "-S", str(place / "index.py"), str(place)))
    monkeypatch.setattr(indexing, "FIRST_PAUSE", 0.05)
    made = StandIn(place)
    yield made
    assert not [pid for _, pid, *_ in made.calls if is_alive(pid)]  # whatever a test did, nothing is left


@pytest.fixture
def make(folder: Path, index_dir: Path, stand_in: StandIn) -> Iterator[Callable[[bool], Indexing]]:
    with contextlib.ExitStack() as opened:
        yield lambda follow: opened.enter_context(Indexing([folder], index_dir, follow=follow))


def test_following_begins_with_a_report_and_rests(make, stand_in, folder, index_dir):
    followed = make(True)
    until(lambda: followed.state.report)
    state = followed.state
    assert (state.running, state.task, state.error, state.report.added) == (False, "", "", 1)
    assert state.checked.endswith("+00:00")
    ((command, _, arguments, _),) = stand_in.calls
    assert command == "watch"
    assert arguments[:2] == [str(folder), f"--index={index_dir}"]
    assert {"--lines", "--until-stdin-ends"} <= set(arguments)


def test_a_rebuild_takes_the_followers_place_for_a_while(make, stand_in):
    followed = make(True)
    until(lambda: followed.state.report)
    followed.rebuild()
    until(lambda: followed.state.stage == "read")
    state = followed.state
    assert (state.running, state.task, state.done, state.total) == (True, "rebuild", 2, 10)
    assert not is_alive(stand_in.calls[0][1])
    stand_in.tell("go")
    until(lambda: stand_in.commands == ["watch", "rebuild", "watch"] and not followed.state.running)
    assert followed.state.report.failed == (("a.pdf", "broken"),)


def test_what_is_asked_for_meanwhile_is_done_once_afterwards(make, stand_in):
    asked = make(False)
    asked.rebuild()
    until(lambda: asked.state.stage == "read")
    for ask in (asked.update, asked.rebuild, asked.update):
        ask()
    assert asked.state.queued == "rebuild"
    stand_in.tell("go")
    until(lambda: len(stand_in.calls) == 2 and not asked.state.running)
    asked.update()
    until(lambda: len(stand_in.calls) == 3 and not asked.state.running)
    assert stand_in.commands == ["rebuild", "rebuild", "update"]
    assert asked.state.report.counts == {"failed": 1}


def test_an_update_while_following_looks_anew(make, stand_in):
    followed = make(True)
    until(lambda: followed.state.report)
    followed.update()
    until(lambda: stand_in.commands == ["watch", "watch"])


def test_without_following_nothing_runs_unasked(make, stand_in):
    idle = make(False)
    time.sleep(0.2)
    assert (stand_in.calls, idle.state.running) == ([], False)


def test_a_killed_process_is_started_again_and_the_state_says_why(make, stand_in, monkeypatch):
    monkeypatch.setattr(indexing, "FIRST_PAUSE", 0.4)
    followed = make(True)
    until(lambda: followed.state.report)
    os.kill(stand_in.calls[0][1], signal.SIGKILL)
    until(lambda: "SIGKILL" in followed.state.error)
    until(lambda: len(stand_in.calls) == 2 and not followed.state.error)


def test_pauses_grow(make, stand_in):
    stand_in.tell("dies")
    followed = make(True)
    until(lambda: len(stand_in.calls) == 4)
    times = [begun for *_, begun in stand_in.calls]
    pauses = [after - before for before, after in pairwise(times)]
    assert [pause >= least for pause, least in zip(pauses, (0.05, 0.1, 0.2), strict=True)] == [True] * 3
    until(lambda: "exit code 1" in followed.state.error)
    stand_in.forget("dies")
    until(lambda: followed.state.report)
    assert followed.state.error == ""


def test_a_lock_is_waited_for(make, stand_in):
    stand_in.tell("locked")
    stand_in.tell("go")
    asked = make(False)
    asked.rebuild()
    until(lambda: len(stand_in.calls) >= 2)
    until(lambda: "process 7; it is tried again" in asked.state.error)
    assert asked.state.queued == "rebuild"
    stand_in.forget("locked")
    until(lambda: asked.state.report)
    assert asked.state.error == ""


def test_a_run_that_fails_is_told_until_the_next(make, stand_in):
    followed = make(True)
    until(lambda: followed.state.report)
    stand_in.tell("broken")
    followed.rebuild()
    until(lambda: "rebuild" in stand_in.commands)
    stand_in.forget("broken")
    until(lambda: stand_in.commands[-1] == "watch" and followed.state.error)
    until(lambda: followed.state.error == "the rebuild was not made: the disk is full")
    stand_in.tell("go")
    followed.rebuild()
    until(lambda: stand_in.commands.count("rebuild") == 2)
    assert followed.state.error == ""


def test_a_run_that_dies_again_and_again_is_given_up(make, stand_in, monkeypatch):
    monkeypatch.setattr(indexing, "FIRST_PAUSE", 0.01)
    stand_in.tell("dies")
    asked = make(False)
    asked.update()
    until(lambda: asked.state.error.startswith("the update was not made"))
    assert len(stand_in.calls) == indexing.TRIES
    assert not asked.state.queued


def test_close_ends_a_follower_that_does_not_listen(make, stand_in, monkeypatch):
    monkeypatch.setattr(child, "PATIENCE_SECONDS", 0.1)
    stand_in.tell("is deaf")
    followed = make(True)
    until(lambda: followed.state.report)
    followed.close()
    assert not is_alive(stand_in.calls[0][1])


def test_close_ends_a_run(make, stand_in):
    asked = make(False)
    asked.rebuild()
    until(lambda: asked.state.stage == "read")
    asked.close()
    assert not is_alive(stand_in.calls[0][1])
    assert asked.state.running is False
    with pytest.raises(ClosedError):
        asked.update()


def test_a_rebuild_keeps_the_options_and_the_encoder(folder, index_dir, tiny_encoder, make, stand_in):
    write_files(folder, {"a.txt": "Words.", "b.txt": "Words."})
    options = builder.ScanOptions(exclude=("-b*",), max_file_size=1000, follow_symlinks=True)
    builder.rebuild(folder, index_dir, encoder=tiny_encoder, options=options)
    stand_in.tell("go")
    make(False).rebuild()
    until(lambda: stand_in.calls)
    wanted = {"--exclude=-b*", "--max-file-size=1000", "--follow-symlinks", "--encoder=tiny"}
    assert wanted <= set(stand_in.calls[0][2])


def test_an_index_that_cannot_be_read_is_told(index_dir, make, stand_in):
    write_files(index_dir, {"CURRENT": "000007\n"})
    asked = make(False)
    asked.rebuild()
    until(lambda: "the rebuild was not made" in asked.state.error)
    assert "000007" in asked.state.error
    assert stand_in.calls == []


def test_rate_and_time_left(folder, index_dir, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(indexing.time, "monotonic", lambda: clock[0])
    told = Indexing([folder], index_dir, follow=False)
    for seconds, done in ((0, 0), (0.1, 5), (2, 20)):
        clock[0] = 100 + seconds
        told._hear({"event": "progress", "stage": "embed", "done": done, "total": 100})
        if done < 20:
            assert (told.state.rate, told.state.eta) == (None, None)
    assert (told.state.rate, told.state.eta) == (10, 8)


def test_for_real(folder: Path, index_dir: Path, tmp_path: Path) -> None:
    write_files(folder, {"a.txt": "The committee met in Oslo on 3 May 2021 to discuss the budget."})
    write_files(tmp_path, {"sent": "The new lighthouse keeper is called Margarethe Lindqvist."})
    with Indexing([folder], index_dir, follow=True) as followed:
        until(lambda: followed.state.report)
        with QA.open(index_dir) as qa:
            (saved,) = save_uploads([folder], [("b.txt", tmp_path / "sent")])
            until(lambda: saved.source in [document.source for document in qa.documents()])
            answer = qa.ask("Who is the new lighthouse keeper?", min_confidence=0)
            assert answer.key == "Margarethe Lindqvist"
            until(lambda: followed.state.report.added == 1 and not followed.state.running)
    assert not followed.state.running


Run = Callable[..., tuple[int, list[dict], str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command line with --lines; return its exit code, the events on stdout, and stderr."""
    monkeypatch.setattr(builder, "load_encoder", lambda name: TinyEncoder())
    monkeypatch.setattr(watching, "load_encoder", lambda name: TinyEncoder())
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, list[dict], str]:
        capsys.readouterr()
        code = exit_code(app, "python -m index", [*map(str, arguments), "--lines"])
        out, err = capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], err

    return call


@pytest.mark.parametrize("command", ["rebuild", "update"])
def test_lines_of_a_build(run: Run, folder: Path, index_dir: Path, command: str) -> None:
    write_files(folder, {"a.txt": "Alpha words.", "b.pdf": b"%PDF-1.7\nbroken"})
    code, events, err = run(command, folder, "--index", index_dir)
    assert code == 3
    stages = [event["stage"] for event in events if event["event"] == "progress"]
    assert list(dict.fromkeys(stages)) == ["read", "embed", "index words"]
    assert [event["event"] for event in events].index("report") == len(events) - 1
    report = events[-1]
    assert (report["snapshot"], report["published"], report["added"]) == ("000001", True, 2)
    assert (report["counts"], report["passages"]) == ({"indexed": 1, "failed": 1}, 1)
    assert [file["source"] for file in report["failed"]] == ["b.pdf"]
    assert "failed: b.pdf" in err


def test_lines_of_a_purge(run: Run, folder: Path, index_dir: Path) -> None:
    write_files(folder, {"a.txt": "Alpha words."})
    code, events, _ = run("update", folder, "--index", index_dir, "--purge")
    assert (code, events[-1]["event"]) == (0, "report")


def test_lines_of_an_error(run: Run, folder: Path, index_dir: Path) -> None:
    write_files(folder, {"a.txt": "Alpha words."})
    with snapshot.writer_lock(index_dir):
        code, events, err = run("update", folder, "--index", index_dir)
    assert code == 1
    assert [(event["event"], event["type"]) for event in events] == [("error", "IndexLockedError")]
    assert events[0]["message"] in err
    code, events, _ = run("watch", folder / "nowhere", "--index", index_dir)
    assert (code, events[0]["type"]) == (2, "FolderError")


def test_lines_of_a_watch_that_ends_at_once(run: Run, folder: Path, index_dir: Path) -> None:
    write_files(folder, {"a.txt": "Alpha words."})
    read, written = os.pipe()
    os.close(written)
    kept = os.dup(0)
    os.dup2(read, 0)
    try:
        code, events, _ = run("watch", folder, "--index", index_dir, "--until-stdin-ends")
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(read)
    assert code == 0
    assert {event["event"] for event in events} <= {"progress", "report"}


def test_progress_is_told_a_few_times_a_second(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(lines.time, "monotonic", lambda: clock[0])
    tell = lines.progress()
    for done in range(1000):
        clock[0] = done / 1000
        tell("read", done, 1000)
    tell("read", 1000, 1000)
    tell("embed", 0, 5)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["done"] // 100 for event in told] == [0, 2, 4, 6, 8, 10, 0]


def test_a_reader_that_has_gone_does_not_stop_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.TextIOWrapper):
        def flush(self) -> None:
            raise BrokenPipeError

    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", gone := Gone(io.BytesIO()))
        lines.progress()("read", 0, 1)
    gone.flush = lambda: None
