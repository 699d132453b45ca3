"""A watched folder: what is saved, moved or removed is answered from within seconds."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from index import (
    BuildReport,
    FolderError,
    FootnoteError,
    IndexLockedError,
    open_index,
    snapshot,
    status,
    verify,
    watch,
    watching,
)
from qa import QA

from .conftest import TinyEncoder, write_files

LONG = 30  # seconds: how long a test waits for what should take one


class Watched:
    """A folder that is followed in a thread."""

    def __init__(self, folder: Path, index_dir: Path, encoder: TinyEncoder) -> None:
        self.folder, self.index_dir, self.encoder = folder, index_dir, encoder
        self.reports: queue.Queue[BuildReport] = queue.Queue()
        self.troubles: list[FootnoteError] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()
        self.first = self.reports.get(timeout=LONG)

    def _follow(self) -> None:
        for report in watch(
            self.folder, self.index_dir, encoder=self.encoder, stop=self._stop, trouble=self.troubles.append
        ):
            self.reports.put(report)

    def published(self) -> BuildReport:
        """The next update that changed anything."""
        while True:
            report = self.reports.get(timeout=LONG)
            if report.published:
                return report

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONG
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def sources(self) -> list[str]:
        return [document.source for document in status(self.index_dir).documents]

    def end(self) -> None:
        self._stop.set()
        self._thread.join(LONG)
        assert not self._thread.is_alive()


@pytest.fixture
def watched(folder: Path, index_dir: Path, tiny_encoder: TinyEncoder) -> Iterator[Watched]:
    write_files(folder, {"a.txt": "The car is red.", "sub/b.txt": "The van is slow."})
    for path in folder.rglob("*.txt"):
        os.utime(path, (1, 1))
    found = Watched(folder, index_dir, tiny_encoder)
    yield found
    found.end()
    assert verify(index_dir) == ()


def test_what_is_there_is_indexed_first(watched: Watched) -> None:
    assert watched.first.added == ("a.txt", "sub/b.txt")


def test_create_change_move_delete(watched: Watched, folder: Path) -> None:
    (folder / "c.txt").write_text("A new car.")
    assert watched.published().added == ("c.txt",)
    (folder / "a.txt").write_text("The car is fast.")
    assert watched.published().changed == ("a.txt",)
    embedded = len(watched.encoder.encoded)
    (folder / "sub" / "b.txt").rename(folder / "moved.txt")
    assert watched.published().renamed == (("sub/b.txt", "moved.txt"),)
    assert len(watched.encoder.encoded) == embedded  # a move keeps its vectors
    (folder / "c.txt").unlink()
    assert watched.published().removed == ("c.txt",)
    assert watched.sources() == ["a.txt", "moved.txt"]


def test_a_folder_moved_in_and_out(watched: Watched, folder: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "outside", {"x.txt": "The red van.", "y.txt": "The slow car."})
    (tmp_path / "outside").rename(folder / "inside")
    assert watched.published().added == ("inside/x.txt", "inside/y.txt")
    (folder / "inside" / "x.txt").write_text("The fast van.")
    assert watched.published().changed == ("inside/x.txt",)
    (folder / "inside").rename(tmp_path / "outside")
    assert watched.published().removed == ("inside/x.txt", "inside/y.txt")


def test_editors_that_save_beside_and_rename(watched: Watched, folder: Path) -> None:
    for number in range(3):  # as vim, VS Code and LibreOffice do
        (folder / ".a.txt.swp").write_text("half")
        (folder / "a.txt~new").write_text(f"The car number {number} is saved.")
        (folder / "a.txt~new").replace(folder / "a.txt")
        (folder / ".a.txt.swp").unlink()
        report = watched.published()
        assert (report.added, report.changed, report.removed) == ((), ("a.txt",), ())


def test_many_saves_at_once_are_few_updates(watched: Watched, folder: Path) -> None:
    for number in range(50):
        (folder / f"n{number}.txt").write_text(f"Car number {number}.")
    watched.until(lambda: len(watched.sources()) == 52)
    assert sum(1 for _ in range(watched.reports.qsize()) if watched.reports.get().published) <= 5


def test_hidden_files_wake_nobody(watched: Watched, folder: Path) -> None:
    time.sleep(0.5)
    while not watched.reports.empty():
        watched.reports.get()
    write_files(folder, {".hidden.txt": "x", ".git/HEAD": "x"})
    with pytest.raises(queue.Empty):
        watched.reports.get(timeout=2)


def test_ignore_file_counts_at_once(watched: Watched, folder: Path) -> None:
    (folder / ".footnoteignore").write_text("sub/\n")
    assert watched.published().removed == ("sub/b.txt",)
    (folder / ".footnoteignore").unlink()
    assert watched.published().added == ("sub/b.txt",)


def test_a_file_that_failed_is_tried_again_only_once_it_changes(watched: Watched, folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7 broken")
    assert [document.source for document in watched.published().failed] == ["bad.pdf"]
    before = {d.source: d.indexed_at for d in status(watched.index_dir).documents}
    (folder / "a.txt").write_text("The car is fast.")
    watched.published()
    after = {d.source: d.indexed_at for d in status(watched.index_dir).documents}
    assert after["bad.pdf"] == before["bad.pdf"]


def test_readers_switch_without_a_restart(watched: Watched, folder: Path, index_dir: Path) -> None:
    with open_index(index_dir, watched.encoder) as index:
        before = index.live().name
        (folder / "c.txt").write_text("A new car.")
        watched.published()
        assert index.live().name != before
        assert index.live().text("c.txt") == "A new car."


def test_another_writer_is_waited_for(
    watched: Watched, folder: Path, index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.1)
    with snapshot.writer_lock(index_dir):
        (folder / "c.txt").write_text("A new car.")
        watched.until(lambda: bool(watched.troubles))
    assert isinstance(watched.troubles[0], IndexLockedError)
    assert watched.published().added == ("c.txt",)


def test_a_folder_that_goes_and_comes_back(
    watched: Watched, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.1)
    folder.rename(tmp_path / "away")
    time.sleep(1.5)
    assert watched.sources() == ["a.txt", "sub/b.txt"]  # a folder that is not there has lost no documents
    shutil.copytree(tmp_path / "away", folder)
    (folder / "c.txt").write_text("A new car.")
    watched.until(lambda: "c.txt" in watched.sources())
    (folder / "d.txt").write_text("Another car.")
    watched.until(lambda: "d.txt" in watched.sources())


def test_an_index_inside_its_folder_does_not_feed_itself(folder: Path, tiny_encoder: TinyEncoder) -> None:
    write_files(folder, {"a.txt": "The car is red."})
    inside = Watched(folder, folder / "index", tiny_encoder)
    (folder / "b.txt").write_text("The van is slow.")
    inside.until(lambda: inside.sources() == ["a.txt", "b.txt"])
    time.sleep(2.5)
    inside.end()
    assert sum(1 for _ in range(inside.reports.qsize()) if inside.reports.get().published) <= 3


def test_folder_missing_from_the_start(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="does not exist"):
        next(watch(tmp_path / "nowhere"))


def test_the_command_and_an_open_qa(tmp_path: Path) -> None:
    folder, index_dir = tmp_path / "library", tmp_path / "ix"
    write_files(folder, {"a.txt": "The committee met in Oslo on 3 May 2021 to discuss the budget."})
    process = subprocess.Popen(
        [sys.executable, "-m", "index", "watch", str(folder), "--index", str(index_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        seen: list[str] = []
        while not seen or "following" not in seen[-1]:
            seen.append(process.stdout.readline())
            assert seen[-1], seen
        with QA.open(index_dir) as qa:
            assert qa.ask("Where did the committee meet?", min_confidence=0).key == "Oslo"
            (folder / "b.txt").write_text("The new lighthouse keeper is called Margarethe Lindqvist.")
            line = process.stdout.readline()
            assert line == "added: b.txt\n"
            process.stdout.readline()
            answer = qa.ask("Who is the new lighthouse keeper?", min_confidence=0)
            assert answer.key == "Margarethe Lindqvist"
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=LONG)
    assert process.returncode == 130
    assert "Traceback" not in output
