"""Word documents: headings, paragraphs, lists, tables, notes and text boxes in the order of the text.

What Word shows is what is read: insertions are kept and deletions left out, results of fields are kept
and their codes left out, as are hidden text, comments, running heads and generated tables of contents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from index.errors import CorruptError, EmptyFileError, NoTextLayerError, UnsupportedError
from index.model import BlockKind, Document
from index.parsers.header_rows import header_place
from index.parsers.office.docx_styles import (
    TYPED_BULLET,
    Style,
    character_of,
    could_head,
    is_item,
    is_on,
    level_of,
    read_styles,
    runs_on,
    unlisted_style,
)
from index.parsers.office.drawings import chart_data, diagram_lines
from index.parsers.office.lock import unlocked_package
from index.parsers.office.package import Package, chosen, relation_id
from index.parsers.writer import Writer, folded
from index.parsers.xml_reading import child, children, local, nodes, value

if TYPE_CHECKING:
    from lxml.etree import _Element

# Elements that Word does not show as text.
_UNSEEN = frozenset(
    "rPr pPr tblPr trPr tcPr sectPr sdtPr sdtEndPr del moveFrom delText instrText delInstrText rt fldData"
    " footnoteRef endnoteRef annotationRef commentReference softHyphen".split()
)
_WRAPPERS = frozenset("sdt sdtContent customXml smartTag ins moveTo Choice Fallback AlternateContent".split())
_SEPARATE = frozenset(("txbxContent", "tbl", "p", "chart", "relIds"))
_NOTES = {"footnoteReference": "footnote", "endnoteReference": "endnote"}
_PAGE_BREAK = "lastRenderedPageBreak"
_LONG_CELL = 1_000
_FIELD_DEPTH = 100
_TABLE_DEPTH = 6  # tables nested deeper than this are not looked through for what they hold


def parse(data: bytes, passwords: Sequence[str] = ()) -> Document:
    """Read a .docx or .docm.

    Raises:
        EmptyFileError: There is no text.
        NoTextLayerError: There are pictures, but no text.
        EncryptedError: None of the passwords fits.
        UnsupportedError: It is a Word file from before 2007.
        CorruptError: It is damaged, or no Word document.
    """
    package = Package(unlocked_package(data, passwords))
    name = package.main("word/document.xml")
    body = child(package.xml(name), "body")
    if body is None:
        raise CorruptError("the file is no Word document, whatever its name says")
    reader = _Reader(package, name, body)
    reader.read(body)
    properties = package.properties()
    try:
        return reader.writer.document(
            properties.title or " ".join(reader.titles), author=properties.author, date=properties.date
        )
    except EmptyFileError as error:
        if next(body.iter("{*}blip", "{*}imagedata"), None) is not None:
            raise NoTextLayerError("the document holds pictures but no text; OCR is not built in") from error
        if next(body.iter("{*}altChunk"), None) is not None:
            raise UnsupportedError(
                "its text is a file of another format inside; open and save it in Word"
            ) from error
        raise


class _Reader:
    """Walks through the body and writes what is seen."""

    def __init__(self, package: Package, name: str, body: _Element) -> None:
        self.writer = Writer()
        self.titles: list[str] = []
        self._begun = False  # whether anything but the title was written
        self._fields: list[bool] = []  # for each open field, whether its result has begun
        self._codes = 0  # how many of these are still in their code
        self._depth = 0  # of tables that arrange the page
        self._waiting: list[_Element] = []  # notes and boxes, to be written after what refers to them
        self._carried: list[str] = []  # the beginning of the next paragraph
        self._texted = False
        self._leading = self._trailing = 0  # page breaks before and after the first word of a unit
        self._notes: dict[tuple[str, str], _Element] = {}
        self._styles: dict[str, Style] = {}
        self._package = package
        self._relations = package.relations(name)
        for relation in self._relations.values():
            if relation.kind == "styles":
                self._styles = read_styles(package.xml(relation.target))
            elif relation.kind in ("footnotes", "endnotes"):
                kind = relation.kind.removesuffix("s")
                for note in children(package.xml(relation.target), kind):
                    self._notes[kind, value(note, "id") or ""] = note
        self._paged = _knows_pages(package, body)
        self._turn(1)

    def read(self, container: _Element | None) -> None:
        """Write the paragraphs and tables of a container."""
        for node in nodes(container):
            name = local(node)
            if name == "p":
                self._paragraph(node)
            elif name == "tbl":
                self._table(node)
            elif name == "AlternateContent":
                self.read(chosen(node))
            elif not self._is_unseen(node, name):
                self.read(node)
        if self._carried:
            carried, self._carried = self._carried, []
            self._write("".join(carried), None, Style())

    def _paragraph(self, paragraph: _Element) -> None:
        properties = child(paragraph, "pPr")
        style = self._style(properties)
        self._carried.append(self._words(paragraph, style))
        leading, trailing = self._breaks()
        self._turn(leading)
        if not runs_on(properties):
            carried, self._carried = self._carried, []
            if not style.generated:
                self._write("".join(carried), properties, style)
            self._write_waiting()
        self._turn(trailing)

    def _write(self, text: str, properties: _Element | None, style: Style) -> None:
        if not folded(text):
            return
        level = level_of(properties, style)
        if style.title and not self._begun:
            self.titles.append(folded(text))
            self.writer.title(text)
            return
        self._begun = True
        if style.title or (level is not None and could_head(text)):
            # Titles inside a document (of its chapters) are above all headings.
            self.writer.heading(text, 0 if style.title else level or 1)
        else:
            typed = TYPED_BULLET.match(text)
            kind: BlockKind = "item" if typed or is_item(properties, style) else "prose"
            self.writer.block(text[typed.end() :] if typed else text, kind)

    def _write_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for node in waiting:
            name = local(node)
            if name == "p":
                self._paragraph(node)
            elif name == "tbl":
                self._table(node)
            elif name in ("chart", "relIds"):
                self._drawing(node, name)
            else:
                self.read(node)

    def _drawing(self, node: _Element, name: str) -> None:
        relation = self._relations.get((relation_id(node) if name == "chart" else value(node, "dm")) or "")
        root = self._package.xml(relation.target) if relation else None
        if name == "relIds":
            for line in diagram_lines(root):
                self.writer.block(line, "item")
            return
        title, rows = chart_data(root)
        self.writer.block(title)
        self.writer.table(rows, headed=bool(rows) and any(rows[0]))

    def _style(self, properties: _Element | None) -> Style:
        name = value(child(properties, "pStyle")) or ""
        return self._styles.get(name) or unlisted_style(name)

    # Words

    def _words(self, paragraph: _Element, style: Style) -> str:
        out: list[str] = []
        self._inline(paragraph, style.hidden, out)
        if self._codes:  # broken: a code ends in the paragraph that it begins in
            self._fields = [begun for begun in self._fields if begun]
            self._codes = 0
        return "".join(out)

    def _inline(self, element: _Element | None, hidden: bool, out: list[str]) -> None:
        for node in nodes(element):
            name = local(node)
            if name == "fldChar":
                self._field(value(node, "fldCharType"))
            elif name == _PAGE_BREAK:
                self._count_breaks(1)
            elif (character := character_of(node, name)) is not None:
                if not hidden and not self._codes:
                    self._texted = self._texted or not character.isspace()
                    out.append(character)
            elif name in _SEPARATE or name in _NOTES:
                if not hidden and not self._codes:
                    self._refer(node, name)
                if is_on(value(node, "customMarkFollows"), absent=False):
                    return
            elif not self._is_unseen(node, name):
                inside = chosen(node) if name == "AlternateContent" else node
                self._inline(inside, self._hides(node, hidden) if name == "r" else hidden, out)

    def _hides(self, run: _Element, hidden: bool) -> bool:
        properties = child(run, "rPr")
        vanish = child(properties, "vanish")
        if vanish is not None:
            return is_on(value(vanish))
        style = value(child(properties, "rStyle"))
        return hidden or (style is not None and style in self._styles and self._styles[style].hidden)

    def _field(self, kind: str | None) -> None:
        if kind == "begin":
            if len(self._fields) >= _FIELD_DEPTH:
                self._fields.clear()
                self._codes = 0
            self._fields.append(False)
            self._codes += 1
        elif self._fields and kind == "separate":
            self._codes -= not self._fields[-1]
            self._fields[-1] = True
        elif self._fields and kind == "end":
            self._codes -= not self._fields.pop()

    def _refer(self, node: _Element, name: str) -> None:
        """Keep a box, or the note that is referred to, for after the paragraph."""
        found: _Element | None = node
        if name in _NOTES:
            found = self._notes.pop((_NOTES[name], value(node, "id") or ""), None)
        if found is not None:
            self._waiting.append(found)

    def _is_unseen(self, node: _Element, name: str) -> bool:
        if name not in _UNSEEN and not (name == "sdt" and _is_placeholder(node)):
            return False
        if name in ("sdt", "del", "moveFrom"):
            self._count_breaks(sum(1 for _ in node.iter("{*}" + _PAGE_BREAK)))
        return True

    # Tables

    def _table(self, table: _Element) -> None:
        rows = [(row, list(_found(row, "tc"))) for row in _found(table, "tr") if not _is_gone(row)]
        if self._depth >= _TABLE_DEPTH or self._arranges([cells for _, cells in rows]):
            self._depth += 1
            for _, cells in rows:
                for cell in cells:
                    if not _continues(cell):
                        self.read(cell)
            self._depth -= 1
            return
        read: list[tuple[_Element, list[str], int, int]] = []
        for row, cells in rows:
            texts = [self._cell(cell) for cell in cells if not _continues(cell, across=True)]
            read.append((row, texts, *self._breaks()))
        seen = [(row, texts) for row, texts, _, _ in read if any(map(folded, texts))]
        if len(seen) > 2 and len(seen[0][1]) == 1:  # a title across all columns
            self.writer.table([seen[0][1]], headed=False)
            read = read[next(place for place, row in enumerate(read) if row[0] is seen[0][0]) + 1 :]
            del seen[0]
        self._begun = self._begun or bool(seen)
        self.writer.table(self._pages_of(read), headed=_is_headed(table, seen))
        self._write_waiting()

    def _pages_of(self, rows: Iterable[tuple[_Element, list[str], int, int]]) -> Iterator[list[str]]:
        for _, texts, leading, trailing in rows:
            self._turn(leading)
            yield texts
            self._turn(trailing)

    def _cell(self, cell: _Element) -> str:
        if _continues(cell):
            return ""
        return "\n".join(
            self._words(paragraph, self._style(child(paragraph, "pPr"))) for paragraph in _paragraphs(cell)
        )

    def _arranges(self, rows: Sequence[Sequence[_Element]]) -> bool:
        """Whether a table only arranges the page, so that its cells are read as blocks of their own."""
        if max(map(len, rows), default=0) <= 1:
            return True
        for place, cells in enumerate(rows):
            for cell in cells:
                if sum(len(text.text or "") for text in cell.iter("{*}t")) > _LONG_CELL:
                    return True
                if len(rows) <= 2 and next(cell.iter("{*}tbl"), None) is not None:
                    return True
                if (place or len(rows) == 1) and any(map(self._is_heading, _paragraphs(cell))):
                    return True
        return False

    def _is_heading(self, paragraph: _Element) -> bool:
        properties = child(paragraph, "pPr")
        return level_of(properties, self._style(properties)) is not None

    # Pages

    def _count_breaks(self, count: int) -> None:
        if self._texted:
            self._trailing += count
        else:
            self._leading += count

    def _breaks(self) -> tuple[int, int]:
        """The page breaks before and after the first word of what was read since the last call."""
        found = self._leading, self._trailing
        self._leading = self._trailing = 0
        self._texted = False
        return found

    def _turn(self, count: int) -> None:
        for _ in range(count if self._paged else 0):
            self.writer.page()


def _is_placeholder(control: _Element) -> bool:
    """Whether a content control holds nothing but its prompt, or a table of contents."""
    settings = child(control, "sdtPr")
    prompt = child(settings, "showingPlcHdr")
    if prompt is not None and is_on(value(prompt)):
        return True
    gallery = value(child(settings, "docPartObj", "docPartGallery"))
    return gallery is not None and gallery.lower() == "table of contents"


def _found(container: _Element | None, wanted: str) -> Iterator[_Element]:
    """The rows of a table, or the cells of a row, also inside content controls and insertions."""
    for node in nodes(container):
        name = local(node)
        if name == wanted:
            yield node
        elif name in _WRAPPERS:
            yield from _found(chosen(node) if name == "AlternateContent" else node, wanted)


def _paragraphs(container: _Element | None) -> Iterator[_Element]:
    """The paragraphs of a cell, those of tables inside it too."""
    for node in nodes(container):
        name = local(node)
        if name == "p":
            yield node
        elif name == "AlternateContent":
            yield from _paragraphs(chosen(node))
        elif name not in _UNSEEN and not (name == "sdt" and _is_placeholder(node)):
            yield from _paragraphs(node)


def _is_gone(row: _Element) -> bool:
    return child(row, "trPr", "del") is not None


def _continues(cell: _Element, *, across: bool = False) -> bool:
    """Whether a cell is merged with the one above it, or (``across``) the one before it."""
    merge = child(cell, "tcPr", "hMerge" if across else "vMerge")
    return merge is not None and (value(merge) or "continue") == "continue"


def _is_headed(table: _Element, rows: Sequence[tuple[_Element, list[str]]]) -> bool:
    """Whether the first row names the columns: it is marked so, or looks so."""
    if len(rows) < 2:
        return False
    mark = child(rows[0][0], "trPr", "tblHeader")
    if mark is not None and is_on(value(mark)):
        return True
    bold = _is_bold(rows[0][0]) and not _is_bold(rows[1][0])
    look = child(table, "tblPr", "tblLook")
    first = value(look, "firstRow")
    if first is None:
        bits = value(look) or ""
        wanted = re.fullmatch("[0-9A-Fa-f]{1,8}", bits) is not None and bool(int(bits, 16) & 0x20)
    else:
        wanted = is_on(first)
    return header_place([texts for _, texts in rows], named=bold or wanted) == 0


def _is_bold(row: _Element) -> bool:
    runs = [run for run in row.iter("{*}r") if any((text.text or "").strip() for text in children(run, "t"))]
    bolds = [child(run, "rPr", "b") for run in runs]
    return bool(runs) and all(bold is not None and is_on(value(bold)) for bold in bolds)


def _knows_pages(package: Package, body: _Element) -> bool:
    """Whether the breaks that Word left when it last laid the text out are all there.

    It leaves none before a row or an empty paragraph; only where their number agrees with the number of
    pages that Word counted are they of use.
    """
    breaks = sum(1 for _ in body.iter("{*}" + _PAGE_BREAK))
    for relation in package.relations().values():
        if relation.kind == "extended-properties" and breaks:
            count = child(package.xml_if_sound(relation.target), "Pages")
            return count is not None and (count.text or "").strip() == str(breaks + 1)
    return False
