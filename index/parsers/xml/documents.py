"""XML whose vocabulary is one for documents: DocBook, JATS, TEI, FictionBook and their like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from index.model import BlockKind, Document
from index.parsers.writer import Writer, folded
from index.parsers.xml.elements import is_mixed, name_of, own_name, text_in

if TYPE_CHECKING:
    from lxml.etree import _Element

_MOST_AUTHORS = 20
_LINE_LENGTH = 160
_BREAK = "\0"  # a line break that is meant; XML itself can't hold this character
_ISO = re.compile(r"\d{4}(?:-\d\d){0,2}")


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


_HIDDEN = _names("binary stylesheet indexterm tex-math imagedata textobject")
_PROSE = _names("p para simpara paragraph formalpara subtitle epigraph text-author attrib chapeau")
_HEADINGS = _names("title head heading bridgehead article-title h1 h2 h3 h4 h5 h6")
_CAPTIONED = _names(
    "figure fig table table-wrap example equation list blockquote note warning tip important caution poem"
    " itemizedlist orderedlist variablelist procedure informaltable disp-quote boxed-text graphic caption"
    " stanza cit formalpara"
)
_FRONT = re.compile(r".*info|title-group|titlepage|front|article-meta|teiheader|filedesc|titlestmt|label")
_ITEMS = _names("listitem item list-item li varlistentry def-item")
_CODE = _names("programlisting screen literallayout synopsis verbatim")
_ROWS = _names("row tr strow")
_CELLS = _names("entry cell td th")
_TABLES = _names("table informaltable table-wrap simpletable tgroup")
_NOTES = _names("footnote fn note")
_LINES = _names("v l line")
_JOINED = _names(
    "ref biblioentry bibliomixed bibl biblstruct name author editor contrib pub-date person-group kwd-group"
    " citation mixed-citation element-citation math personname keywordset"
)
_BLOCKS = (
    _PROSE
    | _ITEMS
    | _CODE
    | _ROWS
    | _TABLES
    | _NOTES
    | _names("list itemizedlist orderedlist variablelist blockquote disp-quote figure fig section sec div lg")
)


def is_document(root: _Element) -> bool:
    """Whether there are paragraphs, or most text has others' elements inside."""
    mixed = plain = 0
    for element in root.iter("*"):
        if name_of(element) in _PROSE:
            return True
        if is_mixed(element):
            mixed += len(element.text or "") + sum(len(child.tail or "") for child in element)
        elif not len(element):
            plain += len((element.text or "").strip())
    return mixed > plain


def read_document(root: _Element, notice: str) -> Document:
    """What a document shows.

    Raises:
        EmptyFileError: No element holds text.
    """
    return _Reader(root).document(notice)


class _Frame:
    """An element that is being read."""

    __slots__ = ("inline", "name", "opens")

    def __init__(self, name: str, inline: bool, opens: bool) -> None:
        self.name = name
        self.inline = inline  # part of a line of text
        self.opens = opens  # text may stand directly in it: what it holds is part of a line too


class _Reader:
    """One walk over a document's elements."""

    def __init__(self, root: _Element) -> None:
        self._writer = Writer()
        self._root = root
        fiction = name_of(root) == "fictionbook"  # its head is a description, which readers don't show
        self._hidden = _HIDDEN | {"description"} if fiction else _HIDDEN
        self._book = _first(root, ("book-title",)) if fiction else ""
        self._title: str | None = None
        self._line: list[str] = []
        self._labelled = False  # the line begins with a label, and what it labels follows
        self._frames: list[_Frame] = []
        self._whole = ""  # the element whose text is taken as one line; it began at this depth:
        self._whole_depth = 0
        self._items = 0
        self._rows: list[tuple[bool, list[str]]] | None = None
        self._tables = 0
        self._around: list[tuple[list[str], bool]] = []  # the lines that footnotes interrupt
        self._notes: list[str] = []
        self._read()

    def document(self, notice: str) -> Document:
        title = self._book or self._title or _first(self._root, ("book-title", "article-title", "title"))
        return self._writer.document(
            title,
            author=", ".join(filter(None, _authors(self._root))),
            date=_date(self._root),
            notice=notice,
        )

    def _read(self) -> None:
        from lxml import etree

        walk = etree.iterwalk(self._root, events=("start", "end"))
        for event, element in walk:
            name = name_of(element)
            if event == "start":
                if not name:
                    continue  # a reference to an entity that nobody declared
                if name in self._hidden:
                    walk.skip_subtree()
                    self._frames.append(_Frame("", True, True))
                else:
                    self._open(element, name)
                    self._add(element.text or "")
                continue
            if name:
                self._close(element)
            if element is not self._root:
                self._add(element.tail or "")
        self._flush()

    def _add(self, text: str) -> None:
        if self._labelled and text.strip():
            self._labelled = False
        self._line.append(text)

    def _open(self, element: _Element, name: str) -> None:
        above = self._frames[-1] if self._frames else _Frame("", False, False)
        inline = above.opens and name not in _BLOCKS
        if self._whole:
            if not inline or name in _CELLS:
                self._line.append(" ")
            self._frames.append(_Frame(name, True, above.opens))
            return
        note = name in _NOTES and (above.opens or bool(self._around))
        if note:
            self._around.append((self._line, above.inline))
            self._line = []
        elif not inline and name not in _LINES:
            self._flush(opening=True)
        opens = inline or name in _PROSE | _CODE | _LINES or is_mixed(element)
        self._frames.append(_Frame(name, inline, opens))
        if not inline and (name in _HEADINGS or name in _JOINED or name in _CELLS):
            self._whole, self._whole_depth = name, len(self._frames)
        if name in _ITEMS:
            self._items += 1
        elif name in _TABLES:
            self._tables += 1
            self._rows = [] if self._tables == 1 else self._rows
        elif name in _ROWS and self._rows is not None:
            headed = any(frame.name == "thead" for frame in self._frames)
            self._rows.append((headed or element.get("role") == "label", []))

    def _close(self, element: _Element) -> None:
        frame = self._frames.pop()
        name = frame.name
        if self._whole:
            if len(self._frames) + 1 > self._whole_depth:
                return
            self._take_whole()
        elif name in _LINES or name in ("br", "lb"):
            self._line.append(_BREAK)
        elif name == "label":
            self._labelled = True
            self._line.append(" ")
        elif name in _NOTES and self._around and not frame.inline:
            self._flush()
            self._line, _ = self._around.pop()
        elif not frame.inline:
            key = own_name(element) if self._is_field(element, frame) else ""
            self._flush(key=key, code=name in _CODE)
        if name in _ITEMS:
            self._items -= 1
        elif name in _TABLES:
            self._end_table()

    def _is_field(self, element: _Element, frame: _Frame) -> bool:
        """Whether a lone element with words is a datum, which its name explains."""
        return not len(element) and not frame.opens and not self._items and frame.name not in _HEADINGS

    def _take_whole(self) -> None:
        """Write a heading, table cell or reference, whose text is one line."""
        name, self._whole = self._whole, ""
        text = folded("".join(self._line).replace(_BREAK, " "))
        self._line.clear()
        self._labelled = False
        if name in _CELLS and self._rows is not None:
            if not self._rows:
                self._rows.append((False, []))
            self._rows[-1][1].append(text)
        elif name not in _HEADINGS:
            self._writer.block(text, "item" if self._items or name.startswith(("ref", "bibl")) else "prose")
        else:
            self._heading(text)

    def _heading(self, text: str) -> None:
        depth = len(self._frames)
        while depth and _FRONT.fullmatch(self._frames[depth - 1].name):
            depth -= 1
        if depth and (self._frames[depth - 1].name in _CAPTIONED or self._items or self._around):
            self._writer.block(text)
        elif self._title is None and text and (depth <= 1 or self._frames[depth - 1].name == "body"):
            self._title = text
            self._writer.title(text)
        else:
            self._writer.heading(text, depth + 1)

    def _end_table(self) -> None:
        self._tables -= 1
        if self._tables or not self._rows:
            return
        headed = self._rows[0][0] and len(self._rows) > 1
        self._writer.table([cells for _, cells in self._rows], headed=headed)
        self._rows = None

    def _flush(self, *, opening: bool = False, key: str = "", code: bool = False) -> None:
        if opening and self._labelled:
            return
        self._labelled = False
        raw = "".join(self._line)
        self._line.clear()
        if not raw.strip(f" \t\r\n{_BREAK}"):
            return
        text = raw if code else "\n".join(filter(None, map(folded, raw.split(_BREAK))))
        if self._around:
            self._notes.append(text)
            return
        kind: BlockKind = "code" if code else "item" if self._items else "prose"
        if key and kind == "prose" and len(text) <= _LINE_LENGTH:
            self._writer.block(f"{key}: {text}", "row")
        else:
            self._writer.block(text, kind)
        for note in self._notes:
            self._writer.block(note)
        self._notes.clear()


def _first(root: _Element, names: tuple[str, ...]) -> str:
    for name in names:
        for element in root.iter(f"{{*}}{name}"):
            return text_in(element)
    return ""


def _authors(root: _Element) -> Iterator[str]:
    """The people that the head of a document names as its authors."""
    found = 0
    for element in root.iter("{*}author", "{*}contrib"):
        above = element.getparent()
        head = "" if above is None else name_of(above)
        if name_of(element) == "contrib" and element.get("contrib-type") != "author":
            continue
        if name_of(element) == "author" and not re.fullmatch(
            r"(?!document-|publish-).*info|titlestmt|authorgroup", head
        ):
            continue
        yield _person(element)
        found += 1
        if found == _MOST_AUTHORS:
            break


def _person(element: _Element) -> str:
    parts = (("first-name", "firstname", "given-names", "forename"), ("middle-name",))
    given = [_first(element, names) for names in parts]
    family = _first(element, ("last-name", "surname"))
    return " ".join(filter(None, [*given, family])) or text_in(element)


def _date(root: _Element) -> str | None:
    for element in root.iter("{*}date", "{*}pubdate", "{*}pub-date"):
        above = element.getparent()
        if above is None or not re.fullmatch(r".*info|publicationstmt|article-meta", name_of(above)):
            continue
        parts = {name_of(child): (child.text or "").strip().zfill(2) for child in element}
        written = "-".join(parts[name] for name in ("year", "month", "day") if name in parts)
        texts = (element.get("value"), element.get("when"), element.text, written)
        for text in texts:
            if text and _ISO.fullmatch(text.strip()):
                return text.strip()
    return None
