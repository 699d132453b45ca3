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


def outline(parts: Iterable[Heading | Block]) -> tuple[Section, ...]:
    """Group blocks under the headings before them.

    A heading above nothing (before one of its own or a higher level, or at the end) has no passage to
    lend its words to: it becomes a block itself, under the headings above it, so that no text is lost.
    """
    sections: list[tuple[tuple[str, ...], list[Block]]] = []
    path: list[Heading] = []
    bare: Heading | None = None

    def add(block: Block) -> None:
        labels = tuple(heading.label for heading in path if heading.label)
        if not sections or sections[-1][0] != labels:
            sections.append((labels, []))
        sections[-1][1].append(block)

    def demote(heading: Heading | None) -> None:
        if heading is not None:
            path.pop()
            add(Block(heading.start, heading.end))

    for part in parts:
        if isinstance(part, Block):
            bare = None
            add(part)
            continue
        if bare is not None and part.level <= bare.level:
            demote(bare)
        while path and path[-1].level >= part.level:
            path.pop()
        path.append(part)
        bare = part
    demote(bare)
    return tuple(Section(labels, tuple(blocks)) for labels, blocks in sections)
