"""evaluate: the figures of a small benchmark whose answers are known."""

from __future__ import annotations

import json
import math

import pytest

from qa import QA, QuestionSetError
from qa.calibrate import save
from qa.calibration import Calibration
from qa.evaluate import ROWS, evaluate, read_questions

from .conftest import PatternReader, TinyEncoder

DOCS = {
    "pump.txt": "The warranty of the pump lasts three years. The pump weighs nine kilos.",
    "sub/boat.txt": "The boat was built in 1987 by Mary Jones. It carries forty people.",
}
LINES = [
    {"id": "1", "question": "How long does the warranty of the pump last?", "answers": ["three years"]},
    {"id": "2", "question": "Who built the boat?", "answers": ["Mary Jones"], "within": "sub/boat.txt"},
    {"id": "3", "question": "Who sold the spoon to the king?", "answers": []},
]
SOURCES = {"1": ["pump.txt"], "2": ["sub/boat.txt"], "3": ["pump.txt"]}


def write_questions(path, lines):
    path.write_text("".join(json.dumps({**line, "source": SOURCES[line["id"]]}) + "\n" for line in lines))
    return path


def test_the_figures(ask_files, tmp_path):
    questions = read_questions(write_questions(tmp_path / "questions.jsonl", LINES))
    told = []
    qa = ask_files(DOCS, PatternReader("three years|by Mary Jones"))
    figures = evaluate(qa, questions, lambda *step: told.append(step))
    assert told[-1] == ("ask", 3, 3)
    assert (figures["n"], figures["answerable"]) == (3, 2)
    assert figures["sentence_hit"] == figures["r_at_1"] == figures["mrr"] == 1.0
    assert figures["em"] == 0.5
    assert figures["f1"] == pytest.approx(
        (1 + 0.8) / 2
    )  # two of the three words of "by Mary Jones" are right
    assert figures["precision"] == pytest.approx(2 / 3)  # without a calibration nothing is refused
    assert figures["auroc"] is figures["ece"] is figures["coverage_at_80"] is None
    assert figures["citation_valid"] == 1.0
    assert 0 < figures["latency_ms"]["p50"] <= figures["latency_ms"]["p95"]
    assert set(figures) == {*ROWS, "latency_ms"}
    assert not any(isinstance(value, float) and math.isnan(value) for value in figures.values())


def test_what_needs_a_confidence_is_told_where_there_is_a_calibration(ask_files, tmp_path, index_dir):
    reader = PatternReader("three years|Mary Jones")
    first = ask_files(DOCS, reader)
    save(Calibration(*first.ids, {"missing_share": -8.0}, 4.0, 0.5), index_dir)
    questions = read_questions(write_questions(tmp_path / "questions.jsonl", LINES))
    with QA.open(index_dir, TinyEncoder(), reader) as qa:
        figures = evaluate(qa, questions)
    assert figures["em"] == figures["precision"] == figures["auroc"] == 1.0
    assert figures["coverage_at_80"] == pytest.approx(2 / 3)
    assert 0 < figures["ece"] < 0.2


def test_the_key_is_scored_where_sentences_are_quoted(ask_files, tmp_path):
    line = {"id": "1", "question": "What are the terms of the warranty?", "answers": ["three years"]}
    questions = read_questions(write_questions(tmp_path / "questions.jsonl", [line]))
    qa = ask_files(DOCS, PatternReader("three years"))
    assert qa.ask(line["question"]).text == "The warranty of the pump lasts three years."
    assert evaluate(qa, questions)["em"] == 1.0


def test_a_passage_of_another_document_is_no_hit(ask_files, tmp_path):
    lines = [{"id": "3", "question": "Who built the boat?", "answers": ["Mary Jones"]}]
    questions = read_questions(write_questions(tmp_path / "questions.jsonl", lines))
    assert evaluate(ask_files(DOCS), questions)["r_at_10"] == 0.0


def test_without_answerable_questions_shares_are_none(ask_files, tmp_path):
    questions = read_questions(write_questions(tmp_path / "questions.jsonl", LINES[2:]))
    figures = evaluate(ask_files(DOCS), questions)
    assert figures["f1"] is None
    assert figures["auroc"] is figures["ece"] is figures["coverage_at_80"] is None


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "no questions"),
        ('{"id": 1}\n', "line 1"),
        ('\n{"id": 1, "question"\n', "line 2"),
        ("[]\n", "line 1"),
    ],
)
def test_a_malformed_set_is_an_error_that_names_the_line(tmp_path, content, named):
    (tmp_path / "questions.jsonl").write_text(content)
    with pytest.raises(QuestionSetError, match=named):
        read_questions(tmp_path / "questions.jsonl")


def test_a_missing_set_is_an_error(tmp_path):
    with pytest.raises(QuestionSetError, match="can't be read"):
        read_questions(tmp_path / "questions.jsonl")


def test_line_ends_inside_a_question_and_a_byte_order_mark_are_read(tmp_path):
    line = {"id": 1, "question": "one\u2028two\x85three", "answers": [], "source": []}
    content = "\ufeff" + json.dumps(line, ensure_ascii=False) + "\r\n"
    (tmp_path / "questions.jsonl").write_text(content, encoding="utf-8")
    assert read_questions(tmp_path / "questions.jsonl")[0].question == line["question"]


def test_a_question_within_no_document_is_named(ask_files, tmp_path):
    questions = read_questions(
        write_questions(tmp_path / "questions.jsonl", [LINES[1] | {"within": "none.txt"}])
    )
    with pytest.raises(QuestionSetError, match="'2'"):
        evaluate(ask_files(DOCS), questions)
