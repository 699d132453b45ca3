"""Training: its questions, their windows, the scores it selects by, and going on after a stop."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from qa.span_model import BundledSpanModel, Text
from training import alterations, span_reader
from training.__main__ import kept_against
from training.export import read_back
from training.network import DROPOUT, SpanNetwork, dropped
from training.questions import (
    Question,
    alone,
    altered,
    hard_negatives,
    hold_aside,
    one_pass,
    read_questions,
    removed,
)
from training.sentence_questions import sentence_questions
from training.span_reader import Log, reader_tokenizer, run
from training.spans import Scores, best_with_refusals, read_all
from training.windows import batches, collate, training_windows, window

PARAGRAPH = (
    "The Rhine rises in the canton of Grisons. It is 1,230 km long. Largest of its ports is Duisburg. "
    "The Romans built a bridge near Mainz in 55 BC."
)
TOKENIZER = reader_tokenizer()


def about(text: str, *answers: str, context: str = PARAGRAPH, source: str = "qed_nq", article: str = "Rhine"):
    """A question with the places of its answers."""
    return Question(text, context, tuple((context.index(said), said) for said in answers), source, article)


PORT_SENTENCE = "Largest of its ports is Duisburg. "
LONG = about("How long is the Rhine?", "1,230 km")
PORT = about("What is the largest port?", "Duisburg")
BRIDGE = about("Where did the Romans build a bridge in 55 BC?", "near Mainz", "Mainz")


def library(count: int) -> list[Question]:
    """Questions of several articles, each with its paragraph."""
    return [
        about(
            f"What is the height of tower {n}?",
            f"{n + 100} metres",
            context=f"Tower {n} stands in town {n % 7}. The height of tower {n} is {n + 100} metres.",
            source="squad11_13art" if n % 2 else "tydiqa_en",
            article=f"Towers {n % 11}",
        )
        for n in range(count)
    ]


# What is read


def squad(*asked: dict[str, object]) -> str:
    return json.dumps(
        {"data": [{"title": "qed_nq/Rhine", "paragraphs": [{"context": PARAGRAPH, "qas": list(asked)}]}]}
    )


def test_questions_are_read_once_and_only_with_answers_in_place(tmp_path):
    place = PARAGRAPH.index("1,230 km")
    right = {"question": LONG.text, "answers": [{"answer_start": place, "text": "1,230 km"}]}
    astray = {"question": "Where does it rise?", "answers": [{"answer_start": 0, "text": "Grisons"}]}
    unanswered = {"question": "How deep is it?", "answers": []}
    path = tmp_path / "train.json"
    path.write_text(squad(right, right, astray, unanswered))
    found = read_questions([path, path])
    assert [(question.text, question.answers) for question in found] == [
        (LONG.text, LONG.answers),
        ("How deep is it?", ()),
    ]
    assert found[0].title == "Rhine"


def test_what_is_held_aside_is_never_trained_on():
    questions = library(400)
    kept, held = hold_aside(questions)
    assert held
    assert len(kept) + len(held) == len(questions)
    assert not {question.context for question in kept} & {question.context for question in held}
    whole = {question.article for question in held if question.source == "squad11_13art"}
    assert whole
    assert not whole & {question.article for question in kept if question.source == "squad11_13art"}
    assert hold_aside(questions) == (kept, held)


# Questions made from sentences


def made_of(told: str, source: str = "qed_nq", seed: int = 1) -> list[Question]:
    return sentence_questions([Question("?", told, (), source, "Rhine")], random.Random(seed))


@pytest.mark.parametrize(
    ("sentence", "asked", "said"),
    [
        ("The Rhine is a long river of Europe.", "What is the Rhine?", "a long river of Europe"),
        ("Grapes are a type of fruit, which grow in clusters.", "What are Grapes?", "a type of fruit"),
        ("In 1840 Adele Roux, a Belgian sculptor, moved.", "What is Adele Roux?", "a Belgian sculptor"),
        ("Ann Smith, a poet from Bonn, waited.", "Who is Ann Smith?", "a poet from Bonn"),
        ("If the water freezes, the pipe bursts.", "What happens if the water freezes?", "the pipe bursts"),
        ("When the pump is off, then he leaves it.", "What happens when the pump is off?", "he leaves it"),
        (
            "Thriller is an album by the singer Jackson.",
            "What is Thriller?",
            "an album by the singer Jackson",
        ),
        ("The ships are delayed due to heavy ice.", "Why are the ships delayed?", "heavy ice"),
    ],
)
def test_a_question_is_made_from_a_sentence(sentence, asked, said):
    told = f"It rains. {sentence} It stopped."
    (made,) = made_of(told)
    assert (made.text, made.context, made.article) == (asked, told, "Rhine")
    assert made.answers == ((told.index(said), said),)


def test_the_way_to_do_a_thing_is_asked_for_in_several_words():
    told = "To open the valve, turn the key."
    made = [made_of(told, seed=seed)[0] for seed in range(30)]
    assert {one.text for one in made} >= {"How do you open the valve?", "How to open the valve?"}
    assert {one.answers for one in made} == {((told.index("turn"), "turn the key"),)}


@pytest.mark.parametrize(
    "sentence",
    [
        "It is a long river of Europe.",
        "This is a day we knew.",
        "In Bonn, a man was seen.",
        "If so, the pipe bursts.",
        "To the north of the town, there is a lake.",
        "He was late because of the rain.",
        "The Aare is a river of about 288.2 km.",
        "Adam Smith is an economist at the U.S. Treasury.",
    ],
)
def test_no_question_is_made_of_what_stands_for_something_else(sentence):
    assert made_of(sentence) == []


def test_reviews_and_stories_are_not_asked_about():
    assert made_of("The Rhine is a long river of Europe.", "shifts_reddit") == []


# Unanswerable variants


def test_removed_takes_every_sentence_that_holds_an_answer_and_nothing_else():
    (variant,) = removed(LONG)
    assert variant.answers == ()
    assert variant.context == PARAGRAPH.replace("It is 1,230 km long. ", "")


def test_removed_leaves_no_answer_behind():
    twice = about("Where?", "Mainz", context="It is Mainz. It is warm there. So it is in Mainz. We went.")
    assert list(removed(twice)) == []


def test_removed_leaves_a_paragraph_that_would_be_one_sentence():
    assert list(removed(about("How long?", "5 km", context="It is 5 km long. It is old."))) == []


@pytest.mark.parametrize("question", [LONG, PORT, BRIDGE])
def test_an_altered_question_is_another_one_and_has_no_answer(question):
    variants = [variant for seed in range(20) for variant in altered(question, random.Random(seed))]
    assert variants
    for variant in variants:
        assert variant.text != question.text
        assert variant.context == question.context
        assert variant.answers == ()


def test_an_altered_question_never_names_its_answer():
    for seed in range(50):
        for variant in altered(BRIDGE, random.Random(seed)):
            assert "Mainz" not in variant.text


@pytest.mark.parametrize(
    ("asked", "context", "way", "expected"),
    [
        ("Who was the first king?", "", alterations._turned, "Who was the last king?"),
        ("Where did it rise?", "", alterations._negated, "Where didn't it rise?"),
        ("Where can it rise?", "", alterations._negated, "Where can't it rise?"),
        (
            "How much did Ann Smith lend to Paul?",
            "",
            lambda text: alterations._roles_exchanged(text, random.Random(1)),
            "How much did Paul lend to Ann Smith?",
        ),
    ],
)
def test_each_way_to_alter_a_question(asked, context, way, expected):
    assert way(asked) == expected


@pytest.mark.parametrize(
    "asked",
    ["When did Ann Smith lend money and Paul pay?", "Who lent Ann money?", "Is old Bonn as near to Bonn?"],
)
def test_roles_are_exchanged_where_that_says_something_else(asked):
    assert alterations._roles_exchanged(asked, random.Random(1)) == ""


def test_every_word_has_one_opposite_whose_opposite_it_is():
    assert all(alterations.OPPOSITES[other] == word for word, other in alterations.OPPOSITES.items())


def test_a_word_of_the_paragraph_is_exchanged_for_one_of_its_kind_that_it_lacks():
    asked, context = "Which mayor saw the flood?", "The mayor, Ann, saw the worst flood in years."
    found = {alterations._other_kind(asked, context, "Ann", random.Random(seed)) for seed in range(200)}
    assert "Which governor saw the flood?" in found
    for text in found:
        (other,) = set(text.rstrip("?").split()) - set(asked.rstrip("?").split())
        assert other.casefold() not in context.casefold()
        assert len(text.split()) == len(asked.split())


def test_words_of_one_kind_are_neither_the_same_nor_anything():
    assert {"governor", "sheriff"} <= set(alterations.kindred("mayor"))
    assert not {"mayor", "mayors", "mayoral", "protein"} & set(alterations.kindred("mayor"))
    assert alterations.kindred("rhinegold") == ()


def test_a_hard_negative_is_a_paragraph_like_it_without_the_answer():
    questions = [*library(60), LONG]
    asked = questions[:10]
    found = list(hard_negatives(asked, questions, random.Random(1)))
    assert found
    for variant in found:
        (original,) = [question for question in asked if question.text == variant.text]
        assert variant.context != original.context
        assert original.answers[0][1] not in variant.context
        assert variant.context in {question.context for question in questions}


def test_a_pass_is_the_same_for_the_same_seed():
    questions = library(200)
    one, same, other = (one_pass(questions, random.Random(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
    assert any(not question.answers for question in one)


def test_a_question_of_a_pass_is_asked_as_it_is_or_altered_but_not_both():
    questions = [replace(question, source="of one kind") for question in library(200)]
    drawn = one_pass(questions, random.Random(3))
    told = {question.text for question in drawn if question.answers}
    variants = [question for question in drawn if not question.answers]
    assert len(told) == len(drawn) - len(variants)
    assert 0.2 * len(questions) < len(variants) < 0.4 * len(questions)
    asked = {question.text for question in questions}
    towers = {re.search(r"tower (\d+)", text)[1] for text in told}
    for variant in variants:  # its paragraph was exchanged or cut, else its text was
        (about_tower,) = set(re.findall(r"(?i)tower (\d+)", variant.context))
        assert variant.text not in told if variant.text in asked else about_tower not in towers


def test_of_the_questions_of_a_pass_some_are_asked_of_a_sentence_alone():
    questions = [replace(question, source="of one kind") for question in library(400)]
    drawn = one_pass(questions, random.Random(3))
    paragraphs = {question.context for question in questions}
    cut = [question for question in drawn if question.context not in paragraphs]
    assert 0.2 * len(drawn) < len(cut) < 0.45 * len(drawn)
    assert {bool(question.answers) for question in cut} == {True, False}


@pytest.mark.parametrize(("question", "sentence"), [(LONG, "It is 1,230 km long. "), (PORT, PORT_SENTENCE)])
def test_a_question_asked_of_a_sentence_alone_keeps_the_answers_in_it(question, sentence):
    assert alone(question, random.Random(1)) == about(question.text, question.answers[0][1], context=sentence)


def test_a_question_without_an_answer_is_asked_of_the_sentence_that_shares_most_words():
    cut = alone(about("In which canton does the Rhine end?"), random.Random(1))
    assert cut.context == "The Rhine rises in the canton of Grisons. "
    assert cut.answers == ()


def test_an_answer_of_two_sentences_is_asked_of_both():
    both = about("What is it?", "Grisons. It is 1,230 km long")
    cut = alone(both, random.Random(1))
    assert cut.context == "The Rhine rises in the canton of Grisons. It is 1,230 km long. "
    assert cut.context[cut.answers[0][0] :].startswith("Grisons. It is 1,230 km long")


def test_of_several_answers_those_beside_the_sentence_are_left_out():
    twice = about("Where?", "Bonn", "Mainz", context="It is in Bonn. So it is in Mainz.")
    said = {tuple(alone(twice, random.Random(seed)).answers) for seed in range(9)}
    assert said == {((9, "Bonn"),), ((12, "Mainz"),)}


# The network


def test_training_leaves_numbers_out_and_reading_none():
    network = SpanNetwork(width=32, layers=1)
    batch = collate(training_windows([LONG], TOKENIZER, 64, random.Random(0)))
    given = [torch.from_numpy(array) for array in (batch.pieces, batch.segments, batch.mask)]
    with torch.no_grad():
        assert not torch.equal(network(*given), network(*given))
        network.eval()
        assert torch.equal(network(*given), network(*given))
    left = dropped(torch.ones(200, 200))
    assert (left == 0).float().mean().item() == pytest.approx(DROPOUT, abs=0.01)
    assert left.mean().item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("capability", "is_bf16"), [("AVX512", True), ("AVX2", False)])
def test_products_are_in_bf16_where_the_processor_has_wide_vectors(capability, is_bf16, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    kinds = []
    network = SpanNetwork(width=32, layers=1)
    network.head.register_forward_hook(lambda module, given, logits: kinds.append(logits.dtype))
    batch = collate(training_windows([LONG], TOKENIZER, 64, random.Random(0)))
    logits = span_reader.forward(network, batch.pieces, batch.segments, batch.mask, torch.device("cpu"))
    assert kinds == [torch.bfloat16 if is_bf16 else torch.float32]
    assert logits.dtype == torch.float32


# Windows


@given(
    words=st.lists(
        st.sampled_from("the river Rhône naïve 1,230 km (55 BC) o'clock—then".split()), min_size=3
    ),
    data=st.data(),
)
def test_the_target_of_a_window_is_the_answer(words, data):
    context = " ".join(words)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, min(first + 4, len(words) - 1)))
    start = len(" ".join(words[:first])) + (first > 0)
    answer = " ".join(words[first : last + 1])
    question = Question("What is it?", context, ((start, answer),), "qed_nq", "Rhine")
    (window,) = training_windows([question], TOKENIZER, 64, random.Random(0))
    pieces = window.pieces[window.starts[0] : window.ends[0] + 1]
    assert pieces.tolist() == TOKENIZER.encode(answer, add_special_tokens=False).ids
    assert window.passage <= window.starts[0] <= window.ends[0] < len(window.pieces) - 1
    assert len(window.pieces) <= 64


def test_a_question_without_an_answer_points_at_the_null_piece():
    (window,) = training_windows([about("How deep is it?")], TOKENIZER, 64, random.Random(0))
    assert (window.starts, window.ends) == ((0,), (0,))


def test_annotators_share_the_target():
    batch = collate(training_windows([BRIDGE], TOKENIZER, 128, random.Random(0)))
    assert batch.starts.sum() == batch.ends.sum() == 1
    assert np.count_nonzero(batch.starts) == 2
    assert np.count_nonzero(batch.ends) == 1
    assert batch.candidates[batch.starts > 0].all()


def test_every_window_is_in_one_batch_of_a_fixed_length():
    windows = training_windows([*library(100), LONG, BRIDGE], TOKENIZER, 320, random.Random(0))
    order = list(batches(windows, 512, random.Random(0)))
    assert sorted(number for group in order for number in group) == list(range(len(windows)))
    for group in order:
        assert collate([windows[number] for number in group]).pieces.size <= 512


# Scores


def test_refusals_count_as_right_where_there_is_no_answer():
    f1, can = np.array([1.0, 0.5, 0.0, 0.0]), np.array([True, True, False, False])
    assert best_with_refusals(f1, np.array([4.0, 3.0, 2.0, 1.0]), can) == (1 + 0.5 + 2) / 4
    assert best_with_refusals(f1, np.array([1.0, 2.0, 3.0, 4.0]), can) == 2 / 4
    assert best_with_refusals(np.zeros(4), np.arange(4.0), can) == 2 / 4


def test_a_span_is_read_from_whichever_window_is_surest():
    """Logits that know the word "Mainz", in a paragraph of several windows."""
    wanted = TOKENIZER.encode("Mainz", add_special_tokens=False).ids
    question = about("Where?", "Mainz", context="water under the bridge " * 150 + PARAGRAPH)

    def logits(pieces, segments, mask):
        found = np.full((*pieces.shape, 2), -5.0, dtype=np.float32)
        for row, at in zip(*np.nonzero(pieces == wanted[0]), strict=True):
            found[row, at, 0] = found[row, at + len(wanted) - 1, 1] = 5.0
        found[:, 0] = 0.0
        return found

    assert read_all([question], TOKENIZER, logits) == [("Mainz", 10.0)]


# Going on


class Stopped(Exception):
    """Someone pulled the plug."""


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(span_reader, "CHECKPOINT_SECONDS", -1)
    windows = training_windows(library(40), TOKENIZER, 64, random.Random(0))
    order = list(batches(windows, 256, random.Random(0)))
    ended = []
    for name, stops in (("through", False), ("stopped", True)):
        work = tmp_path / name
        work.mkdir()
        evaluations = iter(range(100))

        def evaluate(stops=stops, evaluations=evaluations):
            if next(evaluations) == 4 and stops:
                raise Stopped
            return Scores(0, 0.0, 0.0, 0.0, 0.0)

        def attempt(work=work, evaluate=evaluate):
            torch.manual_seed(1)
            network = SpanNetwork(width=32, layers=1)
            run(network, windows, order, 1e-3, work, Log(work / "log.jsonl"), evaluate)
            return network.state_dict()

        if stops:
            with pytest.raises(Stopped):
                attempt()
        ended.append(attempt())
    for name, value in ended[0].items():
        assert torch.equal(value, ended[1][name]), name
    assert "step" in capsys.readouterr().out


def test_the_shipped_weights_can_be_trained_on_from():
    network = SpanNetwork()
    network.load_state_dict(read_back())
    network.eval()
    (found,) = BundledSpanModel().windows(LONG.text, [Text("", PARAGRAPH)])[0]
    asked, told = (TOKENIZER.encode(text, add_special_tokens=False).ids for text in (LONG.text, PARAGRAPH))
    batch = collate([window(asked, [], told, [])])
    with torch.no_grad():
        logits = network(*map(torch.from_numpy, (batch.pieces, batch.segments, batch.mask)))[0].numpy()
    inside = logits[len(asked) + 2 :][: len(found.starts)]
    assert np.allclose(inside[:, 0], found.starts, atol=0.2)
    assert np.allclose(inside[:, 1], found.ends, atol=0.2)


def test_what_a_run_averages_with_stays_as_it_was_when_the_run_began(tmp_path):
    first, second, work = tmp_path / "first.safetensors", tmp_path / "second.safetensors", tmp_path / "work"
    work.mkdir()
    save_file({"bias": torch.ones(2)}, first)
    save_file({"bias": torch.zeros(2)}, second)
    copy = kept_against(first, work)
    save_file({"bias": torch.full((2,), 3.0)}, first)
    assert kept_against(first, work) == copy
    assert load_file(copy)["bias"].tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match=r"begun with --against .*first"):
        kept_against(second, work)
