"""Word documents: what Word shows, in the order of the text, with its structure."""

from __future__ import annotations

import io
import zipfile
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError, NoTextLayerError, ParseError, UnsupportedError
from index.model import Document
from index.parsers.office.docx import parse

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SPACES = (
    f'xmlns:w="{W}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:x="urn:x"'
)
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
STYLES = """
<w:style w:type="paragraph" w:default="1" w:styleId="Standard"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/>
  <w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Custom"><w:name w:val="My heading"/>
  <w:basedOn w:val="Heading2"/></w:style>
<w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/></w:style>
<w:style w:type="paragraph" w:styleId="Plain"><w:name w:val="TOC Heading"/><w:basedOn w:val="berschrift1"/>
  <w:pPr><w:outlineLvl w:val="9"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Body2"><w:name w:val="Body 2"/><w:basedOn w:val="berschrift1"/>
  <w:pPr><w:outlineLvl w:val="9"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>
<w:style w:type="paragraph" w:styleId="Bullets"><w:name w:val="My bullets"/>
  <w:pPr><w:numPr><w:numId w:val="3"/></w:numPr></w:pPr></w:style>
<w:style w:type="character" w:styleId="Secret"><w:name w:val="Secret"/><w:rPr><w:vanish/></w:rPr></w:style>
<w:style w:type="paragraph" w:styleId="Loop"><w:name w:val="Loop"/><w:basedOn w:val="Loop"/></w:style>
"""


def packed(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def docx(body: str, **parts: str) -> bytes:
    """A document with a body and further parts, each of which is named by its relation."""
    related = "".join(
        f'<Relationship Id="{kind}" Type="urn:x/{kind}" Target="{kind}.xml"/>' for kind in ("styles", *parts)
    )
    files = {
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}">'
        '<Relationship Id="a" Type="urn:x/officeDocument" Target="/word/document.xml"/>'
        '<Relationship Id="b" Type="urn:x/core-properties" Target="core.xml"/>'
        '<Relationship Id="c" Type="urn:x/extended-properties" Target="app.xml"/></Relationships>',
        "word/document.xml": f"<w:document {SPACES}><w:body>{body}</w:body></w:document>",
        "word/styles.xml": f"<w:styles {SPACES}>{STYLES}</w:styles>",
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{RELATIONS}">{related}</Relationships>',
    }
    for kind, content in parts.items():
        place = f"{kind}.xml" if kind in ("core", "app") else f"word/{kind}.xml"
        files[place] = content if kind in ("core", "app") else f"<w:x {SPACES}>{content}</w:x>"
    return packed(files)


def run(text: str, settings: str = "") -> str:
    return f'<w:r><w:rPr>{settings}</w:rPr><w:t xml:space="preserve">{escape(text)}</w:t></w:r>'


def p(*content: str, style: str = "", settings: str = "") -> str:
    """A paragraph; content that is no markup becomes a run."""
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    runs = "".join(
        part if part.startswith("<w:") or part.startswith("<mc:") else run(part) for part in content
    )
    return f"<w:p><w:pPr>{named}{settings}</w:pPr>{runs}</w:p>"


def tc(*content: str, settings: str = "") -> str:
    return f"<w:tc><w:tcPr>{settings}</w:tcPr>{''.join(content)}</w:tc>"


def tr(*cells: str, settings: str = "") -> str:
    made = "".join(cell if cell.startswith("<w:tc>") else tc(p(cell)) for cell in cells)
    return f"<w:tr><w:trPr>{settings}</w:trPr>{made}</w:tr>"


def tbl(*rows: str, look: str = "") -> str:
    return f"<w:tbl><w:tblPr>{look}</w:tblPr>{''.join(rows)}</w:tbl>"


def box(*content: str) -> str:
    return f"<w:txbxContent>{''.join(content)}</w:txbxContent>"


def field(code: str, *result: str) -> str:
    parts = ("begin", f"<w:r><w:instrText>{code}</w:instrText></w:r>", "separate", *result, "end")
    marks = {"begin", "separate", "end"}
    return "".join(f'<w:r><w:fldChar w:fldCharType="{x}"/></w:r>' if x in marks else x for x in parts)


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def texts(body: str, **parts: str) -> list[str]:
    return [text for _, _, text in found(parse(docx(body, **parts)))]


def headers(body: str) -> list[str]:
    document = parse(docx(body))
    rows = (block for section in document.sections for block in section.blocks if block.kind == "row")
    return ["" if row.header is None else document.text[slice(*row.header)] for row in rows]


@given(
    st.lists(st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=30), min_size=1, max_size=6)
)
def test_words_survive_in_order_at_exact_offsets(words: list[str]) -> None:
    document = parse(docx(p("start") + "".join(p(word, word) for word in words)))
    seen = " ".join(text for _, _, text in found(document))
    expected = " ".join(["start", *(word + word for word in words)])
    # a bullet that was typed becomes the kind of its block
    assert [w for w in seen.split() if w not in "•‣◦▪●"] == [w for w in expected.split() if w not in "•‣◦▪●"]


def test_structure_of_a_document() -> None:
    body = (
        p("The report", style="T")
        + p("Preface.")
        + p("First ", "part", style="berschrift1")
        + p("Text.")
        + p("Finer", style="Custom")
        + p("one", settings='<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>')
        + p("two", style="Bullets")
        + p("no item", style="Bullets", settings='<w:numPr><w:numId w:val="0"/></w:numPr>')
        + p("•\tthree")
        + p("By level", settings='<w:outlineLvl w:val="0"/>')
        + p("Last.", style="Body2")
    )
    document = parse(docx(body))
    assert document.title == "The report"
    assert found(document) == [
        ((), "prose", "Preface."),
        (("First part",), "prose", "Text."),
        (("First part", "Finer"), "item", "one"),
        (("First part", "Finer"), "item", "two"),
        (("First part", "Finer"), "prose", "no item"),
        (("First part", "Finer"), "item", "three"),
        (("By level",), "prose", "Last."),
    ]
    assert document.text.startswith("The report\n\nPreface.\n\nFirst part")


def test_what_python_docx_writes() -> None:
    from docx import Document as write

    made = write()
    made.core_properties.author = "Ada"
    made.add_heading("On engines", 0)
    made.add_heading("Parts", 1)
    made.add_paragraph("The mill computes.")
    made.add_paragraph("The store", style="List Bullet")
    table = made.add_table(rows=2, cols=2)
    for place, text in enumerate(["Part", "Wheels", "Mill", "500"]):
        table.cell(place // 2, place % 2).text = text
    out = io.BytesIO()
    made.save(out)
    document = parse(out.getvalue())
    assert (document.title, document.author, document.date) == ("On engines", "Ada", None)
    assert found(document) == [
        (("Parts",), "prose", "The mill computes."),
        (("Parts",), "item", "The store"),
        (("Parts",), "row", "Part | Wheels"),
        (("Parts",), "row", "Mill | 500"),
    ]


def test_a_clause_in_the_style_of_a_heading_is_text() -> None:
    clause = "The Supplier shall deliver the goods within thirty days of the order, at its own cost and risk."
    assert found(parse(docx(p("Delivery", style="berschrift1") + p(clause, style="Heading2")))) == [
        (("Delivery",), "prose", clause)
    ]


def test_later_titles_are_above_headings() -> None:
    body = (
        p("Book", style="T")
        + p("Word.")
        + p("Volume", style="T")
        + p("Chapter", style="Heading2")
        + p("Text.")
    )
    assert found(parse(docx(body)))[-1] == (("Volume", "Chapter"), "prose", "Text.")


@pytest.mark.parametrize(
    "unseen",
    [
        "<w:del><w:r><w:delText>x</w:delText></w:r></w:del>",
        "<w:moveFrom><w:r><w:t>x</w:t></w:r></w:moveFrom>",
        run("x", "<w:vanish/>"),
        run("x", '<w:rStyle w:val="Secret"/>'),
        "<w:r><w:instrText>x</w:instrText></w:r>",
        field("PAGE", ""),
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
        + field("A", run("x"))
        + '<w:r><w:fldChar w:fldCharType="end"/></w:r>',
        "<w:ruby><w:rt><w:r><w:t>x</w:t></w:r></w:rt></w:ruby>",
        "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent><w:r><w:t>x</w:t></w:r></w:sdtContent></w:sdt>",
        '<w:r><w:commentReference w:id="1"/></w:r>',
        "<w:r><w:softHyphen/></w:r>",
        '<w:r><w:drawing><x:docPr descr="x" name="x"/></w:drawing></w:r>',
        '<w:r><w:sym w:font="Wingdings" w:char="F04A"/></w:r>',
    ],
)
def test_what_word_does_not_show_is_left_out(unseen: str) -> None:
    assert texts(p("be", unseen, "fore")) == ["before"]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("<w:ins><w:r><w:t>x</w:t></w:r></w:ins>", "x"),
        ("<w:moveTo><w:r><w:t>x</w:t></w:r></w:moveTo>", "x"),
        (run("x", '<w:vanish w:val="0"/>'), "x"),
        ('<w:hyperlink r:id="a"><w:r><w:t>x</w:t></w:r></w:hyperlink>', "x"),
        ('<w:fldSimple w:instr="DATE"><w:r><w:t>x</w:t></w:r></w:fldSimple>', "x"),
        (field("REF a", run("x")), "x"),
        ("<w:sdt><w:sdtPr/><w:sdtContent><w:r><w:t>x</w:t></w:r></w:sdtContent></w:sdt>", "x"),
        ("<w:smartTag><w:r><w:t>x</w:t></w:r></w:smartTag>", "x"),
        ("<w:r><w:tab/></w:r>", " "),
        ("<w:r><w:br/></w:r>", "\n"),
        ("<w:r><w:noBreakHyphen/></w:r>", "-"),
        ('<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r>', "α"),
        ('<w:r><w:sym w:font="Wingdings" w:char="F0FC"/></w:r>', "✓"),
        ('<w:r><w:sym w:font="Arial" w:char="2022"/></w:r>', "•"),
    ],
)
def test_what_word_shows_is_kept(shown: str, expected: str) -> None:
    assert texts(p("be", shown, "fore")) == [f"be{expected}fore"]


def test_a_style_can_show_what_the_one_it_is_based_on_hides() -> None:
    styles = """<w:style w:type="paragraph" w:default="1" w:styleId="Base"><w:rPr><w:vanish/></w:rPr>
    </w:style>
    <w:style w:type="paragraph" w:styleId="Shown"><w:basedOn w:val="Base"/>
    <w:rPr><w:vanish w:val="0"/></w:rPr></w:style>"""
    body = p("hidden", run("shown", '<w:vanish w:val="0"/>')) + p(run("too", "<w:b/>"), style="Shown")
    assert texts(body, styles=styles) == ["shown", "too"]


def test_an_open_field_hides_no_later_paragraph() -> None:
    broken = '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>PAGE</w:instrText></w:r>'
    assert texts(p("a", broken) + p("b")) == ["a", "b"]


def test_generated_contents_are_left_out() -> None:
    gallery = '<w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>'
    contents = f"<w:sdt>{gallery}<w:sdtContent>{p('Part 3')}</w:sdtContent></w:sdt>"
    assert texts(p("Contents", style="Plain") + p("Part 3", style="TOC1") + contents + p("Text.")) == [
        "Text."
    ]


def test_notes_follow_the_paragraph_that_refers_to_them() -> None:
    def mark(number: str, kind: str = "footnote", more: str = "") -> str:
        return f'<w:r><w:{kind}Reference {more} w:id="{number}"/><w:t>*</w:t></w:r>'

    note = '<w:footnote w:id="{0}">' + p("<w:r><w:footnoteRef/></w:r>", "note {0}") + "</w:footnote>"
    foot = '<w:footnote w:id="-1" w:type="separator"><w:p/></w:footnote>' + note.format(1) + note.format(2)
    end = f'<w:endnote w:id="1">{p("end")}</w:endnote>'
    body = (
        p("One", mark("1", more='w:customMarkFollows="1"'), " goes on.")
        + tbl(tr("a", tc(p("b", mark("2")))), tr("c", "d"))
        + p(
            "Two",
            '<w:r><w:endnoteReference w:id="1"/></w:r>',
            '<w:r><w:footnoteReference w:id="1"/></w:r>',
            ".",
        )
    )
    expected = ["One goes on.", "note 1", "a | b*", "c | d", "note 2", "Two.", "end"]
    assert texts(body, footnotes=foot, endnotes=end) == expected


def test_text_boxes_are_read_once_and_after_their_paragraph() -> None:
    boxed, inner = box(p("boxed")), box(p("inner"))
    both = f"<mc:Choice>{boxed}</mc:Choice><mc:Fallback>{boxed}</mc:Fallback>"
    nested = f"<w:r><w:pict>{box(p('outer', f'<w:r><w:pict>{inner}</w:pict></w:r>'))}</w:pict></w:r>"
    body = p("Some ", f"<w:r><mc:AlternateContent>{both}</mc:AlternateContent></w:r>", "words.") + p(
        nested, "More."
    )
    assert texts(body) == ["Some words.", "boxed", "More.", "outer", "inner"]


def test_a_fallback_is_read_where_there_is_no_choice() -> None:
    only = "<mc:AlternateContent><mc:Fallback><w:t>x</w:t></mc:Fallback></mc:AlternateContent>"
    assert texts(p(f"<w:r>{only}</w:r>")) == ["x"]


def test_paragraphs_that_are_one_are_joined() -> None:
    cap = p("O", settings='<w:framePr w:dropCap="drop"/>')
    merged = p("A sentence ", settings="<w:rPr><w:del/></w:rPr>")
    assert texts(cap + p("nce upon.") + merged + p("goes on.") + merged) == [
        "Once upon.",
        "A sentence goes on.",
        "A sentence",
    ]


LOOK = '<w:tblLook w:firstRow="1"/>'


@pytest.mark.parametrize(
    ("table", "header"),
    [
        (tbl(tr("Name", "Role", settings="<w:tblHeader/>"), tr("Ada", "Author")), "Name | Role"),
        (tbl(tr("Name", "Role"), tr("Ada", "Author"), look=LOOK), "Name | Role"),
        (tbl(tr("Name", "Role"), tr("Ada", "Author"), look='<w:tblLook w:val="04A0"/>'), "Name | Role"),
        (
            tbl(tr(tc(p(run("Name", "<w:b/>"))), tc(p(run("Role", "<w:b/>")))), tr("Ada", "Author")),
            "Name | Role",
        ),
        (tbl(tr("Name", "Born"), tr("Ada", "1815"), tr("Charles", "1791")), "Name | Born"),
        (tbl(tr("Ada", "1815-12-10"), tr("Charles", "1791-12-26"), look=LOOK), ""),
        (tbl(tr("Name", "Role"), tr("Ada", "Author")), ""),
        (tbl(tr("Name", "Role"), look=LOOK), ""),
    ],
)
def test_the_header_of_a_table(table: str, header: str) -> None:
    assert headers(table)[-1] == header


def test_rows_of_a_table() -> None:
    table = tbl(
        tr(tc(p("Wide"), settings='<w:gridSpan w:val="2"/>'), tc(p("b"), p("c"))),
        tr(tc(p("Tall"), settings='<w:vMerge w:val="restart"/>'), "1", "2"),
        tr(tc(p("unseen"), settings="<w:vMerge/>"), "3", "4"),
        tr("gone", "gone", settings="<w:del/>"),
        f"<w:sdt><w:sdtContent>{tr('5', tc(tbl(tr('in', 'side'))), '6')}</w:sdtContent></w:sdt>",
    )
    assert texts(table) == ["Wide | b c", "Tall | 1 | 2", "3 | 4", "5 | in side | 6"]
    assert {kind for _, kind, _ in found(parse(docx(table)))} == {"row"}


def test_a_title_across_a_table_is_no_header() -> None:
    wide = tc(p("Table 1"), settings='<w:gridSpan w:val="2"/>')
    assert headers(tbl(tr(wide), tr("A", "B"), tr("1", "2"), tr("3", "4"), look=LOOK)) == [
        "",
        "",
        "A | B",
        "A | B",
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (tbl(tr(tc(p("a"), p("b"))), tr("c")), [("prose", "a"), ("prose", "b"), ("prose", "c")]),
        (tbl(tr("side", tc(p("long " * 250)))), [("prose", "side"), ("prose", "long " * 249 + "long")]),
        (tbl(tr(tc(tbl(tr("a", "b"))), "c")), [("row", "a | b"), ("prose", "c")]),
        (tbl(tr(tc(p("Head", style="berschrift1"), p("text")), "c")), [("prose", "text"), ("prose", "c")]),
    ],
)
def test_tables_that_arrange_the_page_are_no_rows(table: str, expected: list[tuple[str, str]]) -> None:
    assert [(kind, text) for _, kind, text in found(parse(docx(table)))] == expected


def test_charts_and_diagrams() -> None:
    points = '<c:pt idx="{}"><c:v>{}</c:v></c:pt>'
    cache = (
        "<c:numRef><c:numCache><c:formatCode>0%</c:formatCode>"
        + points.format(0, 0.25)
        + "</c:numCache></c:numRef>"
    )
    title = "<c:title><c:tx><c:rich><a:p><a:r><a:t>Shares</a:t></a:r></a:p></c:rich></c:tx></c:title>"
    series = f"<c:tx>{points.format(0, 'Part')}</c:tx><c:cat>{points.format(0, 'North')}</c:cat>"
    plot = f"<c:pieChart><c:ser>{series}<c:val>{cache}</c:val></c:ser></c:pieChart>"
    chart = f"<c:chart xmlns:c='urn:c' xmlns:a='urn:a'>{title}<c:plotArea>{plot}</c:plotArea></c:chart>"
    diagram = (
        "<w:ptLst><w:pt><w:t><w:p><w:r><w:t>Boss</w:t></w:r></w:p></w:t></w:pt><w:pt type='pres'/></w:ptLst>"
    )
    body = p("See", '<w:r><x:chart r:id="chart"/><x:relIds r:dm="diagramData"/></w:r>')
    assert texts(body, chart=chart, diagramData=diagram) == ["See", "Shares", "| Part", "North | 25%", "Boss"]


BREAK = "<w:r><w:lastRenderedPageBreak/></w:r>"


def test_pages_where_word_left_all_breaks() -> None:
    body = p("One.") + p(BREAK, "Two ", BREAK, "goes on.") + tbl(tr("a", "b"), tr(tc(p(BREAK, "c")), "d"))
    app = "<Properties><Pages>{}</Pages></Properties>"
    document = parse(docx(body, app=app.format(4)))
    assert [document.text[page.start : page.end].split() for page in document.pages] == [
        ["One."],
        ["Two", "goes", "on."],
        ["a", "|", "b"],
        ["c", "|", "d"],
    ]
    assert parse(docx(body, app=app.format(5))).pages == ()
    assert parse(docx(body)).pages == ()


def core(title: str, creator: str, modified: str) -> str:
    return f"<c><title>{title}</title><creator>{creator}</creator><modified>{modified}</modified></c>"


def test_title_author_and_date_of_the_file() -> None:
    document = parse(docx(p("Text."), core=core("A study", "Ada", "2024-05-01T10:00:00Z")))
    assert (document.title, document.author, document.date) == ("A study", "Ada", "2024-05-01T10:00:00Z")


@pytest.mark.parametrize(
    "title", ["Microsoft Word - a.doc", "untitled", "Document1", "a.docx", "C:\\x", "  "]
)
def test_titles_that_name_none_are_not_taken(title: str) -> None:
    document = parse(docx(p("Real", style="T") + p("Text."), core=core(title, "python-docx", "yesterday")))
    assert (document.title, document.author, document.date) == ("Real", None, None)


def test_strict_documents() -> None:
    body = docx(p("Head", style="berschrift1") + tbl(tr("a", "b"), tr("c", "d")) + p("Text."))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        parts = {name: archive.read(name).decode().replace(W, STRICT) for name in archive.namelist()}
    assert found(parse(packed(parts))) == found(parse(body))


def test_files_without_relations_or_styles() -> None:
    body = f"<w:body>{p('H', style='Heading1')}{p('x')}</w:body>"
    parts = {"word\\Document.xml": f"<w:document {SPACES}>{body}</w:document>"}
    assert found(parse(packed(parts))) == [(("H",), "prose", "x")]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyFileError),
        (b"plain text", CorruptError),
        (docx(""), EmptyFileError),
        (docx(p(" ")), EmptyFileError),
        (docx(p("<w:r><x:blip/></w:r>")), NoTextLayerError),
        (docx('<w:altChunk r:id="a"/>'), UnsupportedError),
        (docx(p("x"))[:-30], CorruptError),
        (packed({"word/document.xml": "<w:document"}), CorruptError),
        (packed({"ppt/presentation.xml": "<p/>"}), CorruptError),
        (docx("<w:sdt>" * 300 + "</w:sdt>" * 300), CorruptError),
        (
            packed(
                {"word/document.xml": '<!DOCTYPE a [<!ENTITY x "y">]><document><body>&x;</body></document>'}
            ),
            CorruptError,
        ),
    ],
)
def test_files_that_cannot_be_read(data: bytes, error: type[ParseError]) -> None:
    with pytest.raises(error):
        parse(data)


def test_damaged_properties_cost_only_themselves() -> None:
    assert parse(docx(p("x"), core="<broken", app="<broken")).text == "x"


def test_deeply_nested_tables_and_boxes() -> None:
    inner = p(
        "x", f"<w:r>{'<w:txbxContent><w:p><w:r>' * 10}<w:t>y</w:t>{'</w:r></w:p></w:txbxContent>' * 10}</w:r>"
    )
    for _ in range(60):
        inner = tbl(tr(tc(inner), "z"))
    assert texts(inner) == ["x", "y", *["z"] * 60]
