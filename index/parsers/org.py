"""Org mode: the raw source, with its structure read line by line.

Offsets count characters of the source as written, so a quote may hold markup. Drawers, comments and
keyword lines are in no block.
"""

from __future__ import annotations

import re

from index.model import Block, BlockKind, Document, Span
from index.parsers.decoding import decode_file
from index.parsers.outline import Heading, outline
from index.parsers.raw_lines import Line, lines_of

_HEADING = re.compile(r"(\*+)[ \t]+(?=\S)")
_TODO = re.compile(
    r"(?:TODO|DONE|NEXT|WAITING|HOLD|CANCELL?ED|STARTED|SOMEDAY|PROJ|WAIT|IDEA|KILL)(?=[ \t]|$)"
)
_PRIORITY = re.compile(r"\[#[A-Za-z0-9]{1,2}\]")
_TAGS = re.compile(r"(?<=[ \t]):[\w@#%:]+:$")
_KEYWORD = re.compile(r"#\+([A-Za-z_]+)(?:\[[^\]]*\])?:[ \t]*(.*)")
_BEGIN = re.compile(r"#\+begin_(\S+)", re.IGNORECASE)
_END = re.compile(r"#\+end_", re.IGNORECASE)
_ANY_KEYWORD = re.compile(r"#\+\S")
_DRAWER = re.compile(r":[\w-]+:$")
_PLANNING = re.compile(r"(?:SCHEDULED|DEADLINE|CLOSED|CLOCK):")
_ITEM = re.compile(
    r"(?:[-+][ \t]+|\*[ \t]+|(?:\d{1,9}|[A-Za-z])[.)][ \t]+)(?:\[@\d+\][ \t]*)?(?:\[[ X-]\][ \t]+)?(?=\S)"
)
_RULE = re.compile(r"-{5,}$")
_TABLE_RULE = re.compile(r"\|[-+|: ]*$")
_FOOTNOTE = re.compile(r"\[fn:[^\]\s]+\][ \t]*")
_LINK = re.compile(r"\[\[([^\[\]]{1,2000})\](?:\[([^\[\]]{1,2000})\])?\]")
_MARKS = re.compile(r"(?<![^\s(\"'{-])([*/_=~+])(?=\S)([^*/_=~+]{1,200})(?<=\S)\1(?![^\s.,:;!?)\"'}-])")
_STAMP = re.compile(r"[<\[]?(\d{4}-\d\d-\d\d)\b")
_VERBATIM = frozenset(("src", "example", "export", "verbatim"))
_UNSEEN = frozenset(("comment", "export"))


def parse(data: bytes) -> Document:
    """Read an Org file.

    Raises:
        EmptyFileError: There is nothing but white space.
        UnsupportedError: The bytes are not text.
        CorruptError: No encoding reads the bytes without loss.
    """
    decoded = decode_file(data)
    reader = _Reader(lines_of(decoded.text))
    reader.read()
    stamp = _STAMP.match(reader.keywords.get("date", ""))
    return Document(
        reader.keywords.get("title"),
        decoded.text,
        outline(reader.parts),
        notice=decoded.notice,
        author=reader.keywords.get("author"),
        date=stamp[1] if stamp else None,
    )


class _Reader:
    """One pass over the lines, collecting headings and blocks in order."""

    def __init__(self, lines: list[Line]) -> None:
        self.parts: list[Heading | Block] = []
        self.keywords: dict[str, str] = {}
        self._lines = lines
        self._run: list[Line] = []  # the lines of the paragraph that is being read
        self._skip = 0  # what a list mark or the like takes of its first line
        self._items: list[int] = []  # the indents of the lists around
        self._header: Span | None = None
        self._unclosed: dict[str, int] = {}  # up to which line a block of that name has no end

    def read(self) -> None:
        """Read all lines."""
        place = 0
        while place < len(self._lines):
            place = self._take(place)
        self._end()

    def _take(self, place: int) -> int:
        """Read the line at ``place``, or the whole of what it begins; return where to go on."""
        line = self._lines[place]
        heading = _HEADING.match(line.text) if not line.indent else None
        if heading:
            self._end()
            self._items.clear()
            self._heading(line, heading)
        elif not line.text:
            self._end()
        elif begin := _BEGIN.match(line.text):
            self._end()
            return self._block(place, begin[1].lower())
        elif _DRAWER.match(line.text) and (stop := self._drawer(place)):
            self._end()
            return stop
        elif self._is_markup(line):
            self._end()
        elif line.text.startswith((": ", "|")):
            return self._lined(place)
        else:
            self._words(line)
        return place + 1

    def _heading(self, line: Line, mark: re.Match[str]) -> None:
        start, end = mark.end(), len(line.text)
        for pattern in (_TODO, _PRIORITY):
            if found := pattern.match(line.text, start):
                start = found.end()
                start += len(line.text[start:]) - len(line.text[start:].lstrip())
        if (tags := _TAGS.search(line.text[-500:])) is not None:
            end -= len(tags[0])
        label = _plain(line.text[start:end])
        if label and not label.startswith("COMMENT "):
            first = line.start + start
            words = line.text[start:end].rstrip()
            self.parts.append(Heading(first, first + len(words), len(mark[1]), label))

    def _is_markup(self, line: Line) -> bool:
        """Whether a line is there for Org alone; what the document says of itself is noted."""
        found = _KEYWORD.match(line.text)
        if found:
            key, value = found[1].lower(), found[2].strip()
            if key == "caption" and value:
                self._end()
                self.parts.append(Block(line.start + found.start(2), line.end))
            elif key in ("title", "author", "date") and value:
                before = self.keywords.get(key)
                self.keywords[key] = (
                    f"{before} {_plain(value)}" if before and key == "title" else _plain(value)
                )
        comment = line.text == "#" or line.text.startswith("# ")
        return bool(
            found
            or comment
            or _ANY_KEYWORD.match(line.text)
            or _RULE.match(line.text)
            or _PLANNING.match(line.text)
        )

    def _block(self, place: int, name: str) -> int:
        """A block between its two keywords; the words of a quote or the like are read as any others."""
        stop = place + 1
        end = f"#+end_{name}"
        if name not in _VERBATIM | _UNSEEN or place < self._unclosed.get(name, 0):
            return stop  # its end is a keyword line as any other
        while stop < len(self._lines) and self._lines[stop].text.lower() != end:
            if _HEADING.match(self._lines[stop].text) and not self._lines[stop].indent:
                break
            stop += 1
        if stop == len(self._lines) or self._lines[stop].text.lower() != end:
            self._unclosed[name] = stop  # never closed: no block at all
            return place + 1
        if name not in _UNSEEN:
            self._code(self._lines[place + 1 : stop])
        return stop + 1

    def _drawer(self, place: int) -> int:
        """Where the lines go on after a drawer; 0 if it is none."""
        for stop in range(place + 1, min(place + 1_000, len(self._lines))):
            text = self._lines[stop].text
            if text.upper() == ":END:":
                return stop + 1
            if _DRAWER.match(text) or (_HEADING.match(text) and not self._lines[stop].indent):
                break
        return 0

    def _lined(self, place: int) -> int:
        """A table, or an example whose lines begin with a colon."""
        self._end()
        mark = self._lines[place].text[0]
        stop = place
        while stop < len(self._lines) and (self._lines[stop].text + " ").startswith(
            "|" if mark == "|" else ": "
        ):
            stop += 1
        if mark == "|":
            self._rows(self._lines[place:stop])
        else:
            self._code(self._lines[place:stop], skip=2)
        return stop

    def _rows(self, lines: list[Line]) -> None:
        """The rows of a table; those above the first rule head the others."""
        header: Span | None = None
        above: Span | None = None
        for line in lines:
            if _TABLE_RULE.match(line.text):
                header = header or above
                continue
            self.parts.append(Block(line.start, line.end, "row", header))
            above = (above[0] if above else line.start, line.end)

    def _code(self, lines: list[Line], skip: int = 0) -> None:
        shown = [line for line in lines if line.text]
        if shown:
            start = min(shown[0].start + skip, shown[0].end)
            if start < shown[-1].end:
                self.parts.append(Block(start, shown[-1].end, "code"))

    def _words(self, line: Line) -> None:
        item = _ITEM.match(line.text)
        if item and line.text[0] == "*" and not line.indent:
            item = None
        note = _FOOTNOTE.match(line.text) if not line.indent else None
        left = self._items and line.indent <= self._items[-1]
        if item or note or left:
            self._end()
        if not self._run:
            while self._items and line.indent <= self._items[-1]:
                self._items.pop()
            mark = item or note
            self._skip = mark.end() if mark else 0
            if item:
                self._items.append(line.indent)
        self._run.append(line)

    def _end(self) -> None:
        """End the paragraph or item that is being read."""
        if self._run:
            kind: BlockKind = "item" if self._items else "prose"
            start, end = self._run[0].start + self._skip, self._run[-1].end
            if start < end:
                self.parts.append(Block(start, end, kind))
        self._run = []
        self._skip = 0


def _plain(text: str) -> str:
    """A heading's words without links and emphasis marks."""
    text = _LINK.sub(lambda found: found[2] or found[1], text[:2_000])
    return " ".join(_MARKS.sub(r"\2", text).split())
