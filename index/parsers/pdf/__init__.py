"""PDF: the text layer, page by page, with paragraphs rebuilt from the lines on the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from index.errors import CorruptError, NoTextLayerError
from index.model import Document
from index.parsers import pulse
from index.parsers.pdf import ocr
from index.parsers.pdf.bold import bold_marks
from index.parsers.pdf.columns import in_reading_order
from index.parsers.pdf.headings import marks
from index.parsers.pdf.hyphens import mended, words_of
from index.parsers.pdf.lines import NOISE, Frames, Line, legible, lines_of
from index.parsers.pdf.pages import attachments, picture, read
from index.parsers.pdf.paper import Content, PageText, Run
from index.parsers.pdf.running import running
from index.parsers.pdf.weaving import woven
from index.parsers.pdf.written import Writing
from index.parsers.writer import folded

__all__ = ["parse"]

_FILE_NAME = re.compile(
    r"^(?:Microsoft |untitled|document\d*$|presentation\d*$|slide \d+$|powerpoint|print|scan|full page"
    r"|[A-Z]:\\|/|file:|https?:)"
    r"|\.(?:docx?|pdf|pptx?|xlsx?|rtf|odt|indd|qxd|tex|dvi|ps|txt|html?|pub|wpd)$|:$|：$",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:D:)?(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)(\d\d)?(?:(Z)|([+-])(\d\d)'?(?:(\d\d)'?)?)?)?)?)?"
)


def parse(
    data: bytes,
    passwords: Sequence[str] = (),
    *,
    find_engine: Callable[[], ocr.Engine | None] = ocr.installed,
) -> Document:
    """Read a PDF's text layer; what ``find_engine`` finds reads the pages that have none.

    Raises:
        EncryptedError: The file asks for a password that is not among ``passwords``.
        NoTextLayerError: No page holds text, and nothing can read the pictures.
        CorruptError: PDFium can't read the file.
    """
    content = read(data, passwords)
    if not content.pages:
        raise CorruptError("the PDF has no pages")
    if all(page is None for page in content.pages):
        raise CorruptError(f"the PDF is broken: none of its {len(content.pages)} pages can be read")
    title = sensible(content.metadata["Title"])
    bare, notice = _recognised(data, content, find_engine)
    pages = [woven(page) if page is not None else None for page in bare]
    members = attachments(data, content.password) if content.attachments else ()
    read_pages = [_lines(page) for page in pages]
    if not any(read_pages) and not content.attachments:
        raise NoTextLayerError(notice or "no page has a text layer")
    known = words_of(read_pages)
    read_pages = [mended(lines, known) for lines in read_pages]
    repeated = running(read_pages)
    headings = marks(content.bookmarks, read_pages, repeated)
    if not any(headings):
        headings = bold_marks(read_pages, repeated)
    writing = Writing(title)
    for number, page in enumerate(pages):
        writing.page(content.labels[number], page, read_pages[number], repeated[number], headings[number])
    return Document(
        title=title,
        text=writing.text,
        sections=writing.sections(),
        pages=tuple(writing.pages),
        notice=notice,
        author=folded(NOISE.sub("", content.metadata["Author"])) or None,
        date=iso_date(content.metadata["CreationDate"]),
        members=members,
    )


def _lines(page: PageText | None) -> list[Line]:
    if page is None or not page.text:
        return []
    frames = Frames(page)
    return in_reading_order(page, legible(lines_of(page, frames), page), frames)


def _recognised(
    data: bytes, content: Content, find_engine: Callable[[], ocr.Engine | None]
) -> tuple[list[PageText | None], str]:
    """The pages, those without a text layer read by OCR where that is possible, and what to say of it."""
    pages = list(content.pages)
    silent = [number for number, page in enumerate(pages) if page is None or not _has_text(page)]
    if not silent:
        return pages, ""
    engine = find_engine()
    done = []
    for number in silent[: ocr.MOST_PAGES]:
        page = _recognised_page(data, content, number, engine) if engine else None
        if page is not None:
            pages[number] = page
            done.append(number)
        pulse.beat()
    return pages, _notice(len(pages), len(silent), len(done), engine)


def _has_text(page: PageText) -> bool:
    return bool(NOISE.sub("", page.text).strip())


def _recognised_page(data: bytes, content: Content, number: int, engine: ocr.Engine) -> PageText | None:
    page = content.pages[number]
    if page is None:
        return None
    # What was filled in is known exactly: it is not read from the picture a second time.
    drawn = picture(data, content.password, number, annotations=not page.filled)
    if drawn is None:
        return None
    image, scale = drawn
    found = engine.read(image)
    lines = re.finditer("[^\n]+", found.text)
    runs = [Run(*line.span(), turn) for line, turn in zip(lines, found.turns, strict=True)]
    return replace(page, text=found.text, boxes=found.boxes / scale, runs=runs) if runs else None


def _notice(pages: int, silent: int, done: int, engine: ocr.Engine | None) -> str:
    if silent == pages and not done:
        which = "the only page has no" if silent == 1 else f"none of the {silent} pages has a"
        remedy = f"{engine.name} reads nothing on it" if engine else ocr.REMEDY
        return f"{which} text layer; {remedy}"
    left = silent - done
    parts = []
    if done:
        parts.append(f"{done} of {pages} pages read by OCR ({engine.name if engine else ''})")
    if left:
        parts.append(f"{left} of {pages} pages {'has' if left == 1 else 'have'} no text layer")
    return "; ".join(parts)


def sensible(title: str) -> str | None:
    """A title that names the content, rather than the file or the program that made it."""
    title = " ".join(NOISE.sub("", title).split())
    words = title.split()
    letters = sum(1 for character in title if character.isalpha())
    if not 3 <= len(title) <= 200 or _FILE_NAME.search(title) or letters * 2 < len(title):
        return None
    return title if len(words) > 1 or title.isalpha() else None


def iso_date(date: str) -> str | None:
    """A date as PDF writes it (D:20240131120000+01'00') in ISO 8601; None where it is none."""
    match = _DATE.match(date.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, zulu, sign, hours, minutes = match.groups()
    stamp = f"{year}-{month or '01'}-{day or '01'}"
    if hour is not None:
        stamp += f"T{hour}:{minute}:{second or '00'}"
        stamp += "+00:00" if zulu else f"{sign}{hours}:{minutes or '00'}" if sign else ""
    try:
        datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return stamp
