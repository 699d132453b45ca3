"""A question -> the same question with something exchanged, so that its paragraph answers it no more.

After the kinds of unanswerable questions that people wrote for SQuAD 2.0 (Rajpurkar et al. 2018, table
1): entity swap, negation, antonym. Their impossible conditions and mutual exclusions are not made.
"""

from __future__ import annotations

import random
import re
from functools import cache

import numpy as np
import tokenizers
from numpy.typing import NDArray
from safetensors.torch import load_file
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from training.network import encoder_folder

OPPOSITES = dict(
    pair
    for line in (
        "first last, most least, largest smallest, highest lowest, before after, "
        "increase decrease, increased decreased, north south, northern southern, east west, "
        "eastern western, male female, early late, earliest latest, began ended, start end, "
        "include exclude, allowed forbidden, above below, oldest newest, old new, rich poor, "
        "major minor, more less, best worst, public private, inside outside, always never, "
        "strong weak, strongest weakest, minimum maximum, legal illegal, import export, "
        "success failure, won lost, accept reject, accepted rejected, longest shortest, "
        "common rare, positive negative, internal external, formal informal, ancient modern, "
        "high low, hot cold, supported opposed, created destroyed, dependent independent, "
        "possible impossible, agreed disagreed, similar different, light heavy, wet dry, "
        "majority minority, summer winter, victory defeat, buy sell, open closed, "
        "husband wife, father mother, brother sister, son daughter, king queen, buyer seller, "
        "employer employee, landlord tenant, teacher student, cause effect, positively negatively, "
        "up down, left right, higher lower, bought sold, gave received"
    ).split(", ")
    for first, second in [line.split()]
    for pair in ((first, second), (second, first))
)

KINDRED = (0.28, 0.46)
"""The cosine of word vectors that stand for things of one kind: closer ones may mean the same."""

NEGATED = 0.1
"""How often a negation is among the ways that a question may be altered."""

_NEGATABLE = re.compile(r"\b(did|does|do|is|are|was|were|can|could|has|have|would|should)\b")
_CONTRACTED = {"can": "can't"}
_NAME = re.compile(r"(?<=[\w,;] )[A-Z][\w'-]+(?: (?:of |the )?[A-Z][\w'-]+)*")
_NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d\b")
_WORD = re.compile(r"(?<![\w'])[A-Za-z]{4,}(?![\w'])")
_ENDINGS = ("ing", "ed", "ly", "est", "s")


def altered(text: str, context: str, answers: str, rng: random.Random) -> str:
    """The question altered in one of the ways that are possible, or nothing."""
    ways = [
        _exchange(text, context, answers, _NAME, rng),
        _exchange(text, context, answers, _NUMBER, rng),
        _turned(text),
        _other_kind(text, context, answers, rng),
        _roles_exchanged(text, rng),
    ]
    if rng.random() < NEGATED:
        ways.append(_negated(text))
    possible = [way for way in ways if way and way != text]
    return rng.choice(possible) if possible else ""


def _exchange(text: str, context: str, answers: str, kind: re.Pattern[str], rng: random.Random) -> str:
    """A name or number of the question for another one of the paragraph."""
    own = kind.findall(text)
    others = [
        other
        for other in dict.fromkeys(kind.findall(context))
        if other not in text and other not in answers and len(other) > 1
    ]
    if not own or not others:
        return ""
    return text.replace(rng.choice(own), rng.choice(others), 1)


def _turned(text: str) -> str:
    for word in re.findall(r"\w+", text):
        if word in OPPOSITES:
            return re.sub(rf"\b{word}\b", OPPOSITES[word], text, count=1)
    return ""


def _other_kind(text: str, context: str, answers: str, rng: random.Random) -> str:
    """A word that the paragraph has for one of its kind that it lacks: "season" for "year"."""
    folded = context.casefold()
    told = set(_WORD.findall(folded)) - set(_WORD.findall(answers.casefold())) - {"does", "doing"}
    places = [
        found
        for found in _WORD.finditer(text)
        if found[0].casefold() in told and found[0].casefold() not in ENGLISH_STOP_WORDS
    ]
    rng.shuffle(places)
    for place in places:
        kin = [word for word in kindred(place[0].casefold()) if word[:4] not in folded]
        if kin:
            other = rng.choice(kin)
            said = other.capitalize() if place[0][0].isupper() else other
            return text[: place.start()] + said + text[place.end() :]
    return ""


def _roles_exchanged(text: str, rng: random.Random) -> str:
    """Two names in each other's place: who gave and who was given."""
    names = list(_NAME.finditer(text))
    if len(names) < 2:
        return ""
    place = rng.randrange(len(names) - 1)
    first, second = names[place], names[place + 1]
    between = text[first.end() : second.start()]
    if first[0] == second[0] or len(between.split()) < 2 or re.search(r"\b(?:and|or|with)\b|,", between):
        return ""
    return text[: first.start()] + second[0] + between + first[0] + text[second.end() :]


def _negated(text: str) -> str:
    return _NEGATABLE.sub(lambda found: _CONTRACTED.get(found[1], f"{found[1]}n't"), text, count=1)


@cache
def kindred(word: str) -> tuple[str, ...]:
    """Words of the same form for other things of the same kind, by the encoder's word vectors."""
    words, vectors = _word_vectors()
    if word not in words:
        return ()
    near = vectors @ vectors[words[word]]
    low, high = KINDRED
    names = list(words)
    return tuple(names[i] for i in np.flatnonzero((near > low) & (near < high)) if _same_form(word, names[i]))


def _same_form(word: str, other: str) -> bool:
    return word[:4] != other[:4] and all(word.endswith(end) == other.endswith(end) for end in _ENDINGS)


@cache
def _word_vectors() -> tuple[dict[str, int], NDArray[np.float32]]:
    """The whole words among the encoder's pieces, and their vectors with length 1."""
    folder = encoder_folder()
    pieces = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    words = sorted(piece for piece in pieces if piece.isascii() and _WORD.fullmatch(piece))
    stored = load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"].float().numpy()
    vectors = stored[[pieces[word] for word in words]]
    vectors = vectors - vectors.mean(0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return {word: number for number, word in enumerate(words)}, vectors
