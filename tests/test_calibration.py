"""Calibration: found where it fits, fitted to questions, kept with an index, and what it decides."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import exp, isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import load_encoder, rebuild, terminal
from qa import QA, CalibrationError, QuestionError, QuestionSetError, calibration
from qa.__main__ import app
from qa.calibrate import FEWEST, Judged, best_threshold, calibrate, fit, judge, save
from qa.calibration import Calibration, calibration_path, find_calibration
from qa.engine import CHECKED
from qa.errors import CalibrationMismatchError
from qa.evaluate import Question
from qa.metrics import calibration_error
from qa.signals import SIGNALS, signals
from qa.span_model import BundledSpanModel

from .conftest import NoiseReader, PatternReader, TinyEncoder, write_files

CODE = r"\b\d{3}\b"
ROOMS = {f"{n}.txt": f"The code of room {n} is {n * 37}. It was painted blue." for n in range(3, 9)}
ROOM, SPOON = "What is the code of room 5?", "Who sold the silver spoon?"
MADE = Calibration("encoder", "reader", {"gap": 1.0}, 0.0, 0.5)


def room_questions(rights: int, wrongs: int) -> list[Question]:
    """Questions that a reader of numbers gets right, and others that the documents do not answer."""
    return [
        Question(
            f"r{n}",
            f"What is the code of room {3 + n % 6}?",
            (str((3 + n % 6) * 37),),
            (),
            f"{3 + n % 6}.txt",
        )
        for n in range(rights)
    ] + [Question(f"w{n}", SPOON, (), (), f"{3 + n % 6}.txt") for n in range(wrongs)]


# Where it is found


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A shipped calibration in place of the real one."""
    path = tmp_path / "shipped.json"
    path.write_text(json.dumps(asdict(MADE)))
    monkeypatch.setattr(calibration, "SHIPPED_PATH", path)
    return path


def test_the_shipped_calibration_is_of_the_shipped_models(tmp_path):
    assert find_calibration(tmp_path, load_encoder().fingerprint, BundledSpanModel().id) is not None


def test_the_calibration_of_the_index_goes_before_the_shipped_one(tmp_path, shipped):
    assert find_calibration(tmp_path, "encoder", "reader") == MADE
    own = Calibration("encoder", "reader", {"gap": 2.0, "words": -0.5}, 1.0, 0.25)
    path = save(own, tmp_path)
    assert path == calibration_path(tmp_path, "encoder", "reader")
    assert find_calibration(tmp_path, "encoder", "reader") == own
    assert list(tmp_path.glob("*.new")) == []


def test_there_is_none_for_other_models(tmp_path, shipped):
    save(MADE, tmp_path)
    assert find_calibration(tmp_path, "other", "reader") is None
    assert find_calibration(tmp_path, "encoder", "other") is None


def test_an_index_keeps_one_for_each_choice_of_models(tmp_path, shipped):
    other = Calibration("encoder", "other", {"gap": 3.0}, 1.0, 0.1)
    save(MADE, tmp_path)
    save(other, tmp_path)
    assert find_calibration(tmp_path, "encoder", "reader") == MADE
    assert find_calibration(tmp_path, "encoder", "other") == other


def test_one_of_other_models_in_the_place_of_the_right_one_is_refused(tmp_path, shipped):
    save(MADE, tmp_path).rename(calibration_path(tmp_path, "encoder", "other"))
    with pytest.raises(CalibrationMismatchError, match="python -m qa calibrate"):
        find_calibration(tmp_path, "encoder", "other")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"null",
        b"[" * 100_000,
        {"min_confidence": None},
        {"min_confidence": "0.5"},
        {"min_confidence": 1.5},
        {"bias": "0"},
        {"bias": float("nan")},
        {"weights": ["gap"]},
        {"weights": {"gap": "1"}},
        {"weights": {"gap": float("inf")}},
        {"weights": {"gap": 1e308}},
        {"weights": {}},
        {"bias": 10**400},
        {"weights": {"no such signal": 1.0}},
        {"more": 1},
    ],
    ids=str,
)
def test_a_damaged_one_is_refused_and_not_passed_over(tmp_path, shipped, content):
    data = content if isinstance(content, bytes) else json.dumps(asdict(MADE) | content).encode()
    calibration_path(tmp_path, "encoder", "reader").write_bytes(data)
    with pytest.raises(CalibrationError, match=r"calibration-\w+\.json.*python -m qa calibrate"):
        find_calibration(tmp_path, "encoder", "reader")


# What it is fitted to


def test_the_fit_recovers_the_relation():
    noise = np.random.default_rng(5)
    true = {"gap": 0.8, "missing_share": -3.0, "words": 0.0}

    def drawn(count: int) -> list[Judged]:
        made = []
        for gap, missing, words in noise.normal([2, 0.4, 1], [3, 0.3, 0.5], (count, 3)):
            seen = {"gap": gap, "missing_share": missing, "words": words}
            chance = 1 / (1 + exp(-(0.5 + sum(true[name] * seen[name] for name in true))))
            made.append(Judged(seen, noise.random() < chance, True))
        return made

    made = fit(drawn(6000), "encoder", "reader")
    assert (made.encoder, made.reader) == ("encoder", "reader")
    assert made.weights == pytest.approx(true, abs=0.3)
    assert made.bias == pytest.approx(0.5, abs=0.3)
    fresh = drawn(3000)
    confidences = [made.probability(one.signals) for one in fresh]
    assert calibration_error(confidences, [one.is_right for one in fresh]) < 0.03
    assert 0 <= made.min_confidence <= 1


def test_a_signal_that_never_varies_is_no_division_by_zero():
    judged = [Judged({"words": float(n % 2), "gap": 1.0}, n % 2 == 0, True) for n in range(2 * FEWEST)]
    made = fit(judged, "encoder", "reader")
    assert all(isfinite(weight) for weight in made.weights.values())
    assert made.probability({"words": 0.0, "gap": 1.0}) > 0.5 > made.probability({"words": 1.0, "gap": 1.0})


def test_no_weight_contradicts_its_signal():
    """Right answers that lack more of the question's words are chance; the fit must not count on them."""
    judged = [
        Judged({"gap": float(n % 2), "missing_share": float(n % 2), "words": float(n % 3)}, n % 2 == 1, True)
        for n in range(4 * FEWEST)
    ]
    made = fit(judged, "encoder", "reader")
    assert made.weights["missing_share"] == 0
    assert made.weights["gap"] > 1


@pytest.mark.parametrize(("rights", "wrongs"), [(0, 0), (FEWEST - 1, 200), (200, FEWEST - 1)])
def test_too_few_right_or_wrong_answers_fit_nothing(rights, wrongs):
    judged = [Judged({"gap": float(n)}, n < rights, True) for n in range(rights + wrongs)]
    with pytest.raises(QuestionSetError, match=f"{rights} of {rights + wrongs} .* at least {FEWEST}"):
        fit(judged, "encoder", "reader")


@given(
    st.lists(
        st.tuples(st.integers(0, 1000).map(lambda n: n / 1000), st.sampled_from(["right", "wrong", "none"])),
        min_size=1,
        max_size=25,
    )
)
def test_the_threshold_is_that_of_brute_force(made):
    confidence = np.array([one for one, _ in made])
    right, answerable = (
        np.array([check(kind) for _, kind in made]) for check in ("right".__eq__, "none".__ne__)
    )

    def treated_rightly(threshold: float) -> int:
        answered = confidence >= threshold
        return int((answered & right).sum() + (~answered & ~answerable).sum())

    chosen = best_threshold(confidence, right, answerable)
    assert 0 <= chosen <= 1
    assert treated_rightly(chosen) == max(treated_rightly(tried / 2000) for tried in range(2001))


def test_the_questions_are_judged(ask_files):
    qa = ask_files(ROOMS, PatternReader(CODE))
    told = []
    questions = [*room_questions(1, 1), Question("x", ROOM, ("something else",), (), None)]
    judged = judge(qa, questions, lambda *step: told.append(step))
    assert [(one.is_right, one.is_answerable) for one in judged] == [
        (True, True),
        (False, False),
        (False, True),
    ]
    assert [one[1:] for one in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_question_that_can_not_be_asked_is_named(ask_files):
    qa = ask_files(ROOMS, PatternReader(CODE))
    with pytest.raises(QuestionSetError, match="'lost'"):
        calibrate(qa, [Question("lost", ROOM, (), (), "none.txt")])


def test_a_question_that_finds_nothing_is_left_out(ask_files):
    assert judge(ask_files(ROOMS, PatternReader("nothing matches")), room_questions(2, 2)) == []


# What it sees


@pytest.mark.parametrize(
    "reader", [NoiseReader(), PatternReader(CODE), PatternReader("code|room", gap=-500.0)]
)
@pytest.mark.parametrize("question", [ROOM, SPOON, "Why is it blue?", "the of and", "😀", "的", "zzz " * 60])
def test_the_signals_of_every_proposal_are_numbers(ask_files, reader, question):
    found = ask_files(ROOMS | {"copy.txt": ROOMS["3.txt"], "one.txt": "Word"}, reader).find(question)
    for place in range(len(found.proposals[:CHECKED])):
        seen = signals(found.question, found.snapshot, found.retrieved, found.proposals, place)
        assert tuple(seen) == tuple(SIGNALS)
        assert all(isfinite(value) for value in seen.values())
        assert 0 <= MADE.probability(seen) <= 1
    assert found.proposals or isinstance(reader, PatternReader)


def test_the_only_proposal_has_signals(ask_files):
    found = ask_files({"one.txt": ROOMS["3.txt"]}, PatternReader(CODE)).find(ROOM)
    assert len(found.proposals) == 1
    seen = signals(found.question, found.snapshot, found.retrieved, found.proposals)
    assert all(isfinite(value) for value in seen.values())


def test_a_probability_does_not_overflow():
    assert MADE.probability({"gap": 1e9}) == pytest.approx(1)
    assert MADE.probability({"gap": -1e9}) == pytest.approx(0)


# What it decides


@pytest.fixture
def calibrated(folder, index_dir, tiny_encoder):
    """Open the rooms with a reader that is as sure as its gap, and a calibration that believes it."""
    opened = []

    def make(gap: float) -> QA:
        reader = PatternReader(CODE, gap)
        write_files(folder, ROOMS)
        rebuild(folder, index_dir, encoder=tiny_encoder)
        save(Calibration(tiny_encoder.fingerprint, reader.id, {"gap": 1.0}, 0.0, 0.5), index_dir)
        opened.append(QA.open(index_dir, tiny_encoder, reader))
        return opened[-1]

    yield make
    for qa in opened:
        qa.close()


def test_a_sure_answer_is_given_and_an_unsure_one_refused(calibrated):
    answer = calibrated(3.0).ask(ROOM)
    assert (answer.found, answer.text) == (True, "185")
    assert answer.confidence == pytest.approx(1 / (1 + exp(-3)))
    refused = calibrated(-3.0).ask(ROOM)
    assert (refused.found, refused.text, refused.key, refused.citations) == (False, "", "", ())
    assert refused.confidence == refused.candidates[0].confidence == pytest.approx(1 / (1 + exp(3)))
    assert refused.candidates[0].text == "185"
    assert refused.passages


def test_min_confidence_moves_the_refusal(calibrated):
    qa = calibrated(0.0)
    confidence = qa.ask(ROOM).confidence
    assert qa.ask(ROOM, min_confidence=0).found
    assert qa.ask(ROOM, min_confidence=confidence).found
    assert not qa.ask(ROOM, min_confidence=confidence + 0.01).found
    with pytest.raises(QuestionError, match="0 to 1"):
        qa.ask(ROOM, min_confidence=1.01)


def test_a_question_of_which_the_documents_know_no_word_is_refused(calibrated):
    qa = calibrated(9.0)
    for question in ("Xylophone?", "the of and", "😀"):
        answer = qa.ask(question)
        assert (answer.found, answer.confidence) == (False, 0.0)
        assert qa.ask(question, min_confidence=0).found


def test_a_later_candidate_is_not_surer(calibrated):
    for gap in (-2.0, 4.0):
        confidences = [candidate.confidence for candidate in calibrated(gap).ask(ROOM).candidates]
        assert len(confidences) > 1
        assert confidences == sorted(confidences, reverse=True)


def test_a_damaged_one_is_told_and_does_not_stand_in_the_way_of_search_and_calibrate(ask_files, index_dir):
    qa = ask_files(ROOMS, PatternReader(CODE))
    calibration_path(index_dir, *qa.ids).write_text("{")
    with QA.open(index_dir, TinyEncoder(), PatternReader(CODE)) as opened:
        for ask in (lambda: opened.ask(ROOM), opened.load):
            with pytest.raises(CalibrationError, match="can't be read"):
                ask()
        assert opened.search("room 5")
        save(calibrate(opened, room_questions(FEWEST, FEWEST)), index_dir)
        assert opened.ask(ROOM).confidence is not None


# The command


@pytest.fixture
def command(folder, index_dir, tmp_path, monkeypatch, capfd):
    """Run ``python -m qa`` on an index of the rooms, made with the real encoder; reads numbers."""
    monkeypatch.setattr("qa.hub.load_reader", lambda name: PatternReader(CODE))
    write_files(folder, ROOMS)
    rebuild(folder, index_dir)

    def run(*arguments: str):
        given = [*arguments, "--index", str(index_dir), "--reader", "numbers"]
        code = terminal.exit_code(app, "python -m qa", given)
        return code, *capfd.readouterr()

    return run


def write_questions(path, questions: list[Question]) -> str:
    lines = [json.dumps(asdict(question)) for question in questions]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_the_command_calibrates_the_index(command, index_dir, tmp_path):
    code, out, err = command("ask", ROOM, "--min-confidence", "0.5")
    assert (code, out) == (2, "")
    assert "python -m qa calibrate" in err
    questions = write_questions(tmp_path / "questions.jsonl", room_questions(60, 60))
    code, out, err = command("calibrate", questions, "-q")
    assert (code, err) == (0, "")
    assert "120 questions" in out
    (path,) = index_dir.glob("calibration-*.json")
    assert str(path) in out.replace("\n", "")
    with QA.open(index_dir, reader=PatternReader(CODE)) as qa:
        assert qa.calibration == Calibration(**json.loads(path.read_text()))
        assert path == calibration_path(index_dir, *qa.ids)
        assert qa.ask(ROOM).text == "185"
        assert not qa.ask(SPOON).found
        assert qa.ask(SPOON, min_confidence=0).found
    code, out, _ = command("ask", ROOM, "--min-confidence", "0.5", "--json")
    assert code == 0
    assert json.loads(out)["confidence"] > 0.5
    code, out, err = command("calibrate", questions, "--json", "-q")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads(path.read_text())


@pytest.mark.parametrize("rights", [0, FEWEST - 1])
def test_too_few_questions_are_a_usage_error(command, index_dir, tmp_path, rights):
    questions = write_questions(tmp_path / "questions.jsonl", room_questions(rights, 3))
    code, out, err = command("calibrate", questions, "-q")
    assert (code, out) == (2, "")
    assert f"{rights} of {rights + 3} best answers are right" in err.replace("\n", " ")
    assert "give more questions" in err.replace("\n", " ")
    assert list(index_dir.glob("calibration-*")) == []
