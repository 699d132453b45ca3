"""The benchmark's passages are the same for all, and the document's tables are those of the results."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench import corpus, report
from bench.tables import FORMS, on_paper, write_tables
from bench.where import shares
from index import load_encoder
from index.lexical import terms
from index.parsers.pdf import parse


def test_passages_are_the_same_each_time_and_as_long_as_those_of_documents():
    made = corpus.passages(20)
    assert made == corpus.passages(20)
    assert made[:5] == corpus.passages(5)
    lengths = [len(offsets) for offsets in load_encoder().token_offsets(made)]
    assert 130 < sum(lengths) / 20 < 210


def test_a_question_has_words_of_its_passage():
    texts = corpus.passages(10)
    for text, question in zip(texts, corpus.questions(texts, 10), strict=True):
        words = question.removeprefix("What ").removesuffix("?").split()
        assert len(words) == 7
        assert set(words) <= set(text.replace(".", "").lower().split())


def test_each_passage_is_a_file(tmp_path):
    texts = corpus.passages(3)
    corpus.write_folder(tmp_path, texts)
    assert sorted(path.read_text().strip() for path in tmp_path.rglob("*.txt")) == sorted(texts)


@pytest.mark.parametrize("forms", [FORMS, ["pdf"]])
def test_drawn_tables_are_always_the_same_and_hold_their_answers(tmp_path, forms):
    assert write_tables(tmp_path / "a", forms) == write_tables(tmp_path / "b", forms) == 365
    one, other = (
        {path.name: path.read_text() for path in (tmp_path / name).rglob("*.*")} for name in ("a", "b")
    )
    assert one == other
    for question in map(json.loads, one["questions.jsonl"].splitlines()):
        table = one[question["within"]]
        assert all(answer in table for answer in question["answers"])
        assert question["source"] == ([question["within"]] if question["answers"] else [])


def test_a_drawn_table_on_paper_says_what_it_was_given():
    rows = [["Bridge", "Toll (EUR)"], [r"Corvo \ Bridge", "4.50"]]
    document = parse(on_paper("Bridge list", rows).encode("latin-1"))
    assert document.text.split("\n") == ["Bridge list", "Bridge Toll (EUR)", r"Corvo \ Bridge 4.50"]


@pytest.mark.parametrize("name", ["goals", *report.TABLES])
def test_the_tables_of_the_document_are_those_of_the_results(name):
    results = report.read()
    assert results.keys() == report.TABLES.keys()
    assert report.tables(results)[name] in report.DOCUMENT.read_text(encoding="utf-8")


def test_the_results_are_of_one_machine(tmp_path, monkeypatch):
    report.check_one_machine()
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    for number in (1, 2):
        (tmp_path / f"{number}.json").write_text(json.dumps({"machine": {"cores": number}, "rows": {}}))
    with pytest.raises(SystemExit, match=r"1\.json, 2\.json are of different machines"):
        report.check_one_machine()
    for number in (1, 2):
        versions = {"torch": "2", "txtai": "9"} if number == 1 else {"torch": "2"}
        machine = {"machine": {"cores": 2, "versions": versions}, "rows": {}}
        (tmp_path / f"{number}.json").write_text(json.dumps(machine))
    report.check_one_machine()  # the second was measured without the peer


def test_a_goal_that_is_missed_says_so():
    assert report._goal("memory, MB", "<=", 450, 450.0)[2:] == ["450", "met"]
    assert report._goal("memory, MB", "<=", 450, 451.0)[2:] == ["451", "missed"]
    assert report._goal("times the peer", ">=", 2.5, 2.496)[2:] == ["2.50", "missed"]


def test_rates_of_different_passages_are_not_compared():
    with pytest.raises(SystemExit, match="different numbers of passages"):
        report._rates({"a": {"passages": 200, "seconds": [1]}, "b": {"passages": 100, "seconds": [1]}})


def test_a_share_counts_what_has_no_owner_to_its_callers():
    texts = corpus.passages(3)

    def work():
        corpus.passages(30)
        np.linalg.norm(np.ones(1000))
        return [terms(text) for text in texts * 50]

    found = shares(work)
    assert found["bench/corpus.py"] > 0
    assert found["numpy"] > 0
    assert found["index/lexical.py"] > 0  # with the regular expressions that it calls
    assert found.get("the rest", 0.0) < 0.05 * sum(found.values())
