"""The registry of parsers: which file extension is read by which function.

A parser is a function of a file's bytes that knows neither its name nor its place. A new format is one
module and one row of ``PARSERS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from index.errors import UnsupportedError
from index.model import Document
from index.parsers import html, markdown, pdf, text

__all__ = ["PARSERS", "Parser", "parser_for"]


@dataclass(frozen=True, slots=True)
class Parser:
    """A file format. A higher ``version`` says that the same bytes now give another document."""

    name: str
    version: int
    extensions: tuple[str, ...]
    parse: Callable[[bytes], Document]


PARSERS: tuple[Parser, ...] = (
    Parser("text", 1, (".txt", ".text"), text.parse),
    Parser("markdown", 1, (".md", ".markdown"), markdown.parse),
    Parser("html", 1, (".html", ".htm", ".xhtml"), html.parse),
    Parser("pdf", 1, (".pdf",), pdf.parse),
)


def parser_for(source: str) -> Parser:
    """The parser of a file, chosen by its extension in either case.

    Raises:
        UnsupportedError: No parser reads files with that extension.
    """
    extension = PurePosixPath(source).suffix.lower()
    for parser in PARSERS:
        if extension in parser.extensions:
            return parser
    supported = ", ".join(sorted(known for parser in PARSERS for known in parser.extensions))
    named = f"{extension} files are" if extension else "files without an extension are"
    raise UnsupportedError(f"{named} not supported; supported are {supported}")
