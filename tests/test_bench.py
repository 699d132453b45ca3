"""The benchmark's passages are the same for all, and the document's tables are those of the results."""

from __future__ import annotations

import json

import pytest

from bench import corpus, report
from index import load_encoder


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


@pytest.mark.parametrize("name", [path.stem for path in sorted(report.RESULTS.glob("*.json"))])
def test_the_tables_of_the_document_are_those_of_the_results(name):
    result = json.loads((report.RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    assert report.TABLES[name](result["rows"]) in report.DOCUMENT.read_text(encoding="utf-8")
    assert result["machine"]["processor"]
