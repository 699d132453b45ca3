"""Plain text: nothing altered, paragraphs and items found, headings only where they are sure."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError, UnsupportedError
from index.model import Document
from index.parsers.text import parse

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None)
SENTENCE = "This is a sentence that is long enough to be a paragraph of its own. "
LONG = (SENTENCE * 4).strip()
TRICKY = "e\u0301 🧑🏽‍🚀 עברית 中文 \r\n a\rb\u2028c\tz\n\n - x"


def blocks(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def texts(document: Document) -> list[str]:
    return [text for _, _, text in blocks(document)]


def headings(document: Document) -> list[tuple[str, ...]]:
    return [section.heading for section in document.sections]


@DETERMINISTIC
@given(st.text(st.one_of(st.characters(exclude_characters="\0"), st.sampled_from(TRICKY)), min_size=1))
def test_text_is_the_decoded_file(text: str) -> None:
    text = "x" + text.encode("utf-8", "ignore").decode()
    if sum(1 for character in text if ord(character) < 32 or ord(character) == 127) > 0:
        text += "filler that keeps the share of control characters low " * len(text)
    assert parse(text.encode()).text == text


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_mark_is_removed(codec: str) -> None:
    assert parse(TRICKY.encode(codec)).text == TRICKY


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_utf_16_and_32_are_read_without_a_mark(codec: str) -> None:
    document = parse((SENTENCE + "žluťoučký").encode(codec))
    assert document.text == SENTENCE + "žluťoučký"
    assert document.notice == f"read as {codec.upper()}"


@pytest.mark.parametrize(
    ("codec", "text", "name"),
    [
        ("cp1252", "A café in the “old town” – 5 €.", "windows-1252"),
        ("cp1251", "Привет, как дела? Это русский текст про погоду. " * 5, "windows-1251"),
        ("shift_jis", "これは日本語のテキストです。文字コードを判定します。" * 4, "cp932"),
    ],
)
def test_legacy_encoding_is_named_in_the_notice(codec: str, text: str, name: str) -> None:
    document = parse(text.encode(codec))
    assert (document.text, document.notice) == (text, f"read as {name}")


@pytest.mark.parametrize("data", [b"", b" \r\n\t\n", "\ufeff".encode(), "\ufeff \n".encode("utf-16-le")])
def test_white_space_is_an_empty_file(data: bytes) -> None:
    with pytest.raises(EmptyFileError):
        parse(data)


@pytest.mark.parametrize(
    "data", [b"\x7fELF\x02\x01\0\0\0text", bytes(range(256)), b"ab\0cd", b"\x01\x02\x03\x04" * 9]
)
def test_binary_content_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedError, match="binary content"):
        parse(data)


@pytest.mark.parametrize(
    "data", ["Füße, Käse, Bäume, Öl".encode() + b"\xff!", b"\xff\xfeabc", b"\xfe\xff\xd8\x00\x00a"]
)
def test_damaged_text_is_not_read_with_losses(data: bytes) -> None:
    with pytest.raises(CorruptError):
        parse(data)


def test_hard_wrapped_lines_are_one_paragraph() -> None:
    first = "The quick brown fox jumps over the lazy dog and\nthen it rests by the river until the\nsun sets."
    source = f"{first}\n\nNext."
    assert texts(parse(source.encode())) == source.split("\n\n")


def test_a_paragraph_in_each_line_is_a_block_each() -> None:
    assert texts(parse(f"{LONG}\n{LONG}\r\n{LONG}\n".encode())) == [LONG] * 3


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_items_are_blocks_without_their_bullets(end: str) -> None:
    lines = ["They need this:", "- first thing", "* second", "• third", "1. numbered", "(a) lettered"]
    found = blocks(parse(end.join(lines).encode()))
    assert [kind for _, kind, _ in found] == ["prose", *["item"] * 5]
    expected = ["They need this:", "first thing", "second", "third", "1. numbered", "(a) lettered"]
    assert [text for _, _, text in found] == expected


def test_title_and_headings_in_a_document_of_one_paragraph_lines() -> None:
    lines = ["Big Title Of It", "Introduction: A New Move", LONG, LONG, "Outlook: What Comes", LONG]
    document = parse("\n".join([*lines, "📌 Source: Somebody"]).encode())
    assert document.title == "Big Title Of It"
    assert headings(document) == [("Introduction: A New Move",), ("Outlook: What Comes",)]
    assert texts(document) == [LONG, LONG, LONG, "📌 Source: Somebody"]


def test_tokenised_headings_and_a_first_subsection() -> None:
    source = (
        f"Some Person\n\n{LONG}\n\nCareer .\n\nEarly years .\n\n{LONG}\n\nShe won it .\n\nDeath .\n\n{LONG}"
    )
    document = parse(source.encode())
    assert headings(document) == [(), ("Career", "Early years"), ("Death",)]
    assert "She won it ." in texts(document)


def test_underlined_and_numbered_headings_make_a_path() -> None:
    source = f"Report\n======\n\n1 Overview\n\n2.1 Scope\n\n{LONG}\n\nLast\n====\n{LONG}"
    document = parse(source.encode())
    assert document.title == "Report"
    assert headings(document)[-1] == ("Last",)
    assert ("1 Overview", "2.1 Scope") in headings(document)
    assert not any("==" in text or "--" in text for text in texts(document))


@pytest.mark.parametrize(
    "line",
    [
        "Last Updated: May 5, 2013",
        "Page 12",
        "Phone: 555 1234",
        "we agreed on that",
        "This is it.",
        "See www.example.org",
        "- item",
    ],
)
def test_lines_that_state_something_are_no_headings(line: str) -> None:
    document = parse(f"{LONG}\n\n{line}\n\n{LONG}".encode())
    assert headings(document) == [()]
    assert line.removeprefix("- ") in texts(document)


def test_short_lines_in_a_row_are_no_headings() -> None:
    lines = ["Mary Smith", "12 Long Road", "Springfield", "United Kingdom"]
    document = parse("\n\n".join([LONG, *lines, LONG]).encode())
    assert texts(document) == [LONG, *lines, LONG]


def test_a_heading_above_nothing_becomes_text() -> None:
    document = parse(f"Start\n=====\n{LONG}\n\nEmpty\n=====\n\nFull\n====\n{LONG}\n\nEnd\n===\n".encode())
    assert texts(document) == [LONG, "Empty", LONG, "End"]
    assert headings(document) == [(), ("Full",), ()]


def test_a_single_line_is_text_rather_than_a_title() -> None:
    document = parse(b"Just one line")
    assert (document.title, texts(document)) == (None, ["Just one line"])
