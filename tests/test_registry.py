"""The registry of parsers, and what holds for every parser's documents."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import EmptyFileError, NoTextLayerError, ParseError, UnsupportedError
from index.model import Document
from index.parsers import PARSERS, parser_for

from .pdf_writer import write_pdf

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None)
HEAVY = ("pypdfium2", "selectolax", "markdown_it", "mdit_py_plugins", "charset_normalizer")
PIECES = """# Head|## Sub|Title Line|2.1 Scope|History .|=====|-----|- item one|* item|1. one|(a) two
A sentence of some length that ends with a full stop.|short|lower case line that goes on|```|    code|> quote
<p>para|<h2>x</h2>|<table><tr><th>a<tr><td>b<td>c</table>|<ul><li>x|<pre> y|é🧑🏽‍🚀|עברית|中文。"""
SPACES = ["", "  ", "\t", "\u2028", "\x0c", "\u00a0", "| a | b |", "|---|---|"]
LINES = st.lists(st.sampled_from([*PIECES.replace("\n", "|").split("|"), *SPACES]), max_size=25)
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n"])


def check(document: Document) -> None:
    """Blocks are in order, inside the text, on characters that are not space, and within a page."""
    reached = 0
    for section in document.sections:
        assert section.blocks
        for block in section.blocks:
            assert reached <= block.start < block.end <= len(document.text)
            assert not document.text[block.start].isspace()
            assert not document.text[block.end - 1].isspace()
            if block.header is not None:
                assert 0 <= block.header[0] < block.header[1] <= block.start
            if document.pages:
                assert any(page.start <= block.start and block.end <= page.end for page in document.pages)
            reached = block.end
    assert [page.number for page in document.pages] == list(range(1, len(document.pages) + 1))


@pytest.mark.parametrize("extension", [".txt", ".md", ".html"])
@DETERMINISTIC
@given(lines=LINES, end=ENDS)
def test_blocks_are_sound(extension: str, lines: list[str], end: str) -> None:
    try:
        document = parser_for(f"a{extension}").parse(end.join(["start", *lines]).encode())
    except EmptyFileError:
        pytest.fail("the text holds a word")
    check(document)
    assert document.title is None or document.title.strip()


@DETERMINISTIC
@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="cp1252", categories=["L", "N", "P", "Zs"]), max_size=40), max_size=8
        ),
        min_size=1,
        max_size=4,
    )
)
def test_blocks_of_a_pdf_are_sound(pages: list[list[str]]) -> None:
    data = write_pdf([[(72, 740 - 14 * row, line) for row, line in enumerate(lines)] for lines in pages])
    try:
        document = parser_for("a.pdf").parse(data)
    except NoTextLayerError:
        assert not any(character.isalnum() for lines in pages for line in lines for character in line)
        return
    check(document)
    assert len(document.pages) == len(pages)


@DETERMINISTIC
@given(
    st.binary(max_size=300),
    st.sampled_from([extension for parser in PARSERS for extension in parser.extensions]),
)
def test_arbitrary_bytes_give_a_document_or_a_reason(data: bytes, extension: str) -> None:
    try:
        document = parser_for(f"a{extension}").parse(data)
    except ParseError:
        return  # any other error fails the test
    check(document)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a.txt", "text"),
        ("deep/b.TEXT", "text"),
        ("c.Md", "markdown"),
        ("d.tar.htm", "html"),
        ("z.zip!/e.PDF", "pdf"),
    ],
)
def test_the_extension_chooses(source: str, name: str) -> None:
    assert parser_for(source).name == name


@pytest.mark.parametrize(("source", "named"), [("a.xyz", r"\.xyz"), ("dir.txt/a.b.EXE", r"\.exe")])
def test_other_extensions_are_unsupported(source: str, named: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"{named} files are not supported; save it as"):
        parser_for(source)


def test_names_and_extensions_are_unique() -> None:
    extensions = [extension for parser in PARSERS for extension in parser.extensions]
    assert len(set(extensions)) == len(extensions)
    assert len({parser.name for parser in PARSERS}) == len(PARSERS)
    assert all(extension == extension.lower() and extension[:1] in ("", ".") for extension in extensions)


def test_importing_the_registry_loads_no_heavy_library() -> None:
    code = f"import sys, index.parsers; print([name for name in {HEAVY!r} if name in sys.modules])"
    root = Path(__file__).parent.parent
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
