"""Documents become passages: nothing lost, nothing altered, nothing longer than the encoder reads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import ChunkSettings, Document, Encoder, EncoderError, Passage, load_encoder
from index.chunking import Tokenizer, chunk, embedded_text, sentence_spans
from index.model import Block, Page, Section
from index.parsers.text import parse

from .conftest import TinyEncoder

SETTINGS = ChunkSettings()
SMALL = ChunkSettings(passage_tokens=34, overlap_tokens=12, context_tokens=8)
ATOMS = (
    "word Words naïve e\u0301 🧑🏽‍🚀 🇨🇿 👩‍👩‍👧 中文字符。再见 日本語テスト สวัสดีครับ עברית مرحبا "
    "Dr. U.S. 3.5 1. No. end. why? (a) — "
    "\" ½ don't \u200b \ufeff x²"
).split(" ")
GAPS = (" ", " ", " ", "  ", "\n", "\r\n", "\r", "\t", "\u2028", "\xa0", "")
FAMILY = "👩\u200d👩\u200d👧"
TOUGH = {
    "a word of 20,000 letters": "Before it. " + "q" * 20_000 + " and after it.",
    "a sentence of 3,000 words": " ".join(f"word{n}" for n in range(3_000)) + ".",
    "Chinese without spaces": "中文没有空格" * 800,
    "emoji families": FAMILY * 900,
    "combining marks": "e\u0301\u0323" * 3_000,
    "lone carriage returns": "One line here.\rAnother line there.\r\n" * 150,
    "right to left": "זהו משפט ארוך למדי. " * 150,
    "brackets": "[({" * 1_500,
    "one line of numbers": "3.14159, " * 900,
}
HOSTILE = {
    "marks on lines": "!\n" * 100_000,
    "combining marks alone": "\u0301" * 100_000,
    "joiners alone": "\u200d" * 70_000,
    "brackets before a word": "(" * 200_000 + "Word. Another. ",
    "quotation marks": "é”`i‚" * 18_000,
}
sentences = st.lists(st.tuples(st.sampled_from(ATOMS), st.sampled_from(GAPS)), min_size=1, max_size=60).map(
    lambda pairs: "".join(atom + gap for atom, gap in pairs)
)


def cut(read: Document, tokenizer: Tokenizer, settings: ChunkSettings) -> list[Passage]:
    return list(chunk(read, tokenizer, settings))


@pytest.fixture(scope="module")
def real() -> Encoder:
    return load_encoder()


@pytest.fixture(scope="module", params=["tiny", "real"])
def tokenizer(request: pytest.FixtureRequest, real: Encoder) -> Encoder:
    return TinyEncoder() if request.param == "tiny" else real


def document(
    *sections: tuple[tuple[str, ...], Sequence[str]], title: str | None = None, page_each: int = 0
) -> Document:
    """Sections of (heading, texts of prose blocks); a new page after every ``page_each`` blocks."""
    text, made, places, count = "", [], [], 0
    for heading, texts in sections:
        blocks = []
        for body in texts:
            if page_each and count % page_each == 0:
                places.append(len(text))
            count += 1
            blocks.append(Block(len(text), len(text) + len(body)))
            text += body + "\n\n"
        made.append(Section(heading, tuple(blocks)))
    ranges = pairwise([*places, len(text)])
    pages = tuple(Page(number, start, stop) for number, (start, stop) in enumerate(ranges, 1))
    return Document(title, text, tuple(made), pages)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    heading = st.lists(st.sampled_from(["A", "Über uns", "中文", "b " * 50]), max_size=3).map(tuple)
    section = st.tuples(heading, st.lists(sentences, min_size=1, max_size=4))
    title = draw(st.none() | st.sampled_from(["A title", "long " * 60, "題" * 90]))
    return document(
        *draw(st.lists(section, min_size=1, max_size=3)), title=title, page_each=draw(st.integers(0, 3))
    )


def check(read: Document, passages: Sequence[Passage]) -> None:
    """What holds for every document: exact, ordered, complete, inside one section and page."""
    covered = set()
    headers = {block.header for section in read.sections for block in section.blocks if block.header}
    for passage in passages:
        assert read.text[passage.start : passage.end] == passage.text
        assert not headers & set(passage.sentences)
        inside = {(a, b) for a, b in headers if passage.start <= a and b <= passage.end}
        spans = sorted({*passage.sentences, *inside})
        assert spans[0][0] == passage.start
        assert spans[-1][1] == passage.end
        assert all(a < b <= c < d for (a, b), (c, d) in pairwise(spans))
        for start, end in spans:
            assert read.text[start:end] == read.text[start:end].strip() != ""
            covered.update(range(start, end))
        assert any(
            section.heading == passage.heading
            and section.blocks[0].start <= passage.start
            and passage.end <= section.blocks[-1].end
            for section in read.sections
        )
        inside = [page for page in read.pages if page.start <= passage.start and passage.end <= page.end]
        assert passage.page == (inside[0].number if read.pages else None)
    for section in read.sections:
        for block in section.blocks:
            lost = [
                i for i in range(block.start, block.end) if i not in covered and not read.text[i].isspace()
            ]
            assert not lost
    assert all(a.start < b.start and a.end < b.end for a, b in pairwise(passages))


def longest(passages: Sequence[Passage], tokenizer: Encoder) -> int:
    return max(map(len, tokenizer.token_offsets([embedded_text(passage) for passage in passages])))


@given(read=documents())
def test_passages_are_exact_complete_and_in_one_place(read: Document) -> None:
    for settings in (SETTINGS, SMALL):
        check(read, cut(read, TinyEncoder(), settings))


@given(read=documents())
def test_the_real_tokenizer_reads_every_passage_whole(real: Encoder, read: Document) -> None:
    passages = cut(read, real, SETTINGS)
    check(read, passages)
    assert not passages or longest(passages, real) <= real.max_tokens


@given(
    bodies=st.lists(sentences, min_size=1, max_size=6), joint=st.sampled_from(["\n\n", "\r\n\r\n", "\r\r"])
)
def test_text_files_keep_their_offsets(bodies: list[str], joint: str) -> None:
    text = ("Words. " + joint.join(bodies)).removeprefix("\ufeff")
    read = parse(text.encode())
    assert read.text == text
    check(read, cut(read, TinyEncoder(), SMALL))


@pytest.mark.parametrize("text", TOUGH.values(), ids=TOUGH)
@pytest.mark.parametrize("title", [None, "A title of some length"])
def test_no_text_makes_a_passage_too_long(tokenizer: Encoder, text: str, title: str | None) -> None:
    read = document((("Heading",), [text]), title=title)
    passages = cut(read, tokenizer, SETTINGS)
    check(read, passages)
    assert longest(passages, tokenizer) <= tokenizer.max_tokens
    assert max(len(passage.text) for passage in passages) < 2_000  # an unknown word is one piece


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_takes_linear_time(real: Encoder, text: str) -> None:
    read = document(((), [text]))
    started = time.monotonic()
    passages = cut(read, real, SETTINGS)
    assert time.monotonic() - started < 10
    check(read, passages)
    assert longest(passages, real) <= real.max_tokens


def test_long_names_take_linear_time(real: Encoder) -> None:
    path = tuple(f"heading {n}" for n in range(1_000))
    read = document(*[((*path, f"last {n}"), ["Text."]) for n in range(200)], title="title " * 30_000)
    started = time.monotonic()
    passages = cut(read, real, SETTINGS)
    assert time.monotonic() - started < 10
    assert passages[-1].context.startswith("title title")
    assert passages[-1].context.endswith("last 199")


@pytest.mark.parametrize(
    "text",
    ["".join(f"- Word{n}\n" for n in range(300)), ("A short sentence.\n\n" + "-" * 100 + "\n\n") * 20],
    ids=["bullets", "rules"],
)
def test_marks_between_blocks_count(real: Encoder, text: str) -> None:
    read = parse(text.encode())
    assert longest(cut(read, real, SETTINGS), real) <= real.max_tokens


def test_the_rest_of_a_cut_word_counts(real: Encoder) -> None:
    read = document(((), ["q" * 1_760 + " " + "a " * 600]))
    assert longest(cut(read, real, SETTINGS), real) <= real.max_tokens


def test_characters_are_not_cut_apart() -> None:
    for text in (FAMILY * 900, "e\u0301\u0323" * 3_000, "👍🏽" * 900):
        shifted = [document(((), ["." * n + text])) for n in range(5)]
        for passage in [p for read in shifted for p in cut(read, TinyEncoder(), SETTINGS)]:
            assert passage.text[0] not in "\u200d\u0301\u0323\U0001f3fd"
            assert passage.text[-1] != "\u200d"


def test_sections_and_pages_are_not_mixed() -> None:
    read = document((("A",), ["One."]), (("B",), ["Two.", "Three."]), page_each=2)
    passages = cut(read, TinyEncoder(), SETTINGS)
    assert [(p.text, p.heading, p.page) for p in passages] == [
        ("One.", ("A",), 1),
        ("Two.", ("B",), 1),
        ("Three.", ("B",), 2),
    ]


def test_context_is_title_and_heading_path() -> None:
    read = document((("Part", "Chapter"), ["Text."]), title="The\n Book")
    (passage,) = cut(read, TinyEncoder(), SETTINGS)
    assert passage.context == "The Book > Part > Chapter"
    assert embedded_text(passage) == "The Book > Part > Chapter\nText."
    (plain,) = cut(document(((), ["Text."])), TinyEncoder(), SETTINGS)
    assert embedded_text(plain) == "Text."


def test_long_context_keeps_its_ends(tokenizer: Encoder) -> None:
    path = ("First", *[f"middle part {n}" for n in range(40)], "Last")
    (passage,) = cut(document((path, ["Text."]), title="Book"), tokenizer, SETTINGS)
    assert passage.context.startswith("Book > middle part")
    assert passage.context.endswith("middle part 39 > Last")
    assert len(tokenizer.token_offsets([passage.context])[0]) <= SETTINGS.context_tokens
    assert passage.heading == path
    endless = document((("last " * 90,), ["Text."]), title="title " * 90)
    (passage,) = cut(endless, tokenizer, SETTINGS)
    assert len(tokenizer.token_offsets([passage.context])[0]) <= SETTINGS.context_tokens
    assert passage.context.startswith("title title")
    assert passage.context.endswith("last last")


def table(header: str, rows: Sequence[str]) -> Document:
    text, blocks = header + "\n", [Block(0, len(header), "row")]
    for row in rows:
        blocks.append(Block(len(text), len(text) + len(row), "row", (0, len(header))))
        text += row + "\n"
    return Document(None, text, (Section(("Table",), tuple(blocks)),))


def test_rows_without_their_header_get_it_in_the_context() -> None:
    rows = [f"| item {n} | {n * 3} | on stock |" for n in range(60)]
    read = table("| name | price | state |", rows)
    passages = cut(read, TinyEncoder(), SETTINGS)
    check(read, passages)
    assert passages[0].context == "Table"
    assert {p.context for p in passages[1:]} == {"Table\n| name | price | state |"}
    assert longest(passages, TinyEncoder()) <= TinyEncoder.max_tokens
    told = "\n".join(p.text for p in passages).splitlines()
    assert told == [read.text.splitlines()[0], *rows]  # no row twice, none cut


def test_header_and_row_fit_together(real: Encoder) -> None:
    passages = cut(table("表" * 150, ["cell " * 200] * 2), real, SETTINGS)
    assert longest(passages, real) <= real.max_tokens


def test_overlap_is_whole_sentences_within_bounds() -> None:
    text = " ".join(f"The sentence number {n} has nine words in it." for n in range(100))
    tokenizer = TinyEncoder()
    passages = cut(document(((), [text])), tokenizer, SETTINGS)
    assert len(passages) > 3
    for before, after in pairwise(passages):
        shared = sorted(set(before.sentences) & set(after.sentences))
        assert shared == list(after.sentences[: len(shared)]) == list(before.sentences[-len(shared) :])
        pieces = sum(len(tokenizer.token_offsets([text[a:b]])[0]) for a, b in shared)
        assert 0 < pieces <= SETTINGS.overlap_tokens
    assert not any(
        set(a.sentences) & set(b.sentences)
        for a, b in pairwise(cut(document(((), [text])), tokenizer, ChunkSettings(overlap_tokens=0)))
    )


def test_encoder_that_reads_too_little_is_refused() -> None:
    encoder = TinyEncoder()
    encoder.max_tokens = 63
    with pytest.raises(EncoderError, match="reads 63 word pieces"):
        cut(document(((), ["Text."])), encoder, SETTINGS)


def test_passages_shrink_to_a_smaller_encoder() -> None:
    encoder = TinyEncoder()
    encoder.max_tokens = 70
    read = document((("H",), ["word " * 500]), title="title " * 100)
    passages = cut(read, encoder, SETTINGS)
    check(read, passages)
    assert longest(passages, encoder) <= 70


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \r\n ", []),
        ("1.", ["1."]),
        (
            "Dr. Smith met Mr. Jones at 5 p.m. on Monday. They left.",
            ["Dr. Smith met Mr. Jones at 5 p.m. on Monday.", "They left."],
        ),
        ("U.S. sales rose. Costs fell.", ["U.S. sales rose.", "Costs fell."]),
        ("1. First item here. 2. Second item.", ["1. First item here.", "2. Second item."]),
        ("(a) One thing. (b) Two things.", ["(a) One thing.", "(b) Two things."]),
        ("See Fig. 3 for more. Then stop.", ["See Fig. 3 for more.", "Then stop."]),
        ("It grew 3.5 percent. It fell later.", ["It grew 3.5 percent.", "It fell later."]),
        ("今天天气很好。我们去公园。", ["今天天气很好。", "我们去公园。"]),
        ("这是。好", ["这是。", "好"]),
        ('He said "Stop!" and left. So did she.', ['He said "Stop!" and left.', "So did she."]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    found = [text[start:end] for start, end in sentence_spans(text, 0, len(text))]
    assert found == expected


@pytest.mark.parametrize("shift", [1, 7, 19, 40])
def test_sentences_of_a_long_text_are_those_of_a_short_one(shift: int) -> None:
    told = [
        "It has (some. Dots) inside.",
        "“One. Two.” she said to 'Mr. Smith.'",
        "An item of U.S. origin.",
        "短句子。",
        "A question?",
    ]
    expected = ["W" * shift + " begins.", *told * 200]
    text = " ".join(expected)
    assert [text[a:b] for a, b in sentence_spans(text, 0, len(text))] == expected


def test_an_endless_sentence_is_one() -> None:
    text = "word " * 5_000 + "ends. Another one."
    assert list(sentence_spans(text, 0, len(text))) == [(0, 25_005), (25_006, len(text))]


def test_sentences_are_offsets_of_the_whole_text() -> None:
    text = "🧑🏽‍🚀 skip this. 🚀 It flew high. It landed. and the rest"
    start, end = text.index("🚀 It"), text.index(" and the rest")
    assert [text[a:b] for a, b in sentence_spans(text, start, end)] == ["🚀 It flew high.", "It landed."]


@given(text=sentences)
def test_sentences_hold_every_word(text: str) -> None:
    spans = list(sentence_spans(text, 0, len(text)))
    assert all(a < b <= c < d for (a, b), (c, d) in pairwise(spans))
    told = "".join(text[a:b] for a, b in spans)
    assert "".join(told.split()) == "".join(text.split())


@pytest.mark.parametrize("language", ["de", "zh", "xx", "zxx"])
def test_the_language_says_what_ends_a_sentence(language: str) -> None:
    text = "Das Stadion wurde am 14. September 2023 eröffnet. Danach regnete es."
    found = [text[start:end] for start, end in sentence_spans(text, 0, len(text), language)]
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    if language == "de":
        assert found == ["Das Stadion wurde am 14. September 2023 eröffnet.", "Danach regnete es."]
