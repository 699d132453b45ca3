"""Bodies: plain text and HTML inside another document, such as a mail, in the encoding that it names."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from index.errors import EmptyFileError
from index.model import BlockKind, Document, Span
from index.parsers import html
from index.parsers import text as plain
from index.parsers.decoding import decode
from index.parsers.writer import Writer

_QUOTE = re.compile(r"(?:>[ \t]?)+")
_FLOWED_QUOTE = re.compile(r">+")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_TITLE = b"<title>-</title>"
# Python knows codecs that are no character sets; these are the ones that are.
_CODECS = re.compile(
    r"ascii|utf-(?:7|8|8-sig|16|16-[bl]e|32|32-[bl]e)|cp\d+|iso8859-\d+|iso2022_\w+|koi8-\w|mac-\w+|gb\w+"
    r"|big5\w*|euc_\w+|shift_jis\w*|johab|hz|tis-620|hp-roman8|ptcp154|kz1048"
)
# The larger encodings that are meant by these names.
_MEANT = {
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "cp950",
}


def codec(name: str | None) -> str | None:
    """The codec of a character set by the name that a mail or page gives it; None for anything else."""
    try:
        known = codecs.lookup((name or "").strip(" \"'").lower()).name
    except (LookupError, ValueError):
        return None
    return _MEANT.get(known, known) if _CODECS.fullmatch(known) else None


def decode_text(data: bytes, charset: str | None, notices: list[str]) -> str:
    """Text in the encoding that ``charset`` names, else in the one that its bytes show.

    Raises:
        UnsupportedError: The bytes are not text.
        CorruptError: No encoding reads the bytes without loss.
    """
    named = codec(charset)
    if named is not None and not _is_mislabelled(data, named):
        with suppress(UnicodeDecodeError):
            return data.decode(named)
    if named is not None:
        notices.append(f"text is not in the encoding that it names ({charset})")
    if data.count(b"\0") * 10 < len(data):  # in UTF-16 they are every other byte
        data = data.replace(b"\0", b"")
    decoded = decode(data)
    if decoded.notice:
        notices.append(decoded.notice)
    return decoded.text


def _is_mislabelled(data: bytes, named: str) -> bool:
    """Whether bytes said to be in a code page are UTF-8, which text in a code page never is by chance."""
    if not named.startswith(("cp125", "iso8859", "cp437", "cp850")) or data.isascii():
        return False
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return len(data) - len(text) > 1


def write_plain(body: str, writer: Writer, *, flowed: bool = False, joined: bool = False) -> None:
    """Write a body of plain text, its paragraphs found as in a text file; quoting marks are left out.

    ``flowed`` and ``joined`` are format=flowed and DelSp=yes of RFC 3676. A line with the form of a
    heading is more often a greeting or the sentence that matters, so none is taken for one.
    """
    source = _CONTROLS.sub("", _unquoted(body, flowed, joined))
    if not source.strip():
        return
    document = plain.parse(codecs.BOM_UTF8 + source.encode())
    place = 0
    for block in (block for section in document.sections for block in section.blocks):
        _write_lines(document.text[place : block.start], writer)
        writer.block(document.text[block.start : block.end], block.kind)
        place = block.end
    _write_lines(document.text[place:], writer)


def read_html(source: str) -> Document:
    """An HTML body as a page, all its headings among the headings.

    Raises:
        EmptyFileError: It shows no text.
    """
    # Without a title of our own, its first heading would become the title.
    return html.parse(codecs.BOM_UTF8 + _TITLE + _CONTROLS.sub("", source).encode())


def write_html(source: str, writer: Writer, level: int) -> None:
    """Write an HTML body, its headings below ``level``."""
    try:
        document = read_html(source)
    except EmptyFileError:
        return
    for (kind, header), group in groupby(_pieces(document), key=lambda piece: (piece.kind, piece.header)):
        if kind == "row":
            writer.table(([piece.text] for piece in group), headed=header is not None)
            continue
        for piece in group:
            if piece.kind == "heading":
                writer.heading(piece.text, level + piece.depth)
            else:
                writer.block(piece.text, piece.kind)
    writer.leave_headings(below=level)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A heading, or a block; the rows of a table share its header."""

    text: str
    kind: BlockKind | Literal["heading"]
    depth: int = 0
    header: Span | None = None


def _pieces(document: Document) -> Iterator[_Piece]:
    """A page's headings and blocks in order; the lines between its blocks are the headings."""
    headers = {block.header for section in document.sections for block in section.blocks}
    path: tuple[str, ...] = ()
    place = 0
    for section in document.sections:
        for block in section.blocks:
            lines = list(filter(None, document.text[place : block.start].split("\n")))
            first = len(section.heading) - len(lines) + 1
            for depth, line in enumerate(lines, first):
                yield _Piece(line, "heading", max(1, depth))
            place = block.end
            content = document.text[block.start : block.end]
            span = (block.start, block.end)
            if not lines and len(section.heading) < len(path):
                # A heading above nothing, which became a block: it still ends the section before it.
                yield _Piece(content, "heading", len(section.heading) + 1)
            else:
                header = span if span in headers else block.header
                yield _Piece(content, block.kind, 0, header if block.kind == "row" else None)
            path = section.heading


def _unquoted(body: str, flowed: bool, joined: bool) -> str:
    """A body without quoting marks, paragraphs of different speakers apart, flowed lines joined."""
    mark = _FLOWED_QUOTE if flowed else _QUOTE
    pieces: list[str] = []
    depth_before, soft = 0, False
    for raw in body.splitlines():
        quote = mark.match(raw)
        depth = quote[0].count(">") if quote else 0
        line = raw[quote.end() :] if quote else raw
        if flowed:
            line = line.removeprefix(" ")
        if pieces:
            pieces.append("\n\n" if depth != depth_before else "" if soft else "\n")
        soft = flowed and line.endswith(" ") and line != "-- "
        pieces.append(line[:-1] if soft and joined else line)
        depth_before = depth
    return "".join(pieces)


def _write_lines(gap: str, writer: Writer) -> None:
    """Write the lines between two blocks that the plain text parser took for headings."""
    for line in gap.splitlines():
        if any(character.isalnum() for character in line):
            writer.block(line)
