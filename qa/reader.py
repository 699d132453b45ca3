"""Candidate passages -> scored answer spans.

The reader scores whole sentences with a linear model over a few features of question, sentence and
passage (its weights: ``models/sentence_reader.json``, made by ``training/sentence_reader.py``).
Offsets come from the passage's stored sentence ranges and are never searched for.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log1p
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index import Encoder, Snapshot, Span, question_terms, terms
from qa.retriever import Retrieved

READ_PASSAGES = 6
"""How many passages are read: on training articles the answer stands in a later one in 4% of questions."""

READ_TWINS = 30
"""How many near-duplicates of a passage are read for what they say otherwise."""

KEPT_SENTENCES = 20_000
"""30 MB of vectors of 384."""

MODEL_PATH = Path(__file__).parent / "models" / "sentence_reader.json"

_NUMBER = re.compile(
    r"how (?:many|much|old|long|far|tall|large|big|high|fast|often|deep)|what (?:percent|number|age)"
)
_TIME = re.compile(
    r"\bwhen\b|what (?:year|date|day|month|time|century|decade)|which (?:year|month|day|century)"
)
_PERSON = re.compile(r"\bwho(?:m|se)?\b")
# Not "one", "once" or "half", which mostly count nothing ("one of the largest").
_HAS_NUMBER = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|"
    r"hundreds?|thousands?|millions?|billions?|dozens?)\b",
    re.IGNORECASE,
)
_HAS_TIME = re.compile(
    r"\b\d{3,4}s?\b|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|century|spring|summer|autumn|winter|today|"
    r"yesterday|tomorrow|years?|months?|weeks?|days?|hours?)\b",
    re.IGNORECASE,
)
_HAS_NAME = re.compile(r"(?<=[\w,;:'’\"”)] )[A-Z]\w+|^[A-Z][\w.]+ [A-Z]\w+")


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """A sentence of a retrieved passage, with the reader's score and the features behind it."""

    retrieved: Retrieved
    start: int
    end: int
    score: float
    features: Mapping[str, float]

    @property
    def text(self) -> str:
        """The sentence, verbatim."""
        return _text(self.retrieved, (self.start, self.end))


class SentenceReader:
    """A linear model over sentences. Safe to use from several threads.

    It keeps the vectors of the sentences it read last: questions about a collection come back to
    the same passages, and embedding their sentences is most of what an answer costs.
    """

    def __init__(self, id: str, weights: Mapping[str, float]) -> None:
        """Take the model's weights by feature; ``id`` changes whenever its scores could."""
        self.id = id
        self.weights = weights
        self._kept: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def read(
        self,
        question: str,
        vector: NDArray[np.float32],
        retrieved: Sequence[Retrieved],
        encoder: Encoder,
        snapshot: Snapshot,
    ) -> list[ScoredSpan]:
        """Score every sentence of the best passages, best first; overlaps of passages count once.

        Args:
            question: the stand-alone question.
            vector: its unit vector.
            retrieved: the candidate passages, best first.
            encoder: embeds the sentences.
            snapshot: gives the weights of the question's terms.
        """
        spans = [pair for candidate in retrieved[:READ_PASSAGES] for pair in _readable(candidate)]
        if not spans:
            return []
        asked = snapshot.term_weights(question_terms(question))
        cosines = self._vectors([_text(candidate, span) for candidate, span in spans], encoder) @ vector
        best: dict[tuple[str, Span], ScoredSpan] = {}
        for (candidate, span), cosine in zip(spans, cosines, strict=True):
            features = sentence_features(question, asked, candidate, span, float(cosine), retrieved[0].score)
            score = sum(weight * features[name] for name, weight in self.weights.items())
            place = (candidate.passage.sources[0], span)
            if place not in best or score > best[place].score:
                best[place] = ScoredSpan(candidate, *span, score, features)
        return sorted(best.values(), key=lambda scored: -scored.score)

    def _vectors(self, sentences: Sequence[str], encoder: Encoder) -> NDArray[np.float32]:
        with self._lock:
            known = {text: self._kept[text] for text in sentences if text in self._kept}
        new = [text for text in dict.fromkeys(sentences) if text not in known]
        if new:
            known.update(zip(new, encoder.encode_passages(new), strict=True))
        with self._lock:
            for text in sentences:
                self._kept[text] = known[text]
                self._kept.move_to_end(text)
            while len(self._kept) > KEPT_SENTENCES:
                self._kept.popitem(last=False)
        return np.stack([known[text] for text in sentences])


def load_reader() -> SentenceReader:
    """The shipped reader."""
    return SentenceReader(**json.loads(MODEL_PATH.read_text(encoding="utf-8")))


def sentence_features(
    question: str,
    weights: Mapping[str, float],
    candidate: Retrieved,
    span: Span,
    cosine: float,
    best_score: float,
) -> dict[str, float]:
    """What the linear model sees of one sentence; shares are of the weight of the question's terms."""
    passage = candidate.passage.passage
    sentence = _text(candidate, span)
    mass = sum(weights.values()) or 1.0
    own = set(terms(sentence))
    context = set(terms(passage.context)) - own
    around = set(terms(passage.text)) - own - context
    covered = {
        name: sum(weights[t] for t in weights if t in found) / mass
        for name, found in (("own", own), ("context", context), ("around", around))
    }
    asked = question.casefold()
    return {
        "cosine": cosine,
        "own": covered["own"],
        "context": covered["context"],
        "around": covered["around"],
        "passage_cosine": candidate.cosine,
        "passage_bm25": candidate.bm25,
        "behind_best": best_score - candidate.score,
        "lacks_number": float(bool(_NUMBER.search(asked)) and not _HAS_NUMBER.search(sentence)),
        "lacks_time": float(bool(_TIME.search(asked)) and not _HAS_TIME.search(sentence)),
        "lacks_name": float(bool(_PERSON.search(asked)) and not _HAS_NAME.search(sentence)),
        "new_terms": log1p(len(own - set(weights))),
        "is_short": float(len(sentence.split()) < 5),
        "is_question": float(sentence.endswith("?")),
    }


def _text(candidate: Retrieved, span: Span) -> str:
    passage = candidate.passage.passage
    return passage.text[span[0] - passage.start : span[1] - passage.start]


def _readable(candidate: Retrieved) -> Iterator[tuple[Retrieved, Span]]:
    """The sentences of a candidate, and those of its near-duplicates that say something else.

    A template filled in many times is one candidate, and each filling a possible answer.
    """
    seen: set[str] = set()
    for passage in (candidate.passage, *candidate.twins[:READ_TWINS]):
        # The twins stay with each holder: an equal sentence of another one is cited with it.
        holder = candidate if passage is candidate.passage else replace(candidate, passage=passage)
        for span in passage.passage.sentences:
            text = " ".join(_text(holder, span).split()).casefold()
            if text not in seen or holder is candidate:
                yield holder, span
            seen.add(text)
