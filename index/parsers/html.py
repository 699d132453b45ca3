"""HTML: the text a reader sees, without navigation and other furniture.

The tree is walked without recursion, so nesting can't exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from index.errors import EmptyFileError
from index.model import Block, BlockKind, Document, Span
from index.parsers.decoding import Decoded, decode_file, web_codec
from index.parsers.outline import Heading, outline
from index.parsers.writer import row_line

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_DROPPED = frozenset(
    "head script style template noscript nav svg iframe frame canvas audio video"
    " input select textarea button option datalist meter progress".split()
)
_FURNITURE = frozenset(("header", "footer", "aside"))
_ROLES = frozenset(("navigation", "banner", "contentinfo", "search", "menu"))
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_ITEMS = frozenset(("li", "dt", "dd"))
_CELLS = frozenset(("td", "th"))
_BLOCKS = (
    _ITEMS
    | _CELLS
    | _FURNITURE
    | frozenset(_HEADINGS)
    | frozenset(
        "address article blockquote body caption center details dir div dl fieldset figcaption figure form"
        " hgroup hr html legend main menu ol p pre section summary table tbody tfoot thead tr ul".split()
    )
)
# A table that holds one of these arranges the page; its cells are read as blocks of their own.
_LAYOUT = frozenset(_HEADINGS) | frozenset(("table", "ul", "ol", "dl", "pre", "blockquote", "form"))
_LONG_CELL = 1_000
_SPACE = re.compile(r"\s+")
_BROKEN = re.compile(" ?\0 ?")
_BREAKS = re.compile(r"\0(?:\s*\0)+")
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)

_DECLARED = re.compile(
    rb"(?:<meta[^>]*?\bcharset|<\?xml[^>]*?\bencoding)\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE
)
_HEAD = 4096

# Lexbor needs quadratic time in the depth, and for every paragraph below open formatting elements.
# Browsers stop at a depth of 512; formatting makes no difference to the text at all. The end tags of
# the third group are optional, so old pages seem to nest these where they do not.
_DEPTHS = {"container": 500, "format": 50, "item": 20_000}
_NESTED = re.compile(
    r"<(?P<close>/?)(?:(?P<container>div|span|section|article|main|blockquote|center|table|ul|ol|dl|code|form|fieldset|"
    r"object|details|figure|sup|sub|ruby|nav|header|footer|aside|svg|math|[a-z]+-[a-z-]*)|"
    r"(?P<format>a|b|big|em|font|i|nobr|s|small|strike|strong|tt|u)|(?P<item>li|dd|dt))(?=[\s>/])[^<>]*>?",
    re.IGNORECASE,
)


def parse(data: bytes) -> Document:
    """Read an HTML page.

    Raises:
        EmptyFileError: The page shows no text.
        UnsupportedError: The bytes are not text.
        CorruptError: No encoding reads the bytes without loss.
    """
    from selectolax.lexbor import LexborHTMLParser

    decoded = _decoded(data)
    tree = LexborHTMLParser(_flattened(decoded.text))
    _open_frames(tree)
    root = tree.body or tree.root
    if root is None:
        raise EmptyFileError("the page shows no text")
    survey = _Survey(root, furniture=False)
    if not survey.total:
        survey = _Survey(root, furniture=True)
    writer = _Writer(survey.layouts)
    for node, opening in _walk(survey.content, survey.furniture):
        writer.take(node, opening)
    writer.finish()
    if not writer.text:
        raise EmptyFileError("the page shows no text")
    title, parts = _titled(_title(tree), writer)
    return Document(title, writer.text, outline(parts), notice=decoded.notice)


def _decoded(data: bytes) -> Decoded:
    found = _DECLARED.search(data, 0, _HEAD)
    return decode_file(data, web_codec(found[1]) if found else None)


def _flattened(source: str) -> str:
    """Leave out tags that open below a depth that no person writes, and their end tags."""
    if source.count("<") <= min(_DEPTHS.values()):
        return source
    depths = dict.fromkeys(_DEPTHS, 0)
    pieces: list[str] = []
    kept = 0
    for match in _NESTED.finditer(source):
        group = match.lastgroup or ""
        deepest = depths[group] if match["close"] else depths[group] + 1
        depths[group] = max(0, deepest - 1) if match["close"] else deepest
        if deepest > _DEPTHS[group]:
            pieces.append(source[kept : match.start()])
            kept = match.end()
    return " ".join([*pieces, source[kept:]]) if pieces else source


def _open_frames(tree: LexborHTMLParser) -> None:
    """Put the pages that frames hold in their attribute in their places; frames within these stay shut."""
    from selectolax.lexbor import LexborHTMLParser

    for frame in tree.css("iframe[srcdoc]"):
        page = LexborHTMLParser(_flattened(frame.attributes["srcdoc"] or "")).body
        if page is not None and not _hides(frame.attributes):
            frame.replace_with(page)


def _title(tree: LexborHTMLParser) -> str | None:
    node = tree.css_first("head > title")
    return (_clean(node.text()).strip() or None) if node is not None else None


def _titled(named: str | None, writer: _Writer) -> tuple[str | None, list[Heading | Block]]:
    """Take the title from the head, else from the first h1, and out of the heading paths."""
    parts = writer.parts
    for place, part in enumerate(parts):
        if isinstance(part, Heading) and part.level == 1:
            label = part.label or ""
            if named is None or label.casefold() in named.casefold():
                parts[place] = replace(part, label=None)
                return named or label, parts
            break
    return named, parts


def _clean(text: str) -> str:
    return _INVISIBLE.sub("", _SPACE.sub(" ", text))


def _is_dropped(node: LexborNode, furniture: bool, inside: int) -> bool:
    """Whether a reader does not see an element, or sees it on every page of the site."""
    tag = node.tag
    if tag in _DROPPED:
        return not (furniture and tag == "nav")
    attributes = node.attributes
    if _hides(attributes) or (not furniture and attributes.get("role") in _ROLES):
        return True
    return not furniture and not inside and tag in _FURNITURE


def _hides(attributes: Mapping[str, str | None]) -> bool:
    """Whether an element's attributes hide it."""
    if "hidden" in attributes or attributes.get("aria-hidden") == "true":
        return True
    return _HIDING.search(attributes.get("style") or "") is not None


def _walk(root: LexborNode, furniture: bool) -> Iterator[tuple[LexborNode, bool]]:
    """Every visible node in the order of the document; an element twice, opening and closing."""
    inside = int(root.tag in ("main", "article"))
    path: list[LexborNode] = []
    node: LexborNode | None = root
    while node is not None:
        seen = node.is_text_node or (node.is_element_node and not _is_dropped(node, furniture, inside))
        child = None
        if seen:
            yield node, True
            child = node.child
        if child is not None:
            inside += node.tag in ("main", "article")
            path.append(node)
            node = child
            continue
        if seen and node.is_element_node:
            yield node, False
        after = node.next if path else None
        while after is None and path:
            node = path.pop()
            inside -= node.tag in ("main", "article")
            yield node, False
            after = node.next if path else None
        node = after


class _Shape:
    """A table as the survey sees it."""

    def __init__(self, table: int) -> None:
        self.table = table
        self.cells = 0
        self.widest = 0
        self.before = 0


class _Survey:
    """A first walk: where the content is, and which tables only arrange the page."""

    def __init__(self, root: LexborNode, furniture: bool) -> None:
        self.furniture = furniture
        self.layouts: set[int] = set()
        self.total = 0
        regions: list[tuple[LexborNode, int]] = []
        sizes: dict[int, int] = {}
        mains: list[LexborNode] = []
        self._open: list[_Shape] = []
        for node, opening in _walk(root, furniture):
            tag = node.tag or ""
            if node.is_text_node:
                self.total += len((node.text_content or "").strip())
                continue
            self._measure(node, tag, opening)
            if tag in ("main", "article"):
                if opening:
                    mains.append(node)
                    regions.append((node, self.total))
                else:
                    region, before = regions.pop()
                    sizes[region.mem_id] = self.total - before
        self.content = self._content(root, mains, sizes)

    def _measure(self, node: LexborNode, tag: str, opening: bool) -> None:
        """A table of one column, or with cells as long as articles, only arranges the page."""
        if opening and self._open and tag in _LAYOUT:
            self.layouts.add(self._open[-1].table)
        if tag == "table" and opening:
            self._open.append(_Shape(node.mem_id))
        elif not self._open:
            return
        elif tag == "table":
            shape = self._open.pop()
            if shape.widest <= 1:
                self.layouts.add(shape.table)
        elif tag == "tr":
            self._open[-1].cells = 0
        elif tag in _CELLS:
            shape = self._open[-1]
            if opening:
                shape.cells += 1
                shape.widest = max(shape.widest, shape.cells)
                shape.before = self.total
            elif self.total - shape.before > _LONG_CELL:
                self.layouts.add(shape.table)

    def _content(self, root: LexborNode, regions: list[LexborNode], sizes: dict[int, int]) -> LexborNode:
        for tag in ("main", "article"):
            named = [node for node in regions if node.tag == tag]
            if len(named) == 1 and sizes[named[0].mem_id] * 2 >= self.total > 0:
                return named[0]
        return root


class _Writer:
    """A second walk: lines of text, with the blocks and headings that they form."""

    def __init__(self, layouts: set[int]) -> None:
        self.parts: list[Heading | Block] = []
        self._layouts = layouts
        self._pieces: list[str] = []
        self._length = 0
        self._line: list[str] = []
        self._close = ""  # the kind of the last block: items and rows stand on adjacent lines
        self._items = 0
        self._pre = 0
        self._tables: list[_Table | None] = []  # None for a layout table

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def take(self, node: LexborNode, opening: bool) -> None:
        if node.is_text_node:
            content = node.text_content or ""
            self._line.append(content if self._pre else _SPACE.sub(" ", content))
            return
        tag = node.tag or ""
        table = self._tables[-1] if self._tables else None
        if table is not None and tag != "table":
            self._take_cell(table, tag, opening)
        elif tag == "br":
            if opening:
                self._line.append("\n" if self._pre else "\0")
        elif tag in _BLOCKS:
            self._take_block(node, tag, opening)

    def finish(self) -> None:
        self._flush("prose")

    def _take_block(self, node: LexborNode, tag: str, opening: bool) -> None:
        kind: BlockKind = "code" if self._pre else "item" if self._items else "prose"
        if tag in _HEADINGS and not opening:
            self._flush(kind, _HEADINGS[tag])
        else:
            self._flush(kind)
        step = 1 if opening else -1
        if tag in _ITEMS:
            self._items = max(0, self._items + step)
        elif tag == "pre":
            self._pre = max(0, self._pre + step)
        elif tag == "table" and opening:
            self._tables.append(None if node.mem_id in self._layouts else _Table())
        elif tag == "table" and self._tables:
            self._tables.pop()

    def _take_cell(self, table: _Table, tag: str, opening: bool) -> None:
        """Inside a table of data only its own parts count; everything else is words of a cell."""
        if tag == "caption":
            self._flush("prose")
        elif tag in _CELLS:
            if opening:
                self._line.clear()
            else:
                table.cells.append(_clean("".join(self._line).replace("\0", " ")).strip())
                is_corner = len(table.cells) == 1 and not table.cells[0]
                table.headed = table.headed and (tag == "th" or is_corner)
                self._line.clear()
        elif tag == "tr":
            if opening:
                table.cells, table.headed = [], True
            else:
                self._write_row(table)
        elif tag in _BLOCKS or tag == "br":
            self._line.append(" ")

    def _write_row(self, table: _Table) -> None:
        if table.headed and not table.rows and any(table.cells):
            table.names = table.cells
        line = row_line(table.cells, table.names)
        if line:
            span = self._write(line, "row")
            self.parts.append(Block(*span, "row", table.header))
            if table.names is not None and table.header is None:
                table.header = span
            table.rows += 1
        table.cells = []

    def _flush(self, kind: BlockKind, level: int = 0) -> None:
        raw = _INVISIBLE.sub("", "".join(self._line))
        self._line.clear()
        if self._pre:
            lines = [raw.replace("\r\n", "\n").strip()]
        elif level:
            lines = [_SPACE.sub(" ", raw.replace("\0", " ")).strip()]
        else:
            # Two line breaks in a row are a paragraph's end in all but name.
            lines = [_BROKEN.sub("\n", _SPACE.sub(" ", part)).strip() for part in _BREAKS.split(raw)]
        for line in filter(None, lines):
            span = self._write(line, kind)
            self.parts.append(Heading(*span, level, line) if level else Block(*span, kind))

    def _write(self, line: str, kind: BlockKind) -> Span:
        if self._length:
            gap = "\n" if kind == self._close and kind in ("item", "row") else "\n\n"
            self._pieces.append(gap)
            self._length += len(gap)
        start = self._length
        self._pieces.append(line)
        self._length += len(line)
        self._close = kind
        return start, self._length


class _Table:
    """A table of data that is being read."""

    def __init__(self) -> None:
        self.cells: list[str] = []
        self.headed = True
        self.names: list[str] | None = None  # the cells of its header
        self.header: Span | None = None
        self.rows = 0
