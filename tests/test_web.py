"""The web app: its command, its REST API, and a browser that uses the page."""

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
from urllib.parse import urlsplit

import pytest

import app
from index import terminal, update
from qa import QA
from qa.web import build_app, render, viewer
from qa.web.chat import Chat, _opener, _places, launch
from tests.browser import chromium
from tests.conftest import PatternReader, write_files

ROOT = Path(__file__).parent.parent
HOSTILE_NAME = "<img src=x onerror=alert(1)>.txt"
HOSTILE_SENTENCE = (
    "The password of the Marrowby vault is <b>swordfish</b>, **bold**, $$x^2$$, "
    "[click](javascript:alert(2)), <img src=x onerror=alert(3)>, ${alert(4)}, {{7*7}} and `code`."
)
LIBRARY = {
    "towers/tower.txt": (
        "The Tower of Anvers\n\nThe Tower of Anvers stands by the river Skeld. "
        "It was designed by Lena Okafor. The Tower of Anvers was completed in 1931 and is 212 metres tall. "
        "Visitors may climb it on Sundays.\n"
    ),
    HOSTILE_NAME: f"{HOSTILE_SENTENCE} Nobody else knows it.\n",
    "vault.md": "# `<img src=x onerror=alert(5)>` Harbour\n\nThe harbour of Marrowby opened in 1702.\n",
    "empty.txt": "",
}
HEIGHT = "How tall is the Tower of Anvers?"
PASSWORD = "What is the password of the Marrowby vault?"


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
    place = render.place_of(found.citations[0])
    chat = Chat().said("assistant", "", _places(found))
    click = SimpleNamespace(_data={"place": viewer.link(place)})
    expected = '<mark class="fn-context">The spoon was sold by <mark class="fn-key">Mary</mark>.</mark>'
    assert expected in _opener(qa)(click, chat)
    write_files(folder, {"a.txt": "Notice: we have moved house. The spoon was sold by Mary. It was old."})
    update(folder, index_dir, encoder=tiny_encoder)
    shown = _opener(qa)(click, chat)
    assert "<mark" not in shown
    assert "has changed" in shown


# The running app


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="session")
def library_qa(tmp_path_factory):
    """A small library with hostile documents, with the real encoder."""
    folder = tmp_path_factory.mktemp("web") / "library"
    write_files(folder, LIBRARY)
    with QA.from_folder(folder, folder.parent / "index") as qa:
        yield qa


@pytest.fixture(scope="session")
def address(library_qa):
    blocks = build_app(library_qa)
    yield launch(blocks, port=free_port())
    blocks.close(verbose=False)


def call(address: str, function: str, **parameters) -> tuple[str, object]:
    """Call a function of the REST API; the name of its last event, and the data."""
    request = urllib.request.Request(
        f"{address}gradio_api/call/v2/{function}",
        json.dumps(parameters).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as reply:
        event = json.load(reply)["event_id"]
    with urllib.request.urlopen(f"{address}gradio_api/call/{function}/{event}") as reply:
        kind, data = reply.read().decode().strip().split("\n")[-2:]
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_only_the_three_functions_are_in_the_api(address):
    with urllib.request.urlopen(f"{address}gradio_api/info") as reply:
        described = json.load(reply)
    assert set(described["named_endpoints"]) == {"/ask", "/search", "/documents"}
    assert described["unnamed_endpoints"] == {}
    assert "verbatim quote" in described["named_endpoints"]["/ask"]["description"]


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


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"question": "x", "k": 0}, "k is 0"),
        ({"question": "x", "sources": ["no.txt"]}, "no.txt"),
        ({"question": 5}, "give a text"),
    ],
)
def test_the_api_tells_what_was_wrong(address, parameters, message):
    kind, data = call(address, "ask", **parameters)
    assert kind == "error"
    assert message in data["error"]


@pytest.fixture(scope="session")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def visit(browser):
    """Open the page as a new visitor; no visitor's page may ask another host or raise a dialog."""
    contexts, hosts, dialogs = [], set(), []

    def opened(address: str, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page = context.new_page()
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(address)
        page.wait_for_selector("#fn-box textarea")
        hosts.discard(urlsplit(address).netloc)
        opened.own = urlsplit(address).netloc
        return page

    yield opened
    for context in contexts:
        context.close()
    assert hosts <= {opened.own, ""}
    assert dialogs == []


def ask(page, question: str):
    """Ask in the page and return the answer's card."""
    cards = page.locator("#fn-chat .fn-card:not(.fn-busy)")
    before = cards.count()
    page.fill("#fn-box textarea", question)
    page.press("#fn-box textarea", "Enter")
    cards.nth(before).wait_for()
    return cards.nth(before)


@pytest.mark.browser
def test_a_citation_opens_the_document_at_the_quote(visit, address, library_qa):
    page = visit(address)
    card = ask(page, HEIGHT)
    expected = library_qa.ask(HEIGHT)
    assert card.locator(".fn-quote").text_content() == expected.citations[0].context
    assert card.locator("mark.fn-key").text_content() == expected.key
    card.locator(".fn-cite").first.focus()
    page.keyboard.press("Enter")
    text = page.locator("#fn-viewer .fn-text")
    text.wait_for()
    assert text.locator("mark.fn-key").text_content() == expected.key
    assert text.text_content() == LIBRARY["towers/tower.txt"]
    assert "towers/tower.txt" in page.locator("#fn-viewer header").text_content()
    page.wait_for_function("document.activeElement.matches('#fn-viewer h2')")


@pytest.mark.browser
def test_a_refusal_shows_the_nearest_passages_and_opens_them(visit, address):
    page = visit(address)
    card = ask(page, "What is the capital of France?")
    assert "The documents don't say." in card.text_content()
    card.locator(".fn-passage").first.click()
    marked = page.locator("#fn-viewer mark.fn-context")
    marked.wait_for()
    assert marked.is_visible()


@pytest.mark.browser
def test_markup_in_documents_names_and_questions_is_only_text(visit, address, library_qa):
    page = visit(address)
    hostile = f"{PASSWORD} <b>b</b> **b** $$x$$ [x](javascript:alert(6)) <img src=x onerror=alert(7)>"
    card = ask(page, hostile)
    assert page.locator(".fn-question").text_content() == hostile
    card.locator(f'a[href*="{viewer.quote(HOSTILE_NAME, safe="")}"]').first.click()
    text = page.locator("#fn-viewer .fn-text")
    text.wait_for()
    assert text.text_content() == LIBRARY[HOSTILE_NAME]
    assert HOSTILE_NAME in page.locator("#fn-viewer header").text_content()
    page.click("#fn-library button")
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
    one.reload()
    one.wait_for_selector("#fn-box textarea")
    assert one.locator(".fn-question").count() == 0


@pytest.mark.browser
def test_a_suggested_question_is_asked_by_a_click_and_a_new_chat_begins_empty(visit, address):
    page = visit(address)
    example = page.locator("#fn-chat .example").first
    example.wait_for()
    question = example.text_content().strip()
    example.click()
    page.locator("#fn-chat .fn-found").wait_for()
    assert page.locator(".fn-question").text_content() == question
    page.click("#fn-new")
    example.wait_for()
    assert page.locator(".fn-question").count() == 0
    ask(page, HEIGHT)
    assert page.locator(".fn-question").all_text_contents() == [HEIGHT]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("fragment", "message"),
    [
        ("0-0-0-0-0-999999/towers%2Ftower.txt", "changed"),
        ("0-0-0-0-0-1/..%2F..%2Fetc%2Fpasswd", "etc/passwd"),
        ("5-4-3-2-1-0/towers%2Ftower.txt", "no place"),
    ],
)
def test_a_forged_link_is_refused(visit, address, fragment, message):
    page = visit(f"{address}#open/{fragment}")
    page.locator("#fn-viewer .fn-error").wait_for()
    assert message in page.locator("#fn-viewer .fn-error").text_content()


@pytest.mark.browser
def test_a_phone_stacks_the_columns_and_scrolls_to_the_document(visit, address):
    page = visit(address, viewport={"width": 390, "height": 844})
    ask(page, HEIGHT).locator(".fn-cite").first.click()
    page.locator("#fn-viewer mark.fn-key").wait_for()
    page.wait_for_function("Math.abs(document.getElementById('fn-viewer').getBoundingClientRect().top) < 300")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click(".fn-back")
    page.wait_for_function("document.activeElement.matches('.fn-cite')")


@pytest.mark.browser
def test_an_empty_library_says_what_to_do(visit, ask_files):
    blocks = build_app(ask_files({"empty.txt": ""}))
    try:
        page = visit(launch(blocks, port=free_port()))
        page.get_by_text("python -m index update FOLDER").wait_for()
        assert "The documents don't say." in ask(page, HEIGHT).text_content()
    finally:
        blocks.close(verbose=False)
