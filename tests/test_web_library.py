"""The library in a browser: finding, limiting, uploading, deleting, restoring, reading again."""

from __future__ import annotations

import pytest

from index import rebuild
from qa import QA

from .conftest import write_files
from .web_site import HEIGHT, LIBRARY, ask, served

pytestmark = pytest.mark.browser


def open_library(page):
    page.get_by_role("tab", name="Library").click()
    page.locator("#fn-table tbody tr").first.wait_for()


def rows(page) -> list[str]:
    return [row.locator(".fn-path").text_content() for row in page.locator("#fn-table tbody tr").all()]


def wait_for_rows(page, count: int) -> None:
    page.wait_for_function(f"document.querySelectorAll('#fn-table tbody tr').length === {count}")


def test_documents_are_found_by_name_and_status(visit, address):
    page = visit(address)
    open_library(page)
    assert len(rows(page)) == len(LIBRARY)
    page.get_by_label("Find a document").fill("TOWER")
    wait_for_rows(page, 1)
    assert rows(page) == ["towers/tower.txt"]
    page.get_by_label("Find a document").fill("")
    wait_for_rows(page, len(LIBRARY))
    page.get_by_label("Show").click()
    page.get_by_role("option", name="not indexed").click()
    wait_for_rows(page, 1)
    assert rows(page) == ["empty.txt"]
    assert (
        "there is no text" in page.locator("#fn-table").text_content()
        or "no text" in page.locator("#fn-table").text_content()
    )


def test_the_chat_is_limited_to_chosen_documents(visit, address):
    page = visit(address)
    open_library(page)
    page.locator("#fn-table tr:has-text('vault.md')").get_by_text("Ask only this").click()
    page.get_by_role("tab", name="Ask").click()
    page.locator("#fn-scope").get_by_text("vault.md").wait_for()
    assert "don't say" in ask(page, HEIGHT).text_content()
    page.get_by_text("Ask all documents").click()
    page.wait_for_function("!document.querySelector('#fn-scope p')")
    ask(page, HEIGHT).locator(".fn-quote").wait_for()


def test_the_chat_is_limited_to_what_was_found(visit, address):
    page = visit(address)
    open_library(page)
    page.get_by_label("Find a document").fill("towers/")
    wait_for_rows(page, 1)
    page.get_by_role("button", name="Ask only in these").click()
    page.get_by_role("tab", name="Ask").click()
    page.locator("#fn-scope").get_by_text("towers/tower.txt").wait_for()


def test_without_a_folder_nothing_can_be_changed(visit, address):
    page = visit(address)
    open_library(page)
    assert page.locator("#fn-upload, #fn-table a[href^='#do/delete']").count() == 0
    assert page.get_by_role("button", name="Read all files again").count() == 0


@pytest.fixture
def own(tmp_path):
    """An app over a folder that visitors may change, with a bundled encoder, as its builds run elsewhere."""
    folder = tmp_path / "library"
    write_files(folder, {"a.txt": "The spoon of Tolm was sold by Mary.", "b.txt": "The fork was lost."})
    index_dir = tmp_path / "index"
    rebuild(folder, index_dir)
    with QA.open(index_dir) as qa, served(qa, tmp_path / "data", (folder,)) as (address, _):
        yield address, folder


def test_an_uploaded_file_is_read_and_answers(own, visit):
    address, folder = own
    page = visit(address)
    open_library(page)
    page.locator("#fn-upload input[type=file]").set_input_files(
        [
            {"name": "knife.txt", "mimeType": "text/plain", "buffer": b"The knife of Tolm was made by Ada."},
            {"name": "virus.exe", "mimeType": "application/x", "buffer": b"MZ"},
        ]
    )
    page.get_by_text("uploads/knife.txt").first.wait_for()
    assert "refused" in page.locator("#fn-outcomes").text_content()
    page.locator("#fn-table tr:has-text('uploads/knife.txt')").wait_for(timeout=60_000)
    assert (folder / "uploads" / "knife.txt").is_file()
    page.get_by_role("tab", name="Ask").click()
    assert "Ada" in ask(page, "Who made the knife of Tolm?").text_content()


def test_a_deleted_file_stops_answering_and_is_restored(own, visit):
    address, folder = own
    page = visit(address)
    open_library(page)
    page.locator("#fn-table tr:has-text('a.txt')").get_by_text("Delete").click()
    page.get_by_role("button", name="Keep it").first.click()
    assert (folder / "a.txt").exists()
    page.locator("#fn-table tr:has-text('a.txt')").get_by_text("Delete").click()
    page.get_by_role("button", name="Move to the trash").click()
    page.wait_for_function(
        "!document.querySelector('#fn-table').textContent.includes('a.txt')", timeout=60_000
    )
    assert not (folder / "a.txt").exists()
    page.get_by_text("Trash and disk use").click()
    page.locator("#fn-trash").get_by_text("Restore").click()
    page.locator("#fn-table tr:has-text('a.txt')").wait_for(timeout=60_000)
    assert (folder / "a.txt").read_text() == "The spoon of Tolm was sold by Mary."


def test_all_files_are_read_again_while_questions_are_answered(own, visit):
    address, _ = own
    page = visit(address)
    open_library(page)
    page.get_by_role("button", name="Read all files again").click()
    page.locator("#fn-progress .fn-progress").wait_for()
    page.get_by_role("tab", name="Ask").click()
    assert "Mary" in ask(page, "Who sold the spoon of Tolm?").text_content()
