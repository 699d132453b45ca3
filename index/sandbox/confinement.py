"""What a worker may not do: grow without bound, write outside its folder, start programs, reach the network.

Python tells an audit hook what is about to happen to files, processes and limits, and the hook refuses it
(the events of Python 3.11 to 3.14, table "Audit events" of its library reference). Functions that change
something and raise no event are replaced. This stops Python code that a file leads astray. It is no wall
against machine code: a library loaded by ctypes, or a parser written in C that a file has taken over, does
what the operating system lets it, within the limits set here. Reading is free, for parsers import modules
and their data late.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import shutil
import signal
import subprocess  # noqa: F401 (it takes its own fork_exec before that is replaced)
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

_Name = str | bytes | bytearray | memoryview | os.PathLike[str]

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_REFUSED = (
    "cpython.PyInterpreterState_New",  # audit hooks are each interpreter's own
    "ensurepip.",
    "fcntl.ioctl",  # sets the flags of a file that is open for reading, too
    "ftplib.",
    "http.client.",
    "imaplib.",
    "nntplib.",
    "os.exec",
    "os.fork",
    "os.spawn",
    "os.startfile",
    "os.symlink",  # a relative one that is moved later leads somewhere else
    "os.system",
    "poplib.",
    "pty.",
    "resource.prlimit",
    "resource.setrlimit",
    "smtplib.",
    "socket.",
    "sqlite3.connect",  # ATTACH and VACUUM INTO write to any file and raise no event
    "sys.remote_exec",
    "syslog.",
    "telnetlib.",
    "urllib.Request",
    "webbrowser.",
)
_CHANGING = {  # event -> where among its arguments a path stands, and the folder that path is relative to
    "os.chdir": ((0, None),),
    "os.chflags": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.lchflags": ((0, None),),
    "os.link": ((0, 2), (1, 3)),
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.removexattr": ((0, None),),
    "os.rename": ((0, 2), (1, 3)),
    "os.rmdir": ((0, 1),),
    "os.setxattr": ((0, None),),
    "os.utime": ((0, 3),),
}
_MODULES = frozenset(("_dbm", "_gdbm", "_interpreters", "_posixshmem", "_xxsubinterpreters"))
"""These write files, or run code without the hook, and raise no event."""

_WITHOUT_EVENT = (
    ("os", ("chroot", "mkfifo", "mknod")),
    ("signal", ("pidfd_send_signal",)),
    ("_posixsubprocess", ("fork_exec",)),  # multiprocessing's; subprocess has its own name for it
)
_STEERING = ("DYLD_", "GCONV_PATH", "LD_", "OMP_TOOL_LIBRARIES", "PATH", "TESSDATA_PREFIX")
"""Settings of the environment that decide which code a program is made of."""

_OCR_SETTINGS = re.compile(
    r"(?:(?:\A|\0)(?:-l\0[\w+]+|--(?:psm|oem|dpi)\0\d+|-c\0tessedit_create_\w+=[01]))*"
)
"""A word that is no option would name a file of settings, and one of these a file to write to."""

_STUCK_SECONDS = 3600
"""A worker in which no Python has run for so long ends, should nobody be left to end it."""


def confine(folder: Path, memory: int) -> None:
    """Bound this process for the rest of its life, which ends with that of its parent.

    Args:
        folder: the only folder that may be written to; it becomes the working directory.
        memory: the most address space, in bytes (where the system has such a limit).
    """
    root = os.path.realpath(folder)
    os.chdir(root)
    _limit(memory)
    _end_with_parent(root)
    for module, names in _WITHOUT_EVENT:
        for name in names:
            _replace(module, name)
    found = shutil.which("tesseract")
    tesseract = os.path.realpath(found) if found and Path(found).is_absolute() else None
    sys.addaudithook(_Confinement(root, tesseract, _steering(os.environ)).check)


def _limit(memory: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = memory if most == resource.RLIM_INFINITY else min(memory, most)
    with contextlib.suppress(ValueError, OSError):  # macOS knows the limit and refuses it
        resource.setrlimit(resource.RLIMIT_AS, (wanted, wanted))


def _end_with_parent(root: str) -> None:
    """End this process, what it has started and its folder soon after its parent has ended.

    PR_SET_PDEATHSIG won't do: Linux sends it when the thread that started this process ends.
    """
    parent = os.getppid()

    def watch() -> None:
        with Path(os.devnull).open("w") as nowhere:
            while os.getppid() == parent:
                # The watchdog is a thread without Python: it ends a process whose machine code hangs.
                faulthandler.dump_traceback_later(_STUCK_SECONDS, exit=True, file=nowhere)
                for _ in range(60):
                    time.sleep(1)
                    if os.getppid() != parent:
                        break
        shutil.rmtree(root, ignore_errors=True)
        if os.getsid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, name="footnote-parent", daemon=True).start()


def _replace(module: str, name: str) -> None:
    """Have a function refuse, under each name that it is known by."""

    def refuse(*arguments: object, **options: object) -> NoReturn:
        raise PermissionError(f"a parser tried {module}.{name}")

    try:
        known = vars(import_module(module)).get(name)
    except ImportError:
        return
    for each in (module, "posix", f"_{module}"):
        if known is not None and each in sys.modules and vars(sys.modules[each]).get(name) is known:
            setattr(sys.modules[each], name, refuse)


def _steering(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_STEERING)}


@dataclass(frozen=True, slots=True)
class _Confinement:
    """The audit hook: raises where an event is not to happen."""

    root: str
    tesseract: str | None
    steering: dict[str, str]

    def check(self, event: str, arguments: tuple[Any, ...]) -> None:
        check = _CHECKS.get(event)
        if check is not None:
            check(self, event, arguments)
        elif event in _CHANGING:
            for place, base in _CHANGING[event]:
                self._change(event, arguments[place], -1 if base is None else arguments[base])
        elif event.startswith(_REFUSED):
            raise PermissionError(f"a parser tried {event}")

    def open(self, event: str, arguments: tuple[Any, ...]) -> None:
        path, mode, flags = arguments
        if isinstance(path, int):  # what is open has been checked
            return
        writes = flags & _WRITING if isinstance(flags, int) else any(c in str(mode) for c in "wax+")
        if not writes and mode is not None:
            return
        name = _text(path)
        if writes and not self._holds(os.path.realpath(name)) and name != os.devnull:
            raise PermissionError(f"a parser tried to write {name!r}")
        # This event doesn't tell what folder a path is relative to. So none outside may be opened, nor
        # a way out of one inside taken.
        if mode is None and (_climbs(Path(name)) or self._is_folder_elsewhere(name)):
            raise PermissionError(f"a parser tried to open the folder {name!r}")

    def import_(self, event: str, arguments: tuple[Any, ...]) -> None:
        if arguments[0] in _MODULES:
            raise ImportError(f"a parser tried to import {arguments[0]}")

    def truncate(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not isinstance(arguments[0], int):  # a descriptor must be open for writing
            self._change(event, arguments[0], -1)

    def kill(self, event: str, arguments: tuple[Any, ...]) -> None:
        # A worker leads a session of its own, to which only what it has started belongs.
        with contextlib.suppress(OSError):
            if os.getsid(arguments[0]) == os.getpid():
                return
        raise PermissionError(f"a parser tried {event}")

    def putenv(self, event: str, arguments: tuple[Any, ...]) -> None:
        name = os.fsdecode(arguments[0])
        if name.startswith(_STEERING):
            raise PermissionError(f"a parser tried to set {name} in the environment")

    def popen(self, event: str, arguments: tuple[Any, ...]) -> None:
        program, words, folder, environment = arguments
        self._start(program, words, environment, folder is None)

    def posix_spawn(self, event: str, arguments: tuple[Any, ...]) -> None:
        program, words, environment = arguments
        self._start(program, words, environment, True)

    def _start(
        self, program: _Name | None, words: Sequence[_Name], environment: object, is_here: bool
    ) -> None:
        """Only the OCR of scanned pages is a program of its own: the one that was found at the start."""
        name = _text(words[0] if program is None else program)
        found = shutil.which(name) if name == "tesseract" else name
        if self.tesseract is None or not found or os.path.realpath(found) != self.tesseract:
            raise PermissionError(f"a parser tried to start {Path(name).name!r}")
        is_ours = environment is None or environment == os.environ
        if not (is_here and is_ours and _steering(os.environ) == self.steering):
            raise PermissionError("a parser tried to start tesseract in another environment")
        picture_and_output, settings = words[1:3], "\0".join(_text(word) for word in words[3:])
        if [_text(word) for word in words[1:]] not in (["--version"], ["--list-langs"]) and not (
            all(
                Path(_text(word)).is_absolute() and self._holds(_place(_text(word)))
                for word in picture_and_output
            )
            and _OCR_SETTINGS.fullmatch(settings)
        ):
            raise PermissionError("a parser tried to have tesseract read or write elsewhere")

    def _change(self, event: str, path: _Name | int, base: int) -> None:
        name = _path_of(path) if isinstance(path, int) else _text(path)
        if base >= 0 and not Path(name).is_absolute():
            name = os.path.join(_path_of(base), name)  # noqa: PTH118 (".." must stay)
        if not (self._holds(_place(name)) and self._holds(os.path.realpath(name))):
            raise PermissionError(f"a parser tried {event} on {name!r}")

    def _is_folder_elsewhere(self, name: str) -> bool:
        return Path(name).is_dir() and not self._holds(os.path.realpath(name))

    def _holds(self, path: str) -> bool:
        return path == self.root or path.startswith(self.root + os.sep)


_CHECKS: dict[str, Callable[[_Confinement, str, tuple[Any, ...]], None]] = {
    "import": _Confinement.import_,
    "open": _Confinement.open,
    "os.kill": _Confinement.kill,
    "os.killpg": _Confinement.kill,
    "os.posix_spawn": _Confinement.posix_spawn,
    "os.putenv": _Confinement.putenv,
    "os.truncate": _Confinement.truncate,
    "os.unsetenv": _Confinement.putenv,
    "subprocess.Popen": _Confinement.popen,
}


def _text(path: _Name) -> str:
    return os.fsdecode(bytes(path) if isinstance(path, (bytearray, memoryview)) else path)


def _climbs(path: Path) -> bool:
    return not path.is_absolute() and os.pardir in path.parts


def _path_of(descriptor: int) -> str:
    """Where the file or folder lies that a descriptor stands for."""
    if sys.platform == "darwin":
        import fcntl

        return os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
    return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 (a Path costs more)


def _place(path: str) -> str:
    """The real path of a name, which is not followed itself if it is a link."""
    head, tail = os.path.split(path.rstrip(os.sep))
    if tail in ("", os.curdir, os.pardir):
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(head), tail)  # noqa: PTH118
