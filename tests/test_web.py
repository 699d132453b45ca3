"""The web page: what it escapes, marks and suggests, its REST API, and a browser that uses it."""

from __future__ import annotations

import html
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

import app
from index import DocumentStatus, terminal
from qa import QA, Answer, Citation, Evidence
from qa.suggestions import questions, suggest
from qa.web import build_app, render, viewer
from qa.web.chat import launch
from tests.browser import chromium
from tests.conftest import write_files

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


def stripped(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def marks(markup: str, kind: str) -> list[str]:
    """The texts of the marks of one kind; keys stand inside contexts, and hold no mark."""
    found = re.findall(rf'<mark class="{kind}">((?:(?!</mark>).|<mark.*?</mark>)*)</mark>', markup, re.DOTALL)
    return [stripped(text) for text in found]


@st.composite
def documents_with_places(draw):
    text = draw(st.text(max_size=300))
    outer, start, key, key_end, end, outer_end = sorted(
        draw(st.lists(st.integers(0, len(text)), min_size=6, max_size=6))
    )
    return text, viewer.Place(draw(st.text(min_size=1)), start, end, key, key_end, outer, outer_end)


def citation(**changes) -> Citation:
    made = Citation(
        "a.txt", 10, 14, "five", 10, 14, 4, 20, "about five of it"[:16], 3, ["One", "Two"], "Title"
    )
    return replace(made, **changes)


def evidence(text: str, **changes) -> Evidence:
    return replace(Evidence(1.0, "a.txt", 0, len(text), text, None, [], "Title"), **changes)


def answer(**changes) -> Answer:
    made = Answer(True, "five", "five", 0.9, (citation(),), (), (evidence("Some passage."),), "How many?", {})
    return replace(made, **changes)


# What is shown


@given(documents_with_places(), st.integers(1, 200))
def test_the_viewer_shows_the_very_text_and_marks_the_very_slices(made, reach):
    text, place = made
    first, last = viewer.window(text, place, reach)
    markup = viewer.marked(text, place, first, last)
    assert stripped(markup) == text[first:last]
    assert first <= place.context_start
    assert place.context_end <= last
    key = text[place.key_start : place.key_end]
    assert marks(markup, "fn-key") == ([key] if key else [])
    context = text[place.context_start : place.context_end]
    assert stripped(markup.partition('<mark class="fn-context">')[2]).startswith(context)


@given(documents_with_places())
def test_a_link_leads_to_its_place_and_holds_no_markup(made):
    _, place = made
    fragment = viewer.link(place)
    assert viewer.read_link(fragment) == place
    assert html.escape(fragment) == fragment


@given(
    st.one_of(st.text(), st.integers(), st.none(), st.from_regex(r"#open/[\d-]{0,30}/[^/]*", fullmatch=True))
)
def test_a_forged_link_is_none_or_a_place_in_order(fragment):
    place = viewer.read_link(fragment)
    assert place is None or all(one <= other for one, other in pairwise(place.offsets))


def test_a_large_document_is_shown_in_part_with_a_way_to_the_rest():
    text = "\n".join(f"line {number:05}" for number in range(20_000))
    at = text.index("line 10000")
    place = viewer.Place("a.txt", at, at + 10, at, at + 10, at, at + 10)
    shown = viewer.show(text, place, "Title")
    assert len(shown) < 100_000
    assert marks(shown, "fn-key") == ["line 10000"]
    assert "are shown; go" in shown
    _, last = viewer.window(text, place)
    later = viewer.read_link(re.findall(r'href="([^"]*)"', shown)[-1])
    assert viewer.window(text, later)[0] == last  # no line is left out between
    body = stripped(shown.partition('dir="auto">')[2])
    assert body.startswith("line ")
    assert body.endswith("\n")


@given(st.text(), st.text(), st.text(), st.lists(st.text(), max_size=3), st.text())
def test_nothing_of_a_document_becomes_markup(text, title, source, heading, question):
    named = {"title": title, "source": source, "heading": heading}
    whole = {"start": 0, "end": len(text), "key_start": 0, "key_end": len(text)}
    quoted = citation(quote=text, context=text, context_start=0, context_end=len(text), **whole, **named)
    passage = evidence(text, also_in=((source, 0, 1),), **named)
    found = answer(citations=(quoted, quoted), passages=(passage,), notice=text)
    for shown in (found, replace(found, found=False, citations=())):
        card = render.answer_card(shown)
        tags = set(re.findall(r"</?([^\s>]*)", card))
        assert tags <= set("div blockquote mark p b ul li a span bdi details summary".split())
        assert card.count("<") == card.count(">")
    assert stripped(render.quoted(quoted)) == text
    assert stripped(render.question_text(question)) == question


def test_a_card_tells_the_quote_from_its_context():
    text = "about five of it"
    card = render.quoted(citation(context=text, context_start=4, start=10, end=14, quote="five"))
    assert stripped(card) == text
    assert marks(card, "fn-key") == ["five"]
    assert '<span class="fn-around">about </span>' in card


@pytest.mark.parametrize(
    ("confidence", "words"),
    [(None, "not calibrated"), (0.934, "high (93%)"), (0.5, "medium (50%)"), (0.002, "low (under 1%)")],
)
def test_confidence_is_told_in_words(confidence, words):
    assert render.confidence_words(confidence) == words
    assert words in stripped(render.answer_card(answer(confidence=confidence)))


def test_certainty_is_not_claimed_by_rounding():
    assert render.percent(0.997) == "over 99%"
    assert render.percent(0.0) == "0%"


def test_a_refusal_says_so_and_links_the_nearest_passages():
    passages = tuple(evidence(f"Passage {number}.", start=number) for number in range(5))
    card = render.answer_card(answer(found=False, citations=(), confidence=0.1, passages=passages))
    assert "The documents don't say." in card
    assert card.count('href="#open/') == 5
    assert "low (10%)" in card


def test_direction_controls_in_a_name_are_made_visible():
    assert viewer.name("invoice\u202etxt.exe") == "<bdi>invoice[U+202E]txt.exe</bdi>"


def test_the_document_list_is_paged_and_filtered():
    rows = [
        DocumentStatus(f"{number}.txt", f"Paper {number}", "indexed", "", 3, 0, "0", "", None)
        for number in range(120)
    ]
    rows.append(DocumentStatus("<b>.pdf", "Scan", "no_text_layer", "needs <OCR>", 0, 4, "0", "", None))
    markup, page, pages = render.document_list(rows, "", 99)
    assert (page, pages) == (2, 3)
    assert markup.count("<tr>") == 1 + 21
    assert "needs &lt;OCR&gt;" in markup
    assert "<b>" not in markup
    markup, page, pages = render.document_list(rows, "PAPER 11", 0)
    assert (page, pages) == (0, 1)
    assert markup.count("<tr>") == 1 + 11
    assert "No document matches" in render.document_list(rows, "nowhere", 0)[0]


# First questions


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("Now Acme is investing up to $5 billion in Brux, at once.", "How much is Acme investing in Brux?"),
        ("Acme has bought about 300 lorries this year.", "How many lorries has Acme bought?"),
        ("The Tower of Anvers was completed in May 1931.", "When was the Tower of Anvers completed?"),
        ("Skeld Abbey is located in Anvers.", "Where is Skeld Abbey located?"),
        ("Skeld Abbey was founded by Odo Marr in 1190.", "Who founded Skeld Abbey?"),
        ("The length of the Skeld is 212 kilometres.", "What is the length of the Skeld?"),
        ("Marrowby has a population of 40,300.", "What is the population of Marrowby?"),
        ("In spring Acme opened a second yard in May 1931.", "When did Acme open a second yard?"),
        ("You can delete your account by writing to us.", "How can you delete your account?"),
        ("Personal data means what names you.", "What does personal data mean?"),
        ("The Skeld Guide covers the whole river.", "What does the Skeld Guide cover?"),
        ("The reason Acme needs large lorries is the bad roads.", "Why does Acme need large lorries?"),
        ("The Skeld is a river of the north.", "What is the Skeld?"),
        ("Acme was late because the roads were bad.", "Why was Acme late?"),
    ],
)
def test_a_sentence_becomes_a_question_about_itself(sentence, question):
    assert next(questions(evidence(sentence))) == question


@given(st.text(max_size=200), st.lists(st.text(max_size=60), max_size=2))
def test_a_suggestion_is_short_and_asks_for_no_phrase(text, heading):
    for question in questions(evidence(text, heading=heading)):
        assert question.endswith("?")
        assert len(question) <= 110
        assert not set(question) & set('"“”„«»<>')


def test_every_suggestion_is_answered(seed_qa):
    suggested = suggest(seed_qa, 3)
    assert suggested
    assert all(seed_qa.ask(question).found for question in suggested)


def test_an_empty_index_suggests_nothing(ask_files):
    assert suggest(ask_files({"empty.txt": ""})) == ()


# The command line


def test_the_help_needs_no_gradio():
    code = "import sys, app; sys.exit('gradio' in sys.modules or 'qa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


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


def test_the_api_asks_searches_and_lists(address, library_qa):
    kind, (answered,) = call(address, "ask", question=HEIGHT, sources=["towers/*"])
    assert kind == "complete"
    expected = library_qa.ask(HEIGHT, ["towers/*"]).to_dict()
    assert {**answered, "timings": None} == {**json.loads(json.dumps(expected)), "timings": None}
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
        ({"question": 5}, "wrong type"),
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
        ("0-0-0-0-0-999999/towers%2Ftower.txt", "shorter"),
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
