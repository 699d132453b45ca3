"""The process that parsers run in: what it is refused, and what it must be able to do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MEMORY = 2_000_000_000

START = """
import json, os, pathlib, resource, shutil, signal, sqlite3, subprocess, sys, tempfile
from pathlib import Path
from index.sandbox.confinement import confine

inside, outside, memory = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
precious = outside / "precious.txt"
folder = os.open(outside, os.O_RDONLY)  # such a descriptor can't be had later
confine(inside, memory)
"""

EACH = """
answer = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
Path("own.txt").write_text("own")
Path("sub").mkdir()
own = os.open(".", os.O_RDONLY)
reading = os.open(precious, os.O_RDONLY)
told = {}
for statement in json.load(sys.stdin):
    try:
        exec(statement)
    except BaseException as error:
        told[statement] = f"{type(error).__name__}: {error}"
    else:
        told[statement] = "done"
answer.write(json.dumps(told))
"""

REFUSED = [
    'precious.write_text("stolen")',
    "os.open(precious, os.O_RDONLY | os.O_TRUNC)",
    'os.open(bytes(outside / "new"), os.O_CREAT | os.O_WRONLY)',
    'open("../outside/new", "x")',
    "os.open(outside, os.O_RDONLY)",
    'os.open("../outside/new", os.O_CREAT | os.O_WRONLY, dir_fd=own)',
    'os.chdir("sub"); os.open("../..", os.O_RDONLY, dir_fd=own)',
    "os.chdir(inside); os.chdir(outside)",
    "os.chdir(folder)",
    'os.rename("own.txt", outside / "new")',
    'os.rename(precious, "taken.txt")',
    'os.replace("own.txt", precious)',
    'os.rename("own.txt", "new", dst_dir_fd=folder)',
    'os.rename("precious.txt", "taken.txt", src_dir_fd=folder)',
    'os.link("own.txt", outside / "new")',
    'os.link(precious, "taken.txt")',
    'os.symlink(precious, "taken.txt")',
    'os.symlink("own.txt", outside / "new")',
    'shutil.move("own.txt", outside / "new")',
    'shutil.move(precious, "taken.txt")',
    'shutil.copyfile("own.txt", outside / "new")',
    'shutil.copytree("sub", outside / "new")',
    "shutil.rmtree(outside)",
    "precious.unlink()",
    'os.unlink("precious.txt", dir_fd=folder)',
    'os.mkdir(outside / "new")',
    'os.mkdir("new", dir_fd=folder)',
    "os.rmdir(outside)",
    "os.truncate(precious, 0)",
    "os.chmod(precious, 0)",
    "os.fchmod(reading, 0)",
    'os.chmod("precious.txt", 0, dir_fd=folder)',
    "os.chown(precious, -1, -1)",
    "os.fchown(reading, -1, -1)",
    "os.utime(precious, (0, 0))",
    "os.utime(reading, (0, 0))",
    "os.remove(os.devnull)",
    'os.mkfifo(outside / "new")',
    'os.mknod(outside / "new")',
    'import posix; posix.mkfifo(outside / "new")',
    'sqlite3.connect(outside / "new")',
    """sqlite3.connect(":memory:").execute(f"ATTACH '{outside}/new' AS a")""",
    "import fcntl; fcntl.ioctl(reading, 0x5413, bytes(8))",
    'import dbm.gnu; dbm.gnu.open(str(outside / "new"), "c")',
    'subprocess.run(["/bin/true"])',
    'subprocess.run("true", shell=True)',
    'os.system("true")',
    "os.fork()",
    'os.posix_spawn("/bin/true", ["true"], {})',
    'os.execv("/bin/true", ["true"])',
    'import multiprocessing; multiprocessing.get_context("spawn").Process(target=print).start()',
    'import multiprocessing; multiprocessing.get_context("forkserver").Process(target=print).start()',
    "import _posixsubprocess; _posixsubprocess.fork_exec()",
    "import _interpreters" if sys.version_info >= (3, 13) else "import _xxsubinterpreters",
    'shutil.copy("/bin/true", "tesseract"); subprocess.run(["./tesseract"])',
    'subprocess.run([str(inside / "tesseract"), "--version"])',
    'os.environ["PATH"] = str(inside)',
    'os.putenv("LD_PRELOAD", str(inside / "own.so"))',
    "resource.setrlimit(resource.RLIMIT_AS, (memory, memory))",
    "os.kill(os.getppid(), 0)",
    "os.killpg(os.getpgid(os.getppid()), 0)",
    "os.kill(-1, 0)",
    "import socket; socket.socket()",
    'import socket; socket.getaddrinfo("localhost", 9)',
    'import urllib.request; urllib.request.urlopen("http://localhost:9")',
    'import syslog; syslog.syslog("hello")',
]
if sys.platform == "linux":
    REFUSED += [
        'open(f"/proc/self/fd/{reading}", "w")',
        'os.setxattr(reading, "user.x", b"y")',
        "resource.prlimit(0, resource.RLIMIT_CORE, (1, 1))",
        "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 0)",
    ]

ALLOWED = [
    'assert precious.read_text() == "kept"',
    'assert os.read(reading, 9) == b"kept"',
    'shutil.copyfile(precious, "copy.txt")',
    'shutil.copy2(precious, inside / "copy2.txt")',
    'os.rename("copy.txt", "sub/copy.txt")',
    'shutil.move("copy2.txt", "sub")',
    'os.truncate("sub/copy.txt", 1)',
    'os.chmod("sub/copy.txt", 0o600)',
    'os.utime(os.open("sub/copy.txt", os.O_RDWR))',
    'os.unlink("copy.txt", dir_fd=os.open("sub", os.O_RDONLY))',
    'os.makedirs("a/b/c"); shutil.copy("own.txt", "a/b"); shutil.rmtree("a"); assert "a" not in os.listdir()',
    'tempfile.TemporaryFile().write(b"x" * 100_000)',
    'tempfile.NamedTemporaryFile().write(b"x")',
    'with tempfile.TemporaryDirectory() as name: Path(name, "x").touch()',
    'open(os.devnull, "w").write("x")',
    'os.fdopen(os.dup(1), "wb", closefd=True).close()',
    "os.listdir(outside); list(os.walk(outside))",
    'os.environ["HARMLESS"] = "1"',
    "os.kill(os.getpid(), 0)",
    "assert resource.getrlimit(resource.RLIMIT_AS) in [(memory, memory), (-1, -1)]",
    'import zipfile; zipfile.ZipFile("a.zip", "w").writestr("b", b"c" * 100)',
    'import numpy; numpy.savez("a.npz", a=numpy.arange(9)); assert numpy.load("a.npz")["a"].sum() == 36',
    'import lxml.html; assert lxml.html.fromstring(b"<p>a<b>b").text_content() == "ab"',
    'import charset_normalizer; charset_normalizer.from_bytes("für".encode("latin-1") * 9).best()',
    "import pypdfium2; assert len(pypdfium2.PdfDocument.new()) == 0",
    "from py3langid import langid; langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)",
    "import msoffcrypto, office_oxide, concurrent.futures, multiprocessing, mimetypes, xml.sax, html.parser",
]

READ_BY_OCR = """
import pytesseract
from PIL import Image, ImageDraw
image = Image.new("RGB", (900, 200), "white")
ImageDraw.Draw(image).text((40, 40), "Words of a scan", "black", font_size=80)
assert "scan" in pytesseract.image_to_data(image, timeout=60, output_type=pytesseract.Output.DICT)["text"]
"""
ENDED_LATE = """
import time
print("ready", flush=True)
time.sleep(600)
"""
STARTED_BY_A_PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], start_new_session=True)
time.sleep(600)
"""


def told(tmp_path: Path, statements: list[str]) -> dict[str, str]:
    """What became of each statement in a confined process."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "precious.txt").write_text("kept")
    process = subprocess.run(
        [sys.executable, "-c", START + EACH, str(inside), str(outside), str(MEMORY)],
        input=json.dumps(statements),
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
        cwd=inside,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(inside), "OMP_THREAD_LIMIT": "1"},
    )
    assert process.returncode == 0, process.stderr
    found: dict[str, str] = json.loads(process.stdout)
    return found


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What became of what is to be refused; nothing outside may have changed by it."""
    folder = tmp_path_factory.mktemp("refused")
    found = told(folder, REFUSED)
    precious = folder / "outside" / "precious.txt"
    assert [path.name for path in (folder / "outside").iterdir()] == ["precious.txt"]
    assert precious.read_text() == "kept"
    assert precious.stat().st_mode & 0o700
    assert precious.stat().st_mtime > 0
    return found


@pytest.fixture(scope="module")
def allowed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What became of what parsers do."""
    return told(tmp_path_factory.mktemp("allowed"), ALLOWED)


@pytest.mark.parametrize("statement", REFUSED)
def test_refused(refused: dict[str, str], statement: str) -> None:
    said = refused[statement]
    if "rmtree" in statement:  # Python 3.13 replaces the message
        assert said.startswith("PermissionError")
    else:
        assert "a parser tried" in said


@pytest.mark.parametrize("statement", ALLOWED)
def test_allowed(allowed: dict[str, str], statement: str) -> None:
    assert allowed[statement] == "done"


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_tesseract_is_started_as_it_was_found_and_writes_inside_only(tmp_path: Path) -> None:
    pytest.importorskip("pytesseract")
    picture, output = "str(inside / 'a.png')", "str(inside / 'a')"
    no = [
        'subprocess.run(["tesseract", "--version"], env={"LD_PRELOAD": "own.so"})',
        'subprocess.run(["tesseract", "--version"], cwd=inside)',
        f'subprocess.run(["tesseract", {picture}, str(outside / "new")])',
        f'subprocess.run(["tesseract", "http://localhost/a.png", {output}])',
        f'subprocess.run(["tesseract", {picture}, {output}, "own.txt"])',
        f'subprocess.run(["tesseract", {picture}, {output}, "-c", f"debug_file={{outside}}/new"])',
    ]
    yes = [READ_BY_OCR, f'subprocess.run([{shutil.which("tesseract")!r}, "--version"])']
    late = 'os.environ._data[b"PATH"] = bytes(inside)'
    found = told(tmp_path, [*no, *yes, late, yes[0]])
    assert [statement for statement in no if "a parser tried" not in found[statement]] == []
    assert found[yes[1]] == "done"
    assert "a parser tried to start 'tesseract'" in found[yes[0]]  # the second time, with another PATH


def test_a_worker_is_ended_and_its_folder_removed_when_its_parent_was_killed(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            STARTED_BY_A_PARENT,
            START + ENDED_LATE,
            str(inside),
            str(tmp_path),
            str(MEMORY),
        ],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    with parent.stdout as output:
        assert output.readline() == b"ready\n"
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert output.read() == b""  # which comes when the worker, too, has ended
    assert not inside.exists()
