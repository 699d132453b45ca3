"""What an element of XML is called, and what text it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from index.parsers.writer import folded

if TYPE_CHECKING:
    from lxml.etree import _Element


def name_of(element: _Element) -> str:
    """The name of an element in lower case, without its namespace; "" of an entity."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def own_name(element: _Element) -> str:
    """The name of an element as it is written, without its namespace."""
    return str(element.tag).rpartition("}")[2]


def is_mixed(element: _Element) -> bool:
    """Whether text stands directly in an element, beside others."""
    if not len(element):
        return False
    return bool((element.text or "").strip()) or any(
        (child.tail or "").strip() or not isinstance(child.tag, str) for child in element
    )


def text_in(element: _Element) -> str:
    """All text in an element."""
    from lxml import etree

    pieces: list[str] = []
    for event, node in etree.iterwalk(element, events=("start", "end")):
        if event == "start":
            pieces.append((node.text or "") if name_of(node) else "")
        elif node is not element:
            pieces.append(node.tail or "")
    return folded("".join(pieces))
