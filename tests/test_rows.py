"""Rows of tables, told as sentences whose words keep their places."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import IndexedPassage, Passage
from index.printed_tables import PrintedRow, PrintedTable
from qa import QA, rows
from qa.rows import NAME_CHARACTERS, Cell, Tables, cells, told, told_from_paper

from .conftest import write_files

CELL = st.text(st.characters(exclude_characters='\t|;,"\n\r', exclude_categories=["Cs"]), max_size=12)


def shown(header: str, row: str) -> str | None:
    found = told(((0, len(header)), header), row, 0)
    return found.text if found else None


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        (
            "Lighthouse | Keeper | Since",
            "Ouessant | Abel Moreau | 1987",
            "Lighthouse: Ouessant. Ouessant has Keeper Abel Moreau. Ouessant has Since 1987.",
        ),
        ("Boat,Owner", "Osprey,Mary", "Boat: Osprey. Osprey has Owner Mary."),
        ("| Boat | Owner |", "| Osprey | Mary |", "Boat: Osprey. Osprey has Owner Mary."),
        ('Boat;"Owner; now"', '"Osprey";Mary', "Boat: Osprey. Osprey has Owner; now Mary."),
        ("Boat\tOwner\tBuilt", "Osprey\t\t1987", "Boat: Osprey. Osprey has Built 1987."),
        ("Boat;Owner;Built", "Osprey;Mary", "Boat: Osprey. Osprey has Owner Mary."),
        ("Boat,Owner,Built", ",Mary,1987", "Owner: Mary. Mary has Built 1987."),
        ("| Boat | Owner | Built |", "| | Mary | 1987 |", "Owner: Mary. Mary has Built 1987."),
        ("No.|Boat|Built", "7|Osprey|1987", "Osprey has No. 7. Boat: Osprey. Osprey has Built 1987."),
        ("Year|Tons", "1987|40", "Year: 1987. 1987 has Tons 40."),
        ("|Tons", "Osprey|40", "Osprey. Osprey has Tons 40."),
        ("| |Tons|", "|Osprey|40|", "Osprey. Osprey has Tons 40."),
        ("Boat | Owner", "| Osprey | Mary |", "Boat: Osprey. Osprey has Owner Mary."),
        ("| 2022 | 2023", "Sales | 40 | 50", "Sales. Sales has 2022 40. Sales has 2023 50."),
        ("Boat | Owner | Built", "| Mary | 1987", "Owner: Mary. Mary has Built 1987."),
        ("Boat | Owner | Built", "Osprey | Mary |", "Boat: Osprey. Osprey has Owner Mary."),
        (r"Boat|Owner", r"Osprey|Mary \| Paul", r"Boat: Osprey. Osprey has Owner Mary \| Paul."),
        ("Boat|Size, tons", "Osprey|1,200", "Boat: Osprey. Osprey has Size, tons 1,200."),
    ],
)
def test_a_row_is_told(header, row, expected):
    assert shown(header, row) == expected


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Boat Owner", "Osprey Mary"),  # nothing stands between the cells
        ("Boat|Owner", "Osprey"),
        ("| Sales | Costs", "Goods | 1 | 2 |"),  # "Sales" stands over two columns
        ("Boat | Owner | Built", "Mary | 1987"),  # the first cell is empty, or the last
        ("Boat\tOwner\tBuilt", "Osprey\tMary"),
        ("Boat|Owner", "Osprey|Mary|1987"),  # more cells than names: which is whose?
        ("Boat|Owner", "Osprey|"),
        ("Boat|Owner", "|"),
        ("", ""),
    ],
)
def test_a_row_whose_cells_can_not_be_told_is_not(header, row):
    assert shown(header, row) is None


@given(st.lists(CELL, min_size=2, max_size=6), st.sampled_from("\t|;,"), st.integers(0, 10**6))
def test_every_word_of_a_cell_keeps_its_place(values, mark, place):
    header = mark.join(f"name{number}" for number in range(len(values)))
    row = mark.join(values)
    found = told(((0, 5), header), row, place)
    filled = {value.strip() for value in values} - {""}
    if found is None:
        assert len([value for value in values if value.strip()]) < 2 or mark == "|"
        return
    assert filled <= {found.text[part.start : part.end] for part in found.parts}
    for part in found.parts:
        first = part.place - place
        assert row[first : first + part.end - part.start] == found.text[part.start : part.end]


@given(st.lists(st.text(st.characters(exclude_characters='"\r\0', exclude_categories=["Cs"])), min_size=2))
def test_quoted_cells_are_those_that_csv_reads(values):
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="").writerow(values)
    text = line.getvalue()
    assert [text[start:end] for start, end in cells(text, ",")] == values


def test_long_names_are_cut():
    found = told(((0, 9), f"Boat|{'owner ' * 40}"), f"{'Osprey ' * 40}|Mary", 0)
    assert len(found.text) < 40 * 7 + 3 * NAME_CHARACTERS + 20


def test_a_row_that_would_be_too_long_is_not_told():
    header = ",".join(f"column number {number}" for number in range(400))
    row = ",".join(str(number) for number in range(400))
    assert told(((0, 9), header), row, 0) is None
    assert told(((0, 9), header), row[:200].rpartition(",")[0], 0) is not None


# In a document


class Texts:
    """A document with one table."""

    def __init__(self, text: str, header: tuple[int, int], rows: tuple[int, int]) -> None:
        self.text = text
        self.found = [(header, rows)]
        self.asked = 0

    def tables(self, source):
        self.asked += 1
        return self.found if source == "a.csv" else []

    def part(self, source, start, end):
        return self.text[start:end]

    def printed_table(self, source, header, body):
        return None  # it is on no paper


TEXT = "Boats\n\nBoat|Owner\nOsprey|Mary\nHeron|Paul\n\nPaul|sold it."


def passage_of(start: int, end: int, page: int | None = None) -> IndexedPassage:
    found = Passage(start, end, TEXT[start:end], (), page, ((start, end),), "")
    return IndexedPassage(0, ("a.csv",), None, found)


def test_rows_are_looked_up_once_for_a_document():
    texts = Texts(TEXT, (7, 17), (18, 41))
    tables = Tables(texts)
    whole = passage_of(0, len(TEXT))
    osprey, heron, prose = TEXT.index("Osprey"), TEXT.index("Heron"), TEXT.index("Paul|sold")
    assert tables.header(whole, heron) == ((7, 17), "Boat|Owner")
    assert tables.row(whole, osprey, osprey + 11).text == "Boat: Osprey. Osprey has Owner Mary."
    assert tables.row(whole, heron, heron + 10).header == (7, 17)
    assert tables.row(whole, prose, len(TEXT)) is None
    assert tables.header(whole, 8) is None
    assert texts.asked == 1


def test_a_cell_is_called_by_its_row_and_its_column():
    tables = Tables(Texts(TEXT, (7, 17), (18, 41)))
    whole, row = passage_of(0, len(TEXT)), (18, 29)
    name, owner = TEXT.index("Osprey"), TEXT.index("Mary")
    assert tables.cell(whole, row, owner, owner + 4) == Cell(((owner, owner + 4),), "Osprey", "Owner")
    assert tables.cell(whole, row, owner + 1, owner + 3) == tables.cell(whole, row, owner, owner + 4)
    assert tables.cell(whole, row, name, name + 6) == Cell(((name, name + 6),), "", "Boat")
    assert tables.cell(whole, row, *row) is None
    prose = TEXT.index("Paul|sold")
    assert tables.cell(whole, (prose, len(TEXT)), prose, prose + 4) is None


def test_what_stands_between_the_lines_of_a_cell_is_another_cell():
    row = "Licences of the 1,044 1,088\nsouthern group"
    columns = {"Licences of the": 0, "1,044": 1, "1,088": 2, "southern group": 0}
    placed = [(row.index(said), row.index(said) + len(said), column) for said, column in columns.items()]
    table = PrintedTable(("Kind", "2022", "2023"), (PrintedRow("Europe:", tuple(placed)),))
    found = told_from_paper(table, (0, 4), row, 0)
    named = {said: (cell.row, cell.column) for cell in found.cells for said in [row[slice(*cell.spans[0])]]}
    whole = "Europe: Licences of the southern group"
    assert named == {
        "Licences of the": ("Europe:", "Kind"),
        "1,044": (whole, "2022"),
        "1,088": (whole, "2023"),
    }


class Printed(Texts):
    """The same, printed: a row is named in two lines, the second below its figures."""

    def printed_table(self, source, header, body):
        words = (("Licences of the", 0), ("1,044", 1), ("1,088", 2), ("southern group", 0))
        at = [(self.text.index(said), self.text.index(said) + len(said), n) for said, n in words]
        return PrintedTable(("Kind", "2022", "2023"), (PrintedRow("", tuple(at)),))


def test_a_figure_between_the_lines_of_its_name_is_called_by_its_own_column():
    text = "Kind 2022 2023\nLicences of the 1,044 1,088\nsouthern group"
    tables = Tables(Printed(text, (0, 14), (15, len(text))))
    row = Passage(15, len(text), text[15:], (), 1, ((15, len(text)),), "")
    at = text.index("1,088")
    cell = tables.cell(IndexedPassage(0, ("a.csv",), None, row), (15, len(text)), at, at + 5)
    assert cell == Cell(((at, at + 5),), "Licences of the southern group", "2023")


def test_of_a_long_header_the_end_is_left_out(monkeypatch):
    monkeypatch.setattr(rows, "LONGEST_HEADER", 4)
    assert Tables(Texts(TEXT, (7, 17), (18, 41))).header(passage_of(0, 41), 20) == ((7, 17), "Boat")


def test_the_rest_of_a_long_row_is_not_told_under_the_first_columns():
    tables = Tables(Texts(TEXT, (7, 17), (18, 41)))
    start = TEXT.index("prey|Mary")
    for first in (0, start, start - 3):
        assert tables.row(passage_of(first, 41), start, start + 9) is None
    start = TEXT.index("Heron")
    assert tables.row(passage_of(start, 41), start, start + 10) is not None


def test_a_comma_parts_no_cells_on_paper():
    text = "Item, net\nSales, total"
    tables = Tables(Texts(text, (0, 9), (10, 22)))
    row = Passage(10, 22, text[10:], (), None, ((10, 22),), "")
    assert tables.row(IndexedPassage(0, ("a.csv",), None, row), 10, 22) is not None
    printed = Passage(10, 22, text[10:], (), 1, ((10, 22),), "")
    assert tables.row(IndexedPassage(0, ("a.csv",), None, printed), 10, 22) is None


# Asked


@pytest.fixture(scope="module")
def tables_qa(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("tables")
    write_files(
        folder,
        {
            "staff.csv": "Name;Office;Phone\nPavel Horak;C1.03;5530\nLucia Ferrari;B2.02;5501\n",
            "prices.md": "# Prices\n\n| Article | Order number | Price |\n|---|---|---|\n"
            "| Angle grinder | 77-2211 | 94.50 |\n| Bench vise | 78-0042 | 132.00 |\n",
        },
    )
    with QA.from_folder(folder, folder.with_name("tables-index")) as qa:
        yield qa


@pytest.mark.parametrize(
    ("question", "source", "key", "row"),
    [
        ("What is the phone number of Pavel Horak?", "staff.csv", "5530", "Pavel Horak;C1.03;5530"),
        ("Which office is Lucia Ferrari in?", "staff.csv", "B2.02", "Lucia Ferrari;B2.02;5501"),
        ("How much does the bench vise cost?", "prices.md", "132.00", "| Bench vise | 78-0042 | 132.00 |"),
        (
            "What is the order number of the angle grinder?",
            "prices.md",
            "77-2211",
            "| Angle grinder | 77-2211 | 94.50 |",
        ),
    ],
)
def test_a_cell_is_the_answer(tables_qa, question, source, key, row):
    answer = tables_qa.ask(question)
    assert answer.found
    citation = answer.citations[0]
    assert (answer.key, citation.source) == (key, source)
    assert tables_qa.text(source)[citation.key_start : citation.key_end] == key
    assert citation.context.strip("| ") == row.strip("| ")


def test_a_citation_names_the_row_and_the_column(tables_qa):
    cited = tables_qa.ask("What is the phone number of Pavel Horak?").citations[0]
    assert (cited.table_row, cited.table_column) == ("Pavel Horak", "Phone")
    cited = tables_qa.ask("Whose phone number is 5501?", min_confidence=0).citations[0]
    assert (cited.key, cited.table_row, cited.table_column) == ("Lucia Ferrari", None, "Name")


@pytest.mark.parametrize(
    "question",
    ["Who makes the bench vise?", "How much does the drill cost?", "Which office is Maria Lopez in?"],
)
def test_what_no_cell_says_is_refused(tables_qa, question):
    assert not tables_qa.ask(question).found
