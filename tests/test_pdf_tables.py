"""PDF: rows of a table know the header above them, where it is plain to see, and nothing else does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.model import Block, Document
from index.parsers.pdf import parse

from .pdf_writer import shown, write_pdf

COLUMNS = (72, 320, 400, 480, 560)
Row = Sequence[str]
SALES = [["Goods", "1,204", "1,388"], ["Licences", "300", "285"], ["Total", "1,504", "1,673"]]
YEARS = [["", "2022", "2023"]]


def printed(
    rows: Sequence[Row], *, top: float = 700, bold: int = 0, columns: Sequence[float] = COLUMNS
) -> list[bytes]:
    """Cells below each other, those of the first rows ``bold``; figures stand to the left of their edge."""
    pieces = []
    for number, row in enumerate(rows):
        for left, cell in zip(columns, row, strict=False):
            start = left - 6.1 * len(cell) if cell[:1].isdigit() and left != columns[0] else left - 6
            font = "B" if number < bold else "F"
            pieces.append(shown((start, top - 13 * number, cell), font=font) if cell else b"")
    return pieces


def read(*pages: Sequence[bytes]) -> Document:
    return parse(write_pdf(pages))


def blocks(document: Document) -> list[Block]:
    return [block for section in document.sections for block in section.blocks]


def rows_of(document: Document) -> list[tuple[str | None, str]]:
    """The rows with their headers, white space folded."""
    text = document.text
    return [
        (" ".join(text[slice(*block.header)].split()) if block.header else None, _folded(text, block))
        for block in blocks(document)
        if block.kind == "row"
    ]


def _folded(text: str, block: Block) -> str:
    return " ".join(text[block.start : block.end].split())


def test_rows_have_the_header_above_them() -> None:
    assert rows_of(read(printed(YEARS + SALES))) == [
        (None, "2022 2023"),
        ("2022 2023", "Goods 1,204 1,388"),
        ("2022 2023", "Licences 300 285"),
        ("2022 2023", "Total 1,504 1,673"),
    ]


def test_the_header_is_a_row_itself_and_begins_before_its_rows() -> None:
    found = blocks(read(printed(YEARS + SALES)))
    header = (found[0].start, found[0].end)
    assert [block.header for block in found] == [None, header, header, header]


def test_a_header_of_several_lines_written_cell_by_cell() -> None:
    header = b"".join(
        shown((left, 740 - 11 * line, word), font="B")
        for left, words in ((290, ("July 1,", "2023")), (370, ("June 25,", "2022")))
        for line, word in enumerate(words)
    )
    found = rows_of(read([header, *printed(SALES, top=716)]))
    assert found[0] == (None, "July 1, 2023 June 25, 2022")
    assert [header for header, _ in found[1:]] == ["July 1, 2023 June 25, 2022"] * 3


def test_a_name_over_several_columns_is_part_of_the_header() -> None:
    over = shown((303, 713, "Year ended March"))
    assert rows_of(read([over, *printed(YEARS + SALES)]))[0] == (None, "Year ended March 2022 2023")


def test_a_caption_is_no_part_of_the_header() -> None:
    above = shown((72, 726, "Table 3. Sales of the company and of all its subsidiaries in both of the years"))
    assert rows_of(read([above, *printed(YEARS + SALES)]))[0] == (None, "2022 2023")


def test_lines_between_header_and_rows_are_rows() -> None:
    found = rows_of(read(printed([*YEARS, ["Revenue:"], *SALES])))
    assert found[1] == ("2022 2023", "Revenue:")
    assert len(found) == 5


def test_a_name_on_two_lines_goes_on_in_its_row() -> None:
    found = rows_of(read(printed([*YEARS, *SALES, ["Deferred revenue,"], ["net of tax", "18", "19"]])))
    assert found[-1] == ("2022 2023", "Deferred revenue, net of tax 18 19")


def test_a_table_of_words_needs_a_bold_header() -> None:
    words = [
        ["Code", "Meaning", "Used"],
        ["MC", "Choice", "often"],
        ["TF", "True", "never"],
        ["ES", "Essay", "x"],
    ]
    assert [header for header, _ in rows_of(read(printed(words, bold=1)))] == [None] + [
        "Code Meaning Used"
    ] * 3
    assert rows_of(read(printed(words))) == []


def test_the_next_header_ends_a_table() -> None:
    found = rows_of(read(printed([*YEARS, *SALES, ["", "2012", "2013"], *SALES])))
    assert [header for header, _ in found] == [None, *["2022 2023"] * 3, None, *["2012 2013"] * 3]


def test_words_among_figures_are_no_header() -> None:
    rows = [["Austria", "88", "6"], ["Chile", "none", "none"], ["Peru", "30", "12"], ["Spain", "2", "68"]]
    assert rows_of(read(printed([*rows, ["Cuba", "7", "9"]]))) == []


def test_a_number_that_looks_like_a_year_is_no_header() -> None:
    rows = [
        ["Share", "Size"],
        ["95%", "1151"],
        ["97%", "1411"],
        ["99%", "1986"],
        ["Most", "4519"],
        ["All", "5000"],
    ]
    assert {header for header, _ in rows_of(read(printed(rows)))} == {None, "Share Size"}


def test_a_header_that_every_page_repeats() -> None:
    header = [["Name", "Code", "Count", "Price"]]
    words = [
        f"{first}{second}"
        for first in "Bo Da Fu Ge Li Mu".split()
        for second in "ba ces dim fol gus hen".split()
    ]
    pages = [printed(header + [[word, word[::-1], "300", "41.10"] for word in words[n::4]]) for n in range(4)]
    found = rows_of(read(*pages))
    assert len(found) == 40
    assert {header for header, _ in found} == {None, "Name Code Count Price"}


def test_a_table_reads_as_it_did_without_a_header() -> None:
    document = read(printed(YEARS + SALES))
    assert [" ".join(line.split()) for line in document.text.splitlines()] == [
        "2022 2023",
        *(" ".join(row) for row in SALES),
    ]


PROSE = "the committee met in spring and decided on all of it"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([["Location:", "Houston"], ["Aircraft:", "Cessna"], ["Damage:", "None"]], id="form"),
        pytest.param(
            [
                ["Crew injuries:", "1 None"],
                ["Passenger injuries:", "2"],
                ["Ground injuries:", "3"],
                ["All:", "6"],
            ],
            id="form with figures",
        ),
        pytest.param(
            [["Contents", "Page"], ["Summary", "1"], ["Methods", "4"], ["Results", "17"]],
            id="table of contents",
        ),
        pytest.param(
            [["5.3", "Criteria"], ["1.", "Age"], ["2.", "Weight"], ["3.", "Consent"]], id="numbered list"
        ),
        pytest.param(
            [["Acme Ltd", "Tel 555"], ["1 Long Street", "Fax 556"], ["Leeds", "acme"]], id="letter head"
        ),
        pytest.param([["Left", "Right"], *[[PROSE[:40], PROSE]] * 5], id="columns of prose"),
        pytest.param([*YEARS, *SALES[:1]], id="one row"),
        pytest.param(SALES, id="no header"),
    ],
)
def test_what_is_no_table_has_no_header(lines: list[Row]) -> None:
    document = read(printed(lines, bold=1, columns=(72, 400, 480)))
    assert [block for block in blocks(document) if block.header] == []


# Over pages

MORE = [["Rents", "77", "81"], ["Fees", "1,020", "1,100"]]


def foot(number: int) -> bytes:
    return shown((300, 40, f"Annual report {number}"))


def test_rows_go_on_under_the_header_of_the_page_before() -> None:
    first = [*printed(YEARS + SALES), foot(1)]
    found = rows_of(read(first, [*printed(MORE, top=740), foot(2)], [*printed(SALES, top=740), foot(3)]))
    assert found[4:] == [("2022 2023", " ".join(row)) for row in MORE + SALES]


def test_a_line_without_figures_may_be_the_first_to_go_on() -> None:
    found = rows_of(read(printed(YEARS + SALES), printed([["Europe:"], *MORE], top=740)))
    assert found[4:] == [("2022 2023", " ".join(row)) for row in [["Europe:"], *MORE]]


def test_rows_of_words_go_on_too() -> None:
    lights = [["Light", "Keeper", "Port"], ["Kereon", "Yves", "Brest"], ["Ouessant", "Abel", "Lampaul"]]
    more = [["Stiff", "Anne", "Brest"], ["Nividic", "Paul", "Lampaul"]]
    columns = (72, 220, 330)
    lights.append(["La Jument", "Anne", "Ostend"])
    found = rows_of(read(printed(lights, bold=1, columns=columns), printed(more, top=740, columns=columns)))
    assert found[4:] == [("Light Keeper Port", " ".join(row)) for row in more]


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([shown((72, 740, "Notes to the accounts")), *printed(MORE, top=727)], id="a line above"),
        pytest.param(printed(MORE, top=740, columns=(72, 350, 430)), id="columns elsewhere"),
        pytest.param(printed([[*row, "5"] for row in MORE], top=740), id="one column more"),
        pytest.param(printed([[row[0], row[1]] for row in MORE], top=740), id="one column less"),
        pytest.param(printed(MORE[:1], top=740), id="one row"),
        pytest.param(printed([["Name", "Left", "Right"], *MORE], top=740), id="a header that is not bold"),
    ],
)
def test_what_stands_otherwise_does_not_go_on(after: Sequence[bytes]) -> None:
    found = rows_of(read(printed(YEARS + SALES), after))
    assert "2022 2023" not in [header for header, _ in found[4:]]


def test_a_table_with_text_below_it_has_ended() -> None:
    first = [*printed(YEARS + SALES), shown((72, 600, PROSE))]
    assert len(rows_of(read(first, printed(MORE, top=740)))) == 4


def test_a_page_with_a_header_of_its_own_keeps_it() -> None:
    found = rows_of(read(printed(YEARS + SALES), printed([["", "2020", "2021"], *SALES], top=740)))
    assert found[4:] == [(None, "2020 2021"), *(("2020 2021", " ".join(row)) for row in SALES)]


NAME = st.text("abcdefgh", min_size=3, max_size=7).map(str.capitalize)
AMOUNT = st.integers(100, 99_999).filter(lambda amount: not 1900 <= amount < 2100).map(lambda n: f"{n:,}")


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_word_is_lost_and_blocks_stay_in_order(data: st.DataObject) -> None:
    width = data.draw(st.integers(3, 5))
    names = data.draw(st.lists(NAME, min_size=width, max_size=width))
    row = st.tuples(NAME, *[AMOUNT] * (width - 1))
    table = data.draw(st.lists(row, min_size=3, max_size=8))
    document = read(printed([names, *table]))
    found = rows_of(document)
    assert [text for _, text in found] == [" ".join(cells) for cells in (names, *table)]
    assert [header for header, _ in found] == [None] + [" ".join(names)] * len(table)
    assert all(before.end <= block.start for before, block in pairwise(blocks(document)))
