"""Parsers run in processes of their own: what a file does to them costs that file only."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.model import Block, Document, Page, Section
from index.sandbox import Limits, ReadFile, Request, pool, protocol, read_files
from index.sandbox.protocol import Alive, Begun, Done, NonsenseError, TooLargeError, receive, send

from . import misbehaving_worker
from .conftest import TEXTS, write_files

SCRIPT = Path(misbehaving_worker.__file__)
LIMITS = Limits(seconds=5, memory=2_000_000_000, text=1_000_000)
Read = Callable[..., dict[str, ReadFile]]


@pytest.fixture(scope="module", autouse=True)
def _misbehaving() -> Iterator[None]:
    """Workers with the odd parsers; none of them is left for other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "COMMAND", (sys.executable, "-P", "-m", "tests.misbehaving_worker"))
        patch.setattr(pool, "parser_for", lambda name: misbehaving_worker.PARSER)
        yield


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write files, read them, and return what was read by file and member."""

    def files(contents: dict[str, str], limits: Limits = LIMITS) -> dict[str, ReadFile]:
        write_files(tmp_path, contents)
        requests = [Request(str(tmp_path / name), name) for name in contents]
        found = {}
        for name, held in zip(contents, read_files(requests, limits), strict=True):
            assert held[-1].member == ""
            found |= {f"{name}!/{file.member}" if file.member else name: file for file in held}
        return found

    return files


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("crash", "the parser crashed at it (SIGSEGV)"),
        ("exit", "the parser ended at it (exit code 7)"),
        ("eat", "it takes more memory than a parser may use"),
        ("long", "too large: 2,000,000 bytes of text"),
        ("connect", "a parser tried socket."),
        ("start", "a parser tried to start 'true'"),
    ],
)
def test_a_bad_file_costs_itself_alone(read: Read, order: str, reason: str) -> None:
    found = read({"a.odd": "words\nbefore", "bad.odd": order, "c.odd": "words\nafter"})
    assert (found["bad.odd"].status, found["bad.odd"].document) == ("failed", None)
    assert reason in found["bad.odd"].reason
    assert found["bad.odd"].parser == "odd/1"
    assert found["bad.odd"].sha256 is not None
    assert [found[name].document.text for name in ("a.odd", "c.odd")] == ["read before", "read after"]


def test_a_hang_ends_at_its_limit(read: Read) -> None:
    started = time.monotonic()
    found = read({"a.odd": "hang", "b.odd": "words\nafter"}, Limits(seconds=1))
    assert found["a.odd"].reason == "reading it took longer than 1 s"
    assert found["b.odd"].status == "indexed"
    assert time.monotonic() - started < 30


def test_a_parser_that_goes_on_from_part_to_part_may_take_longer(read: Read) -> None:
    assert read({"a.odd": "plod\nit all"}, Limits(seconds=1.5))["a.odd"].document.text == "read it all"


@pytest.mark.parametrize("order", ["write", "delete"])
def test_nothing_outside_its_own_folder_is_changed(read: Read, tmp_path: Path, order: str) -> None:
    target = tmp_path / "precious.txt"
    target.write_text("kept")
    found = read({"a.odd": f"{order}\n{target}"})
    assert "a parser tried" in found["a.odd"].reason
    assert target.read_text() == "kept"


def test_its_own_folder_is_its_to_write_and_goes_with_it(read: Read, tmp_path: Path) -> None:
    assert read({"a.odd": "scratch"})["a.odd"].document.text == "its own folder"


def test_what_a_library_prints_is_no_answer(read: Read) -> None:
    assert read({"a.odd": "print\nthis"})["a.odd"].document.text == "read this"


def test_members_come_before_the_file_that_holds_them(read: Read) -> None:
    found = read({"a.odd": "members\nwords\none\n--\nmembers\nwords\ntwo"})
    assert list(found) == ["a.odd!/0.odd", "a.odd!/1.odd!/0.odd", "a.odd!/1.odd", "a.odd"]
    assert (found["a.odd"].status, found["a.odd"].reason) == ("indexed", "holds 2 files")


def test_a_member_that_crashes_costs_itself_alone(read: Read) -> None:
    found = read({"a.odd": "members\nwords\none\n--\ncrash\n--\nwords\nthree\n--\nexit\n--\nwords\nfive"})
    assert {name: file.status for name, file in found.items()} == {
        "a.odd!/0.odd": "indexed",
        "a.odd!/1.odd": "failed",
        "a.odd!/2.odd": "indexed",
        "a.odd!/3.odd": "failed",
        "a.odd!/4.odd": "indexed",
        "a.odd": "indexed",
    }
    assert found["a.odd"].reason == "3 of its 5 files read"


def test_an_archive_whose_members_all_crash_is_left(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "CRASHES", 3)
    found = read({"a.odd": "members\n" + "\n--\n".join(["exit"] * 10)})
    assert len(found) == 4
    assert found["a.odd"].reason == "3 of the files inside it ended the parser"


def test_what_came_before_a_cut_in_an_archive_is_kept(read: Read) -> None:
    found = read({"a.odd": "spoilt"})
    assert found["a.odd!/good.odd"].status == "indexed"
    assert (found["a.odd"].status, found["a.odd"].reason) == ("failed", "holds 1 file; the rest is cut off")


def test_archives_are_opened_five_deep(read: Read) -> None:
    found = read({"a.odd": "members\n" * 7 + "words\ndeep"})
    assert next(iter(found)) == "a.odd" + "!/0.odd" * 5
    assert "nested more than 5 deep" in found["a.odd" + "!/0.odd" * 5].reason
    assert {file.status for file in found.values()} == {"failed", "empty"}


def test_file_that_went_away(tmp_path: Path) -> None:
    (found,) = read_files([Request(str(tmp_path / "gone.odd"), "gone.odd")], LIMITS)
    assert [(file.status, file.reason, file.sha256) for file in found] == [
        ("failed", "the file can't be read: No such file or directory", None)
    ]


def test_an_interrupted_build_waits_for_nobody(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.odd": "words\none", "b.odd": "hang", "c.odd": "hang"})
    requests = [Request(str(tmp_path / name), name) for name in ("a.odd", "b.odd", "c.odd")]
    started = time.monotonic()
    reading = read_files(requests, Limits(seconds=600))
    assert next(reading)[0].document.text == "read one"
    reading.close()
    assert time.monotonic() - started < 30


def test_a_worker_is_used_again(read: Read) -> None:
    read({"a.odd": "words\none"})
    before = list(pool._IDLE)
    read({"a.odd": "words\ntwo"})
    assert set(before) & set(pool._IDLE)


CLEAN = TEXTS.map(lambda text: "x" + text.replace("\0", ""))
DOCUMENTS = st.builds(
    lambda text, title, cut: Document(
        title,
        text,
        (
            Section(
                ("A", "b"),
                (Block(0, min(cut, len(text)), "row", (0, 1)), Block(min(cut, len(text)), len(text))),
            ),
        ),
        pages=(Page(1, 0, min(cut, len(text)), "i", b"\0\xff"), Page(2, min(cut, len(text)), len(text))),
        notice="told",
        author="Zoë",
        date="2026-01-02",
    ),
    CLEAN,
    st.none() | CLEAN,
    st.integers(0, 60),
)


@given(DOCUMENTS)
def test_a_document_survives_the_way_to_the_parent(document: Document) -> None:
    stream = io.BytesIO()
    file = ReadFile("b.zip!/ü.txt", "indexed", "told", "odd/1", "ab" * 32, 7, document, "en")
    for frame in (Begun("b.zip!/ü.txt"), file, Alive(), Done()):
        send(stream, frame)
    stream.seek(0)
    assert [receive(stream, 10_000) for _ in range(4)] == [Begun("b.zip!/ü.txt"), file, Alive(), Done()]
    with pytest.raises(EOFError):
        receive(stream, 10_000)


def framed(header: object, body: bytes = b"") -> io.BytesIO:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return io.BytesIO(len(encoded).to_bytes(8, "big") + encoded + body)


def told(**changes: object) -> dict[str, object]:
    """The header of a sound frame with four letters of text, less sound where it is changed."""
    document = {
        "title": None,
        "author": None,
        "date": None,
        "notice": "",
        "pages": [[1, 0, 4, None]],
        "sections": [[["A"], [[0, 2, "prose", None], [2, 4, "row", [0, 2]]]]],
    }
    file = {"member": "", "status": "indexed", "reason": "", "parser": "odd/1", "sha256": None, "size": 4}
    header = {"language": "en", "lengths": [4, 0]} | {
        k: v for k, v in changes.items() if k in ("language", "lengths")
    }
    document |= {k: v for k, v in changes.items() if k in document}
    file |= {k: v for k, v in changes.items() if k in file}
    return header | {"file": list(file.values()), "document": document}


def test_a_sound_frame_is_taken() -> None:
    assert receive(framed(told(), b"text"), 10).document.text == "text"


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 200_000,
        b"not json",
        b"\xff",
        7,
        None,
        [],
        {},
        {"begun": 7},
        {"begun": "../x"},
        {"begun": "a\0"},
        {"file": []},
        told(member="/etc/x"),
        told(member="a.zip!/../x"),
        told(status="hacked"),
        told(status=["indexed"]),
        told(reason="\ud800"),
        told(parser=3),
        told(sha256="ab"),
        told(size=-1),
        told(size=2**63),
        told(size=1.5),
        told(language="english!"),
        told(lengths=[]),
        told(lengths=[-4, 0]),
        told(lengths=[4]),
        told(title={}),
        told(title="\0"),
        told(date=2026),
        told(pages=[["one", 0, 4, None]]),
        told(pages=[[2, 0, 4, None]]),
        told(pages=[[1, 0, 5, None]]),
        told(pages=[[1, -1, 4, None]]),
        told(sections=[["A", [[0, 2, "prose", None]]]]),
        told(sections=[[["A"], [[0, 5, "prose", None]]]]),
        told(sections=[[["A"], [[3, 2, "prose", None]]]]),
        told(sections=[[["A"], [[2, 4, "prose", None], [0, 2, "prose", None]]]]),
        told(sections=[[["A"], [[0, 2, "script", None]]]]),
        told(sections=[[["A"], [[0, 2, "row", [0, 9]]]]]),
        told(sections=[[["A"], [[True, 2, "row", None]]]]),
    ],
)
def test_a_frame_that_makes_no_sense_is_refused(header: object) -> None:
    with pytest.raises(NonsenseError):
        receive(framed(header, b"text"), 10)


def test_text_that_cannot_be_kept_is_refused() -> None:
    for body in (b"te\0t", b"te\xfft"):
        with pytest.raises(NonsenseError):
            receive(framed(told(), body), 10)


def test_a_worker_cannot_claim_a_header_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADER_LIMIT", 100)
    with pytest.raises(TooLargeError, match="a header of"):
        receive(io.BytesIO(b"\xff" * 8 + b"{}"), 10)


def test_a_worker_whose_parent_is_gone_ends_and_cleans_up(read: Read) -> None:
    read({"a.odd": "scratch"})
    worker = pool._IDLE.pop()
    worker._process.stdin.close()
    assert worker._process.wait(10) == 0
    assert not Path(worker._folder).exists()
    worker.kill()


def test_workers_leave_no_folder_behind(read: Read) -> None:
    read({"a.odd": "scratch"})
    folders = [worker._folder for worker in pool._IDLE]
    assert all(Path(folder).is_dir() for folder in folders)
    pool._end_workers()
    assert not any(Path(folder).is_dir() for folder in folders)
