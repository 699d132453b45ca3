"""``python app.py``: ask the documents in the browser. The pages and the server are in ``qa/web``."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from index import FootnoteError, UsageError, terminal
from qa.errors import MissingExtraError
from qa.options import Models, ReaderOption, RerankerOption, models
from qa.users import read_users

if TYPE_CHECKING:
    from qa import QA
    from qa.web import Server, ServerSettings, Site

DEFAULT_FOLDER = Path("seeds")
MEGABYTE = 1_000_000
RATE = 60
"""Questions a minute of one visitor, where others than who runs Footnote can ask."""

EVERYONES = 20
"""All visitors together may upload so many times what one may."""

ACCESS, DOCUMENTS = "Who may come in", "What may be done"

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
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where conversations and feedback are kept.",
            show_default="INDEX.web; without --folder nowhere",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on. 0.0.0.0 lets everyone in: see --users.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes any free one.")] = 7860,
    watch: Annotated[
        bool, typer.Option(help="Follow the folder: what is saved there is answered from within seconds.")
    ] = True,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Offer the functions as an MCP server, too (the extra mcp).")
    ] = False,
    read_only: Annotated[
        bool,
        typer.Option("--read-only", help="Nobody may upload or delete.", rich_help_panel=DOCUMENTS),
    ] = False,
    originals: Annotated[
        bool,
        typer.Option(help="Offer the files themselves for download.", rich_help_panel=DOCUMENTS),
    ] = True,
    max_upload: Annotated[
        int,
        typer.Option(min=1, metavar="MB", help="The largest file to upload.", rich_help_panel=DOCUMENTS),
    ] = 100,
    quota: Annotated[
        int,
        typer.Option(
            min=0, metavar="MB", help="What one visitor may upload; 0: any.", rich_help_panel=DOCUMENTS
        ),
    ] = 1_000,
    rate: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Questions a minute of one visitor; 0: any.",
            show_default=f"{RATE}, or any where only this machine can ask",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    users: Annotated[
        Path | None,
        typer.Option(
            envvar="FOOTNOTE_USERS",
            metavar="FILE",
            help="Who may log in, a line each (python -m qa password NAME).",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A PEM file, for https.", rich_help_panel=ACCESS),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its private key, if not in it.", rich_help_panel=ACCESS),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS", help="A proxy to believe X-Forwarded-For of.", rich_help_panel=ACCESS
        ),
    ] = None,
    root_path: Annotated[
        str,
        typer.Option(metavar="PATH", help="The path that a proxy serves it under.", rich_help_panel=ACCESS),
    ] = "",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further name of this server.", rich_help_panel=ACCESS),
    ] = None,
    reader: ReaderOption = None,
    reranker: RerankerOption = None,
    quiet: terminal.QuietOption = False,
    verbose: terminal.VerboseOption = False,
) -> int:
    """Ask a folder of documents in the browser.

    Example: python app.py --folder reports --port 8000
    """
    terminal.set_verbosity(quiet, verbose)
    _check_port(host, port)  # before a build that may take long
    if mcp and find_spec("mcp") is None:
        raise MissingExtraError("mcp")
    known = read_users(users) if users is not None else None
    folders = _folders(folder, index)
    with ExitStack() as stack:
        qa = stack.enter_context(_opened(folders, index, models(reader, reranker), quiet))
        kept = _data(stack, data, qa.index_dir, writing=bool(folders))
        with terminal.waiting("Loading the models and the page ..."):
            _load(qa)
            from qa.web import ServerSettings, Site, UploadLimits, start
            from qa.web.access import Quota, RateLimit
            from qa.web.indexing import Indexing
            from qa.web.store import Store

            changing = bool(folders) and not read_only
            limits = UploadLimits(
                max_upload * MEGABYTE, quota=Quota(kept, quota * MEGABYTE, EVERYONES * quota * MEGABYTE)
            )
            indexing = Indexing(folders, qa.index_dir, follow=watch) if folders else None
            settings = ServerSettings(
                host=host,
                port=port,
                users=known,
                max_upload=limits.file_bytes if changing else 0,
                certificate=certificate,
                key=key,
                proxy=tuple(proxy or ()),
                root_path=root_path,
                allowed_hosts=tuple(allow_host or ()),
            )
            site = Site(
                qa=qa,
                store=stack.enter_context(Store(kept)),
                data=kept,
                folders=tuple(folders) if changing else (),
                indexing=indexing,
                uploads=limits if changing else None,
                limit=RateLimit(_rate(rate, settings)),
                originals=originals and bool(folders),
                documents=tuple(folders),
            )
            server = stack.enter_context(_started(partial(start, mcp=mcp), site, settings))
        terminal.stdout().print(f"Footnote is at {server.address} (Ctrl-C stops it)", highlight=False)
        if indexing is not None:
            stack.enter_context(indexing)
        threading.Event().wait()
    return terminal.DONE


def _folders(named: list[Path] | None, index: Path | None) -> list[Path]:
    """The folders to bring up to date; none where an index alone is to be opened as it is."""
    return named or ([DEFAULT_FOLDER] if index is None and DEFAULT_FOLDER.is_dir() else [])


def _data(stack: ExitStack, named: Path | None, index_dir: Path, *, writing: bool) -> Path:
    """Where conversations are kept: beside the index; where nothing is to be written, until the end only."""
    if named is not None:
        return named
    if writing:
        return index_dir.with_name(f"{index_dir.name}.web")
    return Path(stack.enter_context(TemporaryDirectory(prefix="footnote-")))


def _rate(asked: int | None, settings: ServerSettings) -> int:
    """The questions a minute that one visitor may ask; 0 for any number."""
    from qa.web.guard import is_loopback

    if asked is not None:
        return asked
    alone = is_loopback(settings.host) and not settings.proxy and settings.users is None
    return 0 if alone else RATE


def _load(qa: QA) -> None:
    """Load the models, and beside it the libraries of the page."""
    with ThreadPoolExecutor(1) as beside:
        loading = beside.submit(qa.load)
        import_module("qa.web")
        loading.result()


@contextmanager
def _started(
    start: Callable[[Site, ServerSettings], Server], site: Site, settings: ServerSettings
) -> Iterator[Server]:
    try:
        server = start(site, settings)
    except OSError as error:  # taken since it was found free
        raise FootnoteError(
            f"port {settings.port} of {settings.host}: {error}; choose another with --port"
        ) from None
    with server:
        yield server


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


def _check_port(host: str, port: int) -> None:
    """See that the port can be listened on.

    Raises:
        UsageError: the host is not an address of this machine.
        FootnoteError: the port is taken.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise UsageError(f"--host {host} is not an address of this machine: {error.strerror}") from None
    except OSError as error:
        raise FootnoteError(
            f"port {port} of {host} can't be used: {error.strerror}; choose another with --port"
        ) from None


if __name__ == "__main__":
    main()
