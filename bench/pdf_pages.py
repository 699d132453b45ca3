"""PDF: are the quotes on the page that is named, and how fast are pages read?

    python -m bench.pdf_pages DIR

Every sentence of every passage is looked up in PDFium's own text of the page that its passage names.
White space is folded and hyphens are left out on both sides; what is found only without any white space
is counted apart. Then all files are parsed five times in one process, rectangles included, without OCR.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from index.chunking import ChunkSettings, chunk
from index.errors import ParseError
from index.model import Document, Span
from index.parsers.pdf import parse

_HYPHENS = str.maketrans("", "", "-\u2010\u00ad\ufffe\x02\ufeff")


class Words:
    """A tokenizer for chunking: words and marks."""

    max_tokens = 254

    def token_offsets(self, texts: Sequence[str]) -> list[list[Span]]:
        return [[match.span() for match in re.finditer(r"\w+|[^\w\s]", text)] for text in texts]


def page_texts(data: bytes) -> list[str]:
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    texts = []
    for number in range(len(document)):
        try:
            textpage = document[number].get_textpage()
        except pypdfium2.PdfiumError:
            texts.append("")
            continue
        texts.append(textpage.get_text_range() if textpage.count_chars() else "")
    document.close()
    return texts


def folded(text: str) -> str:
    return " ".join(text.translate(_HYPHENS).split())


def sentences(document: Document) -> Iterator[tuple[int, str]]:
    for passage in chunk(document, Words(), ChunkSettings()):
        for start, end in passage.sentences:
            yield passage.page or 0, document.text[start:end]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--show", type=int, default=20, metavar="N", help="print N quotes that are not found")
    options = parser.parse_args()
    readable: list[bytes] = []
    total = found = without_space = pages = characters = packed = 0
    missed: list[str] = []
    for path in sorted(options.folder.rglob("*.pdf")):
        data = path.read_bytes()
        try:
            document = parse(data, find_engine=lambda: None)
        except ParseError:
            continue
        readable.append(data)
        pages += len(document.pages)
        characters += len(document.text)
        packed += sum(len(page.layout) for page in document.pages)
        texts = [folded(text) for text in page_texts(data)]
        solid = [text.replace(" ", "") for text in texts]
        for page, sentence in sentences(document):
            total += 1
            wanted = folded(sentence)
            if wanted in texts[page - 1]:
                found += 1
            elif wanted.replace(" ", "") in solid[page - 1]:
                without_space += 1
            else:
                missed.append(f"{path.name} page {page}: {wanted}")
    for line in missed[: options.show]:
        print("not found:", line)
    whole = found + without_space
    print(f"quotes found on their page: {whole} of {total} ({found} with white space folded,")
    print(f"  {without_space} more without any)")
    print(f"layout: {packed / max(1, characters):.2f} bytes a character, {characters} characters")
    timed = [_timed(readable) for _ in range(5)]
    wall, cpu = (pages / statistics.median(column) for column in zip(*timed, strict=True))
    print(f"{pages} pages: {wall:.0f} pages/s, {cpu:.0f} a second of CPU (medians of 5, one process)")


def _timed(files: Sequence[bytes]) -> tuple[float, float]:
    start, started = time.perf_counter(), time.process_time()
    for data in files:
        parse(data, find_engine=lambda: None)
    return time.perf_counter() - start, time.process_time() - started


if __name__ == "__main__":
    main()
