"""The reader: logits -> spans with exact offsets, and the shipped span model."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import IndexedPassage, Passage
from qa import reader
from qa.errors import ReaderError
from qa.reader import (
    FARTHEST_BEHIND,
    READ_PASSAGES,
    READ_TWINS,
    RETRIEVAL_WEIGHT,
    SPAN_PIECES,
    SPANS_OF_A_WINDOW,
    Reread,
    best_spans,
)
from qa.retriever import Retrieved
from qa.rows import Tables
from qa.span_model import BUNDLED_FOLDER, WINDOW_PIECES, BundledSpanModel, Text, Window

from .conftest import TEXTS, NoiseReader, PatternReader


class Document:
    """The tables of a document, which holds none if not told."""

    def __init__(self, text: str = "", header: tuple[int, int] = (0, 0), rows: tuple[int, int] = (0, 0)):
        self.text = text
        self.found = [(header, rows)] if text else []

    def tables(self, source):
        return self.found

    def part(self, source, start, end):
        return self.text[start:end]


def read(question, found, model, document=None):
    return reader.read(question, found, model, Tables(document or Document()))


def read_again(question, spans, model, document=None):
    return reader.read_again(question, spans, model, Tables(document or Document()))


class Noting(PatternReader):
    """Keeps what it is given to read."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern, gap=4.0)
        self.seen: list[Text] = []

    def windows(self, question, texts):
        self.seen += texts
        return super().windows(question, texts)


def passage(text: str, start: int = 0, sentences: Sequence[tuple[int, int]] | None = None) -> Passage:
    """A passage that stands at ``start`` of its document; all of it is one sentence if not told."""
    spans = [(0, len(text))] if sentences is None else sentences
    return Passage(
        start, start + len(text), text, (), None, tuple((start + a, start + b) for a, b in spans), ""
    )


def retrieved(
    text: str, *twins: str, source: str = "a.txt", start: int = 0, score: float = 1.0, number: int = 0
) -> Retrieved:
    others = tuple(
        Retrieved(IndexedPassage(1000 + n, (f"twin{n}.txt",), None, passage(twin)), score - n - 1, score, 0.0)
        for n, twin in enumerate(twins)
    )
    found = IndexedPassage(number, (source,), None, passage(text, start))
    return Retrieved(found, score, score, 0.0, others)


class Scripted:
    """Gives the windows it was made with."""

    id = "scripted"

    def __init__(self, *windows: list[Window]) -> None:
        self._windows = windows

    def load(self) -> None:
        pass

    def windows(self, question: str, texts: Sequence[Text]) -> list[list[Window]]:
        return list(self._windows)


def window(text: str, said: str, logit: float, null: float = 0.0, first: int = 0) -> Window:
    """A window over the characters of ``text`` from ``first`` on, which takes ``said`` for the answer."""
    at = text.index(said, first)
    places = np.arange(first, len(text))
    return Window(
        [(int(i), int(i) + 1) for i in places],
        np.where(places == at, logit, -np.inf).astype(np.float32),
        np.where(places == at + len(said) - 1, logit, -np.inf).astype(np.float32),
        null,
        null,
    )


# From logits to spans

LOGITS = st.floats(-20, 20, width=16)


@st.composite
def windows(draw, max_size=50):
    size = draw(st.integers(0, max_size))
    starts, ends = (draw(st.lists(LOGITS, min_size=size, max_size=size)) for _ in range(2))
    return Window([(i, i + 1) for i in range(size)], np.float32(starts), np.float32(ends), *draw(NULLS))


NULLS = st.tuples(LOGITS, LOGITS)


@given(windows())
def test_the_best_spans_are_those_of_brute_force(given_window):
    null = given_window.null_start + given_window.null_end
    everything = {
        (first, last): given_window.starts[first] + given_window.ends[last] - null
        for first in range(len(given_window.offsets))
        for last in range(first, min(first + SPAN_PIECES, len(given_window.offsets)))
    }
    chosen = best_spans(given_window)
    assert len(chosen) <= SPANS_OF_A_WINDOW
    for first, last, gap in chosen:
        assert gap == pytest.approx(max(everything.values()), abs=1e-3)
        assert gap == pytest.approx(everything[first, last], abs=1e-3)
        everything = {span: g for span, g in everything.items() if span[0] > last or span[1] < first}
    assert not everything or len(chosen) == SPANS_OF_A_WINDOW


# From passages to scored spans


@given(st.lists(TEXTS, min_size=1, max_size=4), st.text(max_size=20), st.integers(0, 50))
def test_a_span_is_the_text_at_its_offsets(texts, question, start):
    found = [retrieved(text, source=f"{n}.txt", start=start, number=n) for n, text in enumerate(texts)]
    spans = read(question, found, NoiseReader())
    assert [span.score for span in spans] == sorted((span.score for span in spans), reverse=True)
    for span in spans:
        inside = span.place.passage.passage
        assert inside.start <= span.start < span.end <= inside.end
        assert inside.text[span.start - inside.start : span.end - inside.start] == span.text
        assert span.text == span.text.strip()
    places = sorted((span.place.passage.sources[0], span.start, span.end) for span in spans)
    assert all(one[0] != other[0] or one[2] <= other[1] for one, other in pairwise(places))


def test_overlapping_passages_of_a_document_count_a_place_once():
    text = "The spoon was sold. Mary bought it. It is old."
    first, second = text[:35], text[20:]
    found = [retrieved(first, score=0.7), retrieved(second, start=20, score=1.0, number=1)]
    spans = read("Who bought it?", found, PatternReader("Mary"))
    assert [(span.text, span.start, span.place.passage.id) for span in spans] == [("Mary", 20, 1)]
    elsewhere = [found[0], retrieved(second, source="b.txt", start=20, number=1)]
    assert len(read("Who bought it?", elsewhere, PatternReader("Mary"))) == 2


def test_a_span_in_the_overlap_of_two_passages_stands_where_the_text_goes_on():
    text = "There are two rules. Mary made them: Be kind. Be brief."
    first, second = text[:36], text[21:]
    found = [retrieved(first, score=1.0), retrieved(second, start=21, score=0.7, number=1)]
    (span,) = read("Who made them?", found, PatternReader("Mary"))
    assert (span.text, span.start, span.place.passage.id) == ("Mary", 21, 1)
    assert span.score == max(span.gap + RETRIEVAL_WEIGHT * one.score for one in found)


def test_the_gap_is_above_the_null_of_the_own_window():
    one, other = "It was sold by Mary.", "It was sold by Paul."
    model = Scripted([window(one, "Mary", 9, null=8)], [window(other, "Paul", 3, null=-2)])
    spans = read("Who sold it?", [retrieved(one), retrieved(other, source="b.txt", number=1)], model)
    assert [(span.text, span.gap) for span in spans] == [("Paul", 10.0), ("Mary", 2.0)]


def test_the_windows_of_a_passage_compete_and_a_span_in_two_of_them_is_counted_once():
    text = "It was sold by Mary, not by Paul."
    model = Scripted([window(text, "Mary", 2), window(text, "Mary", 5, 2, first=8), window(text, "Paul", 4)])
    spans = read("Who sold it?", [retrieved(text)], model)
    assert [(span.text, span.gap) for span in spans] == [("Paul", 8.0), ("Mary", 6.0)]


def test_a_better_retrieved_passage_goes_first_where_the_reader_is_as_sure():
    found = [
        retrieved("Paul sold it.", score=0.7),
        retrieved("Mary sold it.", source="b.txt", score=1.0, number=1),
    ]
    assert [span.text for span in read("Who sold it?", found, PatternReader("Mary|Paul"))] == ["Mary", "Paul"]


def test_near_duplicates_are_read_where_they_say_something_else():
    found = retrieved(
        "The keeper is Ann.", "the  keeper\nis ANN.", "The keeper is Otto.", "The keeper is Otto. "
    )
    spans = read("Who is the keeper?", [found], PatternReader("(?i)Ann|Otto"))
    assert [(span.text, span.place.passage.sources) for span in spans] == [
        ("Ann", ("a.txt",)),
        ("Otto", ("twin1.txt",)),
    ]
    assert all(span.candidate is found for span in spans)
    assert spans[0].score - spans[1].score == pytest.approx(2 * RETRIEVAL_WEIGHT)  # each has its own score


def test_only_so_many_passages_and_near_duplicates_are_read():
    many = [f"The keeper is number {n}." for n in range(40)]
    asked = PatternReader(r"\d+")
    assert len(read("Who?", [retrieved(many[0], *many[1:])], asked)) == 1 + READ_TWINS
    found = [retrieved(text, source=text, number=n) for n, text in enumerate(many)]
    assert len(read("Who?", found, asked)) == READ_PASSAGES


def test_a_passage_far_behind_the_best_is_not_read():
    found = [
        retrieved("The keeper is Ann.", score=1.0),
        retrieved("The keeper is Otto.", source="b.txt", score=1.01 - FARTHEST_BEHIND, number=1),
        retrieved("The keeper is Paul.", source="c.txt", score=0.99 - FARTHEST_BEHIND, number=2),
    ]
    spans = read("Who is the keeper?", found, PatternReader("Ann|Otto|Paul"))
    assert [span.text for span in spans] == ["Ann", "Otto"]


def test_what_is_no_sentence_is_no_answer():
    text = "| City | Limit |\n| Zurich | 240 euros |"
    row = (text.index("| Zurich"), len(text))
    asked = Retrieved(IndexedPassage(0, ("a.md",), None, passage(text, 7, sentences=[row])), 1.0, 1.0, 0.0)
    spans = read("What is the limit?", [asked], PatternReader("Limit|240 euros"))
    assert [span.text for span in spans] == ["240 euros"]
    assert read("?", [asked], PatternReader(r"City \| Limit")) == []


def test_an_answer_ends_with_its_paragraph_and_may_cross_a_full_stop_before():
    text = "Mary J. Jones sold it.\nPaul bought it."
    sentences = [(0, 7), (8, 22), (23, len(text))]
    asked = Retrieved(IndexedPassage(0, ("a.md",), None, passage(text, 7, sentences)), 1.0, 1.0, 0.0)
    assert [span.text for span in read("Who?", [asked], PatternReader("Mary J. Jones"))] == ["Mary J. Jones"]
    assert read("Who?", [asked], PatternReader(r"sold it.\nPaul")) == []


@pytest.mark.parametrize(
    "wrong",
    [
        Window([(0, 4)], np.float32([np.nan]), np.float32([1]), 0.0, 0.0),
        Window([(0, 4)], np.float32([np.inf]), np.float32([1]), 0.0, 0.0),
        Window([(0, 4)], np.float32([1]), np.float32([1]), float("nan"), 0.0),
        Window([(0, 4)], np.float32([1, 2]), np.float32([1]), 0.0, 0.0),
        Window([(0, 40)], np.float32([1]), np.float32([1]), 0.0, 0.0),
        Window([(-1, 4)], np.float32([1]), np.float32([1]), 0.0, 0.0),
    ],
)
def test_what_no_reader_could_mean_is_an_error_and_no_refusal(wrong):
    with pytest.raises(ReaderError, match="the reader gave"):
        read("Who?", [retrieved("Mary sold it.")], Scripted([wrong]))


def test_a_mark_of_the_model_in_a_document_is_text(bundled_reader):
    for text in ("the [CLS] token", "a [SEP] b [MASK] c [PAD]"):
        (found,) = bundled_reader.windows("What?", [Text("", text)])[0]
        assert len(found.offsets) > len(text.split())


def test_white_space_at_the_ends_of_a_piece_is_no_part_of_the_answer():
    text = "It was sold by Mary. "
    logits = np.float32([5, -9, 4])
    model = Scripted([Window([(14, 19), (19, 20), (20, 21)], logits, logits, 0.0, 0.0)])
    assert [span.text for span in read("Who?", [retrieved(text)], model)] == ["Mary", "."]


def test_a_sentence_is_read_again_alone_and_beside_its_neighbours_under_its_heading():
    text = "Paul waited. Mary sold it. Otto paid. All left."
    sentences = [(0, 12), (13, 26), (27, 37), (38, len(text))]
    found = replace(passage(text, 7, sentences), context="The sale")
    asked = Retrieved(IndexedPassage(0, ("a.txt",), None, found), 1.0, 1.0, 0.0)
    model = Noting("Mary|Paul waited")
    mary, paul = sorted(read("Who?", [asked], model), key=lambda span: span.text)
    del model.seen[:]
    assert read_again("Who?", [mary, paul, mary], model) == [Reread(4.0, 4.0)] * 3
    assert model.seen == [
        Text("The sale", said)
        for said in ("Mary sold it.", text[:37], "Paul waited.", "Paul waited. Mary sold it.")
    ]
    assert read_again("Who?", [mary], PatternReader("Otto")) == [Reread(-inf, 6.0)]
    assert read_again("Who?", [mary], PatternReader("All left")) == [Reread(-inf, -inf)]


def test_what_no_reader_could_mean_of_a_sentence_is_an_error():
    (mary,) = read("Who?", [retrieved("Mary sold it.")], PatternReader("Mary"))
    wrong = Window([(0, 40)], np.float32([1]), np.float32([1]), 0.0, 0.0)
    with pytest.raises(ReaderError, match="the reader gave"):
        read_again("Who?", [mary], Scripted([wrong]))


def test_no_passages_give_no_spans():
    assert read("Who?", [], NoiseReader()) == []


# The shipped model


@given(TEXTS, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_the_pieces_lie_in_the_text_and_in_order(bundled_reader, text, context):
    ((given_window, *more),) = bundled_reader.windows("Who?", [Text(context, text)])
    assert not more
    assert len(given_window.offsets) == len(given_window.starts) == len(given_window.ends)
    assert all(0 <= start <= end <= len(text) for start, end in given_window.offsets)
    assert list(given_window.offsets) == sorted(given_window.offsets)
    assert np.isfinite([*given_window.starts, *given_window.ends]).all()


@given(TEXTS)
def test_what_is_read_of_any_text_is_verbatim(bundled_reader, text):
    for span in read("Who sold the spoon?", [retrieved(text, start=3)], bundled_reader):
        assert text[span.start - 3 : span.end - 3] == span.text != ""


def test_a_long_passage_is_read_in_windows_that_cover_it(bundled_reader):
    text = " ".join(f"w{n % 10}" for n in range(900))
    (found,) = bundled_reader.windows("What?", [Text("A title", text)])
    assert len(found) > 2
    covered = [offsets for one in found for offsets in one.offsets]
    assert {place for start, end in covered for place in range(start, end)} == {
        place for place, character in enumerate(text) if character != " "
    }
    assert all(len(one.offsets) < WINDOW_PIECES for one in found)
    for one, other in pairwise(found):
        assert one.offsets[-1][1] > other.offsets[0][0]  # an answer at a seam is whole in one of them


def test_an_answer_at_the_end_of_a_long_passage_is_found(bundled_reader):
    text = "The grass is green and the sky is blue today. " * 60 + "The bridge was designed by Lena Okafor."
    assert "Lena Okafor" in read("Who designed the bridge?", [retrieved(text)], bundled_reader)[0].text


def test_the_context_is_read_and_is_no_candidate(bundled_reader):
    text = "It was designed by Lena Okafor."
    ((plain,),) = bundled_reader.windows("Who designed it?", [Text("", text)])
    ((told,),) = bundled_reader.windows("Who designed it?", [Text("The bridge of Anvers", text)])
    assert list(told.offsets) == list(plain.offsets)
    assert "".join(text[start:end] for start, end in told.offsets) == text.replace(" ", "")
    assert not np.array_equal(told.starts, plain.starts)


def test_an_easy_question_is_answered(bundled_reader):
    text = "The Tower of Anvers was completed in 1931. It was designed by Lena Okafor and is 212 metres tall."
    asked = {
        "Who designed the Tower of Anvers?": "Lena Okafor",
        "When was the Tower of Anvers completed?": "1931",
    }
    for question, said in asked.items():
        assert said in read(question, [retrieved(text)], bundled_reader)[0].text


def test_a_batch_gives_the_logits_of_each_text_alone(bundled_reader):
    texts = [Text("Title" * (n % 2), "The blue house by the river is old. " * n) for n in range(1, 14)]
    together = bundled_reader.windows("How old is the house?", texts)
    for text, found in zip(texts, together, strict=True):
        (alone,) = bundled_reader.windows("How old is the house?", [text])
        for one, other in zip(found, alone, strict=True):
            for name in ("starts", "ends", "null_start", "null_end"):
                assert np.allclose(getattr(one, name), getattr(other, name), atol=0.1), name


@pytest.mark.parametrize("text", ["", " \n", "\u0301", "\u200b"])
def test_a_passage_without_words_has_no_spans(bundled_reader, text):
    assert read("Who?", [retrieved(text)], bundled_reader) == []


def test_a_question_without_words_or_of_many_can_be_asked(bundled_reader):
    for question in ("\u200b", "why " * 500):
        ((found,),) = bundled_reader.windows(question, [Text("", "The spoon was sold.")])
        assert len(found.offsets) == 5


@pytest.fixture
def copied(tmp_path):
    return shutil.copytree(BUNDLED_FOLDER, tmp_path / "model")


def test_damaged_weights_are_refused(copied):
    weights = bytearray((copied / "model.bin").read_bytes())
    weights[len(weights) // 2] ^= 1
    (copied / "model.bin").write_bytes(weights)
    with pytest.raises(ReaderError, match=r"model\.bin"):
        BundledSpanModel(copied).load()


@pytest.mark.parametrize("name", ["model.xml", "tokenizer.json"])
def test_a_damaged_file_of_the_model_is_refused(copied, name):
    with (copied / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(ReaderError, match=rf"{name}.* reinstall"):
        BundledSpanModel(copied).load()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": "x", "sha256": {}}'])
def test_a_damaged_card_of_the_model_is_refused(copied, content):
    (copied / "model.json").write_text(content)
    with pytest.raises(ReaderError, match=r"model\.json is damaged"):
        BundledSpanModel(copied).load()


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "model.json", "tokenizer.json"])
def test_a_missing_file_of_the_model_is_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(ReaderError, match=name):
        BundledSpanModel(copied).load()


def test_the_id_is_that_of_the_weights(copied):
    assert BundledSpanModel(copied).id == BundledSpanModel().id
    card = (copied / "model.json").read_text().replace('"model.bin": "', '"model.bin": "00')
    (copied / "model.json").write_text(card)
    assert BundledSpanModel(copied).id != BundledSpanModel().id
