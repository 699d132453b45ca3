"""Two hundred hostile strings in names, titles, text and questions: in a browser, each is only text.

The page's policy would stop most of what got in, and the browser is told to leave it aside: here it is the
page itself that must let nothing in.
"""

from __future__ import annotations

import json
import secrets
from urllib.parse import quote

import pytest

from index import rebuild
from qa import QA
from qa.web.access import COOKIE, visitor_of
from qa.web.store import Store

from . import hostile
from .conftest import PatternReader, TinyEncoder, write_files
from .web_site import ask, served

pytestmark = pytest.mark.browser

STRINGS = hostile.strings()
SOME = range(0, hostile.COUNT, 11)
"""The numbers of strings that stand for all where each costs a click; 11 goes through all kinds of files."""

FOUND = """() => {
  const found = window.__hit === undefined ? [] : [`ran: ${window.__hit}`];
  const link = /^(#(open|text|do)\\/|original\\?source=)[^<>"'\\s:]*$/;
  const words = /^(title|value|placeholder|aria-label|data-text|data-testid)$/;
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      const said = value.includes("__hit");
      const harmless = words.test(name) || (name === "href" && link.test(value)) || name === "data-place";
      if (name.startsWith("on") || (said && !harmless)) found.push(`${name} of ${element.outerHTML}`);
    }
    const code = element.matches("script, style") && element.textContent.includes("__hit");
    if (code) found.push(element.outerHTML);
  }
  const ours = ".fn-card, .fn-question, .fn-viewer, #fn-table, #fn-outcomes, #fn-conversations, #fn-scope, " +
    "#fn-delete .html-container, .fn-counted, .fn-hint";
  const plain = "A B BDI BLOCKQUOTE BR DD DETAILS DIV DL DT H2 HEADER LI MARK P SPAN STRONG SUMMARY TABLE " +
    "TBODY TD TH THEAD TR UL";
  for (const element of document.querySelectorAll(ours.split(", ").map((each) => `${each} *`).join(", ")))
    if (!plain.split(" ").includes(element.nodeName)) found.push(element.outerHTML);
  return [...new Set(found)].slice(0, 5);
}"""
"""What ran, and what of the strings became an element, a handler or an address."""


@pytest.fixture(scope="module")
def qa(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "library"
    write_files(folder, hostile.library())
    rebuild(folder, folder.parent / "index", encoder=TinyEncoder())
    with QA.open(
        folder.parent / "index", encoder=TinyEncoder(), reader=PatternReader(r"Warden\d+x")
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def app(qa, tmp_path_factory):
    """The app where everything may be done, and the whole of its store."""
    data = tmp_path_factory.mktemp("data")
    folder = qa.index_dir.parent / "library"
    with served(qa, data, (folder,), indexing=None) as (address, site):
        yield address, site.store


@pytest.fixture(scope="module")
def cited(qa):
    return hostile.citations(qa)


@pytest.fixture(scope="module")
def context(browser, app):
    """What the tests' pages share, so that the page's own files are fetched once."""
    context = browser.new_context(bypass_csp=True)
    foreign = []
    context.on(
        "request",
        lambda sent: None if sent.url.startswith((app[0], "data:", "blob:")) else foreign.append(sent.url),
    )
    yield context
    context.close()
    assert foreign == []


@pytest.fixture
def who(context, app):
    """A new visitor."""
    cookie = secrets.token_hex(16)
    context.add_cookies([{"name": COOKIE, "value": cookie, "url": app[0]}])
    return visitor_of(cookie)


@pytest.fixture
def enter(visit, context, who, app):
    """Open the page at an address below its own."""
    pages = []

    def entered(below: str = ""):
        pages.append(visit(f"{app[0]}{below}", context=context))
        return pages[-1]

    yield entered
    for each in pages:
        each.close()


def checked(page, *, wait: int = 100) -> None:
    page.wait_for_timeout(wait)  # for handlers of errors and of the focus
    assert page.evaluate(FOUND) == []
    assert page.title() == "Footnote"


def kept(store: Store, who: str, turns) -> str:
    """The address of the turns (question, answer, error) as a conversation that was kept."""
    conversation = store.new_id()
    for question, answer, error in turns:
        store.add(who, conversation, question, None, answer, error)
    return f"?chat={conversation}"


def unfold(page, cards: int) -> None:
    page.wait_for_function(f"document.querySelectorAll('#fn-chat .fn-card').length === {cards}")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")


def open_library(enter):
    page = enter()
    page.get_by_role("tab", name="Library").click()
    page.locator("#fn-table tbody tr").first.wait_for()
    return page


def follow(page, link: str) -> None:
    """Click on a link that somebody could have sent."""
    page.evaluate(
        """href => {
          const link = document.createElement("a");
          link.setAttribute("href", href);
          document.body.append(link);
          link.click();
          link.remove();
        }""",
        link,
    )


def test_there_are_two_hundred_files_that_can_be_asked(qa):
    assert len(set(STRINGS)) == hostile.COUNT
    assert sum(each.status == "indexed" for each in qa.documents()) == hostile.COUNT + 1


def test_what_is_not_escaped_would_be_found(enter):
    page = enter()
    for markup in (
        "<b onclick='x()'>x</b>",
        "<svg></svg>",
        f"<a href='#do/{STRINGS[0][:-1]}'>x</a>",
        STRINGS[21],
    ):
        page.evaluate("markup => { document.querySelector('.fn-hint').innerHTML = markup; }", markup)
        with pytest.raises(AssertionError, match=r"assert \["):
            checked(page)
    assert page.evaluate("window.__hit") == 22


@pytest.mark.parametrize("half", [slice(0, 100), slice(100, 200)], ids=["first", "second"])
def test_answers(enter, app, who, cited, half):
    page = enter(kept(app[1], who, [(a.question, a, "") for a in hostile.answers(cited)[half]]))
    unfold(page, 100)
    checked(page)
    assert page.locator(".fn-question").all_text_contents() == STRINGS[half]
    quotes = [each.quote for each in cited[half]]
    assert page.locator(".fn-quote").all_text_contents() == quotes
    texts = page.locator(".fn-card").all_text_contents()
    for text, number in zip(texts, range(hostile.COUNT)[half], strict=True):
        for each in cited[number], cited[(number + 1) % hostile.COUNT]:
            assert hostile.named(each.title) in text
            assert hostile.named(each.source) in text
        for form in ("plain", "markdown", "bibtex"):
            assert f"__hit={number + 1}" in text, form


def test_refusals_and_errors(enter, app, who, cited):
    turns = [(a.question, a, "") for a in hostile.refusals(cited)]
    names = [each.source for each in cited]
    errors = [f"can't read {' and '.join(names[at : at + 8])}" for at in range(0, hostile.COUNT, 8)]
    turns += [(error[:80], None, error) for error in errors]
    page = enter(kept(app[1], who, turns))
    unfold(page, len(turns))
    checked(page)
    refused = "".join(page.locator(".fn-refusal").all_text_contents())
    assert [each for each in names if hostile.named(each) not in refused] == []
    assert [each for each in STRINGS if hostile.named(each) not in refused] == []
    assert [
        e for e, c in zip(errors, page.locator(".fn-error").all_text_contents(), strict=True) if e not in c
    ] == []


def test_questions_and_their_answers(enter):
    page = enter()
    for number in SOME[::3]:
        question = f"{STRINGS[number]} Lamp {number + 1} is kept by"
        ask(page, question)
        assert page.locator(".fn-question").last.text_content() == question
    checked(page)
    assert page.locator(".fn-found").count() > 0


def test_the_address(enter):
    question, place = quote(STRINGS[4]), f"#open/0-0-0-0-0-0/{quote(STRINGS[1], '')}"
    page = enter(f"?chat={quote(STRINGS[0])}&q={question}{place}")
    page.locator("#fn-chat .fn-card:not(.fn-busy)").wait_for()
    page.locator("#fn-viewer .fn-error").wait_for()
    checked(page)
    assert page.locator(".fn-question").text_content() == STRINGS[4]
    assert STRINGS[1] in page.locator("#fn-viewer").text_content()


@pytest.mark.parametrize("half", [slice(0, 100), slice(100, 200)], ids=["first", "second"])
def test_the_list_of_conversations_and_what_is_saved_of_one(enter, app, who, half):
    last = [kept(app[1], who, [(each, None, each)]) for each in STRINGS[half]][-1]
    page = enter(last)
    unfold(page, 1)
    page.click("#fn-sidebar .toggle-button")
    page.wait_for_function("document.querySelectorAll('#fn-conversations li').length === 100")
    titles = page.locator("#fn-conversations li a").all_text_contents()
    assert titles == [each.title for each in app[1].conversations(who)]
    page.locator("#fn-this > button").click()
    for form in ("Markdown", "JSON"):
        with page.expect_download() as downloading:
            page.get_by_role("button", name=f"Save as {form}").click()
    saved = json.loads(downloading.value.path().read_text())
    assert saved["turns"][0]["question"] == STRINGS[half][-1]
    checked(page)


def test_the_library_and_the_documents_in_it(enter, qa, cited):
    page = open_library(enter)
    table = page.locator("#fn-table")
    seen = ""
    for number in range(1, 6):
        table.get_by_text(f"page {number} of 5").wait_for()
        seen += table.text_content()
        checked(page)
        if number < 5:
            page.get_by_role("button", name="Next").click()
    assert [each.source for each in cited if hostile.named(each.source) not in seen] == []
    titles = [each.title for each in qa.documents()]
    assert [each for each in titles if hostile.named(each) not in seen] == []
    assert sum("__hit" in each for each in titles) > 150
    page.get_by_label("Find a document").fill(STRINGS[8])
    page.wait_for_function("document.querySelectorAll('#fn-table tbody tr').length === 1")
    checked(page)


def test_the_viewer(enter, qa, cited):
    page = enter()
    for number in SOME:
        follow(page, f"#open/0-0-0-0-0-0/{quote(cited[number].source, safe='')}")
        page.locator("#fn-viewer header").get_by_text(hostile.named(cited[number].source)).last.wait_for()
        assert page.locator("#fn-viewer .fn-text").text_content() == qa.text(cited[number].source)
        checked(page, wait=0)
    follow(page, "#open/0-0-0-0-0-0/all.txt")
    page.locator("#fn-viewer header").get_by_text("all.txt").first.wait_for()
    assert page.locator("#fn-viewer .fn-text").text_content() == "\n".join(STRINGS)
    checked(page)


def test_documents_that_are_not_there(enter):
    page = enter()
    for number in SOME:
        follow(page, f"#open/0-0-0-0-0-0/{quote(STRINGS[number], safe='')}")
        said = page.locator("#fn-viewer .fn-error").filter(has_text=f"__hit={number + 1}")
        assert repr(STRINGS[number])[1:-1] in said.text_content()
    checked(page)


def test_what_is_limited_and_what_is_to_be_deleted(enter):
    page = open_library(enter)
    for number in SOME:
        what, where = ("delete", "#fn-delete") if number % 2 else ("within", "#fn-scope")
        follow(page, f"#do/{what}/{quote(STRINGS[number], safe='')}")
        page.wait_for_function(
            "([where, words]) => document.querySelector(where)?.textContent.includes(words)",
            arg=[where, hostile.named(STRINGS[number])],
        )
    checked(page)


def test_the_names_of_uploads(enter):
    page = open_library(enter)
    for first in 0, 100:
        names = [f"{each.replace('/', '_')}.exe" for each in STRINGS[first : first + 100]]
        sent = [{"name": name, "mimeType": "text/html", "buffer": b"<svg onload=x>"} for name in names]
        page.locator("#fn-upload input[type=file]").set_input_files(sent)
        outcome = page.locator("#fn-outcomes li")
        outcome.filter(has_text=f"__hit={first + 1}").first.wait_for()
        assert outcome.filter(has_text="refused").count() == 100
        checked(page)


def test_insights(context, app, who, cited):
    made = [*hostile.answers(cited), *hostile.refusals(cited)]
    turns = [*((each.question, each, "") for each in made), *((each, None, each) for each in STRINGS[:20])]
    kept(app[1], who, turns)
    alarms: list[str] = []
    page = context.new_page()
    page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda said: alarms.append(said.text) if said.type == "error" else None)
    page.goto(f"{app[0]}insights")
    page.locator("#fn-unanswered tbody tr").first.wait_for()
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    checked(page)
    text = page.locator("#fn-unanswered").text_content()
    page.close()
    assert [each for each in STRINGS[:20] if hostile.named(each) not in text] == []
    assert alarms == []
