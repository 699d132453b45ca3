"""PDF: reading order, rectangles on the page as it is displayed, headings, labels, attachments."""

from __future__ import annotations

import math
import time

import numpy as np
import pypdfium2
import pytest

from index.errors import EncryptedError
from index.layout import Rectangle, rectangles
from index.model import Document
from index.parsers.pdf import iso_date, parse
from index.parsers.pdf.lines import Line
from index.parsers.pdf.paragraphs import paragraphs

from .pdf_writer import Entry, Place, shown, turned, write_pdf

LEFT = [
    "Columns are read from the top to the",
    "bottom before the next one begins, and",
    "a reader never jumps from the left to",
    "the right in the middle of a sentence",
    "that goes on below it. This is how all",
    "of the papers were set for a century.",
]
RIGHT = [
    "A program may write them in another",
    "order, because it fills the page from",
    "edge to edge, one line after the other,",
    "and knows nothing of the people who",
    "want to read what it has written there,",
    "which is a pity, and no reason to fail.",
]
SENTENCE = "The quick brown fox jumps over it."


def column(lines: list[str], left: float, top: float = 700) -> list[Place]:
    return [(left, top - 14 * number, line) for number, line in enumerate(lines)]


def blocks(document: Document) -> list[str]:
    return [
        document.text[block.start : block.end] for section in document.sections for block in section.blocks
    ]


def headed(document: Document) -> list[tuple[tuple[str, ...], list[str]]]:
    return [
        (section.heading, [document.text[block.start : block.end] for block in section.blocks])
        for section in document.sections
    ]


def boxes_of(document: Document, quote: str) -> tuple[Rectangle, ...]:
    start = document.text.index(quote)
    page = next(page for page in document.pages if page.start <= start < page.end)
    return rectangles(page, start, start + len(quote))


# Reading order


def test_columns_written_line_by_line_are_read_one_after_the_other() -> None:
    places = [place for pair in zip(column(LEFT, 60), column(RIGHT, 320), strict=True) for place in pair]
    assert blocks(parse(write_pdf([places]))) == [" ".join(LEFT), " ".join(RIGHT)]


def test_columns_on_different_lines_of_the_grid_are_read_one_after_the_other() -> None:
    pairs = zip(column(LEFT, 60), column(RIGHT, 320, top=695), strict=True)
    assert blocks(parse(write_pdf([[place for pair in pairs for place in pair]]))) == [
        " ".join(LEFT),
        " ".join(RIGHT),
    ]


def test_columns_written_from_the_right_are_read_from_the_left() -> None:
    document = parse(write_pdf([[*column(RIGHT, 320), *column(LEFT, 60)]]))
    assert blocks(document) == [" ".join(LEFT), " ".join(RIGHT)]


def test_three_columns_below_a_title_are_read_one_after_the_other() -> None:
    thirds = [LEFT, RIGHT, [f"no{line}" for line in LEFT]]
    columns = [column([line[:26] for line in third], 50 + 180 * at, 650) for at, third in enumerate(thirds)]
    title = (50.0, 720.0, "A title that reaches across all of the columns of the page, from edge to edge")
    text = parse(write_pdf([[title, *(place for row in zip(*columns, strict=True) for place in row)]])).text
    order = [text.index(third[row][:26]) for third in thirds for row in range(6)]
    assert order == sorted(order)


def test_columns_that_are_right_already_keep_the_order_of_the_file() -> None:
    note = (60.0, 300.0, "A note.")
    document = parse(write_pdf([[note, *column(LEFT, 60), *column(RIGHT, 320)]]))
    assert blocks(document) == ["A note.", " ".join(LEFT), " ".join(RIGHT)]


def test_rows_of_a_table_are_not_taken_for_columns() -> None:
    names = ["Revenue", "Cost of sales", "Gross profit", "Research", "Marketing", "Administration", "Profit"]
    cells = [
        (left, 700.0 - 14 * at, cell)
        for at, name in enumerate(names)
        for left, cell in ((60.0, name), (320.0, f"{at + 1},204"), (420.0, "388"))
    ]
    text = parse(write_pdf([cells])).text
    order = [text.index(cell) for at, name in enumerate(names) for cell in (name, f"{at + 1},204")]
    assert order == sorted(order)


def test_a_sentence_goes_on_in_the_next_column() -> None:
    places = [*column([*LEFT[:-1], "of the papers are set where one reads"], 60), *column(RIGHT[2:], 320)]
    assert "where one reads edge to edge" in "\n".join(blocks(parse(write_pdf([places]))))


def test_a_word_divided_in_a_column_written_line_by_line_is_joined() -> None:
    divided = ["a reader never jumps from there or else-", "where in the middle of one sentence"]
    pairs = zip(column([*LEFT[:2], *divided, *LEFT[4:]], 60), column(RIGHT, 320), strict=True)
    document = parse(write_pdf([[place for pair in pairs for place in pair]]))
    assert "or elsewhere in the middle" in document.text


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_turned_lines_and_pages_are_read_in_their_direction(turn: int, rotation: int) -> None:
    cos, sin = round(math.cos(math.radians(turn))), round(math.sin(math.radians(turn)))
    lines = [
        turned(line, f"{cos} {sin} {-sin} {cos} {300 + 14 * at * sin} {400 - 14 * at * cos}")
        for at, line in enumerate(LEFT)
    ]
    data = write_pdf([lines], page_entries=f"/MediaBox[0 0 612 792]/Rotate {rotation}")
    assert blocks(parse(data)) == [" ".join(LEFT)]


def test_a_page_written_from_its_foot_is_read_from_its_head() -> None:
    assert blocks(parse(write_pdf([column(LEFT, 60)[::-1]]))) == [" ".join(LEFT)]


# Rectangles


def ink(data: bytes) -> tuple[float, float, float, float]:
    """Where the first page is dark, in points of the page as PDFium draws it."""
    document = pypdfium2.PdfDocument(data)
    grey = document[0].render(scale=2, grayscale=True).to_numpy().squeeze()
    document.close()
    rows, columns = np.flatnonzero((grey < 128).any(axis=1)), np.flatnonzero((grey < 128).any(axis=0))
    return columns[0] / 2, rows[0] / 2, (columns[-1] + 1) / 2, (rows[-1] + 1) / 2


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", ["", "/CropBox[50 100 500 750]"])
@pytest.mark.parametrize("matrix", ["1 0 0 1", "0 1 -1 0", "-1 0 0 -1", "0 -1 1 0"])
def test_a_rectangle_holds_the_ink_and_little_else(rotation: int, crop: str, matrix: str) -> None:
    entries = f"/MediaBox[0 0 612 792]{crop}/Rotate {rotation}"
    data = write_pdf([[turned(SENTENCE, f"{matrix} 300 400")]], page_entries=entries)
    document = parse(data)
    (found,) = boxes_of(document, SENTENCE)
    left, top, right, bottom = ink(data)
    assert found.left - 1 <= left < found.left + 4
    assert found.top - 1 <= top < found.top + 4
    assert found.right - 4 < right <= found.right + 1
    assert found.bottom - 4 < bottom <= found.bottom + 1
    size = (450, 650) if crop else (612, 792)
    assert (found.page_width, found.page_height) == (size if rotation % 180 == 0 else size[::-1])


def test_a_word_has_the_rectangle_of_its_letters() -> None:
    (found,) = boxes_of(parse(write_pdf([[(72, 700, "iiii WWWW")]], size=10)), "WWWW")
    assert found.left == pytest.approx(72 + 4 * 2.22 + 2.78, abs=0.1)  # Helvetica's widths
    assert found.right == pytest.approx(found.left + 4 * 9.44, abs=0.1)
    assert found.top < 92 < found.bottom


def test_the_halves_of_a_divided_word_have_two_rectangles() -> None:
    document = parse(write_pdf([[(72, 700, "They wanted to under-"), (72, 687, "stand it.")]]))
    above, below = boxes_of(document, "understand")
    assert above.left > below.left == pytest.approx(72, abs=0.2)
    assert above.bottom <= below.top + 3


def test_a_span_over_three_lines_has_three_rectangles() -> None:
    document = parse(write_pdf([column(LEFT, 60)]))
    assert len(boxes_of(document, " ".join(LEFT[1:4]))) == 3


# Outline, labels, metadata


def outlined(*entries: Entry) -> Document:
    first = [
        (72.0, 700.0, "1 Introduction"),
        (72.0, 680.0, "The first text."),
        (72.0, 600.0, "1.1 Scope"),
        (72.0, 580.0, "The second text."),
    ]
    second = [(72.0, 700.0, "Results and a"), (72.0, 687.0, "discussion"), (72.0, 660.0, "The third text.")]
    return parse(write_pdf([first, second], outline=entries))


def test_the_outline_gives_the_headings_and_their_lines_are_no_blocks() -> None:
    document = outlined(
        (0, "1 Introduction", 0, 712.0), (1, "1.1 Scope", 0, 612.0), (0, "Results and a discussion", 1, 712.0)
    )
    assert headed(document) == [
        (("1 Introduction",), ["The first text."]),
        (("1 Introduction", "1.1 Scope"), ["The second text."]),
        (("Results and a discussion",), ["The third text."]),
    ]
    assert "1 Introduction\nThe first text." in document.text


def test_a_title_is_found_with_and_without_its_number() -> None:
    document = outlined((0, "Introduction", 0, None), (0, "Chapter 1.1: Scope", 0, None))
    assert headed(document) == [
        (("Introduction",), ["The first text."]),
        (("Chapter 1.1: Scope",), ["The second text.", "Results and a discussion", "The third text."]),
    ]


def test_a_heading_that_is_not_on_the_page_begins_at_its_destination() -> None:
    before, after = headed(outlined((0, "Elsewhere", 0, 595.0)))
    assert (before[0], before[1][-1]) == ((), "1.1 Scope")
    assert (after[0], after[1][0]) == (("Elsewhere",), "The second text.")


def test_an_entry_without_destination_begins_with_the_first_below_it() -> None:
    document = outlined((0, "Part One", None, None), (1, "1.1 Scope", 0, 612.0))
    assert headed(document)[-1][0] == ("Part One", "1.1 Scope")


def test_entries_that_lead_back_are_left_out() -> None:
    entries = [(0, "1 Introduction", 0, None), (0, "1.1 Scope", 0, None), (0, "Results", 1, None)]
    document = outlined(*entries, (0, "First", 0, None))
    assert [heading[0] for heading, _ in headed(document)] == ["1 Introduction", "1.1 Scope", "Results"]


@pytest.mark.parametrize("title", ["Blank Page", "Page 1", "report.docx", "...", ""])
def test_names_that_programs_give_to_pages_are_no_headings(title: str) -> None:
    assert [heading for heading, _ in headed(outlined((0, title, 0, 792.0)))] == [()]


def test_the_title_of_the_document_is_in_no_heading_path() -> None:
    pages = [[(72.0, 700.0, "The Annual Report"), (72.0, 680.0, "A text.")]]
    document = parse(write_pdf(pages, "The Annual Report", outline=[(0, "The Annual Report", 0, None)]))
    assert headed(document) == [((), ["A text."])]


def test_a_bold_line_does_not_run_into_the_text_below() -> None:
    bold = shown((72, 687, "A Heading That Is As Wide As The Lines Are"), font="B")
    lines = [(72.0, 700.0, "Some text that comes before it, to its end."), bold]
    document = parse(write_pdf([[*lines, (72.0, 674.0, "Some text that comes after it, to its end.")]]))
    assert len(blocks(document)) == 3


PROSE = "Here is a line of prose that is long enough to be nothing else, and it ends."


def set_in_bold(*lines: str) -> Document:
    """A page of lines far apart; those with an asterisk are bold."""
    places = [
        shown((72, 740 - 30 * at, line.lstrip("*")), font="B" if line.startswith("*") else "F")
        for at, line in enumerate(lines)
    ]
    return parse(write_pdf([places]))


def test_bold_lines_above_prose_are_headings_where_there_is_no_outline() -> None:
    document = set_in_bold("First.", "*1 Aim and Scope", PROSE, "*1.1 Methods", PROSE)
    assert headed(document) == [
        ((), ["First."]),
        (("1 Aim and Scope",), [PROSE]),
        (("1 Aim and Scope", "1.1 Methods"), [PROSE]),
    ]


def test_a_bold_line_that_looks_less_like_a_heading_ends_the_section_and_stays_text() -> None:
    document = set_in_bold("*Aim and Scope", PROSE, "*Methods", PROSE, "*Name of the Column", "12", PROSE)
    assert headed(document)[-1] == ((), ["Name of the Column", "12", PROSE])


def test_one_bold_line_is_no_heading() -> None:
    assert headed(set_in_bold("*Aim and Scope", PROSE)) == [((), ["Aim and Scope", PROSE])]


@pytest.mark.parametrize("line", ["Sales rose by 5%", "Table 1 Sales", "in small letters", "It ends.", "A:"])
def test_bold_lines_that_say_something_are_no_headings(line: str) -> None:
    document = set_in_bold("*Aim and Scope", PROSE, "*Methods", PROSE, f"*{line}", PROSE)
    assert headed(document)[-1] == ((), [line, PROSE])


def test_where_much_is_bold_boldness_means_nothing() -> None:
    document = set_in_bold("*Aim and Scope", PROSE, "*Methods", PROSE, f"*{PROSE}", f"*{PROSE}")
    assert [heading for heading, _ in headed(document)] == [()]


def test_pages_have_the_labels_that_are_printed_on_them() -> None:
    labels = "/PageLabels<</Nums[0<</S/r>>2<</S/D/P(A-)>>]>>"
    document = parse(write_pdf([[(72, 700, "Text.")]] * 3, catalog=labels))
    assert [page.label for page in document.pages] == ["i", "ii", "A-1"]


def test_pages_without_labels_have_none() -> None:
    assert parse(write_pdf([[(72, 700, "Text.")]])).pages[0].label is None


def test_author_and_date_come_from_the_metadata() -> None:
    document = parse(
        write_pdf([[(72, 700, "Text.")]], info="/Author(Ada  Lovelace)/CreationDate(D:20240131120000+01'00')")
    )
    assert (document.author, document.date) == ("Ada Lovelace", "2024-01-31T12:00:00+01:00")


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("D:20240131", "2024-01-31"),
        ("D:2024", "2024-01-01"),
        ("20240131120000", "2024-01-31T12:00:00"),
        ("D:20240131120000Z00'00'", "2024-01-31T12:00:00+00:00"),
        ("D:20240131120000-05'30", "2024-01-31T12:00:00-05:30"),
        ("D:20249931", None),
        ("January 2024", None),
        ("", None),
    ],
)
def test_dates_become_iso_dates(date: str, expected: str | None) -> None:
    assert iso_date(date) == expected


# Passwords and attachments


@pytest.mark.parametrize("passwords", [["open"], ["wrong", "open"], ["\ud800", "open"]])
def test_a_password_that_fits_opens_the_file(passwords: list[str]) -> None:
    data = write_pdf([[(72, 700, "A secret.")]], password="open")
    assert blocks(parse(data, passwords)) == ["A secret."]


@pytest.mark.parametrize("passwords", [[], ["wrong"]])
def test_without_the_password_the_remedy_is_named(passwords: list[str]) -> None:
    with pytest.raises(EncryptedError, match="give its password with --password-file"):
        parse(write_pdf([[(72, 700, "A secret.")]], password="open"), passwords)


def test_attachments_are_members() -> None:
    document = parse(write_pdf([[(72, 700, "Text.")]], attachments={"data.csv": b"a,b\n1,2\n"}))
    assert [(member.path, member.data) for member in document.members] == [("data.csv", b"a,b\n1,2\n")]


def test_a_pdf_may_be_read_while_the_attachments_of_another_are() -> None:
    inner = write_pdf([[(72, 700, "Inside.")]])
    document = parse(write_pdf([[(72, 700, "Outside.")]], attachments={"inner.pdf": inner}))
    assert [blocks(parse(member.data)) for member in document.members] == [["Inside."]]


def test_pages_of_pictures_with_attachments_are_a_document_with_members() -> None:
    document = parse(write_pdf([[]], attachments={"a.txt": b"text"}), find_engine=lambda: None)
    assert (document.text, document.sections) == ("", ())
    assert len(list(document.members)) == 1


# Odd and hostile files


def test_junk_before_the_header_is_passed_over() -> None:
    assert blocks(parse(b"\0junk\n" * 100 + write_pdf([[(72, 700, "Text.")]]))) == ["Text."]


def test_a_file_cut_off_in_its_last_table_is_mended() -> None:
    data = write_pdf([[(72, 700, "Text.")]])
    assert blocks(parse(data[: data.rindex(b"xref\n0")] + b"trailer\n<</Root 1 0 R>>")) == ["Text."]


def test_lines_without_width_are_grouped_all_the_same() -> None:
    flat = [Line("Words", range(5), 72, 72, top, top + 11, 0) for top in (100, 113, 126)]
    assert [place for group in paragraphs(flat, ()) for place in group] == [0, 1, 2]


def test_letters_far_beyond_the_paper_do_no_harm() -> None:
    far = turned("Far away it stands.", "1 0 0 1 1e30 400")
    huge = turned("Huge type.", "1e20 0 0 1e20 72 300")
    assert "Text." in parse(write_pdf([[(72, 700, "Text."), far, huge]])).text


def test_half_a_character_in_a_name_is_no_name() -> None:
    labels = "/PageLabels<</Nums[0<</P<FEFFD800>>>]>>"
    data = write_pdf(
        [[(72, 700, "Text.")]], catalog=labels, info="/Author<FEFFD800>", outline=[(0, "T", 0, None)]
    )
    document = parse(data.replace(b"/Title(T)", b"/Title<FEFFDC00>"))
    assert blocks(document) == ["Text."]
    assert (document.author, document.pages[0].label) == (None, None)


def test_text_beside_the_paper_and_anchors_too_small_to_read_are_left_out() -> None:
    places = [(72.0, 700.0, "Seen."), (900.0, 600.0, "Beside it."), shown((72, 650, "anchor-4711"), 0.5)]
    assert parse(write_pdf([places])).text == "Seen."


def test_thousands_of_tiny_pieces_take_time_in_proportion() -> None:
    def seconds(count: int) -> float:
        places = [(20.0 + 7 * (at % 80), 780.0 - 5 * (at // 80 % 150), "ab"[at % 2]) for at in range(count)]
        data = write_pdf([places], size=5)
        begin = time.process_time()
        parse(data)
        return time.process_time() - begin

    seconds(500)
    assert seconds(8_000) < 10 * max(seconds(2_000), 0.02)
