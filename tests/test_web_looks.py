"""How the pages look and read: axe-core's rules, the widths of a phone and a large screen, focus, rest."""

from __future__ import annotations

import pytest

from qa.users import read_users

from .tiny_page import LINES
from .web_site import HEIGHT, REPAIR, UNKNOWN, ask, served

pytestmark = pytest.mark.browser

DESKTOP = {"width": 1400, "height": 900}
PHONE = {"width": 360, "height": 740}
LARGE = {"width": 3840, "height": 2160}
DARK = "__theme=dark"

OUTSIDE = """() => {
  const width = document.documentElement.clientWidth;
  const cut = (element) => {
    for (let each = element; each && each !== document.body; each = each.parentElement) {
      const style = getComputedStyle(each);
      const scrolls = each !== element && /auto|scroll/.test(style.overflowX);
      if (style.position === "fixed" || scrolls) return true;
    }
    return false;
  };
  const wide = [...document.body.querySelectorAll("*")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && box.right > width + 1 && !cut(element);
  });
  return wide.map((element) => element.outerHTML.slice(0, 150)).slice(0, 5);
}"""
"""What reaches over the window's right edge, but for what scrolls by itself."""

SMALL = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = new Set();
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    const seen = parent.checkVisibility({ visibilityProperty: true });
    if (!walker.currentNode.textContent.trim() || !seen) continue;
    const size = parseFloat(getComputedStyle(parent).fontSize);
    if (size < 14) found.add(`${size} ${parent.className} ${walker.currentNode.textContent.slice(0, 30)}`);
  }
  return [...found];
}"""
"""Texts in letters of less than 14 pixels."""

SHIFTS = """() => {
  window.shifted = [];
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.shifted.push(entry.value)))
    .observe({ type: "layout-shift", buffered: false });
}"""
"""All shifts are counted, though the usual figure leaves out what follows upon a key."""

RING = """() => {
  const style = getComputedStyle(document.activeElement);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return [document.activeElement.outerHTML.slice(0, 150), ring];
}"""


@pytest.fixture(scope="module")
def looks(library_qa, library_folder, tmp_path_factory):
    """An app with all that can be shown: documents may be changed, though none is here."""
    data = tmp_path_factory.mktemp("looks")
    with served(library_qa, data, (library_folder,), indexing=None) as (address, _):
        yield address


@pytest.fixture(scope="module")
def login(library_qa, tmp_path_factory):
    """The address of an app that asks for a password."""
    folder = tmp_path_factory.mktemp("login")
    users = folder / "users.txt"
    users.write_text("\n".join(LINES.values()))
    users.chmod(0o600)
    with served(library_qa, folder / "data", users=read_users(users)) as (address, _):
        yield address


# The states, in the order in which a visitor comes through them


def empty(page):
    page.locator("#fn-chat .example").first.wait_for()


def answer(page):
    card = ask(page, HEIGHT)
    for summary in card.locator("summary").all():
        summary.click()


def refusal(page):
    ask(page, UNKNOWN)


def text(page):
    page.locator("#fn-chat .fn-cite").first.click()
    page.locator("#fn-viewer .fn-text mark.fn-key").wait_for()


def paper(page):
    ask(page, REPAIR).locator(".fn-cite").first.click()
    page.locator("#fn-viewer .fn-paper img").wait_for()


def feedback(page):
    page.locator("#fn-chat .fn-card").last.get_by_text("Not right").click()
    page.locator("#fn-reason label").first.wait_for()


def scope(page):
    page.get_by_role("tab", name="Library").click()
    page.locator("#fn-table").get_by_text("Ask only this").first.click()
    page.get_by_role("tab", name="Ask").click()
    page.locator("#fn-scope p").wait_for()


def library(page):
    page.get_by_role("tab", name="Library").click()
    page.locator("#fn-table tbody tr").first.wait_for()
    page.locator("#fn-table").get_by_text("Delete").first.click()
    page.get_by_role("button", name="Move to the trash").wait_for()
    page.get_by_text("Trash and disk use").click()
    page.locator("#fn-trash :is(.fn-hint, li)").first.wait_for()


def sidebar(page):
    page.click("#fn-sidebar .toggle-button")
    page.locator("#fn-conversations li").first.wait_for()
    page.locator("#fn-this > button").click()
    page.get_by_label("Name").wait_for()


STATES = (empty, answer, refusal, text, paper, feedback, scope, library, sidebar)


def still(page):
    """Wait until nothing moves: colours half-way through a transition are no colours of the page."""
    page.wait_for_function("document.getAnimations().every((a) => a.playState !== 'running')")


def violations(page) -> list[str]:
    """What axe-core finds serious or critical on the page as it is."""
    from axe_playwright_python.sync_playwright import Axe

    still(page)
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']} at {node['target']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("query", ["", DARK], ids=["light", "dark"])
def test_axe_finds_nothing_serious(visit, looks, size, query):
    page = visit(f"{looks}?{query}", viewport=size)
    found = {}
    for state in STATES:
        state(page)
        found[state.__name__] = violations(page)
    page.goto(f"{looks}insights?{query}")
    page.locator("#fn-unanswered h2").wait_for()
    found["insights"] = violations(page)
    assert {state: said for state, said in found.items() if said} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_where_one_logs_in(browser, login, scheme):
    page = browser.new_page(color_scheme=scheme, viewport=PHONE)
    page.goto(login)
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button").click()
    page.locator(".error").wait_for()
    found = violations(page)
    wide = page.evaluate(OUTSIDE)
    page.close()
    assert (found, wide) == ([], [])


def test_axe_would_find_something(visit, looks):
    page = visit(looks)
    empty(page)
    page.evaluate("document.querySelector('#fn-head h1').style.color = '#ddd'")
    page.evaluate("document.querySelector('#fn-box textarea').ariaLabel = ''")
    assert "color-contrast" in " ".join(violations(page))


def test_a_phone_never_scrolls_sideways(visit, looks):
    page = visit(looks, viewport=PHONE)
    for state in STATES:
        state(page)
        still(page)
        assert page.evaluate(OUTSIDE) == [], state.__name__
        page.evaluate("window.scrollTo(500, window.scrollY)")
        assert page.evaluate("window.scrollX") == 0, state.__name__
    page.goto(f"{looks}insights")
    page.locator("#fn-unanswered h2").wait_for()
    assert page.evaluate(OUTSIDE) == []
    page.evaluate("document.querySelector('.fn-tiles').style.width = '50rem'")
    assert page.evaluate(OUTSIDE) != []


def test_a_large_screen_has_lines_and_letters_that_can_be_read(visit, looks):
    page = visit(looks, viewport=LARGE)
    for state in STATES:
        state(page)
        assert page.evaluate(SMALL) == [], state.__name__
        for column in ("#fn-left", "#fn-right", "#fn-chat .fn-card", "#fn-viewer .fn-text"):
            for box in page.locator(column).all():
                if box.is_visible():
                    letters = box.evaluate(
                        "e => e.clientWidth / parseFloat(getComputedStyle(document.documentElement).fontSize)"
                    )
                    assert letters < 60, (state.__name__, column)
    page.goto(f"{looks}insights")
    page.locator("#fn-unanswered h2").wait_for()
    page.wait_for_function("document.querySelectorAll('#fn-insights svg.marks').length == 3")
    still(page)
    assert page.evaluate(SMALL) == []


def test_the_tab_key_goes_from_the_answer_over_the_box_to_the_document(visit, looks):
    page = visit(looks)
    answer(page)
    page.locator("#fn-box textarea").focus()
    assert page.evaluate("document.activeElement.matches('#fn-box textarea')")
    text(page)
    page.locator("#fn-chat .fn-cite").first.focus()
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        inside = page.evaluate(
            "['#fn-chat', '#fn-box', '#fn-viewer'].find((each) => document.activeElement.closest(each))"
        )
        seen += [inside] if inside and inside not in seen[-1:] else []
        if inside == "#fn-viewer":
            break
    assert seen == ["#fn-chat", "#fn-box", "#fn-viewer"]
    page.locator("#fn-box textarea").focus()
    for _ in range(5):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.matches('#fn-chat .fn-card a')"):
            break
    else:
        pytest.fail("the way back from the box leads past the answer")


def test_what_has_the_focus_has_a_ring(visit, looks):
    page = visit(looks)
    answer(page)
    text(page)
    without = set()
    page.locator("#fn-box textarea").focus()
    for _ in range(60):
        page.keyboard.press("Tab")
        element, ring = page.evaluate(RING)
        if not ring and not element.startswith(("<body", "<html")):
            without.add(element)
    assert without == set()


def test_nothing_jumps_while_a_question_is_answered(visit, looks):
    page = visit(looks, viewport=DESKTOP)
    empty(page)
    page.wait_for_timeout(500)
    page.evaluate(SHIFTS)
    ask(page, UNKNOWN)
    ask(page, HEIGHT)
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifted.reduce((sum, each) => sum + each, 0)") < 0.1
    page.evaluate("document.querySelector('#fn-head').style.marginBottom = '20rem'")
    page.wait_for_function("window.shifted.reduce((sum, each) => sum + each, 0) > 0.1")


def test_light_and_dark_are_changed_in_place_and_stay(visit, looks):
    page = visit(looks, color_scheme="light")
    colour = "getComputedStyle(document.querySelector('#fn-head')).color"
    before = page.evaluate(colour)
    page.fill("#fn-box textarea", "half a question")
    page.get_by_role("button", name="Light or dark").click()
    still(page)
    dark = page.evaluate(colour)
    assert dark != before
    assert page.input_value("#fn-box textarea") == "half a question"
    page.reload()
    page.wait_for_selector("#fn-box textarea")
    assert page.evaluate(colour) == dark
    page.get_by_role("button", name="Light or dark").click()
    still(page)
    assert page.evaluate(colour) == before
