"""reStructuredText: the raw source with its structure."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import EmptyFileError, UnsupportedError
from index.model import Document
from index.parsers.rst import parse

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None)


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def texts(source: str) -> list[tuple[str, str]]:
    return [(kind, text) for _, kind, text in found(parse(source.encode()))]


def test_sections_by_the_order_of_their_adornments() -> None:
    source = """=====
Title
=====

:Author: Ann Lee
:Date: 2024-05-06

Intro.

Part ``one``
------------

Text.

Sub *part*
~~~~~~~~~~

More.

Part :ref:`two <x>`
-------------------

End.
"""
    document = parse(source.encode())
    assert (document.title, document.author, document.date) == ("Title", "Ann Lee", "2024-05-06")
    assert [(heading, text) for heading, kind, text in found(document) if kind == "prose"] == [
        ((), "Intro."),
        (("Part one",), "Text."),
        (("Part one", "Sub part"), "More."),
        (("Part two",), "End."),
    ]


def test_two_top_sections_are_no_title() -> None:
    document = parse(b"One\n===\n\na\n\nTwo\n===\n\nb\n")
    assert document.title is None
    assert [section.heading for section in document.sections] == [("One",), ("Two",)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "* one\n  goes on\n* two\n\n  second",
            [("item", "one\n  goes on"), ("item", "two"), ("item", "second")],
        ),
        ("- a\n\n  - b\n\nout", [("item", "a"), ("item", "b"), ("prose", "out")]),
        ("1. one\n2. two\n#. three", [("item", "one"), ("item", "two"), ("item", "three")]),
        ("1990. A good year\nfor wine", [("prose", "1990. A good year\nfor wine")]),
        ("E. coli is one.", [("item", "E. coli is one.")]),
        ("term\n   Meaning.", [("prose", "term"), ("prose", "Meaning.")]),
        (":param x: the\n   number\n:empty:", [("item", "param x: the\n   number")]),
        ("| line one\n| line two", [("prose", "line one"), ("prose", "line two")]),
        ("So::\n\n  a\n\n    b\n\nout", [("prose", "So::"), ("code", "a\n\n    b"), ("prose", "out")]),
        ("::\n\n  a", [("code", "a")]),
        (">>> 1\n1\n\nout", [("code", ">>> 1\n1"), ("prose", "out")]),
        (".. note:: Take\n   care.\n\n   Really.", [("prose", "Take\n   care."), ("prose", "Really.")]),
        (".. warning::\n   :class: x\n\n   Hot.", [("prose", "Hot.")]),
        (".. code-block:: py\n   :linenos:\n\n   x = 1\n\nout", [("code", "x = 1"), ("prose", "out")]),
        (".. math:: e = mc^2", [("code", "e = mc^2")]),
        (".. function:: f(a)\n   :module: m\n\n   Does.", [("code", "f(a)"), ("prose", "Does.")]),
        (".. figure:: x.png\n   :alt: y\n\n   Caption.", [("prose", "Caption.")]),
        ("see [1]_\n\n.. [1] A note\n   here.", [("prose", "see [1]_"), ("prose", "A note\n   here.")]),
        ("above\n\n----\n\nbelow", [("prose", "above"), ("prose", "below")]),
        ("- .. note:: inside\n- b", [("prose", "inside"), ("item", "b")]),
    ],
)
def test_body_elements(source: str, expected: list[tuple[str, str]]) -> None:
    assert texts(source) == expected


@pytest.mark.parametrize(
    "unseen",
    [
        ".. a comment\n   that goes on",
        ".. _target: http://example.org",
        "__ http://example.org",
        ".. |x| image:: x.png",
        ".. image:: x.png\n   :alt: words",
        ".. toctree::\n   :maxdepth: 1\n\n   a\n   b",
        ".. include:: other.rst",
        ".. raw:: html\n\n   <b>",
        ":orphan:",
    ],
)
def test_what_a_reader_does_not_see_is_in_no_block(unseen: str) -> None:
    assert texts(f"Before.\n\n{unseen}\n\nAfter.") == [("prose", "Before."), ("prose", "After.")]


@pytest.mark.parametrize(
    ("source", "rows"),
    [
        (
            "+---+---+\n| A | B |\n+===+===+\n| 1 | 2 |\n| x | y |\n+---+---+\n| 3 | 4 |\n+---+---+",
            ["| A | B |", "| 1 | 2 |\n| x | y |", "| 3 | 4 |"],
        ),
        ("== ==\nA  B\n== ==\n1  2\n   y\n3  4\n== ==", ["A  B", "1  2\n   y", "3  4"]),
        (
            ".. list-table::\n   :header-rows: 1\n\n   * - A\n     - B\n   * - 1\n     - 2",
            ["A\n     - B", "1\n     - 2"],
        ),
        (".. csv-table::\n   :header: A, B\n\n   A, B\n   1, 2", ["A, B", "1, 2"]),
    ],
    ids=["grid", "simple", "list", "csv"],
)
def test_rows_know_their_header(source: str, rows: list[str]) -> None:
    document = parse(source.encode())
    blocks = document.sections[0].blocks
    assert [document.text[block.start : block.end] for block in blocks] == rows
    assert {block.kind for block in blocks} == {"row"}
    first = (blocks[0].start, blocks[0].end)
    assert [block.header for block in blocks] == [None, *[first] * (len(blocks) - 1)]


def test_a_table_without_header() -> None:
    document = parse(b"== ==\n1  2\n3  4\n== ==\n\nout")
    assert [(b.kind, b.header) for b in document.sections[0].blocks] == [
        ("row", None),
        ("row", None),
        ("prose", None),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "===\na\n===\n" * 10_000,
        "- " * 20_000,
        "=== ===\na b\n" * 10_000,
        "a`" * 50_000 + "\n====\n",
        ":a" * 50_000,
    ],
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
                "Title",
                "=====",
                "-----",
                "* item",
                "  indented",
                "1. one",
                ".. note:: x",
                "   :opt: y",
                ".. [1] z",
                "::",
                "| a",
                "+--+",
                "|a |",
                "== ==",
                "a  b",
                ":f: g",
                "..",
                "\t>>> x",
                "..  x",
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
