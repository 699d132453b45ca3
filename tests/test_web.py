"""The web app: its command, its functions for programs, and what a first visitor meets."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

import app
from index import terminal, update
from qa.web import ServerSettings, cards, places
from qa.web.chat import Chat, _places
from qa.web.reading import opener

from .conftest import PatternReader, write_files
from .web_site import (
    HEIGHT,
    HOSTILE_NAME,
    HOSTILE_SENTENCE,
    LIBRARY,
    PASSWORD,
    UNKNOWN,
    ask,
    call,
    served,
)

ROOT = Path(__file__).parent.parent


def test_the_help_needs_no_gradio_and_no_model():
    heavy = ("gradio", "torch", "transformers", "openvino", "tokenizers", "faiss", "tantivy", "qa.web")
    code = f"import sys, app; print(*[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--folder", "no/such/folder"], 2, "no/such/folder"),
        (["--index", "no/such/index"], 1, "no/such/index"),
        (["--index", "x", "--host", "no host"], 2, "no host"),
    ],
)
def test_a_wrong_start_is_one_line_on_stderr(arguments, code, message, capsys):
    assert terminal.exit_code(app.cli, "footnote-web", ["--port", "0", *arguments]) == code
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_a_taken_port_is_told_before_anything_is_built(capsys, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        index = tmp_path / "index"
        arguments = ["--port", port, "--folder", str(ROOT / "seeds"), "--index", str(index)]
        assert terminal.exit_code(app.cli, "footnote-web", arguments) == 1
    assert f"port {port} of 127.0.0.1 can't be used" in capsys.readouterr().err
    assert not index.exists()


def test_ctrl_c_stops_the_server(seed_index):
    command = [sys.executable, "app.py", "--index", seed_index.index_dir, "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert re.match(r"Footnote is at http://127\.0\.0\.1:\d+/", run.stdout.readline())
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "Traceback" not in said


def test_an_old_citation_of_a_changed_document_marks_nothing(ask_files, folder, index_dir, tiny_encoder):
    qa = ask_files({"a.txt": "The spoon was sold by Mary. It was old."}, PatternReader("Mary"))
    found = qa.ask("Who sold the spoon?")
    place = cards.place_of(found.citations[0])
    chat = Chat().said("Who?", "", None, _places(found))
    click = SimpleNamespace(_data={"place": places.link(place)})
    opened = opener(SimpleNamespace(qa=qa, originals=False))
    expected = '<mark class="fn-context">The spoon was sold by <mark class="fn-key">Mary</mark>.</mark>'
    assert expected in list(opened(click, chat))[-1]
    write_files(folder, {"a.txt": "Notice: we have moved house. The spoon was sold by Mary. It was old."})
    update(folder, index_dir, encoder=tiny_encoder)
    shown = list(opened(click, chat))[-1]
    assert "<mark" not in shown
    assert "has changed" in shown


# For programs


def test_only_the_named_functions_are_in_the_api(address):
    with urllib.request.urlopen(f"{address}gradio_api/info") as reply:
        described = json.load(reply)
    assert set(described["named_endpoints"]) == {"/ask", "/search", "/documents", "/text", "/feedback"}
    assert described["unnamed_endpoints"] == {}
    assert "verbatim quote" in described["named_endpoints"]["/ask"]["description"]


def test_functions_keep_their_names_where_documents_can_be_changed(library_qa, library_folder, tmp_path):
    with served(library_qa, tmp_path, (library_folder,)) as (address, _):
        with urllib.request.urlopen(f"{address}gradio_api/info") as reply:
            described = json.load(reply)["named_endpoints"]
        assert call(address, "ask", question=HEIGHT)[1][0]["text"] == "212 metres"
        direct = urllib.request.Request(
            f"{address}gradio_api/run/delete", b'{"data": [1]}', {"Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:  # the page's own are queued
            urllib.request.urlopen(direct)
        refused.value.close()
    assert set(described) == {"/ask", "/search", "/documents", "/text", "/feedback"}


def rounded(answered: dict[str, object]) -> dict[str, object]:
    """As JSON, scores to four digits: the order of a sum's parts is another with other threads."""
    return json.loads(json.dumps(answered), parse_float=lambda number: round(float(number), 4))


def test_the_api_asks_searches_and_lists(address, library_qa):
    kind, (answered,) = call(address, "ask", question=HEIGHT, sources=["towers/*"])
    assert kind == "complete"
    expected = library_qa.ask(HEIGHT, ["towers/*"]).to_dict()
    assert rounded({**answered, "timings": None}) == rounded({**expected, "timings": None})
    kind, (found,) = call(address, "search", query="harbour", k=1)
    assert found["query"] == "harbour"
    assert [passage["source"] for passage in found["passages"]] == ["vault.md"]
    kind, (listed,) = call(address, "documents")
    assert {row["source"]: row["status"] for row in listed} == {
        source: "empty" if source == "empty.txt" else "indexed" for source in LIBRARY
    }


def test_the_api_gives_the_text_that_offsets_count(address):
    kind, (answered,) = call(address, "ask", question=HEIGHT)
    citation = answered["citations"][0]
    span = {"source": citation["source"], "start": citation["start"], "end": citation["end"]}
    kind, (part,) = call(address, "text", **span)
    assert kind == "complete"
    assert part == {**span, "text": citation["quote"], "characters": len(LIBRARY["towers/tower.txt"])}


def test_feedback_by_the_api_becomes_a_question_to_evaluate_on(site):
    address, running = site
    kind, (kept,) = call(
        address, "feedback", question=HEIGHT, good=False, answers=["212 metres"], source="towers/tower.txt"
    )
    assert (kind, kept["kept"]) == ("complete", "question")
    lines = (running.data / "feedback" / "questions.jsonl").read_text().splitlines()
    row = next(row for row in map(json.loads, lines) if row["question"] == HEIGHT)
    assert (row["answers"], row["source"]) == (["212 metres"], ["towers/tower.txt"])


@pytest.mark.parametrize(
    ("function", "parameters", "message"),
    [
        ("ask", {"question": "x", "k": 0}, "k is 0"),
        ("ask", {"question": "x", "sources": ["no.txt"]}, "no.txt"),
        ("ask", {"question": 5}, "give a text"),
        ("text", {"source": "no.txt"}, "no.txt"),
        ("text", {"source": "vault.md", "start": 5, "end": 2}, "no part of vault.md"),
        ("text", {"source": "../../etc/passwd"}, "etc/passwd"),
    ],
)
def test_the_api_tells_what_was_wrong(address, function, parameters, message):
    kind, data = call(address, function, **parameters)
    assert kind == "error"
    assert message in data["error"]


def test_too_many_questions_are_told_to_wait(library_qa, tmp_path):
    from qa.web.access import RateLimit

    with served(library_qa, tmp_path, limit=RateLimit(3)) as (address, _):
        kinds = [call(address, "search", query="harbour") for _ in range(8)]
    assert [kind for kind, _ in kinds[:3]] == ["complete"] * 3
    assert kinds[-1][0] == "error"
    assert "ask again in" in kinds[-1][1]["error"]


@pytest.mark.parametrize(
    ("asked", "settings", "expected"),
    [
        (None, {}, 0),
        (None, {"host": "0.0.0.0"}, app.RATE),
        (None, {"proxy": ("127.0.0.1",)}, app.RATE),
        (5, {}, 5),
        (0, {"host": "0.0.0.0"}, 0),
    ],
)
def test_only_others_than_who_runs_it_are_told_to_wait(asked, settings, expected):
    assert app._rate(asked, ServerSettings(**settings)) == expected


# Visitors


@pytest.mark.browser
def test_markup_in_documents_names_and_questions_is_only_text(visit, address):
    page = visit(address)
    hostile = f"{PASSWORD} <b>b</b> **b** $$x$$ [x](javascript:alert(6)) <img src=x onerror=alert(7)>"
    card = ask(page, hostile)
    assert page.locator(".fn-question").text_content() == hostile
    card.locator(f'a[href*="{places.quote(HOSTILE_NAME, safe="")}"]').first.click()
    text = page.locator("#fn-viewer .fn-text")
    text.wait_for()
    assert text.text_content() == LIBRARY[HOSTILE_NAME]
    assert HOSTILE_NAME in page.locator("#fn-viewer header").text_content()
    page.get_by_role("tab", name="Library").click()
    page.locator("#fn-table tbody tr").first.wait_for()
    assert HOSTILE_NAME in page.locator("#fn-table").text_content()
    assert "<img src=x onerror=alert(5)> Harbour" in page.locator("#fn-table").text_content()
    for box in ("#fn-chat .fn-card", "#fn-chat .message", "#fn-viewer", "#fn-table"):
        assert page.locator(f"{box} :is(img, script, em, code, .katex, a[href^=javascript])").count() == 0
    assert page.locator("#fn-viewer b").count() == 0
    assert HOSTILE_SENTENCE in page.locator("#fn-viewer .fn-text").text_content()


@pytest.mark.browser
def test_two_visitors_do_not_see_each_other(visit, address):
    one, other = visit(address), visit(address)
    ask(one, HEIGHT)
    ask(other, PASSWORD)
    assert one.locator(".fn-question").all_text_contents() == [HEIGHT]
    assert other.locator(".fn-question").all_text_contents() == [PASSWORD]
    other = visit(one.url, context=other.context)
    other.wait_for_timeout(500)
    assert HEIGHT not in other.locator("body").text_content()


@pytest.mark.browser
def test_a_suggested_question_is_asked_by_a_click_and_a_new_chat_begins_empty(visit, address):
    page = visit(address)
    example = page.locator("#fn-chat .example").first
    example.wait_for()
    question = example.text_content().strip()
    example.click()
    page.locator("#fn-chat .fn-found").wait_for()
    assert page.locator(".fn-question").text_content() == question
    page.click("#fn-sidebar .toggle-button")
    page.click("#fn-new")
    example.wait_for()
    assert page.locator(".fn-question").count() == 0
    page.click("#fn-sidebar .toggle-button")
    ask(page, HEIGHT)
    assert page.locator(".fn-question").all_text_contents() == [HEIGHT]


@pytest.mark.browser
def test_a_phone_stacks_the_columns_and_scrolls_to_the_document(visit, address):
    page = visit(address, viewport={"width": 360, "height": 800})
    ask(page, HEIGHT).locator(".fn-cite").first.click()
    page.locator("#fn-viewer mark.fn-key").wait_for()
    page.wait_for_function("Math.abs(document.getElementById('fn-viewer').getBoundingClientRect().top) < 300")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.click(".fn-back")
    page.wait_for_function("document.activeElement.matches('.fn-cite')")


@pytest.mark.browser
def test_an_empty_library_says_what_to_do(visit, ask_files, tmp_path):
    with served(ask_files({"empty.txt": ""}), tmp_path / "data") as (address, _):
        page = visit(address)
        page.get_by_text("python -m index update FOLDER").wait_for()
        assert "The documents don't say." in ask(page, UNKNOWN).text_content()
        page.context.close()
