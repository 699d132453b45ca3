"""Headings and blocks in the order of the text -> sections with their heading paths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from index.model import Block, Section


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading line. A ``label`` of None (the document's title) is in no heading path."""

    start: int
    end: int
    level: int
    label: str | None


@dataclass(frozen=True, slots=True)
class Apart:
    """What follows is under no heading of ``level`` or below it that came so far."""

    level: int = 1


def moved(block: Block, by: int) -> Block:
    """A block at its place in a text that it was put into."""
    header = (block.header[0] + by, block.header[1] + by) if block.header else None
    return Block(block.start + by, block.end + by, block.kind, header)


def outline(parts: Iterable[Heading | Block | Apart]) -> tuple[Section, ...]:
    """Group blocks under the headings before them.

    A heading above nothing (before one of its own or a higher level, or where it ends) has no passage to
    lend its words to: it becomes a block itself, under the headings above it, so that no text is lost.
    """
    sections: list[tuple[tuple[str, ...], list[Block]]] = []
    path: list[Heading] = []
    bare: Heading | None = None
    begun = was_begun = True  # a heading has come: what follows is a section of its own, whatever its name

    def add(block: Block) -> None:
        nonlocal begun
        labels = tuple(heading.label for heading in path if heading.label)
        if begun or sections[-1][0] != labels:
            sections.append((labels, []))
            begun = False
        sections[-1][1].append(block)

    def demote(heading: Heading | None) -> None:
        nonlocal begun
        if heading is not None:
            path.pop()
            begun = was_begun
            add(Block(heading.start, heading.end))

    for part in parts:
        if isinstance(part, Block):
            bare = None
            add(part)
            continue
        if bare is not None and part.level <= bare.level:
            demote(bare)
            bare = None
        while path and path[-1].level >= part.level:
            path.pop()
        if isinstance(part, Heading):
            path.append(part)
            bare, was_begun, begun = part, begun, True
    demote(bare)
    return tuple(Section(labels, tuple(blocks)) for labels, blocks in sections)
