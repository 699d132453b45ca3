"""What is asked and what comes of it, counted over the kept conversations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from qa.web.store import Store

MOST_CITED = 15
MOST_UNANSWERED = 50
BINS = 10

_COUNTED = "t.at >= :since AND (:user IS NULL OR t.user = :user)"
_PER_DAY = f"""
SELECT substr(t.at, 1, 10), t.outcome, count(*) FROM turns AS t WHERE {_COUNTED} GROUP BY 1, 2
"""
_CONFIDENCE = f"""
SELECT min(CAST(t.confidence * {BINS} AS INTEGER), {BINS - 1}), t.outcome, count(*) FROM turns AS t
WHERE {_COUNTED} AND t.confidence IS NOT NULL GROUP BY 1, 2
"""
_LATENCY = f"""
WITH ranked AS (
    SELECT s.stage, s.milliseconds,
        row_number() OVER (PARTITION BY s.stage ORDER BY s.milliseconds) AS place,
        count(*) OVER (PARTITION BY s.stage) AS size
    FROM turns AS t JOIN timings AS s ON s.turn = t.number WHERE {_COUNTED}
)
SELECT stage, min(CASE WHEN place * 100 >= size * 50 THEN milliseconds END),
    min(CASE WHEN place * 100 >= size * 95 THEN milliseconds END)
FROM ranked GROUP BY stage ORDER BY stage = 'total', 2 DESC
"""
_CITED = f"""
SELECT c.source, count(*) FROM turns AS t JOIN cited AS c ON c.turn = t.number WHERE {_COUNTED}
GROUP BY c.source ORDER BY 2 DESC, 1 LIMIT {MOST_CITED}
"""
_WITHOUT_ANSWER = f"""
SELECT t.question, t.at, t.confidence, t.error FROM turns AS t
WHERE {_COUNTED} AND t.outcome <> 'answered' ORDER BY t.at DESC, t.number DESC LIMIT {MOST_UNANSWERED}
"""


@dataclass(frozen=True, slots=True)
class Day:
    """The questions of one day (UTC), or of a period that begins with it."""

    day: date
    answered: int = 0
    refused: int = 0
    failed: int = 0

    @property
    def asked(self) -> int:
        """All of them."""
        return self.answered + self.refused + self.failed


@dataclass(frozen=True, slots=True)
class Bin:
    """How many questions had a confidence of at least ``low`` and below ``high`` (the last: up to 1)."""

    low: float
    high: float
    answered: int
    refused: int


@dataclass(frozen=True, slots=True)
class Stage:
    """What half and 95 of 100 questions took at most in one stage of answering, in milliseconds."""

    stage: str
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question without an answer; ``error`` is "" where it was refused."""

    question: str
    at: str
    confidence: float | None
    error: str


@dataclass(frozen=True, slots=True)
class Insights:
    """What was asked in a period, all days of it filled in, and what came of it.

    ``cited`` are documents with the number of answers that cite them, the most cited first.
    """

    days: tuple[Day, ...]
    confidence: tuple[Bin, ...]
    stages: tuple[Stage, ...]
    cited: tuple[tuple[str, int], ...]
    unanswered: tuple[Unanswered, ...]

    @property
    def total(self) -> Day:
        """The counts of the whole period."""
        return _summed(self.days)


def summary(store: Store, days: int = 30, user: str | None = None, today: date | None = None) -> Insights:
    """Count the turns of a period, which are those that their users have not deleted.

    Args:
        store: the kept conversations.
        days: how many days, today's being the last.
        user: whose turns; None for everybody's.
        today: the last day, in UTC; None for now.

    Raises:
        StoreError: the file of conversations can't be read.
    """
    last = today or datetime.now(UTC).date()
    first = last - timedelta(days=max(days, 1) - 1)
    with store.reading() as connection:
        if connection is None:
            return Insights(_days(first, last, ()), _bins(()), (), (), ())
        values = {"since": first.isoformat(), "user": user}
        return Insights(
            days=_days(first, last, connection.execute(_PER_DAY, values)),
            confidence=_bins(connection.execute(_CONFIDENCE, values)),
            stages=_stages(connection.execute(_LATENCY, values)),
            cited=tuple(connection.execute(_CITED, values)),
            unanswered=tuple(Unanswered(*row) for row in connection.execute(_WITHOUT_ANSWER, values)),
        )


def _days(first: date, last: date, rows: Iterable[tuple[str, str, int]]) -> tuple[Day, ...]:
    counts: dict[str, dict[str, int]] = {}
    for day, outcome, count in rows:
        counts.setdefault(day, {})[outcome] = count
    every = (first + timedelta(days=each) for each in range((last - first).days + 1))
    return tuple(Day(day, **counts.get(day.isoformat(), {})) for day in every)


def _bins(rows: Iterable[tuple[int, str, int]]) -> tuple[Bin, ...]:
    counts = {(place, outcome): count for place, outcome, count in rows}
    return tuple(
        Bin(
            place / BINS,
            (place + 1) / BINS,
            counts.get((place, "answered"), 0),
            counts.get((place, "refused"), 0),
        )
        for place in range(BINS)
    )


def _stages(rows: Iterable[tuple[str, float, float]]) -> tuple[Stage, ...]:
    return tuple(Stage(*row) for row in rows)


def _summed(days: Sequence[Day]) -> Day:
    return Day(
        days[0].day,
        sum(day.answered for day in days),
        sum(day.refused for day in days),
        sum(day.failed for day in days),
    )


def by_week(days: Sequence[Day]) -> tuple[Day, ...]:
    """The days in sevens, the last of them ending with the last day; the first may be shorter."""
    start = len(days) % 7
    cuts = [0, *range(start or 7, len(days), 7), len(days)]
    return tuple(_summed(days[a:b]) for a, b in pairwise(cuts))
