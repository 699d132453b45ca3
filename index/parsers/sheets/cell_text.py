"""The values of cells as text, close to what a person sees in a spreadsheet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Literal

Moment = date | datetime | time | timedelta

_LITERALS = re.compile(r'"[^"]*"|\\.|[_*].|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE | re.DOTALL)
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_PLAIN_DIGITS = 21  # beyond these a number is shown with its exponent
_LAST_DAY = 2_958_466  # the day after 31 December 9999
_EXACT = 1e15
# The numbers of formats that files do not spell out, as far as they matter here.
BUILT_IN = {
    9: "0%",
    10: "0.00%",
    **dict.fromkeys([14, 15, 16, 17, *range(27, 32), 34, 35, 36, *range(50, 59)], "yyyy-mm-dd"),
    **dict.fromkeys([18, 20, 32], "h:mm"),
    **dict.fromkeys([19, 21, 33], "h:mm:ss"),
    22: "yyyy-mm-dd h:mm",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss",
}


@dataclass(frozen=True, slots=True)
class Format:
    """How a number is shown: as it is, as a percentage, or as a moment in time."""

    kind: Literal["number", "percent", "date", "time", "elapsed"]
    decimals: int = 0


@lru_cache(maxsize=4096)
def format_of(code: str) -> Format:
    """Read a number format such as ``0.0%`` or ``dd/mm/yyyy``."""
    first = code.split(";", 1)[0]
    letters = _LITERALS.sub("", first).lower()
    if "general" in letters:
        return Format("number")
    if _ELAPSED.search(letters):
        return Format("elapsed")
    if "%" in letters:
        return Format("percent", min(letters.partition(".")[2].count("0"), 15))
    if re.search("[dy]", letters) or ("m" in letters and not re.search("[hs]", letters)):
        return Format("date")
    return Format("time") if re.search("[hs]", letters) else Format("number")


def shown(value: float, form: Format, *, from_1904: bool) -> str:
    """A number of a cell in the format of the cell."""
    if form.kind == "percent" and abs(value) < _EXACT:
        unit = Decimal(1).scaleb(-form.decimals)
        return f"{(Decimal(repr(value)) * 100).quantize(unit, ROUND_HALF_UP):f}%"
    if form.kind in ("number", "percent") or not 0 <= value < _LAST_DAY - 1462 * from_1904:
        return number_text(value)
    seconds = timedelta(seconds=round(value * 86_400))
    if form.kind == "elapsed":
        return moment_text(seconds)
    if form.kind == "time" and value < 1:
        return moment_text((datetime.min + seconds).time() if value else time.min)
    if from_1904:
        return moment_text(datetime(1904, 1, 1) + seconds)
    # Day 60 is a 29 February 1900 that never was; what comes before counts from a day later.
    return moment_text(datetime(1899, 12, 31 if value < 60 else 30) + seconds)


def number_text(value: float) -> str:
    """A number without the noise of binary fractions: the 15 digits that spreadsheets keep."""
    if isinstance(value, int):
        return str(value)
    number = Decimal(f"{value:.15g}")
    if not number.is_finite() or (number and not -10 <= number.adjusted() < _PLAIN_DIGITS):
        return f"{value:.15g}".replace("e", "E")
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def moment_text(value: Moment) -> str:
    """A date, a time of day or both in the form of ISO 8601; a span of time as hours:minutes:seconds."""
    if isinstance(value, timedelta):
        total = round(value.total_seconds())
        hours, rest = divmod(abs(total), 3600)
        return f"{'-' * (total < 0)}{hours}:{rest // 60:02}:{rest % 60:02}"
    if isinstance(value, datetime):
        if value.time() == time.min:
            return value.date().isoformat()
        return f"{value.date().isoformat()} {moment_text(value.time())}"
    if isinstance(value, time):
        return value.isoformat("minutes" if value.second == value.microsecond == 0 else "seconds")
    return value.isoformat()
