"""reStructuredText: the raw source, with its structure read line by line.

Offsets count characters of the source as written, so a quote may hold markup. Comments, targets, options
and directives that only arrange the page are in no block.
"""

from __future__ import annotations

import re
from dataclasses import replace

from index.model import Block, BlockKind, Document, Span
from index.parsers.decoding import decode_file
from index.parsers.outline import Heading, outline
from index.parsers.raw_lines import Line, lines_of

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{1,}$")
_BULLET = re.compile(r"[-*+•‣⁃][ \t]+(?=\S)")
_ENUMERATOR = re.compile(
    r"(?:\((?:\d{1,9}|[A-Za-z]|#|[ivxlcdm]{1,9})\)|(?:\d{1,9}|[A-Za-z]|#|[ivxlcdm]{1,9})[.)])[ \t]+(?=\S)"
)
_CELL = re.compile(r"[-*+][ \t]+(?:[-*+][ \t]+)?(?=\S)")
_EXPLICIT = re.compile(r"\.\.(?:[ \t]+|$)")
_TARGET = re.compile(r"_[^\s:`][^:]*:(?:\s|$)|_`[^`]+`:|__:?(?:\s|$)|\|[^|]+\|[ \t]+[\w:-]+::")
_NOTE = re.compile(r"\[[^\]\s]{1,80}\](?:[ \t]+|$)")
_DIRECTIVE = re.compile(r"(?:\|[^|]+\|[ \t]+)?([A-Za-z][\w.:+-]*?)[ \t]?::(?:[ \t]+|$)")
_FIELD = re.compile(r":(?![:\s])((?:\\.|[^:\\`]|`[^`]*`){1,100}):(?:[ \t]+|$)")
_GRID = re.compile(r"\+[-=+]{2,}\+$")
_SIMPLE = re.compile(r"=+(?:[ \t]+=+)+$")
_SPAN_RULE = re.compile(r"-+(?:[ \t]+-+)*$")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?")
_ROLE = re.compile(r"(?::[\w:+.-]{1,60}:)?`([^`<]{1,300}?)(?:\s*<[^`>]{1,500}>)?`(?:__?)?")
_MARKS = re.compile(r"(\*\*|\*|``)(?=\S)([^*`]{1,300})(?<=\S)\1")

_NESTING = 60

# Directives whose indented content is code, and those that leave nothing to read.
_CODE = frozenset(
    "code code-block sourcecode parsed-literal literalinclude prompt doctest testcode testoutput testsetup"
    " ipython math productionlist highlight-block console graphviz mermaid uml plantuml digraph graph".split()
)
_UNSEEN = frozenset(
    "image include toctree raw contents index meta highlight currentmodule module py:module py:currentmodule"
    " automodule autoclass autofunction automethod autosummary autodata autoexception sectnum role"
    " default-role default-domain tabularcolumns unicode date replace class cssclass rst-class target-notes"
    " bibliography header footer argparse click program testcleanup ifconfig sectionauthor codeauthor"
    " moduleauthor only-html acks sphinx_gallery plot jinja".split()
)
# Directives whose argument is words to read; that of a description of an object is shown as code.
_WORDED = frozenset(
    "note warning tip hint important caution danger error attention seealso admonition topic sidebar rubric"
    " todo deprecated versionadded versionchanged versionremoved centered epigraph glossary table list-table"
    " csv-table dropdown tab tab-item card grid-item-card figure-caption".split()
)
_OBJECTS = re.compile(
    r"(?:(?:py|c|cpp|js|rst|std):)?(?:function|class|method|classmethod|staticmethod|attribute|property|data|exception"
    r"|decorator|decoratormethod|option|cmdoption|envvar|confval|describe|object|directive|role|var|macro|type"
    r"|struct|enum|enumerator|member|opcode|setting|command|token)"
)


def parse(data: bytes) -> Document:
    """Read a reStructuredText file.

    Raises:
        EmptyFileError: There is nothing but white space.
        UnsupportedError: The bytes are not text.
        CorruptError: No encoding reads the bytes without loss.
    """
    decoded = decode_file(data)
    reader = _Reader(lines_of(decoded.text))
    reader.read()
    title, parts = _titled(reader.parts)
    date = _DATE.search(reader.fields.get("date", ""))
    author = reader.fields.get("author") or reader.fields.get("authors")
    return Document(
        title or reader.fields.get("title"),
        decoded.text,
        outline(parts),
        notice=decoded.notice,
        author=author,
        date=date[0] if date else None,
    )


def _titled(parts: list[Heading | Block]) -> tuple[str | None, list[Heading | Block]]:
    """A lone section of the highest level is the title, and in no heading path."""
    tops = [place for place, part in enumerate(parts) if isinstance(part, Heading) and part.level == 1]
    if len(tops) != 1:
        return None, parts
    top = parts[tops[0]]
    if isinstance(top, Heading):
        parts[tops[0]] = replace(top, label=None)
        return top.label, parts
    return None, parts


class _Reader:
    """One pass over the lines, collecting headings and blocks in order."""

    def __init__(self, lines: list[Line]) -> None:
        self.parts: list[Heading | Block] = []
        self.fields: dict[str, str] = {}  # what the document says of itself, at its top
        self._lines = lines
        self._styles: list[tuple[str, bool]] = []
        self._items: list[int] = []  # the columns at which the items around begin their text
        self._top = True  # nothing but the title was read so far

    def read(self) -> None:
        """Read all lines."""
        place = 0
        while place < len(self._lines):
            line = self._lines[place]
            place = self._take(place, line) if line.text else place + 1

    def _take(self, place: int, line: Line) -> int:
        """Read what begins at a line; return where to go on."""
        while self._items and line.indent < self._items[-1]:
            self._items.pop()
        if not line.indent and (stop := self._heading(place)):
            return stop
        if explicit := _EXPLICIT.match(line.text):
            return self._explicit(place, line, line.text[explicit.end() :], explicit.end())
        if _GRID.match(line.text) and line.text.count("+") >= 2:
            return self._grid(place)
        if _SIMPLE.match(line.text):
            return self._simple(place)
        if _ADORNMENT.match(line.text) and len(line.text) >= 4:
            return place + 1  # a transition, or a title that is none
        if line.text.startswith(">>> "):
            return self._code(place, self._paragraph_end(place))
        if line.text.startswith("__ ") or line.text == "..":
            return place + 1
        return self._words(place, line)

    def _heading(self, place: int) -> int:
        """Read a section's title at ``place``; 0 if there is none."""
        first, second, third = (self._text(place + step) for step in range(3))
        over = _ADORNMENT.match(first)
        if over and third == first and second and not _ADORNMENT.match(second) and len(first) >= 2:
            if len(first) < 4 and len(first) < len(second):
                return 0
            self._section(self._lines[place + 1], (over[1], True))
            return place + 3
        under = _ADORNMENT.match(second)
        if (
            over
            or not under
            or self._lines[place + 1].indent
            or (len(second) < 4 and len(second) < len(first))
        ):
            return 0
        self._section(self._lines[place], (under[1], False))
        return place + 2

    def _section(self, line: Line, style: tuple[str, bool]) -> None:
        if style not in self._styles:
            self._styles.append(style)
        self._items.clear()
        self._top = self._top and not self.parts
        label = _plain(line.text) or line.text
        self.parts.append(Heading(line.start, line.end, self._styles.index(style) + 1, label))

    def _text(self, place: int) -> str:
        return self._lines[place].text if place < len(self._lines) else ""

    def _explicit(self, place: int, line: Line, rest: str, mark: int) -> int:
        """What begins with two dots: a footnote, target, directive or comment."""
        if note := _NOTE.match(rest):
            stop = self._paragraph_end(place, item=True)
            self._add(line.start + mark + note.end(), self._lines[stop - 1].end, "prose")
            return stop
        directive = _DIRECTIVE.match(rest)
        if directive is None or _TARGET.match(rest):
            if not rest and not self._text(place + 1):
                return place + 1  # an empty comment takes nothing
            return self._indented_end(place + 1, line.indent)
        name = directive[1].lower()
        if name in _UNSEEN:
            return self._indented_end(place + 1, line.indent)
        argument = line.start + mark + directive.end()
        return self._directive(place, line, name, argument)

    def _directive(self, place: int, line: Line, name: str, argument: int) -> int:
        """Read a directive's argument and leave out its options; its content is read as any other."""
        stop = place + 1
        describes = _OBJECTS.fullmatch(name) is not None
        if argument < line.end and (name in _WORDED or describes):
            while self._continues(stop, line) and not _FIELD.match(self._text(stop)):
                stop += 1
            self._add(argument, self._lines[stop - 1].end, "code" if describes else "prose")
        elif argument < line.end and name == "math":
            self._add(argument, line.end, "code")
        headed = False
        while self._continues(stop, line) and _FIELD.match(self._text(stop)):
            headed = headed or self._text(stop).startswith((":header-rows: 1", ":header:"))
            stop += 1
            while self._continues(stop, line) and self._lines[stop].indent > self._lines[stop - 1].indent:
                stop += 1
        if name in ("csv-table", "list-table"):
            return self._listed(stop, line.indent, headed)
        if name in _CODE:
            return self._code(stop, self._indented_end(stop, line.indent))
        return stop

    def _continues(self, place: int, line: Line) -> bool:
        return bool(self._text(place)) and self._lines[place].indent > line.indent

    def _listed(self, place: int, indent: int, headed: bool) -> int:
        """A table whose rows are lines, or items of a list that hold another one."""
        stop = self._indented_end(place, indent)
        shown = [line for line in self._lines[place:stop] if line.text]
        rows: list[list[Line]] = []
        for line in shown:
            if rows and line.indent > shown[0].indent:
                rows[-1].append(line)
            else:
                rows.append([line])
        header: Span | None = None
        for row in rows:
            mark = _CELL.match(row[0].text)
            start, end = row[0].start + (mark.end() if mark else 0), row[-1].end
            self._add(start, end, "row", header)
            if headed and header is None:
                header = (start, end)
        return stop

    def _words(self, place: int, line: Line) -> int:
        """A paragraph, list item or field, and the literal block that it may announce."""
        mark = _BULLET.match(line.text) or self._enumerator(place)
        if mark:
            column = line.indent + len(mark[0].expandtabs())
            self._items.append(column)
            rest = line.text[mark.end() :]
            # An item that begins with another one or a directive; no person nests more deeply on one line.
            if (_BULLET.match(rest) or _EXPLICIT.match(rest)) and len(self._items) < _NESTING:
                self._lines[place] = Line(line.start + mark.end(), rest, column)
                return place
        kind: BlockKind = "item" if self._items else "prose"
        field = None if mark else _FIELD.match(line.text)
        stop = self._paragraph_end(place, item=mark is not None)
        last = self._text(stop - 1)
        if field:
            self._field(field, place, stop)
        elif line.text.startswith("| "):
            for written in self._lines[place:stop]:
                self._add(written.start + 2 * written.text.startswith("| "), written.end, kind)
        elif line.text != "::":
            # A letter may be an initial: it stays, as it would be missed.
            skip = mark.end() if mark and not mark[0].strip("(). \t").isalpha() else 0
            self._add(line.start + skip, self._lines[stop - 1].end, kind)
        if last.endswith("::"):
            return self._literal(stop, self._items[-1] if mark else line.indent)
        return stop

    def _literal(self, place: int, indent: int) -> int:
        first = place
        while first < len(self._lines) and not self._lines[first].text:
            first += 1
        if first == len(self._lines) or self._lines[first].indent <= indent:
            return place
        return self._code(first, self._indented_end(first, indent))

    def _enumerator(self, place: int) -> re.Match[str] | None:
        """A numbered item's mark; a line that only looks so goes on without an indent."""
        line = self._lines[place]
        mark = _ENUMERATOR.match(line.text)
        after = self._text(place + 1)
        if mark is None or not after or self._lines[place + 1].indent > line.indent:
            return mark
        return mark if _ENUMERATOR.match(after) or _BULLET.match(after) else None

    def _field(self, field: re.Match[str], place: int, stop: int) -> None:
        """A field is quoted from its name on; the document's own are its metadata too."""
        line = self._lines[place]
        body = line.text[field.end() :]
        if self._top and body and self._lines[place].indent == 0:
            self.fields.setdefault(field[1].lower(), body)
        if body or stop > place + 1:
            self._add(line.start + 1, self._lines[stop - 1].end, "item")

    def _paragraph_end(self, place: int, *, item: bool = False) -> int:
        """Where the lines of a paragraph end: at an empty line, another indent or item."""
        indent = self._lines[place].indent
        stop = place + 1
        while self._text(stop):
            line = self._lines[stop]
            begins = _BULLET.match(line.text) or _ENUMERATOR.match(line.text)
            listed = item or bool(self._items)
            if line.indent < indent or (listed and begins):
                break
            if _EXPLICIT.match(line.text) or (item and line.indent == indent):
                break
            if _FIELD.match(line.text) and _FIELD.match(self._text(place)) and line.indent == indent:
                break
            if (
                not item
                and stop == place + 1
                and line.indent > indent
                and not _FIELD.match(self._text(place))
            ):
                break  # a term, with its definition below
            stop += 1
        return stop

    def _indented_end(self, place: int, indent: int) -> int:
        """Where the lines that are indented more end; empty lines at the end belong to none."""
        stop = last = place
        while stop < len(self._lines) and (not self._text(stop) or self._lines[stop].indent > indent):
            stop += 1
            if self._text(stop - 1):
                last = stop
        return last

    def _code(self, place: int, stop: int) -> int:
        shown = [line for line in self._lines[place:stop] if line.text]
        if shown:
            self._add(shown[0].start, shown[-1].end, "code")
        return max(stop, place)

    def _grid(self, place: int) -> int:
        """A grid table: the lines between two of its rules are a row."""
        header: Span | None = None
        row: list[Line] = []
        above: list[Line] = []
        stop = place
        while self._text(stop).startswith(("+", "|")):
            line = self._lines[stop]
            if not _GRID.match(line.text):
                row.append(line)
            elif row:
                self._row(row, header)
                above.extend(row)
                row = []
            if line.text.startswith("+=") and above and header is None:
                header = (above[0].start, above[-1].end)
            stop += 1
        self._row(row, header)
        return stop

    def _simple(self, place: int) -> int:
        """A simple table: rules of "=" around it and below its header."""
        rules = [place]
        stop = place + 1
        while stop < len(self._lines) and len(rules) < 3:
            if _SIMPLE.match(self._text(stop)):
                rules.append(stop)
                if not self._text(stop + 1):
                    break
            elif not self._text(stop) and not self._text(stop + 1):
                break
            stop += 1
        if len(rules) < 2:
            return place + 1
        header: Span | None = None
        row: list[Line] = []
        for at in range(place + 1, rules[-1] + 1):
            line = self._lines[at]
            rule = at in rules or _SPAN_RULE.match(line.text)
            if rule or not line.text or (row and line.indent <= self._lines[place].indent):
                if row and header is None and len(rules) == 3 and at <= rules[1]:
                    self._row(row, None)
                    header = (row[0].start, row[-1].end) if at == rules[1] else None
                else:
                    self._row(row, header)
                row = []
            if line.text and not rule:
                row.append(line)
        return rules[-1] + 1

    def _row(self, lines: list[Line], header: Span | None) -> None:
        if lines:
            self._add(lines[0].start, lines[-1].end, "row", header)

    def _add(self, start: int, end: int, kind: BlockKind, header: Span | None = None) -> None:
        self._top = self._top and kind == "item"
        if start < end:
            self.parts.append(Block(start, end, kind, header))


def _plain(text: str) -> str:
    """A heading's words without roles and emphasis marks."""
    text = _ROLE.sub(r"\1", _MARKS.sub(r"\2", text[:1_000]))
    return " ".join(text.replace("\\", "").split())
