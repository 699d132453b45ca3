"""TeX: the raw source, with its sections, paragraphs, items, tables and formulas read line by line.

Offsets count characters of the source as written, so a quote may hold markup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.model import Block, BlockKind, Document, Span
from index.parsers.decoding import decode_file
from index.parsers.outline import Heading, outline
from index.parsers.raw_lines import Line, lines_of

_LEVELS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph")
_HEADING = re.compile(rf"\\({'|'.join(_LEVELS)})\*?(?:\[[^\]]*\])?\{{")
_VERBATIM = re.compile(r"\\begin\{((?:[vV]erbatim|lstlisting|minted|alltt|comment|filecontents)\*?)\}")
_FORMULA = re.compile(
    r"\\begin\{((?:equation|align|gather|multline|eqnarray|displaymath|tikzpicture)\*?)\}|(\\\[)"
)
_TABLE = re.compile(r"\\(begin|end)\{(?:tabular[xy*]?|longtable|array|tabulary)\*?\}")
_ITEM = re.compile(r"\\(?:item\b|bibitem(?:\[[^\]]*\])?\{[^}]*\})[ \t]*(?=\S|$)")
_ARGUMENTS = r"\*?(?:\[[^\]]*\]|\{(?:[^{}]|\{[^{}]*\})*\})*"
_WORDS = r"(?:text\w+|emph|footnote|caption|uline|underline|textcolor|href|enquote|mbox|LaTeX|TeX|quote)"
_MARKUP = re.compile(rf"(?:\\(?!{_WORDS}\b)[A-Za-z@]+{_ARGUMENTS}[\s;,.]*|[{{}}\s])++$")
_CAPTION = re.compile(r"\\(?:caption|footnotetext|abstract)\*?(?:\[[^\]]*\])?\{")
_COMMAND = re.compile(r"\\(?:[A-Za-z@]+\*?|.)|[{}$~]")


def parse(data: bytes) -> Document:
    """Read a TeX document.

    Raises:
        EmptyFileError: There is nothing but white space.
        UnsupportedError: The bytes are not text.
        CorruptError: No encoding reads the bytes without loss.
    """
    decoded = decode_file(data)
    text = decoded.text
    lines = lines_of(text)
    body = next((at for at, line in enumerate(lines) if line.text.startswith("\\begin{document}")), -1)
    date = _argument(text, "\\date{")
    return Document(
        _argument(text, "\\title{"),
        text,
        outline(_Reader(lines[body + 1 :]).read()),
        notice=decoded.notice,
        author=_argument(text, "\\author{"),
        date=date if date and re.fullmatch(r"\d{4}-\d\d-\d\d", date) else None,
    )


def _argument(text: str, command: str) -> str | None:
    start = text.find(command)
    if start < 0:
        return None
    end = _brace_end(text, start + len(command), start + 1_000)
    return _plain(text[start + len(command) : end]) or None


def _brace_end(text: str, start: int, stop: int) -> int:
    """Where the brace is closed that was opened right before ``start``."""
    depth = 1
    for place in range(start, min(stop, len(text))):
        depth += (text[place] == "{") - (text[place] == "}")
        if not depth:
            return place
    return min(stop, len(text))


def _plain(text: str) -> str:
    return " ".join(_COMMAND.sub(" ", text).split())


class _Reader:
    """One pass over the lines, collecting headings and blocks in order."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self._parts: list[Heading | Block] = []
        self._run: list[Span] = []
        self._kind: BlockKind = "prose"

    def read(self) -> list[Heading | Block]:
        """Read all lines."""
        place = 0
        unclosed: set[str] = set()
        while place < len(self._lines):
            text = self._lines[place].text
            found = _VERBATIM.match(text) or _FORMULA.match(text)
            end = "" if found is None else f"\\end{{{found[1]}}}" if found[1] else "\\]"
            if end and end not in unclosed:
                stop = place if end in text else self._find(end, place + 1)
                if stop < len(self._lines):
                    self._whole(place, stop, shown=end != "\\end{comment}")
                    place = stop + 1
                    continue
                unclosed.add(end)
            elif (table := _TABLE.match(text)) and table[1] == "begin":
                self._end()
                self._kind = "row"
            else:
                self._take(self._lines[place])
            place += 1
        self._end()
        return self._parts

    def _find(self, end: str, place: int) -> int:
        return next(
            (at for at in range(place, len(self._lines)) if end in self._lines[at].text), len(self._lines)
        )

    def _whole(self, place: int, stop: int, *, shown: bool) -> None:
        """A formula, or what is set as it is written, without the lines around it."""
        self._end()
        inner = [line for line in self._lines[place + 1 : stop] if line.text] or [self._lines[place]]
        if shown:
            self._parts.append(Block(inner[0].start, inner[-1].end, "code"))

    def _take(self, line: Line) -> None:
        heading = _HEADING.match(line.text)
        item = _ITEM.match(line.text)
        caption = _CAPTION.match(line.text)
        if heading:
            self._end()
            self._kind = "prose"
            stop = _brace_end(line.text, heading.end(), len(line.text))
            start = line.start + heading.end()
            label = _plain(line.text[heading.end() : stop])
            if label:
                level = _LEVELS.index(heading[1]) + 1
                self._parts.append(Heading(start, line.start + stop, level, label))
            rest = line.text[stop + 1 :]
            if rest.strip() and not _MARKUP.match(rest):
                self._run.append((line.end - len(rest.lstrip()), line.end))
        elif caption:
            self._end()
            stop = _brace_end(line.text, caption.end(), len(line.text))
            if caption.end() < stop:
                self._parts.append(Block(line.start + caption.end(), line.start + stop))
        elif item:
            self._end()
            self._kind = "item"
            self._run.append((line.start + item.end(), line.end))
        elif not line.text or line.text.startswith("%") or _MARKUP.match(line.text):
            self._end()
            if line.text.startswith("\\end{"):
                self._kind = "prose"
        elif self._kind == "row":
            self._parts.append(Block(line.start, line.end, "row"))
        else:
            self._run.append((line.start, line.end))

    def _end(self) -> None:
        if self._run and self._run[0][0] < self._run[-1][1]:
            self._parts.append(Block(self._run[0][0], self._run[-1][1], self._kind))
        self._run = []
