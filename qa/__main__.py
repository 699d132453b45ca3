"""``python -m qa``: ask, search, evaluate and examine."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index import terminal
from index.__main__ import app as index_app
from qa.errors import QuestionError, QuestionSetError
from qa.model import WORTH_A_LOOK, named_cell, named_page
from qa.options import ReaderOption, RerankerOption, models

if TYPE_CHECKING:
    from rich.console import RenderableType

    from qa.engine import QA
    from qa.model import Answer, Citation, Evidence

app = terminal.new_app(
    "Ask a folder of documents; every answer is a verbatim quote.\n\n"
    'Example: python -m qa ask "How much did Amazon invest?"'
)

ConfidenceOption = Annotated[
    float | None,
    typer.Option(
        "--min-confidence",
        metavar="P",
        min=0,
        max=1,
        help="Refuse below this probability.",
        show_default="calibrated",
    ),
]
SourceOption = Annotated[
    list[str] | None, typer.Option("--source", metavar="GLOB", help="Only documents that match; repeatable.")
]
PassagesOption = Annotated[int, typer.Option("-k", metavar="N", min=1, max=100, help="How many passages.")]
SHOWN_PASSAGES = 3


@app.command("ask")
def ask_command(
    question: Annotated[str | None, typer.Argument(help="The question, in quotation marks.")] = None,
    index: terminal.IndexOption = None,
    as_json: terminal.JsonOption = False,
    min_confidence: ConfidenceOption = None,
    source: SourceOption = None,
    k: PassagesOption = 10,
    reader: ReaderOption = None,
    reranker: RerankerOption = None,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch", metavar="FILE", help="Answer a JSON object a line; - is stdin.", allow_dash=True
        ),
    ] = None,
    quiet: terminal.QuietOption = False,
    verbose: terminal.VerboseOption = False,
) -> int:
    """Answer QUESTION with a verbatim quote and its citations, or say that the documents don't.

    Example: python -m qa ask "Who chairs the board?" --source 'reports/2024*' --json
    """
    terminal.set_verbosity(quiet, verbose)
    if (question is None) == (batch is None):
        raise QuestionError('give one question, as in: python -m qa ask "QUESTION", or --batch FILE')
    if batch is not None and source:
        raise QuestionError('--source does not go with --batch; give each line its "sources"')
    if question is not None and not question.strip():
        raise QuestionError("the question is empty; ask something about the documents")
    from qa.engine import QA

    with QA.open(terminal.find_index(index), **models(reader, reranker)) as qa:
        if batch is not None:
            with _lines(batch) as lines:
                return _print_answers(qa, lines, min_confidence, k)
        with terminal.waiting("Loading the models and reading ..."):
            answer = qa.ask(str(question), source, min_confidence, k)
    if as_json:
        terminal.print_json(answer.to_dict())
    else:
        _show_answer(answer)
    return terminal.DONE


@app.command("search")
def search_command(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    index: terminal.IndexOption = None,
    as_json: terminal.JsonOption = False,
    source: SourceOption = None,
    k: PassagesOption = 10,
    reranker: RerankerOption = None,
    quiet: terminal.QuietOption = False,
    verbose: terminal.VerboseOption = False,
) -> int:
    """Show the passages nearest to QUERY, best first, without looking for an answer.

    Example: python -m qa search '"force majeure" XR-2041' -k 5
    """
    from dataclasses import asdict

    from qa.engine import QA

    terminal.set_verbosity(quiet, verbose)
    with (
        QA.open(terminal.find_index(index), **models(None, reranker)) as qa,
        terminal.waiting("Loading the models and searching ..."),
    ):
        passages = qa.search(query, k, source)
    if as_json:
        terminal.print_json({"query": query, "passages": [asdict(passage) for passage in passages]})
    elif passages:
        _show_passages(passages)
    else:
        terminal.complain("no passage matches; words in quotation marks must stand there in that order")
    return terminal.DONE


@app.command("evaluate")
def evaluate_command(
    bench_dir: Annotated[Path, typer.Argument(help="A directory with docs/ and questions.jsonl.")],
    as_json: terminal.JsonOption = False,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the first N questions.")] = None,
    index: Annotated[
        Path | None,
        typer.Option("--index", metavar="DIR", help="Keep the index here.", show_default="a temporary one"),
    ] = None,
    reader: ReaderOption = None,
    reranker: RerankerOption = None,
    quiet: terminal.QuietOption = False,
    verbose: terminal.VerboseOption = False,
) -> int:
    """Ask a set of questions and print exact match, F1, recall, calibration and latency.

    Example: python -m qa evaluate my-questions --json
    """
    from qa.engine import QA
    from qa.evaluate import evaluate, read_questions

    terminal.set_verbosity(quiet, verbose)
    questions = read_questions(bench_dir / "questions.jsonl")[:limit]
    with (
        _place(index) as place,
        terminal.progress(quiet) as progress,
        QA.from_folder(bench_dir / "docs", place, progress=progress, **models(reader, reranker)) as qa,
    ):
        figures = evaluate(qa, questions, progress)
    if as_json:
        terminal.print_json(figures)
    else:
        _show_figures(figures)
    return terminal.DONE


@app.command("calibrate")
def calibrate_command(
    questions: Annotated[
        Path, typer.Argument(help="Questions as evaluate reads them, also some that nothing answers.")
    ],
    index: terminal.IndexOption = None,
    as_json: terminal.JsonOption = False,
    reader: ReaderOption = None,
    reranker: RerankerOption = None,
    quiet: terminal.QuietOption = False,
    verbose: terminal.VerboseOption = False,
) -> int:
    """Fit the confidence and the refusal threshold to an index, an encoder or a reader.

    Example: python -m qa calibrate questions.jsonl --index .footnote/reports
    """
    from dataclasses import asdict

    from qa.calibrate import calibrate, save
    from qa.engine import QA
    from qa.evaluate import read_questions

    terminal.set_verbosity(quiet, verbose)
    asked = read_questions(questions)
    with (
        QA.open(terminal.find_index(index), **models(reader, reranker)) as qa,
        terminal.progress(quiet) as progress,
    ):
        calibration = calibrate(qa, asked, progress)
        path = save(calibration, qa.index_dir)
    if as_json:
        terminal.print_json(asdict(calibration))
    else:
        terminal.stdout().print(
            f"Fitted to {len(asked):,} questions; refuses below {calibration.min_confidence:.0%}. "
            f"Kept in {path}",
            highlight=False,
        )
    return terminal.DONE


@app.command("doctor")
def doctor_command(index: terminal.IndexOption = None) -> int:
    """Check the installation, the model's checksum, the index, and that all works offline.

    Example: python -m qa doctor --index .footnote/reports
    """
    from qa.doctor import examine

    out = terminal.stdout()
    is_well = True
    for check in examine(_index_if_any(index)):
        is_well = is_well and check.ok
        mark = "ok  " if check.ok else "FAIL"
        out.print(f"{mark} {check.name}: {check.detail}", markup=False, highlight=False)
    return terminal.DONE if is_well else terminal.FAILED


@app.command("password")
def password_command(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    admin: Annotated[bool, typer.Option("--admin", help="The user may change what all see.")] = False,
) -> int:
    """Ask for a password and print the line of the web app's file of users; append it there.

    Example: python -m qa password anna >> users.txt
    """
    from qa.users import user_line

    line = user_line(name, _new_password(), admin)
    terminal.stdout().print(line, markup=False, highlight=False)
    return terminal.DONE


def _new_password() -> str:
    """A password typed twice, or the first line of a stdin that is no terminal."""
    from getpass import getpass

    from qa.users import UsersError

    if sys.stdin is None or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n") if sys.stdin else ""
    password = getpass("Password: ")
    if getpass("Once more: ") != password:
        raise UsersError("the two passwords differ; try again")
    return password


def _index_if_any(index: Path | None) -> Path | None:
    from index import IndexNotFoundError

    try:
        return terminal.find_index(index)
    except IndexNotFoundError:
        return None


@contextmanager
def _place(index: Path | None) -> Iterator[Path]:
    if index is not None:
        yield index
        return
    with tempfile.TemporaryDirectory(prefix="footnote-") as directory:
        yield Path(directory) / "index"


@contextmanager
def _lines(batch: str) -> Iterator[Iterable[bytes]]:
    if batch == "-":
        if sys.stdin is None:
            raise QuestionSetError("--batch - reads stdin, which is closed")
        yield sys.stdin.buffer
        return
    try:
        file = Path(batch).open("rb")  # noqa: SIM115 - only the opening is guarded
    except OSError as error:
        raise QuestionSetError(f"the batch file {batch} can't be read: {error.strerror}") from error
    with file:
        yield file


def _print_answers(qa: QA, lines: Iterable[bytes], min_confidence: float | None, k: int) -> int:
    from qa.batch import answer_lines

    code = terminal.DONE
    for answer in answer_lines(qa, lines, min_confidence, k):
        terminal.print_json(answer)
        code = terminal.PARTIAL if "error" in answer else code
    return code


def _show_answer(answer: Answer) -> None:
    from rich.text import Text

    out = terminal.stdout()
    if answer.notice:
        terminal.complain(answer.notice)
    if not answer.found:
        out.print(Text("The documents don't say.", style="bold"))
        if answer.candidates and (answer.confidence or 0) >= WORTH_A_LOOK:
            best = answer.candidates[0]
            out.print(f"\nThe best candidate, {answer.confidence:.0%} sure:")
            _show_quote(best.citations[0])
            out.print(Text(_where(best.citations[0])))
        if answer.passages:
            out.print("\nThe nearest passages:")
            _show_passages(answer.passages[:SHOWN_PASSAGES])
        return
    _show_quote(answer.citations[0])
    sure = "not calibrated for this reader" if answer.confidence is None else f"{answer.confidence:.0%}"
    out.print(Text(f"\nconfidence {sure}"))
    for number, citation in enumerate(answer.citations, start=1):
        out.print(Text(f"[{number}] {_where(citation)}"))


def _show_quote(citation: Citation) -> None:
    from rich.text import Text

    out = terminal.stdout()
    out.print(_marked(citation))
    if cell := named_cell(citation.table_row, citation.table_column):
        out.print(Text(terminal.visible(cell)))


def _marked(citation: Citation) -> RenderableType:
    """The quote, and where it is part of a sentence the sentence too, the key marked in it."""
    from rich.text import Text

    shown = Text(f"“{terminal.visible(citation.context)}”")
    first = citation.key_start - citation.context_start + 1
    last = citation.key_end - citation.context_start + 1
    if (citation.key_start, citation.key_end) != (citation.context_start, citation.context_end):
        shown.stylize("bold reverse", first, last)
    if citation.quote == citation.context:
        return shown
    return Text(f"{terminal.visible(citation.quote)}\n", style="bold") + shown


def _show_passages(passages: Iterable[Evidence]) -> None:
    from rich.text import Text

    out = terminal.stdout()
    for number, passage in enumerate(passages, start=1):
        out.print(Text(f"\n[{number}] {_where(passage)}  score {passage.score:.3f}", style="bold"))
        out.print(Text(terminal.visible(passage.text)))


def _where(place: Citation | Evidence) -> str:
    page = f", {named}" if (named := named_page(place.page, place.page_label)) else ""
    heading = f", {' > '.join(place.heading)}" if place.heading else ""
    named = terminal.visible(f"{place.source}{page}{heading}")
    return f"{named}, characters {place.start:,}-{place.end:,}"


def _show_figures(figures: dict[str, object]) -> None:
    from rich.table import Table

    from qa.evaluate import ROWS

    table = Table("figure", "", box=None, pad_edge=False)
    for key, name in ROWS.items():
        value = figures[key]
        table.add_row(
            name, f"{value:.4f}" if isinstance(value, float) else "-" if value is None else str(value)
        )
    latency = figures["latency_ms"]
    if isinstance(latency, dict):
        table.add_row("milliseconds a question, p50 / p95", f"{latency['p50']:.0f} / {latency['p95']:.0f}")
    terminal.stdout().print(table)


def footnote() -> None:
    """Run the console script ``footnote``: the commands of ``index`` and of ``qa`` in one."""
    both = terminal.new_app(
        "From a folder of documents to cited answers.\n\n"
        'Example: footnote update reports && footnote ask "Who chairs the board?"'
    )
    both.registered_commands += index_app.registered_commands + app.registered_commands
    terminal.run(both, "footnote")


if __name__ == "__main__":
    terminal.run(app, "python -m qa")
