"""Which row of a table names its columns.

A row that is wrongly taken for the header can no longer be quoted, and one that is missed costs only a
little context. So where a table gives no sign, it has no header.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_VALUE = re.compile(
    r"[-+−(]?\s*[$€£¥]?\s*[-+−]?[\d.,'\u00a0\u202f ]*\d[\d.,]*(?:[eE][-+]?\d+)?\s*[%‰$€£¥]?\)?"
    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[-+]\d\d:?\d\d)?)?"
    r"|\d{1,2}:\d{2}(?::\d{2})?(?:\s*[ap]m)?"
    r"|true|false|#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!)",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:1[89]|20)\d\d")
_ADDRESS = re.compile(r"\S+@\S+\.\S+|https?://\S+", re.IGNORECASE)
_SENTENCE = re.compile(r"\S\s.*[.!?…。]$", re.DOTALL)
_LONGEST = 80
_LONGEST_NAMED = 300
_ROWS_TRIED = 10
_ROWS_COMPARED = 100


def is_value(cell: str) -> bool:
    """Whether a cell holds a number, date, time, truth value or error rather than words."""
    return len(cell) <= _LONGEST and _VALUE.fullmatch(cell.strip()) is not None


def header_place(rows: Sequence[Sequence[str]], *, named: bool) -> int | None:
    """The place of the row that names the columns of those below it, None without one.

    ``named`` says that a table of this kind usually has one, as those of CSV files do; then it is the
    first row or none, and words above words are enough of a sign.
    """
    # The last row heads nothing.
    for place in range(min(len(rows) - 1, 1 if named else _ROWS_TRIED)):
        below = rows[place + 1 : place + 1 + _ROWS_COMPARED]
        filled = _filled(rows[place])
        if any(_filled(above) >= filled for above in rows[:place]):
            continue
        if _has_form(rows[place], below, named) and _fits(rows[place], below, named):
            return place
    return None


def _has_form(row: Sequence[str], below: Sequence[Sequence[str]], named: bool) -> bool:
    """Whether a row fills most columns with distinct labels."""
    labels = [cell.strip() for cell in row if cell.strip()]
    widest = max(map(_filled, below))
    return (
        len(labels) >= 2
        and len(labels) >= 0.6 * widest
        and len({label.casefold() for label in labels}) == len(labels)
        and all(_is_label(label, named) for label in labels)
    )


def _filled(row: Sequence[str]) -> int:
    return sum(1 for cell in row if cell.strip())


def _is_label(cell: str, named: bool) -> bool:
    """A year names a column as well as a word does; where names are expected, questions do too."""
    if _YEAR.fullmatch(cell):
        return True
    if is_value(cell) or _ADDRESS.fullmatch(cell):
        return False
    return len(cell) <= _LONGEST_NAMED if named else len(cell) <= _LONGEST and not _SENTENCE.search(cell)


def _fits(row: Sequence[str], below: Sequence[Sequence[str]], named: bool) -> bool:
    """Whether the columns below differ from the row as values differ from names."""
    contrasts = recurs = False
    for column, cell in enumerate(row):
        label = cell.strip()
        under = [other[column].strip() for other in below if column < len(other) and other[column].strip()]
        if not label or not under:
            continue
        recurs = recurs or label in under
        values = sum(1 for other in under if is_value(other))
        years = sum(1 for other in under if _YEAR.fullmatch(other))
        unlike = len(under) - years if _YEAR.fullmatch(label) else len(under)
        contrasts = contrasts or (min(values, unlike) >= 0.8 * len(under) >= 0.4 * len(below))
    if contrasts:
        return True
    if any(_YEAR.fullmatch(cell.strip()) for cell in row):
        return False
    return not recurs and (named or _filled(row) >= 3)
