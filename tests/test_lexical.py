"""Word search: identifiers, quoted phrases, every script, and scores that can be compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.lexical import LexicalIndex, fold, phrases, question_terms, terms, words, write

Search = Callable[..., list[int]]


@pytest.fixture
def library(tmp_path: Path) -> Callable[..., Search]:
    """Index texts (passage ids from 1, each its own content) and search them."""

    def make(*texts: str) -> Search:
        write(tmp_path, [(n, n, "", text) for n, text in enumerate(texts, 1)])
        index = LexicalIndex(tmp_path)
        assert index.count == len(texts)

        def search(question: str, k: int = 10, contents: list[int] | None = None) -> list[int]:
            return [passage for passage, _ in index.search(question, k, contents)]

        return search

    return make


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("XR-2041", ["xr-2041", "xr", "2041"]),
        ("Amazon's Amazon’s Amazon", ["amazon"] * 3),
        ("U.S. US U.S", ["us"] * 3),
        ("the U.S.A.", ["the", "usa"]),
        ("1,200,300", ["1200300"]),
        ("1,2", ["1,2"]),
        ("Café Ångström Straße", ["cafe", "angstrom", "strasse"]),
        ("C++, C# and F#.", ["c++", "c#", "and", "f#"]),
        ("ﬁne １２", ["fine", "12"]),
        ("R&D", ["r&d"]),
        ("snake_case", ["snake_case", "snake", "case"]),
        ("中文", ["中", "文", "中文"]),
        ("GPT中文v2", ["gpt", "中", "文", "中文", "v2"]),
        ("हिन्दी עברית", ["हिन्दी", "עברית"]),
        ("🙂 — ... ''", []),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize("number", ["3.5", "1.0", "2.0.1"])
def test_decimals_keep_their_point(number: str) -> None:
    assert words(number)[0] == number


def test_xr_2041_is_found_before_its_neighbours(library: Callable[..., Search]) -> None:
    search = library("The XR-2042 is red.", "The XR-2041 is red.", "The XR 2041X is red.", "Nothing.")
    assert search("Which colour is XR-2041?")[0] == 2
    assert search("xr-2041")[0] == 2
    assert search("XR-2042")[0] == 1


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Amazon", "It was Amazon’s idea."),
        ("Amazon's", "Amazon paid."),
        ("US sales", "In the U.S., things changed."),
        ("1200", "It cost 1,200 dollars."),
        ("1,200", "It cost 1200 dollars."),
        ("cafe", "A CAFÉ in town."),
        ("Dvořák", "Composed by Dvorak."),
        ("cafe\u0301", "A café in town."),
        ("C#", "Written in C#."),
        ("running", "He runs."),
        ("mail", "By e-mail only."),
        ("host.com", "Ask user@host.com for it."),
        ("公园", "今天我们去公园玩。"),
        ("テスト", "日本語のテストです。"),
        ("안녕", "안녕하세요"),
        ("สวัสดี", "เขาพูดว่าสวัสดีครับ"),
        ("ПРИВЕТ", "Он сказал привет."),
        ("x" * 5_000, "A word: " + "x" * 5_000),
    ],
)
def test_spellings_meet(library: Callable[..., Search], question: str, text: str) -> None:
    search = library("Something else entirely.", text)
    assert search(question) == [2]


def test_c_plus_plus_is_not_c_sharp(library: Callable[..., Search]) -> None:
    search = library("Written in C#.", "Written in C++.", "Written in C.")
    assert (search("C++"), search("C#"), search("C")) == ([2], [1], [3])


def test_chinese_word_ranks_above_its_characters(library: Callable[..., Search]) -> None:
    search = library("文章和中间的东西", "这里有中文", "没有")
    assert search("中文")[0] == 2


@pytest.mark.parametrize("question", ['"red car"', "“red car”", "„red car“", "«red car»", 'a "Red  Car"?'])
def test_quoted_phrase_must_stand_word_for_word(library: Callable[..., Search], question: str) -> None:
    search = library("The car is red.", "A red car.", "A red sports car.", "Car red car!")
    assert sorted(search(question)) == [2, 4]


def test_phrases_join_with_the_other_words(library: Callable[..., Search]) -> None:
    search = library("A red car and a blue van.", "A red car.", "A blue van.")
    assert search('"blue van" "red car"') == [1]
    assert search('van near a "red car"')[0] == 1
    assert search('"red van"') == []
    assert search('"no such words"') == []


def test_phrase_crosses_no_case_accent_or_line(library: Callable[..., Search]) -> None:
    search = library("au CAFÉ\ndu coin", "中国人民", "人民中国")
    assert search('"café du"') == [1]
    assert search('"国人"') == [2]


@pytest.mark.parametrize("question", ['a 5" pipe', '""', '"..."', "don't", "'single'", ""])
def test_stray_quotation_marks_are_no_phrase(question: str) -> None:
    assert phrases(question) == []


def test_phrase_matches_lists_all_or_none(tmp_path: Path) -> None:
    write(tmp_path, [(n, n % 2, "", "A red car.") for n in range(1, 31)] + [(31, 0, "", "A car.")])
    index = LexicalIndex(tmp_path)
    assert index.phrase_matches("red car") is None
    assert sorted(index.phrase_matches('"red car"') or []) == list(range(1, 31))
    assert sorted(index.phrase_matches('"red car"', [1]) or []) == list(range(1, 31, 2))
    assert index.phrase_matches('"blue car"') == []


def test_stop_words_alone_are_searched(library: Callable[..., Search]) -> None:
    search = library("To be or not to be.", "Nothing here.")
    assert search("to be or not to be?")[0] == 1
    assert question_terms("who is the who") == ["who", "is", "the"]
    assert question_terms("Who is the author, the AUTHORS?") == ["author"]


@pytest.mark.parametrize("question", ["🙂🙃", "???", "", " \n", '"🙂"'])
def test_question_without_words_finds_nothing(library: Callable[..., Search], question: str) -> None:
    assert library("Some words 🙂")(question) == []


@pytest.mark.parametrize("question", ["AND OR NOT", "a:b*", "(((", "field:x~2^3", "+must -not", "\\"])
def test_nothing_is_query_syntax(library: Callable[..., Search], question: str) -> None:
    search = library("a:b and field:x or must not", "other")
    assert set(search(question)) <= {1}


def test_context_is_searched_but_never_matches_a_phrase(tmp_path: Path) -> None:
    write(tmp_path, [(1, 1, "Annual report", "Sales rose."), (2, 2, "", "The annual report came.")])
    index = LexicalIndex(tmp_path)
    assert {passage for passage, _ in index.search("annual report", 5)} == {1, 2}
    assert [passage for passage, _ in index.search('"annual report"', 5)] == [2]


def test_contents_limit_the_search(library: Callable[..., Search]) -> None:
    search = library("red car", "red van", "red bus")
    assert sorted(search("red", contents=[1, 3])) == [1, 3]
    assert search("red", contents=[]) == []
    assert search("red", contents=[99]) == []
    assert search("van", contents=[1]) == []


def test_removal_and_addition(tmp_path: Path) -> None:
    big = 2**40  # ids of a catalogue that lived long
    write(tmp_path, [(1, 1, "", "red car"), (big, 2, "", "red van"), (3, big, "", "red bus")])
    write(tmp_path, [(4, 4, "", "red tram")], removed_contents=[1, big])
    index = LexicalIndex(tmp_path)
    assert index.count == 2
    assert sorted(passage for passage, _ in index.search("red", 10)) == [4, big]
    assert index.search("bus", 10) == []


def test_scores_are_best_first_and_comparable(tmp_path: Path) -> None:
    texts = ["alpha " * n + "filler " * (20 - n) for n in range(1, 10)]
    write(tmp_path, [(n, n, "", text) for n, text in enumerate([*texts, *["none"] * 20], 1)])
    index = LexicalIndex(tmp_path)
    scores = [score for _, score in index.search("alpha beta", 20)]
    assert len(scores) == 9
    assert scores == sorted(scores, reverse=True)
    assert index.search("alpha beta", 3) == index.search("alpha beta", 20)[:3]
    # The same passage with every word of the question scores higher than with half of them.
    assert index.search("alpha", 1)[0][1] > index.search("alpha beta", 1)[0][1] > 0
    assert index.search("alpha alpha alpha", 1) == index.search("alpha", 1)


def test_equal_scores_keep_the_order_of_ids(library: Callable[..., Search]) -> None:
    assert library(*["same words"] * 5)("same words") == [1, 2, 3, 4, 5]


def test_rare_terms_weigh_more(library: Callable[..., Search]) -> None:
    search = library(*["common word"] * 10, "rare word", *["common word"] * 10)
    assert search("common rare", 1) == [11]


def test_empty_index_finds_nothing(tmp_path: Path) -> None:
    write(tmp_path, [])
    index = LexicalIndex(tmp_path)
    assert (index.count, index.search("word", 10), index.phrase_matches('"word"')) == (0, [], [])


def test_no_results_can_be_asked_for(library: Callable[..., Search]) -> None:
    assert library("word")("word", k=0) == []


SCRIPTS = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("a1.-,'’&@/_#+ \u0301中ก\"“”"))


@given(text=SCRIPTS)
def test_any_text_has_terms_that_tantivy_keeps(text: str) -> None:
    found = words(text)
    assert len(terms(text)) == len(found)
    assert all(word and not any(c.isspace() for c in word) and len(word) <= 100 for word in found)
    assert found == words(fold(text))
    assert set(question_terms(text)) <= set(terms(text))


@given(text=SCRIPTS)
def test_any_text_finds_itself(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    directory = tmp_path_factory.mktemp("words")
    write(directory, [(1, 1, "", text)])
    found = LexicalIndex(directory).search(text, 5)
    assert [passage for passage, _ in found] == ([1] if question_terms(text) else [])
