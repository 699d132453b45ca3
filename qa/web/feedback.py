"""What people say about answers, kept as a question set: ``evaluate`` and ``calibrate`` read it.

::

    FOLDER/feedback/
      questions.jsonl    verdicts that tell the truth: the answer, or that the documents hold none
      complaints.jsonl   all others, in the same form without ``answers``
      docs               a link to the folder of documents, which evaluate looks for
      README.txt         how to run both commands on it

A line has no user: its id is a digest of the turn, which belongs to one user, so that a second verdict
replaces the first and nobody is named. Lines that people add or mend by hand stay as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from index import FootnoteError, status
from qa.engine import QA
from qa.model import Answer
from qa.web.exports import as_json
from qa.web.store import Turn

FOLDER = "feedback"
QUESTIONS = "questions.jsonl"
COMPLAINTS = "complaints.jsonl"
MAX_WORDS = 1_000
MAX_REASON = 500
NOT_THERE = "not-there"
WAIT = 10.0
"""Seconds to wait for another process that writes."""

_ANSWER_REASONS = (
    ("It is wrong", "wrong"),
    ("It answers another question", "another-question"),
    ("Something is missing", "incomplete"),
    ("The documents don't say it", NOT_THERE),
    ("Something else", "other"),
)
_REFUSAL_REASONS = (
    ("The documents do say it", "there"),
    ("The passages have nothing to do with it", "passages"),
    ("Something else", "other"),
)
_WRITING = threading.Lock()


class FeedbackError(FootnoteError):
    """What was said about an answer can't be kept."""


@dataclass(frozen=True, slots=True)
class _Truth:
    """What is known to be right; ``answers`` is None, and ``why`` says why, where nothing is."""

    answers: tuple[str, ...] | None
    source: tuple[str, ...] = ()
    why: str = ""


def reasons(answer: Answer) -> list[tuple[str, str]]:
    """What can be wrong with an answer, or with a refusal: wording and value, as a gr.Radio wants them."""
    return list(_ANSWER_REASONS if answer.found else _REFUSAL_REASONS)


def give(
    folder: Path,
    turn: Turn,
    qa: QA,
    *,
    good: bool,
    reason: str = "",
    words: str = "",
    source: str = "",
) -> bool:
    """Keep what a user says about a turn; it replaces what the user said about it before.

    Args:
        folder: where ``feedback/`` is made.
        turn: a turn of whoever says it, from the store.
        qa: to look the words up in the documents.
        good: thumbs up; on a refusal: the documents hold no answer indeed.
        reason: a value of `reasons`, or words.
        words: the right answer as the documents spell it, if it is known.
        source: the document that says it; "" looks in those that the answer showed.

    Returns:
        Whether it tells the truth, and is a question for ``evaluate``; else it is a complaint.

    Raises:
        FeedbackError: it can't be written.
    """
    given = words.strip()[:MAX_WORDS]
    truth = _truth(turn, qa, good, reason, [given] if given else None, source)
    row = _row(_id(turn), turn, truth, good, reason, [given] if given else [])
    _keep(folder, qa, row)
    return truth.answers is not None


def report(
    folder: Path,
    question: str,
    qa: QA,
    *,
    good: bool,
    answers: Sequence[str] | None = None,
    source: str = "",
    reason: str = "",
) -> dict[str, Any]:
    """Keep what a program says about the answer to a question, which is asked once more for it.

    Args:
        folder: where ``feedback/`` is made.
        question: as it was asked.
        qa: to ask it once more.
        good: whether what came of it was right.
        answers: the right words as the document spells them; [] where no document holds an answer, None
            where they are not known.
        source: the document that holds them; "" looks in those that the answer shows.
        reason: what was wrong.

    Returns:
        {"kept": "question" or "complaint", "why": why it is no question}.

    Raises:
        QuestionError: the question can't be asked.
        FeedbackError: it can't be written.
    """
    answer = qa.ask(question)
    turn = Turn(0, "", "", answer.question, None, answer, "")
    given = None if answers is None else [each.strip()[:MAX_WORDS] for each in answers]
    truth = _truth(turn, qa, good, NOT_THERE if given == [] else reason, given, source)
    row = _row(_digest("asked", answer.question), turn, truth, good, reason, given or [])
    _keep(folder, qa, row)
    return {"kept": "complaint" if truth.answers is None else "question", "why": truth.why}


def verdicts(folder: Path, turns: Iterable[Turn]) -> dict[int, bool]:
    """What was said before: turn number -> thumbs up or down; turns without a verdict are left out."""
    said = {}
    for name in (QUESTIONS, COMPLAINTS):
        for line in _lines(folder / FOLDER / name):
            row = _parsed(line)
            said[str(row.get("id"))] = row.get("verdict")
    found = {turn.number: said.get(_id(turn)) for turn in turns}
    return {number: verdict == "up" for number, verdict in found.items() if verdict in ("up", "down")}


# What is true


def _truth(turn: Turn, qa: QA, good: bool, reason: str, given: Sequence[str] | None, source: str) -> _Truth:
    answer = turn.answer
    if answer is None:
        return _Truth(None, why="the question was not answered: an error was told")
    if turn.sources is not None and len(turn.sources) != 1:
        return _Truth(None, why="asked within several documents, which a question set can't say")
    if given:
        return _stands(given, [source] if source else _shown(answer), qa)
    if good and answer.found:
        return _Truth((answer.key,), tuple(dict.fromkeys(c.source for c in answer.citations)))
    if good or reason == NOT_THERE:
        return _Truth(())
    return _Truth(None, why="the right words were not given")


def _shown(answer: Answer) -> list[str]:
    """The documents that an answer shows, those of its citations first."""
    citations = [*answer.citations, *(c for each in answer.candidates for c in each.citations)]
    return list(dict.fromkeys([*(c.source for c in citations), *(p.source for p in answer.passages)]))


def _stands(given: Sequence[str], sources: Sequence[str], qa: QA) -> _Truth:
    """The words as the first of the documents has them that has them all."""
    for source in sources:
        try:
            text = qa.text(source)
        except FootnoteError as error:
            return _Truth(None, why=str(error))
        found = [_verbatim(words, text) for words in given]
        if all(found):
            return _Truth(tuple(dict.fromkeys(each for each in found if each)), (source,))
    looked = ", ".join(sources[:3]) + (f" and {len(sources) - 3} more" if len(sources) > 3 else "")
    return _Truth(None, why=f"these words do not stand in {looked or 'any document that was shown'}")


def _verbatim(words: str, text: str) -> str:
    """Where whole words stand in ``text``, in its white space; "" where they do not."""
    parts = words.split()
    if not parts:
        return ""
    inner = r"\s+".join(map(re.escape, parts))
    before = r"(?<!\w)" if re.match(r"\w", parts[0]) else ""
    after = r"(?!\w)" if re.search(r"\w$", parts[-1]) else ""
    found = re.search(before + inner + after, text)
    return found[0] if found else ""


# Rows


def _row(
    key: str, turn: Turn, truth: _Truth, good: bool, reason: str, given: Sequence[str]
) -> dict[str, Any]:
    """A line of a question set; ``evaluate`` skips the keys that it does not know."""
    row: dict[str, Any] = {
        "id": key,
        "question": turn.answer.question if turn.answer is not None else turn.question,
        "answers": list(truth.answers or ()),
        "source": list(truth.source),
        "within": turn.sources[0] if turn.sources is not None and len(turn.sources) == 1 else None,
        "verdict": "up" if good else "down",
        "reason": reason[:MAX_REASON],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "given": list(given),
        "why": truth.why,
    }
    if truth.answers is None:
        del row["answers"]
    return {name: value for name, value in row.items() if value not in (None, "")}


def _id(turn: Turn) -> str:
    return _digest(turn.conversation, str(turn.number))


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def _parsed(line: str) -> dict[str, Any]:
    """A line's row; {} for one that a person has left unfinished, which is that person's to mend."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


# Files


def _keep(folder: Path, qa: QA, row: dict[str, Any]) -> None:
    """Write ``row`` where it belongs, in place of the line with its id."""
    place = folder / FOLDER
    is_truth = "answers" in row
    gaining, losing = (QUESTIONS, COMPLAINTS) if is_truth else (COMPLAINTS, QUESTIONS)
    try:
        with _locked(place):
            _rewrite(place / gaining, row["id"], as_json(row))
            _rewrite(place / losing, row["id"], None)
            _link(place, qa)
    except (OSError, sqlite3.Error) as error:
        raise FeedbackError(
            f"the feedback can't be kept in {place} ({error}); see that the folder may be written and that "
            "the disk is not full"
        ) from error


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """One writer at a time, also of several processes: SQLite's lock never goes stale."""
    with _WRITING:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with closing(sqlite3.connect(place / ".lock", timeout=WAIT, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            yield


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [
        line for line in path.read_text(encoding="utf-8-sig", errors="surrogateescape").split("\n") if line
    ]


def _rewrite(path: Path, key: str, line: str | None) -> None:
    """Replace the line with the id ``key``, or drop it; whoever reads sees all of the old or the new file."""
    before = _lines(path)
    after = [each for each in before if _parsed(each).get("id") != key]
    if line is not None:
        after.append(line)
    if after == before:
        return
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            file.writelines(f"{each}\n" for each in after)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _link(place: Path, qa: QA) -> None:
    """Have ``docs`` lead to the documents, as ``evaluate`` wants it, and say in README.txt how it is run."""
    docs, readme = place / "docs", place / "README.txt"
    if readme.exists() and (docs.exists() or not docs.is_symlink()):
        return
    root = Path(status(qa.index_dir).folder)
    problem = ""
    if not root.is_dir():  # several are joined to one text
        problem = "the index has several folders, or its folder is gone"
    elif not docs.exists():
        try:
            docs.unlink(missing_ok=True)  # a link that leads nowhere any more
            docs.symlink_to(root, target_is_directory=True)
        except OSError as error:
            problem = f"no link can be made here: {error.strerror}"
    readme.write_text(_readme(place, qa.index_dir, problem), encoding="utf-8")


def _readme(place: Path, index_dir: Path, problem: str) -> str:
    evaluate = f"    python -m qa evaluate {shlex.quote(str(place.absolute()))}\n"
    if problem:
        evaluate = (
            f"  There is no docs/ ({problem}), so evaluate needs one first: put the documents, or a link to\n"
            f"  their folder, there as docs, and then\n{evaluate}"
        )
    return (
        "What people said about answers. It stays on this machine.\n\n"
        f"{QUESTIONS}: questions whose answer is known; no answers where the documents hold none.\n"
        f'{COMPLAINTS}: what was found wrong without the right words. Add "answers" and "source" to a\n'
        f"line, and move it to {QUESTIONS}, and it counts.\n\n"
        f"Figures on them:\n{evaluate}\n"
        "A confidence fitted to them (it takes 50 right and 50 wrong answers):\n"
        f"    python -m qa calibrate {shlex.quote(str((place / QUESTIONS).absolute()))}"
        f" --index {shlex.quote(str(index_dir.absolute()))}\n"
    )
