"""XML of any vocabulary: documents as headings and paragraphs, data as records.

No entity is expanded but named characters and short plain words that the file declares itself; nothing
outside the file is ever read. The names of elements decide only in vocabularies for documents (DocBook,
JATS, TEI, FictionBook and their like); elsewhere elements are the keys of records.
"""

from __future__ import annotations

import re
from html.entities import html5
from typing import TYPE_CHECKING, Any

from index.errors import CorruptError, EmptyFileError
from index.model import Document
from index.parsers import html
from index.parsers.decoding import Decoded, decode_file, web_codec
from index.parsers.records import Fields, Value, document_of
from index.parsers.xml.documents import is_document, read_document
from index.parsers.xml.elements import is_mixed, name_of, own_name, text_in

if TYPE_CHECKING:
    from lxml.etree import _Element

_DECLARATION = re.compile(r"\s*<\?xml\s[^>]*?\?>")
_DECLARED = re.compile(rb"<\?xml\s[^>]*?\bencoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
_MOST_ATTRIBUTES = 1_000
_HEAD = 200_000
_DECLARED_ENTITY = re.compile(r"<!ENTITY\s+([\w.-]+)\s+([\"'])((?:[^<&%\"']|&#\w+;){1,200})\2\s*>")
_REFERENCE = re.compile(r"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|&([A-Za-z][\w.-]*);", re.DOTALL)


def parse(data: bytes) -> Document:
    """Read an XML file. What a broken one still shows is read, and the notice says so.

    Raises:
        EmptyFileError: No element holds text.
        UnsupportedError: The bytes are not text.
        CorruptError: This is not XML, or no encoding reads the bytes without loss.
    """
    declared = _DECLARED.search(data[:1_000])
    decoded = decode_file(data, web_codec(declared[1]) if declared else None)
    root, notice = _tree(decoded)
    if name_of(root) == "html":
        return html.parse(data)
    try:
        if is_document(root):
            return read_document(root, notice)
        only = root[0] if len(root) == 1 and len(root[0]) else root
        return document_of(_value(only), notice)
    except EmptyFileError as error:
        if notice != decoded.notice:
            raise CorruptError(f"{notice.removeprefix(decoded.notice).lstrip('; ')}") from error
        raise


def _without_entities(source: str) -> str:
    """Put what they stand for in the place of named characters and of plain words that the file declares.

    libxml2 leaves out every reference after the first mistake in a file, even "&amp;". What stands there
    in the end is never much longer than the file itself.
    """
    declared = {found[1]: found[3] for found in _DECLARED_ENTITY.finditer(source[:_HEAD])}
    room = len(source) + 10_000

    def replacement(found: re.Match[str]) -> str:
        nonlocal room
        name = found[1]
        if name is None:
            return found[0]  # a comment, or text in which nothing is a reference
        words = declared.get(name)
        if words is None:
            words = "".join(f"&#{ord(character)};" for character in html5.get(f"{name};", ""))
        room -= len(words)
        return words if words and room >= 0 else found[0]

    return _REFERENCE.sub(replacement, source)


def _tree(decoded: Decoded) -> tuple[_Element, str]:
    from lxml import etree

    parser = etree.XMLParser(
        encoding="utf-8",
        recover=True,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    source = _without_entities(_DECLARATION.sub("", decoded.text, count=1).lstrip())
    try:
        root = etree.fromstring(source.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        raise CorruptError(f"not XML: {error.msg}") from error
    notice = decoded.notice
    for entry in parser.error_log:
        if entry.level_name == "FATAL" and entry.type_name != "ERR_UNDECLARED_ENTITY":
            what = f"not well-formed XML: {entry.message.strip()} (line {entry.line}, column {entry.column})"
            if root is None:
                raise CorruptError(what)
            notice = f"{notice}; {what}".lstrip("; ")
            break
    if root is None:
        raise CorruptError("this is not XML: there is no element")
    return root, notice


def _value(element: _Element) -> Value:
    """Data as it would stand in JSON: attributes and elements are keys, repeated elements lists."""
    # lxml needs quadratic time in the number of an element's attributes, of which people write a few.
    named = element.attrib.items() if len(element.attrib) <= _MOST_ATTRIBUTES else ()
    attributes = [(key, text) for key, text in named if not key.startswith("{")]
    if not len(element) or is_mixed(element):
        text = text_in(element)
        if not attributes:
            return text
        return Fields([(own_name(element), text), *attributes] if text else attributes)
    children: dict[str, list[Any]] = {}
    for child in element:
        children.setdefault(own_name(child), []).append(child)
    if len(children) == 1 and not attributes and len(element) > 1:
        return [_value(child) for child in element]
    pairs: list[tuple[str, Value]] = [*attributes]
    for key, group in children.items():
        if len(group) > 1:
            pairs.append((key, [_value(child) for child in group]))
            continue
        value = _value(group[0])
        if isinstance(value, Fields) and not len(group[0]):  # words with attributes
            pairs.extend((key if name == key else f"{key}.{name}", text) for name, text in value.pairs)
        else:
            pairs.append((key, value))
    return Fields(pairs)
