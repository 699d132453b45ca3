"""E-books: chapters in order, each under its heading."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError, EncryptedError
from index.model import Document
from index.parsers.epub import parse

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None, max_examples=25)
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
CONTAINER = """<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>"""
LOCK = """<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData>
<e:EncryptionMethod Algorithm="{}"/></e:EncryptedData></encryption>"""


def xhtml(body: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><html><head><title/></head><body>{body}</body></html>'


def book(
    chapters: Mapping[str, str | bytes], spine: str = "", files: Mapping[str, str] | None = None
) -> bytes:
    """An e-book of named chapters; ``spine`` says another order than theirs, or attributes."""
    kind = 'media-type="application/xhtml+xml"'
    items = "".join(f'<item id="{name}" href="{name}.xhtml" {kind}/>' for name in chapters)
    order = spine or "".join(f'<itemref idref="{name}"/>' for name in chapters)
    opf = f"""<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">
    <metadata><dc:title>The Book</dc:title><dc:creator>Ann Author</dc:creator><dc:creator>Bo</dc:creator>
    <dc:date>2011-05-03</dc:date></metadata>
    <manifest>{items}<item id="nav" href="nav.xhtml" properties="nav" {kind}/>
    <item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/></manifest>
    <spine>{order}</spine></package>"""
    content: dict[str, str | bytes] = {"META-INF/container.xml": CONTAINER, "OPS/book.opf": opf}
    content |= {f"OPS/{name}.xhtml": text for name, text in chapters.items()}
    content |= files or {}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return packed.getvalue()


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def test_chapters_stand_in_order_under_their_headings() -> None:
    document = parse(
        book(
            {
                "two": xhtml("<h1>Second</h1><p>Later words.</p><ul><li>point</li></ul>"),
                "one": xhtml("<h1>First</h1><p>Early words.</p><h2>Part</h2><p>More.</p>"),
            },
            spine='<itemref idref="one"/><itemref idref="two"/>',
        )
    )
    assert (document.title, document.author, document.date) == ("The Book", "Ann Author, Bo", "2011-05-03")
    assert found(document) == [
        (("First",), "prose", "Early words."),
        (("First", "Part"), "prose", "More."),
        (("Second",), "prose", "Later words."),
        (("Second",), "item", "point"),
    ]
    assert document.text.startswith("First\n\nEarly words.")


def test_what_is_beside_the_reading_order_comes_last_and_contents_pages_are_left_out() -> None:
    spine = '<itemref idref="b" linear="no"/><itemref idref="nav"/><itemref idref="a"/>'
    nav = {"OPS/nav.xhtml": xhtml('<nav type="toc"><a href="a.xhtml">Listed</a></nav>')}
    document = parse(book({"a": xhtml("<p>main</p>"), "b": xhtml("<p>aside</p>")}, spine, nav))
    assert [text for _, _, text in found(document)] == ["main", "aside"]


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        (
            "nav.xhtml",
            xhtml('<nav type="toc"><ol><li><a href="a.xhtml#x">The <i>Start</i></a></li></ol></nav>'),
        ),
        (
            "toc.ncx",
            "<!DOCTYPE ncx PUBLIC '-//NISO//DTD ncx 2005-1//EN' 'http://x/ncx.dtd'><ncx><navMap><navPoint>"
            "<navLabel><text>The Start</text></navLabel><content src='a.xhtml'/></navPoint></navMap></ncx>",
        ),
    ],
)
def test_a_chapter_without_a_heading_is_named_by_the_contents(name: str, contents: str) -> None:
    chapters = {
        "a": xhtml("<p>Once.</p>"),
        "a2": xhtml("<p>Then.</p>"),
        "b": xhtml("<h2>Own</h2><p>End.</p>"),
    }
    document = parse(book(chapters, files={f"OPS/{name}": contents}))
    assert [heading for heading, _, _ in found(document)] == [("The Start",), ("The Start",), ("Own",)]
    assert document.text == "Once.\n\nThen.\n\nOwn\n\nEnd."


def test_table_headers_move_with_their_chapter() -> None:
    table = "<table><tr><th>Year</th><th>Sum</th></tr><tr><td>1999</td><td>7</td></tr></table>"
    document = parse(book({"a": xhtml("<p>before</p>"), "b": xhtml(table)}))
    row = document.sections[-1].blocks[-1]
    assert document.text[row.start : row.end] == "1999 | 7"
    assert row.header is not None
    assert document.text[slice(*row.header)] == "Year | Sum"


def test_self_closed_elements_and_book_parts_are_read_as_xhtml_means_them() -> None:
    body = (
        "<header><h1>Head</h1></header><a id='p'/><script src='x'/><h2/><p>Text.</p>"
        "<aside epub:type='footnote'><p>A note.</p></aside>"
    )
    assert found(parse(book({"a": xhtml(body)}))) == [
        (("Head",), "prose", "Text."),
        (("Head",), "prose", "A note."),
    ]


@pytest.mark.parametrize("name", ["iso-8859-2", "utf-16", "utf-8"])
def test_encodings(name: str) -> None:
    text = f'<?xml version="1.0" encoding="{name}"?><html><body><p>Žlutý kůň</p></body></html>'
    assert parse(book({"a": text.encode(name)})).text == "Žlutý kůň"


def test_a_missing_chapter_is_told_and_a_place_outside_the_book_is_none() -> None:
    document = parse(book({"a": xhtml("<p>here</p>")}, '<itemref idref="a"/><itemref idref="nav"/>'))
    assert document.notice == ""
    outside = book({"a": xhtml("<p>here</p>"), "../../../etc/passwd": "x"})
    assert parse(outside).notice == "chapters missing: 1"


def test_locked_books_are_encrypted_and_locked_fonts_are_not() -> None:
    def lock(algorithm: str) -> dict[str, str]:
        return {"META-INF/encryption.xml": LOCK.format(algorithm)}

    chapters = {"a": xhtml("<p>words</p>")}
    assert parse(book(chapters, files=lock("http://www.idpf.org/2008/embedding"))).text == "words"
    with pytest.raises(EncryptedError, match="DRM"):
        parse(book(chapters, files=lock("http://www.w3.org/2001/04/xmlenc#aes256-cbc")))


def test_what_is_no_book_is_refused() -> None:
    with pytest.raises(EmptyFileError):
        parse(b"")
    with pytest.raises(EmptyFileError):
        parse(book({"a": xhtml("<img src='x'/>")}))
    for broken in (b"no zip at all", book({"a": ""})[:-30], book({"a": xhtml("<p>x</p>")}, "<itemref")):
        with pytest.raises(CorruptError):
            parse(broken)


def test_entities_are_not_filled_in() -> None:
    bomb = '<!DOCTYPE n [<!ENTITY a "aaaaaaaaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]><ncx>&a;&b;</ncx>'
    assert parse(book({"a": xhtml("<p>words</p>")}, files={"OPS/toc.ncx": bomb})).text == "words"


@DETERMINISTIC
@given(st.lists(st.lists(WORDS, min_size=1, max_size=3), min_size=1, max_size=4))
def test_words_and_offsets_survive(chapters: list[list[str]]) -> None:
    pages = {
        f"c{number}": xhtml(f"<h1>{words[0]}</h1><p>{' '.join(words)}.</p>")
        for number, words in enumerate(chapters)
    }
    document = parse(book(pages))
    assert found(document) == [((words[0],), "prose", " ".join(words) + ".") for words in chapters]
