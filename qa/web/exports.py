"""Answers and conversations to take along: a citation in three forms, a conversation as Markdown or JSON.

What comes from documents and people is shown as text, whatever it is: Markdown and BibTeX read nothing
of it as markup, and characters that would turn the order of a line around are named.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

from qa.model import Answer, Citation, named_cell, named_page
from qa.web.store import Conversation, Turn

FORMAT = "footnote-conversation"
VERSION = 1
REFUSAL = "The documents don't say."

_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LINE_END = re.compile(r"\r\n|\r|\n")
_MARKDOWN = re.compile(  # a mark that begins something only where a word begins is left alone elsewhere
    r"[\\`*_{}\[\]<>()!|~&$:@^]|(?<!\S)[-+=#]|(?<=www)\.|(?<=\d)\.(?=\s|$)", re.IGNORECASE
)
_INDENT = re.compile(r"^[ \t]+")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",  # "\{" would still count where BibTeX looks for the end
    "}": r"\textbraceright{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{sign: f"\\{sign}" for sign in "$&#_%"},
}


# One citation


def plain(citation: Citation, answer: Answer) -> str:
    """The quote and where it stands, in two lines or more of plain text."""
    return f"{_in_quotes(_named(citation.quote))}\n\N{EM DASH} {_place(citation, answer)}"


def markdown(citation: Citation, answer: Answer) -> str:
    """The quote as a block quote that ends in where it stands."""
    return f"{_block_quote(citation.quote)}\n>\n> \N{EM DASH} {_escaped(_place(citation, answer))}"


def bibtex(citation: Citation, answer: Answer) -> str:
    """The quote as a ``@misc`` entry, in the manner of BibTeX."""
    page = named_page(citation.page, citation.page_label).removeprefix("page ")
    fields = {
        "title": citation.title,
        "file": citation.source,
        "pages": page,
        "section": " > ".join(citation.heading),
        "cell": named_cell(citation.table_row, citation.table_column),
        "characters": f"{citation.start}--{citation.end}",
        "confidence": _confidence(answer),
        "note": _in_quotes(citation.quote),
    }
    lines = "".join(f",\n  {field} = {{{_latex(value)}}}" for field, value in fields.items() if value)
    return f"@misc{{{_key(citation)}{lines}\n}}"


# A conversation


def conversation_markdown(conversation: Conversation, turns: Sequence[Turn]) -> str:
    """The questions as headings, the answers as block quotes with their citations."""
    parts = [f"# {_heading(conversation.title)}", f"Begun {_moment(conversation.began)}."]
    for turn in turns:
        parts += _turn(turn)
    return "\n\n".join(parts) + "\n"


def conversation_json(conversation: Conversation, turns: Sequence[Turn]) -> str:
    """The conversation as one JSON object; answers as `Answer.to_dict` gives them."""
    return as_json(
        {
            "format": FORMAT,
            "version": VERSION,
            **{name: value for name, value in asdict(conversation).items() if name != "turns"},
            "turns": [
                {
                    "number": turn.number,
                    "at": turn.at,
                    "question": turn.question,
                    "sources": turn.sources,
                    "error": turn.error,
                    "answer": turn.answer.to_dict() if turn.answer is not None else None,
                }
                for turn in turns
            ],
        },
        indent=2,
    )


def as_json(value: Any, indent: int | None = None) -> str:  # noqa: ANN401 - whatever JSON can hold
    """JSON that people can read, and that can be written as UTF-8 whatever a document holds."""
    readable = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    try:
        readable.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value, allow_nan=False, indent=indent)
    return readable


def _turn(turn: Turn) -> Iterator[str]:
    yield f"## {_heading(turn.question)}"
    asked = f"Asked {_moment(turn.at)}"
    if turn.sources is not None:
        asked += ", only in " + ", ".join(turn.sources)
    yield f"{_escaped(_named(asked))}."
    if turn.answer is None:
        yield f"No answer: {_lines(turn.error)}"
    elif not turn.answer.found:
        sure = _confidence(turn.answer)
        yield REFUSAL + (f" (Confidence in the best candidate {sure}.)" if sure else "")
    else:
        yield _block_quote(turn.answer.text)
        yield "\n".join(
            f"{number}. {_escaped(_place(citation, turn.answer))}"
            + ("" if citation.quote == turn.answer.text else f": {_escaped(_in_one_line(citation.quote))}")
            for number, citation in enumerate(turn.answer.citations, start=1)
        )
    if turn.answer is not None and turn.answer.notice:
        yield _lines(turn.answer.notice)


# Pieces


def _place(citation: Citation, answer: Answer) -> str:
    """Where a quote stands, in one line: source, page, heading, characters, confidence."""
    sure = _confidence(answer)
    parts = [
        citation.title
        if citation.title not in (PurePosixPath(citation.source).name, citation.source)
        else "",
        citation.source,
        named_page(citation.page, citation.page_label),
        " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} ".join(citation.heading),
        named_cell(citation.table_row, citation.table_column),
        f"characters {citation.start}\N{EN DASH}{citation.end}",
        f"confidence {sure}" if sure else "",
    ]
    return _in_one_line(", ".join(part for part in parts if part))


def _confidence(answer: Answer) -> str:
    """The confidence to three digits; certainty is never claimed by rounding. "" without a calibration."""
    if answer.confidence is None:
        return ""
    return f"{min(answer.confidence, 0.999) if answer.confidence < 1 else 1:.3f}"


def _in_quotes(text: str) -> str:
    return f"\N{LEFT DOUBLE QUOTATION MARK}{text}\N{RIGHT DOUBLE QUOTATION MARK}"


def _moment(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"


def _named(text: str) -> str:
    """``text`` with the control characters in it named; line ends, tabs and what joins letters stay."""
    return _HIDDEN.sub(lambda match: f"[U+{ord(match[0]):04X}]", _LINE_END.sub("\n", text))


def _in_one_line(text: str) -> str:
    return " ".join(_named(text).split())


def _escaped(text: str) -> str:
    """One line as Markdown that shows it and does nothing else."""
    return _MARKDOWN.sub(lambda match: f"\\{match[0]}", text)


def _heading(text: str) -> str:
    return _escaped(_in_one_line(text)) or "\N{EM DASH}"


def _lines(text: str) -> str:
    """Text as Markdown, its lines and their indents kept."""
    shown = [
        _INDENT.sub(lambda match: "&nbsp;" * len(match[0].expandtabs(4)), _escaped(line).rstrip())
        for line in _named(text).strip("\n").split("\n")
    ]
    ends = [
        "\\" if line and following else "" for line, following in zip(shown, [*shown[1:], ""], strict=True)
    ]
    return "\n".join(line + end for line, end in zip(shown, ends, strict=True))


def _block_quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in _lines(text).split("\n"))


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in _in_one_line(text))


def _key(citation: Citation) -> str:
    """A key for the entry: the file's name in ASCII, its path's checksum, where the quote starts."""
    stem = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(citation.source).stem.lower())[:40].strip("-")
    check = zlib.crc32(citation.source.encode("utf-8", "surrogatepass"))
    return f"{stem or 'document'}-{check:08x}-{citation.start}"
