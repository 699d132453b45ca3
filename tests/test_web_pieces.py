"""The pieces of the page: what they escape, mark and suggest."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import DocumentStatus, Rectangle
from qa import Answer, Citation, Evidence
from qa.model import Candidate
from qa.suggestions import questions, suggest
from qa.web import cards, listing, places, viewer


def stripped(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def marks(markup: str, kind: str) -> list[str]:
    """The texts of the marks of one kind; keys stand inside contexts, and hold no mark."""
    found = re.findall(rf'<mark class="{kind}">((?:(?!</mark>).|<mark.*?</mark>)*)</mark>', markup, re.DOTALL)
    return [stripped(text) for text in found]


@st.composite
def documents_with_places(draw):
    text = draw(st.text(max_size=300))
    outer, start, key, key_end, end, outer_end = sorted(
        draw(st.lists(st.integers(0, len(text)), min_size=6, max_size=6))
    )
    return text, places.Place(draw(st.text(min_size=1)), start, end, key, key_end, outer, outer_end)


def citation(**changes) -> Citation:
    made = Citation(
        "a.txt", 10, 14, "five", 10, 14, 4, 20, "about five of it"[:16], 3, ["One", "Two"], "Title"
    )
    return replace(made, **changes)


def evidence(text: str, **changes) -> Evidence:
    return replace(Evidence(1.0, "a.txt", 0, len(text), text, None, [], "Title"), **changes)


def answer(**changes) -> Answer:
    made = Answer(True, "five", "five", 0.9, (citation(),), (), (evidence("Some passage."),), "How many?", {})
    return replace(made, **changes)


# What is shown


@given(documents_with_places(), st.integers(1, 200))
def test_the_viewer_shows_the_very_text_and_marks_the_very_slices(made, reach):
    text, place = made
    first, last = viewer.window(text, place, reach)
    markup = viewer.marked(text, place, first, last)
    assert stripped(markup) == text[first:last]
    assert first <= place.context_start
    assert place.context_end <= last
    key = text[place.key_start : place.key_end]
    assert marks(markup, "fn-key") == ([key] if key else [])
    context = text[place.context_start : place.context_end]
    assert stripped(markup.partition('<mark class="fn-context">')[2]).startswith(context)


@given(documents_with_places())
def test_a_link_leads_to_its_place_and_holds_no_markup(made):
    _, place = made
    for view, wanted in (
        ("open", places.Wanted(place)),
        ("text", places.Wanted(place, as_text=True)),
        ("page-12", places.Wanted(place, page=12)),
    ):
        fragment = places.link(place, view)
        assert places.read_link(fragment) == wanted
        assert html.escape(fragment) == fragment


@given(
    st.one_of(st.text(), st.integers(), st.none(), st.from_regex(r"#open/[\d-]{0,30}/[^/]*", fullmatch=True))
)
def test_a_forged_link_is_none_or_a_place_in_order(fragment):
    wanted = places.read_link(fragment)
    assert wanted is None or all(one <= other for one, other in pairwise(wanted.place.offsets))


def test_a_large_document_is_shown_in_part_with_a_way_to_the_rest():
    text = "\n".join(f"line {number:05}" for number in range(20_000))
    at = text.index("line 10000")
    place = places.Place("a.txt", at, at + 10, at, at + 10, at, at + 10)
    shown = viewer.show_text(viewer.Opened(place, "Title"), text)
    assert len(shown) < 100_000
    assert marks(shown, "fn-key") == ["line 10000"]
    assert "are shown; go" in shown
    _, last = viewer.window(text, place)
    later = places.read_link(re.findall(r'href="([^"]*)"', shown)[-1])
    assert later.as_text
    assert viewer.window(text, later.place)[0] == last  # no line is left out between
    body = stripped(shown.partition('dir="auto">')[2])
    assert body.startswith("line ")
    assert body.endswith("\n")


@given(st.text(), st.text(), st.text(), st.lists(st.text(), max_size=3), st.text())
def test_nothing_of_a_document_becomes_markup(text, title, source, heading, question):
    named = {"title": title, "source": source, "heading": heading}
    cell = {"table_row": title, "table_column": text}
    whole = {"start": 0, "end": len(text), "key_start": 0, "key_end": len(text)}
    quoted = citation(
        quote=text, context=text, context_start=0, context_end=len(text), **whole, **named, **cell
    )
    passage = evidence(text, also_in=((source, 0, 1),), **named)
    other = Candidate(text, text, 0.4, (quoted,))
    found = answer(citations=(quoted, quoted), passages=(passage,), candidates=(other, other), notice=text)
    for shown in (found, replace(found, found=False, citations=())):
        card = cards.answer_card(shown, 7)
        tags = set(re.findall(r"</?([^\s>]*)", card))
        assert tags <= set("div blockquote mark p b ul li a span bdi details summary".split())
        assert card.count("<") == card.count(">")
    assert stripped(cards.quoted(quoted)) == text
    assert stripped(cards.question_text(question)) == question


def test_a_card_tells_the_quote_from_its_context():
    text = "about five of it"
    card = cards.quoted(citation(context=text, context_start=4, start=10, end=14, quote="five"))
    assert stripped(card) == text
    assert marks(card, "fn-key") == ["five"]
    assert '<span class="fn-around">about </span>' in card


def test_a_card_names_the_cell_that_an_answer_stands_in():
    whole = citation(table_row="Europe: <Net> sales", table_column="2022")
    for cited, expected in (
        (whole, "Europe: <Net> sales · 2022"),
        (replace(whole, table_row=None), "2022"),
        (citation(), None),
    ):
        card = cards.answer_card(answer(citations=(cited,)))
        cell = re.search(r'<p class="fn-cell">.*?</p>', card)
        assert (stripped(cell[0]) if cell else None) == expected


@pytest.mark.parametrize(
    ("confidence", "words"),
    [(None, "not calibrated"), (0.934, "high (93%)"), (0.5, "medium (50%)"), (0.002, "low (under 1%)")],
)
def test_confidence_is_told_in_words(confidence, words):
    assert cards.confidence_words(confidence) == words
    assert words in stripped(cards.answer_card(answer(confidence=confidence)))


def test_certainty_is_not_claimed_by_rounding():
    assert cards.percent(0.997) == "over 99%"
    assert cards.percent(0.0) == "0%"


def test_a_refusal_says_so_and_links_the_nearest_passages():
    passages = tuple(evidence(f"Passage {number}.", start=number) for number in range(5))
    card = cards.answer_card(answer(found=False, citations=(), confidence=0.1, passages=passages))
    assert "The documents don't say." in card
    assert card.count('href="#open/') == 5
    assert "low (10%)" in card


def test_a_refusal_shows_the_candidate_that_it_does_not_trust():
    refused = answer(found=False, citations=(), confidence=0.4)
    assert "fn-key" not in cards.answer_card(refused)
    candidate = Candidate("five", "five", 0.4, (citation(),))
    card = cards.answer_card(replace(refused, candidates=(candidate,)))
    assert marks(card, "fn-key") == ["five"]
    assert cards.confidence_words(0.4) in stripped(card)
    unknown = replace(refused, candidates=(replace(candidate, confidence=0.05),), confidence=0.05)
    assert "fn-key" not in cards.answer_card(unknown)


def test_direction_controls_in_a_name_are_made_visible():
    assert places.name("invoice\u202etxt.exe") == "<bdi>invoice[U+202E]txt.exe</bdi>"


def test_the_document_list_is_paged_and_filtered():
    rows = [
        DocumentStatus(f"{number}.txt", f"Paper {number}", "indexed", "", 3, 0, "0", "", None)
        for number in range(120)
    ]
    rows.append(DocumentStatus("<b>.pdf", "Scan", "no_text_layer", "needs <OCR>", 0, 4, "0", "", None))
    markup, page, pages = listing.table(rows, 121, 99)
    assert (page, pages) == (2, 3)
    assert markup.count("<tr>") == 1 + 21
    assert "needs &lt;OCR&gt;" in markup
    assert "<b>" not in markup
    assert "121 of 121 files" in markup
    found = listing.matching(rows, "PAPER 11", listing.EVERY)
    assert [each.source for each in found] == ["11.txt", *(f"11{digit}.txt" for digit in range(10))]
    assert "No document matches" in listing.table([], 121, 0)[0]
    assert "no document yet" in listing.table([], 0, 0)[0]


@pytest.mark.parametrize(
    ("status", "sources"),
    [
        (listing.EVERY, ["a", "b", "c"]),
        ("indexed", ["a"]),
        ("no text layer", ["b"]),
        (listing.NOT_INDEXED, ["b", "c"]),
    ],
)
def test_documents_are_chosen_by_their_status(status, sources):
    states = {"a": "indexed", "b": "no_text_layer", "c": "failed"}
    rows = [DocumentStatus(name, name, state, "", 0, 0, "0", "", None) for name, state in states.items()]
    assert [each.source for each in listing.matching(rows, "", status)] == sources


def test_only_files_of_the_folder_itself_can_be_deleted():
    rows = [
        DocumentStatus(name, name, "indexed", "", 1, 0, "0", "", None) for name in ("a.txt", "b.zip!/c.txt")
    ]
    markup, _, _ = listing.table(rows, 2, 0, can_delete=True)
    assert "#do/delete/a.txt" in markup
    assert "#do/delete/b.zip" not in markup
    assert "#do/delete" not in listing.table(rows, 2, 0)[0]


@pytest.mark.parametrize(
    ("header", "rows", "cells"),
    [
        ("Ship | Built", "Aurora | 1931", [["Ship", "Built"], ["Aurora", "1931"]]),
        ("Ship,Built", '"Aurora, II",1931', [["Ship", "Built"], ["Aurora, II", "1931"]]),
        ("Ship;Built", "Aurora;1931\nBora;1932", [["Ship", "Built"], ["Aurora", "1931"], ["Bora", "1932"]]),
        ("Ship  Built  By", "Aurora 1931", [["Ship  Built  By"], ["Aurora 1931"]]),
        ("<b>,Built", "</td>,1", [["<b>", "Built"], ["</td>", "1"]]),
    ],
)
def test_rows_stand_under_their_header_cell_by_cell(header, rows, cells):
    text = f"{header}\n{rows}"
    place = places.span("a.csv", len(header) + 1, len(text))
    shown = viewer.show_text(viewer.Opened(place, "A"), text, header).partition("<table>")[2]
    shown = shown.partition("</table>")[0]
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in shown.split("<tr>")[1:]]
    assert [[html.unescape(cell) for cell in row] for row in found] == cells


def test_marks_on_paper_are_parts_of_the_page():
    box = Rectangle(2, 61.2, 79.2, 122.4, 99, 612, 792)
    paper = viewer.Paper(2, 9, 612, 792, b"png", context=[], key=[box])
    shown = viewer.show_paper(viewer.Opened(places.span("a.pdf", 0, 4), "A", has_pages=True), paper)
    assert "left:10.000%;top:10.000%;width:10.000%;height:2.500%" in shown
    assert "2 of 9" in shown
    assert 'href="#page-1/' in shown
    assert 'href="#page-3/' in shown
    last = viewer.show_paper(viewer.Opened(places.span("a.pdf", 0, 4), "A"), replace(paper, number=9))
    assert 'href="#page-10/' not in last


def test_the_marks_of_a_document_lead_to_one_another_in_a_circle():
    marks_there = [places.span("a.txt", at, at + 1) for at in (3, 7, 9)]
    opened = viewer.Opened(marks_there[2], "A", marks=marks_there)
    shown = viewer.show_text(opened, "0123456789")
    assert "mark 3 of 3" in shown
    assert f'href="{places.link(marks_there[1])}" role="button" aria-label="Previous mark"' in shown
    assert f'href="{places.link(marks_there[0])}" role="button" aria-label="Next mark"' in shown


# First questions


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("Now Acme is investing up to $5 billion in Brux, at once.", "How much is Acme investing in Brux?"),
        ("Acme has bought about 300 lorries this year.", "How many lorries has Acme bought?"),
        ("The Tower of Anvers was completed in May 1931.", "When was the Tower of Anvers completed?"),
        ("Skeld Abbey is located in Anvers.", "Where is Skeld Abbey located?"),
        ("Skeld Abbey was founded by Odo Marr in 1190.", "Who founded Skeld Abbey?"),
        ("The length of the Skeld is 212 kilometres.", "What is the length of the Skeld?"),
        ("Marrowby has a population of 40,300.", "What is the population of Marrowby?"),
        ("In spring Acme opened a second yard in May 1931.", "When did Acme open a second yard?"),
        ("You can delete your account by writing to us.", "How can you delete your account?"),
        ("Personal data means what names you.", "What does personal data mean?"),
        ("The Skeld Guide covers the whole river.", "What does the Skeld Guide cover?"),
        ("The reason Acme needs large lorries is the bad roads.", "Why does Acme need large lorries?"),
        ("The Skeld is a river of the north.", "What is the Skeld?"),
        ("Acme was late because the roads were bad.", "Why was Acme late?"),
    ],
)
def test_a_sentence_becomes_a_question_about_itself(sentence, question):
    assert next(questions(evidence(sentence))) == question


@given(st.text(max_size=200), st.lists(st.text(max_size=60), max_size=2))
def test_a_suggestion_is_short_and_asks_for_no_phrase(text, heading):
    for question in questions(evidence(text, heading=heading)):
        assert question.endswith("?")
        assert len(question) <= 110
        assert not set(question) & set('"“”„«»<>')


def test_every_suggestion_is_answered(seed_qa):
    suggested = suggest(seed_qa, 3)
    assert suggested
    assert all(seed_qa.ask(question).found for question in suggested)


def test_an_empty_index_suggests_nothing(ask_files):
    assert suggest(ask_files({"empty.txt": ""})) == ()


# The command line
