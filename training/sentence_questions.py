"""Sentences of the paragraphs -> questions that they answer: definitions, conditions, ways and reasons.

The questions that people wrote ask for names, dates and numbers; of "what is ...", "what happens if ...",
"how do you ..." and "why ..." they have few, and those are what a folder of documents is asked first.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from training.questions import SENTENCE_END, Question

OF_A_KIND = 2500
"""At most so many questions of each kind are made."""

LONGEST = 20
"""No made answer has more words, so that most have the 30 word pieces that a span may have at most."""

SOURCE = "made"

PROSE = ("squad", "shifts_new_wiki", "qed_nq", "tydiqa_en", "mlqa_en", "quoref", "bioasq", "sciq", "tatqa")
"""Questions are made from sources that begin so: reviews, posts and stories explain little."""

_NAME = r"[A-Z][\w'-]+(?: [A-Z][\w'-]+){0,3}"
_SUBJECT = r"(?:The |An? )?[A-Z]?[\w'-]+(?: [\w'-]+){0,4}?"
_DEFINED = re.compile(
    rf"^(?P<what>{_SUBJECT}) (?P<verb>is|are) "
    r"(?P<said>(?:an?|the|one of|any|some) [^.;:?!()]{10,160})[.;](?=\s|$)"
)
_APPOSED = re.compile(rf"(?P<what>{_NAME}), (?P<said>an? [^,.;:()]{{8,90}})[,.](?=\s|$)")
_CONDITION = re.compile(
    r"^(?P<word>If|When|Once) (?P<what>[^,.;:]{8,100}), (?:then )?(?P<said>[^;:]{10,170})[.]$"
)
_WAY = re.compile(
    r"^(?:In order to|To) (?!the |his |her |their )(?P<what>[a-z][^,.;:]{8,80}), (?P<said>[^;:]{10,170})[.]$"
)
_REASON = re.compile(
    rf"^(?P<who>{_SUBJECT}) (?P<verb>is|are|was|were|can|could|will) (?P<what>[^,.;:]{{5,90}}),? "
    r"(?:because of|because|due to) (?P<said>[^.;:]{8,120})[.](?=\s|$)"
)
_VERB = re.compile(r"\b(?:is|are|was|were|has|had|have|said|did|became)\b")
_PERSON = re.compile(
    r"\b(?:actor|actress|architect|artist|author|composer|director|engineer|king|lawyer|leader|novelist|"
    r"officer|painter|philosopher|physicist|player|poet|politician|president|professor|queen|scientist|"
    r"singer|soldier|writer)\b"
)
_BESIDE = re.compile(r"\b(?:about|at|by|for|from|in|of|on|that|to|with)\b")
_PART = re.compile(r",? (?:which|who|where|although|but|while)\b|, ")
_ARTICLES = {"the", "a", "an"}


def sentence_questions(questions: Sequence[Question], rng: random.Random) -> list[Question]:
    """Questions about the paragraphs of ``questions``, at most `OF_A_KIND` of each kind."""
    told = {question.context: question for question in questions if question.source.startswith(PROSE)}
    paragraphs = list(told.values())
    rng.shuffle(paragraphs)
    made: list[Question] = []
    for kind in (_definitions, _appositions, _conditions, _ways, _reasons):
        made += _first(kind, paragraphs, rng)
    return made


def _first(
    kind: Callable[[str, random.Random], tuple[str, str] | None],
    paragraphs: Sequence[Question],
    rng: random.Random,
) -> list[Question]:
    found: list[Question] = []
    for paragraph in paragraphs:
        for start, sentence in _sentences(paragraph.context):
            made = kind(sentence, rng)
            if made and len(made[1].split()) <= LONGEST:
                asked, said = made[0], made[1].strip()
                place = start + sentence.index(said)
                found.append(replace(paragraph, text=asked, answers=((place, said),), source=SOURCE))
                break
        if len(found) == OF_A_KIND:
            break
    return found


def _sentences(context: str) -> Iterator[tuple[int, str]]:
    start = 0
    for end in SENTENCE_END.finditer(context):
        yield start, context[start : end.end()].rstrip()
        start = end.end()
    yield start, context[start:].rstrip()


def _definitions(sentence: str, rng: random.Random) -> tuple[str, str] | None:
    found = _DEFINED.match(sentence)
    if not found or not _is_named(found["what"]):
        return None
    said = found["said"]
    cut = _PART.search(said)
    if cut and len(said[: cut.start()].split()) >= 4:
        said = said[: cut.start()]
    return f"{_asks(said)} {found['verb']} {_inside(found['what'])}?", said


def _appositions(sentence: str, rng: random.Random) -> tuple[str, str] | None:
    found = _APPOSED.search(sentence)
    if not found or not _is_named(found["what"]) or _VERB.search(found["said"]):
        return None
    return f"{_asks(found['said'])} is {found['what']}?", found["said"]


def _conditions(sentence: str, rng: random.Random) -> tuple[str, str] | None:
    found = _CONDITION.match(sentence)
    if not found or not _is_named(found["what"]) or len(found["what"].split()) < 3:
        return None
    word = "if" if found["word"] == "If" else "when"
    return f"What happens {word} {found['what']}?", found["said"]


def _ways(sentence: str, rng: random.Random) -> tuple[str, str] | None:
    found = _WAY.match(sentence)
    if not found:
        return None
    asks = rng.choice(("How do you", "How can I", "How do I", "How to"))
    return f"{asks} {found['what']}?", found["said"]


def _reasons(sentence: str, rng: random.Random) -> tuple[str, str] | None:
    found = _REASON.match(sentence)
    if not found or not _is_named(found["who"]):
        return None
    return f"Why {found['verb']} {_inside(found['who'])} {found['what']}?", found["said"]


def _is_named(what: str) -> bool:
    """Whether the words begin with a thing of their own, and not with "it" or "in"."""
    words = [word.casefold() for word in what.split()]
    first = words[1] if words[0] in _ARTICLES and len(words) > 1 else words[0]
    return first not in ENGLISH_STOP_WORDS


def _inside(what: str) -> str:
    """The words as they stand inside a sentence."""
    first, _, rest = what.partition(" ")
    return f"{first.lower()} {rest}" if first.casefold() in _ARTICLES else what


def _asks(said: str) -> str:
    """By what the thing is said to be, not by what is said of that."""
    return "Who" if _PERSON.search(_BESIDE.split(said)[0]) else "What"
