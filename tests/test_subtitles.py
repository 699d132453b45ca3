"""Subtitles: what is said, in paragraphs, headed by the time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError, UnsupportedError
from index.model import Document
from index.parsers.subtitles import parse

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None)
WORDS = st.text(st.characters(categories=["L"]), min_size=1, max_size=12)


def found(document: Document) -> list[tuple[tuple[str, ...], str]]:
    return [
        (section.heading, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def cue(start: float, end: float, text: str) -> str:
    clock = [f"{int(at) // 3600:02}:{int(at) // 60 % 60:02}:{at % 60:06.3f}" for at in (start, end)]
    return f"{clock[0]} --> {clock[1]}\n{text}\n\n"


def texts(*cues: str) -> list[str]:
    return [text for _, text in found(parse("".join(cues).encode()))]


def test_a_sentence_over_two_cues_is_in_one_block() -> None:
    source = (
        "1\r\n00:03:12,000 --> 00:03:14,500\r\nThe <i>first</i> half\r\n\r\n"
        "2\r\n00:03:14,600 --> 00:03:16,000\r\nand the second.\r\n"
    )
    assert found(parse(source.encode())) == [(("00:03:12",), "The first half\nand the second.")]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (r"{\an8}Up here", "Up here"),
        ("<v Fred>Hi</v> there", "Hi there"),
        ('<font color="#fff">White</font>', "White"),
        ("<c.yellow>Yes</c><00:00:01.500> sir", "Yes sir"),
        ("Tom &amp; Jerry&nbsp;&lt;3", "Tom & Jerry <3"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("{not a tag}", "{not a tag}"),
    ],
)
def test_formatting_is_left_out(written: str, shown: str) -> None:
    assert texts(cue(1, 2, written)) == [shown]


def test_vtt_notes_styles_and_names_of_cues_are_left_out() -> None:
    source = """WEBVTT - a talk

NOTE
a note

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.000 align:start
Hello.

NOTE another
in the middle

00:02.100 --> 00:03.000
World.
"""
    assert found(parse(source.encode())) == [(("00:00:01",), "Hello.\nWorld.")]


def test_a_pause_ends_a_paragraph_and_later_a_section() -> None:
    document = parse((cue(0, 2, "One.") + cue(8, 9, "Two.") + cue(30, 31, "Three.")).encode())
    assert found(document) == [(("00:00:00",), "One."), (("00:00:00",), "Two."), (("00:00:30",), "Three.")]


def test_a_section_lasts_a_minute_and_ends_with_a_sentence() -> None:
    cues = [cue(at, at + 1.9, "said." if at == 64 else f"word {at}") for at in range(0, 100, 2)]
    sections = parse("".join(cues).encode()).sections
    assert [section.heading for section in sections] == [("00:00:00",), ("00:01:06",)]


def test_rolling_captions_say_everything_once() -> None:
    rolling = (
        cue(0, 2, " \nhello<00:00:01.000><c> world</c>")
        + cue(2, 2.01, "hello world\n ")
        + cue(2.01, 4, "hello world\nhow are")
        + cue(4, 4.01, "how are\n ")
        + cue(4.01, 6, "how are\nyou today")
    )
    assert texts("WEBVTT\n\n", rolling) == ["hello world\nhow are\nyou today"]


def test_a_line_that_grows_is_kept_at_its_longest() -> None:
    assert texts(cue(0, 1, "so"), cue(1, 2, "so we"), cue(2, 3, "so we go")) == ["so we go"]


def test_what_is_said_twice_is_kept_twice() -> None:
    assert texts(cue(0, 1, "No."), cue(2, 3, "No.")) == ["No.\nNo."]


def test_numbers_without_empty_lines_and_empty_lines_within_cues() -> None:
    source = (
        "1\n00:00:01,000 --> 00:00:02,000\nOne\n2\n00:00:02,500 --> 00:00:03,000\nTwo\n\nstill two\n\n"
        "3\n00:00:03,100 --> 00:00:04,000\n1984\n"
    )
    assert texts(source) == ["One\nTwo\nstill two\n1984"]


def test_malformed_cues_are_skipped() -> None:
    source = (
        cue(0, 1, "good")
        + "2\n00:00:xx --> 00:00:03,000\nlost\n\n3\n00:00:03,0 -> 00:00:04\nlost\n\n"
        + cue(4, 5, "too")
    )
    assert texts(source) == ["good\ntoo"]


@DETERMINISTIC
@given(st.lists(WORDS, min_size=1, max_size=8))
def test_words_survive(words: list[str]) -> None:
    cues = "".join(cue(2 * place, 2 * place + 1, word) for place, word in enumerate(words))
    assert [word for text in texts(cues) for word in text.split("\n")] == words


def test_no_cue_at_all_is_refused() -> None:
    with pytest.raises(CorruptError, match="-->"):
        parse(b"Just a text file.")


@pytest.mark.parametrize("source", ["", " \n", "WEBVTT\n", "1\n00:00:01,000 --> 00:00:02,000\n<i></i>\n"])
def test_without_words_the_file_is_empty(source: str) -> None:
    with pytest.raises(EmptyFileError):
        parse(source.encode())


def test_binary_content_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        parse(b"1\n00:00:01,000 --> 00:00:02,000\n\0\1")


def test_the_encoding_is_noticed() -> None:
    assert parse(cue(1, 2, "caf\xe9 cr\xe8me").encode("cp1252")).notice == "read as windows-1252"


@pytest.mark.parametrize("line", ["00:00" * 30_000, "<i " * 50_000, "{\\" * 50_000, "--> " * 50_000])
def test_hostile_lines_take_linear_time(line: str) -> None:
    started = time.monotonic()
    parse((cue(0, 1, "x") + cue(1, 2, line) + line).encode())
    assert time.monotonic() - started < 3
