"""Extracted text, written piece by piece, with the blocks, headings and pages that it forms.

For formats whose text() is extracted rather than the file itself. No markup is added: paragraphs stand
apart by an empty line, list items and table rows on lines of their own, cells with " | " between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from index.errors import EmptyFileError
from index.model import Block, BlockKind, Document, Member, Page, Span
from index.parsers.outline import Apart, Heading, outline

_SPACE = re.compile(r"\s+")
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_BETWEEN_CELLS = " | "


def folded(text: str) -> str:
    """``text`` on one line: white space folded, invisible and control characters left out."""
    return _SPACE.sub(" ", _INVISIBLE.sub("", _UNSHOWN.sub("", text))).strip()


def row_line(cells: Sequence[str], header: Sequence[str] | None = None) -> str:
    """The line of a row: its cells with bars between, "" where all are empty.

    Empty ones at its ends are left out, but for those in the columns that a ``header`` names:
    "| 2022 | 2023", "Osprey | |". Where a row has more cells than its header, a cell of that reaches over
    several, and all are kept, so that their numbers tell.
    """
    if not any(cells):
        return ""
    if header is None:
        return _BETWEEN_CELLS.join(cells).strip(" |")
    shown = len(cells) if len(cells) > len(header) else max(_filled(cells), _filled(header))
    return _BETWEEN_CELLS.join(cells[:shown]).strip()


def _filled(cells: Sequence[str]) -> int:
    """How many cells a row has up to the last that is not empty."""
    return max((number for number, cell in enumerate(cells, 1) if cell), default=0)


class Writer:
    """Collects a document's text from its start to its end."""

    def __init__(self) -> None:
        """Begin with no text and no page."""
        self._parts: list[Heading | Block | Apart] = []
        self._pieces: list[str] = []
        self._length = 0
        self._close = ""  # the kind of the last block: items and rows stand on adjacent lines
        self._pages: list[Page] = []

    def heading(self, text: str, level: int) -> None:
        """Write a heading; ``level`` 1 is the outermost."""
        line = folded(text)
        if line:
            self._parts.append(Heading(*self._write(line, "prose"), level, line))

    def title(self, text: str) -> None:
        """Write the document's title as it stands in the text: shown, but in no heading path."""
        line = folded(text)
        if line:
            self._parts.append(Heading(*self._write(line, "prose"), 0, None))

    def leave_headings(self, *, below: int = 0) -> None:
        """What follows is under no heading so far, or only under those of the levels down to ``below``."""
        self._parts.append(Apart(below + 1))

    def block(self, text: str, kind: BlockKind = "prose") -> None:
        """Write a paragraph, list item or piece of code; its line breaks are kept, runs of space folded."""
        if kind == "code":
            body = _UNSHOWN.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip("\n").rstrip()
        else:
            lines = (folded(line) for line in text.splitlines())
            body = "\n".join(line for line in lines if line)
        if body.strip():
            self._parts.append(Block(*self._write(body, kind), kind))

    def table(self, rows: Iterable[Sequence[str]], *, headed: bool) -> None:
        """Write a table row by row; where ``headed``, its first row names the columns of the others."""
        header: Span | None = None
        names: Sequence[str] | None = None
        first = True
        for row in rows:
            cells = [folded(cell) for cell in row]
            if first and headed:
                names = cells
            line = row_line(cells, names)
            if not line:
                continue
            span = self._write(line, "row")
            self._parts.append(Block(*span, "row", header))
            if first and headed:
                header = span
            first = False
        self._close = ""  # what follows stands apart, another table too

    def page(self, label: str | None = None) -> None:
        """Begin the next page, slide or sheet."""
        self._end_page()
        self._close = ""
        self._pages.append(Page(len(self._pages) + 1, self._length, self._length, label))

    def document(
        self,
        title: str | None,
        *,
        author: str | None = None,
        date: str | None = None,
        notice: str = "",
        members: Iterable[Member] = (),
    ) -> Document:
        """What was written.

        Raises:
            EmptyFileError: nothing was written, and there are no ``members``.
        """
        if not self._pieces and members == ():
            raise EmptyFileError("the file holds no text")
        self._end_page()
        return Document(
            title=folded(title or "") or None,
            text="".join(self._pieces),
            sections=outline(self._parts),
            pages=tuple(self._pages),
            notice=notice,
            author=folded(author or "") or None,
            date=date or None,
            members=members,
        )

    def _end_page(self) -> None:
        if self._pages:
            last = self._pages.pop()
            self._pages.append(Page(last.number, min(last.start, self._length), self._length, last.label))

    def _write(self, line: str, kind: BlockKind) -> Span:
        if self._length:
            gap = "\n" if kind == self._close and kind in ("item", "row") else "\n\n"
            self._pieces.append(gap)
            self._length += len(gap)
            if self._pages and self._pages[-1].start == self._length - len(gap):
                page = self._pages.pop()  # a page begins with its first character, not with the gap
                self._pages.append(Page(page.number, self._length, self._length, page.label))
        start = self._length
        self._pieces.append(line)
        self._length += len(line)
        self._close = kind
        return start, self._length
