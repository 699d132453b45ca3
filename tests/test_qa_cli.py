"""``python -m qa``: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from index import terminal
from index.__main__ import app as index_app
from qa import QA
from qa.__main__ import app

ROOT = Path(__file__).parent.parent
SPAN = {"source": "string", "start": "integer", "end": "integer", "title": "string"}
CITATION = SPAN | {
    "quote": "string",
    "key_start": "integer",
    "key_end": "integer",
    "context_start": "integer",
    "context_end": "integer",
    "context": "string",
    "page": ["integer", "null"],
    "page_label": ["string", "null"],
    "heading": "array",
    "table_row": ["string", "null"],
    "table_column": ["string", "null"],
}
EVIDENCE = SPAN | {
    "score": "number",
    "text": "string",
    "page": ["integer", "null"],
    "page_label": ["string", "null"],
    "heading": "array",
    "also_in": "array",
}


def record(fields):
    return {
        "type": "object",
        "properties": {
            key: value if isinstance(value, dict) else {"type": value} for key, value in fields.items()
        },
        "required": list(fields),
        "additionalProperties": False,
    }


def listed(fields):
    return {"type": "array", "items": record(fields)}


CANDIDATE = {
    "text": "string",
    "key": "string",
    "confidence": ["number", "null"],
    "citations": listed(CITATION),
}
ANSWER = {
    "found": "boolean",
    "text": "string",
    "key": "string",
    "confidence": ["number", "null"],
    "citations": listed(CITATION),
    "candidates": listed(CANDIDATE),
    "passages": listed(EVIDENCE),
    "question": "string",
    "timings": "object",
    "notice": "string",
}


@pytest.fixture
def run(capfd, seed_index, monkeypatch):
    """Run a command line in process; return (exit code, stdout, stderr)."""
    monkeypatch.setenv("FOOTNOTE_INDEX", seed_index.index_dir)

    def go(*arguments: str):
        code = terminal.exit_code(app, "python -m qa", list(arguments))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return go


def test_ask_prints_the_quote_and_where_it_stands(run):
    code, out, err = run("ask", "How much is Amazon investing in Anthropic?")
    assert code == 0
    assert "$5 billion" in out
    assert "[1] 000_4d6451841364124c.txt, " in out
    assert "characters" in out
    assert err == ""


def test_an_answer_from_a_table_names_its_row_and_column(run, tmp_path):
    staff = tmp_path / "docs" / "staff.csv"
    staff.parent.mkdir()
    staff.write_text("Name,Office,Phone\nPavel Horak,C1.03,5530\nLucia Ferrari,B2.02,5501\n")
    QA.from_folder(staff.parent, tmp_path / "index").close()
    code, out, _ = run("ask", "What is the phone number of Pavel Horak?", "--index", str(tmp_path / "index"))
    assert code == 0
    assert "“Pavel Horak,C1.03,5530”\nrow “Pavel Horak”, column “Phone”\n" in out


def test_a_refusal_is_no_failure(run):
    code, out, _ = run("ask", "What is the capital of France?")
    assert code == 0
    assert "The documents don't say" in out
    assert "The nearest passages" in out


def test_a_refusal_shows_the_candidate_that_it_does_not_trust(run):
    code, out, _ = run("ask", "How much is Amazon investing in Anthropic?", "--min-confidence", "1")
    assert code == 0
    assert "The documents don't say" in out
    assert re.search(r"The best candidate, \d+% sure:\n\$5 billion\n“.*\$5 billion", out)


@pytest.mark.parametrize(
    "question", ["How much is Amazon investing in Anthropic?", "What is the capital of France?"]
)
def test_ask_json_is_one_object_of_the_promised_form(run, question):
    code, out, err = run("ask", question, "--json", "-k", "3")
    assert (code, err) == (0, "")
    values = json.loads(out)
    jsonschema.validate(values, record(ANSWER))
    assert len(values["passages"]) == 3
    assert out.count("\n") == 1


def test_search_json(run):
    code, out, _ = run("search", "Trainium chips", "--json", "-k", "2", "--source", "*.txt")
    assert code == 0
    values = json.loads(out)
    jsonschema.validate(values, record({"query": "string", "passages": listed(EVIDENCE)}))
    scores = [passage["score"] for passage in values["passages"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 2


def test_batch_answers_each_line_in_order(run, tmp_path):
    lines = [
        '{"id": 7, "question": "How much is Amazon investing?", "sources": null, "other": 1}',
        "not json",
        '{"id": "x", "question": ""}',
        '{"id": "y", "question": "Amazon?", "sources": ["none.txt"]}',
        '{"id": "z", "question": "Amazon?", "sources": "none.txt"}',
        '{"id": null, "question": "What is Trainium?", "sources": ["*.txt"]}',
        '"text"',
    ]
    batch = tmp_path / "questions.jsonl"
    batch.write_text("\n".join(lines) + "\n", encoding="utf-8")
    code, out, err = run("ask", "--batch", str(batch), "--min-confidence", "0")
    assert (code, err) == (3, "")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["id"] for answer in answers] == [7, None, "x", "y", "z", None, None]
    jsonschema.validate(answers[0], record({"id": "integer"} | ANSWER))
    assert answers[5]["found"]
    for place, kind in (
        (1, "QuestionError"),
        (2, "QuestionError"),
        (3, "SourceNotFoundError"),
        (4, "QuestionError"),
    ):
        assert set(answers[place]) == {"id", "error"}
        assert answers[place]["error"]["type"] == kind
        assert answers[place]["error"]["message"]


def test_a_hostile_batch_line_costs_itself_only(run, tmp_path):
    good = b'{"id": 1, "question": "Amazon?"}'
    bad = [b'{"id": NaN, "question": "x"}', b"\xff\xfe{}", b"[" * 100_000, b"\x00", b"[1]"]
    batch = tmp_path / "questions.jsonl"
    batch.write_bytes(
        b"\xef\xbb\xbf" + b"\n".join([good, *bad, b'{"id": "\\ud800", "question": "Amazon?"}', good])
    )
    code, out, err = run("ask", "--batch", str(batch))
    assert (code, err) == (3, "")
    answers = [json.loads(line) for line in out.splitlines()]
    assert ["error" in answer for answer in answers] == [False, *[True] * len(bad), False, False]


def test_a_document_can_not_steer_the_terminal(run, folder, tmp_path):
    (folder / "a.txt").write_text(
        "The spoon \x1b]0;owned\x07 was \x1b[31msold\x9b. " + "It was of no use. " * 20
    )
    index = str(tmp_path / "hostile")
    assert terminal.exit_code(index_app, "index", ["rebuild", str(folder), "--index", index, "-q"]) == 0
    for command in ("ask", "search"):
        _, out, _ = run(command, "spoon sold", "--index", index)
        assert "spoon" in out
        assert not set(out) & set("\x1b\x07\x9b")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask"], "give one question"),
        (["ask", "   "], "empty"),
        (["ask", "Amazon?", "--batch", "-"], "give one question"),
        (["ask", "--batch", "/no/such/file"], "can't be read"),
        (["ask", "--batch", "-", "--source", "x"], "--source"),
        (["ask", "Amazon?", "--source", "none"], "none"),
        (["ask", "Amazon?", "--min-confidence", "2"], "--min-confidence"),
        (["ask", "Amazon?", "-k", "0"], "-k"),
        (["search"], "query"),
        (["evaluate", "/no/such/dir"], "can't be read"),
        (["calibrate", "/no/such/file"], "can't be read"),
        (["bogus"], "bogus"),
    ],
)
def test_a_wrong_call_is_a_usage_error(run, arguments, said):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_no_index_names_the_command_that_makes_one(run, tmp_path, monkeypatch):
    code, out, err = run("ask", "Amazon?", "--index", str(tmp_path / "none"))
    assert (code, out) == (1, "")
    assert "python -m index rebuild" in err
    monkeypatch.delenv("FOOTNOTE_INDEX")
    monkeypatch.chdir(tmp_path)
    code, _, err = run("ask", "Amazon?")
    assert code == 1
    assert "python -m index rebuild" in err


def test_the_only_index_here_is_asked_and_of_several_one_must_be_named(
    run, tmp_path, monkeypatch, folder, tiny_encoder
):
    monkeypatch.delenv("FOOTNOTE_INDEX")
    monkeypatch.chdir(tmp_path)
    (folder / "one.txt").write_text("The blue house is old.")
    assert terminal.exit_code(index_app, "index", ["rebuild", "library", "-q"]) == 0
    assert run("search", "blue")[0] == 0
    (tmp_path / ".footnote" / "other").mkdir()
    (tmp_path / ".footnote" / "other" / "CURRENT").write_text("000001\n")
    code, _, err = run("search", "blue")
    assert code == 2
    assert "--index" in err


def test_evaluate_prints_a_table_or_json(run, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("The boat was built in 1987 by Mary Jones.")
    question = {"id": 1, "question": "Who built the boat?", "answers": ["Mary Jones"], "source": ["a.txt"]}
    (tmp_path / "questions.jsonl").write_text((json.dumps(question) + "\n") * 3)
    code, out, _ = run("evaluate", str(tmp_path), "--json", "--limit", "2")
    assert code == 0
    assert json.loads(out)["n"] == 2
    code, out, _ = run("evaluate", str(tmp_path))
    assert code == 0
    assert "answer in the first 5" in out
    assert not (tmp_path / ".footnote").exists()


def test_doctor_finds_all_well(run, seed_index):
    code, out, _ = run("doctor")
    assert code == 0, out
    assert "checksum right" in out
    assert "is sound" in out
    code, out, _ = run("doctor", "--index", str(Path(seed_index.index_dir) / "none"))
    assert code == 1
    assert "FAIL index" in out


def test_control_c_is_130(run, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("qa.engine.QA.open", stop)
    code, _, err = run("ask", "Amazon?")
    assert code == 130
    assert "Traceback" not in err


@pytest.mark.parametrize("module", ["qa", "index"])
def test_help_shows_examples(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "Example" in done.stdout


def test_the_console_script_has_the_commands_of_both(tmp_path):
    script = Path(sys.executable).parent / "footnote"
    if not script.exists():
        pytest.skip("the package is not installed in this environment")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=True, timeout=60)
    for command in (
        "rebuild",
        "update",
        "status",
        "verify",
        "rollback",
        "ask",
        "search",
        "evaluate",
        "calibrate",
        "doctor",
    ):
        assert f" {command} " in done.stdout


def test_a_real_process_asks(seed_index):
    environment = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "qa", "ask", "What is Trainium?", "--index", seed_index.index_dir, "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "Trainium" in json.loads(done.stdout)["candidates"][0]["text"]
    assert done.stderr == ""
