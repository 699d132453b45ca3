"""Delimited tables: rows as ranges of the raw text."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import EmptyFileError, UnsupportedError
from index.model import Block
from index.parsers.delimited import parse


def blocks(source: str) -> list[Block]:
    document = parse(source.encode())
    assert document.text == source
    return [block for section in document.sections for block in section.blocks]


def texts(source: str) -> list[str]:
    return [source[block.start : block.end] for block in blocks(source)]


def header(source: str) -> str | None:
    """The header row that the last row names."""
    last = blocks(source)[-1]
    return source[slice(*last.header)] if last.header else None


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_know_their_header(delimiter: str, end: str) -> None:
    source = end.join(delimiter.join(row) for row in [["Team", "Wins"], ["Blues", "1"], ["Reds", "2"], []])
    assert texts(source) == [f"Team{delimiter}Wins", f"Blues{delimiter}1", f"Reds{delimiter}2"]
    assert [block.kind for block in blocks(source)] == ["row"] * 3
    assert [block.header for block in blocks(source)] == [None, (0, 9), (0, 9)]


def test_a_quoted_cell_may_hold_line_breaks_and_delimiters() -> None:
    source = 'id,text\n1,"one, ""two""\nthree"\n2,"four\r\nfive"\n'
    assert texts(source) == ["id,text", '1,"one, ""two""\nthree"', '2,"four\r\nfive"']


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a;b\n1,5;2,5\n3,1;4,2\n", "a;b"),
        ("name\tnote\nx\tone, two, three\ny\tfour, five\n", "name\tnote"),
        ("a|b\n1|x, y\n2|z\n", "a|b"),
        ("1,2\n3,4\n", None),
        ("Ann,3,x\nBob,4,y\n", None),
        ("id,color\n1,red\n2,blue\n", "id,color"),
        (",a,b\n0,x,y\n1,z,w\n", ",a,b"),
        ("red,small\nblue,small\n", None),
        ("How are you today, sir?;Name\n3;Ann\n4;Bob\n", "How are you today, sir?;Name"),
        ("date,2020,2021\nJune,5,6\n", "date,2020,2021"),
        ("a,b,c,\n1,2,3,\n4,5,6,\n", "a,b,c,"),
        ("a,b\n", None),
    ],
)
def test_delimiter_and_header_are_recognised(source: str, expected: str | None) -> None:
    assert header(source) == expected


def test_a_declared_delimiter_is_honoured() -> None:
    source = "sep=;\r\na,b;c\r\n1,2;3\r\n"
    assert texts(source) == ["a,b;c", "1,2;3"]
    assert header(source) == "a,b;c"


def test_a_title_above_the_table_is_text() -> None:
    source = "Stanley Cups,,\n,,\nTeam,City,Cups\nBlues,STL,1\n"
    assert [(block.kind, source[block.start : block.end]) for block in blocks(source)] == [
        ("prose", "Stanley Cups"),
        ("row", "Team,City,Cups"),
        ("row", "Blues,STL,1"),
    ]


def test_one_column_is_lines() -> None:
    source = "red, green\nblue\nyellow\n\nblack\n"
    assert texts(source) == ["red, green", "blue", "yellow", "black"]
    assert {block.kind for block in blocks(source)} == {"row"}
    assert blocks("A line of text. " * 10)[0].kind == "prose"


def test_a_quote_that_is_never_closed_costs_no_row() -> None:
    source = 'id,size\n1,"5\n2,6\n3,"7"\n4,8\n'
    assert texts(source) == ["id,size", '1,"5', "2,6", '3,"7"', "4,8"]


@pytest.mark.parametrize(
    "source",
    [
        'a,b\n1,"2\n' + "x,y\n" * 30_000,
        "a,b\n" + '1,"x\ny\n' * 15_000,
        '"' * 1_000_000 + "x",
        '"\n' * 100_000 + "x",
        "a," * 200_000,
        "a,b\n" + '"' + "x" * 1_000_000 + '",1\n',
    ],
    ids=["unclosed", "many unclosed", "quotes", "lines", "wide", "huge cell"],
)
def test_hostile_quotes_take_linear_time(source: str) -> None:
    started = time.monotonic()
    assert blocks(source)
    assert time.monotonic() - started < 10


@given(
    st.lists(st.lists(st.text('ab1, ;"\n\r', max_size=6), min_size=2, max_size=4), min_size=1, max_size=8),
    st.sampled_from(",;\t|"),
)
def test_blocks_are_in_order_and_nothing_is_lost(rows: list[list[str]], delimiter: str) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    source = buffer.getvalue()
    try:
        found = blocks(source)
    except EmptyFileError:
        assert not any(value.strip() for row in rows for value in row)
        return
    place = 0
    outside = []
    for block in found:
        assert place <= block.start < block.end
        outside.append(source[place : block.start])
        place = block.end
    outside.append(source[place:])
    assert not set("".join(outside)) & set("ab1")


def test_the_encoding_is_told() -> None:
    document = parse("név;érték\nőz;1\n".encode("utf-16"))
    assert document.text.startswith("név;érték")
    assert "windows-1252" in parse("café;1\nthé;2\n".encode("cp1252")).notice


@pytest.mark.parametrize("source", [b"", b" \n", b"\n\n", b",,\n,,\n"])
def test_a_table_of_nothing_is_empty(source: bytes) -> None:
    with pytest.raises(EmptyFileError):
        parse(source)


def test_binary_content_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        parse(b"a,b\n\0\1\2,3")
