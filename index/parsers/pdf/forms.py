"""What is filled into a form: text fields, chosen options, signatures; and text put on top of a page.

A field's own drawing is the best source, for it says what a reader sees and where: the fields of a page
are flattened in memory and everything else on it is taken away. A field that has no drawing, or one that
shows nothing, gives its value. Ticks, buttons, hidden fields and passwords are left out. Nothing here
runs a script of the file.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from index.parsers.pdf.lines import Frames, lines_of
from index.parsers.pdf.paper import PageText, Piece, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pypdfium2 import PdfDocument, PdfPage

_UNSEEN = 1 << 1 | 1 << 5  # hidden, and shown on no screen
_HIDDEN = 1 << 1
_MULTILINE, _PASSWORD = 1 << 12, 1 << 13
_MOST_ANNOTATIONS = 5_000  # of one page
_MOST_OPTIONS = 50_000  # in all fields of a file
_MOST_COMPARISONS = 100_000_000
_MOST_CHARACTERS = 200_000  # in the fields of one page
_NEEDS_DRAWING = re.compile(rb"/NeedAppearances\s+true")
_TYPE = 12.0  # points: the size of type where the file leaves it to the viewer
_BREADTH = 0.5  # of a letter, measured by its height
_LEADING = 1.2


@dataclass(frozen=True, slots=True)
class Field:
    """Something on a page that a text can be typed into; its ``area`` is measured on the displayed page.

    ``drawn`` says that the file holds its drawing, ``stale`` that this may show an older value.
    """

    value: str
    area: tuple[float, float, float, float]
    size: float
    multiline: bool
    drawn: bool
    stale: bool


class Form:
    """The form of an open document; without ``handle`` it has none, and only loose text is found."""

    def __init__(self, handle: Any, settings: Any, stale: bool) -> None:  # noqa: ANN401 - PDFium's own
        """PDFium reads ``settings`` for as long as the handle lives."""
        self._handle = handle
        self._settings = settings
        self._stale = stale
        self._options = _MOST_OPTIONS

    def close(self) -> None:
        """Give the handle back, before the document is closed."""
        import pypdfium2.raw as raw

        if self._handle:
            raw.FPDFDOC_ExitFormFillEnvironment(self._handle)
            self._handle = None

    def fields(self, page: PdfPage, view: View) -> list[Field]:
        """What can be read of a page's annotations; those that can't are hidden from now on."""
        import pypdfium2.raw as raw

        found: list[Field] = []
        left = _MOST_CHARACTERS
        for number in range(raw.FPDFPage_GetAnnotCount(page)):
            annotation = raw.FPDFPage_GetAnnot(page, number) if number < _MOST_ANNOTATIONS else None
            if not annotation:
                continue
            field = self._field(annotation, view) if left > 0 else None
            if field is not None:
                left -= len(field.value)
                found.append(field)
            if field is None or not field.drawn:
                raw.FPDFAnnot_SetFlags(annotation, raw.FPDFAnnot_GetFlags(annotation) | _HIDDEN)
            raw.FPDFPage_CloseAnnot(annotation)
        return found

    def _field(self, annotation: Any, view: View) -> Field | None:  # noqa: ANN401 - PDFium's own
        import pypdfium2.raw as raw

        subtype = raw.FPDFAnnot_GetSubtype(annotation)
        drawn = bool(raw.FPDFAnnot_HasKey(annotation, b"AP"))
        if raw.FPDFAnnot_GetFlags(annotation) & _UNSEEN:
            return None
        if subtype == raw.FPDF_ANNOT_FREETEXT:
            value = _told(raw.FPDFAnnot_GetStringValue, annotation, b"Contents")
            return Field(value, _area(annotation, view), 0, True, drawn, False) if value or drawn else None
        if subtype == raw.FPDF_ANNOT_STAMP:
            return Field("", _area(annotation, view), 0, False, True, False) if drawn else None
        if subtype != raw.FPDF_ANNOT_WIDGET or not self._handle:
            return None
        kind = raw.FPDFAnnot_GetFormFieldType(self._handle, annotation)
        flags = raw.FPDFAnnot_GetFormFieldFlags(self._handle, annotation)
        if kind == raw.FPDF_FORMFIELD_SIGNATURE:
            return Field("", _area(annotation, view), 0, False, True, False) if drawn else None
        if kind == raw.FPDF_FORMFIELD_TEXTFIELD:
            value = (
                "" if flags & _PASSWORD else _told(raw.FPDFAnnot_GetFormFieldValue, self._handle, annotation)
            )
        elif kind in (raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX):
            # The drawing of a list shows what was not chosen, too.
            drawn = drawn and kind == raw.FPDF_FORMFIELD_COMBOBOX
            value = self._chosen(annotation)
        else:
            return None
        if not value.strip():
            return None
        size = ctypes.c_float()
        raw.FPDFAnnot_GetFontSize(self._handle, annotation, size)
        multiline = kind != raw.FPDF_FORMFIELD_COMBOBOX and bool(flags & _MULTILINE)
        return Field(value, _area(annotation, view), size.value, multiline, drawn, self._stale)

    def _chosen(self, annotation: Any) -> str:  # noqa: ANN401 - PDFium's own
        """The names of the chosen options, one a line; what was typed where it is no option."""
        import pypdfium2.raw as raw

        count = min(max(raw.FPDFAnnot_GetOptionCount(self._handle, annotation), 0), self._options)
        self._options -= count
        names = [
            _told(raw.FPDFAnnot_GetOptionLabel, self._handle, annotation, number)
            for number in range(count)
            if raw.FPDFAnnot_IsOptionSelected(self._handle, annotation, number)
        ]
        return "\n".join(names) or self._value(annotation)

    def _value(self, annotation: Any) -> str:  # noqa: ANN401 - PDFium's own
        import pypdfium2.raw as raw

        return _told(raw.FPDFAnnot_GetFormFieldValue, self._handle, annotation)


def entered(document: PdfDocument, data: bytes) -> Form:
    """The form of a document, to be closed before it."""
    import pypdfium2.raw as raw

    if document.get_formtype() == raw.FORMTYPE_NONE:
        return Form(None, None, False)
    settings = raw.FPDF_FORMFILLINFO(version=2)  # without a platform for scripts
    handle = raw.FPDFDOC_InitFormFillEnvironment(document, settings)
    return Form(handle, settings, _NEEDS_DRAWING.search(data) is not None)


def flattened(page: PdfPage, fields: Sequence[Field]) -> bool:
    """Whether the page was changed, in memory, so that what its fields show is a part of it.

    It must be loaded again to be seen. Its own size may be wrong afterwards, and its own text as well.
    """
    import pypdfium2.raw as raw

    if not any(field.drawn for field in fields):
        return False
    flat = raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
    return bool(flat == raw.FLATTEN_SUCCESS)


def strip(page: PdfPage) -> None:
    """Take everything off a flattened page but what its fields show, which is its last object."""
    import pypdfium2.raw as raw

    for _ in range(raw.FPDFPage_CountObjects(page) - 1):
        thing = raw.FPDFPage_GetObject(page, 0)
        if not raw.FPDFPage_RemoveObject(page, thing):
            return
        raw.FPDFPageObj_Destroy(thing)


def pieces(fields: Sequence[Field], shown: PageText | None) -> tuple[Piece, ...]:
    """What stands in the fields, line by line; ``shown`` is the text of their drawings."""
    import numpy as np

    if (
        shown is None
        or not 0 < len(shown.text) <= _MOST_CHARACTERS
        or len(shown.text) * len(fields) > _MOST_COMPARISONS
    ):
        return tuple(piece for number, field in enumerate(fields) for piece in _laid(field, number))
    owners = np.full(len(shown.text), -1)
    inked = np.array([not letter.isspace() for letter in shown.text])
    found: list[Piece] = []
    solid: set[int] = set()
    for number, field in enumerate(fields):
        inside = _inside(shown, field.area) & (owners < 0)
        text = "".join(shown.text[place] for place in np.flatnonzero(inside & inked))
        if _shows(field, text):
            owners[inside] = number
            if text == field.value:  # its letters may stand so far apart that spaces seem to part them
                solid.add(number)
        else:
            found += _laid(field, number)
            owners[inside] = len(fields)
    found += _drawn_pieces(fields, shown, owners, solid)
    return tuple(sorted(found, key=lambda piece: piece.field))


def _shows(field: Field, text: str) -> bool:
    """Whether a field's drawing, whose letters are ``text``, is what a reader sees in it."""
    if not field.value:
        return True
    return bool(text) and (not field.stale or _words(text) == _words(field.value))


def _words(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _inside(shown: PageText, area: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    left, top, right, bottom = shown.boxes.T
    across, down = (left + right) / 2, (top + bottom) / 2
    within: NDArray[np.bool_] = (across >= area[0]) & (across <= area[2]) & (down >= area[1] - 1)
    within &= down <= area[3] + 1
    return within


def _drawn_pieces(
    fields: Sequence[Field], shown: PageText, owners: NDArray[np.intp], solid: set[int]
) -> Iterator[Piece]:
    for line in lines_of(shown, Frames(shown)):
        inked = [place for place in line.chars if not shown.text[place].isspace()]
        for owner, members in groupby(inked, key=lambda place: int(owners[place])):
            places = list(members)
            if not 0 <= owner < len(fields):
                continue
            if owner not in solid:
                places = list(range(places[0], places[-1] + 1))
            text = "".join(shown.text[place] for place in places)
            yield Piece(text, shown.boxes[places], line.turn, owner, fields[owner].area)


def _laid(field: Field, number: int) -> Iterator[Piece]:
    """A field's value where a viewer would write it, more or less."""
    import numpy as np

    left, top, right, bottom = field.area
    width, height = right - left, bottom - top
    size = field.size if field.size > 0 else min(_TYPE, height / _LEADING)
    lines = [line for line in field.value.splitlines() if line.strip()]
    if field.multiline:
        room = max(1, int(width / max(_BREADTH * size, 0.1)))
        lines = [part for line in lines for part in wrap(line, room, break_long_words=False)]
    if not lines:
        return
    step = min(_LEADING * size, height / len(lines))
    if len(lines) == 1 and not field.multiline:
        top += (height - step) / 2
    for row, line in enumerate(lines):
        breadth = min(_BREADTH * size, width / len(line))
        edges = left + breadth * np.arange(len(line) + 1)
        level = np.full(len(line), top + step * row)
        boxes = np.stack([edges[:-1], level, edges[1:], level + step], axis=1, dtype=np.float32)
        yield Piece(line, boxes, 0, number, field.area)


def _area(annotation: Any, view: View) -> tuple[float, float, float, float]:  # noqa: ANN401 - PDFium's own
    """The rectangle of an annotation on the displayed page."""
    import numpy as np
    import pypdfium2.raw as raw

    rect = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, rect)
    low, high = sorted((rect.bottom, rect.top))
    near, far = sorted((rect.left, rect.right))
    left, top, right, bottom = view.displayed(np.array([[near, low, far, high]], np.float32))[0].tolist()
    return left, top, right, bottom


def _told(ask: Callable[..., int], *arguments: object) -> str:
    """A text that PDFium gives, at most so long as the fields of a page may be."""
    size = ask(*arguments, None, 0)
    if not 2 < size <= 2 * _MOST_CHARACTERS:
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    ask(*arguments, buffer, size)
    return bytes(buffer)[: size - 2].decode("utf-16-le", "ignore").rstrip("\0")
