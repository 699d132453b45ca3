"""Org mode: the raw source with its structure."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import EmptyFileError, UnsupportedError
from index.model import Document
from index.parsers.org import parse

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None)


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def texts(source: str) -> list[tuple[str, str]]:
    return [(kind, text) for _, kind, text in found(parse(source.encode()))]


def test_headings_without_keywords_priorities_and_tags() -> None:
    source = """#+TITLE: My /notes/
#+author: Ann Lee
#+DATE: <2024-03-01 Fri>
Intro.
* TODO [#A] First [[http://x.org][link]]  :work:home:
One.
*** Deep *words*
Two.
* Done deal
Three.
"""
    document = parse(source.encode())
    assert (document.title, document.author, document.date) == ("My notes", "Ann Lee", "2024-03-01")
    assert found(document) == [
        ((), "prose", "Intro."),
        (("First link",), "prose", "One."),
        (("First link", "Deep words"), "prose", "Two."),
        (("Done deal",), "prose", "Three."),
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("two\nlines\n\nother", [("prose", "two\nlines"), ("prose", "other")]),
        ("- one\n  goes on\n  - two\nout", [("item", "one\n  goes on"), ("item", "two"), ("prose", "out")]),
        ("1. [X] done\n2) next\n\n   more", [("item", "done"), ("item", "next"), ("item", "more")]),
        ("#+begin_src py\nx = 1\n\n y\n#+end_src", [("code", "x = 1\n\n y")]),
        ("#+BEGIN_EXAMPLE\nas is\n#+END_EXAMPLE\nout", [("code", "as is"), ("prose", "out")]),
        (": fixed\n: width", [("code", "fixed\n: width")]),
        ("#+BEGIN_QUOTE\nSaid.\n#+END_QUOTE", [("prose", "Said.")]),
        ("#+CAPTION: Shown.\n[[./x.png]]", [("prose", "Shown."), ("prose", "[[./x.png]]")]),
        ("text[fn:1]\n\n[fn:1] A note.", [("prose", "text[fn:1]"), ("prose", "A note.")]),
        ("#+begin_src\nnever closed", [("prose", "never closed")]),
    ],
)
def test_body_elements(source: str, expected: list[tuple[str, str]]) -> None:
    assert texts(source) == expected


@pytest.mark.parametrize(
    "unseen",
    [
        "# a comment",
        "#+OPTIONS: toc:nil",
        ":PROPERTIES:\n:ID: 7\n:END:",
        "SCHEDULED: <2024-01-01 Mon>",
        "-----",
        "#+BEGIN_COMMENT\nwords\n#+END_COMMENT",
        "#+BEGIN_EXPORT html\n<b>\n#+END_EXPORT",
    ],
)
def test_what_a_reader_does_not_see_is_in_no_block(unseen: str) -> None:
    assert texts(f"Before.\n{unseen}\nAfter.") == [("prose", "Before."), ("prose", "After.")]


def test_rows_of_a_table_know_their_header() -> None:
    document = parse(b"|---+---|\n| A | B |\n|---+---|\n| 1 | 2 |\n| 3 | 4 |\n")
    blocks = document.sections[0].blocks
    assert [document.text[block.start : block.end] for block in blocks] == [
        "| A | B |",
        "| 1 | 2 |",
        "| 3 | 4 |",
    ]
    header = (blocks[0].start, blocks[0].end)
    assert [block.header for block in blocks] == [None, header, header]


def test_a_table_without_a_rule_has_no_header() -> None:
    assert [block.header for block in parse(b"| 1 | 2 |\n| 3 | 4 |").sections[0].blocks] == [None, None]


@pytest.mark.parametrize(
    "source", ["#+begin_src\nx\n" * 10_000, ":a:\nx\n" * 10_000, "* " + "*a" * 50_000, "* " + "[" * 100_000]
)
def test_hostile_lines_take_linear_time(source: str) -> None:
    started = time.monotonic()
    parse(source.encode())
    assert time.monotonic() - started < 4


@DETERMINISTIC
@given(
    st.lists(
        st.sampled_from(
            [
                "",
                "* A",
                "** TODO B :t:",
                "- item",
                "  more",
                "1. one",
                "| a |",
                "|---|",
                ": x",
                "#+begin_src",
                "#+end_src",
                "#+begin_quote",
                ":D:",
                ":END:",
                "# c",
                "[fn:1] n",
                "#+title: t",
                "[fn:1] ",
            ]
        ),
        max_size=14,
    )
)
def test_any_lines_give_blocks_in_order_over_the_whole_source(lines: list[str]) -> None:
    source = "x\r\n" + "\n".join(lines)
    document = parse(source.encode())
    spans = [(block.start, block.end) for section in document.sections for block in section.blocks]
    assert document.text == source
    assert all(start < end <= len(source) for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


@pytest.mark.parametrize("data", [b"", b" \n\t"])
def test_a_file_without_text_is_empty(data: bytes) -> None:
    with pytest.raises(EmptyFileError):
        parse(data)


def test_binary_content_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        parse(b"words \0\1\2 words")


def test_the_text_is_the_file_without_its_mark() -> None:
    assert parse("\ufeffcaf\u00e9\r\n".encode()).text == "caf\u00e9\r\n"
    assert parse(b"caf\xe9 cr\xe8me").notice == "read as windows-1252"
