"""OCR: Tesseract's table becomes lines with boxes, and a PDF's page like any other."""

from __future__ import annotations

import shutil

import pypdfium2
import pytest

from index.errors import NoTextLayerError
from index.layout import rectangles
from index.parsers.pdf import ocr, parse

from .pdf_writer import write_pdf

SENTENCE = "The quick brown fox jumps over it."


class FakeEngine:
    """Reads the same words on every picture."""

    name = "tesseract 9.9"

    def __init__(self, rows: dict[str, list[object]]) -> None:
        self._rows = rows
        self.sizes: list[tuple[int, int]] = []

    def read(self, image: object) -> ocr.Recognised:
        self.sizes.append(image.size)
        return ocr.recognised(self._rows)


def rows(*words: tuple[int, int, int, str]) -> dict[str, list[object]]:
    """Tesseract's table for words of one block: (line, left, top, text) in pixels."""
    table: dict[str, list[object]] = {
        "block_num": [1] * len(words),
        "par_num": [1] * len(words),
        "line_num": [word[0] for word in words],
        "left": [word[1] for word in words],
        "top": [word[2] for word in words],
        "width": [60 * len(word[3]) for word in words],
        "height": [50] * len(words),
        "text": [word[3] for word in words],
        "conf": ["96.1" if word[3] else -1 for word in words],
    }
    return table


def test_words_of_ocr_become_lines_with_a_box_for_each_letter() -> None:
    words = [(1, 100, 40, "Two"), (1, 310, 40, "words"), (2, 100, 100, "below"), (3, 0, 0, "")]
    found = ocr.recognised(rows(*words))
    assert found.text == "Two words\nbelow"
    assert found.boxes[:4].tolist() == [
        [100, 40, 160, 90],
        [160, 40, 220, 90],
        [220, 40, 280, 90],
        [310, 40, 310, 40],
    ]
    assert ocr.recognised({}).text == ""


@pytest.mark.parametrize(("tops", "turn"), [((100, 300), 1), ((300, 100), 3)])
def test_ocr_of_lines_that_run_down_or_up_the_picture(tops: tuple[int, int], turn: int) -> None:
    table = rows(*((1, 500, top, word) for top, word in zip(tops, ["read", "this"], strict=True)))
    found = ocr.recognised({**table, "width": [40, 40], "height": [160, 160]})
    assert (found.text, found.turns) == ("read this", (turn,))
    letters = [tops[0] + 40 * place for place in range(4)]
    assert found.boxes[:4, 1].tolist() == (letters if turn == 1 else letters[::-1])


def test_a_page_without_text_layer_is_read_by_ocr() -> None:
    engine = FakeEngine(rows((1, 300, 400, "Seen"), (1, 600, 400, "here.")))
    document = parse(write_pdf([[(72, 700, "Text.")], []]), find_engine=lambda: engine)
    assert [document.text[page.start : page.end] for page in document.pages] == ["Text.", "Seen here."]
    assert document.notice == "1 of 2 pages read by OCR (tesseract 9.9)"
    assert engine.sizes[0] == pytest.approx((2550, 3300), abs=1)  # 300 dots an inch
    start, page = document.text.index("here."), document.pages[1]
    (found,) = rectangles(page, start, start + len("here."))
    assert (found.left, found.top) == pytest.approx((144, 96), abs=0.1)  # 300 pixels are 72 points


def test_pages_that_ocr_reads_nothing_on_have_no_text_layer() -> None:
    with pytest.raises(NoTextLayerError, match=r"none of the 2 pages.*tesseract 9.9 reads nothing"):
        parse(write_pdf([[], []]), find_engine=lambda: FakeEngine(rows()))


def test_without_ocr_the_message_tells_how() -> None:
    with pytest.raises(NoTextLayerError, match=r"no text layer; pip install 'footnote-qa\[ocr\]'"):
        parse(write_pdf([[]]), find_engine=lambda: None)


def test_no_engine_is_looked_for_where_all_pages_have_text() -> None:
    parse(write_pdf([[(72, 700, "Text.")]]), find_engine=lambda: pytest.fail("not needed"))


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_tesseract_reads_a_scan() -> None:
    pytest.importorskip("pytesseract")
    drawn = pypdfium2.PdfDocument(write_pdf([[(72, 700, SENTENCE)]], size=24))
    image = drawn[0].render(scale=150 / 72, grayscale=True).to_pil()
    drawn.close()
    engine = ocr.installed()
    assert engine is not None
    found = engine.read(image)
    assert found.text == SENTENCE
    assert found.boxes[0, 0] == pytest.approx(150, abs=5)
