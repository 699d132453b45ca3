"""Lines, paragraphs and headings -> the document's text, with every character's place on the paper."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, zip_longest

from index.layout import PlacedLine, pack
from index.model import Block, Page, Section, Span
from index.parsers.outline import Heading, outline
from index.parsers.pdf.headings import Mark
from index.parsers.pdf.lines import Line
from index.parsers.pdf.paper import PageText
from index.parsers.pdf.paragraphs import bullet_length, is_contents_line, is_ornament, kind_of, paragraphs
from index.parsers.pdf.tables import Table, tables

_WIDE = re.compile("[\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff\uff00-\uffef]")  # scripts without spaces


class Writing:
    """A document's text as it grows, page by page."""

    def __init__(self, title: str | None) -> None:
        """Begin with nothing; a heading that is the document's ``title`` lends no words to passages."""
        self._title = (title or "").casefold()
        self._pieces: list[str] = []
        self._parts: list[Heading | Block] = []
        self._length = 0
        self._header: Span | None = None  # of the last table
        self._foot: Table | None = None  # the one that ends the last page
        self.pages: list[Page] = []

    @property
    def text(self) -> str:
        """What was written."""
        return "".join(self._pieces)

    def sections(self) -> tuple[Section, ...]:
        """The blocks under their headings; a heading without a line of its own leaves no block behind."""
        sections = (
            Section(section.heading, tuple(block for block in section.blocks if block.start < block.end))
            for section in outline(self._parts)
        )
        return tuple(section for section in sections if section.blocks)

    def page(
        self,
        label: str | None,
        source: PageText | None,
        lines: Sequence[Line],
        running: Collection[int],
        marks: Sequence[Mark],
    ) -> None:
        """Write a page: its lines in reading order, which of them are ``running``, what begins where."""
        if self.pages and self._pieces:
            self._write("\n\n")
        begin = self._length
        headed = {mark.place + step: mark for mark in marks for step in range(mark.lines)}
        waiting = [mark for mark in marks if not mark.lines]
        begins = {mark.place for mark in waiting}
        found = tables(source, lines, headed, running, begins, self._foot) if source else []
        at_foot = bool(found) and all(place in running for place in range(found[-1].end, len(lines)))
        self._foot = found[-1] if at_foot else None
        row_of = {
            place: (table, table.row_of(place)) for table in found for place in range(table.start, table.end)
        }
        apart = {*running, *headed} - row_of.keys()
        row: tuple[Table, int] | None = None
        places: list[int] = []
        for group in _groups(lines, apart, headed, begins, {cut for table in found for cut in table.cuts}):
            if self._length > begin:
                self._write("\n")
            while waiting and waiting[0].place <= group[0]:
                self._bare(waiting.pop(0))
            start = self._length
            pieces = _spaced([lines[member] for member in group])
            for piece in pieces:
                places.append(self._length)
                self._write(piece)
            if group[0] in row_of:
                self._row(row_of[group[-1]], start, goes_on=row_of[group[0]] == row)
            else:
                self._part(headed.get(group[0]), group[0] in running, start, "".join(pieces))
            row = row_of.get(group[-1])
        for mark in waiting:
            self._bare(mark)
        layout = _packed(source, lines, [place - begin for place in places]) if source else b""
        self.pages.append(Page(len(self.pages) + 1, begin, self._length, label, layout))

    def _write(self, piece: str) -> None:
        self._pieces.append(piece)
        self._length += len(piece)

    def _part(self, mark: Mark | None, is_running: bool, start: int, text: str) -> None:
        if mark is not None:
            self._parts.append(Heading(start, self._length, mark.level, self._label(mark)))
        elif not is_running and not is_ornament(text) and not is_contents_line(text):
            self._parts.append(Block(start + bullet_length(text), self._length, kind_of(text)))

    def _row(self, row: tuple[Table, int], start: int, *, goes_on: bool) -> None:
        """A row of a table or its header, or the next piece of it."""
        if goes_on:
            start = self._parts.pop().start
        if row[1] == 0:
            self._header = start, self._length
        self._parts.append(Block(start, self._length, "row", self._header if row[1] else None))

    def _bare(self, mark: Mark) -> None:
        self._parts.append(Heading(self._length, self._length, mark.level, self._label(mark)))

    def _label(self, mark: Mark) -> str | None:
        return None if mark.title.casefold() == self._title else mark.title or None


def _groups(
    lines: Sequence[Line],
    apart: Collection[int],
    headed: Mapping[int, Mark],
    begins: Collection[int],
    cuts: Collection[int],
) -> Iterator[list[int]]:
    """The paragraphs of a page; the lines of a heading make one together."""
    held: list[int] = []
    for group in paragraphs(lines, apart, begins, cuts):
        if held and headed.get(group[0]) is not headed.get(held[0]):
            yield held
            held = []
        if group[0] in headed:
            held += group
        else:
            yield group
    if held:
        yield held


def _spaced(lines: Sequence[Line]) -> list[str]:
    """The texts of a paragraph's lines, each with the space that parts it from the next."""
    pieces: list[str] = []
    for line, after in zip_longest(lines, lines[1:]):
        solid = after is None or line.glued or (_WIDE.match(line.text[-1]) and _WIDE.match(after.text[0]))
        pieces.append(line.text if solid else f"{line.text} ")
    return pieces


def _packed(page: PageText, lines: Sequence[Line], starts: Sequence[int]) -> bytes:
    """Where the characters of the lines stand; ``starts`` says where each line begins in the page's text."""
    import numpy as np

    if not lines:
        return b""
    chars = np.fromiter(chain.from_iterable(line.chars for line in lines), np.intp)
    boxes = page.boxes[chars]
    flat = [line.turn % 2 == 0 for line in lines]
    upright = np.repeat(flat, [len(line.chars) for line in lines])
    begins = np.where(upright, boxes[:, 0], boxes[:, 1])
    ends = np.where(upright, boxes[:, 2], boxes[:, 3])
    # What has no width stands where the character before it ended.
    seen = ends > begins
    before = np.maximum.accumulate(np.where(seen, np.arange(len(chars)), 0))
    begins, ends = np.where(seen, begins, ends[before]), ends[before]
    places = [
        PlacedLine(start, len(line.chars), *_across(line, page), is_flat)
        for start, line, is_flat in zip(starts, lines, flat, strict=True)
    ]
    return pack(page.width, page.height, places, np.stack([begins, ends], axis=1))


def _across(line: Line, page: PageText) -> tuple[float, float]:
    """The extent of a line across its direction, on the displayed page."""
    if line.turn == 1:
        return page.width - line.bottom, page.width - line.top
    if line.turn == 2:
        return page.height - line.bottom, page.height - line.top
    return line.top, line.bottom
