"""What a worker may not do: grow without bound, write outside its folder, reach the network."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_REFUSED = (
    "socket.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.kill",
    "ftplib.",
    "smtplib.",
)
_CHANGING = frozenset(
    "os.chmod os.chown os.link os.mkdir os.remove os.rename os.rmdir os.setxattr os.symlink os.truncate"
    " os.utime shutil.rmtree shutil.move shutil.copyfile".split()
)
_PROGRAMS = frozenset(("tesseract", "tesseract.exe"))
"""What a parser may start: the OCR of scanned pages runs as a program of its own."""


def confine(folder: Path, memory: int) -> None:
    """Bound this process for the rest of its life.

    The audit hook stops what Python code does; it is no wall against machine code, for which the limits
    of the operating system stand.

    Args:
        folder: the only folder that may be written to.
        memory: the most address space, in bytes (where the system has such a limit).
    """
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        wanted = memory if most == resource.RLIM_INFINITY else min(memory, most)
        with contextlib.suppress(ValueError, OSError):  # macOS knows the limit and refuses it
            resource.setrlimit(resource.RLIMIT_AS, (wanted, most))
    root = os.path.realpath(folder)
    sys.addaudithook(lambda event, arguments: _check(root, event, arguments))


def _check(root: str, event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        path, mode, flags = arguments
        writes = bool(flags & _WRITING) if isinstance(flags, int) else any(c in str(mode) for c in "wax+")
        if writes and isinstance(path, (str, bytes)) and not _is_inside(root, path):
            raise PermissionError(f"a parser tried to write {os.fsdecode(path)!r}")
    elif event == "subprocess.Popen":
        program = Path(os.fsdecode(arguments[0] or arguments[1][0])).name
        if program not in _PROGRAMS:
            raise PermissionError(f"a parser tried to start {program!r}")
    elif event in _CHANGING:
        path = arguments[0]
        if isinstance(path, (str, bytes, os.PathLike)) and not _is_inside(root, os.fspath(path)):
            raise PermissionError(f"a parser tried {event} on {os.fsdecode(path)!r}")
    elif event.startswith(_REFUSED):
        raise PermissionError(f"a parser tried {event}")


def _is_inside(root: str, path: str | bytes) -> bool:
    real = os.path.realpath(os.fsdecode(path))
    return real in (root, os.devnull) or real.startswith(root + os.sep)
