"""The web app in a real browser: ``python -m bench.web [--minutes N] [--documents N]``.

Starts ``python app.py`` on ``seeds/`` and drives it with headless Chromium: the first paint, the time from
Enter to the rendered answer, from the click on a citation to the marked words. Then a library of many
documents (made up): opening it, and filtering it. Then 16 users who ask the
page's own function without a pause for some minutes: errors, times, and the server's memory. Needs Chromium,
and the ``test`` extra for Playwright. Writes ``bench/results/web.json``.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import psutil

from bench import report
from bench.following import write_notes
from bench.machine import described
from index import rebuild
from tests.browser import chromium

ROOT = Path(__file__).parent.parent
USERS = 16
RUNS = 10
QUESTIONS = (
    "How much is Amazon investing in Anthropic?",
    "Who dominates the AI chip market?",
    "What are Trainium chips designed for?",
    "Why is Amazon investing in Anthropic?",
    "Which company makes Claude?",
)
LIMITS = {
    "first paint": 2.5,
    "question to answer": 0.6,
    "citation to mark": 0.3,
    "library opened": 1.0,
    "library filtered": 1.0,
    "16 users, p95": 5.0,
    "16 users, errors": 0,
}


@contextmanager
def served(*arguments: str) -> Iterator[tuple[str, psutil.Process]]:
    """The address of a running app, and its process."""
    command = [sys.executable, "app.py", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = None
        while found is None:
            line = process.stdout.readline()
            assert line, "the app ended before it served"
            found = re.search(r"http://\S+", line)
        yield found[0].rstrip("/") + "/", psutil.Process(process.pid)
        process.terminate()


def in_browser(browser: Any, address: str) -> dict[str, Any]:  # noqa: ANN401 - playwright's
    """What one visitor sees, each the times of `RUNS` trials in seconds."""
    rows: dict[str, Any] = {"first paint": [], "question to answer": [], "citation to mark": []}
    for _ in range(RUNS // 2):
        context = browser.new_context()  # an empty cache each time
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("#fn-box textarea")
        script = "performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"
        rows["first paint"].append(page.evaluate(script))
        context.close()
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    page.goto(address)
    page.wait_for_selector("#fn-box textarea")
    for number in range(RUNS + 1):
        cards = page.locator("#fn-chat .fn-card:not(.fn-busy)")
        page.fill("#fn-box textarea", QUESTIONS[number % len(QUESTIONS)])
        started = time.perf_counter()
        page.press("#fn-box textarea", "Enter")
        cards.nth(number).wait_for()
        if number:  # the first one is at the models' expense
            rows["question to answer"].append(time.perf_counter() - started)
        page.wait_for_timeout(200)
    links = page.locator("#fn-chat .fn-card > .fn-cites .fn-cite")  # not those that are folded away
    for number in range(RUNS):
        page.evaluate("document.querySelector('#fn-viewer').dataset.old = 'yes'")
        page.keyboard.press("Escape")
        page.locator("#fn-viewer .fn-empty").wait_for()
        link = links.nth(number % links.count())
        link.scroll_into_view_if_needed()
        started = time.perf_counter()
        link.click()
        page.locator("#fn-viewer .fn-key").first.wait_for()
        rows["citation to mark"].append(time.perf_counter() - started)
    return rows


def library(browser: Any, address: str) -> dict[str, Any]:  # noqa: ANN401 - playwright's
    """Opening and filtering a library of many documents."""
    rows: dict[str, list[float]] = {"library opened": [], "library filtered": []}
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector("#fn-box textarea")
    for number in range(RUNS // 2):
        page.get_by_role("tab", name="Ask").click()
        page.wait_for_timeout(500)
        started = time.perf_counter()
        page.get_by_role("tab", name="Library").click()
        if number:
            page.wait_for_timeout(50)
        page.locator("#fn-table tbody tr").first.wait_for()
        rows["library opened"].append(time.perf_counter() - started)
        wanted = f"note{700 + number}7."
        started = time.perf_counter()
        page.get_by_label("Find a document").fill(wanted)
        page.locator(f"#fn-table tbody tr:first-child:has-text('{wanted}')").wait_for()
        rows["library filtered"].append(time.perf_counter() - started)
        page.get_by_label("Find a document").fill("")
        page.wait_for_timeout(500)
    return rows


def asked_together(address: str, process: psutil.Process, minutes: float) -> dict[str, Any]:
    """`USERS` users who ask the chat's own function, one question after the other."""
    with urllib.request.urlopen(f"{address}config") as reply:
        config = json.load(reply)
    function = next(each["id"] for each in config["dependencies"] if _is_submit(each, config))
    taken: list[float] = []
    errors: list[str] = []
    over = time.monotonic() + minutes * 60

    def user() -> None:
        number, visit = 0, uuid.uuid4().hex
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        browser.open(address).close()
        while time.monotonic() < over:
            started = time.perf_counter()
            problem = _asked(browser, address, function, visit, QUESTIONS[number % len(QUESTIONS)])
            taken.append(time.perf_counter() - started)
            if problem:
                errors.append(problem)
            number += 1

    users = [threading.Thread(target=user) for _ in range(USERS)]
    for each in users:
        each.start()
    memory = []
    while any(each.is_alive() for each in users):
        memory.append(process.memory_info().rss / 1e6)
        time.sleep(1)
    half = len(memory) // 2
    return {
        "16 users, seconds": sorted(taken),
        "16 users, errors": len(errors),
        "first errors": errors[:3],
        "memory, first half": max(memory[:half]),
        "memory, second half": max(memory[half:]),
    }


def _is_submit(dependency: dict[str, Any], config: dict[str, Any]) -> bool:
    boxes = {each["id"] for each in config["components"] if each["props"].get("elem_id") == "fn-box"}
    return any(target[0] in boxes and target[1] == "submit" for target in dependency["targets"])


def _asked(
    browser: urllib.request.OpenerDirector, address: str, function: int, visit: str, question: str
) -> str:
    """Ask as the page does: join the queue, and read its events to the end. Returns what went wrong."""
    request = urllib.request.Request(
        f"{address}gradio_api/queue/join",
        json.dumps({"fn_index": function, "data": [question, None, None], "session_hash": visit}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        browser.open(request, timeout=60).close()
        with browser.open(f"{address}gradio_api/queue/data?session_hash={visit}", timeout=60) as events:
            for line in events:
                event = json.loads(line[6:]) if line.startswith(b"data: ") else {}
                if event.get("msg") == "process_completed":
                    return "" if event["success"] else str(event)[:300]
    except OSError as error:
        return repr(error)
    return "the events ended before the answer"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--documents", type=int, default=20_000)
    arguments = parser.parse_args()
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        index = Path(scratch) / "seeds"
        options = ["--folder", str(ROOT / "seeds"), "--index", str(index)]
        with served(*options) as (address, process):
            rows |= in_browser(browser, address)
            rows |= asked_together(address, process, arguments.minutes)
        write_notes(Path(scratch) / "notes", arguments.documents)
        rebuild(Path(scratch) / "notes", Path(scratch) / "index")
        with served("--index", str(Path(scratch) / "index")) as (address, _):
            rows |= library(browser, address)
    result = {"machine": described(), "rows": rows}
    (report.RESULTS / "web.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    rows["16 users, p95"] = rows["16 users, seconds"][int(0.95 * len(rows["16 users, seconds"]))]
    for name, limit in LIMITS.items():
        value = statistics.median(rows[name]) if isinstance(rows[name], list) else rows[name]
        print(f"{name:24} {value:8.3f}, at most {limit:g}: {'met' if value <= limit else 'missed'}")
    halves = [rows[f"memory, {half} half"] for half in ("first", "second")]
    print(f"most memory: {halves[0]:.0f} MB in the first half, {halves[1]:.0f} MB in the second")


if __name__ == "__main__":
    main()
