"""A worker whose parsers do what a file's first line says: hang, crash, eat memory, reach out."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from index import parsers
from index.errors import CorruptError
from index.model import Block, Document, Member, Section
from index.parsers import pulse
from index.sandbox import worker


def words(text: str) -> Document:
    return Document(None, text, (Section((), (Block(0, len(text)),)),))


def hang(rest: str) -> None:
    time.sleep(600)


def plod(rest: str) -> None:
    for _ in range(6):
        time.sleep(0.5)
        pulse.beat()


def crash(rest: str) -> None:
    ctypes.string_at(0)


def leave(rest: str) -> None:
    os._exit(7)


def chatter(rest: str) -> None:
    print("x" * 100_000, flush=True)
    os.write(1, b"y" * 100_000)


def eat(rest: str) -> Document:
    return words("z" * 10**10)


def long(rest: str) -> Document:
    return words("z" * 2_000_000)


def write(rest: str) -> None:
    Path(rest).write_text("stolen")


def delete(rest: str) -> None:
    Path(rest).unlink()


def connect(rest: str) -> None:
    socket.create_connection(("127.0.0.1", 9))


def start(rest: str) -> None:
    subprocess.run(["/bin/true"], check=True)


def scratch(rest: str) -> Document:
    Path("note.txt").write_text("its own folder")
    return words(Path("note.txt").read_text())


def members(rest: str) -> Document:
    parts = enumerate(rest.split("\n--\n"))
    return Document(None, "", (), members=[Member(f"{n}.odd", part.encode()) for n, part in parts])


def spoilt(rest: str) -> Document:
    return Document(None, "", (), members=cut_off())


def cut_off() -> Iterator[Member]:
    yield Member("good.odd", b"words\nof a member")
    raise CorruptError("the rest is cut off")


ORDERS: dict[str, Callable[[str], Document | None]] = {
    "hang": hang,
    "plod": plod,
    "crash": crash,
    "exit": leave,
    "print": chatter,
    "eat": eat,
    "long": long,
    "write": write,
    "delete": delete,
    "connect": connect,
    "start": start,
    "scratch": scratch,
    "members": members,
    "spoilt": spoilt,
    "words": lambda rest: None,
}


def parse(data: bytes, passwords: Sequence[str]) -> Document:
    order, _, rest = data.decode().partition("\n")
    return ORDERS[order](rest) or words("read " + rest)


PARSER = parsers.Parser("odd", 1, (".odd",), "tests.misbehaving_worker:parse", lockable=True)

if __name__ == "__main__":
    parsers.PARSERS = (*parsers.PARSERS, PARSER)
    sys.exit(worker.main())
