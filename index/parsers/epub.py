"""E-books (.epub): the chapters in reading order, each under its heading.

The chapters are XHTML and read like web pages; where one has no heading of its own, its place in the
book's table of contents names it.
"""

from __future__ import annotations

import codecs
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from index.errors import CorruptError, EmptyFileError, EncryptedError, ParseError
from index.model import Document, Section
from index.parsers.bodies import codec, decode_text, read_html
from index.parsers.outline import moved
from index.parsers.writer import folded
from index.parsers.xml_reading import child
from index.parsers.zipped import Zipped

if TYPE_CHECKING:
    from lxml.etree import _Element

_LARGEST = 50_000_000  # bytes of a chapter; a whole library of novels in one page is less
_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_FONT_LOCKS = frozenset(("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"))
_PAGES = frozenset(("application/xhtml+xml", "text/html", "application/html+xml", "text/x-oeb1-document"))
_DECLARED = re.compile(rb"<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]+)|charset=[\"']?([\w.:-]+)")
# XHTML may close any element at once, which means nothing to a reader of HTML: the rest would be its text.
_CLOSED = re.compile(r"<([A-Za-z][\w:.-]*)((?:\s[^<>]*)?)/>")
_EMPTY = frozenset("area base br col embed hr img input link meta param source track wbr".split())
# In a web page these are furniture; in a book they hold the heading and the footnotes of a chapter.
_PARTS = re.compile(r"<(/?)(?:aside|header|footer)(?=[\s>/])", re.IGNORECASE)
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?)?)?")


@dataclass(slots=True)
class _Book:
    """The text so far."""

    pieces: list[str] = field(default_factory=list)
    length: int = 0
    sections: list[Section] = field(default_factory=list)
    missing: int = 0
    unread: int = 0


@dataclass(frozen=True, slots=True)
class _Item:
    """A file of the book, as its manifest lists it."""

    place: str
    kind: str
    properties: str


def parse(data: bytes) -> Document:
    """Read an e-book.

    Raises:
        EmptyFileError: It shows no text.
        EncryptedError: It is locked by its publisher or shop (DRM).
        CorruptError: It is no e-book, or a damaged one.
    """
    if not data:
        raise EmptyFileError("the file holds no text")
    archive = Zipped(data)
    _refuse_locked(archive)
    opf, package = _package(archive)
    items = dict(_items(package, posixpath.dirname(opf)))
    labels = _labels(archive, items)
    book = _Book()
    for item in _spine(package, items):
        if archive.find(item.place) is None:
            book.missing += 1
            continue
        try:
            if archive.size(item.place) > _LARGEST:
                raise CorruptError("the chapter is too large to be read")
            _add(book, archive.read(item.place), labels.get(item.place))
        except EmptyFileError:
            continue  # a picture
        except ParseError:
            book.unread += 1
    if not book.pieces:
        _refuse(book)
    counts = ((book.missing, "missing"), (book.unread, "unreadable"))
    return Document(
        title=_metadata(package, "title"),
        text="".join(book.pieces),
        sections=tuple(book.sections),
        author=_metadata(package, "creator", several=True),
        date=_date(package),
        notice="; ".join(f"chapters {state}: {count}" for count, state in counts if count),
    )


def _refuse(book: _Book) -> None:
    if book.missing or book.unread:
        raise CorruptError("damaged e-book: its chapters are missing or can't be read")
    raise EmptyFileError("the e-book shows no text")


def _refuse_locked(archive: Zipped) -> None:
    if archive.locked:
        raise EncryptedError("the e-book asks for a password; save it without one")
    locks = archive.xml(_ENCRYPTION, typed=True)
    for method in () if locks is None else locks.iter("{*}EncryptionMethod"):
        if (method.get("Algorithm") or "") not in _FONT_LOCKS:
            raise EncryptedError("the e-book is locked by its publisher (DRM); Footnote can't read it")


def _package(archive: Zipped) -> tuple[str, _Element]:
    """The package document, which lists everything else, and where it is."""
    container = archive.xml(_CONTAINER, typed=True)
    files = () if container is None else container.iter("{*}rootfile")
    places = [_place("", file.get("full-path") or "") for file in files]
    places += sorted(name for name in archive.parts() if name.lower().endswith(".opf"))
    for place in places:
        package = archive.xml(place, typed=True)
        if package is not None:
            return place, package
    raise CorruptError("this is no e-book: it has no package document (.opf)")


def _items(package: _Element, folder: str) -> Iterator[tuple[str, _Item]]:
    for item in package.iter("{*}item"):
        place = _place(folder, item.get("href") or "")
        yield item.get("id") or "", _Item(place, item.get("media-type") or "", item.get("properties") or "")


def _spine(package: _Element, items: dict[str, _Item]) -> list[_Item]:
    """The chapters in reading order, what is beside it (linear="no") last; no page of contents."""
    listed = [(ref, items.get(ref.get("idref") or "")) for ref in package.iter("{*}itemref")]
    listed.sort(key=lambda pair: pair[0].get("linear") == "no")
    chapters = {
        item.place: item
        for _, item in listed
        if item and "nav" not in item.properties.split() and item.kind.lower() in _PAGES
    }
    return list(chapters.values())


def _place(folder: str, reference: str) -> str:
    """A reference as a name inside the zip file; it can't lead out of it, names are only looked up."""
    path = unquote(reference.split("#", 1)[0])
    return posixpath.normpath(posixpath.join("/", folder, path)).lstrip("/")


def _add(book: _Book, source: bytes, label: str | None) -> None:
    """Add a chapter's text and sections, moved to its place."""
    document = read_html(_page(source))
    if book.pieces:
        book.pieces.append("\n\n")
        book.length += 2
    above: tuple[str, ...] = ()
    if not any(section.heading for section in document.sections):
        # Without a name of its own it is the rest of the chapter before it.
        before = book.sections[-1].heading[:1] if book.sections else ()
        above = (label,) if label else before
    for section in document.sections:
        blocks = tuple(moved(block, book.length) for block in section.blocks)
        book.sections.append(Section((*above, *section.heading), blocks))
    book.pieces.append(document.text)
    book.length += len(document.text)


def _page(source: bytes) -> str:
    """A chapter as HTML."""
    declared = _DECLARED.search(source, 0, 2048)
    named = (declared[1] or declared[2]).decode("ascii", "ignore") if declared else None
    marked = source.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = decode_text(source, None if marked or not codec(named) else named, [])
    return _PARTS.sub(r"<\1div", _CLOSED.sub(_opened, text))


def _opened(element: re.Match[str]) -> str:
    name, attributes = element[1], element[2]
    return element[0] if name.lower() in _EMPTY else f"<{name}{attributes}></{name}>"


def _labels(archive: Zipped, items: dict[str, _Item]) -> dict[str, str]:
    """What the table of contents calls each file: its first entry that leads there."""
    found: dict[str, str] = {}
    for item in items.values():
        is_nav = "nav" in item.properties.split()
        if not is_nav and item.kind != "application/x-dtbncx+xml":
            continue
        root = archive.xml_if_sound(item.place, typed=True)
        if root is None:
            continue  # chapters name themselves, mostly
        for target, label in _links(root) if is_nav else _points(root):
            if label := folded(label):
                found.setdefault(_place(posixpath.dirname(item.place), target), label)
    return found


def _links(root: _Element) -> Iterator[tuple[str, str]]:
    """The entries of an EPUB 3 table of contents, which is a list of links."""
    for nav in root.iter("{*}nav"):
        kind = next((value for name, value in nav.items() if name.endswith("type")), "toc")
        if "toc" in kind.split():
            for link in nav.iter("{*}a"):
                yield link.get("href") or "", "".join(link.itertext())


def _points(root: _Element) -> Iterator[tuple[str, str]]:
    """The entries of an EPUB 2 table of contents (NCX)."""
    for point in root.iter("{*}navPoint"):
        label, target = child(point, "navLabel"), child(point, "content")
        if label is not None and target is not None:
            yield target.get("src") or "", "".join(label.itertext())


def _metadata(package: _Element, name: str, *, several: bool = False) -> str | None:
    texts = [folded("".join(element.itertext())) for element in package.iter(f"{{*}}{name}")]
    texts = list(dict.fromkeys(filter(None, texts)))
    return ", ".join(texts if several else texts[:1]) or None


def _date(package: _Element) -> str | None:
    """The date of publication."""
    dates = [element for element in package.iter("{*}date") if _DATE.fullmatch((element.text or "").strip())]
    dates.sort(key=lambda element: not any(value == "publication" for value in element.values()))
    return (dates[0].text or "").strip() if dates else None
