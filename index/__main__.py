"""``python -m index``: make, follow, check and restore the index of a folder."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Annotated

import typer

from index import lines, terminal
from index.builder import default_index_dir, purge, rebuild, recorded_options, update
from index.encoder import DEFAULT_ENCODER
from index.errors import FootnoteError, UsageError
from index.model import STATUSES, BuildReport
from index.opened import rollback, status, verify
from index.sandbox import DEFAULT_LIMITS, Limits
from index.scan import ScanOptions, check_folder

app = terminal.new_app(
    "Make, follow, check and restore the index of a folder of documents.\n\n"
    "Example: python -m index rebuild reports"
)

Folders = Annotated[
    list[Path], typer.Argument(metavar="FOLDER...", help="The folder that holds the documents, or several.")
]
IncludeOption = Annotated[
    list[str] | None, typer.Option("--include", metavar="GLOB", help="Only files that match; repeatable.")
]
ExcludeOption = Annotated[
    list[str] | None, typer.Option("--exclude", metavar="GLOB", help="No files that match; repeatable.")
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        "--max-file-size", metavar="SIZE", help="Leave larger files out, e.g. 50MB.", show_default="200MB"
    ),
]
FollowOption = Annotated[
    bool | None,
    typer.Option(
        "--follow-symlinks/--no-follow-symlinks", help="Read files behind links.", show_default="no"
    ),
]
PasswordOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file", metavar="FILE", help="Passwords for locked files, one a line; they are not kept."
    ),
]
TimeOption = Annotated[
    float,
    typer.Option("--file-time", metavar="SECONDS", help="The most that reading one file may take.", min=1),
]
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
SHOWN = 20


@app.command("rebuild")
def rebuild_command(
    folders: Folders,
    index: terminal.IndexOption = None,
    encoder: Annotated[
        str, typer.Option(help="A Sentence Transformers model, by name or path.")
    ] = DEFAULT_ENCODER,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    max_file_size: SizeOption = None,
    follow_symlinks: FollowOption = None,
    password_file: PasswordOption = None,
    file_time: TimeOption = DEFAULT_LIMITS.seconds,
    as_lines: terminal.LinesOption = False,
    quiet: terminal.QuietOption = False,
    verbose: terminal.VerboseOption = False,
) -> int:
    """Read, parse and index every file of FOLDER; cached vectors are used again.

    Example: python -m index rebuild reports --exclude 'drafts/*' --index /srv/footnote/reports
    """
    terminal.set_verbosity(quiet, verbose)
    with terminal.progress(quiet, as_lines) as progress:
        options = _options(ScanOptions(), include, exclude, max_file_size, follow_symlinks)
        report = rebuild(
            folders,
            index,
            encoder=encoder,
            options=options,
            passwords=_passwords(password_file),
            limits=Limits(seconds=file_time),
            progress=progress,
        )
    return _tell(report, quiet, as_lines)


@app.command("update")
def update_command(
    folders: Folders,
    index: terminal.IndexOption = None,
    purge_old: Annotated[
        bool, typer.Option("--purge", help="Also drop older snapshots and cached vectors no longer needed.")
    ] = False,
    encoder: Annotated[
        str | None, typer.Option(help="Must be the index's own.", show_default="the index's own")
    ] = None,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    max_file_size: SizeOption = None,
    follow_symlinks: FollowOption = None,
    password_file: PasswordOption = None,
    file_time: TimeOption = DEFAULT_LIMITS.seconds,
    as_lines: terminal.LinesOption = False,
    quiet: terminal.QuietOption = False,
    verbose: terminal.VerboseOption = False,
) -> int:
    """Bring the index of FOLDER up to date, touching only what changed; make it if absent.

    Example: python -m index update reports
    """
    terminal.set_verbosity(quiet, verbose)
    with terminal.progress(quiet, as_lines) as progress:
        recorded = recorded_options(index or default_index_dir(folders[0]))
        options = _options(recorded, include, exclude, max_file_size, follow_symlinks)
        report = update(
            folders,
            index,
            encoder=encoder,
            options=options,
            passwords=_passwords(password_file),
            limits=Limits(seconds=file_time),
            progress=progress,
        )
        dropped = purge(report.index_dir) if purge_old else None
    if dropped is not None and not (quiet or as_lines):
        terminal.stdout().print(f"purged: older snapshots and {dropped:,} cached vectors", highlight=False)
    return _tell(report, quiet, as_lines)


@app.command("watch")
def watch_command(
    folders: Folders,
    index: terminal.IndexOption = None,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    max_file_size: SizeOption = None,
    follow_symlinks: FollowOption = None,
    password_file: PasswordOption = None,
    file_time: TimeOption = DEFAULT_LIMITS.seconds,
    until_stdin_ends: Annotated[
        bool, typer.Option(help="End with the program that started this and holds its stdin.")
    ] = False,
    as_lines: terminal.LinesOption = False,
    quiet: terminal.QuietOption = False,
    verbose: terminal.VerboseOption = False,
) -> int:
    """Follow FOLDER: bring its index up to date after every change, until Ctrl-C.

    Web apps and programs that have the index open answer from it at once.

    Example: python -m index watch reports
    """
    from index.watching import watch

    terminal.set_verbosity(quiet, verbose)
    with terminal.progress(quiet=True, as_lines=as_lines) as progress:
        recorded = recorded_options(index or default_index_dir(folders[0]))
        reports = watch(
            folders,
            index,
            options=_options(recorded, include, exclude, max_file_size, follow_symlinks),
            passwords=_passwords(password_file),
            limits=Limits(seconds=file_time),
            progress=progress,
            trouble=lambda error: _tell_trouble(error, as_lines),
            stop=_stdin_ended() if until_stdin_ends else None,
        )
        _tell_followed(reports, ", ".join(str(folder) for folder in folders), quiet, as_lines)
    return terminal.DONE


def _tell_followed(reports: Iterator[BuildReport], named: str, quiet: bool, as_lines: bool) -> None:
    """Say what each update of a watched folder did, until there are no more."""
    with terminal.waiting(f"Reading {named} ..."):
        first = next(reports, None)
    if first is None:  # ended before the first one
        return
    _tell(first, quiet, as_lines)
    if not (quiet or as_lines):
        terminal.stdout().print(f"following {named} (Ctrl-C ends it)", markup=False, highlight=False)
    for report in reports:
        if as_lines:
            lines.report(report)
        elif report.published and not quiet:
            _tell_changes(report)


def _tell_trouble(error: FootnoteError, as_lines: bool) -> None:
    """Say what keeps the update of a watched folder from being made for now."""
    terminal.complain(str(error))
    if as_lines:
        lines.error(error)


def _stdin_ended() -> Event:
    """An event that is set once stdin is closed."""
    ended = Event()

    def read() -> None:
        with suppress(OSError):  # closed from the start
            while os.read(0, 1):
                pass
        ended.set()

    Thread(target=read, daemon=True).start()
    return ended


@app.command("status")
def status_command(
    folder: Annotated[Path | None, typer.Argument(help="The folder, if --index is not given.")] = None,
    index: terminal.IndexOption = None,
    as_json: terminal.JsonOption = False,
) -> int:
    """Show the state of the index and of every file.

    Example: python -m index status --json | jq '.documents[] | select(.status != "indexed")'
    """
    state = status(_place(folder, index))
    if as_json:
        terminal.print_json(asdict(state))
        return terminal.DONE
    from rich.table import Table
    from rich.text import Text

    out = terminal.stdout()
    out.print(
        f"{state.folder}: snapshot {state.snapshot}, format {state.format}", markup=False, highlight=False
    )
    run_by = f" by {state.runtime}" if state.runtime else ""
    out.print(f"encoder {state.encoder}{run_by}, vectors {state.vector_index}", markup=False, highlight=False)
    out.print(", ".join(f"{state.counts[s]:,} {s}" for s in STATUSES if state.counts[s]) or "no documents")
    table = Table(box=None, pad_edge=False)
    for label in ("source", "status", "passages", "pages", "indexed at", "reason"):
        table.add_column(label, overflow="fold")  # a path or a model's name is there to be copied
    for document in state.documents:
        table.add_row(
            Text(terminal.visible(document.source)),
            document.status,
            str(document.passages),
            str(document.pages or ""),
            datetime.fromisoformat(document.indexed_at).astimezone().strftime("%Y-%m-%d %H:%M"),
            Text(document.reason or (f"same as {document.duplicate_of}" if document.duplicate_of else "")),
        )
    out.print(table)
    return terminal.DONE


@app.command("verify")
def verify_command(
    folder: Annotated[Path | None, typer.Argument(help="The folder, if --index is not given.")] = None,
    index: terminal.IndexOption = None,
    as_json: terminal.JsonOption = False,
) -> int:
    """Read the whole index and check it against its checksums; exit code 1 if it is damaged.

    Example: python -m index verify --index .footnote/reports
    """
    problems = verify(_place(folder, index))
    if as_json:
        terminal.print_json({"ok": not problems, "problems": problems})
    elif problems:
        for problem in problems:
            terminal.complain(problem)
        terminal.complain("make the index again with rebuild, or return to the snapshot before with rollback")
    else:
        terminal.stdout().print("the index is sound")
    return terminal.FAILED if problems else terminal.DONE


@app.command("rollback")
def rollback_command(
    folder: Annotated[Path | None, typer.Argument(help="The folder, if --index is not given.")] = None,
    index: terminal.IndexOption = None,
) -> int:
    """Make the snapshot before the live one live again, and list the documents that return.

    Example: python -m index rollback --index .footnote/reports
    """
    done = rollback(_place(folder, index))
    out = terminal.stdout()
    out.print(f"snapshot {done.live} is live again instead of {done.left}", highlight=False)
    for said, sources in (
        ("returns", done.returned),
        ("goes", done.dropped),
        ("takes its earlier content", done.reverted),
    ):
        for source in sources:
            out.print(f"{said}: {terminal.visible(source)}", markup=False, highlight=False)
    if not (done.returned or done.dropped or done.reverted):
        out.print("its documents are the same")
    out.print("the next update brings the index in line with the folder again")
    return terminal.DONE


def _place(folder: Path | None, index: Path | None) -> Path:
    if index is None and folder is not None:
        check_folder(folder)
        return default_index_dir(folder)
    return terminal.find_index(index)


def _options(
    recorded: ScanOptions,
    include: list[str] | None,
    exclude: list[str] | None,
    size: str | None,
    follow: bool | None,
) -> ScanOptions:
    """The recorded options with those that were given in their places."""
    return ScanOptions(
        include=tuple(include) if include else recorded.include,
        exclude=tuple(exclude) if exclude else recorded.exclude,
        max_file_size=recorded.max_file_size if size is None else _bytes(size),
        follow_symlinks=recorded.follow_symlinks if follow is None else follow,
    )


def _passwords(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        return [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"the password file {path} can't be read: {reason}") from error


def _bytes(size: str) -> int:
    match = re.fullmatch(r"(\d+)\s*([KMG]?)B?", size.strip().upper())
    if match is None or int(match[1]) == 0:
        raise UsageError(f"--max-file-size {size!r} is no size; write it like 500KB, 50MB or 2GB")
    return int(match[1]) * _UNITS[match[2]]


def _tell(report: BuildReport, quiet: bool, as_lines: bool) -> int:
    """Say what a build did: on stderr what went wrong, on stdout the rest."""
    code = terminal.PARTIAL if report.failed else terminal.DONE
    _warn(report)
    if as_lines:
        lines.report(report)
    if quiet or as_lines:
        return code
    parts = [f"{report.counts[s]:,} {s}" for s in STATUSES if report.counts.get(s)]
    out = terminal.stdout()
    out.print(f"{', '.join(parts) or 'no documents'}: {report.passages:,} passages", highlight=False)
    left = sum(count for status, count in report.counts.items() if status != "indexed")
    if left:
        said = "1 file was" if left == 1 else f"{left:,} files were"
        out.print(f"{said} not indexed; `python -m index status` says why", highlight=False)
    out.print(
        f"{_moves(report)}; {report.embedded:,} passages embedded; {report.seconds:.1f} s; "
        f"index in {report.index_dir}, snapshot {report.snapshot}",
        markup=False,
        highlight=False,
    )
    if Path(report.index_dir).parent.absolute() != Path(".footnote").absolute():
        named = shlex.quote(report.index_dir)
        out.print(f'ask it: python -m qa ask "QUESTION" --index {named}', markup=False, highlight=False)
    return code


def _warn(report: BuildReport) -> None:
    for document in report.failed[:SHOWN]:
        terminal.complain(f"failed: {document.source}: {document.reason}")
    if len(report.failed) > SHOWN:
        terminal.complain(f"... and {len(report.failed) - SHOWN:,} more; `python -m index status` lists them")
    news = {*report.added, *report.changed}
    foreign = [each for each in report.foreign if each.source.partition("!/")[0] in news]
    for document in foreign[:SHOWN]:
        terminal.complain(f"warning: {document.source}: {document.reason}")
    if len(foreign) > SHOWN:
        terminal.complain(f"... and {len(foreign) - SHOWN:,} more that are not English")
    if report.locked:
        named = ", ".join(report.locked[:SHOWN]) + (" ..." if len(report.locked) > SHOWN else "")
        terminal.complain(f"locked again, give the password once more with --password-file: {named}")
    if not report.counts:
        terminal.complain(f"no documents were found; the index in {report.index_dir} is empty")


def _moves(report: BuildReport) -> str:
    moves = [("added", report.added), ("changed", report.changed), ("removed", report.removed)]
    told = [f"{len(sources):,} {said}" for said, sources in moves if sources]
    told += [f"{len(report.renamed):,} renamed"] if report.renamed else []
    return ", ".join(told) or "nothing changed"


def _tell_changes(report: BuildReport) -> None:
    """Say in a line a file what one update of a watched folder did."""
    new = {*report.added, *report.changed}
    failed = {document.source: document.reason for document in report.failed}
    lines = [(("changed" if s in report.changed else "added"), s) for s in sorted(new - failed.keys())]
    lines += [("renamed", f"{before} -> {after}") for before, after in report.renamed]
    lines += [("removed", source) for source in report.removed]
    out = terminal.stdout()
    for said, source in lines[:SHOWN]:
        out.print(f"{said}: {terminal.visible(source)}", markup=False, highlight=False)
    if len(lines) > SHOWN:
        out.print(f"... and {len(lines) - SHOWN:,} more", highlight=False)
    for source in sorted(new & failed.keys()):
        terminal.complain(f"failed: {source}: {failed[source]}")
    out.print(f"{report.passages:,} passages; {report.seconds:.1f} s", highlight=False)


if __name__ == "__main__":
    terminal.run(app, "python -m index")
