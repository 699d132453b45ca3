"""PDF: what is filled into the fields of a form is read where it stands."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import NoTextLayerError
from index.layout import Rectangle, rectangles
from index.model import Document
from index.parsers.pdf import ocr, parse

from .pdf_writer import Place, _assembled, shown, stream

FONTS = "/Font<</F 3 0 R/Z 4 0 R>>"
HIDDEN, PRINT, NO_VIEW = 2, 4, 32
MULTILINE, PASSWORD = 1 << 12, 1 << 13
RADIO, PUSH, COMBO = 1 << 15, 1 << 16, 1 << 17


@dataclass
class Widget:
    """A field or another annotation; what it ``draws`` begins at its lower left corner."""

    area: tuple[float, float, float, float]
    value: str = ""
    draws: bytes | None = None
    kind: str = "Tx"
    flags: int = PRINT
    of_field: int = 0
    entries: str = ""
    subtype: str = "Widget"


def typed(text: str, size: float = 10, font: str = "F") -> bytes:
    """The usual drawing of a text field."""
    return b"/Tx BMC q " + shown((2, 5, text), size, font) + b"Q EMC"


def form(
    lines: list[Place | bytes],
    widgets: list[Widget],
    acro_form: str = "",
    page_entries: str = "",
    box: str = "0 0 612 792",
) -> bytes:
    """A page with fields, which takes its size and its fonts from the tree of pages, as many do."""
    content = b"".join(line if isinstance(line, bytes) else shown(line) for line in lines)
    first = 7
    annotations = [first + 2 * number for number in range(len(widgets))]
    fields = [at for at, widget in zip(annotations, widgets, strict=True) if widget.subtype == "Widget"]
    listed = " ".join(f"{number} 0 R" for number in annotations)
    held = " ".join(f"{number} 0 R" for number in fields)
    acro = f"/AcroForm<</Fields[{held}]/DA(/F 10 Tf 0 g)/DR<<{FONTS}>>{acro_form}>>" if fields else ""
    bodies = [
        f"<</Type/Catalog/Pages 2 0 R{acro}>>".encode(),
        f"<</Type/Pages/Kids[5 0 R]/Count 1/MediaBox[{box}]/Resources<<{FONTS}>>>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/ZapfDingbats>>",
        f"<</Type/Page/Parent 2 0 R/Contents 6 0 R/Annots[{listed}]{page_entries}>>".encode(),
        stream(content),
    ]
    for at, widget in zip(annotations, widgets, strict=True):
        left, bottom, right, top = widget.area
        kind = f"/FT/{widget.kind}/T(field {at})/Ff {widget.of_field}" if widget.subtype == "Widget" else ""
        value = f"<FEFF{widget.value.encode('utf-16-be').hex()}>"
        entries = f"/V{value}" if widget.kind in ("Tx", "Ch") and widget.subtype == "Widget" else ""
        entries += f"/Contents{value}" if widget.subtype == "FreeText" else ""
        drawn = f"/AP<</N {at + 1} 0 R>>" if widget.draws is not None and "/AP" not in widget.entries else ""
        look = entries + drawn + widget.entries.replace("DRAWING", f"{at + 1} 0 R")
        place = f"/Rect[{left} {bottom} {right} {top}]/F {widget.flags}/DA(/F 10 Tf 0 g)"
        bodies.append(f"<</Type/Annot/Subtype/{widget.subtype}{kind}{place}{look}>>".encode())
        frame = f"/Type/XObject/Subtype/Form/BBox[0 0 {right - left} {top - bottom}]/Resources<<{FONTS}>>"
        bodies.append(stream(widget.draws or b"", frame))
    return _assembled(bodies, "/Root 1 0 R")


def text_of(*arguments: object, **named: object) -> str:
    return parse(form(*arguments, **named), find_engine=lambda: None).text  # type: ignore[arg-type]


def rectangle(document: Document, quote: str) -> Rectangle:
    start = document.text.index(quote)
    (only,) = rectangles(document.pages[0], start, start + len(quote))
    return only


def edges(found: Rectangle) -> tuple[float, float, float, float]:
    return found.left, found.top, found.right, found.bottom


NAME: Place = (50, 700, "Name of the applicant:")
BIRTH: Place = (50, 670, "Date of birth:")
IN_NAME = (170, 696, 330, 714)
IN_BIRTH = (170, 666, 330, 684)


def test_a_value_follows_its_label() -> None:
    widgets = [
        Widget(IN_BIRTH, "4 May 1980", typed("4 May 1980")),
        Widget(IN_NAME, "Ada King", typed("Ada King")),
    ]
    text = text_of([NAME, BIRTH, (50, 560, "Thank you.")], widgets)
    assert text == "Name of the applicant: Ada King\nDate of birth: 4 May 1980\nThank you."


def test_values_stand_between_the_labels_of_one_line() -> None:
    line = (50, 700, "Town:                              Street:")
    widgets = [Widget((190, 696, 290, 714), "Mill Lane", typed("Mill Lane"))]
    widgets.append(Widget((82, 696, 150, 714), "York", typed("York")))
    assert " ".join(text_of([line], widgets).split()) == "Town: York Street: Mill Lane"


def test_the_dotted_line_below_a_value_is_no_text() -> None:
    for rule in ("." * 40, "_" * 20, ". " * 30):
        lines: list[Place | bytes] = [(50, 700, f"Name: {rule} (in capitals)"), (50, 560, f"Place: {rule}")]
        text = text_of(lines, [Widget((85, 696, 150, 714), "ADA KING", typed("ADA KING"))])
        assert text == f"Name: ADA KING (in capitals)\nPlace: {rule.strip()}"


def test_values_follow_the_captions_above_them() -> None:
    captions: list[Place | bytes] = [(52, 720, "Family name"), (252, 720, "Given name"), (52, 680, "Country")]
    widgets = [
        Widget((50, 698, 240, 716), "King", typed("King")),
        Widget((250, 698, 440, 716), "Ada", typed("Ada")),
        Widget((50, 658, 240, 676), "England", typed("England")),
    ]
    words = text_of(captions, widgets).split()
    assert words == ["Family", "name", "King", "Given", "name", "Ada", "Country", "England"]


def test_cells_of_a_row_follow_one_another() -> None:
    header = (50, 740, "Item            Amount       Tax")
    rows = [(50, 700 - 24 * number, name) for number, name in enumerate(["Paper", "Ink"])]
    widgets = [
        Widget((left, 696 - 24 * number, left + 60, 712 - 24 * number), cell, typed(cell))
        for number, cells in enumerate([("12.50", "2.38"), ("8.00", "1.52")])
        for left, cell in zip((120, 190), cells, strict=True)
    ]
    assert text_of([header, *rows], widgets).splitlines()[1:] == ["Paper 12.50 2.38", "Ink 8.00 1.52"]


def test_text_that_covers_print_does_not_break_into_it() -> None:
    sentence = (50, 700, "The tenant pays the rent on the first day of every month.")
    text = text_of([sentence, (50, 640, "End.")], [Widget((120, 696, 220, 714), "paid", typed("paid"))])
    assert sentence[2] in text
    assert text.endswith("paid")


def test_a_drawn_value_has_the_rectangle_of_its_letters() -> None:
    document = parse(form([NAME], [Widget(IN_NAME, "Ada King", typed("Ada King"))]))
    left, top, right, bottom = edges(rectangle(document, "Ada King"))
    assert left == pytest.approx(172, abs=1.5)
    assert 205 < right < 220
    assert 792 - 714 <= top < bottom <= 792 - 696 + 1


@pytest.mark.parametrize("draws", [typed("Ada King"), None], ids=["drawn", "not drawn"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_page_keeps_its_size_and_its_turn(draws: bytes | None, rotation: int) -> None:
    """Flattening loses a size that the page takes from the tree of pages."""
    data = form(
        [NAME], [Widget(IN_NAME, "Ada King", draws)], page_entries=f"/Rotate {rotation}", box="0 0 500 800"
    )
    document = parse(data)
    found = rectangle(document, "Ada King")
    size = (800, 500) if rotation % 180 else (500, 800)
    assert (found.page_width, found.page_height) == size
    x0, y0, x1, y1 = IN_NAME
    area = {
        0: (x0, 800 - y1, x1, 800 - y0),
        90: (y0, x0, y1, x1),
        180: (500 - x1, y0, 500 - x0, y1),
        270: (800 - y1, 500 - x1, 800 - y0, 500 - x0),
    }[rotation]
    inside = np.array(edges(found))
    assert (inside[:2] >= np.array(area[:2]) - 1).all()
    assert (inside[2:] <= np.array(area[2:]) + 1).all()


def test_a_value_without_a_drawing_is_read_in_its_area() -> None:
    document = parse(form([NAME], [Widget(IN_NAME, "Ада Кинг 李")]))
    assert document.text == "Name of the applicant: Ада Кинг 李"
    left, top, right, bottom = edges(rectangle(document, "Ада Кинг 李"))
    assert 170 <= left < right <= 330
    assert 792 - 714 <= top < bottom <= 792 - 696


def test_a_value_with_an_empty_drawing_is_read() -> None:
    assert text_of([NAME], [Widget(IN_NAME, "Ada King", b"/Tx BMC EMC")]).endswith("applicant: Ada King")


def test_what_is_drawn_counts_where_it_formats_the_value() -> None:
    text = text_of([(50, 700, "Amount due:")], [Widget(IN_NAME, "1234.5", typed("$1,234.50"))])
    assert text == "Amount due: $1,234.50"


def test_an_old_drawing_gives_way_where_the_file_asks_for_new_ones() -> None:
    widget = Widget(IN_NAME, "Ada King", typed("Charles Babbage"))
    assert text_of([NAME], [widget], "/NeedAppearances true") == "Name of the applicant: Ada King"


def test_letters_in_a_comb_are_one_word() -> None:
    drawn = b"BT /F 10 Tf 4 5 Td " + b"".join(b"(%c) Tj 24 0 Td " % digit for digit in b"04051980") + b"ET"
    text = text_of([BIRTH], [Widget((170, 666, 370, 684), "04051980", drawn)])
    assert text == "Date of birth: 04051980"


def test_lines_of_one_field_stay_together() -> None:
    drawn = b"BT /F 10 Tf 2 40 Td (The roof leaks, and rain) Tj 0 -12 Td (comes into the kitchen.) Tj ET"
    label: list[Place | bytes] = [(50, 700, "Damage:"), (50, 630, "Signed in March.")]
    for draws in (drawn, None):
        value = "The roof leaks, and rain\ncomes into the kitchen."
        text = text_of(label, [Widget((110, 660, 400, 714), value, draws, of_field=MULTILINE)])
        assert " ".join(text.split()) == f"Damage: {' '.join(value.split())} Signed in March."


def test_of_a_list_only_what_is_chosen_is_read() -> None:
    options = "/Opt[[(a)(Austria)][(b)(Belgium)][(c)(Chile)]]/I[1]"
    drawn = b"BT /F 10 Tf 2 40 Td (Austria) Tj 0 -12 Td (Belgium) Tj 0 -12 Td (Chile) Tj ET"
    text = text_of([(50, 700, "Country:")], [Widget((110, 660, 300, 714), "b", drawn, "Ch", entries=options)])
    assert text.split() == ["Country:", "Belgium"]


def test_a_chosen_option_has_the_name_that_is_shown() -> None:
    options = "/Opt[[(a)(Austria)][(b)(Belgium)]]"
    for draws in (typed("Belgium"), None):
        widget = Widget((110, 696, 300, 714), "b", draws, "Ch", of_field=COMBO, entries=options)
        assert text_of([(50, 700, "Country:")], [widget]) == "Country: Belgium"


def test_ticks_and_buttons_leave_no_letters() -> None:
    tick = typed("4", font="Z")
    box = "/AS/Yes/V/Yes/AP<</N<</Yes DRAWING/Off 6 0 R>>>>"
    widgets = [
        Widget((30, 698, 45, 713), draws=tick, kind="Btn", entries=box),
        Widget((30, 668, 45, 683), draws=tick, kind="Btn", of_field=RADIO, entries=box),
        Widget((300, 668, 380, 683), draws=typed("Send the form"), kind="Btn", of_field=PUSH),
        Widget((150, 696, 330, 714), "Ada King", typed("Ada King")),
    ]
    text = text_of([(50, 700, "I agree, signed:"), (50, 670, "Married")], widgets)
    assert text.split() == ["I", "agree,", "signed:", "Ada", "King", "Married"]


@pytest.mark.parametrize(
    "unseen",
    [
        Widget(IN_NAME, "secret", typed("secret"), flags=PRINT | HIDDEN),
        Widget(IN_NAME, "secret", typed("secret"), flags=PRINT | NO_VIEW),
        Widget(IN_NAME, "secret", typed("secret"), of_field=PASSWORD),
        Widget(IN_NAME, "secret", None, flags=PRINT | HIDDEN),
        Widget(IN_NAME, "secret", None, of_field=PASSWORD),
        Widget(IN_NAME, "secret", typed("secret"), flags=HIDDEN, subtype="FreeText"),
    ],
)
def test_what_nobody_sees_is_left_out(unseen: Widget) -> None:
    text = text_of([NAME, BIRTH], [unseen, Widget(IN_BIRTH, "1980", typed("1980"))])
    assert text == "Name of the applicant:\nDate of birth: 1980"


def test_text_put_on_a_page_is_read_with_a_form_or_without() -> None:
    for draws in (typed("Ada King"), None):
        assert text_of([NAME], [Widget(IN_NAME, "Ada King", draws, subtype="FreeText")]).endswith("Ada King")


def test_the_drawing_of_a_signature_is_read() -> None:
    signature = Widget(IN_NAME, draws=typed("Signed by Ada King"), kind="Sig")
    assert text_of([(50, 700, "For the buyer:")], [signature]) == "For the buyer: Signed by Ada King"


def test_a_page_without_print_gives_its_fields() -> None:
    assert text_of([], [Widget(IN_NAME, "Ada King", typed("Ada King"))]) == "Ada King"


def test_an_empty_form_has_no_text() -> None:
    with pytest.raises(NoTextLayerError):
        text_of([], [Widget(IN_NAME, "", typed(""))])


def test_labels_read_by_ocr_stand_with_the_exact_values() -> None:
    class Reader:
        name = "reader"

        def read(self, image: object) -> ocr.Recognised:
            assert np.asarray(image).min() > 128  # what is filled in is not on the picture
            text = "Name:"
            scale = 300 / 72
            left = np.arange(50, 50 + 6 * len(text), 6)
            boxes = np.stack([left, 0 * left + 80, left + 6, 0 * left + 92], axis=1) * scale
            return ocr.Recognised(text, boxes.astype(np.float32), (0,))

    widget = Widget((90, 696, 330, 714), "Ada King", typed("Ada King"))
    document = parse(form([], [widget]), find_engine=Reader)  # type: ignore[arg-type]
    assert document.text == "Name: Ada King"


def test_a_page_with_a_thousand_fields_takes_no_time() -> None:
    widgets = [
        Widget(
            (50 + 25 * (at % 20), 50 + 14 * (at // 20), 74 + 25 * (at % 20), 62 + 14 * (at // 20)),
            f"v{at}",
            None,
        )
        for at in range(1000)
    ]
    started = time.perf_counter()
    text = text_of([(50, 770, "Numbers")], widgets)
    assert time.perf_counter() - started < 2
    assert sorted(text.split()) == sorted(["Numbers", *(f"v{at}" for at in range(1000))])


def test_one_long_value_in_many_fields_is_bounded() -> None:
    value = "x" * 150_000
    widgets = [Widget((50, 50 + at, 500, 60 + at), value, None) for at in range(20)]
    assert len(text_of([NAME], widgets)) < 500_000


WORD = st.text("abcdefgh", min_size=2, max_size=8)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(WORD, st.integers(40, 400), st.integers(40, 700)), min_size=1, max_size=6),
    st.lists(
        st.tuples(WORD, st.integers(40, 400), st.integers(40, 700), st.booleans()), min_size=1, max_size=6
    ),
)
def test_every_letter_printed_or_filled_in_is_read_once(
    printed: list[tuple[str, int, int]], filled: list[tuple[str, int, int, bool]]
) -> None:
    lines: list[Place | bytes] = [(x, y, word.upper()) for word, x, y in printed]
    widgets = [
        Widget((x, y, x + 90, y + 16), word, typed(word) if drawn else None) for word, x, y, drawn in filled
    ]
    text = text_of(lines, widgets)
    letters = "".join(text.split())
    small = sorted(letter for letter in letters if letter.islower())
    assert small == sorted("".join(word for word, _, _, _ in filled))
    assert sum(letter.isupper() for letter in letters) <= sum(len(word) for word, _, _ in printed)
