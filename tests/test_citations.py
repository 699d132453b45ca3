"""Citations: every place of a quote, at its own exact offsets, and no other place."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import IndexedPassage, Passage
from qa.citations import citations, evidence
from qa.reader import ScoredSpan
from qa.retriever import Retrieved
from qa.rows import Tables

from .test_reader import Document

LEASE = "The lease began in May. The tenant is Mary Jones. The rent is paid in advance."
WHO, WHY = "Who is the tenant?", "Why is she the tenant?"


def passage(text: str, start: int = 0) -> Passage:
    """A passage whose sentences end with a full stop, or with the line."""
    sentences = tuple((start + m.start(), start + m.end()) for m in re.finditer(r"[^\s.][^.]*(?:\.|$)", text))
    return Passage(start, start + len(text), text, ("One", "Two"), 3, sentences, "")


def indexed(
    number: int, text: str, *sources: str, start: int = 0, title: str | None = None
) -> IndexedPassage:
    return IndexedPassage(number, sources or (f"{number}.txt",), title, passage(text, start))


def span(found: IndexedPassage, key: str, *twins: IndexedPassage) -> ScoredSpan:
    start = found.passage.start + found.passage.text.index(key)
    return scored(candidate(found, *twins), start, start + len(key))


def candidate(found: IndexedPassage, *twins: IndexedPassage) -> Retrieved:
    return Retrieved(found, 1.0, 1.0, 0.0, tuple(Retrieved(twin, 1.0, 1.0, 0.0) for twin in twins))


def scored(found: Retrieved, start: int, end: int) -> ScoredSpan:
    return ScoredSpan(found, found, start, end, 1.0, 1.0)


def cited(question: str, said: ScoredSpan) -> list:
    """The citations, after a check of each against the text that its source holds."""
    made = list(citations(question, said, Tables(Document())))
    passages = [one.passage for one in (said.candidate, *said.candidate.twins)]
    held = {source: one.passage for one in passages for source in one.sources}
    for citation in made:
        text, offset = held[citation.source].text, held[citation.source].start
        assert text[citation.start - offset : citation.end - offset] == citation.quote
        assert text[citation.context_start - offset : citation.context_end - offset] == citation.context
        assert citation.context_start <= citation.start <= citation.key_start
        assert citation.key_start < citation.key_end <= citation.end <= citation.context_end
    return made


def test_a_fact_is_quoted_inside_its_sentence():
    (citation,) = cited(WHO, span(indexed(1, LEASE, start=50), "Mary Jones"))
    assert (citation.quote, citation.context) == ("Mary Jones", "The tenant is Mary Jones.")
    assert (citation.start, citation.end) == (citation.key_start, citation.key_end) == (88, 98)
    assert (citation.source, citation.page, citation.heading) == ("1.txt", 3, ["One", "Two"])


def test_an_explanation_is_quoted_in_sentences_with_the_key_inside():
    (citation,) = cited(WHY, span(indexed(1, LEASE), "Mary Jones"))
    assert citation.quote == citation.context == "The tenant is Mary Jones."
    assert LEASE[citation.key_start : citation.key_end] == "Mary Jones"


def test_each_file_that_holds_the_passage_is_cited_under_its_own_title():
    made = cited(WHO, span(indexed(1, LEASE, "a/one.txt", "two.txt"), "Mary Jones"))
    assert [(c.source, c.title) for c in made] == [("a/one.txt", "one.txt"), ("two.txt", "two.txt")]
    (citation,) = cited(WHO, span(indexed(1, LEASE, title="A lease"), "Mary Jones"))
    assert citation.title == "A lease"


@pytest.mark.parametrize(
    ("other", "quote", "context"),
    [
        (LEASE, "Mary Jones", "The tenant is Mary Jones."),
        ("New. " + LEASE, "Mary Jones", "The tenant is Mary Jones."),
        (LEASE.replace(" ", "\n  "), "Mary\n  Jones", "The\n  tenant\n  is\n  Mary\n  Jones."),
        (LEASE.upper(), "MARY JONES", "THE TENANT IS MARY JONES."),
        (LEASE.replace("May", "June"), "Mary Jones", "The tenant is Mary Jones."),
    ],
)
@pytest.mark.parametrize("question", [WHO, WHY])
def test_a_twin_that_says_the_same_is_cited_at_its_own_offsets(other, quote, context, question):
    made = cited(
        question, span(indexed(1, LEASE), "Mary Jones", indexed(2, other, "b.txt", "c.txt", start=7))
    )
    assert [citation.source for citation in made] == ["1.txt", "b.txt", "c.txt"]
    assert made[1].context == context
    assert made[1].quote == (quote if question == WHO else context)
    assert other[made[1].key_start - 7 : made[1].key_end - 7] == quote


@pytest.mark.parametrize(
    "other",
    [
        LEASE.replace("Mary Jones", "Otto Kern"),
        LEASE.replace("Mary Jones", "Mary Joness"),
        LEASE.replace("is Mary", "is not Mary"),
        LEASE.replace("Mary Jones.", "Mary Jones and Otto Kern."),
        LEASE.replace("The tenant", "Once the tenant"),
        LEASE.replace("The tenant is Mary Jones.", ""),
        "Mary Jones.",
    ],
)
@pytest.mark.parametrize("question", [WHO, WHY])
def test_a_twin_that_says_something_else_is_not_cited(other, question):
    made = cited(question, span(indexed(1, LEASE), "Mary Jones", indexed(2, other)))
    assert [citation.source for citation in made] == ["1.txt"]


def test_a_longer_sentence_that_begins_alike_says_something_else():
    listed = indexed(1, "The tenant is Ann Lee")
    made = cited(
        WHO,
        span(
            listed,
            "Ann Lee",
            indexed(2, "The tenant is Ann Leeson"),
            indexed(3, "The tenant is Ann Lee and Otto"),
        ),
    )
    assert [citation.source for citation in made] == ["1.txt"]


def test_a_range_of_sentences_must_be_the_same_as_a_whole():
    key = "Mary Jones. The rent is paid"
    same, other = indexed(2, "Old. " + LEASE), indexed(3, LEASE.replace("in advance", "later"))
    made = cited(WHY, span(indexed(1, LEASE), key, same, other))
    assert [citation.source for citation in made] == ["1.txt", "2.txt"]
    assert made[1].quote == "The tenant is Mary Jones. The rent is paid in advance."


def test_a_twin_that_was_read_is_cited_once_and_first():
    twin, same = indexed(2, LEASE.replace("May", "June")), indexed(3, "Now. " + LEASE)
    made = cited(WHO, span(twin, "Mary Jones", twin, same))
    assert [citation.source for citation in made] == ["2.txt", "3.txt"]


@given(st.data(), st.sampled_from([WHO, WHY, "What are the rules?"]))
def test_any_span_is_cited_exactly_in_all_its_places(data, question):
    words = st.lists(
        st.sampled_from(["Mary", "ß.", "- x", "\n", "İ", "ends.", "A", "e\u0301."]), min_size=1, max_size=14
    )
    text = " ".join(data.draw(words.filter(lambda made: "".join(made).strip())))
    twins = [
        indexed(2 + n, vary(text), start=n) for n, vary in enumerate((str.upper, str.lower, "x. {}".format))
    ]
    found = indexed(1, text, start=5)
    letters = [i for i, character in enumerate(text) if not character.isspace()]
    start = data.draw(st.sampled_from(letters))
    end = data.draw(st.sampled_from([i for i in letters if i >= start])) + 1
    said = scored(candidate(found, *twins), 5 + start, 5 + end)
    made = cited(question, said)
    assert (made[0].source, made[0].key_start, made[0].key_end) == ("1.txt", 5 + start, 5 + end)
    said_there = "".join(made[0].context.split()).casefold()
    assert all("".join(citation.context.split()).casefold() == said_there for citation in made)


def test_evidence_names_every_other_place():
    other = Retrieved(indexed(2, "Other.", start=9), 0.4, 0.3, 0.1)
    found = Retrieved(indexed(1, LEASE, "a/one.txt", "two.txt", start=5), 0.5, 0.3, 0.2, (other,))
    shown = evidence(found)
    end = 5 + len(LEASE)
    assert (shown.source, shown.start, shown.end, shown.text) == ("a/one.txt", 5, end, LEASE)
    assert (shown.score, shown.page, shown.heading, shown.title) == (0.5, 3, ["One", "Two"], "one.txt")
    assert shown.also_in == (("two.txt", 5, end), ("2.txt", 9, 15))
