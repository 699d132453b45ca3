"""Tables with a header, by what stands below what: rows of cells, and the lines above that name the columns.

PDF knows no tables. A wrong header is worse than none, so all of a table's looks must agree.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from index.columns import Cell, Column, columns_of, count, fitted, over
from index.parsers.pdf.cells import Row, rows_of
from index.parsers.pdf.lines import Line
from index.parsers.pdf.paper import PageText
from index.parsers.pdf.paragraphs import bullet_length, is_contents_line

_FEWEST = 3  # rows
_FEWEST_ON = 2  # rows that go on from the page before
_OFF = 0.5  # of the height of type, between the same column on two pages
_FEWEST_REPEATED = 3  # columns that a header on each page names
_LABELS = 3  # lines in a row without figures
_FAR = 3.5  # of the height of type, from a row to the next
_NEAR = 2.2  # the same, between lines of a header
_MOST_HEADER = 24  # lines above the rows: a cell may be several
_MOST_FULL = 3  # rows of a header that name most columns
_LONGEST = 60  # letters of a header's cell
_PROSE = 30  # letters; a row has no two cells of so many
_NO_NAME = re.compile(r".*:\Z|(?:table|figure|fig|chart|exhibit|note)\b\.? *\d", re.IGNORECASE)
_PAGES = re.compile(r"(?:pages?|pg\.?|seite|p[áa]gina|contents|table of contents)\Z", re.IGNORECASE)
_SENTENCE = re.compile(r"(?:\S+\s+){4,}\S+[.;]\Z")


@dataclass(frozen=True, slots=True)
class Table:
    """Lines of a page: from ``start`` on its header, from ``body`` to ``end`` its ``rows``.

    ``rows`` says where each of them begins. Those of ``apart`` are rows that follow a row: what else
    begins with a row may be the rest of one, or a name that goes on in it. Where the table goes on from the
    page before, ``start`` is ``body``.
    """

    start: int
    body: int
    end: int
    rows: tuple[int, ...]
    apart: frozenset[int]
    columns: tuple[Column, ...]

    @property
    def cuts(self) -> frozenset[int]:
        """Where no paragraph goes on."""
        return self.apart | {self.start, self.body, self.end}

    def row_of(self, place: int) -> int:
        """The number of the row that a line is in, from 1; the header is 0."""
        return bisect_right(self.rows, place)


def tables(
    page: PageText,
    lines: Sequence[Line],
    apart: Collection[int] = (),
    running: Collection[int] = (),
    begins: Collection[int] = (),
    before: Table | None = None,
) -> list[Table]:
    """The tables of a page whose header is plain to see, on it or over that of ``before``.

    None holds a line of ``apart``; of those ``running`` it may be a header that each page repeats. A line
    of ``begins`` can only be its first. ``before`` is the table that ends the page before.
    """
    if len(lines) < _FEWEST_ON:
        return []
    rows = rows_of(page, lines, apart, running, begins)
    found = _with_headers(rows) if len(lines) > _FEWEST else []
    top = next((place for place in range(len(lines)) if place not in running), 0)
    going_on = _going_on(rows, top, before.columns) if before is not None else None
    if going_on is not None and (not found or going_on.end <= found[0].start):
        found.insert(0, going_on)
    return found


def _with_headers(rows: Sequence[Row]) -> list[Table]:
    found: list[Table] = []
    place = 0
    while place < len(rows):
        if len(rows[place].cells) > 1 and not rows[place].runs:
            place, table = _table(rows, place, found[-1].end if found else 0)
            if table is not None:
                found.append(table)
        place += 1
    return found


def _going_on(rows: Sequence[Row], top: int, before: Sequence[Column]) -> Table | None:
    """The rows from the line ``top`` on, if they fill the columns of the page before, each in its place."""
    start = next((number for number, row in enumerate(rows) if row.first == top), len(rows))
    head = rows[start].cells if start < len(rows) else []
    if not head or (len(head) == 1 and not head[0].text.endswith(":")):
        return None  # what else stands alone may be a heading
    run: list[int] = []
    for number in range(start, len(rows)):
        row = rows[number]
        if row.begins or row.runs or (number > start and not _follows(rows[number - 1], row)):
            break
        if len(row.cells) < 2:
            if number - max(run, default=start) > _LABELS or not _is_label(row, before):
                break
        elif any(len(over(before, cell)) > 1 for cell in row.cells) or _is_heading(row, before):
            break
        else:
            run.append(number)
    columns = columns_of(rows[number].cells for number in run)
    if len(run) < _FEWEST_ON or columns is None or not _are_the_same(before, columns, rows[start].height):
        return None
    if not any(column.is_of_figures for column in columns[1:]) and not _is_plain(rows, run):
        return None
    kept = rows[start : run[-1] + 1]
    firsts = tuple(row.first for row in kept)
    return Table(top, top, kept[-1].last + 1, firsts, _apart(kept, columns), tuple(columns))


def _are_the_same(before: Sequence[Column], columns: Sequence[Column], height: float) -> bool:
    """Whether columns stand where those of the page before do: by their left or right edges, or the middle.

    The first may be set in, or less far.
    """
    if len(columns) != len(before) or columns[0].left >= before[0].right:
        return False
    return all(
        min(abs(left), abs(right), abs(left + right) / 2) <= _OFF * height
        for left, right in (
            (column.left - old.left, column.right - old.right)
            for column, old in zip(columns[1:], before[1:], strict=True)
        )
    )


def _apart(rows: Sequence[Row], columns: Sequence[Column]) -> frozenset[int]:
    """The lines that begin a row, after a row."""
    return frozenset(
        row.first
        for above, row in pairwise(rows)
        if len(row.cells) > 1 and (len(above.cells) > 1 or above.cells[0].left >= columns[1].left)
    )


def _table(rows: Sequence[Row], place: int, free: int) -> tuple[int, Table | None]:
    """The last row of the run that begins at a place, and the table that it is part of."""
    run = _run(rows, place)
    last, table = run[-1], _headed(rows, run, free)
    stopped = last + 1 < len(rows) and len(rows[last + 1].cells) > 1
    if stopped and (rows[place].is_bold or _has_figures(rows, run)):
        for start in run[1:_MOST_FULL]:  # what is wider than its column may be a part of the header
            run = _run(rows, start)
            other = _headed(rows, run, free) if run[-1] > last else None
            if other is not None:
                return run[-1], other
    return last, table


def _run(rows: Sequence[Row], place: int) -> list[int]:
    """The rows with cells that stand in the columns of the row at ``place``, down from it."""
    columns = [Column(cell.left, cell.right) for cell in rows[place].cells]
    count(columns, rows[place].cells)
    run = [place]
    for number in range(place + 1, len(rows)):
        row, above = rows[number], rows[number - 1]
        if not _follows(above, row) or row.begins or row.runs:
            break
        if len(row.cells) < 2:
            if number - run[-1] > _LABELS or not _is_label(row, columns):
                break
            continue
        known = fitted(columns, row.cells)
        if known is None or is_contents_line(row.cells[-1].text):
            break
        if len(run) > 1 and _is_heading(row, columns):
            break
        columns = known
        count(columns, row.cells)
        run.append(number)
    return run


def _follows(above: Row, row: Row) -> bool:
    is_below = above.bottom - 0.3 * row.height <= row.top <= above.bottom + _FAR * row.height
    return is_below and row.first == above.last + 1


def _is_label(row: Row, columns: Sequence[Column]) -> bool:
    """Whether a line names the rows below it, or goes on with the row above."""
    if not row.cells or bullet_length(row.cells[0].text) or _SENTENCE.match(row.cells[0].text):
        return False
    cell = row.cells[0]
    if any(column.is_of_figures for column in columns[1:]):
        return cell.left < columns[1].left
    return any(column.left - row.height <= cell.left and cell.right <= column.right for column in columns)


def _is_heading(row: Row, columns: Sequence[Column]) -> bool:
    """Whether a row names columns of figures: it holds none itself."""
    above = [cell for cell in row.cells if any(columns[n].is_of_figures for n in over(columns, cell) if n)]
    named = [cell for cell in above if not cell.is_blank]
    if any(cell.is_figure for cell in above):
        return False
    return len(named) > all(cell.is_year for cell in named)  # one such number may be an amount


def _headed(rows: Sequence[Row], run: Sequence[int], free: int) -> Table | None:
    """The table of a run of rows, if lines from ``free`` on are its header."""
    if len(run) < _FEWEST - 1:
        return None
    data = run[_leading(rows, run) :]
    if len(data) < _FEWEST and not _has_figures(rows, data):
        return None
    columns = columns_of(rows[number].cells for number in data)
    if columns is None or len(columns) < 2:
        return None
    short = len(data) < _FEWEST
    if short and not (len(columns) > 2 and all(column.is_of_figures for column in columns[1:])):
        return None
    wordy = not any(column.is_of_figures for column in columns[1:])
    if wordy and not _is_plain(rows, data):
        return None
    first, last, named = _header(rows, data[0], columns, free, wordy)
    others = len(named - {0})
    needed = len(columns) - 1 if short else max(2 - (0 in named), (len(columns) - 1) / 2)
    if others < needed or 2 * len(named) < len(columns) or _is_within(rows, first, last):
        return None
    return Table(
        rows[first].first,
        rows[last].last + 1,
        rows[data[-1]].last + 1,
        tuple(row.first for row in rows[last + 1 : data[-1] + 1]),
        _apart(rows[last : data[-1] + 1], columns),
        tuple(columns),
    )


def _is_within(rows: Sequence[Row], first: int, last: int) -> bool:
    """Whether what looks like a header stands in the middle of a table, and looks like nothing else."""
    if not first or any(row.is_bold for row in rows[first : last + 1]):
        return False
    above, row = rows[first - 1], rows[first]
    gap = max(0.8 * row.height, 1.2 * (rows[last + 1].top - rows[last].bottom))
    near = above.last + 1 == row.first and row.top - above.bottom <= gap
    years = [cell.is_year for row in rows[first : last + 1] for cell in row.cells]
    dated = sum(years) > 1 and len(years) - sum(years) <= last - first + 1
    return near and not dated and any(cell.is_figure for cell in above.cells[1:])


def _is_plain(rows: Sequence[Row], data: Sequence[int]) -> bool:
    """Whether rows of words are set in plain type, and hold no columns of prose."""
    plain = sum(rows[number].bold == (False, False) for number in data)
    prose = sum(sum(len(cell.text) > _PROSE for cell in rows[number].cells) > 1 for number in data)
    return plain >= 0.8 * len(data) and prose <= 0.3 * len(data)


def _leading(rows: Sequence[Row], run: Sequence[int]) -> int:
    """How many rows at the top of a run name the columns of those below."""
    if not rows[run[0]].is_bold and not _has_figures(rows, run):
        return 0
    for names in range(min(4, len(run) - 2), 0, -1):
        columns = columns_of(rows[number].cells for number in run[names:])
        if columns is None:
            continue
        if any(column.is_of_figures for column in columns[1:]):
            named = all(_is_heading(rows[number], columns) for number in run[:names])
        else:
            named = all(rows[number].is_bold for number in run[:names])
        if named:
            return names
    return 0


def _has_figures(rows: Sequence[Row], data: Sequence[int]) -> bool:
    return any(cell.is_figure for number in data for cell in rows[number].cells[1:])


def _header(
    rows: Sequence[Row], below: int, columns: Sequence[Column], free: int, wordy: bool
) -> tuple[int, int, set[int]]:
    """The first and the last row of what may be the header above a row, and the columns that it names."""
    covered: set[int] = set()
    first = last = below
    full = 0
    top = rows[below].top
    for number in range(below - 1, max(below - _MOST_HEADER, 0) - 1, -1):
        row = rows[number]
        if (
            row.first < free
            or row.last + 1 != rows[number + 1].first
            or rows[number + 1].begins
            or not top - (_FAR if last == below else _NEAR) * row.height
            <= row.bottom
            <= rows[below].top + 0.3 * row.height
        ):
            break
        if any(_PAGES.match(cell.text) for cell in row.cells):
            return below, below, set()  # a table of contents
        named = _named(row, columns)
        is_label = named == {0} and len(row.cells) == 1
        if named is None or (wordy and not is_label and not row.is_bold):
            break
        if row.runs and (len(named) < _FEWEST_REPEATED or 2 * len(named) <= len(columns)):
            break
        if is_label and last < below and row.bottom <= top + 0.3 * row.height:
            break  # a name above the header, not beside it
        if is_label and last == below:
            if below - number > _LABELS:
                break
        else:
            first, last = number, number if last == below else last
            covered |= named
            full += len(row.cells) > 1 and 2 * len(named) > len(columns)
            if full > _MOST_FULL:
                return below, below, set()  # rows of words
        top = min(top, row.top)
    return first, last, covered


def _named(row: Row, columns: Sequence[Column]) -> set[int] | None:
    """The columns that the cells of a header's line name; None where it is no such line."""
    if not row.cells or (len(row.cells) > 1 and not _is_name(row.cells[0])):
        return None  # the line of a form, for one
    if _is_abreast(row, columns):
        return set(range(len(columns)))
    named: set[int] = set()
    for number, cell in enumerate(row.cells):
        is_first = number == 0 and cell.right <= columns[1].left
        names = {0} if is_first else _named_by(cell, columns, row)
        if names is None:
            return None
        named |= names
    return named


def _named_by(cell: Cell, columns: Sequence[Column], row: Row) -> set[int] | None:
    """The column that a cell names, none where it stands over several; None where it is no name."""
    alone = len(row.cells) == 1
    places = over(columns, cell)
    if not _is_name(cell):
        return None
    if 0 in places and len(places) > 1:
        if alone or cell.left + cell.right < 2 * columns[1].left:
            return None
        places.remove(0)
    if alone and not (places and _is_centred(cell, columns, places, row.height)):
        return None
    return set(places) if len(places) == 1 else set()


def _is_abreast(row: Row, columns: Sequence[Column]) -> bool:
    """Whether a line has a name for each column, near enough to be of no other."""
    return len(row.cells) == len(columns) and all(
        _is_name(cell) and over(columns, cell) in ([], [number]) for number, cell in enumerate(row.cells)
    )


def _is_name(cell: Cell) -> bool:
    text = cell.text
    return not (cell.is_figure or len(text) > _LONGEST or _NO_NAME.match(text) or _SENTENCE.match(text))


def _is_centred(cell: Cell, columns: Sequence[Column], places: Sequence[int], height: float) -> bool:
    """Whether a cell stands over the middle of its columns, where they are several."""
    middle = columns[places[0]].left + columns[places[-1]].right
    return len(places) == 1 or abs(cell.left + cell.right - middle) <= 4 * height
