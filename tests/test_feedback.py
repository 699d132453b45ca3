"""What people say about answers: which of it is a question with a known answer, and how it is kept."""

from __future__ import annotations

import json
import re
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from qa import QuestionSetError
from qa.calibrate import judge
from qa.evaluate import evaluate, read_questions
from qa.web import feedback
from qa.web.feedback import FeedbackError, give, reasons, report, verdicts
from qa.web.store import Turn
from tests.conftest import PatternReader

DOCS = {
    "pump.txt": "The warranty of the pump lasts\nthree years. The pump weighs 1955 kilos.",
    "sub/boat.txt": "The boat was built in 1987 by Mary Jones. It carries forty people.",
}
BOAT = "Who built the boat?"


@pytest.fixture
def qa(ask_files):
    return ask_files(DOCS, PatternReader("Mary Jones|three years"))


@pytest.fixture
def said(tmp_path, qa):
    """Give feedback on what is asked; returns the questions and the complaints that are then kept."""
    kept = tmp_path / "kept"

    def make(
        question: str = BOAT, within=None, number: int = 1, refuse: bool = False, error: str = "", **about
    ):
        answer = None if error else qa.ask(question, within)
        if refuse:
            answer = replace(answer, found=False, text="", key="", citations=())
        turn = Turn(number, "c", "", question, within, answer, error)
        told = give(kept, turn, qa, **about)
        rows = [lines(kept / "feedback" / name) for name in ("questions.jsonl", "complaints.jsonl")]
        key = feedback._id(turn)
        assert [key in {row.get("id") for row in kind} for kind in rows] == [told, not told]
        return rows

    make.folder = kept
    return make


def lines(path):
    return (
        [
            json.loads(line)
            for line in path.read_text(encoding="utf-8").split("\n")
            if line.startswith('{"id"')
        ]
        if path.exists()
        else []
    )


# What is true


def test_thumbs_up_says_that_the_key_is_the_answer(said):
    (row,), complaints = said(good=True)
    assert complaints == []
    assert row["question"] == BOAT
    assert (row["answers"], row["source"], row["verdict"]) == (["Mary Jones"], ["sub/boat.txt"], "up")
    assert "user" not in row


def test_thumbs_up_on_a_refusal_says_that_there_is_no_answer(said):
    (row,), _ = said(refuse=True, good=True)
    assert (row["answers"], row["source"]) == ([], [])


def test_the_documents_do_not_say_it(said):
    (row,), _ = said(good=False, reason="not-there")
    assert (row["answers"], row["verdict"], row["reason"]) == ([], "down", "not-there")


@pytest.mark.parametrize(
    ("words", "source", "answer"),
    [
        ("forty people", "sub/boat.txt", "forty people"),
        (" lasts three  years ", "pump.txt", "lasts\nthree years"),  # in the document's own white space
        ("1987", "", "1987"),  # in one of the documents that the answer showed
    ],
)
def test_the_right_words_count_where_they_stand_in_the_document(said, words, source, answer):
    (row,), complaints = said(good=False, reason="wrong", words=words, source=source)
    assert row["answers"] == [answer]
    assert row["source"] == [source or "sub/boat.txt"]
    assert row["given"] == [words.strip()]
    assert complaints == []


@pytest.mark.parametrize(
    ("words", "source", "why"),
    [
        ("fifty people", "sub/boat.txt", "do not stand in sub/boat.txt"),
        ("forty peop", "sub/boat.txt", "do not stand"),
        ("95", "pump.txt", "do not stand"),
        ("forty people", "pump.txt", "do not stand in pump.txt"),
        ("forty people", "gone.txt", "gone.txt"),
        ("(a+)+$ [", "pump.txt", "do not stand"),
    ],
)
def test_words_that_do_not_stand_there_are_a_complaint(said, words, source, why):
    questions, (row,) = said(good=False, reason="wrong", words=words, source=source)
    assert questions == []
    assert "answers" not in row
    assert row["given"] == [words]
    assert why in row["why"]


def test_a_verdict_without_the_right_words_is_a_complaint(said):
    questions, (row,) = said(good=False, reason="wrong")
    assert questions == []
    assert (row["reason"], row["source"]) == ("wrong", [])


def test_an_error_is_no_answer_that_could_be_right(said):
    questions, (row,) = said(error="the index is closed", good=True)
    assert questions == []
    assert "error" in row["why"]


def test_a_question_within_one_document_says_so_and_one_within_several_is_no_truth(said):
    (row,), _ = said(within=("sub/boat.txt",), good=True)
    assert row["within"] == "sub/boat.txt"
    questions, (other,) = said(within=("sub/boat.txt", "pump.txt"), number=2, good=True)
    assert len(questions) == 1
    assert "several documents" in other["why"]


def test_the_reasons_are_others_for_a_refusal(qa):
    found = qa.ask(BOAT)
    assert "not-there" in dict(map(reversed, reasons(found)))
    assert "not-there" not in dict(map(reversed, reasons(replace(found, found=False))))


# How it is kept


def test_a_second_verdict_replaces_the_first(said):
    said(good=True)
    said(good=True, number=2)
    questions, complaints = said(good=False, reason="wrong")
    assert (len(questions), len(complaints)) == (1, 1)
    questions, complaints = said(good=True)
    assert (len(questions), complaints) == (2, [])
    assert len({row["id"] for row in questions}) == 2


def test_lines_that_people_wrote_stay_as_they_are(said):
    said(good=True)
    path = said.folder / "feedback" / "questions.jsonl"
    mine = '{"id": 7,   "question": "é?", "answers": [], "source": []}\n{"unfinished": \n'
    path.write_text(mine + path.read_text(), encoding="utf-8")
    said(good=False, reason="not-there")
    assert path.read_text(encoding="utf-8").startswith(mine)
    assert path.read_text(encoding="utf-8").count("\n") == 3


def test_evaluate_and_calibrate_read_what_was_kept(said, qa):
    said(good=True)
    said("How heavy is the boat?", number=2, refuse=True, good=True)
    said("What does the boat carry?", number=3, good=False, words="forty people", source="sub/boat.txt")
    place = said.folder / "feedback"
    questions = read_questions(place / "questions.jsonl")
    figures = evaluate(qa, questions)
    assert (figures["n"], figures["answerable"], figures["r_at_10"]) == (3, 2, 1.0)
    assert any(judged.is_right for judged in judge(qa, questions))


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_docs_leads_to_the_documents_and_the_readme_says_what_to_run(said, folder):
    said(good=True)
    place = said.folder / "feedback"
    assert (place / "docs").resolve() == folder.resolve()
    assert f"python -m qa evaluate {place}" in (place / "README.txt").read_text()
    (place / "docs").unlink()
    (place / "docs").symlink_to(folder.parent / "gone")
    said(good=True)
    assert (place / "docs").resolve() == folder.resolve()


def test_without_one_folder_there_is_no_docs_and_the_readme_says_why(said, monkeypatch):
    monkeypatch.setattr(feedback, "status", lambda place: SimpleNamespace(folder="/a/one:/a/two"))
    questions, _ = said(good=True)
    assert len(questions) == 1
    assert not (said.folder / "feedback" / "docs").exists()
    assert "several folders" in (said.folder / "feedback" / "README.txt").read_text()


def test_threads_lose_nothing(said, qa):
    turns = [Turn(n, "c", "", BOAT, None, qa.ask(BOAT), "") for n in range(12)]
    threads = [
        threading.Thread(target=give, args=(said.folder, turn, qa), kwargs={"good": turn.number % 2 == 0})
        for turn in turns
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    place = said.folder / "feedback"
    assert len(lines(place / "questions.jsonl")) == len(lines(place / "complaints.jsonl")) == 6
    assert verdicts(said.folder, turns) == {n: n % 2 == 0 for n in range(12)}
    assert not list(place.glob("*.new"))


def test_a_folder_that_can_not_be_written_is_told(tmp_path, qa):
    (tmp_path / "kept").write_text("")
    with pytest.raises(FeedbackError, match=re.escape(str(tmp_path / "kept"))):
        give(tmp_path / "kept", Turn(1, "c", "", BOAT, None, qa.ask(BOAT), ""), qa, good=True)


def test_hostile_text_makes_one_line(said):
    questions, (row,) = said(good=False, reason='x"\n{"id": 1}\u2028', words='\ud800\n"}{"id": 2}', number=5)
    assert questions == []
    assert row["reason"] == 'x"\n{"id": 1}\u2028'
    assert len((said.folder / "feedback" / "complaints.jsonl").read_text().split("\n")) == 2


# From programs


@pytest.mark.parametrize(
    ("good", "answers", "kept"),
    [
        (True, None, ["Mary Jones"]),
        (False, [], []),
        (False, ["forty people", "1987"], ["forty people", "1987"]),
        (False, ["fifty people"], None),
        (False, None, None),
    ],
)
def test_programs_report_on_a_question(tmp_path, qa, good, answers, kept):
    told = report(tmp_path / "kept", BOAT, qa, good=good, answers=answers, source="sub/boat.txt")
    assert told["kept"] == ("complaint" if kept is None else "question")
    assert bool(told["why"]) == (kept is None)
    rows = lines(tmp_path / "kept" / "feedback" / "questions.jsonl")
    assert [row["answers"] for row in rows] == ([] if kept is None else [kept])


def test_an_empty_set_is_told_as_evaluate_tells_it(said):
    said(good=False)
    with pytest.raises(QuestionSetError):
        read_questions(said.folder / "feedback" / "questions.jsonl")
