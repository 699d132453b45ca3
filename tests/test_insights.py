"""Insights: what is counted over the kept conversations, and the page that shows it."""

from __future__ import annotations

import json
import random
import socket
import sqlite3
import urllib.request
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

import gradio as gr
import pytest

from index import UsageError
from qa import Answer, Citation
from qa.metrics import percentile
from qa.web import insights, store
from qa.web.counts import Bin, Day, by_week
from qa.web.insights import add_page, summary

TODAY = date(2026, 11, 23)
HOSTILE = '<img src=x onerror=alert(1)><script>alert(2)</script> **b** \u202etxt"'


def answer(confidence: float | None, *sources: str, **timings: float) -> Answer:
    """An answer that cites each of ``sources``; a refusal without them."""
    citations = tuple(Citation(s, 0, 4, "five", 0, 4, 0, 4, "five", None, [], s) for s in sources)
    text = "five" if sources else ""
    return Answer(bool(sources), text, text, confidence, citations, (), (), "?", timings)


@pytest.fixture
def kept(tmp_path):
    with store.Store(tmp_path) as made:
        yield made


@pytest.fixture
def add(kept, monkeypatch):
    """Keep a turn as if it had been asked at another time."""

    def added(at: str, came: Answer | str, user: str = "ann", question: str = "How many?") -> None:
        monkeypatch.setattr(store, "_now", lambda: at)
        came, error = (None, came) if isinstance(came, str) else (came, "")
        kept.add(user, f"of-{user}", question, None, came, error)

    return added


# Counting


def test_nothing_is_asked_before_there_is_a_file(kept):
    found = summary(kept, 7, today=TODAY)
    assert [day.day.day for day in found.days] == [17, 18, 19, 20, 21, 22, 23]
    assert (found.total.asked, found.stages, found.cited, found.unanswered) == (0, (), (), ())
    assert not kept.path.exists()


def test_days_are_filled_in_and_what_is_before_the_period_does_not_count(kept, add):
    add("2026-11-16T23:59:59.999+00:00", answer(0.9, "a.txt"))
    add("2026-11-17T00:00:00.000+00:00", answer(0.9, "a.txt"))
    add("2026-11-23T10:00:00.000+00:00", answer(0.9, "a.txt"))
    add("2026-11-23T11:00:00.000+00:00", answer(0.1))
    add("2026-11-23T12:00:00.000+00:00", "the index is closed")
    days = summary(kept, 7, today=TODAY).days
    assert days[0] == Day(date(2026, 11, 17), answered=1)
    assert days[1:6] == tuple(Day(date(2026, 11, n)) for n in range(18, 23))
    assert days[6] == Day(TODAY, 1, 1, 1)
    assert summary(kept, 8, today=TODAY).total == Day(date(2026, 11, 16), 3, 1, 1)


def test_only_the_turns_of_one_user_are_counted_where_that_is_wanted(kept, add):
    add("2026-11-23T10:00:00.000+00:00", answer(0.9, "ann.txt", total=1.0), "ann")
    add("2026-11-23T10:00:00.000+00:00", answer(0.9, "bob.txt", total=9.0), "bob")
    add("2026-11-23T10:00:00.000+00:00", answer(0.1), "bob", "Of bob?")
    mine, all_of_them = summary(kept, 7, "ann", TODAY), summary(kept, 7, today=TODAY)
    assert (mine.total.asked, all_of_them.total.asked) == (1, 3)
    assert mine.cited == (("ann.txt", 1),)
    assert mine.stages[0].p95 == 1.0
    assert mine.unanswered == ()
    assert sum(each.answered for each in mine.confidence) == 1


def test_confidences_fall_into_ten_bins_the_last_with_certainty(kept, add):
    for confidence in (0.0, 0.0999, 0.1, 0.95, 1.0, None):
        add("2026-11-23T10:00:00.000+00:00", answer(confidence, "a.txt"))
    add("2026-11-23T10:00:00.000+00:00", answer(0.15))
    bins = summary(kept, 7, today=TODAY).confidence
    assert len(bins) == 10
    assert bins[:2] == (Bin(0.0, 0.1, 2, 0), Bin(0.1, 0.2, 1, 1))
    assert bins[9] == Bin(0.9, 1.0, 2, 0)


def test_the_percentiles_are_those_of_the_nearest_rank(kept, add):
    drawn = random.Random(1)
    reads = [drawn.random() * 100 for _ in range(37)]
    for read in reads:
        add("2026-11-23T10:00:00.000+00:00", answer(0.9, "a.txt", search=2.0, read=read, total=read + 2))
    add("2026-11-23T10:00:00.000+00:00", answer(0.9, "a.txt", search=3.0, total=3.0))
    stages = {each.stage: each for each in summary(kept, 7, today=TODAY).stages}
    assert list(stages) == ["read", "search", "total"]
    assert (stages["read"].p50, stages["read"].p95) == (percentile(reads, 0.5), percentile(reads, 0.95))
    assert (stages["search"].p50, stages["search"].p95) == (2.0, 2.0)


def test_a_document_counts_once_for_each_answer_that_cites_it(kept, add):
    add("2026-11-23T10:00:00.000+00:00", answer(0.9, "b.txt", "b.txt", "a.txt"))
    add("2026-11-23T10:00:00.000+00:00", answer(0.9, "b.txt", *(f"{n:02}.txt" for n in range(30))))
    cited = summary(kept, 7, today=TODAY).cited
    assert cited[:3] == (("b.txt", 2), ("00.txt", 1), ("01.txt", 1))
    assert len(cited) == 15


def test_questions_without_an_answer_are_listed_newest_first(kept, add):
    for n in range(60):
        add(f"2026-11-23T10:{n:02}:00.000+00:00", answer(0.2), question=f"{n}?")
    add("2026-11-23T11:00:00.000+00:00", "the index is closed", question="Last?")
    listed = summary(kept, 7, today=TODAY).unanswered
    assert len(listed) == 50
    assert (listed[0].question, listed[0].confidence, listed[0].error) == (
        "Last?",
        None,
        "the index is closed",
    )
    assert (listed[1].question, listed[1].confidence, listed[1].error) == ("59?", 0.2, "")


def test_what_is_deleted_is_counted_no_more(kept, add):
    add("2026-11-23T10:00:00.000+00:00", answer(0.9, "a.txt", total=1.0))
    kept.delete("ann", "of-ann")
    found = summary(kept, 7, today=TODAY)
    assert (found.total.asked, found.cited, found.stages) == (0, (), ())


@pytest.mark.parametrize(("days", "sizes"), [(1, [1]), (7, [7]), (9, [2, 7]), (365, [1, *[7] * 52])])
def test_weeks_end_with_the_last_day_and_lose_nothing(days, sizes):
    every = [Day(date.fromordinal(1000 + n), n, 1, 0) for n in range(days)]
    weeks = by_week(every)
    assert [week.refused for week in weeks] == sizes
    assert sum(week.answered for week in weeks) == sum(range(days))
    assert weeks[-1].day == every[-sizes[-1]].day


def test_counting_keeps_nobody_from_asking(kept, add):
    add("2026-11-23T10:00:00.000+00:00", answer(0.9, "a.txt"))
    with kept.reading() as connection:
        connection.execute("SELECT count(*) FROM turns").fetchone()
        add("2026-11-23T10:00:01.000+00:00", answer(0.9, "a.txt"))
        assert connection.execute("SELECT count(*) FROM turns").fetchone() == (1,)  # one state, all the time
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM turns")
    assert summary(kept, 7, today=TODAY).total.asked == 2


# The page


@pytest.fixture
def serve():
    """Serve the page and return its address."""
    opened = []

    def served(kept: store.Store, may_see=lambda request: None) -> str:
        app = gr.Blocks(analytics_enabled=False)
        opened.append(app)
        with app:
            gr.HTML("Home")
        add_page(app, kept, may_see)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        return app.launch(server_port=port, prevent_thread_lock=True, quiet=True, ssr_mode=False)[1]

    yield served
    for app in opened:
        app.close(verbose=False)


def refused(request: gr.Request) -> str:
    raise UsageError("only admins may see <b>this</b>")


def test_nothing_of_the_page_is_in_the_api(serve, kept):
    address = serve(kept)
    with urllib.request.urlopen(f"{address}gradio_api/info") as reply:
        described = json.load(reply)
    assert described == {"named_endpoints": {}, "unnamed_endpoints": {}}


def test_names_and_questions_are_escaped_and_their_controls_named(kept, add):
    now = datetime.now(UTC).isoformat()
    add(now, answer(0.9, HOSTILE))
    add(now, "an error " + HOSTILE, question=HOSTILE)
    found = summary(kept, 7)
    for markup in (insights._cited_table(found.cited), insights._unanswered_table(found.unanswered)):
        assert "&lt;img src=x onerror=alert(1)&gt;" in markup
        assert "<img" not in markup
        assert "<script" not in markup
        assert "\u202e" not in markup
        assert "[U+202E]" in markup


def test_the_plots_hold_the_numbers_of_the_tables(kept, add):
    now = datetime.now(UTC).isoformat()
    for _ in range(3):
        add(now, answer(0.95, "a.txt", total=40.0))
    add(now, answer(0.15, total=50.0))
    found = summary(kept, 7)
    day = insights._day_name(found.days[-1].day)
    assert [row for row in insights._day_plot(found.days)["data"] if row[0] == day] == [
        [day, 3, "answered"],
        [day, 1, "refused"],
        [day, 0, "failed"],
    ]
    assert ["90–100%", 3, "answered"] in insights._confidence_plot(found.confidence)["data"]
    assert insights._latency_plot(found.stages)["data"] == [
        ["total", 10.0, "95 in 100"],
        ["total", 40.0, "half of the questions"],
    ]
    assert "<bdi>total</bdi></th><td>40.0 ms</td><td>50.0 ms</td>" in insights._latency_table(found.stages)


@pytest.mark.browser
def test_the_page_in_a_browser(browser, serve, tmp_path, add, kept):
    now = datetime.now(UTC).isoformat()
    page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    hosts, dialogs, errors = set(), [], []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: errors.append(str(error)))
    address = serve(kept)
    page.goto(f"{address}insights")
    page.get_by_text("No question has been asked yet").wait_for()
    assert not page.locator("#fn-insights").is_visible()
    add(now, answer(0.9, HOSTILE, read=30.0, total=40.0))
    add(now, answer(0.2, total=50.0), question=HOSTILE)
    page.reload()
    page.wait_for_function("document.querySelectorAll('#fn-insights svg.marks').length == 3")
    assert "2" in page.locator(".fn-tiles dd").first.text_content()
    assert HOSTILE.replace("\u202e", "[U+202E]") in page.locator("#fn-unanswered").text_content()
    assert HOSTILE.replace("\u202e", "[U+202E]") in page.locator("#fn-cited").text_content()
    page.locator("#fn-latency summary").click()
    assert page.locator("#fn-latency tbody tr").count() == 2
    page.locator("#fn-period input").click()
    page.get_by_role("option", name="365").click()
    page.get_by_text("Questions by week (UTC)").wait_for()
    page.wait_for_function("document.querySelectorAll('#fn-insights svg.marks').length == 3")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    forbidden = serve(kept, refused)
    page.goto(f"{forbidden}insights")
    page.get_by_text("only admins may see <b>this</b>").wait_for()
    assert not page.locator("#fn-insights").is_visible()
    page.context.close()
    assert (dialogs, errors) == ([], [])
    assert hosts <= {urlsplit(address).netloc, urlsplit(forbidden).netloc, ""}
