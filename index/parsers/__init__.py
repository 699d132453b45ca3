"""The registry of parsers: which file extension is read by which function.

A parser is a function of a file's bytes that knows neither its name nor its place. A new format is one
module and one row of ``PARSERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from index.errors import UnsupportedError
from index.model import Document
from index.parsers import html, markdown, pdf, text

__all__ = ["PARSERS", "Parse", "Parser", "parser_for"]


Parse = Callable[[bytes, Sequence[str]], Document]
"""Reads a file's bytes; the passwords are for those that ask for one."""


@dataclass(frozen=True, slots=True)
class Parser:
    """A file format. A higher ``version`` says that the same bytes now give another document."""

    name: str
    version: int
    extensions: tuple[str, ...]
    parse: Parse

    @property
    def key(self) -> str:
        """What is kept with a document to know which parser read it."""
        return f"{self.name}/{self.version}"


def _open(parse: Callable[[bytes], Document]) -> Parse:
    """A parser of a format that knows no passwords."""

    def parse_openly(data: bytes, passwords: Sequence[str] = ()) -> Document:
        return parse(data)

    return parse_openly


PARSERS: tuple[Parser, ...] = (
    Parser("text", 1, (".txt", ".text", ""), _open(text.parse)),
    Parser("markdown", 1, (".md", ".markdown"), _open(markdown.parse)),
    Parser("html", 1, (".html", ".htm", ".xhtml"), _open(html.parse)),
    Parser("pdf", 1, (".pdf",), _open(pdf.parse)),
)


def parser_for(source: str) -> Parser:
    """The parser of a file, chosen by its extension in either case; ".tar.gz" comes before ".gz".

    Raises:
        UnsupportedError: No parser reads files with that extension.
    """
    suffixes = PurePosixPath(source).suffixes
    last = suffixes[-1].lower() if suffixes else ""
    for extension in ("".join(suffixes[-2:]).lower(), last):
        for parser in PARSERS:
            if extension in parser.extensions:
                return parser
    supported = ", ".join(sorted(known for parser in PARSERS for known in parser.extensions if known))
    raise UnsupportedError(f"{last} files are not supported; supported are {supported}")
