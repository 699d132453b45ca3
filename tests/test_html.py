"""HTML: what a reader sees, in plain text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import EmptyFileError, UnsupportedError
from index.model import Document
from index.parsers.html import parse

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None)
SENTENCE = "A sentence that a reader sees on the page."
WORDS = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=30)


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def texts(source: str) -> list[str]:
    return [text for _, _, text in found(parse(source.encode()))]


@DETERMINISTIC
@given(st.lists(WORDS, min_size=1, max_size=6))
def test_words_survive_without_markup(words: list[str]) -> None:
    escaped = [word.replace("&", "&amp;").replace("<", "&lt;") for word in words]
    document = parse(("<p>start</p>" + "".join(f"<div><b>{word}</b></div>" for word in escaped)).encode())
    assert document.text.split() == " ".join(["start", *words]).replace("\u2060", "").split()


def test_a_page_in_an_attribute_of_a_frame_is_read_in_its_place() -> None:
    inner = "<title>no</title><h2>Inside</h2><p>a &amp;lt; b</p><iframe srcdoc=&quot;deeper&quot;>no</iframe>"
    hidden = """<iframe style="display:none" srcdoc="no"></iframe>
    <div hidden><iframe srcdoc="no"></iframe></div>"""
    document = parse(f"<p>before</p>{hidden}<iframe srcdoc='{inner}'>no</iframe><p>after</p>".encode())
    assert found(document) == [
        ((), "prose", "before"),
        (("Inside",), "prose", "a < b"),
        (("Inside",), "prose", "after"),
    ]


def test_structure_of_a_page() -> None:
    source = f"""<!doctype html><html><head><title>My &amp; page</title><style>p{{}}</style></head><body>
    <header>Site name</header><nav>Menu</nav><p>{SENTENCE}  <b>Bold</b><br>new line</p>
    <h2>Part <i>one</i></h2><ul><li>first<ul><li>nested</li></ul></li></ul>
    <dl><dt>term</dt><dd>meaning</dd></dl>
    <h3>Code</h3><pre>def f():
        return 1
</pre><h2>Bare</h2><h2>Last</h2>soft&shy;ware<footer>Imprint</footer></body></html>"""
    document = parse(source.encode())
    assert document.title == "My & page"
    assert found(document) == [
        ((), "prose", f"{SENTENCE} Bold\nnew line"),
        (("Part one",), "item", "first"),
        (("Part one",), "item", "nested"),
        (("Part one",), "item", "term"),
        (("Part one",), "item", "meaning"),
        (("Part one", "Code"), "code", "def f():\n        return 1"),
        ((), "prose", "Bare"),
        (("Last",), "prose", "software"),
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>x</script>",
        "<style>x</style>",
        "<template>x</template>",
        "<noscript>x</noscript>",
        "<nav>x</nav>",
        "<svg><text>x</text></svg>",
        "<iframe>x</iframe>",
        "<select><option>x</select>",
        "<textarea>x</textarea>",
        "<button>x</button>",
        "<p hidden>x</p>",
        "<p aria-hidden='true'>x</p>",
        "<p style='display: none'>x</p>",
        "<aside>x</aside>",
        "<footer>x</footer>",
        "<!-- x -->",
    ],
)
def test_unseen_parts_are_left_out(hidden: str) -> None:
    assert parse(f"<body><p>{SENTENCE}</p>{hidden}</body>".encode()).text == SENTENCE


def test_the_main_part_is_taken_with_its_own_aside() -> None:
    assert texts(f"<div>around</div><main><p>{SENTENCE}</p><aside>note</aside></main>") == [SENTENCE, "note"]


def test_a_small_main_part_is_not_the_page() -> None:
    assert texts(f"<main>small</main><p>{SENTENCE}</p>") == ["small", SENTENCE]


def test_a_page_of_nothing_but_furniture_is_read() -> None:
    assert texts("<header>only this</header>") == ["only this"]


def test_the_h1_is_the_title_where_the_head_has_none() -> None:
    document = parse(f"<h1>Name</h1><p>{SENTENCE}</p>".encode())
    assert (document.title, found(document)) == ("Name", [((), "prose", SENTENCE)])


def test_rows_of_a_table_know_their_header() -> None:
    source = "<table><tr><th>A<th>B</tr><tr><td>1<td>x<br>y</tr><tr><td><p>2</p><td>z</table>"
    document = parse(source.encode())
    assert texts(source) == ["A | B", "1 | x y", "2 | z"]
    rows = document.sections[0].blocks
    assert [row.kind for row in rows] == ["row"] * 3
    assert [row.header for row in rows] == [None, (0, 5), (0, 5)]


def test_empty_cells_in_the_columns_of_a_header_are_kept() -> None:
    head = "<tr><td></td><th>2022<th>2023<th></tr>"
    source = f"<table>{head}<tr><td>Sales<td>4<td></tr><tr><td><td><td>5<td></tr></table>"
    assert texts(source) == ["| 2022 | 2023", "Sales | 4 |", "|  | 5"]
    assert [row.header for row in parse(source.encode()).sections[0].blocks] == [None, (0, 13), (0, 13)]
    wide = "<table><tr><td><th colspan=2>Sales<th>Costs</tr><tr><td>Goods<td>1<td>2<td></tr></table>"
    assert texts(wide) == ["| Sales | Costs", "Goods | 1 | 2 |"]
    assert texts("<table><tr><td><td>1<td></tr><tr><td>a<td>b<td></table>") == ["1", "a | b"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<table><tr><td><h2>Head</h2>text</td><td>side</td></tr></table>", ["text", "side"]),
        ("<table><tr><td>one column<br><br>new paragraph</table>", ["one column", "new paragraph"]),
        ("<table><tr><td><table><tr><td>a<td>b</table><td>c</table>", ["a | b", "c"]),
    ],
)
def test_tables_for_layout_are_not_rows(source: str, expected: list[str]) -> None:
    assert texts(source) == expected


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        ("<meta charset=windows-1251>", "cp1251"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', "koi8-r"),
        ('<?xml version="1.0" encoding="utf-8"?>', "utf-8"),
        ("<meta charset=rot13>", "utf-8"),
        ("<meta charset=latin1>", "utf-16"),
    ],
)
def test_encodings(head: str, codec: str) -> None:
    assert parse(f"{head}<p>Привет, мир".encode(codec)).text == "Привет, мир"


@pytest.mark.parametrize(
    "source",
    [
        "<div>" * 100_000 + "deep",
        "<b>" * 50_000 + "deep",
        "<table><tr><td>" * 20_000 + "deep",
        "<p><dd><li>" * 15_000 + "deep",
        "".join(f"<font color={number}><p>" for number in range(1_000)) + "deep",
    ],
    ids=["div", "b", "table", "item", "font"],
)
def test_hostile_nesting_ends_soon(source: str) -> None:
    started = time.monotonic()
    assert parse(source.encode()).text == "deep"
    assert time.monotonic() - started < 10


def test_many_headings_take_linear_time() -> None:
    started = time.monotonic()
    assert len(parse(b"<h1>x</h1>" * 20_000).sections[0].blocks) == 20_000
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "source", ["", " \n", "<title>only</title>", "<script>x</script>", "<p> &nbsp; </p>"]
)
def test_a_page_without_text_is_empty(source: str) -> None:
    with pytest.raises(EmptyFileError):
        parse(source.encode())


def test_binary_content_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        parse(b"<html>\0\1\2")
