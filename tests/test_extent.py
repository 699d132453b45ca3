"""How much is quoted: a span for a fact, whole sentences for an explanation, items for a list."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import Passage
from qa.extent import (
    MAX_SENTENCES,
    neighbours,
    quoted,
    sentences_around,
    wants_list,
    wants_sentences,
    wants_several,
)

SENTENCES = """
Why does Anthropic need so much computing power?
And why did they leave?
Why?
how come the bridge was closed
For what reason was the contract ended?
I want to know why the launch was delayed
Do you know why the launch was delayed?
How does the encoder split long documents?
How do I reset my password?
How is the rent paid?
How exactly are refunds calculated?
How was the fire discovered?
How to install the pump?
Explain the refund policy.
Please explain how refunds work
Can you explain the refund policy?
Could you please describe the onboarding process?
Summarise chapter two
Compare the two plans.
Give me an overview of the safety rules.
Tell me about the partnership.
What is the difference between the two plans?
What's the difference between HNSW and IVF?
What’s the purpose of the audit?
What was the main reason for the delay?
What were the causes of the fire?
What is the procedure for returning goods?
What is the company's approach to security?
What is the policy on remote work?
What role did the bank play in the crisis?
Under what circumstances can the contract be terminated?
In what way did the law change trade?
What happens if I miss a payment?
What should I do if the alarm sounds?
What caused the outage?
What makes this funding round unique?
What does force majeure mean?
What is meant by near-duplicate?
What does the report say about inflation?
What do the documents say about the new camps?
Define force majeure.
What is Trainium?
What is a snapshot?
What's an index?
What are embeddings?
What is machine learning?
What is force majeure?
Is smoking allowed in the building?
Does the warranty cover water damage?
Do employees get paid leave or not?
Did the company make a profit in 2020?
Can I cancel my subscription at any time?
Can you cancel at any time?
Do you know whether he signed?
Isn't the fee refundable?
Will the price rise next year?
Has the contract been signed?
"""
LISTS = """
What are the main trends in the AI industry?
What are the risks of the project?
What are the steps to file a claim?
What are the eligibility criteria?
What are the names of Amazon's AI chips?
What are some advantages of custom chips?
What were the results of the survey?
What are its key features?
Name the three founders.
List the members of the board.
Can you give me a list of the members?
"""
SPANS = """
Who wrote the report?
Who is the CEO of Acme?
Who were the founders of Acme?
Whose name is on the lease?
To whom was the house sold?
When was the tower completed?
When does the lease end?
Where is the head office?
Where can I find the manual?
Which company built the bridge?
Which of the two plans is cheaper?
In which year was the tower completed?
How many people live in Marrowby?
How much is Amazon investing in Anthropic?
How much does the licence cost?
How long does the warranty last?
How tall is the Tower of Anvers?
How old is the house?
How often is the filter changed?
How far is the airport?
How high is the fee?
How soon must the claim be filed?
What year was the company founded?
What is the capital of France?
What company did Amazon invest in?
What is the name of the CEO?
What is the maximum speed of the train?
What is the password of the vault?
What was the total revenue in 2020?
What’s the interest rate?
What is the process ID?
What is the policy number?
What is her name?
What is its length?
What is Mary's salary?
What is he paid?
What time does the office open?
What percentage of users churned?
What kind of battery does it use?
What did the company sell in 2019?
What does the pump weigh?
What was the boat called?
What are the company's chips called?
What is the business address?
At what temperature does the alarm sound?
By what year must it be paid?
From which country did the settlers come?
Name the author of the report.
Can you tell me who wrote the report?
Could you tell me how much it costs?
Can you give me the phone number of the support desk?
Please tell me what year the tower was built
Do you know when the tower was completed?
Is the pump red or blue?
Did the company make a profit or a loss?
Was it built before or after 1931?
The spoon?
pump warranty duration
"""


def lines(text: str) -> list[str]:
    return text.strip().split("\n")


@pytest.mark.parametrize("question", lines(SENTENCES) + lines(LISTS))
def test_an_explanation_wants_sentences(question):
    assert wants_sentences(question)
    assert wants_sentences(f"  {question.upper()}\n")


@pytest.mark.parametrize("question", lines(SPANS))
def test_a_fact_wants_a_span(question):
    assert not wants_sentences(question)
    assert not wants_list(question)


@pytest.mark.parametrize("question", lines(LISTS))
def test_a_list_is_known(question):
    assert wants_list(question)


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from(["what is ", "please ", "the ", "how ", "say "])).map("".join)
)
def test_any_question_is_decided(question):
    assert wants_sentences(question) in (True, False)
    assert wants_sentences(question) or not wants_list(question)


# The range that is quoted


def passage(text: str, sentences: list[str], offset: int = 0) -> Passage:
    spans, at = [], 0
    for sentence in sentences:
        at = text.index(sentence, at)
        spans.append((offset + at, offset + at + len(sentence)))
        at += len(sentence)
    return Passage(offset, offset + len(text), text, (), None, tuple(spans), "")


def quote(question: str, text: str, sentences: list[str], key: str, offset: int = 100) -> str:
    made = passage(text, sentences, offset)
    at = offset + text.index(key)
    (start, end), (key_start, key_end) = quoted(question, made, (at, at + len(key)))
    assert start <= key_start < key_end <= end
    return text[start - offset : end - offset]


STORY = ["The dam broke.", "It was old and the rain was heavy.", "Nobody was hurt.", "It was rebuilt."]


def test_a_fact_is_quoted_as_it_is():
    assert quote("When did the dam break?", " ".join(STORY), STORY, "old") == "old"


def test_an_explanation_is_quoted_in_whole_sentences():
    text = " ".join(STORY)
    assert quote("Why did the dam break?", text, STORY, "the rain") == STORY[1]
    assert quote("Why did the dam break?", text, STORY, "heavy. Nobody") == " ".join(STORY[1:3])


def test_a_span_over_many_sentences_is_kept_whole():
    assert quote(
        "Why did the dam break?",
        " ".join(STORY),
        STORY,
        "broke. It was old and the rain was heavy. Nobody was hurt. It",
    ) == " ".join(STORY)


def test_a_span_outside_of_all_sentences_is_quoted_alone():
    assert quote("Why?", "Rain\n\nThe dam broke.", ["The dam broke."], "Rain") == "Rain"


@pytest.mark.parametrize(("said", "expected"), [(0, [STORY[1]]), (1, [STORY[0], STORY[2]]), (3, [STORY[2]])])
def test_a_sentence_has_a_neighbour_on_each_side_but_at_the_ends(said, expected):
    text = " ".join(STORY)
    start = 100 + text.index(STORY[said])
    beside = neighbours(passage(text, STORY, 100), (start, start + len(STORY[said])))
    assert [text[low - 100 : high - 100] for low, high in beside] == expected


ITEMS = ["pay the rent.", "Pay it monthly.", "keep it clean", "ring the bell", "call the owner"]
RULES = (
    "The tenant must:\n- pay the rent. Pay it monthly.\n- keep it clean\n- ring the bell\n- call the owner\n"
    "That is all."
)
RULE_SENTENCES = ["The tenant must:", *ITEMS, "That is all."]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("the rent", "pay the rent. Pay it monthly.\n- keep it clean\n- ring the bell"),
        ("keep it", "keep it clean\n- ring the bell\n- call the owner"),
        ("bell", "keep it clean\n- ring the bell\n- call the owner"),
        ("owner", "keep it clean\n- ring the bell\n- call the owner"),
        ("tenant", "pay the rent. Pay it monthly.\n- keep it clean\n- ring the bell"),
        ("That", "That is all."),
    ],
)
def test_a_list_is_quoted_with_the_items_beside(key, expected):
    assert quote("What are the duties of the tenant?", RULES, RULE_SENTENCES, key) == expected


@pytest.mark.parametrize("mark", ["- ", "* ", "• ", "1. ", "(a) ", "b) "])
def test_items_are_known_by_their_marks(mark):
    items = [f"{mark}rain", f"{mark}wind"]
    text = "\n".join(["Reasons:", *items, "End."])
    asked = "What are the reasons for the delay?"
    inside = quote(asked, text, ["Reasons:", *items, "End."], "rain")  # numbers belong to the sentence
    beside = quote(asked, text, ["Reasons:", "rain", "wind", "End."], "rain")  # other marks stand before it
    assert inside == f"{mark}rain\n{mark}wind"
    assert beside == f"rain\n{mark}wind"


def test_a_lead_stands_for_its_items_in_any_question_for_several_things():
    items = "pay the rent. Pay it monthly.\n- keep it clean\n- ring the bell"
    assert quote("Which duties does the tenant have?", RULES, RULE_SENTENCES, "tenant") == items
    assert quote("Which duties does the tenant have?", RULES, RULE_SENTENCES, "clean") == "clean"
    assert quote("Who must ring the bell?", RULES, RULE_SENTENCES, "The tenant") == "The tenant"


def test_items_belong_to_lists_only():
    assert quote("Why is the tenant busy?", RULES, RULE_SENTENCES, "bell") == "ring the bell"


@given(
    st.lists(
        st.sampled_from(["One is here.", "- item", "Why not?", "two 3.5 words"]), min_size=1, max_size=8
    ),
    st.sampled_from(["Why is it so?", "What are the rules?", "Who is it?"]),
    st.sampled_from([" ", "\n"]),
    st.data(),
)
def test_a_quote_holds_the_key_in_whole_sentences(sentences, question, between, data):
    text = between.join(sentences)
    made = passage(text, [sentence.removeprefix("- ") for sentence in sentences], 7)
    start = data.draw(st.integers(7, made.end - 1))
    end = data.draw(st.integers(start + 1, made.end))
    (first, last), key = quoted(question, made, (start, end))
    assert made.start <= first <= key[0] < key[1] <= last <= made.end
    if key != (start, end):  # the span leads up to a list
        assert wants_several(question)
        assert key == (first, last)
        assert made.text[first - 9 : first - 7] == "- "
        return
    if not wants_sentences(question):
        assert (first, last) == (start, end)
        return
    touched = [span for span in made.sentences if span[0] < end and span[1] > start]
    inside = [span for span in made.sentences if span[0] < last and span[1] > first]
    assert all(first <= a and b <= last for a, b in inside)
    lines = [span for span in inside if "\n" in made.text[: span[0] - 7][-3:] or span == inside[0]]
    assert min(len(inside), len(lines)) <= max(MAX_SENTENCES, len(touched))
    around = sentences_around(made, start, end)
    assert first <= around[0]
    assert around[1] <= last
    if not wants_list(question):
        assert (first, last) == around


def test_the_table_holds_no_question_twice():
    asked = [re.sub(r"\W+", " ", line).casefold() for line in lines(SENTENCES) + lines(LISTS) + lines(SPANS)]
    assert len(set(asked)) == len(asked) >= 100
