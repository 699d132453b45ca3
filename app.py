"""``python app.py``: ask the documents in the browser. The page itself is in ``qa/web``."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index import FootnoteError, UsageError, terminal
from qa.options import Models, ReaderOption, RerankerOption, models

if TYPE_CHECKING:
    from qa import QA

DEFAULT_FOLDER = Path("seeds")

cli = terminal.new_app("Ask a folder of documents in the browser.")


@cli.command(no_args_is_help=False)
def serve(
    folder: Annotated[
        list[Path] | None,
        typer.Option(
            help="The documents; their index is brought up to date first. Repeatable, with --index.",
            show_default="seeds, if it is there",
        ),
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option(
            "--index",
            metavar="DIR",
            envvar=terminal.INDEX_VARIABLE,
            help="The index directory. Without --folder it is opened as it is, and nothing is written.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; there is no password: 0.0.0.0 lets everyone in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes any free one.")] = 7860,
    watch: Annotated[
        bool, typer.Option(help="Follow the folder: what is saved there is answered from within seconds.")
    ] = True,
    reader: ReaderOption = None,
    reranker: RerankerOption = None,
    quiet: terminal.QuietOption = False,
    verbose: terminal.VerboseOption = False,
) -> int:
    """Ask a folder of documents in the browser.

    Example: python app.py --folder reports --port 8000
    """
    terminal.set_verbosity(quiet, verbose)
    chosen = _free_port(host, port)  # before a build that may take long
    folders = _folders(folder, index)
    with _opened(folders, index, models(reader, reranker), quiet) as qa:
        with terminal.waiting("Loading the models and the page ..."):
            address = _launched(qa, host, chosen)
        terminal.stdout().print(f"Footnote is at {address} (Ctrl-C stops it)", highlight=False)
        with _followed(folders if watch else [], qa.index_dir):
            threading.Event().wait()
    return terminal.DONE


def _folders(named: list[Path] | None, index: Path | None) -> list[Path]:
    """The folders to bring up to date; none where an index alone is to be opened as it is."""
    return named or ([DEFAULT_FOLDER] if index is None and DEFAULT_FOLDER.is_dir() else [])


@contextmanager
def _followed(folders: list[Path], index_dir: Path) -> Iterator[None]:
    """Have a process of its own follow the folders: reading documents must not slow down the answers."""
    if not folders:
        yield
        return
    command = [sys.executable, "-m", "index", "watch", *map(str, folders), "--index", str(index_dir)]
    command += ["--quiet", "--until-stdin-ends"]
    # A session of its own: Ctrl-C is for this process, which then closes the other's stdin.
    follower = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        try:
            follower.communicate(timeout=3)
        except subprocess.TimeoutExpired:  # it is at an update, which the next start goes on with
            follower.terminate()
            follower.communicate()


def _launched(qa: QA, host: str, port: int) -> str:
    with ThreadPoolExecutor(1) as beside:
        loading = beside.submit(qa.load)
        from qa.web import build_app
        from qa.web.chat import launch

        loading.result()
    try:
        return launch(build_app(qa), host, port)
    except OSError as error:  # taken since it was found free
        raise FootnoteError(f"port {port} of {host}: {error}; choose another with --port") from None


def main() -> None:
    """Run the command line; the console script ``footnote-web``."""
    terminal.run(cli, "footnote-web")


def _opened(folders: list[Path], index: Path | None, chosen: Models, quiet: bool) -> QA:
    """Open the index: as it is where only it is named, else after an update from the folder."""
    from qa import QA

    if not folders:
        return QA.open(terminal.find_index(index), **chosen)
    with terminal.progress(quiet) as progress:
        return QA.from_folder(folders, index, progress=progress, **chosen)


def _free_port(host: str, port: int) -> int:
    """A port that can be listened on: ``port`` itself, or for 0 any.

    Gradio only looks at the loopback address and words a failure in its own way.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except socket.gaierror as error:
        raise UsageError(f"--host {host} is not an address of this machine: {error.strerror}") from None
    except OSError as error:
        raise FootnoteError(
            f"port {port} of {host} can't be used: {error.strerror}; choose another with --port"
        ) from None


if __name__ == "__main__":
    main()
