"""Spreadsheets: sheets, tables and their headers, values as they are shown."""

from __future__ import annotations

import io
import struct
import time
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError, EncryptedError, ParseError, UnsupportedError
from index.model import Document
from index.parsers.header_rows import header_place
from index.parsers.office.ole import summary
from index.parsers.sheets.binary import _xls_areas
from index.parsers.sheets.cell_text import format_of, number_text, shown
from index.parsers.sheets.workbook import parse

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
ODF = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in (("o", "office"), ("style", "style"), ("t", "table"), ("x", "text"))
)
Cells = Sequence[Sequence[str | float | bool | None]]


def zipped(parts: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def relations(targets: Sequence[tuple[str, str]]) -> str:
    links = "".join(
        f'<Relationship Id="r{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets)
    )
    return f'<Relationships xmlns="{PACKAGE}">{links}</Relationships>'


def cell(value: str | float | bool | None) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f"<c><v>{value!r}</v></c>"


def rows_of(cells: Cells) -> str:
    return "".join(f"<row>{''.join(map(cell, row))}</row>" for row in cells)


def xlsx(
    sheets: Mapping[str, str],
    *,
    hidden: Sequence[str] = (),
    strings: str = "",
    styles: str = "",
    properties: str = "",
    book: str = "",
) -> bytes:
    """A workbook of sheets by their name, each the XML of its rows."""
    named = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number + 1}" r:id="r{number}"'
        + (' state="hidden"' if name in hidden else "")
        + "/>"
        for number, name in enumerate(sheets)
    )
    targets = [("worksheet", f"worksheets/s{number}.xml") for number in range(len(sheets))]
    parts = {
        "_rels/.rels": relations([("officeDocument", "xl/workbook.xml")])
        if not properties
        else relations([("officeDocument", "xl/workbook.xml"), ("metadata/core-properties", "core.xml")]),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{book}'
        f"<sheets>{named}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": relations(
            [*targets, ("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml")]
        ),
    }
    for (_, target), rows in zip(targets, sheets.values(), strict=True):
        parts[f"xl/{target}"] = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    if strings:
        parts["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}">{strings}</sst>'
    if styles:
        parts["xl/styles.xml"] = f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>'
    if properties:
        parts["core.xml"] = properties
    return zipped(parts)


def ods(body: str, styles: str = "") -> bytes:
    """A spreadsheet; ``t:c`` stands for a cell."""
    body = (
        body.replace("t:c>", "t:table-cell>")
        .replace("<t:c ", "<t:table-cell ")
        .replace("t:c/>", "t:table-cell/>")
    )
    return zipped(
        {
            "content.xml": f"<o:document-content {ODF}><o:automatic-styles>{styles}</o:automatic-styles>"
            f"<o:body><o:spreadsheet>{body}</o:spreadsheet></o:body></o:document-content>"
        }
    )


def found(document: Document) -> list[tuple[str, str, str | None]]:
    text = document.text
    return [
        (block.kind, text[block.start : block.end], text[slice(*block.header)] if block.header else None)
        for section in document.sections
        for block in section.blocks
    ]


def lines(data: bytes) -> list[str]:
    return [text for _, text, _ in found(parse(data))]


def test_a_sheet_is_a_page_and_a_section_under_its_name() -> None:
    rows = rows_of([["Team", "City", "Wins"], ["Blues", "STL", 1], ["Flyers", "PHI", 2.5]])
    document = parse(xlsx({"Cups": rows, "Empty": "", "Notes & more": rows_of([["One note."]])}))
    assert [section.heading for section in document.sections] == [("Cups",), ("Notes & more",)]
    assert found(document) == [
        ("row", "Team | City | Wins", None),
        ("row", "Blues | STL | 1", "Team | City | Wins"),
        ("row", "Flyers | PHI | 2.5", "Team | City | Wins"),
        ("prose", "One note.", None),
    ]
    assert [(page.number, page.label) for page in document.pages] == [
        (1, "Cups"),
        (2, "Empty"),
        (3, "Notes & more"),
    ]
    first, empty, last = document.pages
    assert document.text[first.start : first.end].startswith("Cups")
    assert empty.start == empty.end
    assert document.text[last.start : last.end] == "Notes & more\n\nOne note."


def test_tables_stand_between_empty_rows() -> None:
    rows = rows_of(
        [
            ["Results of the year"],
            ["Name", "Points", "Place"],
            ["Ann", 3, 1],
            [],
            ["Key", "Meaning", "Page"],
            ["x", "unknown", 4],
        ]
    )
    assert found(parse(xlsx({"S": rows}))) == [
        ("prose", "Results of the year", None),
        ("row", "Name | Points | Place", None),
        ("row", "Ann | 3 | 1", "Name | Points | Place"),
        ("row", "Key | Meaning | Page", None),
        ("row", "x | unknown | 4", "Key | Meaning | Page"),
    ]


def test_a_header_may_stand_apart_from_its_table() -> None:
    rows = rows_of([["Number", "Square"], [], [1, 1], [2, 4]])
    assert found(parse(xlsx({"S": rows})))[1:] == [
        ("row", "1 | 1", "Number | Square"),
        ("row", "2 | 4", "Number | Square"),
    ]


def test_columns_that_are_empty_are_left_out() -> None:
    rows = rows_of([[None, "Topic", None, "Page", None], [None, "Cash", None, 5, None]])
    assert lines(xlsx({"S": rows})) == ["Topic | Page", "Cash | 5"]


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ([["Name", "John"], ["City", "Paris"], ["Phone", "12"]], None),
        ([["Team", "Wins"], ["Blues", "1"], ["Reds", "2"]], 0),
        ([["a", "b", "c"], ["x", "y", "z"]], 0),
        ([["a", "b", "c"], ["x", "b", "z"]], None),
        ([["1", "2"], ["3", "4"]], None),
        ([["Title", ""], ["Team", "Wins"], ["Blues", "1"]], 1),
        ([["", "2021", "2022"], ["Sales", "12.5", "13"], ["Costs", "3", "4"]], 0),
        ([["Sales", "2021", "2022"], ["Costs", "2020", "2019"]], None),
        ([["Team", "Wins"]], None),
        ([["Team", "It was a good year for all of us."], ["Blues", "1"]], None),
        ([["MC", "one", "4", "right"], ["MA", "two", "is", "wrong"], ["x", "", "", ""]], None),
    ],
)
def test_headers_are_found_only_where_the_table_shows_them(rows: list[list[str]], place: int | None) -> None:
    assert header_place(rows, named=False) == place


def test_values_of_every_kind() -> None:
    row = (
        '<row r="3"><c r="B3" t="s"><v>0</v></c><c r="C3" t="b"><v>1</v></c><c r="D3" t="e"><v>#N/A</v></c>'
        '<c r="E3" t="str"><f>A1</f><v>made_x0041_</v></c><c r="F3"><v>0.30000000000000004</v></c>'
        '<c r="G3" s="1"><v>44197</v></c><c r="H3" s="2"><v>0.125</v></c><c r="I3" s="1"><v>44197.75</v></c>'
        '<c r="J3" t="d"><v>2021-05-06T00:00:00</v></c><c r="K3" s="3"><v>1.5</v></c></row>'
    )
    strings = "<si><r><t>two </t></r><r><t>runs</t></r><rPh><t>aid</t></rPh></si>"
    styles = (
        '<numFmts><numFmt numFmtId="164" formatCode="0.0%"/></numFmts>'
        '<cellStyleXfs><xf numFmtId="9"/></cellStyleXfs>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="46"/></cellXfs>'
    )
    assert lines(xlsx({"S": row}, strings=strings, styles=styles)) == [
        "two runs | TRUE | #N/A | madeA | 0.3 | 2021-01-01 | 12.5% | 2021-01-01 18:00 | 2021-05-06 | 36:00:00"
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (-0.5, "-0.5"),
        (1e-7, "0.0000001"),
        (1e20, "100000000000000000000"),
        (1e30, "1E+30"),
        (123456789.123456789, "123456789.123457"),
        (0.1 + 0.2, "0.3"),
        (12, "12"),
    ],
)
def test_numbers_have_no_noise(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("dd/mm/yyyy", 60, "1900-02-28"),
        ("dd/mm/yyyy", 61, "1900-03-01"),
        ("d mmm", 1, "1900-01-01"),
        ("[$-409]h:mm AM/PM", 0.5, "12:00"),
        ("hh:mm:ss", 0.5 + 1 / 86_400, "12:00:01"),
        ("mmm", 44197, "2021-01-01"),
        ("General", 44197, "44197"),
        ('0.00 "days"', 1.5, "1.5"),
        ("[Red]0;-0", 5, "5"),
        ("0%", 0.125, "13%"),
        ("0.00%", 1, "100.00%"),
        ("yyyy-mm-dd", -3, "-3"),
        ("yyyy-mm-dd", 1e9, "1000000000"),
        ("0%", 1e300, "1E+300"),
    ],
)
def test_numbers_in_their_format(code: str, value: float, text: str) -> None:
    assert shown(value, format_of(code), from_1904=False) == text


@given(st.floats() | st.integers(-(10**18), 10**18).map(float), st.text('dmyhs0#.%[]";,\\', max_size=8))
def test_every_number_has_a_text(value: float, code: str) -> None:
    assert shown(value, format_of(code), from_1904=True)


def test_dates_that_count_from_1904() -> None:
    styles = '<cellXfs><xf numFmtId="14"/></cellXfs>'
    data = xlsx({"S": '<row><c s="0"><v>0</v></c></row>'}, styles=styles, book='<workbookPr date1904="1"/>')
    assert lines(data) == ["1904-01-01"]


def test_hidden_sheets_are_left_out_and_named_in_the_notice() -> None:
    document = parse(xlsx({"A": rows_of([["seen"]]), "B": rows_of([["unseen"]])}, hidden=["B"]))
    assert document.text == "A\n\nseen"
    assert document.notice == "1 hidden sheet left out"
    assert len(document.pages) == 1


def test_properties_of_the_workbook() -> None:
    properties = (
        '<p xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:t="http://purl.org/dc/terms/"><dc:title>Cups</dc:title>'
        "<dc:creator>Ann</dc:creator><t:created>2020-01-02T03:04:05Z</t:created></p>"
    )
    document = parse(xlsx({"S": rows_of([["x"]])}, properties=properties))
    assert (document.title, document.author, document.date) == ("Cups", "Ann", "2020-01-02T03:04:05Z")


def test_long_cells_of_one_column_are_text() -> None:
    text = "A long note that says more than a cell of a table would ever say about anything at all."
    assert found(parse(xlsx({"S": rows_of([[text], ["short"]])}))) == [
        ("prose", text, None),
        ("prose", "short", None),
    ]


def test_a_cell_in_the_last_corner_costs_nothing() -> None:
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    assert lines(xlsx({"S": rows})) == ["1", "2"]


def test_scattered_cells_take_no_room() -> None:
    columns = [f"{first}{second}" for first in "ABCDEFGHIJKLM" for second in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    rows = "".join(
        f'<row r="{number}"><c r="{column}{number}"><v>1</v></c><c r="ZZ{number}"><v>2</v></c></row>'
        for number, column in enumerate(columns, 1)
    )
    assert set(lines(xlsx({"S": rows}))) == {"1 | 2"}


@given(st.lists(st.lists(st.text("aé1 .\n", max_size=6), max_size=4), max_size=8))
def test_no_word_is_lost(cells: list[list[str]]) -> None:
    data = xlsx({"S": rows_of(cells)})
    words = [word for row in cells for value in row for word in value.split()]
    if not words:
        with pytest.raises(EmptyFileError):
            parse(data)
        return
    document = parse(data)
    kept = " ".join(text for _, text, _ in found(document)).replace("|", " ").split()
    assert kept == words


def test_the_cells_of_an_ods_file_are_as_they_were_shown() -> None:
    first = [
        '<t:c o:value-type="string" t:number-columns-spanned="2"><x:p>a<x:s x:c="2"/>b</x:p>'
        "<o:annotation><x:p>comment</x:p></o:annotation></t:c>",
        "<t:covered-table-cell><x:p>unseen</x:p></t:covered-table-cell>",
        '<t:c o:value-type="percentage" o:value="0.125"><x:p>12.5%</x:p></t:c>',
        '<t:c o:value-type="date" o:date-value="2021-02-03"><x:p>3 Feb</x:p></t:c>',
        '<t:c o:value-type="boolean" o:boolean-value="true"><x:p>WAHR</x:p></t:c>',
        '<t:c t:number-columns-repeated="2"><x:p>same</x:p></t:c><t:c t:number-columns-repeated="16000"/>',
    ]
    body = (
        f'<t:table t:name="One"><t:table-row>{"".join(first)}</t:table-row>'
        '<t:table-row t:number-rows-repeated="1048000"><t:c/></t:table-row>'
        '<t:table-row t:number-rows-repeated="2"><t:c><x:p>end</x:p></t:c></t:table-row></t:table>'
        '<t:table t:name="Two" t:style-name="h"><t:table-row><t:c><x:p>hidden</x:p></t:c></t:table-row>'
        "</t:table>"
        '<t:table t:name="Three"><t:table-row><t:c><x:p>last</x:p></t:c></t:table-row></t:table>'
    )
    styles = '<style:style style:name="h"><style:table-properties t:display="false"/></style:style>'
    document = parse(ods(body, styles))
    assert [text for _, text, _ in found(document)] == [
        "a b | 12.5% | 2021-02-03 | TRUE | same | same",
        "end",
        "end",
        "last",
    ]
    assert [page.label for page in document.pages] == ["One", "Three"]
    assert document.notice == "1 hidden sheet left out"


def test_repeated_cells_are_bounded_and_the_notice_says_so() -> None:
    content = "x" * 9_000
    body = (
        '<t:table t:name="S"><t:table-row t:number-rows-repeated="1000000">'
        f'<t:c t:number-columns-repeated="9999999"><x:p>{content}</x:p></t:c></t:table-row></t:table>'
    )
    document = parse(ods(body))
    assert document.notice == "too large: only the first 4,444 cells were read"
    assert len(found(document)) == 1


def test_an_encrypted_ods_file_says_what_to_do() -> None:
    manifest = '<m xmlns:n="x"><n:file-entry><n:encryption-data/></n:file-entry></m>'
    with pytest.raises(EncryptedError, match="without"):
        parse(zipped({"content.xml": "noise", "META-INF/manifest.xml": manifest}))


def test_the_room_that_an_xls_file_asks_for() -> None:
    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    def number(row: int, column: int) -> bytes:
        return record(0x0203, struct.pack("<HHHd", row, column, 0, 1.0))

    sheet = record(0x0809, b"") + number(2, 1) + record(0x0809, b"") + record(0x000A, b"") + number(5, 10)
    listed = record(0x0085, struct.pack("<IHH", 24, 0, 0))
    stream = record(0x0809, b"") + listed + record(0x000A, b"") + b"\0\0\0\0"
    assert len(stream) == 24
    assert list(_xls_areas(stream + sheet + record(0x000A, b""))) == [40]
    beyond = record(0x0200, struct.pack("<IIHHH", 0, 1 << 30, 0, 256, 0))
    too_many = record(0x00FC, struct.pack("<II", 1, 1 << 30))
    for damaged in (stream + beyond, too_many + stream):
        with pytest.raises(CorruptError):
            list(_xls_areas(damaged))


class Container:
    """An OLE container of one stream."""

    def __init__(self, stream: bytes) -> None:
        self._stream = stream

    def exists(self, name: str) -> bool:
        return True

    def openstream(self, name: str) -> io.BytesIO:
        return io.BytesIO(self._stream)


def stated(count: int, codepage: int = 1252) -> bytes:
    """Properties of an .xls file that state their own ``count``."""
    values = [
        (1, struct.pack("<II", 2, codepage)),
        (2, struct.pack("<II", 0x1E, 6) + "Café\0\0".encode("cp1252")),
        (13, struct.pack("<IQ", 0x40, 132223104000000000)),
    ]
    place, entries, bodies = 8 + 8 * len(values), b"", b""
    for number, body in values:
        entries += struct.pack("<II", number, place + len(bodies))
        bodies += body
    return bytes(44) + struct.pack("<III", 48, 0, count) + entries + bodies


def test_properties_of_an_xls_file() -> None:
    properties = summary(Container(stated(3)))
    assert (properties.title, properties.author, properties.date) == ("Café", None, "2020-01-01T00:00:00Z")
    assert summary(Container(stated(3, codepage=9))).title is None


@pytest.mark.parametrize("stream", [stated(0xFFFFFFFF), stated(3)[:60], b"", b"\xff" * 200])
def test_properties_that_are_damaged_are_none(stream: bytes) -> None:
    assert summary(Container(stream)).author is None


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 cut off",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 cut off",
        zipped({"a.txt": "x"}),
        xlsx({"S": "<row>"}),
        xlsx({"S": "<a>" * 300}),
        xlsx({"S": '<row><c t="s"><v>7</v></c></row>'}),
        xlsx({"S": rows_of([["whole"]])})[:-40],
        zipped({"xl/workbook.bin": "x"}),
    ],
)
def test_broken_files_are_refused(data: bytes) -> None:
    with pytest.raises(CorruptError):
        parse(data)


def test_one_part_can_be_no_end_of_sheets() -> None:
    sheets = '<sheet name="s" r:id="r0"/>' * 100
    with pytest.raises(CorruptError, match="again and again"):
        parse(xlsx({"S": " " * 100_000}, book=f"<sheets>{sheets}</sheets>"))


def test_other_files_are_refused() -> None:
    with pytest.raises(UnsupportedError):
        parse(b"<table><tr><td>1</table>")


def test_a_workbook_of_nothing_is_empty() -> None:
    with pytest.raises(EmptyFileError):
        parse(xlsx({"S": rows_of([[None, " "]])}))


@given(st.integers(0, 2_000), st.binary(min_size=1, max_size=4))
def test_damage_never_raises_anything_else(place: int, noise: bytes) -> None:
    data = xlsx({"S": rows_of([["Team", "Wins"], ["Blues", 1]])}, strings="<si><t>x</t></si>")
    place %= len(data)
    with suppress(ParseError):
        parse(data[:place] + noise + data[place + len(noise) :])


def test_many_rows_take_linear_time() -> None:
    started = time.monotonic()
    assert len(lines(xlsx({"S": rows_of([["x", 1]] * 3_000)}))) == 3_000
    assert time.monotonic() - started < 10
