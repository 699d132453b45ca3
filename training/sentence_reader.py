"""Fit the sentence reader and its calibration, from a SQuAD 2.0 file to ``qa/models/*.json``.

    python -m training.sentence_reader TRAIN.json [--work DIR] [--questions 2400]

Whole articles become documents. Each half of them makes one large collection and many small ones
(a run of one article's paragraphs), since people have both. The reader's weights are fitted on one
half and the calibration on the other, so that neither is judged by what it was fitted on. Seeded; a
second run re-uses the embeddings in the work directory.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from index import DEFAULT_ENCODER, Encoder, Snapshot, load_encoder, open_index, rebuild
from qa.calibration import CALIBRATION_PATH, Calibration, signals
from qa.metrics import contains_answer
from qa.reader import MODEL_PATH, ScoredSpan, SentenceReader
from qa.retriever import retrieve

READER_ID = "sentence-reader/1"
KEPT_RIGHT = 0.95
"""The default threshold lets this share of the right answers through."""

SOURCES = ("squad2_25art", "squad11_13art", "shifts_new_wiki")
SMALL_RUNS = (4, 8, 16, 32)
QUESTIONS_OF_A_RUN = 16
ELSEWHERE = 1 / 3
"""The share of questions that are also asked where their document is not."""


@dataclass(frozen=True)
class Question:
    """A question about a paragraph; no answers where the paragraph holds none."""

    text: str
    answers: tuple[str, ...]
    source: str
    paragraph: str


@dataclass(frozen=True)
class Collection:
    """Documents (paragraphs by file name) and the questions to ask of them."""

    documents: dict[str, list[str]]
    questions: list[Question]


class CachingEncoder:
    """Embeds each text once; everything else is the wrapped encoder's."""

    def __init__(self, encoder: Encoder, path: Path) -> None:
        self._encoder = encoder
        self._path = path
        self._known: dict[str, NDArray[np.float32]] = {}
        if path.exists():
            with np.load(path) as stored:
                self._known = dict(zip(stored["texts"].tolist(), stored["vectors"], strict=True))

    def __getattr__(self, name: str) -> object:
        return getattr(self._encoder, name)

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._encoder.encode_passages(new), strict=True))
        return np.stack([self._known[text] for text in texts])

    def save(self) -> None:
        np.savez(self._path, texts=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("--work", type=Path, default=Path(".training"))
    parser.add_argument("--questions", type=int, default=2400)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    rng = random.Random(20)
    documents, questions = read_articles(options.train)
    names = sorted(documents)
    rng.shuffle(names)
    encoder = CachingEncoder(load_encoder(DEFAULT_ENCODER), options.work / "vectors.npz")
    halves = [
        collections({name: documents[name] for name in half}, questions, options.questions // 2, rng)
        for half in (names[::2], names[1::2])
    ]
    model = fit_reader(halves[0], encoder, options.work)
    encoder.save()
    report_reader(halves[1], encoder, model, options.work)
    encoder.save()
    write(MODEL_PATH, {"id": model.id, "weights": model.weights})
    write(CALIBRATION_PATH, asdict(fit_calibration(halves[1], encoder, model, options.work, rng)))
    encoder.save()


def write(path: Path, values: dict[str, object]) -> None:
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def read_articles(train: Path) -> tuple[dict[str, list[str]], list[Question]]:
    """The paragraphs of each article, the first line its title, and all questions about them."""
    documents: dict[str, list[str]] = {}
    questions: dict[Question, None] = {}
    for article in json.loads(train.read_text(encoding="utf-8"))["data"]:
        kind, _, name = article["title"].partition("/")
        if kind not in SOURCES:
            continue
        file = re.sub(r"\W+", "-", name).lower() + ".txt"
        paragraphs = documents.setdefault(file, [name.replace("_", " ")])
        for entry in article["paragraphs"]:
            paragraph = entry["context"].strip()
            if paragraph not in paragraphs:
                paragraphs.append(paragraph)
            for asked in entry["qas"]:
                answers = tuple(sorted({answer["text"] for answer in asked["answers"]}))
                questions[Question(asked["question"], answers, file, paragraph)] = None
    return documents, list(questions)


def collections(
    documents: dict[str, list[str]], questions: list[Question], count: int, rng: random.Random
) -> list[Collection]:
    """One collection of everything with ``count`` questions, and one small one of each article."""
    about = [question for question in questions if question.source in documents]
    made = [Collection(documents, sample(rng, about, count))]
    for file in sorted(documents):
        title, *paragraphs = documents[file]
        size = rng.choice(SMALL_RUNS)
        first = rng.randrange(max(len(paragraphs) - size, 0) + 1)
        run = paragraphs[first : first + size]
        asked = [question for question in about if question.source == file and question.paragraph in run]
        if asked:
            made.append(Collection({file: [title, *run]}, sample(rng, asked, QUESTIONS_OF_A_RUN)))
    return made


def sample(rng: random.Random, questions: list[Question], count: int) -> list[Question]:
    """At most ``count`` questions, up to a third of them unanswerable."""
    answerable = [question for question in questions if question.answers]
    unanswerable = [question for question in questions if not question.answers]
    few = min(count // 3, len(unanswerable))
    return rng.sample(answerable, min(count - few, len(answerable))) + rng.sample(unanswerable, few)


def opened(
    made: Sequence[Collection], encoder: CachingEncoder, work: Path
) -> Iterator[tuple[Collection, Snapshot]]:
    """Index each collection in turn."""
    for number, collection in enumerate(made):
        folder = work / "collections" / f"{number}-{len(collection.documents)}-{min(collection.documents)}"
        (folder / "docs").mkdir(parents=True, exist_ok=True)
        for file, paragraphs in collection.documents.items():
            (folder / "docs" / file).write_text("\n\n".join(paragraphs) + "\n", encoding="utf-8")
        rebuild(folder / "docs", folder / "index", encoder=encoder)
        with open_index(folder / "index", encoder) as index:
            yield collection, index.live()


def spans_of(
    live: Snapshot,
    encoder: CachingEncoder,
    model: SentenceReader,
    question: Question,
    within: frozenset[str] | None = None,
) -> list[ScoredSpan]:
    vector = encoder.encode_passages([question.text])[0]
    found = retrieve(live, question.text.replace('"', " "), vector, 10, within)
    return model.read(question.text, vector, found, encoder, live)


def is_right(question: Question, span: ScoredSpan) -> bool:
    return question.source in span.retrieved.passage.sources and contains_answer(span.text, question.answers)


def fit_reader(made: Sequence[Collection], encoder: CachingEncoder, work: Path) -> SentenceReader:
    """Fit the linear model that tells sentences with the answer from the others."""
    blank = SentenceReader(READER_ID, {})
    rows, labels, names = [], [], []
    for collection, live in opened(made, encoder, work):
        for question in collection.questions:
            spans = spans_of(live, encoder, blank, question) if question.answers else []
            rights = [is_right(question, span) for span in spans]
            if any(rights):
                names = list(spans[0].features)
                rows += [list(span.features.values()) for span in spans]
                labels += rights
    model = LogisticRegression(max_iter=5000, C=10.0).fit(rows, labels)
    return SentenceReader(READER_ID, rounded(names, model))


def rounded(names: Sequence[str], model: LogisticRegression) -> dict[str, float]:
    return {name: round(float(weight), 4) for name, weight in zip(names, model.coef_[0], strict=True)}


def report_reader(
    made: Sequence[Collection], encoder: CachingEncoder, model: SentenceReader, work: Path
) -> None:
    print("weights", dict(model.weights))
    for name, part in (("large", made[:1]), ("small", made[1:])):
        rights = [
            [is_right(question, span) for span in spans_of(live, encoder, model, question)[:5]]
            for collection, live in opened(part, encoder, work)
            for question in collection.questions
            if question.answers
        ]
        first = np.mean([right[:1] == [True] for right in rights])
        print(
            f"{name}: first sentence right {first:.3f}, one of five {np.mean([any(r) for r in rights]):.3f}"
        )


def fit_calibration(
    made: Sequence[Collection], encoder: CachingEncoder, model: SentenceReader, work: Path, rng: random.Random
) -> Calibration:
    """Fit P(right) on the questions as they are, and on some asked where their document is not."""
    rows, labels, small, names = [], [], [], []
    everyone = made[0].questions
    for collection, live in opened(made, encoder, work):
        is_small = len(collection.documents) == 1
        asked: list[tuple[Question, frozenset[str] | None]] = [(q, None) for q in collection.questions]
        for question in rng.sample(everyone, round(ELSEWHERE * len(collection.questions))):
            others = sorted(collection.documents.keys() - {question.source})
            if others:
                asked.append((question, frozenset(rng.sample(others, min(10, len(others))))))
        for question, within in asked:
            spans = spans_of(live, encoder, model, question, within)
            found = signals(question.text, live, spans)
            names = list(found)
            rows.append(list(found.values()))
            labels.append(within is None and is_right(question, spans[0]))
            small.append(is_small)
    x, y, is_small_row = np.array(rows), np.array(labels), np.array(small)
    out = np.zeros(len(y))
    for part in range(5):
        held = np.arange(len(y)) % 5 == part
        out[held] = LogisticRegression(max_iter=5000).fit(x[~held], y[~held]).predict_proba(x[held])[:, 1]
    for name, rows_of in (("large", ~is_small_row), ("small", is_small_row)):
        report_calibration(name, out[rows_of], y[rows_of])
    fitted = LogisticRegression(max_iter=5000).fit(x, y)
    bias = round(float(fitted.intercept_[0]), 4)
    threshold = round(float(np.quantile(out[y], 1 - KEPT_RIGHT)), 2)
    print(f"threshold {threshold}: answers {(out >= threshold).mean():.3f}")
    return Calibration(encoder.fingerprint, READER_ID, rounded(names, fitted), bias, threshold)


def report_calibration(name: str, out: NDArray[np.float64], right: NDArray[np.bool_]) -> None:
    area = roc_auc_score(right, out)
    print(f"{name}: {len(right)} asked, {right.mean():.3f} right, mean {out.mean():.3f}, AUROC {area:.3f}")
    for threshold in np.arange(0.1, 0.75, 0.1):
        kept = out >= threshold
        print(
            f"  >= {threshold:.1f}: answers {kept.mean():.3f}, right of these {right[kept].mean():.3f}, "
            f"of all right kept {right[kept].sum() / right.sum():.3f}"
        )


if __name__ == "__main__":
    main()
