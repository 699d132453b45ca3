"""PowerPoint presentations: slides as pages, titles as headings, shapes in reading order."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from index.errors import CorruptError, EmptyFileError, NoTextLayerError, ParseError
from index.model import Document
from index.parsers.office.pptx import parse

SPACES = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:d="urn:d"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)
STRICT = {
    f"http://schemas.openxmlformats.org/{name}/2006/main": f"http://purl.oclc.org/ooxml/{name}/main"
    for name in ("presentationml", "drawingml")
}
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


def saved(build: Callable[[Any], None]) -> bytes:
    """A presentation as python-pptx writes it."""
    deck = Presentation()
    build(deck)
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def related(links: dict[str, str]) -> str:
    made = (
        f'<Relationship Id="{name}" Type="urn:x/{name.rstrip("0123456789")}" Target="{target}"/>'
        for name, target in links.items()
    )
    return f'<Relationships xmlns="{RELATIONS}">{"".join(made)}</Relationships>'


def pptx(*slides: str, **parts: str) -> bytes:
    """A presentation of trees of shapes; the parts are related to every slide."""
    ids = "".join(f'<p:sldId id="{256 + n}" r:id="slide{n}"/>' for n in range(len(slides)))
    files = {
        "ppt/presentation.xml": f"<p:presentation {SPACES}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": related({f"slide{n}": f"s{n}.xml" for n in range(len(slides))}),
    }
    for number, tree in enumerate(slides):
        files[f"ppt/s{number}.xml"] = wrapped("sld", tree)
        files[f"ppt/_rels/s{number}.xml.rels"] = related({kind: f"{kind}.xml" for kind in parts})
    for kind, content in parts.items():
        files[f"ppt/{kind}.xml"] = content
    return packed(files)


def packed(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def wrapped(root: str, tree: str, more: str = "") -> str:
    return f"<p:{root} {SPACES}><p:cSld><p:spTree>{tree}</p:spTree></p:cSld>{more}</p:{root}>"


def para(text: str, properties: str = "", level: int = 0) -> str:
    return f'<a:p><a:pPr lvl="{level}">{properties}</a:pPr><a:r><a:t>{text}</a:t></a:r></a:p>'


def sp(*paragraphs: str, at: tuple[int, int, int, int] | None = None, kind: str = "", style: str = "") -> str:
    """A shape at (left, top, width, height), or a kind of placeholder; bare text becomes a paragraph."""
    mark = f"<p:ph type='{kind}'/>" if kind else ""
    place = ""
    if at:
        place = f'<a:xfrm><a:off x="{at[0]}" y="{at[1]}"/><a:ext cx="{at[2]}" cy="{at[3]}"/></a:xfrm>'
    body = "".join(text if text.startswith("<") else para(text) for text in paragraphs)
    return (
        f"<p:sp><p:nvSpPr><p:nvPr>{mark}</p:nvPr></p:nvSpPr><p:spPr>{place}</p:spPr>"
        f"<p:txBody><a:lstStyle>{style}</a:lstStyle>{body}</p:txBody></p:sp>"
    )


def found(document: Document) -> list[tuple[int, tuple[str, ...], str, str]]:
    return [
        (
            next(page.number for page in document.pages if page.start <= block.start < page.end),
            section.heading,
            block.kind,
            document.text[block.start : block.end],
        )
        for section in document.sections
        for block in section.blocks
    ]


def texts(*slides: str, **parts: str) -> list[str]:
    return [text for *_, text in found(parse(pptx(*slides, **parts)))]


def kinds(*slides: str, **parts: str) -> list[str]:
    return [kind for *_, kind, _ in found(parse(pptx(*slides, **parts)))]


@settings(max_examples=30)
@given(
    st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20), min_size=1, max_size=6)
)
def test_words_survive_on_their_slides_at_exact_offsets(words: list[str]) -> None:
    document = parse(pptx(*(sp("Title", kind="title") + sp(word, word) for word in words)))
    assert [(page, text) for page, _, _, text in found(document)] == [
        (number, word) for number, word in enumerate(words, 1) for _ in range(2)
    ]
    assert {heading for _, heading, _, _ in found(document)} == {("Title",)}


def test_what_python_pptx_writes() -> None:
    def build(deck: Any) -> None:
        deck.core_properties.title = "PowerPoint Presentation"
        deck.core_properties.author = "Ada"
        first = deck.slides.add_slide(deck.slide_layouts[0])
        first.shapes.title.text = "Engines"
        first.placeholders[1].text = "A talk"
        second = deck.slides.add_slide(deck.slide_layouts[1])
        second.shapes.title.text = "Parts"
        second.placeholders[1].text_frame.text = "The mill"
        second.placeholders[1].text_frame.add_paragraph().text = "The store"
        second.notes_slide.notes_text_frame.text = "Say more here."
        third = deck.slides.add_slide(deck.slide_layouts[5])
        third.shapes.title.text = "Figures"
        table = third.shapes.add_table(2, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
        for place, text in enumerate(["Part", "Wheels", "Mill", "500"]):
            table.cell(place // 2, place % 2).text = text
        data = CategoryChartData(number_format="0.0")
        data.categories = ["East", "West"]
        data.add_series("Sold", (19.2, 21.4))
        place = (Inches(1), Inches(4), Inches(4), Inches(2))
        third.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, data)

    document = parse(saved(build))
    assert (document.title, document.author, document.date) == ("Engines", "Ada", None)
    assert found(document) == [
        (1, ("Engines",), "prose", "A talk"),
        (2, ("Parts",), "item", "The mill"),
        (2, ("Parts",), "item", "The store"),
        (2, ("Parts",), "prose", "Say more here."),
        (3, ("Figures",), "row", "Part | Wheels"),
        (3, ("Figures",), "row", "Mill | 500"),
        (3, ("Figures",), "row", "| Sold"),
        (3, ("Figures",), "row", "East | 19.2"),
        (3, ("Figures",), "row", "West | 21.4"),
    ]
    headers = [block.header for section in document.sections[2:] for block in section.blocks]
    assert [header and document.text[slice(*header)] for header in headers] == [
        None,
        "Part | Wheels",
        None,
        "| Sold",
        "| Sold",
    ]


def test_a_slide_without_a_title_is_not_under_that_of_another() -> None:
    named = sp("Named", kind="title") + sp("a")
    only = sp("Alone", kind="ctrTitle")
    assert found(parse(pptx(named, sp("b"), only, sp("c"), named))) == [
        (1, ("Named",), "prose", "a"),
        (2, (), "prose", "b"),
        (3, (), "prose", "Alone"),
        (4, (), "prose", "c"),
        (5, ("Named",), "prose", "a"),
    ]


def test_every_slide_is_a_page() -> None:
    document = parse(pptx(sp("a"), "", sp("c")))
    assert [(page.number, page.label) for page in document.pages] == [(1, None), (2, None), (3, None)]
    assert [document.text[page.start : page.end].strip() for page in document.pages] == ["a", "", "c"]


def test_hidden_slides_are_read() -> None:
    data = pptx(sp("a"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    files["ppt/s0.xml"] = files["ppt/s0.xml"].replace("<p:sld ", '<p:sld show="0" ')
    assert parse(packed(files)).text == "a"


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([("b", (0, 500, 90, 90)), ("a", (0, 0, 90, 90))], "ab"),
        ([("b", (500, 0, 90, 90)), ("a", (0, 5, 90, 90))], "ab"),
        ([("c", (500, 0, 90, 900)), ("b", (0, 500, 90, 90)), ("a", (0, 0, 90, 90))], "abc"),
        (
            [
                ("d", (500, 300, 90, 90)),
                ("c", (0, 305, 90, 90)),
                ("b", (500, 0, 90, 90)),
                ("a", (0, 5, 9, 9)),
            ],
            "abcd",
        ),
        ([("b", (0, 95, 90, 90)), ("a", (0, 0, 90, 100))], "ab"),
        ([("b", (0, 0, 90, 90)), ("a", None)], "ab"),
    ],
)
def test_shapes_are_read_as_a_person_does(shapes: list[tuple[str, Any]], expected: str) -> None:
    assert "".join(texts("".join(sp(text, at=place) for text, place in shapes))) == expected


def test_groups_are_read_together() -> None:
    inside = sp("b", at=(0, 50, 9, 9)) + sp("a", at=(0, 0, 9, 9))
    place = '<a:xfrm><a:off x="0" y="0"/><a:ext cx="90" cy="90"/></a:xfrm>'
    group = f"<p:grpSp><p:nvGrpSpPr><p:nvPr/></p:nvGrpSpPr><p:grpSpPr>{place}</p:grpSpPr>{inside}</p:grpSp>"
    assert texts(sp("c", at=(0, 200, 9, 9)) + group) == ["a", "b", "c"]


def test_placeholders_take_place_and_bullets_from_layout_and_master() -> None:
    bullets = '<a:lvl1pPr><a:buChar char="-"/></a:lvl1pPr>'
    layout = wrapped("sldLayout", sp("", kind="body", at=(0, 0, 9, 9)))
    master = wrapped(
        "sldMaster",
        sp("", kind="body", style="<a:lvl2pPr><a:buNone/></a:lvl2pPr>"),
        f"<p:txStyles><p:bodyStyle>{bullets}{bullets.replace('1', '2')}</p:bodyStyle></p:txStyles>",
    )
    body = sp("one", para("two", level=1), para("x", "<a:buNone/>"), kind="body")
    data = pptx(sp("z", at=(0, 500, 9, 9)) + body, slideLayout=layout, slideMaster=master)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    files["ppt/_rels/slideLayout.xml.rels"] = related({"slideMaster": "slideMaster.xml"})
    assert [(kind, text) for _, _, kind, text in found(parse(packed(files)))] == [
        ("item", "one"),
        ("prose", "two"),
        ("prose", "x"),
        ("prose", "z"),
    ]


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (sp(para("x", '<a:buChar char="•"/>')), "item"),
        (sp(para("x", '<a:buAutoNum type="arabicPeriod"/>')), "item"),
        (sp(para("x", "<a:buNone/>"), style="<a:lvl1pPr><a:buBlip/></a:lvl1pPr>"), "prose"),
        (sp(para("x"), style="<a:lvl1pPr><a:buBlip/></a:lvl1pPr>"), "item"),
        (sp(para("x", level=1), style="<a:lvl1pPr><a:buBlip/></a:lvl1pPr>"), "prose"),
        (sp("x"), "prose"),
    ],
)
def test_bullets_make_items(shape: str, kind: str) -> None:
    assert kinds(shape) == [kind]


def test_furniture_and_generated_fields_are_left_out() -> None:
    kept = "<a:r><a:t>kept</a:t></a:r><a:br/><a:r><a:t>on</a:t></a:r>"
    fields = f'<a:p><a:fld type="slidenum"><a:t>7</a:t></a:fld>{kept}</a:p>'
    shapes = "".join(sp("x", kind=kind) for kind in ("ftr", "dt", "sldNum"))
    assert texts(shapes + sp(fields)) == ["kept\non"]


def test_alternatives_are_read_once() -> None:
    both = f"<mc:Choice>{sp('new')}</mc:Choice><mc:Fallback>{sp('old')}</mc:Fallback>"
    assert texts(f"<mc:AlternateContent>{both}</mc:AlternateContent>") == ["new"]


def table(*rows: str, look: str = "") -> str:
    tbl = f"<a:tbl><a:tblPr {look}/>{''.join(rows)}</a:tbl>"
    return f"<p:graphicFrame><a:graphic><a:graphicData>{tbl}</a:graphicData></a:graphic></p:graphicFrame>"


def tr(*cells: str) -> str:
    made = (
        cell if cell.startswith("<") else f"<a:tc><a:txBody>{para(cell)}</a:txBody></a:tc>" for cell in cells
    )
    return f"<a:tr>{''.join(made)}</a:tr>"


def test_merged_cells_are_read_once() -> None:
    hidden = "<a:tc {}><a:txBody><a:p/></a:txBody></a:tc>"
    wide = tr("Wide", hidden.format('hMerge="1"'), "b")
    assert texts(table(wide, tr("1", hidden.format('vMerge="1"'), "3"))) == ["Wide | b", "1 |  | 3"]


def test_a_table_of_one_column_is_text() -> None:
    assert kinds(table(tr("a"), tr("b"))) == ["prose", "prose"]


@pytest.mark.parametrize(("look", "headed"), [('firstRow="1"', True), ("", False)])
def test_the_header_of_a_table(look: str, headed: bool) -> None:
    document = parse(pptx(table(tr("Name", "Role"), tr("Ada", "Author"), look=look)))
    assert (document.sections[0].blocks[1].header is not None) == headed


def test_diagrams_are_items() -> None:
    marks = {"Boss": "", "x": 'type="pres"', "Staff": ""}
    points = "".join(f"<d:pt {mark}><d:t>{para(text)}</d:t></d:pt>" for text, mark in marks.items())
    data = f"<d:dataModel {SPACES}><d:ptLst>{points}</d:ptLst></d:dataModel>"
    inside = '<a:graphicData><d:relIds r:dm="diagramData"/></a:graphicData>'
    frame = f"<p:graphicFrame><a:graphic>{inside}</a:graphic></p:graphicFrame>"
    assert texts(frame, diagramData=data) == ["Boss", "Staff"]


def test_notes_follow_the_slide() -> None:
    notes = wrapped("notes", sp("7", kind="sldNum") + sp("Say this.", kind="body"))
    assert texts(sp("b", at=(0, 9, 9, 9)), notesSlide=notes) == ["b", "Say this."]


def test_strict_presentations_and_other_kinds_of_file() -> None:
    data = pptx(sp("Head", kind="title") + sp("Text"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    for transitional, strict in STRICT.items():
        files = {name: content.replace(transitional, strict) for name, content in files.items()}
    assert found(parse(packed(files))) == found(parse(data))


def test_missing_slides_are_told() -> None:
    data = pptx(sp("a"), sp("b"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist() if "s1" not in name}
    assert parse(packed(files)).notice == "1 of 2 slides are missing from the file"


def pictured(deck: Any) -> None:
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    slide.shapes.add_picture(io.BytesIO(PNG), 0, 0)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyFileError),
        (b"plain text", CorruptError),
        (pptx(), EmptyFileError),
        (pptx(sp(" ")), EmptyFileError),
        (saved(pictured), NoTextLayerError),
        (pptx(sp("a"))[:-30], CorruptError),
        (pptx("<p:grpSp>" * 300 + "</p:grpSp>" * 300), CorruptError),
        (packed({"word/document.xml": "<document/>"}), CorruptError),
        (packed({"ppt/presentation.xml": "<p"}), CorruptError),
    ],
)
def test_files_that_cannot_be_read(data: bytes, error: type[ParseError]) -> None:
    with pytest.raises(error):
        parse(data)


def test_deeply_nested_groups() -> None:
    depth = 200
    assert texts("<p:grpSp>" * depth + sp("a") + "</p:grpSp>" * depth) == ["a"]
