"""The source viewer in a browser: text, pages on paper, tables, and the way through them."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from .conftest import PatternReader
from .web_site import HEIGHT, LIBRARY, REPAIR, ask, served

pytestmark = pytest.mark.browser


def test_a_citation_opens_the_document_at_the_quote(visit, address, library_qa):
    page = visit(address)
    card = ask(page, HEIGHT)
    card.locator(".fn-cite").first.focus()
    page.keyboard.press("Enter")
    text = page.locator("#fn-viewer .fn-text")
    text.wait_for()
    assert text.locator("mark.fn-key").text_content() == library_qa.ask(HEIGHT).key
    assert text.text_content() == LIBRARY["towers/tower.txt"]
    assert "towers/tower.txt" in page.locator("#fn-viewer header").text_content()
    page.wait_for_function("document.activeElement.matches('#fn-viewer h2')")


def test_a_pdf_opens_at_its_page_with_the_quote_marked_on_it(visit, address, library_qa):
    page = visit(address)
    ask(page, REPAIR).locator(".fn-cite").first.click()
    page.locator("#fn-viewer .fn-paper img").wait_for()
    assert "page 2" in page.locator("#fn-viewer header").text_content()
    citation = library_qa.ask(REPAIR).citations[0]
    rectangle = library_qa.rectangles(citation.source, citation.key_start, citation.key_end)[0]
    paper = page.locator("#fn-viewer .fn-paper").bounding_box()
    box = page.locator("#fn-viewer .fn-box.fn-key").bounding_box()
    scale = paper["width"] / rectangle.page_width
    assert box["x"] - paper["x"] == pytest.approx(rectangle.left * scale, abs=1)
    assert box["y"] - paper["y"] == pytest.approx(rectangle.top * scale, abs=1)
    assert box["width"] == pytest.approx((rectangle.right - rectangle.left) * scale, abs=1)


def test_pages_turn_zoom_and_change_to_text(visit, address):
    page = visit(address)
    ask(page, REPAIR).locator(".fn-cite").first.click()
    page.locator('#fn-viewer img[alt="Page 2"]').wait_for()
    width = page.locator("#fn-viewer .fn-paper").bounding_box()["width"]
    page.get_by_role("button", name="Larger").click()
    assert page.locator("#fn-viewer .fn-paper").bounding_box()["width"] > 1.2 * width
    page.get_by_role("button", name="Previous page").click()
    page.locator('#fn-viewer img[alt="Page 1"]').wait_for()
    assert page.locator("#fn-viewer .fn-box").count() == 0
    assert "1 of 2" in page.locator("#fn-viewer .fn-tools").text_content()
    page.locator("#fn-viewer .fn-tools").get_by_text("Text", exact=True).click()
    page.locator("#fn-viewer .fn-text mark.fn-key").wait_for()
    page.locator("#fn-viewer .fn-tools").get_by_text("Page", exact=True).click()
    page.locator('#fn-viewer img[alt="Page 2"]').wait_for()


def test_the_row_of_a_table_stands_under_its_header(ask_files, tmp_path, visit):
    qa = ask_files({"keepers.csv": LIBRARY["keepers.csv"]}, PatternReader("Nora Kervella"))
    with served(qa, tmp_path / "data") as (address, _):
        page = visit(address)
        ask(page, "Who keeps Kermorvan?").locator(".fn-cite").first.click()
        page.locator("#fn-viewer .fn-row").wait_for()
        heads = page.locator("#fn-viewer .fn-row th").all_text_contents()
        cells = page.locator("#fn-viewer .fn-row td").all_text_contents()
        page.context.close()
    assert dict(zip(heads, cells, strict=True)) == {
        "Lighthouse": "Kermorvan",
        "Keeper": "Nora Kervella",
        "Since": "1994",
    }


def test_marks_of_a_document_are_gone_through(visit, address):
    page = visit(address)
    ask(page, REPAIR)
    ask(page, "When was the Bridge of Tolm opened?").locator(".fn-cite").first.click()
    page.locator("#fn-viewer .fn-count").first.wait_for()
    shown = page.locator("#fn-viewer .fn-viewer").get_attribute("data-place")
    page.get_by_role("button", name="Next mark").click()
    page.wait_for_function(
        "before => document.querySelector('#fn-viewer .fn-viewer').dataset.place !== before", arg=shown
    )


def test_the_original_is_given_out_where_it_is_allowed(visit, address):
    page = visit(address)
    ask(page, HEIGHT).locator(".fn-cite").first.click()
    link = page.locator("#fn-viewer").get_by_text("Original")
    link.wait_for()
    with urllib.request.urlopen(address + link.get_attribute("href")) as reply:
        assert reply.read().decode() == LIBRARY["towers/tower.txt"]
    for source in ("../../etc/passwd", "/etc/passwd", "no.txt"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}original?source={source}")


@pytest.mark.parametrize(
    ("fragment", "message"),
    [
        ("#open/0-0-0-0-0-999999/towers%2Ftower.txt", "changed"),
        ("#open/0-0-0-0-0-1/..%2F..%2Fetc%2Fpasswd", "etc/passwd"),
        ("#open/5-4-3-2-1-0/towers%2Ftower.txt", "no place"),
        ("#page-999/0-0-0-0-0-1/bridge.pdf", "The page itself can't be shown"),
        ("#page-1/0-0-0-0-0-999999/bridge.pdf", "changed"),
    ],
)
def test_a_forged_link_is_refused(visit, address, fragment, message):
    page = visit(f"{address}{fragment}")
    told = page.locator("#fn-viewer :is(.fn-error, .fn-notice)")
    told.wait_for()
    assert message in told.text_content()
