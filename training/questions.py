"""SQuAD-form files -> deduplicated questions, a held-aside part, and unanswerable variants.

Whole articles are held aside where a source has real articles, and whole paragraphs elsewhere, so
that nothing selected or calibrated on has been seen in training.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer

from training import alterations

WEIGHTS = {
    "squad2_25art": 2.0,
    "squad11_13art": 1.6,
    "squad_train_44articles": 1.4,
    "squad_train_paras_a": 1.4,
    "squad_train_paras_b": 1.4,
    "squad_train_paras_c": 1.4,
    "squad_train_sentences": 0.8,
    "shifts_new_wiki": 1.5,
    "shifts_reddit": 1.0,
    "shifts_amazon_reviews": 0.7,
    "qed_nq": 1.2,
    "tydiqa_en": 1.2,
    "mlqa_en": 1.6,
    "quoref_contrast": 1.0,
    "bioasq_factoid": 2.0,
    "sciq_subset": 0.6,
    "tatqa_text": 2.0,
    "fairytaleqa": 0.4,
    "bipar_en": 0.3,
    "subjqa_train": 0.3,
    "ester_single": 0.3,
    "made": 2.5,
    "ood_race_train": 0.5,
    "ood_race_val": 0.5,
    "ood_duorc_train": 1.0,
    "ood_duorc_val": 1.0,
    "ood_relation_extraction_train": 1.0,
    "ood_relation_extraction_val": 1.0,
}
"""How often a question of each source is read in one pass."""

UNANSWERABLE_WEIGHT = 2.0
"""Questions that people wrote to be unanswerable are rare and count so much more."""

HARD_NEGATIVES = 0.08
"""The share of answerable questions that are asked of a similar paragraph without the answer instead."""

ALTERED = 0.22
"""The share of answerable questions that are asked with a name, number, word or sense exchanged instead."""

REMOVED = 0.04
"""The share of answerable questions that are asked of their paragraph less the answer's sentence instead."""

ALONE = 0.3
"""The share of all questions, variants too, that are asked of one sentence alone, as the reader verifies."""

SEED = 20

HELD_ARTICLES = {"squad2_25art": 4, "squad11_13art": 2, "shifts_new_wiki": 5}
HELD_PARAGRAPHS = 0.03

ARTICLE_SOURCES = frozenset({*HELD_ARTICLES, "qed_nq", "squad_train_44articles", "mlqa_en"})
"""Their articles have titles that a document would have."""

SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z\d])")

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a paragraph; ``answers`` are (start, text), one for each annotator."""

    text: str
    context: str
    answers: tuple[tuple[int, str], ...]
    source: str
    article: str

    @property
    def title(self) -> str:
        """The title of its article where that is a real one, else nothing."""
        return self.article.replace("_", " ") if self.source in ARTICLE_SOURCES else ""


def read_questions(paths: Iterable[Path]) -> list[Question]:
    """All questions, each (question, paragraph) pair once, answers that are not in place dropped."""
    found: dict[tuple[str, str], Question] = {}
    for path in paths:
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
            kind, _, name = article["title"].partition("/")
            source = article.get("source", kind)
            name = article["title"] if "source" in article else name
            for paragraph in article["paragraphs"]:
                context = paragraph["context"]
                for entry in paragraph["qas"]:
                    question = _question(entry, context, source, name)
                    if question is not None:
                        found.setdefault((question.text, context), question)
    return list(found.values())


def _question(entry: dict[str, object], context: str, source: str, article: str) -> Question | None:
    answers = tuple((answer["answer_start"], answer["text"]) for answer in entry["answers"])  # type: ignore[attr-defined]
    right = tuple((start, text) for start, text in answers if text and context.startswith(text, start))
    if answers and not right:
        return None
    return Question(" ".join(str(entry["question"]).split()), context, right, source, article)


def hold_aside(questions: Sequence[Question], seed: int = SEED) -> tuple[list[Question], list[Question]]:
    """Split into (to train on, held aside): whole articles or whole paragraphs of each source."""
    rng = random.Random(seed)
    articles: dict[str, set[str]] = defaultdict(set)
    for question in questions:
        articles[question.source].add(question.article)
    held = {
        (source, article)
        for source, count in HELD_ARTICLES.items()
        for article in rng.sample(sorted(articles[source]), min(count, len(articles[source]) // 2))
    }

    def is_held(question: Question) -> bool:
        if question.source in HELD_ARTICLES:
            return (question.source, question.article) in held
        digest = hashlib.sha256(f"{seed}{question.context}".encode()).digest()
        return int.from_bytes(digest[:4]) < HELD_PARAGRAPHS * 2**32

    kept: list[Question] = []
    aside: list[Question] = []
    for question in questions:
        (aside if is_held(question) else kept).append(question)
    seen = {question.context for question in aside}
    return [question for question in kept if question.context not in seen], aside


def one_pass(questions: Sequence[Question], rng: random.Random) -> list[Question]:
    """The questions of one pass, in random order: weighted sources, and unanswerable variants.

    A variant stands in the place of its question: who has read the question as it was asked knows the
    variant by heart, and learns nothing of what makes it unanswerable.
    """
    drawn: list[Question] = []
    for question in questions:
        weight = WEIGHTS.get(question.source, 1.0) * (1 if question.answers else UNANSWERABLE_WEIGHT)
        drawn += [question] * (int(weight) + (rng.random() < weight % 1))
    answerable = [question for question in drawn if question.answers]
    rng.shuffle(answerable)
    first, second, third = (
        int(len(answerable) * share) for share in itertools.accumulate((HARD_NEGATIVES, ALTERED, REMOVED))
    )
    drawn = [question for question in drawn if not question.answers]
    drawn += hard_negatives(answerable[:first], questions, rng)
    for question in answerable[first:second]:
        drawn += list(altered(question, rng)) or [question]
    for question in answerable[second:third]:
        drawn += list(removed(question)) or [question]
    drawn += answerable[third:]
    drawn = [alone(question, rng) if rng.random() < ALONE else question for question in drawn]
    rng.shuffle(drawn)
    return drawn


def hard_negatives(
    asked: Sequence[Question], questions: Sequence[Question], rng: random.Random
) -> Iterator[Question]:
    """Each question with one of the most similar other paragraphs that lack its answers.

    Similar is TF-IDF of the question; the paragraphs are those of its article where that has
    several, else those of its source.
    """
    rooms: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for question in questions:
        rooms[question.source, question.article][question.context] = None
        rooms[question.source, ""][question.context] = None
    by_room: dict[tuple[str, str], list[Question]] = defaultdict(list)
    for question in asked:
        own = (question.source, question.article)
        by_room[own if len(rooms[own]) >= 5 else (question.source, "")].append(question)
    for room, here in sorted(by_room.items()):
        contexts = list(rooms[room])
        if len(contexts) < 5:
            continue
        vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english").fit(contexts)
        matrix = vectorizer.transform(contexts).T.tocsc()
        for first in range(0, len(here), 500):
            part = here[first : first + 500]
            similar = (vectorizer.transform([question.text for question in part]) @ matrix).toarray()
            for question, row in zip(part, similar, strict=True):
                ranked = [contexts[i] for i in row.argsort()[::-1][:8] if row[i] > 0]
                lacking = [context for context in ranked if lacks(context, question)][:4]
                if lacking:
                    yield replace(question, context=rng.choice(lacking), answers=())


def lacks(context: str, question: Question) -> bool:
    """Whether the paragraph is another one and holds none of the answers."""
    folded = context.casefold()
    return context != question.context and all(text.casefold() not in folded for _, text in question.answers)


def altered(question: Question, rng: random.Random) -> Iterator[Question]:
    """The question with something exchanged that makes it unanswerable, or nothing."""
    answers = " ".join(text for _, text in question.answers)
    text = alterations.altered(question.text, question.context, answers, rng)
    if text:
        yield replace(question, text=text, answers=())


def removed(question: Question) -> Iterator[Question]:
    """The question with its paragraph, less the sentences that hold an answer, or nothing.

    What is left is about the same matter and often has something of the right kind.
    """
    sentences = [
        question.context[low:high]
        for low, high in _sentences(question.context)
        if not any(start < high and start + len(text) > low for start, text in question.answers)
    ]
    context = "".join(sentences).strip()
    if len(sentences) >= 2 and lacks(context, question):
        yield replace(question, context=context, answers=())


def alone(question: Question, rng: random.Random) -> Question:
    """The question, asked of an answer's sentence alone, or of that which shares most words with it."""
    sentences = list(_sentences(question.context))
    if question.answers:
        first, text = rng.choice(question.answers)
        last = first + len(text)
    else:
        asked = _words(question.text)
        first, last = max(sentences, key=lambda bounds: len(asked & _words(question.context[slice(*bounds)])))
    low = max(start for start, _ in sentences if start <= first)
    high = min(end for _, end in sentences if end >= last)
    inside = [
        (start - low, text) for start, text in question.answers if low <= start and start + len(text) <= high
    ]
    return replace(question, context=question.context[low:high], answers=tuple(inside))


def _sentences(context: str) -> Iterator[tuple[int, int]]:
    """Where each sentence begins, and the next one or nothing more."""
    ends = (found.end() for found in SENTENCE_END.finditer(context))
    return itertools.pairwise([0, *ends, len(context)])


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold())) - ENGLISH_STOP_WORDS


def composition(questions: Sequence[Question]) -> dict[str, tuple[int, int]]:
    """(questions, unanswerable ones) by source."""
    total = Counter(question.source for question in questions)
    without = Counter(question.source for question in questions if not question.answers)
    return {source: (total[source], without[source]) for source in sorted(total)}
