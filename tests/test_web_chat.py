"""The chat in a browser: cards, what can be done with them, keys, links, and what is kept."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from .web_site import HEIGHT, PASSWORD, UNKNOWN, ask

pytestmark = pytest.mark.browser

CLIPBOARD = "navigator.clipboard.readText()"


@pytest.fixture
def page(visit, browser, address):
    """The page of a visitor who lets it write to the clipboard."""
    return visit(address, permissions=["clipboard-read", "clipboard-write"])


def test_a_card_shows_the_key_in_its_sentence_with_confidence_and_source(page, library_qa):
    card = ask(page, HEIGHT)
    expected = library_qa.ask(HEIGHT)
    assert card.locator(".fn-quote").text_content() == expected.citations[0].context
    assert card.locator(".fn-quote mark.fn-key").text_content() == expected.key
    assert f"{expected.confidence:.0%}" in card.locator(".fn-confidence").first.text_content()
    assert "towers/tower.txt" in card.locator(".fn-cite").first.text_content()


def test_a_refusal_shows_the_nearest_passages_and_opens_them(page):
    card = ask(page, UNKNOWN)
    assert "The documents don't say." in card.text_content()
    card.locator(".fn-passage").first.click()
    marked = page.locator("#fn-viewer :is(mark, .fn-box).fn-context").first
    marked.wait_for()


@pytest.mark.parametrize(
    ("form", "expected"),
    [("Copy", "towers/tower.txt"), ("Markdown", "> "), ("BibTeX", "@misc{")],
)
def test_an_answer_is_copied_with_its_citation(page, library_qa, form, expected):
    card = ask(page, HEIGHT)
    card.locator(".fn-actions").get_by_text(form, exact=True).click()
    card.get_by_text("Copied").wait_for()
    copied = page.evaluate(CLIPBOARD)
    assert expected in copied
    assert library_qa.ask(HEIGHT).key in copied


def test_a_question_is_asked_again_in_its_place(page):
    ask(page, HEIGHT)
    first = page.locator(".fn-card").first.element_handle()
    page.locator(".fn-actions").get_by_text("Ask again").click()
    page.wait_for_function("card => !card.isConnected", arg=first)
    page.locator(".fn-found .fn-actions").wait_for()
    assert page.locator(".fn-question").all_text_contents() == [HEIGHT]


def test_an_edited_question_replaces_it_and_what_came_after(page):
    ask(page, HEIGHT)
    ask(page, PASSWORD)
    page.locator(".fn-card").first.get_by_text("Edit").click()
    page.wait_for_function("document.querySelector('#fn-box textarea').value !== ''")
    assert page.input_value("#fn-box textarea") == HEIGHT
    page.fill("#fn-box textarea", UNKNOWN)
    page.press("#fn-box textarea", "Enter")
    page.locator(".fn-refusal").wait_for()
    assert page.locator(".fn-question").all_text_contents() == [UNKNOWN]


@pytest.fixture
def tabs(page, visit):
    """Two tabs of one visitor with one conversation of one question."""
    ask(page, HEIGHT)
    page.wait_for_function("location.search.includes('chat=')")
    other = visit(page.url, context=page.context)
    other.locator(".fn-found .fn-actions").wait_for()
    return page, other


def questions(page):
    return page.locator(".fn-question").all_text_contents()


def test_a_question_of_another_tab_is_shown_with_the_next_one(tabs):
    one, other = tabs
    ask(other, PASSWORD)
    one.fill("#fn-box textarea", UNKNOWN)
    one.press("#fn-box textarea", "Enter")
    one.locator(".fn-refusal").wait_for()
    assert questions(one) == [HEIGHT, PASSWORD, UNKNOWN]


def test_an_edit_does_not_drop_what_another_tab_has_asked_since(tabs):
    one, other = tabs
    ask(other, PASSWORD)
    one.locator(".fn-card").first.get_by_text("Edit").click()
    one.wait_for_function("document.querySelector('#fn-box textarea').value !== ''")
    one.fill("#fn-box textarea", UNKNOWN)
    one.press("#fn-box textarea", "Enter")
    one.get_by_text("gone on elsewhere").wait_for()
    assert questions(one) == [HEIGHT, PASSWORD]
    assert one.input_value("#fn-box textarea") == UNKNOWN
    other.reload()
    other.locator(".fn-found .fn-actions").nth(1).wait_for()
    assert questions(other) == [HEIGHT, PASSWORD]


def test_a_conversation_that_another_tab_has_deleted_does_not_come_back(tabs):
    one, other = tabs
    other.click("#fn-sidebar .toggle-button")
    other.locator("#fn-this > button").click()
    other.get_by_role("button", name="Delete", exact=True).click()
    other.get_by_role("button", name="Delete it").click()
    other.wait_for_function("!document.querySelector('.fn-card')")
    before = one.url
    one.fill("#fn-box textarea", UNKNOWN)
    one.press("#fn-box textarea", "Enter")
    one.locator(".fn-refusal").wait_for()
    assert questions(one) == [UNKNOWN]
    one.wait_for_function("before => location.href !== before", arg=before)


def test_a_question_that_takes_long_can_be_stopped(visit, library_qa, tmp_path):
    import threading

    from .web_site import served

    waiting = threading.Event()

    class Slow:
        def __getattr__(self, name):
            return getattr(library_qa, name)

        def ask(self, *arguments, **named):
            waiting.wait(20)
            return library_qa.ask(*arguments, **named)

    with served(Slow(), tmp_path) as (address, _):
        page = visit(address)
        page.fill("#fn-box textarea", HEIGHT)
        page.press("#fn-box textarea", "Enter")
        page.locator(".fn-busy").get_by_text("Stop").click()
        page.get_by_text("Stopped.").wait_for()
        waiting.set()
        assert page.input_value("#fn-box textarea") == HEIGHT
        page.wait_for_timeout(500)  # gradio takes no second question before it has let go of the first
        page.press("#fn-box textarea", "Enter")
        page.locator(".fn-found").wait_for()
        page.context.close()


def test_keys_bring_the_box_and_the_last_question_and_close_the_viewer(page):
    ask(page, HEIGHT).locator(".fn-cite").first.click()
    page.locator("#fn-viewer .fn-text").wait_for()
    page.wait_for_function("document.activeElement.matches('#fn-viewer h2')")
    page.keyboard.press("Escape")
    page.locator("#fn-viewer .fn-empty").wait_for()
    page.keyboard.press("/")
    page.wait_for_function("document.activeElement.matches('#fn-box textarea')")
    page.keyboard.press("ArrowUp")
    assert page.input_value("#fn-box textarea") == HEIGHT


def test_a_link_asks_its_question(page, visit, address):
    ask(page, HEIGHT).get_by_text("Link", exact=True).click()
    page.locator(".fn-actions").get_by_text("Copied").wait_for()
    link = page.evaluate(CLIPBOARD)
    assert parse_qs(urlsplit(link).query) == {"q": [HEIGHT]}
    other = visit(link)
    other.locator(".fn-found").wait_for()
    assert other.locator(".fn-question").all_text_contents() == [HEIGHT]
    other.wait_for_function("!location.search.includes('q=')")  # to load it again asks nothing again


def test_a_link_to_a_place_opens_it(page, visit, address):
    ask(page, HEIGHT).locator(".fn-cite").first.click()
    page.locator("#fn-viewer .fn-text").wait_for()
    page.locator("#fn-viewer .fn-tools").get_by_text("Link", exact=True).click()
    page.locator("#fn-viewer .fn-tools").get_by_text("Copied").wait_for()
    other = visit(page.evaluate(CLIPBOARD))
    other.locator("#fn-viewer mark.fn-key").wait_for()
    assert (
        other.locator("#fn-viewer mark.fn-key").text_content()
        == page.locator("#fn-viewer mark.fn-key").text_content()
    )


def test_a_conversation_is_there_after_a_reload_with_the_place_that_was_open(page):
    ask(page, HEIGHT).locator(".fn-cite").first.click()
    page.locator("#fn-viewer mark.fn-key").wait_for()
    page.reload()
    page.locator(".fn-found").wait_for()
    assert page.locator(".fn-question").all_text_contents() == [HEIGHT]
    page.locator("#fn-viewer mark.fn-key").wait_for()
    ask(page, PASSWORD)
    assert page.locator(".fn-question").all_text_contents() == [HEIGHT, PASSWORD]


def test_conversations_are_listed_found_renamed_and_deleted(page):
    ask(page, HEIGHT)
    page.click("#fn-sidebar .toggle-button")
    page.click("#fn-new")
    page.wait_for_function("!document.querySelector('.fn-question')")
    ask(page, PASSWORD)
    listed = page.locator("#fn-conversations li a")
    page.wait_for_function("document.querySelectorAll('#fn-conversations li').length === 2")
    assert listed.all_text_contents() == [PASSWORD, HEIGHT]
    page.get_by_label("Find a conversation").fill("tower")
    page.wait_for_function("document.querySelectorAll('#fn-conversations li').length === 1")
    listed.first.click()
    page.wait_for_function(f"document.querySelector('.fn-question').textContent === {json.dumps(HEIGHT)}")
    page.locator("#fn-this > button").click()
    page.wait_for_function("document.querySelector('#fn-this input, #fn-this textarea')?.value")
    page.get_by_label("Name").fill("The tower")
    page.get_by_role("button", name="Rename").click()
    page.locator("#fn-conversations").get_by_text("The tower").wait_for()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete it").click()
    page.wait_for_function("document.querySelectorAll('#fn-conversations li').length === 0")
    page.get_by_label("Find a conversation").fill("")
    page.wait_for_function("document.querySelectorAll('#fn-conversations li').length === 1")
    assert listed.all_text_contents() == [PASSWORD]


@pytest.mark.parametrize(("form", "ending"), [("Markdown", "md"), ("JSON", "json")])
def test_a_conversation_is_saved_as_a_file(page, form, ending):
    ask(page, HEIGHT)
    page.click("#fn-sidebar .toggle-button")
    page.locator("#fn-this > button").click()
    with page.expect_download() as downloading:
        page.get_by_role("button", name=f"Save as {form}").click()
    saved = downloading.value
    assert saved.suggested_filename.endswith(f".{ending}")
    assert "212 metres" in saved.path().read_text()


def test_thumbs_are_kept_with_their_reason(page, site):
    _, running = site
    question = "When was the Tower of Anvers completed?"
    card = ask(page, question)
    card.get_by_text("Not right").click()
    page.locator("#fn-reason label").first.wait_for()
    page.locator("#fn-reason label").first.click()
    page.get_by_label("The right words").fill("completed in 1931")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("kept on this machine").first.wait_for()
    lines = (running.data / "feedback" / "questions.jsonl").read_text().splitlines()
    row = next(row for row in map(json.loads, lines) if row["question"] == question)
    assert row["answers"] == ["completed in 1931"]
    assert row["source"] == ["towers/tower.txt"]


def test_a_hostile_link_asks_but_runs_nothing(visit, address):
    hostile = "<img src=x onerror=alert(1)> Who?"
    page = visit(f"{address}?q={quote(hostile)}&chat=%3Cscript%3E")
    page.locator(".fn-card:not(.fn-busy)").wait_for()
    assert page.locator(".fn-question").text_content() == hostile
