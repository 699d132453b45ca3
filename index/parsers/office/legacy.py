"""Word and PowerPoint files from before 2007: .doc and .ppt.

office-oxide reads them. Where a Word file uses no styles for its headings, it takes short lines and those in
capitals for headings; a wrong heading can't be quoted, so these guesses are made paragraphs again.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from index.errors import CorruptError, EmptyFileError, EncryptedError, NoTextLayerError
from index.model import Document
from index.parsers.header_rows import header_place
from index.parsers.office import docx, ole, pptx, rtf
from index.parsers.office.docx_styles import TYPED_BULLET, could_head
from index.parsers.office.lock import unlocked
from index.parsers.office.package import Properties
from index.parsers.writer import Writer, folded

_Node = Mapping[str, Any]
"""A piece of what office-oxide read."""

_GUESS_BELOW = 100  # a line of so many bytes may be guessed to be a heading,
_FIRST_BELOW = 60  # and one of so many at the start, in whatever letters
_NOTES = ("footnote", "endnote")
_PLACEHOLDERS = frozenset(("presentation", "powerpoint presentation", "untitled", "slide 1", "folie 1"))


def parse_doc(data: bytes, passwords: Sequence[str] = ()) -> Document:
    """Read a .doc, which may be a .docx or RTF by its content.

    Raises:
        EmptyFileError: There is no text.
        NoTextLayerError: There are pictures, but no text.
        EncryptedError: None of the passwords fits.
        UnsupportedError: It is encrypted in a way that is not known.
        CorruptError: It is damaged, or no Word document.
    """
    if data.startswith(b"PK\3\4"):
        return docx.parse(data, passwords)
    if data.lstrip()[:5] == b"{\\rtf":
        return rtf.parse(data)
    return _read(data, passwords, "doc", _write_document)


def parse_ppt(data: bytes, passwords: Sequence[str] = ()) -> Document:
    """Read a .ppt, which may be a .pptx by its content.

    Raises:
        EmptyFileError: There is no text.
        NoTextLayerError: There are pictures, but no text.
        EncryptedError: None of the passwords fits.
        UnsupportedError: It is encrypted in a way that is not known.
        CorruptError: It is damaged, or no presentation.
    """
    if data.startswith(b"PK\3\4"):
        return pptx.parse(data, passwords)
    return _read(data, passwords, "ppt", _write_slides)


def _read(
    data: bytes,
    passwords: Sequence[str],
    kind: Literal["doc", "ppt"],
    write: Callable[[Writer, Sequence[_Node]], None],
) -> Document:
    import office_oxide

    if not data:
        raise EmptyFileError("the file is empty")
    if not data.startswith(ole.MAGIC):
        raise CorruptError(f"the file is no .{kind} file, whatever its name says")
    plain = unlocked(data, passwords)
    try:
        read: _Node = office_oxide.Document.from_bytes(plain, kind).to_ir()
    except office_oxide.OfficeOxideError as error:
        if "encrypted" in str(error):
            raise EncryptedError("it is encrypted; save a copy of it without a password") from error
        raise CorruptError(
            f"damaged file, or too old ({error}); open it with LibreOffice and save it as .{kind}x"
        ) from error
    writer = Writer()
    write(writer, read["sections"])
    about = _properties(plain)
    cut = "a part of the text could not be read" if read["metadata"].get("text_truncated") else ""
    try:
        return writer.document(about.title, author=about.author, date=about.date, notice=cut)
    except EmptyFileError as error:
        if any(element["type"] == "image" for section in read["sections"] for element in section["elements"]):
            raise NoTextLayerError("there are pictures, but no text") from error
        raise


def _write_document(writer: Writer, sections: Sequence[_Node]) -> None:
    elements = [
        (element, not place) for section in sections for place, element in enumerate(section["elements"])
    ]
    guesses = [_is_guess(element, first) for element, first in elements]
    headings = [element["type"] == "heading" for element, _ in elements]
    styled = any(heading and not guess for heading, guess in zip(headings, guesses, strict=True))
    for place, (element, _) in enumerate(elements):
        # Above headings with styles, the first line is one of them or the title.
        _write(writer, element, headed=not guesses[place] or (styled and not place))


def _is_guess(element: _Node, first: bool) -> bool:
    """Whether office-oxide may have made a heading of this paragraph for its looks alone."""
    if element["type"] != "heading" or element["level"] != (1 if first else 2):
        return False
    text = _text(element).strip()
    size = len(text.encode())
    if size >= _GUESS_BELOW or text.endswith((".", ",")):
        return False
    return not any(letter.islower() for letter in text) or (first and size < _FIRST_BELOW)


def _write_slides(writer: Writer, slides: Sequence[_Node]) -> None:
    for slide in slides:
        writer.page()
        writer.leave_headings()
        for element in (*slide["elements"], *slide.get("speaker_notes", ())):
            _write(writer, element, headed=True)


def _write(writer: Writer, element: _Node, *, headed: bool) -> None:
    kind = element["type"]
    if kind in ("heading", "paragraph"):
        text = _text(element)
        bullet = TYPED_BULLET.match(text)
        if kind == "heading" and headed and could_head(text):
            writer.heading(text, element["level"])
        else:
            writer.block(text[bullet.end() :] if bullet else text, "item" if bullet else "prose")
    elif kind == "list":
        for text in _items(element):
            writer.block(text, "item")
    elif kind == "table":
        rows = [[_flat(cell["content"]) for cell in row["cells"]] for row in element["rows"]]
        filled = [row for row in rows if any(map(folded, row))]
        writer.table(filled, headed=header_place(filled, named=False) == 0)
    elif kind == "text_box" or (kind in _NOTES and element.get("marker") != "comment"):
        for inner in element["content"]:
            _write(writer, inner, headed=False)


def _text(paragraph: _Node) -> str:
    breaks = {"line_break": "\n"}
    return "".join(piece.get("text", breaks.get(piece["type"], "")) for piece in paragraph["content"])


def _items(element: _Node) -> Iterator[str]:
    for item in element["items"]:
        yield _flat(item["content"])
        if item.get("nested"):
            yield from _items(item["nested"])


def _flat(elements: Iterable[_Node]) -> str:
    """The text of a cell or item, whatever it is made of."""
    lines = []
    for element in elements:
        if element["type"] in ("paragraph", "heading"):
            lines.append(_text(element))
        elif element["type"] == "list":
            lines.extend(_items(element))
        elif element["type"] == "table":
            lines.extend(_flat(cell["content"]) for row in element["rows"] for cell in row["cells"])
    return "\n".join(lines)


def _properties(data: bytes) -> Properties:
    """What the file says of itself, without the titles that programs give."""
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            found = ole.summary(container)
    except ole.BROKEN:
        return Properties(None, None, None)
    named = (found.title or "").lower() not in _PLACEHOLDERS
    return found if named else replace(found, title=None)
