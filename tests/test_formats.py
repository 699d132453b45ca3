"""A folder with a file of every format, indexed in one go: each is asked, and its citation is exact."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pptx import Presentation

from index import rebuild, status, verify
from index.parsers import PARSERS
from qa import QA

from .conftest import write_files
from .pdf_writer import write_pdf
from .test_docx import docx, p
from .test_epub import book, xhtml
from .test_mail import NEWS, mailbox, ole, outlook
from .test_opendocument import odt
from .test_sheets import xlsx

FACT = "The annual meeting of the Zurich chapter takes place in Lisbon on 14 March 2027."
QUESTION = "Where does the annual meeting of the Zurich chapter take place?"
OTHER = "The treasurer keeps the books of the chapter in the old town hall near the river."
TABLE = [
    ["City", "Mayor", "Inhabitants"],
    ["Aarau", "Hanna Keller", "21,700"],
    ["Olten", "Peter Frey", "19,100"],
]
ASKED = "Who is the mayor of Olten?"


@dataclass(frozen=True)
class Sample:
    """A file, what is asked of it, and what its first citation must say."""

    data: str | bytes
    key: str = "Lisbon"
    question: str = QUESTION
    page: int | None = None
    page_label: str | None = None
    heading: tuple[str, ...] = ("Dates",)
    member: str = ""


def pptx() -> bytes:
    deck = Presentation()
    for title, text in (("Money", OTHER), ("Dates", FACT)):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, text
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def zipped(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def tarred(name: str, text: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def sheet(rows: list[list[str]]) -> str:
    cells = ("".join(f'<c t="inlineStr"><is><t>{value}</t></is></c>' for value in row) for row in rows)
    return "".join(f"<row>{row}</row>" for row in cells)


def lettered(*lines: str) -> list[tuple[float, float, str]]:
    return [(72, 700 - 20 * row, line) for row, line in enumerate(lines)]


def sample(name: str) -> bytes:
    """A file that LibreOffice made, for the formats that no library of the tests can write."""
    return lzma.decompress((Path(__file__).parent / "samples" / f"{name}.xz").read_bytes())


HTML = f"<h1>Chapter</h1><p>{OTHER}</p><h2>Dates</h2><p>{FACT}</p>"
MAIL = (
    "From: ann@x.org\r\nTo: bo@x.org\r\nSubject: Dates\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n\r\n"
    f"{FACT}\r\n"
)
NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [{"cell_type": "markdown", "metadata": {}, "source": f"# Chapter\n\n## Dates\n\n{FACT}"}],
}
MAYOR = {"key": "Peter Frey", "question": ASKED}
CSV = "\n".join(",".join(f'"{cell}"' for cell in row) for row in TABLE)
SRT = "1\n00:00:01,000 --> 00:00:04,000\nThe annual meeting of the Zurich chapter\n\n" + (
    "2\n00:00:04,000 --> 00:00:07,000\ntakes place in Lisbon on 14 March 2027.\n"
)
SAMPLES = {
    "a.txt": Sample(f"{OTHER}\n\nDates\n=====\n\n{FACT}\n"),
    "README": Sample(f"{FACT}\n", heading=()),
    "a.md": Sample(f"# Chapter\n\n{OTHER}\n\n## Dates\n\n{FACT}\n"),
    "a.rst": Sample(f"Chapter\n=======\n\n{OTHER}\n\nDates\n-----\n\n{FACT}\n"),
    "a.org": Sample(f"#+TITLE: Chapter\n\n{OTHER}\n\n* Dates\n\n{FACT}\n"),
    "a.html": Sample(HTML),
    "a.xhtml": Sample(
        f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body>{HTML}</body></html>'
    ),
    "a.pdf": Sample(
        write_pdf([lettered(OTHER), lettered(FACT)], outline=[(0, "Dates", 1, 740)]),
        page=2,
        heading=("Dates",),
    ),
    "a.docx": Sample(docx(p(OTHER) + p("Dates", style="Heading1") + p(FACT))),
    "a.pptx": Sample(pptx(), page=2),
    "a.odt": Sample(
        odt(f'<text:p>{OTHER}</text:p><text:h text:outline-level="1">Dates</text:h><text:p>{FACT}</text:p>')
    ),
    "a.xlsx": Sample(
        xlsx({"Notes": sheet([[OTHER]]), "Towns": sheet(TABLE)}),
        page=2,
        page_label="Towns",
        heading=("Towns",),
        **MAYOR,
    ),
    "a.csv": Sample(CSV, heading=(), **MAYOR),
    "a.tsv": Sample("\n".join("\t".join(row) for row in TABLE), heading=(), **MAYOR),
    "a.rtf": Sample(r"{\rtf1\ansi " + OTHER + r"\par{\outlinelevel0 Dates\par}" + FACT + r"\par}"),
    "a.epub": Sample(
        book({"one": xhtml(f"<h1>Money</h1><p>{OTHER}</p>"), "two": xhtml(f"<h1>Dates</h1><p>{FACT}</p>")})
    ),
    "a.eml": Sample(MAIL, heading=()),
    "a.mbox": Sample(mailbox(MAIL.encode())),
    "a.msg": Sample(ole(outlook({**NEWS, "1000": FACT})), heading=()),
    "a.json": Sample(
        json.dumps([{"city": c, "mayor": m, "inhabitants": i} for c, m, i in TABLE[1:]]), heading=(), **MAYOR
    ),
    "a.jsonl": Sample(
        "\n".join(json.dumps({"name": f"note {n}", "text": t}) for n, t in enumerate([OTHER, FACT])),
        heading=(),
    ),
    "a.xml": Sample(
        f"<book><chapter><title>Money</title><para>{OTHER}</para></chapter><chapter><title>Dates</title><para>{FACT}</para></chapter></book>"
    ),
    "a.ipynb": Sample(json.dumps(NOTEBOOK)),
    "a.srt": Sample(SRT, heading=("00:00:01",)),
    "a.vtt": Sample("WEBVTT\n\n" + SRT.replace(",000", ".000"), heading=("00:00:01",)),
    "a.py": Sample(
        f'"""Meetings of the chapter.\n\n{FACT}\n"""\n\n\ndef meet() -> None:\n    pass\n', heading=()
    ),
    "a.yaml": Sample(f"meeting:\n  # {FACT}\n  city: Lisbon\n", heading=("meeting",)),
    "a.tex": Sample(
        f"\\documentclass{{article}}\n\\begin{{document}}\n\\section{{Dates}}\n{FACT}\n\\end{{document}}\n"
    ),
    "a.doc": Sample(sample("meeting.doc")),
    "a.ppt": Sample(sample("meeting.ppt"), page=2),
    "a.xls": Sample(sample("towns.xls"), page=2, page_label="Towns", heading=("Towns",), **MAYOR),
    "a.ods": Sample(sample("towns.ods"), page=2, page_label="Towns", heading=("Towns",), **MAYOR),
    "a.log": Sample(f"2026-03-02 10:00:00 INFO {FACT}\n2026-03-02 10:00:01 INFO done\n", heading=()),
    "a.go": Sample(f"package main\n\n// {FACT}\nfunc meet() {{\n}}\n", heading=()),
    "a.zip": Sample(
        zipped({"inner/a.md": f"# Chapter\n\n## Dates\n\n{FACT}\n", "b.txt": OTHER}), member="inner/a.md"
    ),
    "a.tar.gz": Sample(tarred("a.txt", FACT), heading=(), member="a.txt"),
    "notes.txt.gz": Sample(gzip.compress(FACT.encode()), heading=(), member="notes.txt"),
}


@pytest.fixture(scope="module")
def qa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QA]:
    folder = tmp_path_factory.mktemp("every") / "library"
    folder.mkdir()
    write_files(folder, {name: sample.data for name, sample in SAMPLES.items()})
    report = rebuild(folder, folder.parent / "ix")
    assert report.failed == ()
    assert verify(report.index_dir) == ()
    with QA.open(report.index_dir) as qa:
        yield qa


@pytest.mark.parametrize("name", SAMPLES)
def test_a_question_to_each_format(qa: QA, name: str) -> None:
    sample = SAMPLES[name]
    answer = qa.ask(sample.question, sources=[name], min_confidence=0)
    citation = answer.citations[0]
    source = f"{name}!/{sample.member}" if sample.member else name
    assert (answer.key, citation.source) == (sample.key, source)
    text = qa.text(source)
    assert text[citation.start : citation.end] == citation.quote == answer.text
    assert text[citation.key_start : citation.key_end] == sample.key
    assert (citation.page, citation.page_label) == (sample.page, sample.page_label)
    assert tuple(citation.heading[-1:]) == sample.heading


def test_every_parser_has_a_sample() -> None:
    endings = {Path(name).suffix for name in SAMPLES} | {"." + name.partition(".")[2] for name in SAMPLES}
    missing = [parser.name for parser in PARSERS if not endings & set(parser.extensions)]
    assert missing == []


def test_where_it_stands_on_the_page(qa: QA) -> None:
    (citation, *_) = qa.ask(QUESTION, sources=["a.pdf"], min_confidence=0).citations
    (box,) = qa.rectangles("a.pdf", citation.key_start, citation.key_end)
    assert (box.page, box.page_width, box.page_height) == (2, 612, 792)
    assert 72 < box.left < box.right < 540
    assert 792 - 715 < box.top < box.bottom < 792 - 690
    assert qa.rectangles("a.docx", 0, 5) == ()


def test_every_file_has_its_status(qa: QA) -> None:
    rows = {document.source: document for document in qa.documents()}
    assert set(rows) >= set(SAMPLES)
    assert {row.status for row in rows.values()} == {"indexed"}
    assert rows["a.zip"].reason == "holds 2 files"
    assert rows["a.eml"].author == "ann@x.org"
    assert rows["a.eml"].date == "2026-03-02T10:00:00+00:00"
    assert status(qa.index_dir).counts["indexed"] == len(rows)


def test_an_archive_stands_for_all_that_is_in_it(qa: QA) -> None:
    assert {passage.source for passage in qa.search("chapter", sources=["a.zip"])} == {
        "a.zip!/inner/a.md",
        "a.zip!/b.txt",
    }
