"""PDF: the text layer, page by page, with paragraphs rebuilt from the lines on the page."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from index.errors import CorruptError, EncryptedError, NoTextLayerError, ParseError
from index.model import Block, Document, Page, Section

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage, PdfTextPage

_PDFIUM = threading.Lock()
"""PDFium keeps global state: one thread at a time, in the whole process."""

_HYPHEN = "\ufffe"  # PDFium's mark for a hyphen at the end of a line, which it joins to the next
_NOISE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff\ufeff\u00ad\ud800-\udfff]")
_BROKEN = re.compile(r"([^\s\ufffe]*)[\ufffe\x02]([^\s\ufffe\x02]*)")
_WORD = re.compile(r"\w+(?:-\w+)*")
_BULLET = re.compile(r"[-*•‣◦▪●✓✔➢–\uf0b7\uf0a7\uf0d8][ \t\xa0]+(?=\S)")
_NUMBER = re.compile(r"(?:\(?\d{1,3}[.)]|\(?(?:[a-z]|[ivx]{1,5})\)|\d{1,2}(?:\.\d{1,2})+\.?)[ \t\xa0]+(?=\S)")
_ENDED = re.compile(r"[.!?…。！？:;][\"'”’»)\]]*$")
_SENTENCE = re.compile(r"(?:\S+\s+){4,}\S+[.!?][\"'”’)]*$")
_LEADER = re.compile(r"\.{4}|(?:\. ){4}|…{2}|_{4}")
_LABEL = re.compile(r"[A-Z][^:.!?]{1,48}:(?:\s|$)")
_FIGURES = re.compile(r"(?:\s[$€£]?\s?\(?\d[\d,.]*\)?%?|\s[—–-]){2,}$")
_DATE = re.compile(r"[A-Z][a-z]{2,8}\.? \d{1,2}, \d{4}$")
_SYMBOLS = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")
_FILE_NAME = re.compile(
    r"^(?:Microsoft |untitled|document\d*$|presentation\d*$|slide \d+$|powerpoint|print|scan|full page"
    r"|[A-Z]:\\|/|file:|https?:)"
    r"|\.(?:docx?|pdf|pptx?|xlsx?|rtf|odt|indd|qxd|tex|dvi|ps|txt|html?|pub|wpd)$|:$|：$",
    re.IGNORECASE,
)
_EDGE = 3  # running heads and feet have at most so many lines


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text and where it stands; PDF's vertical axis points up."""

    text: str
    left: float
    right: float
    height: float
    first: float  # the foot of its first character
    last: float  # the foot of its last one: lower, where PDFium joined a hyphenated line to the next


def parse(data: bytes) -> Document:
    """Read a PDF's text layer.

    Raises:
        EncryptedError: The file asks for a password.
        NoTextLayerError: No page holds text.
        CorruptError: PDFium can't read the file.
    """
    with _PDFIUM:
        raw, title = _read(data)
    if not raw:
        raise CorruptError("the PDF has no pages")
    silent = sum(1 for lines in raw if not lines)
    if silent == len(raw):
        pages = "the only page has no" if silent == 1 else f"none of the {silent} pages has a"
        raise NoTextLayerError(f"{pages} text layer; OCR is not built in")
    notice = (
        f"{silent} of {len(raw)} pages {'has' if silent == 1 else 'have'} no text layer" if silent else ""
    )
    return _document(title, _mended(raw), notice)


def _read(data: bytes) -> tuple[list[list[_Line]], str | None]:
    """Every page's lines, and the title. The caller holds the lock."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise _opening_error(data, str(error)) from error
    try:
        pages: list[list[_Line]] = []
        broken = 0
        for number in range(len(document)):
            try:
                pages.append(_page_lines(document, number))
            except pypdfium2.PdfiumError:
                pages.append([])
                broken += 1
        if pages and broken == len(pages):
            raise CorruptError(f"the PDF is broken: none of its {broken} pages can be read")
        return pages, _sensible(document.get_metadata_value("Title"))
    finally:
        document.close()


def _opening_error(data: bytes, message: str) -> ParseError:
    lowered = message.lower()
    if "password" in lowered:
        return EncryptedError("the PDF asks for a password; save a copy without one")
    if "security" in lowered:
        return EncryptedError("the PDF is protected by a scheme that PDFium does not know")
    if not data:
        return CorruptError("the file is empty: there is no PDF in it")
    if b"%PDF-" not in data[:1024]:
        return CorruptError("the file is not a PDF, whatever its name says")
    return CorruptError("the PDF is broken: it is cut off or damaged")


def _sensible(title: str) -> str | None:
    """A title that names the content, rather than the file or the program that made it."""
    title = " ".join(_NOISE.sub("", title).split())
    words = title.split()
    letters = sum(1 for character in title if character.isalpha())
    if not 3 <= len(title) <= 200 or _FILE_NAME.search(title) or letters * 2 < len(title):
        return None
    return title if len(words) > 1 or title.isalpha() else None


def _page_lines(document: PdfDocument, number: int) -> list[_Line]:
    page: PdfPage = document[number]
    try:
        textpage: PdfTextPage = page.get_textpage()
        try:
            return _lines(textpage)
        finally:
            textpage.close()
    finally:
        page.close()


def _lines(textpage: PdfTextPage) -> list[_Line]:
    text: str = textpage.get_text_range()
    located = len(text) == textpage.count_chars()  # else characters and boxes do not correspond
    lines: list[_Line] = []
    for match in re.finditer(r"[^\r\n]+", text):
        content = match[0].strip()
        if not _NOISE.sub("", content).strip():
            continue
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        line = _placed(textpage, content, start) if located else None
        if line is None:
            # Without boxes, take every character to be as wide as another.
            line = _Line(content, 0.0, float(len(content)), 1.0, -float(len(lines)), -float(len(lines)))
        lines.append(line)
    return lines


def _placed(textpage: PdfTextPage, content: str, start: int) -> _Line | None:
    import pypdfium2

    try:
        left, foot, _, head = textpage.get_charbox(start, loose=True)
        _, last, right, top = textpage.get_charbox(start + len(content) - 1, loose=True)
    except pypdfium2.PdfiumError:
        return None
    height = max(head - foot, top - last)  # a bullet may be in smaller type
    return _Line(content, left, right, height, foot, last)


def _mended(pages: Sequence[Sequence[_Line]]) -> list[list[_Line]]:
    """Join the words that were hyphenated at the end of a line."""
    seen = {word.casefold() for lines in pages for line in lines for word in _WORD.findall(line.text)}

    def join(match: re.Match[str]) -> str:
        before, after = match[1], match[2]
        return f"{before}-{after}" if _keeps_hyphen(before, after, seen) else before + after

    return [
        [
            _Line(
                _NOISE.sub("", _BROKEN.sub(join, line.text)).strip(),
                line.left,
                line.right,
                line.height,
                line.first,
                line.last,
            )
            for line in lines
        ]
        for lines in pages
    ]


def _keeps_hyphen(before: str, after: str, seen: set[str]) -> bool:
    """A compound keeps its hyphen; a word that was merely divided loses it."""
    if not before or not after or "/" in before or "@" in before:
        return bool(before and after)
    if before[-1].isdigit() or after[0].isdigit() or (after[0].isupper() and not before.isupper()):
        return True
    tail, head = re.search(r"[\w-]*$", before), re.match(r"[\w-]*", after)
    left, right = (tail[0] if tail else "").casefold(), (head[0] if head else "").casefold()
    return f"{left}-{right}" in seen and left + right not in seen


def _document(title: str | None, pages: Sequence[Sequence[_Line]], notice: str) -> Document:
    running = _running(pages)
    pieces: list[str] = []
    blocks: list[Block] = []
    records: list[Page] = []
    place = 0
    for number, lines in enumerate(pages, 1):
        if pieces:
            pieces.append("\n\n")
            place += 2
        begin = place
        for members in _paragraphs(lines, running[number - 1]):
            if place > begin:
                pieces.append("\n")
                place += 1
            text = " ".join(lines[member].text for member in members)
            if members[0] not in running[number - 1] and not _SYMBOLS.fullmatch(text):
                blocks.append(_block(text, place))
            pieces.append(text)
            place += len(text)
        records.append(Page(number, begin, place))
    sections = (Section((), tuple(blocks)),) if blocks else ()
    return Document(title, "".join(pieces), sections, tuple(records), notice)


def _block(text: str, place: int) -> Block:
    bullet = _BULLET.match(text)
    start = place + (bullet.end() if bullet else 0)
    return Block(start, place + len(text), "item" if bullet or _NUMBER.match(text) else "prose")


def _running(pages: Sequence[Sequence[_Line]]) -> list[set[int]]:
    """The lines of each page that are running heads, running feet or page numbers."""
    edges = [_edge(lines) for lines in pages]
    counts: Counter[str] = Counter()
    offsets: Counter[int] = Counter()
    for number, (lines, edge) in enumerate(zip(pages, edges, strict=True)):
        counts.update({_key(lines[place].text) for place in edge})
        offsets.update({int(lines[place].text) - number for place in edge if _is_number(lines[place].text)})
    needed = max(3, len(pages) * 0.2)
    result: list[set[int]] = []
    for number, (lines, edge) in enumerate(zip(pages, edges, strict=True)):
        found = set()
        for place in edge:
            text = lines[place].text
            if _is_number(text):
                repeated = offsets[int(text) - number] >= min(needed, max(2, len(pages)))
            else:
                repeated = counts[_key(text)] >= needed
            if repeated:
                found.add(place)
        # A page of nothing but repeated lines is content that resembles other pages.
        result.append(found if len(found) < len(lines) else set())
    return result


def _edge(lines: Sequence[_Line]) -> set[int]:
    """The first and last lines of a page, in reading order and by their place on the paper."""
    order = range(len(lines))
    by_height = sorted(order, key=lambda place: -lines[place].first)
    return {*order[:_EDGE], *order[-_EDGE:], *by_height[:_EDGE], *by_height[-_EDGE:]}


def _key(text: str) -> str:
    """What is the same on many pages: everything but numbers, unless a sentence holds them."""
    folded = " ".join(text.split())
    return folded if _SENTENCE.match(folded) else _DIGITS.sub("#", folded)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


def _paragraphs(lines: Sequence[_Line], apart: set[int]) -> list[list[int]]:
    """Group a page's lines into paragraphs; the lines of ``apart`` stand alone."""
    if not lines:
        return []
    drops = [a.last - b.first for a, b in pairwise(lines) if a.last > b.first]
    pitch = median(drops) if drops else 1.0
    solid = [_breadth(line) for line in lines if not _LEADER.search(line.text)]  # dots are narrow
    breadth = median(solid) if solid else 1.0
    groups = [[0]] if lines[0].text else []
    for place in range(1, len(lines)):
        line, before = lines[place], lines[place - 1]
        if not line.text:
            continue
        free = place not in apart and place - 1 not in apart and groups
        if free and _follows(before, line, pitch) and _reads_on(lines, place, breadth):
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def _breadth(line: _Line) -> float:
    return max(line.right - line.left, 0.0) / len(line.text or " ")


def _follows(before: _Line, line: _Line, pitch: float) -> bool:
    """Whether a line stands directly below another, in the same size of type."""
    drop = before.last - line.first
    tall, small = max(before.height, line.height), min(before.height, line.height)
    near = 0 < drop <= max(1.3 * pitch, 1.4 * tall) and drop <= 3 * max(tall, 0.1)
    beside = before.last == line.first  # PDFium cuts a line at a wide gap, too
    return (near and small >= 0.75 * tall and line.left < before.right + tall) or beside


def _reads_on(lines: Sequence[_Line], place: int, breadth: float) -> bool:
    """Whether a line goes on with the paragraph of the line before it."""
    before, line = lines[place - 1], lines[place]
    if _BULLET.match(line.text) or any(
        _LEADER.search(text) or _SYMBOLS.fullmatch(text) for text in (before.text, line.text)
    ):
        return False
    ended = _ENDED.search(before.text) is not None
    full = _is_full(lines, place, breadth)
    if _NUMBER.match(line.text) and (ended or not full or _is_item(before.text)):
        return False
    if _LABEL.match(before.text) and _LABEL.match(line.text):
        return False
    if not line.text[0].islower() and (_is_row(before.text) or _is_row(line.text)):
        return False
    if not ended and line.text[0].islower():
        return True
    if ended and line.left > before.left + line.height and not _BULLET.match(before.text):
        return False  # a first line is indented
    return full


def _is_item(text: str) -> bool:
    return _BULLET.match(text) is not None or _NUMBER.match(text) is not None


def _is_row(text: str) -> bool:
    """Whether a line ends in several figures, as the rows of a table do."""
    return _FIGURES.search(text) is not None and _DATE.search(text) is None


def _is_full(lines: Sequence[_Line], place: int, breadth: float) -> bool:
    """Whether the next word found no room on the line before; columns of a table look loose."""
    before, line = lines[place - 1], lines[place]
    if _HYPHEN not in before.text and before.first == before.last and _breadth(before) > 1.35 * breadth:
        return False
    near = lines[max(0, place - 12) : place + 12]
    margin = 0.5 * before.height
    rights = sorted(
        other.right
        for other in near
        if min(abs(other.left - before.left), abs(other.left - line.left)) <= margin
    )
    if len(rights) < 4:  # too few share the left edge: take whatever stands above and below
        rights = sorted(
            other.right for other in near if other.left < before.right and other.right >= before.left
        )
    edge = rights[int(0.9 * (len(rights) - 1))]
    word = len(line.text.split(None, 1)[0]) * max(_breadth(line), 0.8 * breadth)
    return before.right + 0.9 * word + breadth >= edge
