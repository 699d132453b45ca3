"""In which language a document is written, where it can be told."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from index.model import Document

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SAMPLE = 4_000
"""Characters that are looked at: from the beginning, the middle and the end in equal parts."""

FEWEST_LETTERS = 80
"""Below this a guess says little: names and codes look like any language."""

SUREST, NO_LANGUAGE = 0.99, "zxx"


_ENGLISH = frozenset("the of and to".split())
_ENGLISH_SHARE = 0.1
"""No other language has so many of these words; their share in English prose is twice that."""


def language_of(document: Document) -> str | None:
    """Return the ISO 639-1 code of the language, or None where it can't be told.

    Method: naive Bayes over byte n-grams, Lui and Baldwin 2012 (langid.py), in its py3langid fork. What is
    plainly English is told without it: the model takes most of a second to load.
    """
    prose = _sample(document)
    if sum(character.isalpha() for character in prose) < FEWEST_LETTERS:
        return None
    words = prose.lower().split()
    if sum(word in _ENGLISH for word in words) >= _ENGLISH_SHARE * len(words) and set(words) >= _ENGLISH:
        return "en"
    language, probability = _identifier().classify(prose)
    is_known = probability >= SUREST and language != NO_LANGUAGE
    return str(language) if is_known else None


def _sample(document: Document) -> str:
    """Text of prose and list items: tables and code are written in no language."""
    blocks = [
        block for section in document.sections for block in section.blocks if block.kind in ("prose", "item")
    ]
    third = len(blocks) // 3
    parts = []
    for start in (0, third, 2 * third):
        room = SAMPLE // 3
        for block in blocks[start : start + 40]:
            parts.append(document.text[block.start : min(block.end, block.start + room)])
            room -= len(parts[-1])
            if room <= 0:
                break
    return " ".join(parts)


@cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
