"""PowerPoint presentations: every slide a page, its title a heading, its shapes in reading order.

Hidden slides are read too: they keep their numbers, and whoever opens the file sees them. Speaker notes
follow a slide's own text on its page. Footers, dates, slide numbers, comments and what stands on the
masters are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index.errors import CorruptError, EmptyFileError, NoTextLayerError
from index.model import BlockKind, Document
from index.parsers.header_rows import header_place
from index.parsers.office.drawings import chart_data, diagram_lines, words
from index.parsers.office.lock import unlocked_package
from index.parsers.office.package import Package, Relation, chosen, relation_id
from index.parsers.writer import Writer, folded
from index.parsers.xml_reading import child, children, local, nodes, value

if TYPE_CHECKING:
    from lxml.etree import _Element

_Box = tuple[int, int, int, int]
"""Left, top, right and bottom."""

_TITLES = frozenset(("title", "ctrTitle"))
_FURNITURE = frozenset(("ftr", "dt", "sldNum", "hdr"))
_SHAPES = frozenset(("sp", "grpSp", "graphicFrame", "pic", "cxnSp"))
_BULLETS = frozenset(("buChar", "buAutoNum", "buBlip"))
_UNSORTED = 200  # more shapes than these are no layout that rows and columns could be found in


def parse(data: bytes, passwords: Sequence[str] = ()) -> Document:
    """Read a .pptx, .pptm or .ppsx.

    Raises:
        EmptyFileError: There is no text.
        NoTextLayerError: There are pictures, but no text.
        EncryptedError: None of the passwords fits.
        UnsupportedError: It is a PowerPoint file from before 2007.
        CorruptError: It is damaged, or no presentation.
    """
    package = Package(unlocked_package(data, passwords))
    name = package.main("ppt/presentation.xml")
    root = package.xml(name)
    if root is None or local(root) != "presentation":
        raise CorruptError("the file is no PowerPoint presentation, whatever its name says")
    relations = package.relations(name)
    models = _Models(package, root)
    writer = Writer()
    title, pictured, count, missing = "", False, 0, 0
    for entry in children(child(root, "sldIdLst"), "sldId"):
        slide = _Slide(package, _named(relations, relation_id(entry)), models)
        title = title if count else slide.title
        pictured = pictured or slide.pictured
        count += 1
        missing += slide.missing
        slide.write(writer)
    properties = package.properties()
    try:
        return writer.document(
            properties.title or title,
            author=properties.author,
            date=properties.date,
            notice=f"{missing} of {count} slides are missing from the file" if missing else "",
        )
    except EmptyFileError as error:
        if pictured:
            raise NoTextLayerError("the slides hold pictures but no text; OCR is not built in") from error
        raise


@dataclass(frozen=True, slots=True)
class _Piece:
    """A paragraph, or a table where there are ``rows``."""

    text: str = ""
    kind: BlockKind = "prose"
    rows: tuple[tuple[str, ...], ...] = ()
    headed: bool = False


@dataclass(frozen=True, slots=True)
class _Model:
    """What a placeholder of a layout or master lends to those of the slides: its place and bullets."""

    box: _Box | None
    bullets: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class _Shape:
    """A shape and where it stands, None where nothing says it; ``role`` is "" for no placeholder."""

    element: _Element
    box: _Box | None
    role: str
    models: tuple[_Model, ...]


class _Models:
    """The layouts and masters, each read once."""

    def __init__(self, package: Package, presentation: _Element) -> None:
        self.default = _bullets(child(presentation, "defaultTextStyle"))
        self._package = package
        self._layouts: dict[str, tuple[Mapping[str, _Model], str]] = {}
        self._masters: dict[str, tuple[Mapping[str, _Model], Mapping[str, Mapping[str, bool]]]] = {}

    def layout(self, name: str) -> tuple[Mapping[str, _Model], str]:
        """A layout's placeholders, and the name of its master."""
        if name not in self._layouts:
            root = self._package.xml(name)
            master = _of_kind(self._package.relations(name), "slideMaster") if root is not None else ""
            self._layouts[name] = _placeholders(root), master
        return self._layouts[name]

    def master(self, name: str) -> tuple[Mapping[str, _Model], Mapping[str, Mapping[str, bool]]]:
        """A master's placeholders, and the bullets of its styles of text."""
        if name not in self._masters:
            root = self._package.xml(name)
            styles = {local(style): _bullets(style) for style in nodes(child(root, "txStyles"))}
            self._masters[name] = _placeholders(root), styles
        return self._masters[name]


class _Slide:
    """A slide, with the layout and master that its placeholders take after."""

    def __init__(self, package: Package, name: str, models: _Models) -> None:
        root = package.xml(name)
        self._package = package
        self._relations = package.relations(name) if root is not None else {}
        self._layout, master = models.layout(_of_kind(self._relations, "slideLayout"))
        self._master, self._styles = models.master(master)
        self._default = models.default
        self.missing = root is None
        self.pictured = root is not None and next(root.iter("{*}blip"), None) is not None
        shapes = self._placed(child(root, "cSld", "spTree"))
        named = next((shape for shape in shapes if shape.role in _TITLES), None)
        self.title = folded(" ".join(map(words, _paragraphs(named.element)))) if named is not None else ""
        self._pieces = [piece for shape in shapes if shape is not named for piece in self._read(shape)]
        self._pieces.extend(self._notes())

    def write(self, writer: Writer) -> None:
        """Write the slide as a page, its text under its own title only."""
        writer.page()
        writer.leave_headings()
        writer.heading(self.title, 1)
        for piece in self._pieces:
            if piece.rows:
                writer.table(piece.rows, headed=piece.headed)
            else:
                writer.block(piece.text, piece.kind)

    def _placed(self, tree: _Element | None) -> list[_Shape]:
        shapes = []
        for element in _shapes(tree):
            mark = _placeholder(element)
            role = "" if mark is None else value(mark, "type") or "obj"
            models = () if mark is None else tuple(self._models_of(value(mark, "idx") or "", role))
            boxes = (_box(element), *(model.box for model in models))
            box = next((found for found in boxes if found is not None), None)
            if role not in _FURNITURE:
                shapes.append(_Shape(element, box, role, models))
        unplaced = [shape for shape in shapes if shape.box is None]
        return unplaced + _in_reading_order([shape for shape in shapes if shape.box is not None])

    def _read(self, shape: _Shape) -> Iterator[_Piece]:
        name = local(shape.element)
        if name == "grpSp":
            for part in self._placed(shape.element):
                yield from self._read(part)
        elif name == "graphicFrame":
            for graphic in nodes(child(shape.element, "graphic", "graphicData")):
                yield from self._graphic(graphic)
        else:
            styles = self._bullet_styles(shape)
            for paragraph in _paragraphs(shape.element):
                yield _Piece(words(paragraph), "item" if _has_bullet(paragraph, styles) else "prose")

    def _models_of(self, index: str, role: str) -> Iterator[_Model]:
        model = self._layout.get("#" + index) if index else None
        model = model or self._layout.get(role)
        if model is not None:
            yield model
        general = "title" if role in _TITLES else role if role in self._master else "body"
        if general in self._master:
            yield self._master[general]

    def _bullet_styles(self, shape: _Shape) -> list[Mapping[str, bool]]:
        """Where it is set whether a shape's text has bullets, nearest first."""
        kind = "titleStyle" if shape.role in _TITLES else "bodyStyle" if shape.role else "otherStyle"
        return [
            _bullets(child(shape.element, "txBody", "lstStyle")),
            *(model.bullets for model in shape.models),
            self._styles.get(kind, {}),
            self._default,
        ]

    def _graphic(self, graphic: _Element) -> Iterator[_Piece]:
        name = local(graphic)
        if name == "tbl":
            yield from _table(graphic)
        elif name == "chart":
            title, rows = chart_data(self._package.xml(_named(self._relations, relation_id(graphic))))
            yield _Piece(title)
            if rows:
                yield _Piece(rows=rows, headed=any(rows[0]))
        elif name == "relIds":
            data = self._package.xml(_named(self._relations, value(graphic, "dm") or ""))
            for line in diagram_lines(data):
                yield _Piece(line, "item")

    def _notes(self) -> Iterator[_Piece]:
        root = self._package.xml(_of_kind(self._relations, "notesSlide"))
        for element in _shapes(child(root, "cSld", "spTree")):
            if value(_placeholder(element), "type") == "body":
                for paragraph in _paragraphs(element):
                    yield _Piece(words(paragraph))


def _named(relations: Mapping[str, Relation], identity: str) -> str:
    """The part that a relation names; "" without one."""
    relation = relations.get(identity)
    return relation.target if relation else ""


def _of_kind(relations: Mapping[str, Relation], kind: str) -> str:
    """The first part that is related in some way; "" without one."""
    return next((relation.target for relation in relations.values() if relation.kind == kind), "")


def _shapes(tree: _Element | None) -> Iterator[_Element]:
    for node in nodes(tree):
        name = local(node)
        if name in _SHAPES:
            yield node
        elif name == "AlternateContent":
            yield from _shapes(chosen(node))


def _placeholder(shape: _Element) -> _Element | None:
    for node in shape:
        if local(node).startswith("nv"):
            return child(node, "nvPr", "ph")
    return None


def _placeholders(root: _Element | None) -> dict[str, _Model]:
    """The placeholders of a layout or master, by "#index" and by type."""
    found: dict[str, _Model] = {}
    for shape in _shapes(child(root, "cSld", "spTree")):
        mark = _placeholder(shape)
        if mark is not None:
            model = _Model(_box(shape), _bullets(child(shape, "txBody", "lstStyle")))
            found.setdefault("#" + (value(mark, "idx") or ""), model)
            found.setdefault(value(mark, "type") or "obj", model)
    return found


def _bullets(style: _Element | None) -> dict[str, bool]:
    """For each level that a list style speaks of, whether it has a bullet."""
    found: dict[str, bool] = {}
    for level in nodes(style):
        bulleted = _is_bulleted(level)
        if bulleted is not None:
            found[local(level)] = bulleted
    return found


def _is_bulleted(settings: _Element | None) -> bool | None:
    for setting in nodes(settings):
        if local(setting) in _BULLETS:
            return True
        if local(setting) == "buNone":
            return False
    return None


def _box(shape: _Element) -> _Box | None:
    place = child(shape, "xfrm")
    for name in ("spPr", "grpSpPr"):
        if place is None:
            place = child(shape, name, "xfrm")
    start, size = child(place, "off"), child(place, "ext")
    if start is None:
        return None
    try:
        left, top = int(value(start, "x") or 0), int(value(start, "y") or 0)
        return left, top, left + int(value(size, "cx") or 0), top + int(value(size, "cy") or 0)
    except ValueError:
        return None


def _in_reading_order(shapes: list[_Shape]) -> list[_Shape]:
    """From top to bottom and left to right: rows first where gaps part them, then columns, then places."""
    if 1 < len(shapes) <= _UNSORTED:
        for axis in (1, 0):
            groups = _parted(shapes, axis)
            if len(groups) > 1:
                return [shape for group in groups for shape in _in_reading_order(group)]
    return sorted(shapes, key=lambda shape: (shape.box[1], shape.box[0]) if shape.box else (0, 0))


def _parted(shapes: Iterable[_Shape], axis: int) -> list[list[_Shape]]:
    """The shapes in groups with a gap between them along an axis; a slight overlap is a gap too."""
    groups: list[list[_Shape]] = []
    reach = 0
    spans = [(shape.box[axis], shape.box[axis + 2], shape) for shape in shapes if shape.box is not None]
    for start, end, shape in sorted(spans, key=lambda span: span[0]):
        if not groups or start >= reach:
            groups.append([])
            reach = start
        groups[-1].append(shape)
        reach = max(reach, end - (end - start) // 8)
    return groups


def _paragraphs(shape: _Element) -> Iterator[_Element]:
    return children(child(shape, "txBody"), "p")


def _has_bullet(paragraph: _Element, styles: Iterable[Mapping[str, bool]]) -> bool:
    own = child(paragraph, "pPr")
    level = value(own, "lvl") or "0"
    name = f"lvl{int(level) + 1 if level in tuple('012345678') else 1}pPr"
    settings = (_is_bulleted(own), *(style.get(name) for style in styles))
    return next((setting for setting in settings if setting is not None), False)


def _table(table: _Element) -> Iterator[_Piece]:
    rows: list[tuple[str, ...]] = []
    for row in children(table, "tr"):
        cells = [cell for cell in children(row, "tc") if value(cell, "hMerge") not in ("1", "true")]
        rows.append(tuple(_cell(cell) for cell in cells))
    seen = [row for row in rows if any(map(folded, row))]
    if max(map(len, seen), default=0) <= 1:  # a frame around text
        for row in seen:
            yield _Piece(row[0])
        return
    named = value(child(table, "tblPr"), "firstRow") in ("1", "true")
    yield _Piece(rows=tuple(seen), headed=header_place(seen, named=named) == 0)


def _cell(cell: _Element) -> str:
    if value(cell, "vMerge") in ("1", "true"):
        return ""
    return "\n".join(map(words, _paragraphs(cell)))
