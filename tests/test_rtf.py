"""RTF: paragraphs, headings, tables, and every way of writing a character."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError
from index.model import Document
from index.parsers.office.rtf import parse

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None, max_examples=60)
WORDS = st.text(
    st.characters(categories=["L", "N", "P", "S"], exclude_characters="|"), min_size=1, max_size=20
)
STYLES = r"{\stylesheet{\ql Normal;}{\s1\outlinelevel0 heading 1;}{\s2 Heading 2;}{\s3 Title;}{\*\cs9 Char;}}"


def rtf(body: str, head: str = "") -> bytes:
    return rf"{{\rtf1\ansi\ansicpg1252\deff0{head}{STYLES} {body}}}".encode("latin-1")


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def texts(body: str, head: str = "") -> list[str]:
    return [text for _, _, text in found(parse(rtf(body, head)))]


def test_structure() -> None:
    body = r"""\pard\s3 The Report\par\pard\s1 One\par\pard Plain {\b bold} text.\par
\pard\s2 One {\i A}\par\pard{\listtext\'b7\tab}an item\par
{\pntext 2.}\pard other item\par\pard\outlinelevel0 Two\par\pard\outlinelevel9 Body.\par"""
    document = parse(rtf(body))
    assert document.title == "The Report"
    assert found(document) == [
        (("One",), "prose", "Plain bold text."),
        (("One", "One A"), "item", "an item"),
        (("One", "One A"), "item", "other item"),
        (("Two",), "prose", "Body."),
    ]


def test_tables_are_rows() -> None:
    body = r"""Before.\par\trowd\trhdr\pard\intbl Year\cell Sum\cell\row\trowd\pard\intbl 1999\par\intbl ff.
\cell 7\cell\row\pard After.\par"""
    document = parse(rtf(body))
    assert found(document)[1:] == [
        ((), "row", "Year | Sum"),
        ((), "row", "1999 ff. | 7"),
        ((), "prose", "After."),
    ]
    headers = [block.header for section in document.sections for block in section.blocks]
    assert [header is not None for header in headers] == [False, False, True, False]


def test_a_note_follows_the_paragraph_that_refers_to_it() -> None:
    body = r"A claim{\footnote\pard The \i proof.\par} goes on.{\*\footnote\ftnalt Another.}\par Next.\par"
    assert texts(body) == ["A claim goes on.", "The proof.", "Another.", "Next."]


def test_a_text_box_is_read() -> None:
    assert texts(
        r"{\shp{\*\shpinst{\sp{\sn a}{\sv 1}}{\shptxt \pard boxed\par}}{\shprslt old}}Text.\par"
    ) == [
        "Text.",
        "boxed",
    ]


@pytest.mark.parametrize(
    "unseen",
    [
        r"{\v hidden}",
        r"\v hidden\v0 ",
        r"{\deleted gone}",
        r"{\header running}",
        r"{\*\unknown group{\deep er}}",
        r"{\pict\pngblip 89504e47}",
        r"{\pict\bin5 }}{{\}",
        r"\bin3 }{}",
        r'{\field{\*\fldinst HYPERLINK "http://x"}{\fldrslt }}',
        r"{\xe entry}",
        r"{\annotation note}",
    ],
)
def test_what_no_reader_sees_is_left_out(unseen: str) -> None:
    assert texts(rf"seen {unseen}words\par") == ["seen words"]


@pytest.mark.parametrize(
    ("source", "read"),
    [
        (r"na\'efve", "naïve"),
        (r"\u8364?5", "€5"),
        (r"\uc2\u8364\'80\'80 5\uc1", "€ 5"),
        (r"{\uc0\u233}t\u233 e", "été"),
        (r"\u-10179?\u-8704?!", "😀!"),
        (r"\f1 \'cf\'f0", "Пр"),
        (r"{\f2 \'83e\'83X}", "テス"),
        (r"\f1\plain\'e9", "é"),
        (r"a\~b\_c\-d\{\}\\", "a b\u2011cd{}\\"),
        (r"\ldblquote q\rdblquote\emdash\bullet", "“q”—•"),
        ("raw \xe9", "raw é"),
        (r"split\line line", "split\nline"),
    ],
)
def test_characters(source: str, read: str) -> None:
    fonts = r"{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}{\f2\fcharset128 Mincho;}}"
    assert texts(source + r"\par", fonts) == [read]


def test_properties() -> None:
    info = r"{\info{\title The {\i T}itle}{\author Ann}{\creatim\yr2004\mo9\dy2}{\revtim\yr1601}{\doccomm x}}"
    document = parse(rtf(r"Text.\par", info))
    assert (document.title, document.author, document.date) == ("The Title", "Ann", "2004-09-02T00:00:00")
    assert document.text == "Text."


def test_characters_in_no_encoding_are_told() -> None:
    assert parse(rtf(r"a\'81b\par")).notice


@DETERMINISTIC
@given(st.lists(WORDS, min_size=1, max_size=4))
def test_words_survive(words: list[str]) -> None:
    def written(word: str) -> str:
        units = word.encode("utf-16-le")
        codes = [int.from_bytes(units[place : place + 2], "little") for place in range(0, len(units), 2)]
        return "".join(rf"\u{code - 65536 if code > 32767 else code}?" for code in codes)

    document = parse(rtf("".join(written(word) + r"\par " for word in ["start", *words])))
    assert document.text.split() == " ".join(["start", *words]).split()


@DETERMINISTIC
@given(st.text(r"{}\\'u1spar*vbin cell \n", max_size=80))
def test_any_tokens_are_read(body: str) -> None:
    document = parse(rtf("start " + body))
    assert document.text[:4] == "star"


@pytest.mark.parametrize("data", [b"", b" \n"])
def test_nothing_is_empty(data: bytes) -> None:
    with pytest.raises(EmptyFileError):
        parse(data)


def test_what_is_no_rtf_is_refused() -> None:
    for data in (b"plain words", b"<html>", b"text {\\rtf1 late}", b"{\\rtf1 " + b"{" * 20_000):
        with pytest.raises(CorruptError):
            parse(data)
    with pytest.raises(EmptyFileError):
        parse(b"{\\rtf1\\ansi}")


def test_hostile_files_take_linear_time() -> None:
    begin = time.perf_counter()
    for body in ("{" * 9_000 + "x", r"\u1?" * 60_000, r"{\footnote " * 9_000, r"\cell" * 60_000):
        assert parse(b"{\\rtf1 start\\par " + body.encode())
    parse(b"{\\rtf1 start{\\pict " + b"00112233" * 500_000 + b"}}")
    assert time.perf_counter() - begin < 5
