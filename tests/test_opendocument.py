"""OpenDocument texts and presentations: what a reader sees of them."""

from __future__ import annotations

import io
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError, EncryptedError, ParseError, UnsupportedError
from index.model import Document
from index.parsers.office.opendocument import parse

NAMES = {
    "office": "office",
    "style": "style",
    "text": "text",
    "table": "table",
    "draw": "drawing",
    "presentation": "presentation",
    "svg": "svg-compatible",
    "meta": "meta",
}
XMLNS = 'xmlns:dc="http://purl.org/dc/elements/1.1/" ' + " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for prefix, name in NAMES.items()
)


def package(content: str, **parts: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("content.xml", content)
        for name, part in parts.items():
            archive.writestr({"meta": "meta.xml", "manifest": "META-INF/manifest.xml"}[name], part)
    return buffer.getvalue()


def content(body: str, styles: str = "") -> str:
    return (
        f"<office:document-content {XMLNS}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body>{body}</office:body></office:document-content>"
    )


def odt(body: str, styles: str = "", **parts: str) -> bytes:
    return package(content(f"<office:text>{body}</office:text>", styles), **parts)


def odp(pages: str) -> bytes:
    return package(content(f"<office:presentation>{pages}</office:presentation>"))


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def texts(body: str, styles: str = "") -> list[str]:
    return [text for _, _, text in found(parse(odt(body, styles)))]


def table(*rows: str, head: str = "") -> str:
    heading = f"<table:table-header-rows>{head}</table:table-header-rows>" if head else ""
    return f"<table:table>{heading}{''.join(rows)}</table:table>"


def row(*cells: str) -> str:
    inner = "".join(f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in cells)
    return f"<table:table-row>{inner}</table:table-row>"


def frame(kind: str, *lines: str) -> str:
    paragraphs = "".join(f"<text:p>{line}</text:p>" for line in lines)
    return f'<draw:frame presentation:class="{kind}"><draw:text-box>{paragraphs}</draw:text-box></draw:frame>'


def test_structure_of_a_text() -> None:
    body = """<text:p text:style-name="P1">The title</text:p>
      <text:h text:outline-level="1">Part <text:span>one</text:span></text:h>
      <text:p>Some
        text.<text:line-break/>New line.</text:p>
      <text:h text:outline-level="2">Detail</text:h>
      <text:list><text:list-item><text:p>first</text:p><text:list><text:list-item><text:p>nested</text:p>
      </text:list-item></text:list></text:list-item></text:list>
      <text:p text:style-name="Preformatted_20_Text">if x:</text:p>
      <text:p text:style-name="Preformatted_20_Text"><text:s text:c="4"/>return 1</text:p>
      <text:p>End.</text:p>"""
    document = parse(odt(body, '<style:style style:name="P1" style:parent-style-name="Title"/>'))
    assert document.title == "The title"
    assert found(document) == [
        (("Part one",), "prose", "Some text.\nNew line."),
        (("Part one", "Detail"), "item", "first"),
        (("Part one", "Detail"), "item", "nested"),
        (("Part one", "Detail"), "code", "if x:\n    return 1"),
        (("Part one", "Detail"), "prose", "End."),
    ]


def test_properties() -> None:
    meta = f"""<office:document-meta {XMLNS}><office:meta><dc:title>A &amp; B</dc:title>
      <meta:initial-creator>Ann</meta:initial-creator><dc:creator>Bob</dc:creator>
      <dc:date>2023-09-13T14:02:34.367419807</dc:date></office:meta></office:document-meta>"""
    document = parse(odt("<text:p>x</text:p>", meta=meta))
    assert (document.title, document.author, document.date) == ("A & B", "Ann", "2023-09-13T14:02:34")


def test_notes_and_text_boxes_follow_their_paragraph() -> None:
    body = """<text:p>Before<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation>
      <text:note-body><text:p>The note.</text:p></text:note-body></text:note> after<draw:frame><draw:text-box>
      <text:p>In the box.</text:p></draw:text-box></draw:frame>.</text:p><text:p>Next.</text:p>"""
    assert texts(body) == ["Before after.", "The note.", "In the box.", "Next."]


@pytest.mark.parametrize(
    "unseen",
    [
        "<office:annotation><text:p>x</text:p></office:annotation>",
        "<text:tracked-changes><text:p>x</text:p></text:tracked-changes>",
        "<text:table-of-content><text:index-body><text:p>x</text:p></text:index-body></text:table-of-content>",
        "<text:sequence-decls>x</text:sequence-decls>",
        "<draw:frame><svg:title>x</svg:title><svg:desc>x</svg:desc></draw:frame>",
        '<text:section text:display="none"><text:p>x</text:p></text:section>',
        '<text:p text:style-name="hidden">x</text:p>',
    ],
)
def test_unseen_parts_are_left_out(unseen: str) -> None:
    styles = '<style:style style:name="hidden"><style:text-properties text:display="none"/></style:style>'
    assert texts(f"<text:p>seen</text:p>{unseen}", styles) == ["seen"]


def test_fields_are_text() -> None:
    assert texts("<text:p>Page <text:page-number>7</text:page-number><text:tab/>end</text:p>") == [
        "Page 7 end"
    ]


def test_rows_of_a_table_know_their_header() -> None:
    document = parse(odt(table(row("Ann", "x"), row("Bob", "y"), head=row("Name", "Mark"))))
    rows = document.sections[0].blocks
    assert [document.text[block.start : block.end] for block in rows] == ["Name | Mark", "Ann | x", "Bob | y"]
    assert [block.header for block in rows] == [None, (0, 11), (0, 11)]


def test_merged_and_repeated_cells() -> None:
    cells = """<table:table-row><table:table-cell table:number-columns-spanned="2"><text:p>wide</text:p>
      </table:table-cell><table:covered-table-cell/><table:table-cell><text:p>c</text:p></table:table-cell>
      </table:table-row><table:table-row>
      <table:table-cell table:number-columns-repeated="3"><text:p>same</text:p></table:table-cell>
      </table:table-row>"""
    assert texts(table(cells)) == ["wide |  | c", "same | same | same"]


def test_a_repeated_cell_is_bounded() -> None:
    cell = '<table:table-cell table:number-columns-repeated="999999999"><text:p>x</text:p></table:table-cell>'
    assert len(parse(odt(table(f"<table:table-row>{cell * 50}</table:table-row>"))).text) < 100_000


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (table(row("only"), row("one column")), ["only", "one column"]),
        (
            table(
                "<table:table-row><table:table-cell><text:h>Head</text:h><text:p>under</text:p></table:table-cell>"
                "<table:table-cell><text:p>side</text:p></table:table-cell></table:table-row>"
            ),
            ["under", "side"],
        ),
        (
            table(
                f"<table:table-row><table:table-cell>{table(row('a', 'b'))}</table:table-cell>"
                "<table:table-cell><text:p>c</text:p></table:table-cell></table:table-row>"
            ),
            ["a | b", "c"],
        ),
    ],
)
def test_tables_for_layout_are_not_rows(body: str, expected: list[str]) -> None:
    assert texts(body) == expected


def test_a_slide_is_a_page_with_its_title_first_and_its_notes_last() -> None:
    notes = f"<presentation:notes>{frame('page', '1')}{frame('notes', 'Say hello.')}</presentation:notes>"
    document = parse(
        odp(
            f'<draw:page draw:name="page1">{notes}{frame("outline", "A point.")}'
            f"{frame('title', 'Hello', 'world')}{frame('footer', 'ACME')}</draw:page>"
            f'<draw:page draw:name="Annex">{frame("title", "More")}'
            "<draw:custom-shape><text:p>In a shape</text:p></draw:custom-shape></draw:page>"
        )
    )
    assert found(document) == [
        (("Hello world",), "prose", "A point."),
        (("Hello world",), "prose", "Say hello."),
        (("More",), "prose", "In a shape"),
    ]
    assert [(page.number, page.label) for page in document.pages] == [(1, None), (2, "Annex")]
    pages = [document.text[page.start : page.end] for page in document.pages]
    assert pages == ["Hello world\n\nA point.\n\nSay hello.", "More\n\nIn a shape"]


def test_a_slide_without_a_title_is_not_under_that_of_another() -> None:
    slides = (frame("title", "Named") + frame("outline", "a"), frame("outline", "b"), frame("title", "Alone"))
    document = parse(odp("".join(f"<draw:page>{slide}</draw:page>" for slide in (*slides, slides[1]))))
    assert found(document) == [
        (("Named",), "prose", "a"),
        ((), "prose", "b"),
        ((), "prose", "Alone"),
        ((), "prose", "b"),
    ]


def test_flat_files() -> None:
    flat = (
        f'<?xml version="1.0"?><office:document {XMLNS}><office:meta><dc:title>Flat</dc:title></office:meta>'
        "<office:body><office:text><text:p>Words.</text:p></office:text></office:body></office:document>"
    )
    document = parse(flat.encode())
    assert (document.title, document.text) == ("Flat", "Words.")


@given(st.lists(st.text("aé1 &<\t\n", max_size=12), max_size=6))
def test_no_word_is_lost(paragraphs: list[str]) -> None:
    body = "".join(
        f"<text:list><text:list-item><text:p>{escape(text)}</text:p></text:list-item></text:list>"
        if number % 2
        else f"<text:p>{escape(text)}</text:p>"
        for number, text in enumerate(paragraphs)
    )
    words = " ".join(paragraphs).split()
    if not words:
        with pytest.raises(EmptyFileError):
            parse(odt(body))
        return
    document = parse(odt(body))
    assert document.text.split() == words
    assert " ".join(text for _, _, text in found(document)).split() == words


def test_an_encrypted_file_says_what_to_do() -> None:
    manifest = '<m:manifest xmlns:m="x"><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>'
    with pytest.raises(EncryptedError, match="save a copy without one"):
        parse(package("noise", manifest=manifest))


def test_nothing_outside_the_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    head = f'<!DOCTYPE x [<!ENTITY out SYSTEM "{secret.as_uri()}">]>'
    with pytest.raises(CorruptError):
        parse(package(head + content("<office:text><text:p>seen &out;</text:p></office:text>")))


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 cut off",
        package("<a>"),
        package("no XML"),
        odt("<text:p>" * 300),
        odt("<text:p>whole</text:p>")[:-30],
        package(
            '<!DOCTYPE a [<!ENTITY a0 "ha">'
            + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
            + "]><a>&a9;</a>"
        ),
    ],
)
def test_broken_files_are_refused(data: bytes) -> None:
    with pytest.raises(CorruptError):
        parse(data)


@pytest.mark.parametrize("data", [b"", b"plain text", b"<html>"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedError):
        parse(data)


@given(st.integers(0, 1_000), st.binary(min_size=1, max_size=4))
def test_damage_never_raises_anything_else(place: int, noise: bytes) -> None:
    data = odt("<text:p>Some words.</text:p>")
    place %= len(data)
    with suppress(ParseError):
        parse(data[:place] + noise + data[place + len(noise) :])


@given(
    st.lists(st.sampled_from("p h list list-item table table-row table-cell frame page notes note".split()))
)
def test_elements_in_any_order_are_read(names: list[str]) -> None:
    prefixes = {"p": "text", "h": "text", "list": "text", "list-item": "text", "note": "text"}
    prefixes |= {"frame": "draw", "page": "draw", "notes": "presentation"}
    tags = [f"{prefixes.get(name, 'table')}:{name}" for name in names]
    body = "".join(f"<{tag}>" for tag in tags) + "x" + "".join(f"</{tag}>" for tag in reversed(tags))
    with suppress(EmptyFileError):
        parse(odt(f"{body}<text:p>y</text:p>"))


def test_many_paragraphs_and_headings_take_linear_time() -> None:
    started = time.monotonic()
    body = "<text:h>h</text:h><text:p>one<text:note><text:p>two</text:p></text:note></text:p>" * 3_000
    assert len(texts(body)) == 6_000
    assert time.monotonic() - started < 10
