"""Held-aside questions -> benchmark directories, to fit ranking and calibration end to end.

``articles`` holds whole articles, and the questions about those of which people also wrote
unanswerable ones: the others would make answers look likelier than they are. ``paragraphs`` holds single
paragraphs of many sources among others of their kind; a third of its questions are about paragraphs that
are left out, so nothing answers them. ``runs`` holds runs of a few paragraphs of one article, each asked
by itself as a small collection would be, also about what the article says elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from training.questions import HELD_ARTICLES, SEED, Question

PARAGRAPH_SOURCES = (
    "qed_nq",
    "tydiqa_en",
    "mlqa_en",
    "bioasq_factoid",
    "tatqa_text",
    "squad_train_44articles",
    "squad_train_paras_a",
    "squad_train_paras_b",
    "squad_train_paras_c",
)
DISTRACTORS = 1200
RUN_LENGTHS = (4, 8, 16, 32)
QUESTIONS_OF_A_RUN = 15
LEFT_OUT = 1 / 3


def write_benchmarks(kept: Sequence[Question], held: Sequence[Question], folder: Path) -> list[Path]:
    """Write all three; return their directories."""
    write_articles(held, folder / "articles")
    write_paragraphs(held, kept, folder / "paragraphs", random.Random(SEED))
    write_runs(held, folder / "runs", random.Random(SEED))
    return [folder / name for name in ("articles", "paragraphs", "runs")]


def write_articles(held: Sequence[Question], folder: Path) -> None:
    """One document for each whole article; questions about SQuAD 2.0's alone."""
    lines = []
    for (source, title), contexts in by_article(held).items():
        name = _name(source, title)
        _write(folder / "docs" / name, [title, *contexts])
        asked = [question for found in contexts.values() for question in found]
        if not all(question.answers for question in asked):
            lines += [_line(question, name, True) for question in asked]
    _write_questions(folder, lines)


def by_article(held: Sequence[Question]) -> dict[tuple[str, str], dict[str, list[Question]]]:
    """For each whole article its paragraphs, and for each paragraph its questions."""
    found: dict[tuple[str, str], dict[str, list[Question]]] = defaultdict(lambda: defaultdict(list))
    for question in held:
        if question.source in HELD_ARTICLES:
            found[question.source, question.title][question.context].append(question)
    return found


def write_runs(held: Sequence[Question], folder: Path, rng: random.Random) -> None:
    """One document for each run of paragraphs, and questions asked within it."""
    lines = []
    for (source, title), contexts in by_article(held).items():
        paragraphs = list(contexts)
        first = 0
        while first < len(paragraphs):
            run = paragraphs[first : first + rng.choice(RUN_LENGTHS)]
            name = _name(source, f"{title}-{first}")
            _write(folder / "docs" / name, [title, *run])
            own = [question for paragraph in run for question in contexts[paragraph]]
            other = [q for paragraph in paragraphs if paragraph not in run for q in contexts[paragraph]]
            for asked, is_there in ((own, True), (other, False)):
                count = QUESTIONS_OF_A_RUN if is_there else QUESTIONS_OF_A_RUN // 3
                for question in rng.sample(asked, min(count, len(asked))):
                    lines.append({**_line(question, name, is_there), "within": name})
            first += len(run)
    _write_questions(folder, lines)


def write_paragraphs(
    held: Sequence[Question], kept: Sequence[Question], folder: Path, rng: random.Random
) -> None:
    """One document for each paragraph, with distractors; a third of the asked ones is left out."""
    asked = [question for question in held if question.source in PARAGRAPH_SOURCES and question.answers]
    contexts = sorted({question.context for question in asked})
    out = set(rng.sample(contexts, int(LEFT_OUT * len(contexts))))
    others = {question.context: question for question in kept if question.source in PARAGRAPH_SOURCES}
    shown = {question.context: question for question in asked if question.context not in out}
    for question in (*shown.values(), *rng.sample(list(others.values()), DISTRACTORS)):
        lines = [question.title, question.context] if question.title else [question.context]
        _write(folder / "docs" / _paragraph_name(question), lines)
    _write_questions(
        folder,
        [_line(question, _paragraph_name(question), question.context not in out) for question in asked],
    )


def _paragraph_name(question: Question) -> str:
    return _name(question.source, hashlib.sha256(question.context.encode()).hexdigest()[:12])


def _name(source: str, title: str) -> str:
    return re.sub(r"[^\w-]+", "_", f"{source}-{title}") + ".txt"


def _write(path: Path, paragraphs: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(paragraphs) + "\n", encoding="utf-8")


def _line(question: Question, name: str, is_there: bool) -> dict[str, object]:
    answers = list(dict.fromkeys(text for _, text in question.answers)) if is_there else []
    return {"question": question.text, "answers": answers, "source": [name] if answers else []}


def _write_questions(folder: Path, lines: Sequence[dict[str, object]]) -> None:
    with (folder / "questions.jsonl").open("w", encoding="utf-8") as file:
        for number, line in enumerate(lines):
            entry = {"id": f"{folder.name}-{number}", **line}
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
