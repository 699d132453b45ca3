"""The page that shows what is asked and what comes of it; `qa.web.counts` counts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import gradio as gr
from gradio.components import Navbar

from index import FootnoteError
from qa.web import cards, places
from qa.web.counts import Bin, Day, Insights, Stage, Unanswered, by_week, summary
from qa.web.site import QUIETLY
from qa.web.store import Store

PERIODS = (("The last 7 days", 7), ("The last 30 days", 30), ("The last 365 days", 365))
LONGEST = PERIODS[-1][1]
BY_WEEK = 90
"""Periods of more days than this are shown by week: a bar a day would be thinner than a pixel on a phone."""

SPELT_OUT = 7
"""Bars of more days than this have no dates below them: these would lie over each other on a phone."""

_COLOURS = {"answered": "#14857b", "refused": "#c77d1e", "failed": "#c2434f"}
_SPEEDS = {"95 in 100": "#4f86c6", "half of the questions": "#14857b"}
_NUMBERS = ("questions", "milliseconds")
_CONFIDENCE = "Confidence of the best candidate"
_LATENCY = "Time that questions took at most, by stage"

MAIN_PAGE = "Documents"
"""What the way back to the chat is called."""


def add_page(app: gr.Blocks, store: Store, may_see: Callable[[gr.Request], str | None]) -> None:
    """Add the page "Insights" to ``app``; all its figures are counted when it is opened.

    Args:
        app: the web app, outside its ``with``.
        store: the kept conversations.
        may_see: whose turns a visitor may see counted, None for everybody's; raises a FootnoteError or
            a gr.Error where none.
    """
    with app.route("Insights", "/insights"):
        Navbar(main_page_name=MAIN_PAGE)
        period = gr.Dropdown(
            list(PERIODS), value=30, label="Period", interactive=True, elem_id="fn-period", filterable=False
        )
        head = _html("fn-totals")
        with gr.Column(visible=False, elem_id="fn-insights") as content:
            with gr.Column(elem_classes="fn-figure"):
                per_day = _bars("Questions by day (UTC)", "day", "questions", "outcome", _COLOURS)
                per_day_table = _html("fn-per-day")
            with gr.Row():
                with gr.Column(elem_classes="fn-figure", min_width=320):
                    confidence = _bars(_CONFIDENCE, "confidence", "questions", "outcome", _COLOURS)
                    confidence_table = _html("fn-confidences")
                with gr.Column(elem_classes="fn-figure", min_width=320):
                    latency = _bars(_LATENCY, "stage", "milliseconds", "share", _SPEEDS, tooltip="none")
                    latency_table = _html("fn-latency")
            cited = _html("fn-cited")
            unanswered = _html("fn-unanswered")

        def fill(days: int, request: gr.Request) -> tuple[Any, ...]:
            try:
                whose = may_see(request)
                found = summary(store, days, whose)
                older = found if found.total.asked else summary(store, LONGEST, whose)
            except (FootnoteError, gr.Error) as error:
                reason = error.message if isinstance(error, gr.Error) else str(error)
                return cards.error_card(reason), gr.Column(visible=False), *[gr.skip()] * 8
            if not found.total.asked:
                return _empty(days if older.total.asked else None), gr.Column(visible=False), *[gr.skip()] * 8
            shown = found.days if days <= BY_WEEK else by_week(found.days)
            return (
                _head(found),
                gr.Column(visible=True),
                gr.BarPlot(
                    _day_plot(shown),
                    label=_day_label(days),
                    x_title=f"{_day_name(found.days[0].day)} to {_day_name(found.days[-1].day)}",
                    x_axis_labels_visible=days <= SPELT_OUT,
                    sort=[_day_name(day.day) for day in shown],
                ),
                _day_table(shown, days),
                _confidence_plot(found.confidence),
                _confidence_table(found.confidence),
                gr.BarPlot(_latency_plot(found.stages), sort=[each.stage for each in found.stages]),
                _latency_table(found.stages),
                _cited_table(found.cited),
                _unanswered_table(found.unanswered),
            )

        shown = [head, content, per_day, per_day_table, confidence, confidence_table, latency, latency_table]
        for event in (app.load, period.change):
            event(fill, [period], [*shown, cited, unanswered], **QUIETLY)


def _bars(
    label: str, x: str, y: str, colour: str, colours: dict[str, str], tooltip: str = "axis"
) -> gr.BarPlot:
    """A plot of stacked bars; the first colour is on top. `_details` says below it what each is."""
    return gr.BarPlot(
        label=label,
        x=x,
        y=y,
        color=colour,
        color_map=colours,
        colors_in_legend=[],
        x_title=" ",
        y_title=y.capitalize(),
        x_label_angle=-45,
        y_lim=[0, None],
        tooltip=tooltip,  # type: ignore[arg-type]
    )


def _html(elem_id: str) -> gr.HTML:
    return gr.HTML("", elem_id=elem_id, elem_classes="fn-counted", apply_default_css=False, js_on_load=None)


def _empty(days: int | None) -> str:
    """What stands here without questions: none in so many days, or none at all."""
    said = (
        "No question has been asked yet" if days is None else f"No question was asked in the last {days} days"
    )
    return (
        f'<div class="fn-nothing"><p class="fn-verdict">{said}</p><p>What is asked is counted here: how '
        "often there was an answer, how sure it was, how long it took, and which documents were "
        "quoted.</p></div>"
    )


def _head(found: Insights) -> str:
    """The figures of the whole period."""
    total = found.total
    time = next((stage for stage in found.stages if stage.stage == "total"), None)
    tiles = {
        "questions": f"{total.asked:,}",
        "answered": f"{total.answered:,} ({cards.percent(total.answered / total.asked)})",
        "refused": f"{total.refused:,} ({cards.percent(total.refused / total.asked)})",
        "failed": f"{total.failed:,}",
        "time, half of them": f"{time.p50:,.0f} ms" if time else "\N{EM DASH}",
        "time, 95 in 100": f"{time.p95:,.0f} ms" if time else "\N{EM DASH}",
    }
    shown = "".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in tiles.items())
    return f'<dl class="fn-tiles">{shown}</dl>'


def _day_label(days: int) -> str:
    return "Questions by week (UTC)" if days > BY_WEEK else "Questions by day (UTC)"


def _day_plot(days: Sequence[Day]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {"day": [], "questions": [], "outcome": []}
    for day in days:
        for outcome in _COLOURS:
            columns["day"].append(_day_name(day.day))
            columns["questions"].append(getattr(day, outcome))
            columns["outcome"].append(outcome)
    return _plotted("bar", columns)


def _confidence_plot(bins: Sequence[Bin]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {"confidence": [], "questions": [], "outcome": []}
    for each in bins:
        for outcome, count in (("answered", each.answered), ("refused", each.refused)):
            columns["confidence"].append(_range(each))
            columns["questions"].append(count)
            columns["outcome"].append(outcome)
    return _plotted("bar", columns)


def _latency_plot(stages: Sequence[Stage]) -> dict[str, Any]:
    """Bars that reach to the 95th percentile, stacked on the median: only their upper ends tell a time."""
    columns: dict[str, list[Any]] = {"stage": [], "milliseconds": [], "share": []}
    for stage in stages:
        for speed, value in zip(_SPEEDS, (stage.p95 - stage.p50, stage.p50), strict=True):
            columns["stage"].append(stage.stage)
            columns["milliseconds"].append(round(value, 1))
            columns["share"].append(speed)
    return _plotted("bar", columns)


def _plotted(kind: str, columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """What gradio would make of a pandas frame with these columns; pandas takes half a second to load."""
    return {
        "columns": list(columns),
        "data": [list(row) for row in zip(*columns.values(), strict=True)],
        "datatypes": {name: "quantitative" if name in _NUMBERS else "nominal" for name in columns},
        "mark": kind,
    }


def _day_table(days: Sequence[Day], period: int) -> str:
    rows = [
        (day.day.isoformat(), f"{day.answered:,}", f"{day.refused:,}", f"{day.failed:,}")
        for day in reversed(days)
    ]
    first = "Week from" if period > BY_WEEK else "Day"
    return _details(_COLOURS, _day_label(period), (first, "Answered", "Refused", "Failed"), rows)


def _confidence_table(bins: Sequence[Bin]) -> str:
    rows = [(_range(each), f"{each.answered:,}", f"{each.refused:,}") for each in bins]
    shown = {outcome: _COLOURS[outcome] for outcome in ("answered", "refused")}
    return _details(shown, _CONFIDENCE, ("Confidence", "Answered", "Refused"), rows)


def _latency_table(stages: Sequence[Stage]) -> str:
    rows = [(places.name(each.stage), f"{each.p50:,.1f} ms", f"{each.p95:,.1f} ms") for each in stages]
    return _details(_SPEEDS, _LATENCY, ("Stage", "Half, at most", "95 in 100, at most"), rows)


def _cited_table(cited: Sequence[tuple[str, int]]) -> str:
    """Documents with a bar for each: their names may be long, and nothing of them is markup."""
    most = max((count for _, count in cited), default=1)
    rows = [
        (
            f'<span class="fn-path">{places.path(source)}</span>'
            f'<span class="fn-bar" style="width:{100 * count / most:.1f}%"></span>',
            f"{count:,}",
        )
        for source, count in cited
    ]
    head = "<h2>Most cited documents</h2>"
    if not rows:
        return f'{head}<p class="fn-hint">No answer has cited a document yet.</p>'
    return head + _table("Most cited documents", ("Document", "Answers"), rows)


def _unanswered_table(unanswered: Sequence[Unanswered]) -> str:
    head = "<h2>Questions without an answer</h2>"
    if not unanswered:
        return f'{head}<p class="fn-hint">Every question had an answer.</p>'
    rows = [
        (
            places.name(each.question[:300])
            + ("\N{HORIZONTAL ELLIPSIS}" if len(each.question) > 300 else ""),
            places.name(each.error[:300]) if each.error else "the documents don't say",
            cards.confidence_words(each.confidence) if not each.error else "\N{EM DASH}",
            f"{each.at[:16].replace('T', ' ')} UTC",
        )
        for each in unanswered
    ]
    label = "Questions without an answer, the newest first"
    return head + _table(label, ("Question", "Why", "Confidence", "Asked"), rows)


def _details(
    colours: Mapping[str, str], label: str, head: Sequence[str], rows: Sequence[Sequence[str]]
) -> str:
    """A plot's legend and numbers; gradio's own legend has letters of 10 pixels on every screen."""
    legend = "".join(
        f'<li><span style="background:{colour}"></span>{name}</li>' for name, colour in colours.items()
    )
    return (
        f'<ul class="fn-legend">{legend}</ul>'
        f"<details><summary>The numbers</summary>{_table(label, head, rows)}</details>"
    )


def _table(label: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are escaped already."""
    heads = "".join(f'<th scope="col">{each}</th>' for each in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return (
        f'<div class="fn-numbers" tabindex="0" role="region" aria-label="{label}"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _range(each: Bin) -> str:
    return f"{each.low:.0%}".rstrip("%") + f"\N{EN DASH}{each.high:.0%}"


def _day_name(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
