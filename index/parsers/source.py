"""Source code, settings and logs: the raw source, with its structure read line by line.

Offsets count characters of the source as written. Code is cut at empty lines, comments that are sentences
are prose, settings and log lines are rows. No language is parsed: a wrong guess only moves a block's edge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from index.model import Block, BlockKind, Document, Section, Span
from index.parsers.decoding import decode_file
from index.parsers.outline import Apart, Heading, outline
from index.parsers.raw_lines import Line, lines_of

_COMMENT = re.compile(
    r"(?://[/!]*<?|#+[':!]?(?=\s|$)|--+(?=\s|$)|;+(?=\s|$)|%+(?=\s|$)|(?:REM|dnl)(?=\s|$))[ \t]*"
)
_OPEN = re.compile(r"/\*+!?[ \t]*")
_STAR = re.compile(r"\*(?!/)[ \t]*|(?=\S)")
_CLOSE = re.compile(r"[ \t]*\**\*/$")
_WORD = re.compile(r"[^\W\d_]{2,}")
_NOT_WORDS = re.compile(r"[^\w\s.,;:'\"()?!/`’“”–—-]")
_CODE_LIKE = re.compile(
    r"[;{}\\]$|\s[=!+-]?=\s|\w\(\w*\)[;:]?$|^(?:import|from|return|if|for|while|def|class)\b.*[:)]$"
)
_LISTED = re.compile(
    r"[-*•][ \t]+\S|\d{1,3}[.)][ \t]+\S|[@\\][A-Za-z]+\b|:(?:param|type|return|rtype|raise|arg|var|ivar)\w*\b"
)
_NAMED = re.compile(r"\*{0,2}\w+(?: \([^()]{1,80}\))?: \S")  # below "Args:" in a docstring
_BULLET = re.compile(r"[-*•][ \t]+|\d{1,3}[.)][ \t]+")
_SCOPE = re.compile(r"(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)")
_QUOTES = re.compile(r"\"\"\"|'''|#|\"(?:\\.|[^\"\\])*+(?:\"|$)|'(?:\\.|[^'\\])*+(?:'|$)")
_DOCSTRING = re.compile(r"[rRuU]?(\"\"\"|''')[ \t]*")
_SECTION = re.compile(r"\[{1,2}[^\[\]]{1,200}\]{1,2}(?=\s*(?:[#;]|$))")
_PARENT = re.compile(r"[\w.\"'/@-]{1,100}:$")
_SMALL = 12  # lines of code that are put together although empty lines part them
_LARGE = 60


def parse(data: bytes) -> Document:
    """Read a program in any language.

    Raises:
        EmptyFileError: There is nothing but white space.
        UnsupportedError: The bytes are not text.
        CorruptError: No encoding reads the bytes without loss.
    """
    decoded = decode_file(data)
    blocks = tuple(_blocks(lines_of(decoded.text)))
    sections = (Section((), blocks),) if blocks else ()
    return Document(None, decoded.text, sections, notice=decoded.notice)


def parse_python(data: bytes) -> Document:
    """Read a Python program: classes and functions are headings, docstrings prose. See `parse`."""
    decoded = decode_file(data)
    lines = lines_of(decoded.text)
    scopes, docstrings = _scopes(lines)
    sections: list[Section] = []
    for scope, places in groupby(range(len(lines)), key=scopes.__getitem__):
        run = list(places)
        blocks = tuple(
            _blocks(
                lines[run[0] : run[-1] + 1],
                {at - run[0]: docstrings[at] - run[0] for at in run if at in docstrings},
            )
        )
        if blocks and sections and sections[-1].heading == scope:
            sections[-1] = Section(scope, sections[-1].blocks + blocks)
        elif blocks:
            sections.append(Section(scope, blocks))
    return Document(None, decoded.text, tuple(sections), notice=decoded.notice)


def parse_settings(data: bytes) -> Document:
    """Read a file of settings (YAML, TOML, INI and the like): each line is a row. See `parse`."""
    decoded = decode_file(data)
    lines = lines_of(decoded.text)
    parts: list[Heading | Block | Apart] = []
    below = False  # whether a heading of YAML's kind holds for what is indented
    place = 0
    while place < len(lines):
        line = lines[place]
        stop = _comment_end(lines, place)
        if stop > place:
            parts.extend(_comment(lines[place:stop], _COMMENT, "row"))
        elif not any(map(str.isalnum, line.text)):
            pass
        elif not line.indent and (section := _SECTION.match(line.text)):
            parts.append(Heading(line.start, line.end, 1, section[0].strip("[] ")))
            below = False
        elif not line.indent and _PARENT.match(line.text) and _is_parent(lines, place):
            parts.append(Heading(line.start, line.end, 2, line.text[:-1].strip("\"'")))
            below = True
        else:
            if below and not line.indent and not line.text.startswith("-"):
                parts.append(Apart(2))
                below = False
            parts.append(Block(line.start, line.end, "row"))
        place = max(stop, place + 1)
    return Document(None, decoded.text, outline(parts), notice=decoded.notice)


def _is_parent(lines: Sequence[Line], place: int) -> bool:
    """Whether the next line is indented, or begins a list."""
    for line in lines[place + 1 : place + 20]:
        if line.text and not line.text.startswith("#"):
            return line.indent > 0 or line.text.startswith("- ")
    return False


def parse_log(data: bytes) -> Document:
    """Read a log: each line is a row, with the indented lines below it. See `parse`."""
    decoded = decode_file(data)
    blocks: list[Block] = []
    held = 0
    for line in lines_of(decoded.text):
        if line.text and line.indent and blocks and held < _LARGE:
            blocks[-1] = Block(blocks[-1].start, line.end, "row")
            held += 1
        elif line.text:
            blocks.append(Block(line.start, line.end, "row"))
            held = 1
    return Document(None, decoded.text, (Section((), tuple(blocks)),), notice=decoded.notice)


def _blocks(lines: Sequence[Line], docstrings: dict[int, int] | None = None) -> Iterator[Block]:
    """The blocks of a program; ``docstrings`` says where those that begin at a line end."""
    code: list[Line] = []
    last_close = max((at for at, line in enumerate(lines) if "*/" in line.text), default=-1)
    place = 0
    while place < len(lines):
        stop = (docstrings or {}).get(place, place)
        if stop > place:
            found = _docstring(lines[place:stop])
        elif _OPEN.match(lines[place].text) and place <= last_close:
            stop = next(at for at in range(place, last_close + 1) if "*/" in lines[at].text) + 1
            found = _comment(lines[place:stop], _STAR, "code")
        else:
            stop = _comment_end(lines, place)
            found = _comment(lines[place:stop], _COMMENT, "code")
        if any(block.kind != "code" for block in found):
            yield from _cut(code)
            code = []
            yield from found
        else:
            stop = max(stop, place + 1)
            code.extend(lines[place:stop])
        place = stop
    yield from _cut(code)


def _comment_end(lines: Sequence[Line], place: int) -> int:
    stop = place
    while stop < len(lines) and _COMMENT.match(lines[stop].text):
        stop += 1
    return stop


def _comment(lines: Sequence[Line], mark: re.Pattern[str], other: BlockKind) -> list[Block]:
    """The paragraphs of a comment; those that are no sentences are of the ``other`` kind."""
    spans: list[Span] = []
    for line in lines:
        opened = (_OPEN.match(line.text) if mark is _STAR else None) or mark.match(line.text)
        close = _CLOSE.search(line.text[-20:]) if mark is _STAR else None
        start = line.start + (opened.end() if opened else 0)
        end = line.end - (len(close[0]) if close else 0)
        spans.append((start, end))
    return _paragraphs(lines, spans, other)


def _docstring(lines: Sequence[Line]) -> list[Block]:
    spans: list[Span] = []
    opened = _DOCSTRING.match(lines[0].text)
    for place, line in enumerate(lines):
        start = line.start + (opened.end() if opened and not place else 0)
        close = opened[1] if opened and place == len(lines) - 1 else None
        end = line.end
        if close and (at := line.text.rfind(close)) >= start - line.start:
            end = line.start + at
        spans.append((start, end))
    return _paragraphs(lines, spans, None)


def _paragraphs(lines: Sequence[Line], spans: Sequence[Span], other: BlockKind | None) -> list[Block]:
    """Blocks of the words in ``spans``, one for each line; all are prose where there is no ``other`` kind."""
    blocks: list[Block] = []
    run: list[Span] = []
    words: list[str] = []

    def end() -> None:
        if run:
            text = " ".join(words)
            kind: BlockKind = "prose"
            if text.startswith(">>>"):
                kind = "code"
            elif other is not None and not _is_prose(text):
                kind = other
            bullet = _BULLET.match(text) if kind == "prose" else None
            start = run[0][0] + (bullet.end() if bullet else 0)
            blocks.append(Block(start, run[-1][1], "item" if bullet else kind))
        run.clear()
        words.clear()

    for line, span in zip(lines, spans, strict=True):
        text = line.text[span[0] - line.start : span[1] - line.start].rstrip()
        if not any(map(str.isalnum, text)):
            end()
            continue
        named = line.indent > lines[0].indent and _NAMED.match(text)
        beside_code = other is not None and words and any(map(_CODE_LIKE.search, (words[-1], text)))
        if named or beside_code or _LISTED.match(text):
            end()
        run.append((span[0], span[0] + len(text)))
        words.append(text)
    end()
    return blocks


def _is_prose(text: str) -> bool:
    """Whether a comment is made of words rather than of code or marks."""
    odd = len(_NOT_WORDS.findall(text)) + text.count("_")
    return len(_WORD.findall(text)) >= 3 and odd * 12 <= len(text) and not _CODE_LIKE.search(text)


def _cut(lines: Iterable[Line]) -> Iterator[Block]:
    """Blocks of code: cut at empty lines, where this leaves more than a few lines."""
    held: list[Line] = []
    for filled, group in groupby(lines, key=lambda line: bool(line.text)):
        paragraph = list(group) if filled else []
        if held and paragraph and len(held) + len(paragraph) > _SMALL:
            yield Block(held[0].start, held[-1].end, "code")
            held = []
        held.extend(paragraph)
        if len(held) > _LARGE:
            for first in range(0, len(held), _LARGE):
                piece = held[first : first + _LARGE]
                yield Block(piece[0].start, piece[-1].end, "code")
            held = []
    if held:
        yield Block(held[0].start, held[-1].end, "code")


def _scopes(lines: Sequence[Line]) -> tuple[list[tuple[str, ...]], dict[int, int]]:
    """For each line of a Python program the names around it, and from where to where docstrings reach."""
    scopes: list[tuple[str, ...]] = []
    docstrings: dict[int, int] = {}
    path: list[tuple[int, str]] = []
    current: tuple[str, ...] = ()
    decorated = -1  # the indent of a decorator that waits for what it decorates
    quote, began = "", -1
    opens = True  # a docstring may come next
    for place, line in enumerate(lines):
        inside = bool(quote)
        if not inside and opens and _DOCSTRING.match(line.text):
            began = place
        quote = _open_quote(line.text, quote)
        if began >= 0 and not quote:
            docstrings[began] = place + 1
            began = -1
        if not inside:
            if not line.text or line.text.startswith("#"):
                continue  # comments belong to what follows them
            opens = line.text.endswith(":") and began < 0
            if line.text.startswith("@"):
                decorated = line.indent
            if decorated >= 0 and (line.text[0] in "@)]}" or line.indent > decorated):
                continue
            decorated = -1
            current = _scope(path, line)
        scopes.extend([current] * (place + 1 - len(scopes)))
    scopes.extend([current] * (len(lines) - len(scopes)))
    return scopes, docstrings


def _scope(path: list[tuple[int, str]], line: Line) -> tuple[str, ...]:
    """The names around a line of code; ``path`` holds them with their indents."""
    if line.text[0] not in ")]}":  # a bracket that is closed goes on with what opened it
        while path and path[-1][0] >= line.indent:
            path.pop()
        if scope := _SCOPE.match(line.text):
            path.append((line.indent, scope[1]))
    return tuple(name for _, name in path)


def _open_quote(text: str, quote: str) -> str:
    """The triple quotes that are open at the end of a line."""
    place = 0
    while True:
        if quote:
            place = text.find(quote, place)
            if place < 0:
                return quote
            place, quote = place + 3, ""
        found = _QUOTES.search(text, place)
        if found is None or found[0] == "#":
            return ""
        place = found.end()
        if found[0] in ('"""', "'''"):
            quote = found[0]
