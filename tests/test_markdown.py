"""Markdown: the source is kept, and its structure becomes headings, items, rows and code."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import EmptyFileError
from index.model import Document
from index.parsers.markdown import parse

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None)
SAMPLE = """---
title: "From the front"
---
Intro with
two lines.

# First *part* #

- item `one`
  goes on
  - nested

| Name | Size |
|------|-----:|
| a    | 1    |
b | 2

> quoted
> words

Setext [link](http://x.y)
-----

```py
x = 1

y = 2
```

    indented

<div>html text</div>

<!-- comment -->

## Bare
"""
MARKUP = st.sampled_from(
    [
        "# ",
        "## ",
        "- ",
        "> ",
        "1. ",
        "|",
        "---",
        "```\n",
        "    ",
        "\n",
        "\r\n",
        "\r",
        "\n\n",
        "a b.",
        "é",
        "🧑",
    ]
)


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


@DETERMINISTIC
@given(st.lists(MARKUP, max_size=60).map("".join))
def test_the_source_is_preserved_and_its_words_are_covered(source: str) -> None:
    source = "x\n\n" + source
    document = parse(source.encode())
    assert document.text == source
    covered = "".join(text for _, _, text in found(document))
    named = "".join("".join(section.heading) for section in document.sections) + (document.title or "")
    assert covered.count("🧑") + named.count("🧑") >= source.count("🧑")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_structure(end: str) -> None:
    document = parse(SAMPLE.replace("\n", end).encode())
    assert document.title == "From the front"
    expected = [
        ((), "prose", "Intro with\ntwo lines."),
        (("First part",), "item", "item `one`\n  goes on"),
        (("First part",), "item", "nested"),
        (("First part",), "row", "| Name | Size |"),
        (("First part",), "row", "| a    | 1    |"),
        (("First part",), "row", "b | 2"),
        (("First part",), "prose", "quoted\n> words"),
        (("First part", "Setext link"), "code", "x = 1\n\ny = 2"),
        (("First part", "Setext link"), "code", "indented"),
        (("First part", "Setext link"), "prose", "<div>html text</div>"),
        (("First part",), "prose", "Bare"),
    ]
    assert found(document) == [(path, kind, text.replace("\n", end)) for path, kind, text in expected]


def test_rows_know_their_header() -> None:
    document = parse(SAMPLE.encode())
    rows = [block for section in document.sections for block in section.blocks if block.kind == "row"]
    assert rows[0].header is None
    header = (rows[0].start, rows[0].end)
    assert [row.header for row in rows[1:]] == [header, header]


def test_the_first_h1_is_the_title_and_in_no_path() -> None:
    document = parse(b"# Name\n\ntext\n\n## Part\n\nmore\n\n# Other\n\nend\n")
    assert document.title == "Name"
    assert [section.heading for section in document.sections] == [(), ("Part",), ("Other",)]


def test_the_front_matter_title_does_not_repeat_the_h1() -> None:
    document = parse(b"---\ntitle: Name\n---\n# Name\n\n## Part\n\nmore\n")
    assert (document.title, document.sections[0].heading) == ("Name", ("Part",))


def test_a_byte_order_mark_is_removed() -> None:
    document = parse("\ufeff# Title\n\ntext".encode())
    assert (document.title, document.text) == ("Title", "# Title\n\ntext")


def test_text_nested_beyond_the_limit_is_kept() -> None:
    source = "".join("  " * depth + f"- word{depth}\n" for depth in range(300))
    covered = " ".join(text for _, _, text in found(parse(source.encode())))
    assert all(f"word{depth}" in covered for depth in range(300))


@pytest.mark.parametrize(
    "source", [">" * 50_000, "- " * 20_000 + "x", "# " + "[" * 50_000, "a|b\n-|-\n" + "|" * 50_000]
)
def test_hostile_nesting_ends_soon(source: str) -> None:
    started = time.monotonic()
    assert parse(source.encode()).text == source
    assert time.monotonic() - started < 10


def test_white_space_is_an_empty_file() -> None:
    with pytest.raises(EmptyFileError):
        parse(b"\n \r\n")
