"""What flows through ``index``: frozen records, no behaviour.

All offsets count Unicode code points and are half-open: ``text[start:end]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Span = tuple[int, int]
"""A half-open range of code points."""

BlockKind = Literal["prose", "item", "row", "code"]
Status = Literal["indexed", "empty", "no_text_layer", "encrypted", "unsupported", "failed"]
STATUSES: tuple[Status, ...] = (
    "indexed",
    "empty",
    "no_text_layer",
    "encrypted",
    "unsupported",
    "failed",
)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list item, table row or code block: ``text[start:end]``.

    A sentence never reaches across two blocks. ``header`` is the range of a table's header row;
    it is repeated in what is embedded for every passage that holds rows without it.
    """

    start: int
    end: int
    kind: BlockKind = "prose"
    header: Span | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """The blocks under one heading path (outermost first, empty before the first heading)."""

    heading: tuple[str, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A physical page, slide or sheet: its number from 1 and its range of the text.

    ``label`` is what the document itself calls it: the printed page number, the sheet's name.
    ``layout`` says where its characters stand on the paper (see `index.layout`), b"" where unknown.
    """

    number: int
    start: int
    end: int
    label: str | None = None
    layout: bytes = b""


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a file: a member of an archive (``path`` within it) or an attachment.

    A ``path`` of "" stands for the name of the file around it, without its last ending (notes.txt.gz).

    ``problem`` says why there is no ``data``, with the status that the member gets.
    """

    path: str
    data: bytes
    problem: tuple[Status, str] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """What a parser read from a file's bytes, independent of where the file lies.

    Text that no section covers (front matter, running heads) can be shown but is not indexed.
    Sections and their blocks stand in the order of the text and do not overlap; a block never
    reaches across two pages. ``title``, ``author`` and ``date`` (ISO 8601) are None where the content
    names none. ``notice`` says what a user should know of the reading, such as the encoding that was
    detected. ``members`` are the files inside the file, made one by one while they are iterated, once.
    """

    title: str | None
    text: str
    sections: tuple[Section, ...]
    pages: tuple[Page, ...] = ()
    notice: str = ""
    author: str | None = None
    date: str | None = None
    members: Iterable[Member] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that is embedded and retrieved as one.

    ``document.text[start:end] == text``. ``sentences`` are ranges of the document's text inside
    the passage, in order; a table's header row is none of them. ``context`` (title > heading path,
    and a table's header where the passage holds rows without it) is put before ``text`` in what is
    embedded and searched, and is never part of a quote. ``page_label`` is what the document itself
    calls the page: "xii", a sheet's name.
    """

    start: int
    end: int
    text: str
    heading: tuple[str, ...]
    page: int | None
    sentences: tuple[Span, ...]
    context: str
    page_label: str | None = None


@dataclass(frozen=True, slots=True)
class IndexedPassage:
    """A passage of an index: its id (never re-used), every file that holds it, the content's title."""

    id: int
    sources: tuple[str, ...]
    title: str | None
    passage: Passage


@dataclass(frozen=True, slots=True)
class DocumentStatus:
    """One file of the folder, as ``status`` reports it. ``indexed_at`` is ISO 8601 in UTC.

    ``author`` and ``date`` are those that the file itself names; ``language`` is an ISO 639-1 code.
    """

    source: str
    title: str
    status: Status
    reason: str
    passages: int
    pages: int
    sha256: str | None
    indexed_at: str
    duplicate_of: str | None
    author: str | None = None
    date: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """The state of an index, as ``status --json`` prints it.

    ``runtime`` is what ran the encoder when the snapshot was made; "" for an encoder of the caller's own.
    """

    format: int
    snapshot: str
    folder: str
    encoder: str
    vector_index: str
    counts: Mapping[str, int]
    documents: tuple[DocumentStatus, ...]
    runtime: str = ""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. ``published`` is False where nothing had changed.

    ``foreign`` are the documents in a language that the encoder was not made for; ``locked`` those that were
    read with a password before, and now without one are not.
    """

    index_dir: str
    snapshot: str
    published: bool
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    removed: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    passages: int = 0
    embedded: int = 0
    seconds: float = 0.0
    failed: tuple[DocumentStatus, ...] = ()
    foreign: tuple[DocumentStatus, ...] = ()
    locked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollback:
    """What a rollback did: the documents that return, go, and take their earlier content."""

    left: str
    live: str
    returned: tuple[str, ...]
    dropped: tuple[str, ...]
    reverted: tuple[str, ...]
