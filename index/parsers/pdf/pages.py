"""What PDFium knows of a file: characters and their boxes, labels, outline, metadata, attachments.

Only this module and `forms`, which it calls, touch PDFium. Everything that leaves it is plain data (see
`paper`).
"""

from __future__ import annotations

import ctypes
import logging
import math
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any

from index.errors import CorruptError, EncryptedError, ParseError
from index.model import Member
from index.parsers.pdf import forms
from index.parsers.pdf.paper import Bookmark, Content, Drawing, PageText, Run, View

if TYPE_CHECKING:
    from PIL.Image import Image
    from pypdfium2 import PdfBookmark, PdfDocument, PdfPage, PdfTextPage

    from index.parsers.pdf.paper import Boxes

logging.getLogger("pypdfium2").addHandler(logging.NullHandler())  # what it finds odd is no user's business
_PDFIUM = threading.Lock()
"""PDFium keeps global state: one thread at a time, in the whole process."""

_RUN = re.compile("[^\r\n\ufffe]+\ufffe?|\ufffe")
_BLANK = " \t\xa0\ufffe"
_CLOSING = re.compile(r"[\W_]+\Z")
_BOLD = re.compile(rb"bold|black|heavy|demi", re.IGNORECASE)
_NAME, _FLAGS = ctypes.create_string_buffer(128), ctypes.c_int()  # used by who holds the lock
_MOST_BOOKMARKS = 20_000
_MOST_CHARACTERS = 2_000_000  # on one page; no reader of paper has ever seen a tenth of it
_MOST_ATTACHMENTS = 100
_LARGEST_ATTACHMENT = 64 << 20
_LARGEST_ATTACHMENTS = 256 << 20
_SLOTS = 8_192
_SLANT = 0.05  # of a quarter turn
_DPI = 300
_MOST_PIXELS = 25_000_000
_LARGEST_PAGE = 1e6  # points: a third of a kilometre
_LONGEST_SIDE = 8_000  # pixels; browsers show no picture that is much longer


@cache
def _slots() -> tuple[Any, list[Any]]:
    """An array of rectangles with pointers into it: making a pointer costs more than filling it."""
    import pypdfium2.raw as raw

    array = (raw.FS_RECTF * _SLOTS)()
    return array, [ctypes.pointer(array[place]) for place in range(_SLOTS)]


def read(data: bytes, passwords: Sequence[str]) -> Content:
    """Read everything but the attachments.

    Raises:
        EncryptedError: None of ``passwords`` opens the file.
        CorruptError: PDFium can't read the file, or none of its pages.
    """
    import pypdfium2

    with _PDFIUM:
        document, password = _opened(data, passwords)
        form = forms.entered(document, data)
        try:
            pages: list[PageText | None] = []
            views: list[View | None] = []
            for number in range(len(document)):
                found: tuple[PageText | None, View | None] = (None, None)
                with suppress(pypdfium2.PdfiumError):
                    found = _page(document, number, form)
                pages.append(found[0])
                views.append(found[1])
            return Content(
                pages,
                [_label(document, number) for number in range(len(pages))],
                list(_bookmarks(document, views)),
                {key: _told(document.get_metadata_value, key) for key in ("Title", "Author", "CreationDate")},
                min(max(document.count_attachments(), 0), _MOST_ATTACHMENTS),
                password,
            )
        finally:
            form.close()
            document.close()


def _opened(data: bytes, passwords: Sequence[str]) -> tuple[PdfDocument, str | None]:
    import pypdfium2

    reason = ""
    for password in (None, *passwords):
        try:
            return pypdfium2.PdfDocument(data, password), password
        except pypdfium2.PdfiumError as error:
            reason = str(error).lower()
            if "password" not in reason:
                break
        except UnicodeEncodeError:  # half a character: no password of this file
            continue
    raise _opening_error(data, reason, len(passwords))


def _opening_error(data: bytes, reason: str, tried: int) -> ParseError:
    if "password" in reason:
        asks = "the PDF asks for another password" if tried else "the PDF asks for a password"
        return EncryptedError(f"{asks}; give its password with --password-file")
    if "security" in reason:
        return EncryptedError("the PDF is protected by a scheme that PDFium does not know")
    if not data:
        return CorruptError("the file is empty: there is no PDF in it")
    if b"%PDF-" not in data[:1024]:
        return CorruptError("the file is not a PDF, whatever its name says")
    return CorruptError("the PDF is broken: it is cut off or damaged")


def _page(document: PdfDocument, number: int, form: forms.Form) -> tuple[PageText, View]:
    page: PdfPage = document[number]
    try:
        view = _view(page)
        own = _content(page, view)
        fields = form.fields(page, view)
        drawn = forms.flattened(page, fields)
    finally:
        page.close()
    if not fields:
        return own, view
    return replace(own, filled=forms.pieces(fields, _drawn(document, number, view) if drawn else None)), view


def _drawn(document: PdfDocument, number: int, view: View) -> PageText:
    """What the fields of a flattened page show."""
    page: PdfPage = document[number]
    try:
        forms.strip(page)
        return _content(page, view)
    finally:
        page.close()


def _content(page: PdfPage, view: View) -> PageText:
    textpage: PdfTextPage = page.get_textpage()
    try:
        text, places = _text(textpage)
        runs = [_run(textpage, places, match, view.quarters) for match in _RUN.finditer(text)]
        return PageText(text, view.displayed(_boxes(textpage, places)), runs, *view.size)
    finally:
        textpage.close()


def _text(textpage: PdfTextPage) -> tuple[str, Sequence[int]]:
    """The text of a page, and for each of its characters PDFium's number of it."""
    count: int = textpage.count_chars()
    if not 0 < count <= _MOST_CHARACTERS:
        return "", ()
    text: str = textpage.get_text_range()
    if len(text) == count:
        return text, range(count)
    # PDFium leaves some characters out of its text, and counts those beyond the BMP as two.
    return _matched(textpage, count)


def _matched(textpage: PdfTextPage, count: int) -> tuple[str, Sequence[int]]:
    import pypdfium2.raw as raw

    indices = list(map(raw.FPDFText_GetTextIndexFromCharIndex, repeat(textpage.raw), range(count)))
    active = [place for place, index in enumerate(indices) if index >= 0]
    if not active:
        return "", ()
    first, last = active[0], active[-1]
    room = indices[last] - indices[first] + 2
    buffer = (ctypes.c_ushort * room)()
    written = raw.FPDFText_GetText(textpage, first, last - first + 1, buffer)
    place_of = {indices[place] - indices[first]: place for place in reversed(active)}
    letters: list[str] = []
    places: list[int] = []
    units = list(buffer[: max(0, min(written, room) - 1)])
    for index, unit in enumerate(units):
        place = place_of.get(index)
        if place is None or 0xDC00 <= unit < 0xE000:
            continue
        if 0xD800 <= unit < 0xDC00:
            low = units[index + 1] if index + 1 < len(units) else 0
            if not 0xDC00 <= low < 0xE000:
                continue
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
        letters.append(chr(unit))
        places.append(place)
    return "".join(letters), places


def _boxes(textpage: PdfTextPage, places: Sequence[int]) -> Boxes:
    """Left, bottom, right and top of each character, as high as its font (not its ink)."""
    import numpy as np
    import pypdfium2.raw as raw

    if not places:
        return np.zeros((0, 4), np.float32)
    count = max(places) + 1
    array, pointers = _slots()
    view = np.frombuffer(array, np.float32).reshape(-1, 4)
    boxes = np.zeros((count, 4), np.float32)
    for start in range(0, count, _SLOTS):
        numbers = range(start, min(start + _SLOTS, count))
        known = list(map(raw.FPDFText_GetLooseCharBox, repeat(textpage.raw), numbers, pointers))
        # PDFium's order is left, top, right, bottom.
        part = view[: len(numbers)][:, [0, 3, 2, 1]]
        boxes[start : numbers.stop] = np.where(np.array(known, dtype=bool)[:, None], part, 0)
    return boxes if isinstance(places, range) else np.take(boxes, places, axis=0)


def _view(page: PdfPage) -> View:
    left, bottom, right, top = page.get_bbox()
    return View(left, bottom, right, top, page.get_rotation() // 90 % 4)


def _run(textpage: PdfTextPage, places: Sequence[int], match: re.Match[str], turned: int) -> Run:
    """A run, with the angle and the weight of its letters on the page as it is displayed."""
    import pypdfium2.raw as raw

    start, end = match.span()
    body = match[0].strip(_BLANK)
    if not body:
        return Run(start, end, 0)
    first = start + match[0].index(body)
    angle = raw.FPDFText_GetCharAngle(textpage, places[first])
    quarters = angle / (math.pi / 2) if math.isfinite(angle) else 0.0
    turns = round(quarters)
    last = first + len(_CLOSING.sub("", body) or body) - 1
    bold = _is_bold(textpage, places[first]), _is_bold(textpage, places[last])
    return Run(start, end, (turned + turns) % 4, abs(quarters - turns) > _SLANT, bold)


def _is_bold(textpage: PdfTextPage, place: int) -> bool:
    import pypdfium2.raw as raw

    size = raw.FPDFText_GetFontInfo(textpage, place, _NAME, len(_NAME), _FLAGS)
    return 0 < size <= len(_NAME) and _BOLD.search(_NAME.value) is not None


def _label(document: PdfDocument, number: int) -> str | None:
    return _told(document.get_page_label, number) or None


def _told(ask: Callable[..., str], *arguments: object) -> str:
    """A name that the file gives; empty where it is no text, such as half a character."""
    try:
        return ask(*arguments).strip("\0 ")
    except UnicodeDecodeError:
        return ""


def _bookmarks(document: PdfDocument, views: Sequence[View | None]) -> Iterator[Bookmark]:
    for bookmark in islice(document.get_toc(), _MOST_BOOKMARKS):
        page, point = _destination(bookmark)
        if page is not None and page >= len(views):
            page = None
        view = views[page] if page is not None else None
        top = view.top_of(*point) if view is not None and point is not None else None
        yield Bookmark(_told(bookmark.get_title), bookmark.level, page, top)


def _destination(bookmark: PdfBookmark) -> tuple[int | None, tuple[float, float] | None]:
    """The page of a bookmark's destination, and the point on it where there is one."""
    import pypdfium2.raw as raw

    destination = bookmark.get_dest()
    if destination is None:
        return None, None
    page: int | None = destination.get_index()
    mode, view = destination.get_view()
    if mode == raw.PDFDEST_VIEW_XYZ and len(view) >= 2:
        point = (view[0], view[1])
    elif mode in (raw.PDFDEST_VIEW_FITH, raw.PDFDEST_VIEW_FITBH) and view:
        point = (0.0, view[0])
    elif mode == raw.PDFDEST_VIEW_FITR and len(view) == 4:
        point = (view[0], view[3])
    else:
        return page, None
    return page, point if point[1] and all(map(math.isfinite, point)) else None


def attachments(data: bytes, password: str | None) -> Iterator[Member]:
    """The files inside the file, within bounds. Between two of them others may use PDFium."""
    import pypdfium2

    with _PDFIUM:
        document = pypdfium2.PdfDocument(data, password)
    try:
        left = _LARGEST_ATTACHMENTS
        for number in range(min(document.count_attachments(), _MOST_ATTACHMENTS)):
            try:
                with _PDFIUM:
                    attachment = document.get_attachment(number)
                    name = _told(attachment.get_name)
                    content = bytes(attachment.get_data())
            except pypdfium2.PdfiumError:
                continue
            if len(content) <= min(left, _LARGEST_ATTACHMENT):
                left -= len(content)
                yield Member(name or f"attachment {number + 1}", content)
    finally:
        with _PDFIUM:
            document.close()


def picture(
    data: bytes, password: str | None, number: int, annotations: bool = True
) -> tuple[Image, float] | None:
    """A page as a grey picture, with its pixels per point; None where it can't be drawn."""
    import pypdfium2

    with _PDFIUM:
        document = pypdfium2.PdfDocument(data, password)
        try:
            page: PdfPage = document[number]
            width, height = page.get_size()
            scale = min(_DPI / 72, math.sqrt(_MOST_PIXELS / max(1.0, width * height)))
            drawn = page.render(scale=scale, grayscale=True, draw_annots=annotations)
            return drawn.to_pil(), scale
        except pypdfium2.PdfiumError:
            return None
        finally:
            document.close()


def drawn(data: bytes, number: int, scale: float, most_pixels: int) -> tuple[Drawing | None, int]:
    """A page in colours, its fields filled in, with the number of pages; None where it has no such page.

    ``scale`` is in pixels a point; it is lowered where the picture would have more than ``most_pixels``.

    Raises:
        EncryptedError: The file asks for a password.
        CorruptError: PDFium can't read the file, or can't draw the page.
    """
    import pypdfium2

    with _PDFIUM:
        document, _ = _opened(data, ())
        try:
            with suppress(pypdfium2.PdfiumError):  # without it a page lacks the fields that have no drawing
                document.init_forms()
            count = len(document)
            if not 0 <= number < count:
                return None, count
            page: PdfPage = document[number]
            size = _view(page).size
            if not all(0 < side <= _LARGEST_PAGE for side in size):
                raise CorruptError("the page is of no size that can be drawn")
            width, height = size
            fitting = min(scale, math.sqrt(most_pixels / (width * height)), _LONGEST_SIDE / max(size))
            found = page.render(scale=fitting, rev_byteorder=True)
            return Drawing(found.width, found.height, bytes(found.buffer), width, height), count
        except pypdfium2.PdfiumError as error:
            raise CorruptError("the page is damaged") from error
        finally:
            document.close()
