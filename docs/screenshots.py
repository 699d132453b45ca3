"""The pictures in the documents: ``make screenshots``. Needs Chromium and the ``test`` extra.

Asks an app of its own, over ``seeds/`` and a report that it prints to PDF, and overwrites the pictures.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from qa import QA  # noqa: E402 - the repository is not always installed
from tests.browser import chromium  # noqa: E402
from tests.pdf_writer import write_pdf  # noqa: E402
from tests.web_site import ask, served  # noqa: E402

PICTURES = ROOT / "docs" / "screenshots"
DESKTOP = {"width": 1400, "height": 860}
PHONE = {"width": 390, "height": 844}
INVESTED = "How much is Amazon investing in Anthropic?"
MARKET = "Who dominates the AI chip market?"
REPORT = "What was the load factor of the ferries in 2025?"
UNKNOWN = "What is the capital of France?"
LINES = """Ferries of the Skeld: annual report 2025

The company carried 412,300 passengers on its three lines, four per cent more than in 2024.
The load factor of the ferries was 71 per cent in 2025, after 68 per cent the year before.
The new electric ferry Aurora entered service on 3 May 2025 between Anvers and Marrowby.
She was built by the yard of Tolm and takes 240 passengers and 60 cars.

Maintenance of the two older ferries cost 1.9 million crowns. The board proposes to replace
the ferry Bora by a sister of the Aurora, for which 14 million crowns have been set aside.
The number of accidents fell from five to two; nobody was hurt in either of them.""".splitlines()


def documents(folder: Path) -> None:
    """The seed, and a report as PDF."""
    folder.mkdir()
    for seed in (ROOT / "seeds").iterdir():
        (folder / seed.name).write_bytes(seed.read_bytes())
    places = [(72.0, 720.0 - 17 * number, line) for number, line in enumerate(LINES) if line]
    (folder / "ferries-2025.pdf").write_bytes(write_pdf([places], title="Ferries of the Skeld"))


def take(browser: Any, address: str) -> None:  # noqa: ANN401 - playwright's
    """Take all pictures."""

    def visit(shown: dict[str, int], *, dark: bool = False, path: str = "") -> Any:  # noqa: ANN401
        context = browser.new_context(viewport=shown, device_scale_factor=1.5)
        page = context.new_page()
        page.goto(f"{address}{path}?__theme={'dark' if dark else 'light'}")
        return page

    def shoot(page: Any, name: str) -> None:  # noqa: ANN401
        page.mouse.move(0, 0)
        page.wait_for_timeout(800)
        page.screenshot(path=PICTURES / f"{name}.png")

    def answered(question: str, shown: dict[str, int], *, dark: bool = False) -> Any:  # noqa: ANN401
        page = visit(shown, dark=dark)
        page.wait_for_selector("#fn-box textarea")
        page.wait_for_timeout(500)
        ask(page, question)
        return page

    page = answered(REPORT, DESKTOP)
    page.locator(".fn-cite").first.click()
    page.locator("#fn-viewer .fn-paper img").wait_for()
    page.wait_for_timeout(800)
    page.screenshot(path=ROOT / "docs" / "screenshot.png")
    page = answered(INVESTED, DESKTOP, dark=True)
    page.locator(".fn-cite").first.click()
    page.locator("#fn-viewer .fn-text").wait_for()
    shoot(page, "answer-dark")
    shoot(answered(UNKNOWN, DESKTOP), "refusal")
    page = answered(MARKET, DESKTOP)
    page.get_by_role("tab", name="Library").click()
    page.locator("#fn-table tbody tr").first.wait_for()
    shoot(page, "library")
    page.goto(f"{address}insights?__theme=light")
    page.wait_for_timeout(3_000)
    shoot(page, "insights")
    shoot(answered(INVESTED, PHONE), "phone")
    page = answered(REPORT, PHONE, dark=True)
    page.locator(".fn-cite").first.click()
    page.locator("#fn-viewer .fn-paper img").wait_for()
    shoot(page, "phone-document-dark")


def main() -> None:
    """Serve the documents, and take the pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "documents"
        documents(folder)
        with QA.from_folder(folder, Path(scratch) / "index") as qa:
            qa.load()
            with chromium() as browser, served(qa, Path(scratch) / "data", (folder,)) as (address, _):
                take(browser, address)


if __name__ == "__main__":
    main()
