"""The registry of parsers: which file extension is read by which function.

A parser is a function of a file's bytes that knows neither its name nor its place. A new format is one
function and one row of ``PARSERS``; its module is imported when its first file is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module

from index.errors import UnsupportedError
from index.model import Document

__all__ = ["PARSERS", "Parser", "parser_for", "supported"]


@dataclass(frozen=True, slots=True)
class Parser:
    """A file format. A higher ``version`` says that the same bytes now give another document.

    ``entry_point`` names ``module:function``. The function takes the bytes, and passwords where files of
    the format can be ``lockable``. An ``archive`` has no text of its own, only that of the files inside it.
    """

    name: str
    version: int
    extensions: tuple[str, ...]
    entry_point: str
    lockable: bool = False
    archive: bool = False

    @property
    def key(self) -> str:
        """What is kept with a document to know which parser read it."""
        return f"{self.name}/{self.version}"

    def parse(self, data: bytes, passwords: Sequence[str] = ()) -> Document:
        """Read a file's bytes; ``passwords`` are tried where it asks for one.

        Raises:
            ParseError: it can't be read; the class says how the file's status is called.
        """
        module, function = self.entry_point.split(":")
        parse = getattr(import_module(module), function)
        document: Document = parse(data, passwords) if self.lockable else parse(data)
        return document


_PARSERS = "index.parsers"
_CODE = (
    ".js .mjs .cjs .ts .mts .cts .tsx .jsx .java .c .h .cpp .hpp .cc .cxx .hh .hxx .m .mm .cs .fs .go .rs"
    " .rb .php .swift .kt .kts .scala .groovy .dart .sh .bash .zsh .fish .ps1 .psm1 .bat .cmd .sql .r .jl"
    " .lua .pl .pm .hs .ml .ex .exs .erl .clj .lisp .el .asm .s .css .scss .sass .less .proto .graphql"
    " .gradle .cmake .mk .sty .cls .vue .svelte .tf .hcl .bib .diff .patch"
)
_ARCHIVES = ".zip .tar .tar.gz .tgz .tar.bz2 .tbz2 .tar.xz .txz .gz .bz2 .xz"
_SETTINGS = ".yaml .yml .toml .ini .cfg .conf .properties .env .editorconfig .desktop .service"
_XML = ".xml .fb2 .dbk .docbook .tei .nxml .jats .rss .atom .opml .xsd .xsl .xslt .wsdl"


def _row(name: str, version: int, extensions: str, place: str, lockable: bool = False) -> Parser:
    return Parser(name, version, tuple(extensions.split(" ")), f"{_PARSERS}.{place}", lockable)


PARSERS: tuple[Parser, ...] = (
    _row("text", 1, ".txt .text ", "text:parse"),  # and files without any extension: README, LICENSE
    _row("markdown", 1, ".md .markdown", "markdown:parse"),
    _row("rst", 1, ".rst .rest", "rst:parse"),
    _row("org", 1, ".org", "org:parse"),
    _row("html", 2, ".html .htm .xhtml", "html:parse"),
    _row("pdf", 5, ".pdf", "pdf:parse", lockable=True),
    _row("docx", 1, ".docx .docm", "office.docx:parse", lockable=True),
    _row("doc", 1, ".doc .dot", "office.legacy:parse_doc", lockable=True),
    _row("pptx", 1, ".pptx .pptm .ppsx", "office.pptx:parse", lockable=True),
    _row("ppt", 1, ".ppt .pps .pot", "office.legacy:parse_ppt", lockable=True),
    _row("opendocument", 1, ".odt .ott .odp .otp .fodt .fodp", "office.opendocument:parse"),
    _row("sheets", 1, ".xlsx .xlsm .xlsb .xls .ods", "sheets.workbook:parse", lockable=True),
    _row("delimited", 1, ".csv .tsv .psv", "delimited:parse"),
    _row("rtf", 1, ".rtf", "office.rtf:parse"),
    _row("epub", 1, ".epub", "epub:parse"),
    _row("mail", 1, ".eml", "mail.eml:parse"),
    _row("mailbox", 1, ".mbox", "mail.mbox:parse"),
    _row("outlook", 1, ".msg", "mail.msg:parse"),
    _row("json", 1, ".json .geojson .webmanifest", "records:parse"),
    _row("jsonl", 1, ".jsonl .ndjson", "records:parse_lines"),
    _row("xml", 1, _XML, "xml:parse"),
    _row("notebook", 1, ".ipynb", "notebook:parse"),
    _row("subtitles", 1, ".srt .vtt", "subtitles:parse"),
    _row("tex", 1, ".tex .ltx .latex", "tex:parse"),
    _row("log", 1, ".log", "source:parse_log"),
    _row("settings", 1, _SETTINGS, "source:parse_settings"),
    _row("python", 1, ".py .pyi .pyw", "source:parse_python"),
    _row("code", 1, _CODE, "source:parse"),
    replace(_row("archive", 1, _ARCHIVES, "archive:parse", lockable=True), archive=True),
)


def parser_for(source: str) -> Parser:
    """The parser of a file, chosen by its extension in either case; ".tar.gz" comes before ".gz".

    Raises:
        UnsupportedError: No parser reads files with that extension.
    """
    parts = source.rpartition("/")[2].strip(".").lower().split(".")[1:]  # not pathlib, which is slow
    last = f".{parts[-1]}" if parts else ""
    for extension in (".".join(["", *parts[-2:]]), last):
        for parser in PARSERS:
            if extension in parser.extensions:
                return parser
    raise UnsupportedError(f"{last} files are not supported; save it as .pdf, .docx, .html or .txt")


def supported(name: str) -> bool:
    """Whether files with such a name are read."""
    try:
        parser_for(name)
    except UnsupportedError:
        return False
    return True
