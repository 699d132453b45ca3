"""XML inside documents: read as a tree where it is small, else as a stream of events.

No external entity is looked up, no file fetched; depth and lengths have libxml2's own limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from index.errors import CorruptError

if TYPE_CHECKING:
    from lxml.etree import _Element

_NODES = 12_000_000  # elements (each opens and closes) and attributes: about 1.5 GB as a tree
_DEEPEST = 256


def tree(content: bytes, name: str, *, typed: bool = False) -> _Element:
    """An XML file as a tree. Only one that may be ``typed`` can declare a document type, thus entities.

    Raises:
        CorruptError: It is not well-formed, nests too deeply, or is too large. ``name`` says in the message
            which part that is.
    """
    from lxml import etree

    if content.count(b"<") + content.count(b'="') > _NODES:
        raise CorruptError(f"its part {name} is too large to be read")
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise _invalid(name, error) from error
    if not typed and root.getroottree().docinfo.internalDTD is not None:
        raise CorruptError(f"damaged file: its part {name} declares entities, which documents never do")
    return root


class Event(NamedTuple):
    """The start or end of an element (``name`` is its tag), or text (``name`` is the text itself)."""

    kind: Literal["start", "end", "text"]
    name: str
    attributes: Mapping[str, str] = {}


def events(chunks: Iterable[bytes], name: str) -> Iterator[Event]:
    """The events of an XML file, given piece by piece: no tree is built, so its size takes no memory.

    Raises:
        CorruptError: It is not well-formed, or nests too deeply. See `tree`.
    """
    from lxml import etree

    target = _Target()
    # "internal": with False, the ampersands of attributes would come as references. What an entity may grow
    # to is bounded by libxml2.
    parser = etree.XMLParser(
        target=target, resolve_entities="internal", no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        for chunk in chunks:
            parser.feed(chunk)
            yield from target.events
            target.events.clear()
        parser.close()
        yield from target.events
    except etree.XMLSyntaxError as error:
        raise _invalid(name, error) from error


class _Target:
    """Collects what the parser reports, until it is fetched."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._depth = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise CorruptError("damaged file: its XML is nested more deeply than any program writes")
        self.events.append(Event("start", tag, attributes))

    def end(self, tag: str) -> None:
        self._depth -= 1
        self.events.append(Event("end", tag))

    def data(self, text: str) -> None:
        self.events.append(Event("text", text))

    def close(self) -> None:
        """Called at the end; there is nothing to return."""


def _invalid(name: str, error: SyntaxError) -> CorruptError:
    return CorruptError(f"damaged file: its part {name} is not valid XML ({error.msg})")


def local_name(tag: str) -> str:
    """An element's name without its namespace."""
    return tag.rpartition("}")[2]


def local(element: _Element) -> str:
    """An element's name without its namespace, "" for what is no element.

    So that the two sets of namespaces of Office, transitional and strict, read the same.
    """
    tag = element.tag
    return local_name(tag) if isinstance(tag, str) else ""


def value(element: _Element | None, name: str = "val") -> str | None:
    """An element's attribute, in whatever namespace, None without it."""
    if element is None:
        return None
    for key, content in element.items():
        if local_name(key) == name:
            return str(content)
    return None


def child(element: _Element | None, *path: str) -> _Element | None:
    """The first descendant along a path of local names."""
    for name in path:
        if element is None:
            return None
        element = next((found for found in element if local(found) == name), None)
    return element


def nodes(element: _Element | None) -> Iterable[_Element]:
    """What stands in an element; nothing in one that is missing."""
    return () if element is None else element


def children(element: _Element | None, name: str) -> Iterator[_Element]:
    """The children with a local name."""
    return (found for found in nodes(element) if local(found) == name)
