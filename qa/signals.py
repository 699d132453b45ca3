"""What a search came to -> the numbers that a calibration weighs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log1p

from index import Snapshot, question_terms, terms
from qa.evidence import Proposal, bounded, independent, log_sum
from qa.extent import sentences_around, wants_sentences
from qa.retriever import Retrieved
from qa.rows import Tables

SIGNALS = {
    "gap": 1,
    "gap_above": 1,
    "margin": 1,
    "share": 1,
    "highest_gap": 1,
    "alone": 1,
    "beside": 1,
    "votes": 1,
    "retrieval": 1,
    "cosine": 1,
    "behind_best": -1,
    "agreement": 1,
    "missing_share": -1,
    "rarest_missing": -1,
    "sentence_missing": -1,
    "names_missing": -1,
    "words": 0,
    "wants_sentences": 0,
}
"""What `signals` gives, and what more of it says of the answer: 1 surer, -1 less sure, 0 either.

Several say nearly the same, and a fit that is free would set one against another. A calibration that
weighs anything else is of another version.
"""

_NAMED = re.compile(r"(?<=[\w,;:'\"] )[A-Z][\w'-]*|\d[\d.,]*")
"""Names and numbers; the first word of a question is no name."""


def signals(
    question: str,
    snapshot: Snapshot,
    retrieved: Sequence[Retrieved],
    found: Sequence[Proposal],
    place: int = 0,
) -> dict[str, float]:
    """What the model sees of the answer at ``place`` among ``found``, which stand best first.

    That answer's sentence must have been read again.
    """
    chosen = found[place]
    assert chosen.again is not None
    span = chosen.best
    passage = span.place.passage.passage
    asked = snapshot.term_weights(question_terms(question))
    mass = sum(asked.values()) or 1.0
    context = set(terms(passage.context))
    there = context | set(terms(passage.text))
    missing = [weight for term, weight in asked.items() if term not in there]
    start, end = sentences_around(passage, span.start, span.end)
    near = context | set(terms(passage.text[start - passage.start : end - passage.start]))
    if header := Tables(snapshot).header(span.place.passage, start):
        near |= set(terms(header[1]))
    named = [term for name in _NAMED.findall(question) for term in terms(name)]
    others = [
        other.score for number, other in enumerate(found) if number != place and other.again is not None
    ]
    gaps = [span.gap for other in found for span in independent((other.best, *other.others))]
    own = independent((chosen.best, *chosen.others))
    return {
        "gap": bounded(span.gap),
        "gap_above": max(0.0, bounded(span.gap)),
        "margin": bounded(chosen.score - max(others)) if others else 10.0,
        "share": max(-12.0, log_sum([one.gap for one in own]) - log_sum([0.0, *gaps])),
        "highest_gap": bounded(max(gaps)),
        "alone": bounded(chosen.again.alone),
        "beside": bounded(chosen.again.beside),
        "votes": log1p(sum(one.likelihood for one in own[1:])),
        "retrieval": span.place.score,
        "cosine": span.place.cosine,
        "behind_best": retrieved[0].score - span.place.score,
        "agreement": float(_leads(span.place, retrieved)),
        "missing_share": sum(missing) / mass if asked else 1.0,
        "rarest_missing": max(missing, default=0.0) / max(asked.values(), default=1.0),
        "sentence_missing": sum(weight for term, weight in asked.items() if term not in near) / mass,
        "names_missing": sum(term not in there for term in named) / max(len(named), 1),
        "words": log1p(len(span.text.split())),
        "wants_sentences": float(wants_sentences(question)),
    }


def _leads(chosen: Retrieved, retrieved: Sequence[Retrieved]) -> bool:
    """Whether the dense search and BM25 agree that this passage is the best."""
    return chosen.cosine >= max(r.cosine for r in retrieved) and chosen.bm25 >= max(r.bm25 for r in retrieved)
