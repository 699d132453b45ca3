"""Pages of PDFs as pictures: what a quote's rectangles mark on them, and what no page can do."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from index import (
    ClosedError,
    FootnoteError,
    NoPictureError,
    PageNotDrawableError,
    PagePicture,
    SourceChangedError,
    SourceNotFoundError,
    UsageError,
    rebuild,
)
from index.pictures import Origin, Pictures, png
from index.sandbox import orders
from index.sandbox.drawing import Drawer
from index.sandbox.orders import Drawn, Order, Undrawn
from index.sandbox.process import command
from index.sandbox.protocol import NonsenseError
from qa import QA

from . import misbehaving_painter as odd
from .conftest import NoiseReader, TinyEncoder, write_files
from .pdf_writer import encrypt_pdf, shown, write_pdf
from .test_pdf_forms import Widget, form, typed

BEFORE, QUOTE, AFTER = "The first line stands above the quote.", "This line is quoted.", "The last line."
RED = b"1 0 0 rg " + shown((120, 386, QUOTE)) + b" 0 g "
LINES = [(120.0, 400.0, BEFORE), RED, (120.0, 372.0, AFTER)]
TURNS = (0, 90, 180, 270)
CROPS = {"whole": "", "cropped": "/CropBox[50 100 500 750]"}
FIELDS = [
    Widget((170, 696, 330, 714), "Ada King", typed("Ada King")),
    Widget((170, 666, 330, 684), "4 May 1980"),
]
LABELS = [(50.0, 700.0, "Name of the applicant:"), (50.0, 670.0, "Date of birth:")]
PLAIN = write_pdf([LINES, [(72, 700, "The second page.")]])


def mail() -> bytes:
    message = EmailMessage()
    message["Subject"] = "The report"
    message.set_content("Here it is.")
    for line in ("attached", "attached again"):
        message.add_attachment(
            write_pdf([[(72, 700, line)]]), maintype="application", subtype="pdf", filename="a.pdf"
        )
    return message.as_bytes()


def packed(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.pdf" if data.startswith(b"%PDF") else f"{name}.zip", data)
    return stream.getvalue()


FILES = {
    f"{name} {turn}.pdf": write_pdf([LINES], page_entries=f"/MediaBox[0 0 612 792]{crop}/Rotate {turn}")
    for turn, (name, crop) in product(TURNS, CROPS.items())
} | {
    "plain.pdf": PLAIN,
    "form.pdf": form(LABELS, FIELDS),
    "huge.pdf": write_pdf([LINES], page_entries="/MediaBox[0 0 14400 14400]"),
    "notes.txt": b"No page of paper.",
    "locked.pdf": encrypt_pdf(PLAIN),
    "a.zip": packed(one=PLAIN, inner=packed(two=write_pdf([[(72, 700, "deep inside")]]))),
    "mail.eml": mail(),
    "outer.pdf": write_pdf([LINES], attachments={"in.pdf": write_pdf([[(72, 700, "an attachment")]])}),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures") / "library"


@pytest.fixture(scope="module")
def qa(library: Path) -> Iterator[QA]:
    write_files(library, FILES)
    rebuild(library, library.parent / "index", encoder=TinyEncoder())
    with QA.open(library.parent / "index", encoder=TinyEncoder(), reader=NoiseReader()) as opened:
        yield opened


def pixels(picture: PagePicture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).astype(int)


def marked(qa: QA, source: str, quote: str, scale: float = 2) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of the page that holds a quote, and which of them are inside its rectangles."""
    start = qa.text(source).index(quote)
    found = qa.rectangles(source, start, start + len(quote))
    picture = qa.page_picture(source, found[0].page, scale)
    colours = pixels(picture)
    inside = np.zeros(colours.shape[:2], bool)
    across, down = colours.shape[1] / picture.width, colours.shape[0] / picture.height
    for each in found:
        assert (each.page_width, each.page_height) == pytest.approx((picture.width, picture.height))
        inside[
            round(each.top * down) : round(each.bottom * down),
            round(each.left * across) : round(each.right * across),
        ] = True
    return colours, inside


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(tuple(CROPS))])
def test_rectangles_mark_the_quote_on_the_picture_and_nothing_else(qa: QA, name: str) -> None:
    colours, inside = marked(qa, name, QUOTE)
    red = (colours[:, :, 0] - colours[:, :, 1]) > 60
    black = colours.max(axis=2) < 128
    assert red.sum() > 300
    assert not (red & ~inside).any()
    assert black.sum() > 300
    assert not (black & inside).any()
    for axis in (0, 1):  # the mark is no larger than the line is
        ink, mark = np.flatnonzero(red.any(axis=axis)), np.flatnonzero(inside.any(axis=axis))
        assert mark[-1] - mark[0] <= ink[-1] - ink[0] + 12


@pytest.mark.parametrize("value", ["Ada King", "4 May 1980"])
def test_the_fields_of_a_form_are_filled_in(qa: QA, value: str) -> None:
    colours, inside = marked(qa, "form.pdf", value)
    assert (colours[inside].max(axis=1) < 128).sum() > 50


def test_a_picture_tells_its_page(qa: QA) -> None:
    picture = qa.page_picture("plain.pdf", 2, 1)
    assert (picture.page, picture.pages, picture.width, picture.height) == (2, 2, 612, 792)
    assert pixels(picture).shape == (792, 612, 3)


def test_a_large_page_is_drawn_smaller(qa: QA) -> None:
    picture = qa.page_picture("huge.pdf", 1, 10)
    rows, columns, _ = pixels(picture).shape
    assert 5_000_000 < rows * columns < 6_100_000
    assert (picture.width, picture.height) == (14_400, 14_400)


@pytest.mark.parametrize(
    "source",
    [
        "a.zip!/one.pdf",
        "a.zip!/inner.zip!/two.pdf",
        "outer.pdf!/in.pdf",
        "mail.eml!/a.pdf",
    ],
)
def test_files_inside_files_have_pictures_too(qa: QA, source: str) -> None:
    line = next(line for line in qa.text(source).splitlines() if line)
    colours, inside = marked(qa, source, line)
    assert (colours[inside].max(axis=1) < 128).sum() > 50


def test_attachments_are_told_apart(qa: QA) -> None:
    sources = [row.source for row in qa.documents() if row.source.startswith("mail.eml!/")]
    assert len({qa.page_picture(source, 1).png for source in sources}) == 2


@pytest.mark.parametrize(
    ("source", "page", "scale", "error", "words"),
    [
        ("nowhere.pdf", 1, 1, SourceNotFoundError, "no document 'nowhere.pdf'"),
        ("../plain.pdf", 1, 1, SourceNotFoundError, "no document"),
        ("notes.txt", 1, 1, NoPictureError, "notes.txt is no PDF"),
        ("plain.pdf", 3, 1, NoPictureError, "no page 3; it has 2 pages"),
        ("plain.pdf", 0, 1, NoPictureError, "count from 1"),
        ("plain.pdf", 1, 0, UsageError, "scale of 0"),
        ("plain.pdf", 1, float("nan"), UsageError, "scale of nan"),
        ("plain.pdf", 1, 11, UsageError, "at most 10"),
        ("locked.pdf", 1, 1, PageNotDrawableError, "passwords are not kept"),
    ],
)
def test_what_has_no_picture(
    qa: QA, source: str, page: int, scale: float, error: type[FootnoteError], words: str
) -> None:
    with pytest.raises(error, match=words):
        qa.page_picture(source, page, scale)


def test_requests_from_several_threads_wait_in_line(qa: QA) -> None:
    scales = [1 + 0.1 * number for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda scale: qa.page_picture("plain.pdf", 1, scale), scales))
    widths = [pixels(picture).shape[1] for picture in found]
    assert widths == sorted(set(widths))


# Files that are others now


@pytest.fixture(scope="module")
def pictures() -> Iterator[Pictures]:
    made = Pictures()
    yield made
    made.close()


def origin(path: Path, data: bytes = PLAIN, member: str = "") -> Origin:
    path.write_bytes(data)
    return Origin(path.name, path, path.name, member, hashlib.sha256(PLAIN).hexdigest())


def test_no_other_bytes_are_shown_for_those_that_were_indexed(pictures: Pictures, tmp_path: Path) -> None:
    place = origin(tmp_path / "a.pdf")
    first = pictures.page(place, 1, 1)
    os.utime(place.path, ns=(1, 1))
    assert pictures.page(place, 1, 1) == first
    place.path.write_bytes(write_pdf([[(72, 700, "other words")]]))
    with pytest.raises(SourceChangedError, match="has changed since it was indexed; bring the index up to"):
        pictures.page(place, 1, 1)
    place.path.unlink()
    with pytest.raises(SourceChangedError, match="not there any more"):
        pictures.page(place, 1, 1)
    place.path.mkdir()
    with pytest.raises(SourceChangedError, match="no file any more"):
        pictures.page(place, 1, 1)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (packed(other=PLAIN), SourceChangedError, "changed"),
        (packed(one=write_pdf([[]])), SourceChangedError, "changed"),
        (b"no archive", PageNotDrawableError, "it is no archive"),
    ],
)
def test_archives_that_are_others_now(
    pictures: Pictures, tmp_path: Path, data: bytes, error: type[FootnoteError], words: str
) -> None:
    place = origin(tmp_path / "a.zip", data, "one.pdf")
    with pytest.raises(error, match=words):
        pictures.page(Origin("a.zip!/one.pdf", place.path, "a.zip", "one.pdf", place.sha256), 1, 1)


def test_broken_pdfs(pictures: Pictures, tmp_path: Path) -> None:
    broken = PLAIN[:300]
    (tmp_path / "a.pdf").write_bytes(broken)
    place = Origin("a.pdf", tmp_path / "a.pdf", "a.pdf", "", hashlib.sha256(broken).hexdigest())
    with pytest.raises(PageNotDrawableError, match=r"page 1 of a.pdf can't be shown: the PDF is broken"):
        pictures.page(place, 1, 1)
    with pytest.raises(PageNotDrawableError, match="was not read"):
        pictures.page(Origin("a.pdf", tmp_path / "a.pdf", "a.pdf", "", None), 1, 1)


# Pictures that are kept


class Counting:
    """Draws nothing but noise, and counts."""

    def __init__(self) -> None:
        self.pages: list[int] = []

    def draw(self, order: Order) -> Drawn:
        self.pages.append(order.page)
        return Drawn(40, 10, 40.0, 10.0, 9, np.random.default_rng(order.page).bytes(1200))

    def close(self) -> None:
        pass


def test_the_last_pictures_are_kept_within_bounds(tmp_path: Path) -> None:
    drawer = Counting()
    pictures, place = Pictures(drawer, kept_bytes=4_000), origin(tmp_path / "a.pdf")
    for page in (1, 2, 3, 1, 4, 1, 3, 2):
        pictures.page(place, page, 1)
    assert drawer.pages == [1, 2, 3, 4, 2]
    assert sum(len(each.png) for each in pictures._kept.values()) <= 4_000
    pictures.page(place, 1, 2)
    assert drawer.pages[-1] == 1


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda size: arrays(np.uint8, (*size, 3))),
    st.booleans(),
)
def test_a_png_holds_the_pixels_that_were_drawn(colours: np.ndarray, grey: bool) -> None:
    if grey:
        colours = np.repeat(colours[:, :, :1], 3, axis=2)
    rows, columns, _ = colours.shape
    image = Image.open(io.BytesIO(png(Drawn(columns, rows, 1.0, 1.0, 1, colours.tobytes()))))
    assert image.mode == ("L" if (colours == colours[:, :, :1]).all() else "RGB")
    assert (np.asarray(image.convert("RGB")) == colours).all()


# The worker


@pytest.fixture(scope="module")
def drawer() -> Iterator[Callable[..., Drawer]]:
    """Makes drawers whose worker misbehaves; those with equal limits are one."""
    made: dict[str, Drawer] = {}

    def make(**limits: float) -> Drawer:
        if str(limits) not in made or made[str(limits)]._closed.is_set():
            made[str(limits)] = Drawer(**limits, command=command("tests.misbehaving_painter"))
        return made[str(limits)]

    yield make
    for each in made.values():
        each.close()


@pytest.fixture
def order(tmp_path: Path) -> Callable[[int], Order]:
    (tmp_path / "a.pdf").write_bytes(b"words")
    sha256 = hashlib.sha256(b"words").hexdigest()
    return lambda page: Order(str(tmp_path / "a.pdf"), "a.pdf", "", "", sha256, page, 1.0)


def red(answer: Drawn | Undrawn) -> int:
    assert isinstance(answer, Drawn), answer
    return answer.pixels[0]


def test_a_page_that_ends_the_worker_costs_itself_alone(drawer: Callable, order: Callable) -> None:
    made = drawer()
    first = red(made.draw(order(1)))
    assert red(made.draw(order(1))) == first + 1
    assert made.draw(order(odd.CRASH)) == Undrawn("failed", "what draws pages crashed at it (SIGSEGV)")
    assert made.draw(order(odd.LEAVE)) == Undrawn("failed", "what draws pages ended at it (exit code 7)")
    assert red(made.draw(order(1))) == 1


@pytest.mark.parametrize(
    ("page", "reason"),
    [(odd.CONNECT, "a parser tried socket."), (odd.EAT, "more memory"), (odd.LIE, "makes no sense")],
)
def test_what_a_page_may_not_do(drawer: Callable, order: Callable, page: int, reason: str) -> None:
    answer = drawer().draw(order(page))
    assert (answer.problem, reason in answer.reason) == ("failed", True), answer


def test_what_a_library_prints_is_no_answer(drawer: Callable, order: Callable) -> None:
    assert red(drawer().draw(order(odd.PRINT))) > 0


def test_a_page_that_takes_too_long_is_left(drawer: Callable, order: Callable) -> None:
    made = drawer(seconds=0.6)
    started = time.monotonic()
    assert made.draw(order(odd.HANG)) == Undrawn("failed", "drawing it takes longer than 1 s")
    assert time.monotonic() - started < 5
    assert red(made.draw(order(1))) == 1


def test_nobody_waits_for_ever(drawer: Callable, order: Callable) -> None:
    made = drawer(wait_seconds=0.1)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(made.draw, order(odd.SLOW))
        while not made._turn.locked():
            time.sleep(0.01)
        assert "others were still being drawn" in made.draw(order(1)).reason
        assert red(slow.result()) == 1


def test_a_worker_that_nobody_asks_ends_and_another_starts(drawer: Callable, order: Callable) -> None:
    made = drawer(idle_seconds=0.1)
    made.draw(order(1))
    process = made._worker._process
    process.wait(5)
    assert red(made.draw(order(1))) == 1


def test_closing_ends_the_worker_at_its_work(drawer: Callable, order: Callable) -> None:
    made = drawer()
    closing = threading.Timer(0.2, made.close)
    closing.start()
    with pytest.raises(ClosedError):
        made.draw(order(odd.HANG))
    closing.join()
    with pytest.raises(ClosedError):
        made.draw(order(1))


@pytest.mark.parametrize(
    "header",
    [
        b"{}",
        b"[]",
        b"nonsense",
        b'{"drawn": [1, 1, 1.0, 1.0]}',
        b'{"drawn": [0, 1, 1.0, 1.0, 1]}',
        b'{"drawn": [true, 1, 1.0, 1.0, 1]}',
        b'{"drawn": [1, 1, NaN, 1.0, 1]}',
        b'{"drawn": [7000, 7000, 1.0, 1.0, 1]}',
        b'{"undrawn": ["odd", ""]}',
        b'{"undrawn": ["failed", 5]}',
        b'{"undrawn": ["failed", "\\ud800"]}',
    ],
)
def test_nonsense_is_no_answer(header: bytes) -> None:
    with pytest.raises(NonsenseError):
        orders.receive(io.BytesIO(len(header).to_bytes(8, "big") + header + b"abc"))
