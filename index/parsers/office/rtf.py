"""RTF: paragraphs, headings by their styles, tables and footnotes.

Read in one pass over the tokens, which keeps what a text-only converter loses: styles, hidden and
deleted text, the code page of each font, characters of two halves, binary data.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field

from index.errors import CorruptError, EmptyFileError
from index.model import Document
from index.parsers.bodies import codec
from index.parsers.office.rtf_words import (
    CHARACTERS,
    CHARSETS,
    DROPPED,
    MARKERS,
    NOTES,
    PAGES,
    PARAGRAPH_ENDS,
    READ_OPTIONAL,
    SYMBOLS,
)
from index.parsers.writer import Writer, folded

_TOKEN = re.compile(
    r"(?P<word>\\([a-zA-Z]{1,32})(-?\d{1,10})? ?)|(?P<byte>\\'([0-9a-fA-F]{2}))|(?P<symbol>\\(.))"
    r"|(?P<brace>\{(?:[\r\n]*\\\*)?|\})|(?P<gap>[\r\n\0]+)|(?P<text>[^\\{}\r\n\0]+)",
    re.DOTALL,
)
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HEADING_STYLE = re.compile(r"(?:heading|überschrift|titre) ?([1-9])", re.IGNORECASE)
_LONGEST_HEADING = 300
_DEEPEST = 10_000
_TIME = ("yr", "mo", "dy", "hr", "min")
_UNSHOWN = ("fonttbl", "stylesheet", "info", "shpinst", "do", "creatim", "revtim")


@dataclass(slots=True)
class About:
    """What a file says of itself."""

    title: str = ""
    author: str = ""
    times: dict[str, dict[str, int]] = field(default_factory=dict)
    notice: str = ""

    @property
    def date(self) -> str | None:
        """When it was last changed, else made, in ISO 8601."""
        for name in ("revtim", "creatim"):
            time = self.times.get(name, {})
            with suppress(ValueError):
                year, month, day, hour, minute = (time.get(part, 0) for part in _TIME)
                if year > 1900:  # LibreOffice writes 1601 for never
                    return datetime.datetime(year, month, day, hour, minute).isoformat()
        return None


def parse(data: bytes) -> Document:
    """Read an RTF file.

    Raises:
        EmptyFileError: It holds no text.
        CorruptError: It is no RTF file.
    """
    if not data.strip():
        raise EmptyFileError("the file holds no text")
    writer = Writer()
    about = write(data, writer, 0)
    return writer.document(about.title, author=about.author, date=about.date, notice=about.notice)


def write(data: bytes, writer: Writer, level: int) -> About:
    """Write an RTF file's text, its headings below ``level``.

    Raises:
        CorruptError: It is no RTF file.
    """
    start = data.find(b"{\\rt", 0, 64)
    if start < 0 or data[:start].strip(b"\xef\xbb\xbf \t\r\n\0"):
        raise CorruptError("this is no RTF file")
    reader = _Reader(writer, level)
    reader.read(data[start:].decode("latin-1"))
    writer.leave_headings(below=level)
    return reader.about


@dataclass(slots=True)
class _State:
    """What holds within a group: it is taken over by the groups inside, and returns after them."""

    kind: str = "body"
    sink: list[str] | None = None  # where text goes; None where it is not shown
    owner: bool = False  # whether the sink ends with this group
    skipped: bool = False
    starred: bool = False
    hidden: bool = False
    deleted: bool = False
    unicode_skip: int = 1
    page: str | None = None  # the font's code page, where it has one of its own
    style: int = 0
    outline: int | None = None
    table: bool = False


class _Reader:
    """Reads the tokens and writes paragraphs as they end."""

    def __init__(self, writer: Writer, level: int) -> None:
        self.about = About()
        self._writer = writer
        self._level = level
        self._body: list[str] = []
        self._state = _State(sink=self._body)
        self._stack: list[_State] = []
        self._pending = bytearray()
        self._skip = 0  # characters that stand for a Unicode one in old readers
        self._page = "cp1252"
        self._fonts: dict[int, str | None] = {}
        self._font = self._default_font = 0
        self._styles: dict[int, int] = {}
        self._notes: list[str] = []
        self._is_item = False
        self._cells: list[str] = []
        self._rows: list[list[str]] = []
        self._headed = self._row_heads = False
        self._words: dict[str, Callable[[str, int | None], None]] = {
            **dict.fromkeys(PARAGRAPH_ENDS, self._end_paragraph),
            **dict.fromkeys(CHARACTERS, self._write_character),
            **dict.fromkeys(PAGES, self._set_page),
            **dict.fromkeys(DROPPED, self._drop),
            **dict.fromkeys(MARKERS, self._mark_item),
            **dict.fromkeys(NOTES, self._begin_note),
            **dict.fromkeys(_UNSHOWN, self._begin_unshown),
            **dict.fromkeys(("title", "author"), self._begin_about),
            **dict.fromkeys(_TIME, self._set_time),
            **dict.fromkeys(("f", "deff", "fcharset", "cpg"), self._set_font),
            **dict.fromkeys(("cell", "row", "trowd", "trhdr"), self._set_table),
            **dict.fromkeys(("s", "outlinelevel", "intbl", "pard"), self._set_paragraph),
            **dict.fromkeys(("v", "deleted", "plain", "uc", "ansicpg"), self._set_character),
            "u": self._write_unicode,
        }

    def read(self, source: str) -> None:
        place = 0
        while token := _TOKEN.match(source, place):
            place = token.end()
            kind = token.lastgroup
            if kind == "text":
                self._take(token[0].encode("latin-1"))
            elif kind == "byte":
                self._take(bytes.fromhex(token[5]))
            elif kind == "word":
                place += self._word(token[2], token[3])
            elif kind == "symbol":
                self._symbol(token[7])
            elif kind == "brace" and not self._brace(token[0]):
                break
        self._flush()
        self._state = _State(sink=self._body)
        self._end_paragraph("par", None)
        self._end_table()
        self._write_notes()

    def _brace(self, brace: str) -> bool:
        """Open or close a group; False after the last."""
        self._flush()
        self._skip = 0
        if brace != "}":
            if len(self._stack) > _DEEPEST:
                raise CorruptError("damaged file: its groups nest too deeply")
            self._stack.append(self._state)
            self._state = copy(self._state)
            self._state.owner, self._state.starred = False, brace.endswith("*")
            if self._state.kind == "stylesheet" and not self._state.skipped:
                self._own("style")
                self._state.style, self._state.outline = 0, None
            return True
        closed = self._state
        self._state = self._stack.pop() if self._stack else closed
        if closed.owner and closed.sink is not None and not closed.skipped:
            self._end_group(closed, "".join(closed.sink))
        return bool(self._stack)

    def _word(self, word: str, digits: str | None) -> int:
        """Act on a control word; how many bytes of binary data follow it."""
        self._flush()
        number = int(digits) if digits else None
        if word == "bin":
            return max(0, number or 0)
        if self._skip:
            self._skip -= 1
            return 0
        state = self._state
        if state.starred:
            state.starred = False
            state.skipped = state.skipped or word not in READ_OPTIONAL
        if not state.skipped and (act := self._words.get(word)):
            act(word, number)
        return 0

    def _symbol(self, symbol: str) -> None:
        self._flush()
        if self._skip:
            self._skip -= 1
        elif symbol in "\r\n":
            if not self._state.skipped:
                self._end_paragraph("par", None)
        else:
            self._write(SYMBOLS.get(symbol, ""))

    def _take(self, data: bytes) -> None:
        """Take characters of the font's code page; some have two bytes, so they are decoded later."""
        if self._skip:
            dropped = min(self._skip, len(data))
            self._skip -= dropped
            data = data[dropped:]
        state = self._state
        if state.sink is not None and not (state.skipped or state.hidden or state.deleted):
            self._pending += data

    def _flush(self) -> None:
        if not self._pending:
            return
        data, page = bytes(self._pending), self._state.page or self._page
        self._pending.clear()
        try:
            text = data.decode(page)
        except UnicodeDecodeError:
            text = data.decode(page, "ignore")
            self.about.notice = "characters that are in no known encoding were left out"
        self._write(text)

    def _write(self, text: str) -> None:
        state = self._state
        if state.sink is not None and not (state.skipped or state.hidden or state.deleted):
            state.sink.append(text)

    def _own(self, kind: str, sink: list[str] | None = None) -> None:
        """Begin a text of its own, which ends with the group."""
        self._state.kind, self._state.sink, self._state.owner = kind, [] if sink is None else sink, True

    def _end_group(self, closed: _State, text: str) -> None:
        if closed.kind == "style":
            named = _HEADING_STYLE.match(text.strip())
            if text.strip(" ;").lower() == "title":
                self._styles[closed.style] = 0
            elif closed.outline is not None and closed.outline < 9:
                self._styles[closed.style] = closed.outline + 1
            elif named:
                self._styles[closed.style] = int(named[1])
        elif closed.kind == "note":
            self._notes += _joined(text).split("\n")
        elif closed.kind == "title":
            self.about.title = self.about.title or folded(_joined(text))
        elif closed.kind == "author":
            self.about.author = self.about.author or folded(_joined(text))

    # The words' actions.

    def _drop(self, word: str, number: int | None) -> None:
        self._state.skipped = True

    def _mark_item(self, word: str, number: int | None) -> None:
        self._state.skipped = True
        self._is_item = True

    def _begin_note(self, word: str, number: int | None) -> None:
        self._own("note")
        self._state.table = False

    def _begin_unshown(self, word: str, number: int | None) -> None:
        """Begin a group whose own text is not shown."""
        self._state.kind, self._state.sink = word, None

    def _begin_about(self, word: str, number: int | None) -> None:
        if self._state.kind == "info":
            self._own(word)

    def _set_time(self, word: str, number: int | None) -> None:
        if self._state.kind in ("creatim", "revtim"):
            self.about.times.setdefault(self._state.kind, {})[word] = number or 0

    def _set_page(self, word: str, number: int | None) -> None:
        self._page = PAGES[word]

    def _set_font(self, word: str, number: int | None) -> None:
        if word == "deff":
            self._default_font = number or 0
        elif word in ("fcharset", "cpg"):
            known = CHARSETS.get(number or 0) if word == "fcharset" else codec(f"cp{number}")
            if self._state.kind == "fonttbl" and known:
                self._fonts[self._font] = known
        elif self._state.kind == "fonttbl":
            self._font = number or 0
        else:
            self._state.page = self._fonts.get(number or 0)

    def _set_character(self, word: str, number: int | None) -> None:
        state = self._state
        if word == "v":
            state.hidden = number != 0
        elif word == "deleted":
            state.deleted = number != 0
        elif word == "uc":
            state.unicode_skip = max(0, min(number if number is not None else 1, 16))
        elif word == "ansicpg":
            self._page = codec(f"cp{number}") or self._page
        else:
            state.hidden = state.deleted = False
            state.page = self._fonts.get(self._default_font)

    def _set_paragraph(self, word: str, number: int | None) -> None:
        state = self._state
        if word == "s":
            state.style = number or 0
        elif word == "outlinelevel":
            state.outline = number or 0
        elif word == "intbl":
            state.table = number != 0 and state.kind == "body"
        else:
            state.style, state.outline, state.table = 0, None, False

    def _set_table(self, word: str, number: int | None) -> None:
        if self._state.kind != "body":
            return
        if word == "trowd":
            self._row_heads = False
        elif word == "trhdr":
            self._row_heads = True
        elif word == "cell":
            self._cells.append(_joined("".join(self._body)))
            self._body.clear()
        else:
            self._end_row()

    def _write_unicode(self, word: str, number: int | None) -> None:
        self._write(chr((number or 0) % 65536))
        self._skip = self._state.unicode_skip

    def _write_character(self, word: str, number: int | None) -> None:
        self._write(CHARACTERS[word])

    # What is written.

    def _end_paragraph(self, word: str, number: int | None) -> None:
        state = self._state
        if state.kind != "body" or state.table or (self._cells and word == "par"):
            self._write("\n")
            return
        text = _joined("".join(self._body))
        self._body.clear()
        if text.strip():
            self._end_table()
            level = self._styles.get(state.style) if state.outline is None else state.outline % 9 + 1
            if level is None or state.outline == 9 or len(text) > _LONGEST_HEADING:
                self._writer.block(text, "item" if self._is_item else "prose")
            elif level == 0:
                self.about.title = self.about.title or folded(text)
                self._writer.title(text)
            else:
                self._writer.heading(text, self._level + level)
        self._is_item = False
        self._write_notes()

    def _end_row(self) -> None:
        if (rest := _joined("".join(self._body))).strip():
            self._cells.append(rest)
        self._body.clear()
        if not self._rows:
            self._headed = self._row_heads
        self._rows.append(self._cells)
        self._cells = []
        self._is_item = False

    def _end_table(self) -> None:
        if self._cells:
            self._end_row()
        if self._rows:
            self._writer.table(self._rows, headed=self._headed)
            self._rows = []
            self._write_notes()

    def _write_notes(self) -> None:
        if self._rows or self._cells:
            return  # after the table
        for note in self._notes:
            self._writer.block(note)
        self._notes.clear()


def _joined(text: str) -> str:
    """Text with the halves of characters beyond 16 bits put together."""
    return _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
