"""Jupyter notebooks: their notes as Markdown source, their code, and the output that is text.

All notes are read as one Markdown text, so that a heading holds for the cells after it. What stands
between them is hidden from that reading behind a one-letter paragraph, which is then put in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from index.errors import CorruptError, EmptyFileError
from index.model import Block, BlockKind, Document, Section
from index.parsers import markdown
from index.parsers.decoding import decode_file
from index.parsers.outline import moved
from index.parsers.records import read_json

_GAP = "\n\n"
_STAND_IN = "x"
_UNSHOWN = re.compile("\x1b\\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ud800-\udfff]")
_NOT_BLANK = re.compile(r"[^\n]")


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    kind: BlockKind | None  # None: Markdown


def parse(data: bytes) -> Document:
    """Read a notebook of format 3 or 4.

    Raises:
        EmptyFileError: Its cells hold no text.
        UnsupportedError: The bytes are not text.
        CorruptError: This is not JSON, or not a notebook.
    """
    decoded = decode_file(data)
    book = read_json(decoded.text, dict)
    cells = [cell for cell in _cells(book) if cell.text.strip()]
    if not cells:
        raise EmptyFileError("the notebook's cells hold no text")
    text, shown, held = _joined(cells)
    notes = markdown.parse(shown.encode())
    metadata = _object(book.get("metadata"))
    named = metadata.get("title")
    return Document(
        notes.title or (named if isinstance(named, str) and named.strip() else None),
        text,
        tuple(_restored(section, held) for section in notes.sections),
        notice=decoded.notice,
        author=_authors(metadata),
    )


def _joined(cells: list[_Cell]) -> tuple[str, str, dict[int, tuple[Block, ...]]]:
    """The text, the same length of Markdown, and the blocks that belong where letters stand in."""
    pieces: list[str] = []
    shown: list[str] = []
    held: dict[int, tuple[Block, ...]] = {}
    place = 0
    for cell in cells:
        blocks = _held_blocks(cell)
        if blocks is None:
            shown.append(cell.text)
        else:
            held[place] = tuple(moved(block, place) for block in blocks)
            shown.append(_STAND_IN + _NOT_BLANK.sub(" ", cell.text[1:]))
        pieces.append(cell.text)
        place += len(cell.text) + len(_GAP)
    return _GAP.join(pieces), _GAP.join(shown), held


def _held_blocks(cell: _Cell) -> tuple[Block, ...] | None:
    """The blocks of what is no note, and of a note that would swallow those after it; else None."""
    if cell.kind is not None:
        return (Block(0, len(cell.text), cell.kind),)
    tried = cell.text + _GAP + _STAND_IN  # an open fence or comment reaches to the end of the text
    alone = markdown.parse(tried.encode())
    last = alone.sections[-1].blocks[-1] if alone.sections else None
    if last is not None and tried[last.start : last.end] == _STAND_IN:
        return None
    blocks = tuple(block for section in alone.sections for block in section.blocks)
    ended = tuple(Block(b.start, min(b.end, len(cell.text)), b.kind, b.header) for b in blocks)
    return tuple(block for block in ended if block.start < block.end)


def _restored(section: Section, held: Mapping[int, tuple[Block, ...]]) -> Section:
    blocks = (held.get(block.start, (block,)) for block in section.blocks)
    return Section(section.heading, tuple(block for group in blocks for block in group))


def _cells(book: object) -> Iterator[_Cell]:
    if not isinstance(book, dict):
        raise CorruptError("this is JSON, but not a notebook")
    groups = [book] if "cells" in book else [_object(sheet) for sheet in _list(book.get("worksheets"))]
    if not groups and "nbformat" not in book:
        raise CorruptError("this is JSON, but not a notebook: it has no cells")
    for group in groups:
        for cell in map(_object, _list(group.get("cells"))):
            kind = cell.get("cell_type")
            source = _text(cell.get("input") if kind == "code" and "input" in cell else cell.get("source"))
            if kind == "markdown":
                yield _Cell(source.strip("\n"), None)
            elif kind == "heading":  # format 3 keeps the level beside the words
                level = str(cell.get("level"))
                marks = "#" * (int(level) if level in set("123456") else 1)
                yield _Cell(f"{marks} {' '.join(source.split())}", None)
            else:
                yield _Cell(source.strip("\n").rstrip(), "code" if kind == "code" else "prose")
            for output in map(_object, _list(cell.get("outputs"))):
                yield _Cell(_output(output), "code")


def _output(output: Mapping[str, object]) -> str:
    """The text of an output; nothing for pictures, whose text only names the object."""
    found = _object(output.get("data")) or output
    if any(key.startswith("image/") or key in ("png", "jpeg", "svg") for key in found):
        return ""
    for key in ("text/plain", "text"):
        if key in found:
            return _text(found[key]).strip("\n").rstrip()
    return ""


def _authors(metadata: Mapping[str, object]) -> str | None:
    names = [_object(author).get("name") for author in _list(metadata.get("authors"))]
    return ", ".join(name for name in names if isinstance(name, str) and name.strip()) or None


def _text(value: object) -> str:
    """A text, which notebooks may keep as a list of lines."""
    pieces = value if isinstance(value, list) else [value]
    joined = "".join(piece for piece in pieces if isinstance(piece, str))
    return _UNSHOWN.sub("", joined.replace("\r\n", "\n").replace("\r", "\n"))


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
