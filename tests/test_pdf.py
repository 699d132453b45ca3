"""PDF: paragraphs from lines, pages with exact ranges, and reasons that a person understands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import CorruptError, EncryptedError, NoTextLayerError
from index.layout import rectangles
from index.model import Document
from index.parsers.pdf import parse
from index.parsers.pdf.lines import Frames, lines_of
from index.parsers.pdf.pages import read

from .pdf_writer import Place, encrypt_pdf, write_pdf

WRAPPED = [
    "The committee met in the spring of that year and decided that all of the",
    "remaining funds should be spent on repairing the bridge before the winter, and",
    "nobody objected to it.",
]


def page(*lines: str, top: float = 700, left: float = 72) -> list[Place]:
    return [(left, top - 13 * number, line) for number, line in enumerate(lines) if line]


def blocks(document: Document) -> list[tuple[str, str]]:
    return [
        (block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def texts(*pages: list[Place]) -> list[str]:
    return [text for _, text in blocks(parse(write_pdf(pages)))]


def test_wrapped_lines_are_joined_and_paragraphs_are_not() -> None:
    assert texts(page(*WRAPPED, *WRAPPED)) == [" ".join(WRAPPED)] * 2


def test_a_gap_ends_a_paragraph() -> None:
    assert texts(page(*WRAPPED[:2], "", "", "A new paragraph.")) == [
        " ".join(WRAPPED[:2]),
        "A new paragraph.",
    ]


def test_short_lines_and_rows_of_figures_stay_apart() -> None:
    lines = ["Annual Report", "Sales of goods 1,204 1,388", "Sales of licences 300 285", "Total 1,504 1,673"]
    assert texts(page(*WRAPPED, *lines)) == [" ".join(WRAPPED), *lines]


def test_items_lose_their_bullets_but_keep_their_numbers() -> None:
    found = blocks(parse(write_pdf([page("- first thing", "- second thing", "1. numbered", "2. numbered")])))
    expected = ["first thing", "second thing", "1. numbered", "2. numbered"]
    assert found == [("item", text) for text in expected]


def test_a_divided_word_is_joined() -> None:
    assert texts(page("They wanted to under-", "stand it.")) == ["They wanted to understand it."]


def test_a_compound_keeps_its_hyphen() -> None:
    first = page("A well-known case.")
    assert texts(first, page("It was a well-", "known fact.")) == [
        "A well-known case.",
        "It was a well-known fact.",
    ]


def test_running_heads_and_page_numbers_are_text_but_in_no_block() -> None:
    bodies = ["Alpha goes first.", "Beta is the next.", "Gamma comes third.", "Delta ends it."]
    pages = [
        [*page("Annual Report of the Company", top=770), *page(body), *page(f"{number}", top=30)]
        for number, body in enumerate(bodies, 7)
    ]
    document = parse(write_pdf(pages))
    assert [text for _, text in blocks(document)] == bodies
    assert document.text.count("Annual Report of the Company") == 4


def test_rows_of_figures_at_the_edge_of_pages_are_no_running_heads() -> None:
    rows = [f"{number},789.99 1.26{number} 31.85" for number in range(4)]
    bodies = ["Alpha goes first.", "Beta is the next.", "Gamma comes third.", "Delta ends it."]
    pages = [[*page(row, top=770), *page(body)] for row, body in zip(rows, bodies, strict=True)]
    found = [text for _, text in blocks(parse(write_pdf(pages)))]
    assert [text for text in found if text in rows] == rows


def test_pages_that_resemble_each_other_are_not_dropped() -> None:
    found = texts(*(page(f"Invoice {number}") for number in range(1, 6)))
    assert found == [f"Invoice {number}" for number in range(1, 6)]


def test_pages_have_exact_ranges() -> None:
    document = parse(write_pdf([page("One."), [], page("Three.")]))
    assert [(p.number, document.text[p.start : p.end]) for p in document.pages] == [
        (1, "One."),
        (2, ""),
        (3, "Three."),
    ]
    assert document.notice == "1 of 3 pages has no text layer"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Annual Report 2020", "Annual Report 2020"),
        ("Methods", "Methods"),
        ("Microsoft Word - foo.doc", None),
        ("C:\\temp\\x y", None),
        ("/home/me/some paper", None),
        ("report.pdf", None),
        ("Untitled", None),
        ("0000320193-23-000077", None),
        ("", None),
    ],
)
def test_only_a_sensible_title_is_taken(title: str, expected: str | None) -> None:
    assert parse(write_pdf([page("Text.")], title)).title == expected


def test_no_text_layer() -> None:
    with pytest.raises(NoTextLayerError, match=r"none of the 2 pages.*footnote-qa.ocr."):
        parse(write_pdf([[], []]), find_engine=lambda: None)


def test_a_password_is_asked_for() -> None:
    with pytest.raises(EncryptedError, match="password"):
        parse(encrypt_pdf(write_pdf([page("Secret.")])))


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b"PK\3\4 not a PDF", "not a PDF"), (b"%PDF-1.7\ngarbage", "damaged")],
)
def test_broken_files_are_named_as_such(data: bytes, reason: str) -> None:
    with pytest.raises(CorruptError, match=reason):
        parse(data)


def test_threads_may_parse_at_once() -> None:
    data = [write_pdf([page(*WRAPPED, f"Number {number}.")] * 3) for number in range(12)]
    expected = [parse(each) for each in data]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(parse, data)) == expected


def test_rows_that_begin_with_a_small_letter_stand_apart() -> None:
    rows = ["Products 2023 2022", "iPhone 39,669 40,665", "Mac 6,840 7,382", "iPad 5,791 7,224"]
    assert texts(page(*rows)) == rows


def test_pages_that_count_themselves() -> None:
    feet = ["Page 1 of 3", "Page 2 of 3 DEN08WA042", "Page 3 of 3 DEN08WA042"]
    bodies = [[f"The {name} is kept in the hall.", *WRAPPED] for name in ("car", "van", "bus")]
    pages = [page(foot, *body) for foot, body in zip(feet, bodies, strict=True)]
    assert not any("Page" in text for text in texts(*pages))
    assert any("Page 9 of 3" in text for text in texts(page("Page 9 of 3", *bodies[0]), *pages[1:]))


def test_lines_of_a_table_of_contents_are_in_no_block() -> None:
    contents = ["Leasing ........................ 12", "Rent . . . . . . . . . . iv", "Sale …………"]
    document = parse(write_pdf([page(*contents, "", *WRAPPED)]))
    assert [text for _, text in blocks(document)] == [" ".join(WRAPPED)]
    assert "Leasing" in document.text


NARROW = [(72.0, 740.0 - 13 * number, f"Row {number}") for number in range(50)]
"""PDFium takes a page of this for one that is read down, and ends a line at every piece."""

FIGURE_WIDTH, SPACE_WIDTH = 6.116, 3.058


def letter_by_letter(text: str, left: float, top: float) -> list[Place]:
    placed: list[Place] = []
    for letter in text:
        if letter != " ":
            placed.append((left, top, letter))
        left += SPACE_WIDTH if letter == " " else FIGURE_WIDTH
    return placed


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 99_999).map(str), min_size=1, max_size=6).map(" ".join))
def test_a_line_that_is_set_letter_by_letter_is_one(line: str) -> None:
    document = parse(write_pdf([[*NARROW, *letter_by_letter(line, 200, 40)]]))
    assert document.text.endswith(f"\n{line}")
    (rectangle,) = rectangles(document.pages[0], len(document.text) - len(line), len(document.text))
    figures = line.replace(" ", "")
    width = len(figures) * FIGURE_WIDTH + line.count(" ") * SPACE_WIDTH
    assert (rectangle.left, rectangle.right) == pytest.approx((200, 200 + width), abs=0.5)


def test_what_stands_apart_on_one_level_is_not_joined() -> None:
    letters = [*letter_by_letter("15", 200, 40), *letter_by_letter("16", 222, 40)]
    (read_page,) = read(write_pdf([[*NARROW, *letters]]), ()).pages
    assert read_page is not None
    assert [line.text for line in lines_of(read_page, Frames(read_page))][-2:] == ["15", "16"]
