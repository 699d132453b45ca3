"""Markdown: the raw source, with its structure read from markdown-it's line ranges.

Offsets count characters of the source as written, so a quote may hold markup, but never text
that a renderer made up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from index.model import Block, BlockKind, Document, Span
from index.parsers.decoding import decode_file
from index.parsers.outline import Heading, outline

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# The line ends that markdown-it counts; str.splitlines knows more of them.
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_TITLE = re.compile(r"^title:[ \t]*(?P<quote>[\"']?)(?P<title>[^\r\n]*?)(?P=quote)[ \t]*$", re.MULTILINE)
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|<[^>]*>", re.DOTALL)
_NESTING = 60  # deep enough for people, far from Python's recursion limit
_INLINE_LIMIT = 2_000


def parse(data: bytes) -> Document:
    """Read a Markdown file.

    Raises:
        EmptyFileError: There is nothing but white space.
        UnsupportedError: The bytes are not text.
        CorruptError: No encoding reads the bytes without loss.
    """
    decoded = decode_file(data)
    reader = _Reader(decoded.text)
    title, parts = _titled(reader.title, reader.parts)
    return Document(title, decoded.text, outline(parts), notice=decoded.notice)


def _titled(named: str | None, parts: list[Heading | Block]) -> tuple[str | None, list[Heading | Block]]:
    """Take the title from the front matter, else from the first h1, and out of the heading paths."""
    for place, part in enumerate(parts):
        if isinstance(part, Heading) and part.level == 1:
            if named is None or (part.label or "").casefold() == named.casefold():
                parts[place] = replace(part, label=None)
                return part.label or named, parts
            break
    return named, parts


class _Reader:
    """One pass over the tokens of a source, collecting headings and blocks in order."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.title: str | None = None
        self.parts: list[Heading | Block] = []
        self._lines = [match.span() for match in _LINE.finditer(text)]
        self._markdown = _markdown()
        self._env: dict[str, object] = {}
        self._header: Span | None = None
        self._items = 0
        tokens = self._markdown.parse(text, self._env)
        for place, token in enumerate(tokens):
            self._take(token, tokens, place)

    def _take(self, token: Token, tokens: Sequence[Token], place: int) -> None:
        kind = token.type
        if kind in ("list_item_open", "list_item_close"):
            self._items += token.nesting
        if kind in ("list_item_open", "blockquote_open"):
            self._unopened(token, tokens[place + 1])
        elif kind == "front_matter":
            found = _TITLE.search(token.content)
            self.title = (found["title"].strip() or None) if found else None
        elif kind == "heading_open":
            self._heading(token, tokens[place + 1])
        elif kind == "paragraph_open":
            self._prose(token, tokens[place + 1].content)
        elif kind == "html_block":
            self._prose(token, token.content)
        elif kind in ("fence", "code_block"):
            self._code(token)
        elif kind == "table_open":
            self._header = None
        elif kind == "tr_open":
            self._row(token, tokens[place - 1].type == "thead_open")

    def _unopened(self, token: Token, after: Token) -> None:
        """Keep the text of a container that is nested too deeply for markdown-it to look into it."""
        if after.nesting < 0 and token.map is not None:
            start, end = self._lines[token.map[0]][0], self._lines[token.map[1] - 1][1]
            while start < end and not self.text[start].isalnum():
                start += 1
            start, end = _trim(self.text, start, end)
            if start < end:
                self.parts.append(Block(start, end, self._kind()))

    def _heading(self, token: Token, inline: Token) -> None:
        span = self._span(token, inline.content, underline=token.markup in ("=", "-"))
        if span is None:
            return
        label = _plain(self._markdown, inline.content, self._env)
        if label:
            self.parts.append(Heading(*span, int(token.tag[1]), label))
        else:
            self.parts.append(Block(*span))

    def _prose(self, token: Token, content: str) -> None:
        if token.type == "html_block" and not any(map(str.isalnum, _TAG.sub("", content))):
            return
        span = self._span(token, content)
        if span is not None:
            self.parts.append(Block(*span, self._kind()))

    def _kind(self) -> BlockKind:
        return "item" if self._items else "prose"

    def _code(self, token: Token) -> None:
        if token.map is None:
            return
        first = token.map[0] + (token.type == "fence")
        span = self._range(first, first + len(token.content.rstrip("\n").split("\n")), token.content)
        if span is not None:
            self.parts.append(Block(*span, "code"))

    def _row(self, token: Token, header: bool) -> None:
        if token.map is None:
            return
        start, end = self._lines[token.map[0]]
        start, end = _trim(self.text, start, end)
        # In a quote or a list, the container's marks stand before the row.
        while start < end and self.text[start] in "> \t" and "|" in self.text[start:end]:
            start += 1
        if start == end:
            return
        self.parts.append(Block(start, end, "row", self._header))
        if header:
            self._header = (start, end)

    def _span(self, token: Token, content: str, underline: bool = False) -> Span | None:
        if token.map is None:
            return None
        return self._range(token.map[0], token.map[1] - underline, content)

    def _range(self, first: int, stop: int, content: str) -> Span | None:
        """The range of ``content``, which stands in these lines, without the marks before it."""
        lines = self._lines[first:stop]
        written = content.rstrip().split("\n")
        while written and not written[0].strip():
            written.pop(0)
            lines = lines[1:]
        while lines and not self.text[slice(*lines[-1])].strip():
            lines = lines[:-1]
        if not written or not lines:
            return None
        start, end = lines[0]
        # A line's content ends where the line ends (but for the closing marks of a heading).
        place = self.text.rfind(written[0].strip(), start, end)
        start = place if place >= 0 else start
        end = lines[-1][1]
        if len(lines) == 1 and place >= 0:
            end = place + len(written[0].strip())
        start, end = _trim(self.text, start, end)
        return (start, end) if start < end else None


def _trim(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.front_matter import front_matter_plugin

    markdown = MarkdownIt("commonmark", {"maxNesting": _NESTING}).enable("table").use(front_matter_plugin)
    # Only the block structure is wanted: parsing every paragraph's markup would double the time.
    return markdown.disable("inline")


def _plain(markdown: MarkdownIt, content: str, env: dict[str, object]) -> str:
    """A heading's text without its inline markup."""
    children: list[Token] = []
    markdown.inline.parse(content[:_INLINE_LIMIT], markdown, env, children)
    pieces: list[str] = []
    for token in children:
        if token.type in ("text", "code_inline", "text_special"):
            pieces.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            pieces.append(" ")
        elif token.type == "image":
            pieces.append(token.content)
    return " ".join("".join(pieces).split())
