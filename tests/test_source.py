"""Source code, settings, logs and TeX: the raw source with its structure."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import EmptyFileError, UnsupportedError
from index.model import Document
from index.parsers.source import parse, parse_log, parse_python, parse_settings
from index.parsers.tex import parse as parse_tex

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None)


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def test_comments_that_are_sentences_are_prose() -> None:
    source = """/*
 * All rights of this are reserved.
 *
 * @param a the first number
 */
int x = 1;

// This explains what happens
// over two lines.
# int y = 2;
y(); // stays with its code
"""
    assert found(parse(source.encode())) == [
        ((), "prose", "All rights of this are reserved."),
        ((), "prose", "@param a the first number"),
        ((), "code", "int x = 1;"),
        ((), "prose", "This explains what happens\n// over two lines."),
        ((), "code", "int y = 2;"),
        ((), "code", "y(); // stays with its code"),
    ]


@pytest.mark.parametrize(
    "comment", ["// x = f(1);", "# ------", "// TODO", "/* a_b | c_d | e_f */", "#include <a b c>"]
)
def test_other_comments_stay_with_the_code(comment: str) -> None:
    source = f"a\n{comment}\nb"
    assert found(parse(source.encode())) == [((), "code", source)]


def test_code_is_cut_at_empty_lines_and_small_pieces_are_put_together() -> None:
    long = "\n".join(f"line{number};" for number in range(10))
    document = parse(f"a;\n\nb;\n\n{long}\n\n{long}".encode())
    assert [text for _, _, text in found(document)] == [f"a;\n\nb;\n\n{long}", long]
    endless = parse("\n".join(["x;"] * 130).encode())
    assert [text.count("x") for _, _, text in found(endless)] == [60, 60, 10]


def test_python_scopes_are_headings_and_docstrings_prose() -> None:
    source = '''"""Module words. Two sentences."""
X = """
def no(): pass
"""
# What follows is a class.
class A(B):
    """A thing.

    >>> A()
    """

    @wraps(
        f
    )
    def f(
        self,
    ) -> int:
        """Return it.

        Args:
            x (int): the number
        """
        return 1

y = 2
'''
    assert found(parse_python(source.encode())) == [
        ((), "prose", "Module words. Two sentences."),
        ((), "code", 'X = """\ndef no(): pass\n"""'),
        (("A",), "prose", "What follows is a class."),
        (("A",), "code", "class A(B):"),
        (("A",), "prose", "A thing."),
        (("A",), "code", ">>> A()"),
        (("A", "f"), "code", "@wraps(\n        f\n    )\n    def f(\n        self,\n    ) -> int:"),
        (("A", "f"), "prose", "Return it."),
        (("A", "f"), "prose", "Args:"),
        (("A", "f"), "prose", "x (int): the number"),
        (("A", "f"), "code", "return 1"),
        ((), "code", "y = 2"),
    ]


def test_settings_are_rows_under_their_sections() -> None:
    source = """# The server listens on this port.
---
server:
  port: 80

  tls:
    cert: a
name: x
# debug = 1
[data.base]
host = b
"""
    assert found(parse_settings(source.encode())) == [
        ((), "prose", "The server listens on this port."),
        (("server",), "row", "port: 80"),
        (("server",), "row", "tls:"),
        (("server",), "row", "cert: a"),
        ((), "row", "name: x"),
        ((), "row", "debug = 1"),
        (("data.base",), "row", "host = b"),
    ]


def test_what_is_no_longer_indented_stays_in_its_section() -> None:
    source = "[tool]\nlist:\n  a = 1\nname = x\n"
    assert found(parse_settings(source.encode())) == [
        (("tool", "list"), "row", "a = 1"),
        (("tool",), "row", "name = x"),
    ]


def test_log_lines_are_rows_with_what_is_indented() -> None:
    source = b"10:00 start\n10:01 error\n  at f\n\tat g\n\n10:02 end\n"
    assert [text for _, _, text in found(parse_log(source))] == [
        "10:00 start",
        "10:01 error\n  at f\n\tat g",
        "10:02 end",
    ]


def test_tex() -> None:
    source = r"""\documentclass{article}
\title{On \emph{frogs}
 and toads}
\author{Ann Lee}
\date{2024-02-03}
\begin{document}
\maketitle
\section{Start}\label{s}
Frogs are \emph{green}, 5\%
of them~\cite{x}.
% unseen
\subsection*{Sub}
\textbf{Bold} words.
\begin{itemize}
\item one
  goes on
\item two
\end{itemize}
\begin{equation}
e = mc^2
\end{equation}
\begin{verbatim}
\section{no}
\end{verbatim}
\begin{tabular}{ll}
\hline
A & B \\
1 & 2 \\
\end{tabular}
\caption{Shown.}
\includegraphics[width=2cm]{x.png}
\end{document}
"""
    document = parse_tex(source.encode())
    assert (document.title, document.author, document.date) == ("On frogs and toads", "Ann Lee", "2024-02-03")
    assert found(document) == [
        (("Start",), "prose", "Frogs are \\emph{green}, 5\\%\nof them~\\cite{x}."),
        (("Start", "Sub"), "prose", "\\textbf{Bold} words."),
        (("Start", "Sub"), "item", "one\n  goes on"),
        (("Start", "Sub"), "item", "two"),
        (("Start", "Sub"), "code", "e = mc^2"),
        (("Start", "Sub"), "code", "\\section{no}"),
        (("Start", "Sub"), "row", "A & B \\\\"),
        (("Start", "Sub"), "row", "1 & 2 \\\\"),
        (("Start", "Sub"), "prose", "Shown."),
    ]


PIECES = r"""
class A:|  def f(x):|    x = 1|# Some words are here.|\"\"\"|  '''doc words'''|/* one| two */|@dec
|[a]|key:|  k: v|\section{S} x|\item y|\begin{verbatim}|\end{verbatim}|\begin{tabular}
|) -> x:|- z: 1|\caption{|// -|\[|\section{
""".replace('\\"', '"').split("|")


@DETERMINISTIC
@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_any_lines_give_blocks_in_order_over_the_whole_source(lines: list[str]) -> None:
    source = "x\r\n" + "\n".join(lines)
    for read in (parse, parse_python, parse_settings, parse_log, parse_tex):
        document = read(source.encode())
        spans = [(block.start, block.end) for section in document.sections for block in section.blocks]
        assert document.text == source
        assert all(start < end <= len(source) for start, end in spans)
        assert all(one[1] <= other[0] for one, other in pairwise(spans))


@pytest.mark.parametrize("read", [parse, parse_python, parse_settings, parse_log, parse_tex])
def test_what_holds_no_text(read: Callable[[bytes], Document]) -> None:
    with pytest.raises(EmptyFileError):
        read(b" \n")
    with pytest.raises(UnsupportedError):
        read(b"words \0\1\2 words")
    assert read("\ufeffcaf\u00e9\r\n".encode()).text == "caf\u00e9\r\n"
    assert read(b"caf\xe9 cr\xe8me").notice == "read as windows-1252"


@pytest.mark.parametrize(
    "source",
    [
        "/* x\n" * 20_000,
        "/* x */\n" * 10_000,
        '"""\n' * 20_000,
        "\\begin{verbatim}\n" * 10_000,
        "a:\n" * 20_000,
        "x\n" * 40_000,
    ],
)
def test_hostile_lines_take_linear_time(source: str) -> None:
    started = time.monotonic()
    for read in (parse, parse_python, parse_settings, parse_log, parse_tex):
        read(source.encode())
    assert time.monotonic() - started < 5
