"""What both command lines share: exit codes, error lines, progress bars, where the index lies."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.builder import default_index_dir
from index.errors import FootnoteError, IndexNotFoundError, UsageError
from index.intake import Progress

if TYPE_CHECKING:
    from rich.console import Console

DONE, FAILED, USAGE, PARTIAL, INTERRUPTED = 0, 1, 2, 3, 130
INDEX_VARIABLE = "FOOTNOTE_INDEX"
_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
_PICTURES |= {code: 0xFFFD for code in range(0x7F, 0xA0)}

IndexOption = Annotated[
    Path | None,
    typer.Option(
        "--index",
        metavar="DIR",
        help="The index directory, or its folder of documents.",
        envvar=INDEX_VARIABLE,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Say what is being done.")]
LinesOption = Annotated[
    bool, typer.Option("--lines", help="Print progress and reports as JSON lines and nothing else.")
]


def new_app(help_text: str) -> typer.Typer:
    """A command line in the house style."""
    return typer.Typer(
        help=help_text, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )


def run(app: typer.Typer, name: str) -> None:
    """Run a command line and end the process with the designed exit code."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that all is cleaned up
    sys.exit(exit_code(app, name))


def exit_code(app: typer.Typer, name: str, arguments: list[str] | None = None) -> int:
    """Run a command line and return its exit code; errors become one line on stderr."""
    command = typer.main.get_command(app)
    try:
        result = command.main(args=arguments, prog_name=name, standalone_mode=False)
    except FootnoteError as error:
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        complain("stopped")
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough; nothing is left to flush to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        complain(f"{error.filename or 'the system'}: {error.strerror or error}")
        return FAILED
    except Exception as error:
        return _click_exit_code(error)
    if result == INTERRUPTED:  # typer has caught the KeyboardInterrupt itself
        complain("stopped")
    return result if isinstance(result, int) else DONE


def _click_exit_code(error: Exception) -> int:
    """The exit code of what typer's own machinery raises; anything else goes on."""
    if type(error).__name__ == "Abort":
        complain("stopped")
        return INTERRUPTED
    if hasattr(error, "exit_code") and hasattr(error, "show"):
        error.show()
        return int(error.exit_code)
    raise error


def complain(message: str) -> None:
    """Print an error or a warning to stderr."""
    stderr().print(
        visible(message), style="red" if stderr().is_terminal else None, markup=False, highlight=False
    )


def visible(text: str) -> str:
    """``text`` with its control characters as pictures: a document can't steer the terminal."""
    return text.translate(_PICTURES)


def stderr() -> Console:
    """A console on stderr, plain where NO_COLOR is set or nobody watches."""
    from rich.console import Console

    return Console(stderr=True, soft_wrap=True)


def stdout() -> Console:
    """A console on stdout that ends quietly where its reader does (``| head``)."""
    from rich.console import Console

    class Out(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    # A table is fitted to the terminal; for a program that reads it, its lines stay whole.
    return Out(soft_wrap=True, width=None if sys.stdout.isatty() else 10_000)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object to stdout; a NaN is an error."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
    if sys.stdout is None:
        raise UsageError("stdout is closed; there is nowhere to print the JSON")
    sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace"))
    sys.stdout.flush()


def set_verbosity(quiet: bool, verbose: bool) -> None:
    """Have the log written to stderr in the wanted detail."""
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")


@contextmanager
def progress(quiet: bool = False, as_lines: bool = False) -> Iterator[Progress]:
    """Show what a build is doing: a bar with rate and ETA in a terminal, else a line per stage.

    ``as_lines`` prints it, and an error that ends the build, as JSON lines on stdout (see `index.lines`).
    """
    if as_lines:
        from index import lines

        with lines.told_errors():
            yield lines.progress()
        return
    if quiet:
        yield lambda stage, done, total: None
        return
    if not stderr().is_terminal:
        yield _line_per_stage()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    class Rate(TextColumn):
        def __init__(self) -> None:
            super().__init__("{task.speed}")

        def render(self, task: Any) -> Any:  # noqa: ANN401 - rich's own signature
            from rich.text import Text

            return Text(f"{task.speed:,.0f}/s" if task.speed else "")

    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=stderr(),
        transient=True,
    )
    tasks: dict[str, Any] = {}

    def show(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total)
        bars.update(tasks[stage], completed=done, total=total)

    with bars:
        yield show


@contextmanager
def waiting(message: str) -> Iterator[None]:
    """Show that something without a measurable progress goes on, if anybody watches."""
    if not sys.stderr.isatty():  # asked before rich is loaded, which takes time
        yield
        return
    with stderr().status(message):
        yield


def _line_per_stage() -> Callable[[str, int, int], None]:
    seen: set[str] = set()

    def say(stage: str, done: int, total: int) -> None:
        if stage not in seen and total:
            seen.add(stage)
            complain(f"{stage}: {total}")

    return say


def find_index(index_dir: Path | None) -> Path:
    """The index to ask: the one named, by its directory or its documents' folder, else the only one here.

    Raises:
        IndexNotFoundError: nothing was named, and there is none below ``./.footnote``.
        UsageError: nothing was named, and there are several.
    """
    if index_dir is not None:
        is_folder = index_dir.is_dir() and not (index_dir / "CURRENT").exists()
        of_folder = default_index_dir(index_dir)
        return of_folder if is_folder and (of_folder / "CURRENT").exists() else index_dir
    home = Path(".footnote")
    found = sorted(path.parent for path in home.glob("*/CURRENT")) if home.is_dir() else []
    if not found:
        raise IndexNotFoundError(
            f"there is no index in {home.absolute()}; make one with: python -m index rebuild FOLDER, or name "
            f"one with --index DIR or {INDEX_VARIABLE}"
        )
    if len(found) > 1:
        names = ", ".join(str(path) for path in found)
        raise UsageError(f"there are several indexes here ({names}); choose one with --index")
    return found[0]
