"""A worker that draws what a page's number says: it hangs, crashes, reaches out or answers nonsense."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import time

from index.parsers.pdf.paper import Drawing
from index.sandbox import painter

HANG, CRASH, LEAVE, CONNECT, EAT, LIE, PRINT, SLOW = range(2, 10)
drawings = 0


def drawn(data: bytes, number: int, scale: float, most_pixels: int) -> tuple[Drawing | None, int]:
    """Page 1 is a dot of so much red as pages were drawn before it."""
    global drawings
    ODDITIES.get(number + 1, lambda: None)()
    drawings += 1
    return Drawing(1, 1, bytes([drawings, 0, 0]), 1e9 if number + 1 == LIE else 10.0, 10.0), 9


ODDITIES = {
    HANG: lambda: time.sleep(600),
    CRASH: lambda: ctypes.string_at(0),
    LEAVE: lambda: os._exit(7),
    CONNECT: socket.socket,
    EAT: lambda: bytes(10**10),
    LIE: lambda: None,
    PRINT: lambda: os.write(1, b"y" * 1_000),
    SLOW: lambda: time.sleep(0.4),
}

if __name__ == "__main__":
    sys.modules["index.sandbox.painter"].drawn = drawn
    painter.main()
