"""Jupyter notebooks: notes, code and textual output in one text."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError
from index.model import Document
from index.parsers.notebook import parse

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None)


def note(source: str | list[str]) -> dict[str, object]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source: str, *outputs: dict[str, object]) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs), "metadata": {}}


def book(*cells: dict[str, object], **metadata: object) -> bytes:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}).encode()


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def test_headings_hold_for_the_cells_after_them() -> None:
    document = parse(
        book(
            note(["# Study\n", "\n", "Intro."]),
            code("x = 1\n\ny = 2"),
            note("## Plot"),
            code("plot()", {"output_type": "stream", "text": ["42\n", "\n"]}),
            note("- item"),
        )
    )
    assert document.title == "Study"
    assert found(document) == [
        ((), "prose", "Intro."),
        ((), "code", "x = 1\n\ny = 2"),
        (("Plot",), "code", "plot()"),
        (("Plot",), "code", "42"),
        (("Plot",), "item", "item"),
    ]
    assert document.text == "# Study\n\nIntro.\n\nx = 1\n\ny = 2\n\n## Plot\n\nplot()\n\n42\n\n- item"


@pytest.mark.parametrize("open_end", ["```\ncode", "<!-- note", "<pre>\nx", "~~~~\ncode"])
def test_an_open_end_does_not_swallow_the_next_cell(open_end: str) -> None:
    blocks = found(parse(book(note(f"Before.\n\n{open_end}"), note("# After\n\nText."), code("c"))))
    assert [text for _, _, text in blocks if text in ("Before.", "Text.", "c")] == ["Before.", "Text.", "c"]


def test_tables_keep_their_header_in_any_cell() -> None:
    document = parse(book(note("x"), note("| A | B |\n|---|---|\n| 1 | 2 |\n\n```\nopen")))
    row = next(block for block in document.sections[0].blocks if block.header)
    assert document.text[slice(*row.header or ())] == "| A | B |"
    assert document.text[row.start : row.end] == "| 1 | 2 |"


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ({"output_type": "execute_result", "data": {"text/plain": "7", "text/html": "<b>7</b>"}}, ["7"]),
        ({"output_type": "display_data", "data": {"image/png": "AA==", "text/plain": "<Figure>"}}, []),
        ({"output_type": "display_data", "data": {"text/html": "<table></table>"}}, []),
        ({"output_type": "stream", "text": "\x1b[31mred\x1b[0m"}, ["red"]),
        ({"output_type": "error", "ename": "E", "traceback": ["x"]}, []),
    ],
)
def test_only_text_is_taken_of_outputs(output: dict[str, object], shown: list[str]) -> None:
    assert [text for _, _, text in found(parse(book(code("run()", output))))] == ["run()", *shown]


def test_format_three() -> None:
    cells = [
        {"cell_type": "heading", "level": 1, "source": ["Old"]},
        {"cell_type": "heading", "level": 2, "source": ["Part"]},
        {"cell_type": "code", "input": ["f()"], "outputs": [{"output_type": "pyout", "text": ["5"]}]},
        {"cell_type": "raw", "source": "As is."},
    ]
    document = parse(json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]}).encode())
    assert document.title == "Old"
    assert found(document) == [
        (("Part",), "code", "f()"),
        (("Part",), "code", "5"),
        (("Part",), "prose", "As is."),
    ]


def test_metadata() -> None:
    document = parse(book(code("x"), title="Named", authors=[{"name": "Ann"}, {"name": "Bo"}, {}]))
    assert (document.title, document.author) == ("Named", "Ann, Bo")


@DETERMINISTIC
@given(st.lists(st.tuples(st.booleans(), st.text(st.characters(codec="utf-8"), max_size=40)), max_size=6))
def test_blocks_stay_inside_the_text_and_in_order(cells: list[tuple[bool, str]]) -> None:
    made = [note(text) if is_note else code(text) for is_note, text in cells]
    document = parse(book(code("first"), *made))
    spans = [(block.start, block.end) for section in document.sections for block in section.blocks]
    assert all(0 <= start < end <= len(document.text) for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


@pytest.mark.parametrize("source", ["{", "[1]", '"x"', "{}", '{"cells": 1, "x": [}'])
def test_what_is_no_notebook_is_refused(source: str) -> None:
    with pytest.raises(CorruptError):
        parse(source.encode())


@pytest.mark.parametrize(
    "data", [b"", b" ", book(), book(note(" "), code("\n")), b'{"cells": [1, null, {}]}']
)
def test_a_notebook_without_text_is_empty(data: bytes) -> None:
    with pytest.raises(EmptyFileError):
        parse(data)
