"""Tables on paper: the columns that cells stand in, by the layout that was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.catalog import _tables
from index.columns import parted
from index.model import Document, Page
from index.parsers.pdf import parse
from index.printed_tables import OnPaper, PrintedTable, printed_table
from qa import QA
from qa.rows import told_from_paper

from .pdf_writer import shown, write_pdf
from .test_pdf_tables import SALES, YEARS, printed

WORD = st.text(st.sampled_from("abcdefghik"), min_size=1, max_size=8)
FIGURE = st.integers(1, 9999).map(str)


def table_of(document: Document) -> PrintedTable | None:
    """The only table of a document."""
    found = _tables(document)
    assert len({header for header, _, _ in found}) == 1
    return printed_table(on_paper(document, *found[0][0]), [on_paper(document, *body) for _, *body in found])


def on_paper(document: Document, start: int, end: int) -> OnPaper:
    page = next(page for page in document.pages if page.start <= start < page.end)
    return OnPaper(page, (start, end), document.text[start:end])


def read(*pieces: bytes) -> tuple[Document, PrintedTable | None]:
    document = parse(write_pdf([pieces]))
    return document, table_of(document)


def cells(document: Document, table: PrintedTable | None) -> list[list[tuple[str, int | None]]]:
    assert table is not None
    return [[(document.text[start:end], column) for start, end, column in row.cells] for row in table.rows]


def heads(words: Sequence[tuple[float, float, str]]) -> list[bytes]:
    return [shown((left, top, word), font="B") for left, top, word in words]


def test_cells_stand_in_the_columns_that_the_header_names() -> None:
    document, table = read(*printed(YEARS + SALES))
    assert table is not None
    assert table.names == ("", "2022", "2023")
    assert cells(document, table) == [[(cell, column) for column, cell in enumerate(row)] for row in SALES]


def test_a_row_without_a_figure_in_the_middle_keeps_its_columns() -> None:
    document, table = read(*printed([*YEARS, *SALES, ["Interest", "", "77"]]))
    assert cells(document, table)[-1] == [("Interest", 0), ("77", 2)]


def test_a_name_of_several_lines_is_put_together() -> None:
    header = heads([(290, 740, "July 1,"), (290, 729, "2023"), (370, 740, "June 25,"), (370, 729, "2022")])
    _, table = read(*header, *printed(SALES, top=713))
    assert table is not None
    assert table.names == ("", "July 1, 2023", "June 25, 2022")


def test_a_name_over_several_columns_is_that_of_each() -> None:
    rows = [["Goods", "1", "2", "3", "4"], ["Licences", "5", "6", "7", "8"], ["Total", "6", "8", "10", "12"]]
    years = ["", "2022", "2023", "2022", "2023"]
    over = heads([(300, 713, "Three months ended"), (462, 713, "Nine months ended")])
    _, table = read(*over, *printed([years, *rows]))
    assert table is not None
    assert table.names[1:] == (
        "Three months ended 2022",
        "Three months ended 2023",
        "Nine months ended 2022",
        "Nine months ended 2023",
    )


def test_rows_are_labelled_by_the_lines_that_they_are_set_in_under() -> None:
    rows = [
        ["", "2022", "2023"],
        ["All regions", "2,108", "2,476"],
        ["Americas:"],
        ["Net sales", "1,204", "1,388"],
    ]
    rows += [["Europe:"], ["Net sales", "904", "1,088"], ["Licences", "30", "28"]]
    pieces = []
    for number, row in enumerate(rows):
        columns = (86 if row[0] == "Net sales" else 72, 320, 400)
        pieces += printed([row], top=700 - 13 * number, bold=not number, columns=columns)
    document, table = read(*pieces)
    assert table is not None
    told = [(row.label, document.text[slice(*row.cells[0][:2])]) for row in table.rows]
    assert told == [
        ("", "All regions"),
        ("", "Americas:"),
        ("Americas:", "Net sales"),
        ("", "Europe:"),
        ("Europe:", "Net sales"),
        ("", "Licences"),
    ]


def test_a_name_over_some_columns_is_not_that_of_the_others() -> None:
    rows = [["Goods", "1", "2", "15"], ["Licences", "5", "6", "20"], ["Total", "6", "8", "11"]]
    over = heads([(312, 713, "Year ended March")])
    _, table = read(*over, *printed([["", "2022", "2023", "Change"], *rows]))
    assert table is not None
    assert table.names == ("", "Year ended March 2022", "Year ended March 2023", "Change")


def test_names_that_stand_beside_their_columns_are_taken_in_order() -> None:
    names = [(72, "Goods"), (335, "Qty"), (390, "Price"), (425, "Tax total")]
    rows = [["Nails", "50", "70", "100"], ["Screws", "60", "80", "300"], ["Bolts", "40", "90", "400"]]
    figures = [
        shown((left, 700 - 13 * number, cell))
        for number, row in enumerate(rows)
        for left, cell in zip((72, 300, 362, 425), row, strict=True)
    ]
    _, table = read(*heads([(left, 713, name) for left, name in names]), *figures)
    assert table is not None
    assert table.names == ("Goods", "Qty", "Price", "Tax total")


def test_two_columns_of_one_name_are_not_told_apart() -> None:
    columns = (72, 170, 260, 400)
    rows = [
        ["Goods", "171", "Kits", "151"],
        ["Sand", "272", "Tools", "252"],
        ["Salt", "373", "Sieves", "353"],
    ]
    document = parse(write_pdf([printed([["Item", "Price"] * 2, *rows], bold=1, columns=columns)]))
    assert "Item Price Item Price" in document.text
    assert table_of(document) is None


def test_an_unnamed_total_is_under_no_label() -> None:
    rows = [["", "2022", "2023"], *SALES, ["Europe:"], ["Net sales", "904", "1,088"], ["", "2,108", "2,476"]]
    pieces = []
    for number, row in enumerate(rows):
        columns = (86 if row[0] == "Net sales" else 72, 320, 400)
        pieces += printed([row], top=700 - 13 * number, bold=not number, columns=columns)
    document, table = read(*pieces)
    assert table is not None
    total = table.rows[-1]
    assert (total.label, document.text[slice(*total.cells[0][:2])]) == ("", "2,108")
    place = document.text.index("2,108")
    assert told_from_paper(table, (0, 9), document.text[place:], place) is None


def test_rows_of_words_that_lack_cells_may_be_the_rest_of_the_row_above() -> None:
    rows = [["Ship", "Owner", "Port"], ["Osprey", "Mary Hill", "Brest"], ["Heron of", "Paul of", "Ostend"]]
    rows += [["the sea", "Leith"], ["Kite", "Piet", "Delft"], ["Gull", "Jan", "Leer"]]
    document, table = read(*printed(rows, bold=1, columns=(72, 220, 330)))
    assert [row[0][0] for row in cells(document, table)] == ["Osprey", "Kite", "Gull"]


@pytest.mark.parametrize("space", ["\u2003", "\u3000", "\u2009", "\u1680"])
def test_wide_spaces_are_of_no_cell(space: str) -> None:
    line = f"Goods {space}1,204{space}"
    edges = np.arange(len(line), dtype=np.float32) * 6
    [found] = parted([line], [10.0], edges, edges + 6)
    assert [line[cell.start : cell.end] for cell in found] == [cell.text for cell in found]
    assert found[-1].text.endswith("1,204")


def test_a_currency_that_stands_apart_belongs_to_its_amount() -> None:
    pieces = [*printed(YEARS + SALES[:2])]
    pieces += [shown((72, 661, "Total")), shown((270, 661, "$")), shown((290, 661, "1,504"))]
    document, table = read(*pieces, *printed([["", "", "1,673"]], top=661))
    assert cells(document, table)[-1] == [("Total", 0), ("$ 1,504", 1), ("1,673", 2)]


def test_without_a_layout_there_are_no_columns() -> None:
    document = parse(write_pdf([printed(YEARS + SALES)]))
    [(header, first, last)] = _tables(document)
    bare = replace(document, pages=(Page(1, 0, len(document.text)),))
    assert printed_table(on_paper(bare, *header), [on_paper(bare, first, last)]) is None


def test_a_table_over_two_pages_has_the_columns_of_both() -> None:
    more = [["Rents", "77", "81"], ["Fees", "1,020", ""]]
    pages = [printed(YEARS + SALES), printed(more, top=740), [shown((72, 740, "The rest of the report"))]]
    feet = [shown((300, 40, f"Annual report {number}")) for number in (1, 2, 3)]
    document = parse(write_pdf([[*page, foot] for page, foot in zip(pages, feet, strict=True)]))
    table = table_of(document)
    assert table is not None
    assert table.names == ("", "2022", "2023")
    assert cells(document, table) == [
        [(cell, column) for column, cell in enumerate(row) if cell] for row in SALES + more
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(WORD, FIGURE, FIGURE, FIGURE), min_size=3, max_size=9))
def test_every_cell_is_found_where_it_was_put(rows) -> None:
    document, table = read(*printed([["", "First", "Second", "Third"], *rows], bold=1))
    assert cells(document, table) == [[(cell, place) for place, cell in enumerate(row)] for row in rows]


# Asked


@pytest.fixture(scope="module")
def printed_qa(tmp_path_factory):
    folder = tmp_path_factory.mktemp("printed")
    lights = [["Lighthouse", "Keeper", "Since"], ["Kereon", "Yves Le Goff", "1992"]]
    lights += [["Ouessant", "Abel Moreau", "1987"], ["La Jument", "Anne Kervella", "2001"]]
    pages = [[shown((72, 740, "Lighthouses of the west")), *printed(lights, bold=1, columns=(72, 220, 330))]]
    more = [["Nividic", "Paul Carn", "1996"], ["Stiff", "Marie Malgorn", "2004"]]
    pages.append(printed(more, top=740, columns=(72, 220, 330)))
    (folder / "lights.pdf").write_bytes(write_pdf(pages))
    with QA.from_folder(folder, folder.with_name("printed-index")) as qa:
        yield qa


@pytest.mark.parametrize(
    ("question", "key", "row", "column", "page"),
    [
        ("Who is the keeper of La Jument?", "Anne Kervella", "La Jument", "Keeper", 1),
        ("Since when has Abel Moreau kept Ouessant?", "1987", "Ouessant", "Since", 1),
        ("Who is the keeper of Kereon?", "Yves Le Goff", "Kereon", "Keeper", 1),
        ("Who is the keeper of Stiff?", "Marie Malgorn", "Stiff", "Keeper", 2),
        ("Since when has Paul Carn kept Nividic?", "1996", "Nividic", "Since", 2),
    ],
)
def test_a_question_about_a_printed_table_is_answered_with_the_cell(
    printed_qa, question, key, row, column, page
) -> None:
    answer = printed_qa.ask(question, min_confidence=0)
    assert answer.key == key
    assert (answer.citations[0].table_row, answer.citations[0].table_column) == (row, column)
    [citation] = answer.citations
    assert printed_qa.text("lights.pdf")[citation.key_start : citation.key_end] == key
    assert citation.page == page
