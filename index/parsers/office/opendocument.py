"""OpenDocument texts and presentations: .odt, .ott, .odp, .otp, and their flat forms .fodt and .fodp.

The file is read as a stream and what is open is kept on lists, so nesting can't exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from index.errors import EncryptedError, UnsupportedError
from index.model import BlockKind, Document
from index.parsers.header_rows import header_place
from index.parsers.office.package import Properties
from index.parsers.writer import Writer, folded
from index.parsers.xml_reading import Event, events, local_name
from index.parsers.zipped import Zipped

_NAMES = "urn:oasis:names:tc:opendocument:xmlns"
OFFICE, STYLE, TABLE, TEXT = (f"{{{_NAMES}:{name}:1.0}}" for name in ("office", "style", "table", "text"))
_DRAW, _SHOW, _SVG = (f"{{{_NAMES}:{name}:1.0}}" for name in ("drawing", "presentation", "svg-compatible"))
UNSEEN = frozenset(
    [
        *(f"{OFFICE}{name}" for name in ("annotation", "event-listeners", "forms", "scripts")),
        *(f"{TEXT}{name}-index" for name in ("table", "illustration", "object", "user", "alphabetical")),
        *(f"{TEXT}{name}" for name in ("tracked-changes", "table-of-content", "note-citation")),
        *(f"{TEXT}{name}" for name in ("hidden-text", "hidden-paragraph", "ruby-text", "script")),
        *(f"{TEXT}{name}-decls" for name in ("variable", "sequence", "user-field")),
        *(f"{_SVG}{name}" for name in ("title", "desc")),
    ]
)
"""Elements with words that a reader of the page does not see, or sees in their own place too."""

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d)?)(?:[.,]\d+)?(Z|[+-]\d\d:\d\d)?$")
_SPACE = re.compile(r"\s+")
_AUTOMATIC = re.compile(r"(?:page|slide|folie|diapo\w*)\s*\d*", re.IGNORECASE)
_RUNNING = frozenset(("page-number", "date-time", "footer", "header", "handout", "page"))
_CODE_STYLES = frozenset(("Preformatted_20_Text", "Source_20_Code", "Source_20_Text", "Listing_20_Code"))
_LONG_CELL = 1_000
_REPEATS = 5_000  # of cells that are written once, in a whole document
_REMEDY = "the file asks for a password; save a copy without one (--password-file can't open this format)"

_PieceKind = Literal["title", "heading", "prose", "item", "code", "table"]


def parse(data: bytes) -> Document:
    """Read a text or a presentation.

    Raises:
        EmptyFileError: It holds no text.
        EncryptedError: It asks for a password.
        UnsupportedError: It is no OpenDocument text or presentation.
        CorruptError: It is damaged.
    """
    if data.startswith(b"PK"):
        package = Zipped(data)
        check_open(package)
        if package.find("content.xml") is None:
            raise UnsupportedError("this is not an OpenDocument file")
        return _document(package.events("content.xml"), properties_of(package))
    if b"office:document" not in data[:4096]:
        raise UnsupportedError("this is not an OpenDocument file")
    return _document(_flat(data), _properties(_head(_flat(data))))


def check_open(package: Zipped) -> None:
    """Refuse a file that is encrypted.

    Raises:
        EncryptedError: It asks for a password.
    """
    manifest = package.find("META-INF/manifest.xml")
    if manifest and any(name.endswith("}encryption-data") for _, name, _ in package.events(manifest)):
        raise EncryptedError(_REMEDY)


def properties_of(package: Zipped) -> Properties:
    """What a file says of itself."""
    part = package.find("meta.xml")
    return _properties(package.events(part) if part else ())


def _properties(events: Iterable[Event]) -> Properties:
    found: dict[str, str] = {}
    pieces: list[str] = []
    for kind, name, _ in events:
        if kind == "text":
            pieces.append(name)
            continue
        if kind == "end":
            found.setdefault(local_name(name), "".join(pieces).strip())
        pieces.clear()
    moments = (_MOMENT.match(found.get(name, "")) for name in ("date", "creation-date"))
    return Properties(
        title=found.get("title") or None,
        author=found.get("initial-creator") or found.get("creator") or None,
        date=next((moment[1] + (moment[2] or "") for moment in moments if moment), None),
    )


def inline(kind: str, name: str, attributes: Mapping[str, str]) -> str:
    """The characters that an event inside a paragraph stands for."""
    if kind == "text":
        return _SPACE.sub(" ", name)
    if kind == "start":
        if name == f"{TEXT}s":
            count = attributes.get(f"{TEXT}c", "1")
            return " " * (min(int(count), 200) if count.isascii() and count.isdigit() else 1)
        return {f"{TEXT}tab": "\t", f"{TEXT}line-break": "\n"}.get(name, "")
    return ""


def _flat(data: bytes) -> Iterator[Event]:
    return events((data[place : place + 65_536] for place in range(0, len(data), 65_536)), "document")


def _head(events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        if event.name == f"{OFFICE}body":
            return
        yield event


def _document(events: Iterator[Event], properties: Properties) -> Document:
    reader = _Reader()
    for event in events:
        reader.take(event)
    return reader.writer.document(
        properties.title or reader.title, author=properties.author, date=properties.date
    )


@dataclass(slots=True)
class _Piece:
    """What becomes a heading, a block or a table."""

    kind: _PieceKind
    text: str = ""
    level: int = 1
    rows: list[list[str]] = field(default_factory=list)
    headed: bool = False


@dataclass(slots=True)
class _Paragraph:
    """A paragraph that is being read."""

    kind: _PieceKind
    level: int
    text: list[str] = field(default_factory=list)
    anchored: int = 0  # how deep inside something that is only anchored here


@dataclass(slots=True)
class _Table:
    """A table that is being read. Where it only arranges the page, its pieces are written as they are."""

    rows: list[list[str]] = field(default_factory=list)
    pieces: list[_Piece] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    after: list[_Piece] = field(default_factory=list)
    repeats: int = 1
    header_rows: int = 0
    in_header: bool = False
    layout: bool = False


class _Styles:
    """The styles of a file's own, as far as they say what a paragraph is."""

    def __init__(self) -> None:
        self.hidden: set[str] = set()
        self._parents: dict[str, str] = {}
        self._open = ""

    def take(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == f"{STYLE}style":
            self._open = attributes.get(f"{STYLE}name", "")
            self._parents[self._open] = attributes.get(f"{STYLE}parent-style-name", "")
        elif tag == f"{STYLE}text-properties" and attributes.get(f"{TEXT}display") == "none":
            self.hidden.add(self._open)

    def named(self, attributes: Mapping[str, str]) -> str:
        """The style that a person chose: what a paragraph's own style is made from."""
        name = attributes.get(f"{TEXT}style-name", "")
        return self._parents.get(name) or name


class _Reader:
    """Takes the events of a content.xml and writes what they say."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.title: str | None = None
        self._styles = _Styles()
        self._body = False
        self._skipped = 0
        self._sinks: list[list[_Piece]] = [[]]  # where finished pieces go: the last one
        self._paragraphs: list[_Paragraph] = []
        self._tables: list[_Table] = []
        self._lists = [0]
        self._frames: list[str] = []
        self._notes: list[_Piece] = []
        self._repeats = _REPEATS

    def take(self, event: Event) -> None:
        kind, name, attributes = event
        if self._skipped:
            self._skipped += {"start": 1, "end": -1, "text": 0}[kind]
        elif not self._body:
            self._body = name == f"{OFFICE}body"
            self._styles.take(name, attributes)
        elif kind == "text":
            if self._paragraphs and not self._paragraphs[-1].anchored:
                self._paragraphs[-1].text.append(inline(kind, name, attributes))
        elif kind == "start":
            self._start(name, attributes)
        else:
            self._end(name)

    def _is_unseen(self, name: str, attributes: Mapping[str, str]) -> bool:
        return (
            name in UNSEEN
            or attributes.get(f"{TEXT}style-name") in self._styles.hidden
            or (name == f"{TEXT}section" and attributes.get(f"{TEXT}display") == "none")
            or attributes.get(f"{_SHOW}class") in _RUNNING
            or attributes.get(f"{_SHOW}placeholder") == "true"
        )

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._is_unseen(name, attributes):
            self._skipped = 1
            return
        self._anchor(name, 1)
        if name in (f"{TEXT}p", f"{TEXT}h"):
            self._paragraphs.append(self._paragraph(name, attributes))
            self._sinks.append([])
        elif name in (f"{TEXT}list", f"{TEXT}numbered-paragraph"):
            self._lists[-1] += 1
        elif name in (f"{TEXT}note-body", f"{_DRAW}text-box"):
            self._lists.append(0)
        elif name == f"{_DRAW}frame":
            self._frames.append(attributes.get(f"{_SHOW}class", ""))
        elif name.startswith(TABLE):
            self._start_table(name.removeprefix(TABLE), attributes)
        elif name in (f"{_DRAW}page", f"{_SHOW}notes"):
            self._start_page(name, attributes)
        elif self._paragraphs:
            self._paragraphs[-1].text.append(inline("start", name, attributes))

    def _end(self, name: str) -> None:
        self._anchor(name, -1)
        if name in (f"{TEXT}p", f"{TEXT}h"):
            self._end_paragraph()
        elif name in (f"{TEXT}list", f"{TEXT}numbered-paragraph"):
            self._lists[-1] -= 1
        elif name in (f"{TEXT}note-body", f"{_DRAW}text-box"):
            self._lists.pop()
        elif name == f"{_DRAW}frame":
            self._frames.pop()
        elif name.startswith(TABLE):
            self._end_table(name.removeprefix(TABLE))
        elif name in (f"{_DRAW}page", f"{_SHOW}notes"):
            self._end_page(name)
        elif name == f"{OFFICE}body":
            self._flush()

    def _anchor(self, name: str, step: int) -> None:
        if self._paragraphs and (name == f"{TEXT}note" or name.startswith(_DRAW)):
            self._paragraphs[-1].anchored += step

    def _paragraph(self, name: str, attributes: Mapping[str, str]) -> _Paragraph:
        style = self._styles.named(attributes)
        frame = self._frames[-1] if self._frames else ""
        level = attributes.get(f"{TEXT}outline-level", "1")
        if name == f"{TEXT}h" or (frame == "title" and not self._paragraphs):
            return _Paragraph("heading", min(int(level), 10) if level.isascii() and level.isdigit() else 1)
        if style == "Title" and len(self._sinks) == 1:
            return _Paragraph("title", 1)
        if style in _CODE_STYLES:
            return _Paragraph("code", 0)
        return _Paragraph("item" if self._lists[-1] else "prose", 0)

    def _end_paragraph(self) -> None:
        """Close a paragraph; what is anchored in it (notes, text boxes) follows it."""
        paragraph = self._paragraphs.pop()
        after = self._sinks.pop()
        self._sinks[-1].append(_Piece(paragraph.kind, "".join(paragraph.text), paragraph.level))
        self._sinks[-1].extend(after)
        if len(self._sinks) == 1 and paragraph.kind != "code":
            self._flush()

    def _start_page(self, name: str, attributes: Mapping[str, str]) -> None:
        self._sinks.append([])
        if name == f"{_DRAW}page":
            self._flush()
            label = attributes.get(f"{_DRAW}name", "")
            self.writer.page(None if _AUTOMATIC.fullmatch(label) else folded(label) or None)
            self.writer.leave_headings()

    def _end_page(self, name: str) -> None:
        pieces = self._sinks.pop()
        if name == f"{_SHOW}notes":
            self._notes += pieces
            return
        # Shapes are stored from back to front; a slide is read from its title on.
        pieces.sort(key=lambda piece: piece.kind != "heading")
        self._sinks[-1] += _one_heading(pieces) + self._notes
        self._notes = []
        self._flush()

    def _start_table(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "table":
            self._tables.append(_Table())
        elif not self._tables:
            return
        table = self._tables[-1]
        if name == "table-header-rows":
            table.in_header = True
        elif name == "table-row":
            table.cells = []
        elif name == "table-cell":
            repeated = attributes.get(f"{TABLE}number-columns-repeated", "1")
            table.repeats = int(repeated) if repeated.isascii() and repeated.isdigit() else 1
            self._sinks.append([])
            self._lists.append(0)
        elif name == "covered-table-cell":
            table.cells.append("")

    def _end_table(self, name: str) -> None:
        if not self._tables:
            return
        table = self._tables[-1]
        if name == "table-header-rows":
            table.in_header = False
        elif name == "table-row":
            table.rows.append(table.cells)
            table.header_rows += table.in_header
        elif name == "table-cell":
            self._end_cell(table)
        elif name == "table":
            self._tables.pop()
            self._sinks[-1] += _pieces(table)
            if len(self._sinks) == 1:
                self._flush()

    def _end_cell(self, table: _Table) -> None:
        self._lists.pop()
        pieces = self._sinks.pop()
        table.pieces += pieces
        if any(piece.kind in ("heading", "table", "title") for piece in pieces):
            table.layout = True
            table.cells.append("")
            return
        text = " ".join(filter(None, (folded(piece.text) for piece in pieces)))
        table.layout = table.layout or len(text) > _LONG_CELL
        more = max(0, min(table.repeats - 1, self._repeats))
        self._repeats -= more
        table.cells += [text] * (1 + more)

    def _flush(self) -> None:
        """Write the finished pieces."""
        code: list[str] = []  # each line of it is a paragraph
        for piece in [*self._sinks[0], None]:
            if piece is not None and piece.kind == "code":
                code.append(piece.text)
                continue
            if code:
                self.writer.block("\n".join(code), "code")
                code.clear()
            if piece is not None:
                self._write(piece)
        self._sinks[0].clear()

    def _write(self, piece: _Piece) -> None:
        if piece.kind == "table":
            self.writer.table(piece.rows, headed=piece.headed)
        elif piece.kind == "title" and self.title is None:
            self.title = folded(piece.text) or None
            self.writer.title(piece.text)
        elif piece.kind in ("heading", "title"):
            self.writer.heading(piece.text, piece.level)
        else:
            kind: BlockKind = "item" if piece.kind == "item" else "prose"
            self.writer.block(piece.text, kind)


def _one_heading(pieces: list[_Piece]) -> list[_Piece]:
    """Join the paragraphs of a slide's title."""
    count = sum(1 for piece in pieces if piece.kind == "heading")
    if count < 2:
        return pieces
    return [_Piece("heading", " ".join(piece.text for piece in pieces[:count])), *pieces[count:]]


def _pieces(table: _Table) -> list[_Piece]:
    """A table of data, or the pieces of one that only arranges the page."""
    rows = [row for row in table.rows if any(row)]
    if table.layout or max(map(len, rows), default=0) <= 1:
        return table.pieces
    headed = bool(table.header_rows) or header_place(rows, named=False) == 0
    return [_Piece("table", rows=rows, headed=headed and len(rows) > 1)]
