"""The ends of a span: whole words in any script, and no half of a pair."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.span_ends import balanced, whole_words

from .conftest import TEXTS


@given(TEXTS, st.data())
def test_a_range_is_widened_to_whole_words_and_never_shrinks(text, data):
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    first, last = whole_words(text, start, end)
    assert 0 <= first <= start <= end <= last <= len(text)
    for place in (first, last):
        before, after = text[place - 1 : place], text[place : place + 1]
        if before.isascii() and after.isascii():
            assert not (is_ascii_word(before) and is_ascii_word(after))


def is_ascii_word(character: str) -> bool:
    return character.isalnum() or character == "_"


@pytest.mark.parametrize(
    ("text", "cut", "whole"),
    [
        ("in Lisbon today", "isbo", "Lisbon"),
        ("a cafe\u0301.", "cafe", "cafe\u0301"),
        ("a cafe\u0301s.", "caf", "cafe\u0301s"),
        ("वह हिन्दी है", "हिन", "हिन्दी"),
        ("the co\u00adop won", "co", "co\u00adop"),
        ("서울은 크다", "서울", "서울은"),
        ("the 👩\u200d👧 sign", "👩", "👩\u200d👧"),
        ("北京是中国的首都。", "北京", "北京"),
        ("于2019年", "20", "2019"),
        ("well-known", "known", "known"),
        ("see https://www.mill.example/old-rules.html.", "old", "https://www.mill.example/old-rules.html"),
        ("(www.mill.example)", "mill", "www.mill.example"),
        ("to a.miller@mill.example, soon", "mill", "a.miller@mill.example"),
        ("", "", ""),
    ],
)
def test_a_word_is_kept_whole_in_any_script(text, cut, whole):
    at = text.index(cut)
    first, last = whole_words(text, at, at + len(cut))
    assert text[first:last] == whole


@pytest.mark.parametrize(
    ("text", "cut", "whole"),
    [
        ("AWS (Amazon Web Services) division", "Amazon Web Services) division", "Amazon Web Services"),
        ("the web service (AWS) grew", "web service (AWS", "web service (AWS)"),
        ("Ann (born in 1931) left", "Ann (born", "Ann"),
        ("Ann Jones (born 1931) left", "Ann Jones (born", "Ann Jones"),
        ("see [(a)] here", "(a)]", "(a)"),
        ("it is a) red", "a) red", "red"),
        ("f(x)(y) = 1", "x)(y", "y"),
        ("(a b)", "(a b)", "(a b)"),
        (")", ")", ""),
        ('an "anchor customer" now', '"anchor customer', "anchor customer"),
        ('an "anchor customer" now', 'anchor customer"', "anchor customer"),
        ('an "anchor customer" now', '"anchor customer"', '"anchor customer"'),
        ("a “fine” day", "a “fine", "a “fine”"),
        ("none", "none", "none"),
    ],
)
def test_half_a_pair_of_brackets_is_made_whole_or_cut(text, cut, whole):
    at = text.index(cut)
    first, last = balanced(text, at, at + len(cut))
    assert text[first:last] == whole


@pytest.mark.parametrize(
    ("text", "cut", "whole"),
    [
        ("by **Alice Moreau**, who", "Alice Moreau**", "Alice Moreau"),
        ("by **Alice Moreau**, who", "**Alice Moreau", "Alice Moreau"),
        ("by **Alice Moreau**, who", "**Alice Moreau**", "**Alice Moreau**"),
        ("is *two million euros* now", "*two million euros", "two million euros"),
        ("call `open()` twice", "`open()", "open()"),
        ("a sum of 2 * 3 then", "2 * 3", "2 * 3"),
        ("the _private name", "_private", "_private"),
    ],
)
def test_half_a_pair_of_emphasis_is_cut(text, cut, whole):
    at = text.index(cut)
    first, last = balanced(text, at, at + len(cut))
    assert text[first:last] == whole


@given(st.text("ab ()[]*", max_size=20), st.data())
def test_brackets_always_pair_in_the_end(text, data):
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    first, last = balanced(text, start, end)
    assert 0 <= first <= last <= len(text)
    assert balanced(text, first, last) == (first, last)
    said = text[first:last]
    assert said.count("(") == said.count(")")
    assert said.count("[") == said.count("]")


def test_addresses_are_looked_for_near_the_span_alone():
    text = "x@" * 200_000
    assert whole_words(text, 100_000, 100_001) != (0, len(text))


@pytest.mark.parametrize(
    ("text", "cut", "whole"),
    [
        ("15,634,232,000 shares", "232,000", "15,634,232,000"),
        ("15,634,232,000 shares", "15", "15,634,232,000"),
        ("$3.5 billion", "3", "3.5"),
        ("1'200.50 francs", "200", "1'200.50"),
        ("in 2021, 2022 and 2023", "2022", "2022"),
        ("It has 12. 15 left", "12", "12"),
        ("Version 2.1.3.", "1", "2.1.3"),
    ],
)
def test_a_number_is_kept_whole(text, cut, whole):
    start, end = whole_words(text, text.index(cut), text.index(cut) + len(cut))
    assert text[start:end] == whole
