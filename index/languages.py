"""What a user is told of a document that the bundled model was not made for."""

from __future__ import annotations

from index.encoder import DEFAULT_ENCODER

MULTILINGUAL_ENCODER = "paraphrase-multilingual-MiniLM-L12-v2"
"""Sentence Transformers' small model for some 50 languages; it is fetched from its hub."""

_NAMES = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "es": "Spanish",
    "et": "Estonian",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "la": "Latin",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sr": "Serbian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}


def is_foreign(language: str | None, encoder: str) -> bool:
    """Whether ``encoder`` is the bundled English one and ``language`` is known to be another."""
    return encoder == DEFAULT_ENCODER and language not in (None, "en")


def language_notice(language: str | None, encoder: str) -> str:
    """The warning for a document in ``language``; "" where there is nothing to warn of."""
    if language is None or not is_foreign(language, encoder):
        return ""
    return (
        f"its language is {_NAMES.get(language, language)}, and {DEFAULT_ENCODER} was made for English; "
        f"rebuild with --encoder {MULTILINGUAL_ENCODER}"
    )
