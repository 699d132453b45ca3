"""``python app.py``: ask the documents in the browser. The page itself is in ``qa/web``."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
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
        Path | None,
        typer.Option(
            help="The documents; their index is brought up to date first.",
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
    with _opened(folder, index, models(reader, reranker), quiet) as qa:
        with terminal.waiting("Loading the models and the page ..."):
            address = _launched(qa, host, chosen)
        terminal.stdout().print(f"Footnote is at {address} (Ctrl-C stops it)", highlight=False)
        threading.Event().wait()
    return terminal.DONE


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


def _opened(folder: Path | None, index: Path | None, chosen: Models, quiet: bool) -> QA:
    """Open the index: as it is where only it is named, else after an update from the folder."""
    from qa import QA

    if folder is None and (index is not None or not DEFAULT_FOLDER.is_dir()):
        return QA.open(terminal.find_index(index), **chosen)
    with terminal.progress(quiet) as progress:
        return QA.from_folder(folder or DEFAULT_FOLDER, index, progress=progress, **chosen)


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
