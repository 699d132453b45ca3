"""Words in the drawings of Office files: text, charts and diagrams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from index.parsers.office.package import chosen
from index.parsers.sheets.cell_text import format_of, shown
from index.parsers.xml_reading import child, children, local, nodes, value

if TYPE_CHECKING:
    from lxml.etree import _Element

_UNSEEN = frozenset(("pPr", "rPr", "endParaRPr"))
_GENERATED = ("slidenum", "datetime")  # fields that hold the number of the slide, or today's date
_DIAGRAM_MARKS = frozenset(("pres", "parTrans", "sibTrans", "doc"))
_CHART_ROWS = 500


def words(element: _Element | None) -> str:
    """The text of a paragraph."""
    pieces = []
    for node in nodes(element):
        name = local(node)
        if name == "t":
            pieces.append((node.text or "").replace("_x000B_", "\n"))
        elif name == "br":
            pieces.append("\n")
        elif name == "AlternateContent":
            pieces.append(words(chosen(node)))
        elif name not in _UNSEEN and not (value(node, "type") or "").startswith(_GENERATED):
            pieces.append(words(node))
    return "".join(pieces)


def diagram_lines(data: _Element | None) -> Iterator[str]:
    """The text of a diagram's nodes, in the order of its outline."""
    for point in children(child(data, "ptLst"), "pt"):
        if value(point, "type") not in _DIAGRAM_MARKS:
            for paragraph in children(child(point, "t"), "p"):
                yield words(paragraph)


def chart_data(root: _Element | None) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """A chart's title, and its data: a row with the names of the series, then one for each category."""
    chart = child(root, "chart")
    title = "\n".join(map(words, children(child(chart, "title", "tx", "rich"), "p")))
    names: list[str] = []
    columns: list[dict[int, str]] = []
    categories: dict[int, str] = {}
    for plot in nodes(child(chart, "plotArea")):
        for series in children(plot, "ser"):
            names.append(" ".join(_points(child(series, "tx")).values()))
            categories = categories or _points(child(series, "cat")) or _points(child(series, "xVal"))
            columns.append(_points(child(series, "val")) or _points(child(series, "yVal")))
    places = sorted({place for column in (categories, *columns) for place in column})[:_CHART_ROWS]
    rows = tuple(tuple(column.get(place, "") for column in (categories, *columns)) for place in places)
    return title, (("", *names), *rows) if rows else ()


def _points(source: _Element | None) -> dict[int, str]:
    """The values that a chart keeps of the cells it is drawn from, as they are shown."""
    found: dict[int, str] = {}
    if source is None:
        return found
    code = next((node.text or "" for node in source.iter("{*}formatCode")), "General")
    numeric = next(source.iter("{*}numCache", "{*}numLit"), None) is not None
    for number, point in enumerate(source.iter("{*}pt")):
        content = child(point, "v")
        text = (content.text or "") if content is not None else ""
        index = value(point, "idx") or ""
        place = int(index) if index.isdecimal() and len(index) < 9 else number
        try:
            found[place] = shown(float(text), format_of(code), from_1904=False) if numeric else text
        except (ValueError, ArithmeticError):
            found[place] = text
    return found
