"""Who asks, how often they may, and how much they may upload."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from index import FootnoteError

COOKIE = "footnote_visitor"
COOKIE_AGE = 365 * 24 * 3600
VISITOR, USER, IS_ADMIN = "footnote.visitor", "footnote.user", "footnote.admin"
IS_NEW = "footnote.new"
"""Keys of a request's ASGI scope, set by the server; no client can."""

MAX_BUCKETS = 20_000

_COOKIE_VALUE = re.compile(r"[0-9a-f]{32}")


class QuotaError(FootnoteError):
    """An upload does not fit into what its user, or all users together, may keep."""


class RateError(FootnoteError):
    """Somebody asks too often."""


# Who


def visitor(request: Any) -> str:  # noqa: ANN401 - gradio's request or starlette's
    """Who asks: ``user:NAME`` where people log in, else ``visitor:ID``.

    The ID is a digest of a cookie that the server sets, so that who sees an ID can't pass for its
    visitor. A request without the cookie is somebody who is not met again.

    Args:
        request: gr.Request or starlette's Request; or anything with ``cookies`` and ``username``.
    """
    known = _scope(request).get(VISITOR)
    if isinstance(known, str):
        return known
    name = getattr(request, "username", None)
    if name:
        return f"user:{name}"
    cookies = getattr(_inner(request), "cookies", None)
    value = cookies.get(COOKIE) if isinstance(cookies, Mapping) else None
    return visitor_of(value if isinstance(value, str) and is_cookie(value) else new_cookie())


def is_admin(request: Any) -> bool:  # noqa: ANN401 - gradio's request or starlette's
    """Whether who asks may change what all see, and see figures over all: an admin of the file of users.

    Without users it is everyone if only this machine can ask: the server listens on a loopback
    address and no proxy stands before it. A request that did not come through the server is nobody's.
    """
    return bool(_scope(request).get(IS_ADMIN))


def address(request: Any) -> str:  # noqa: ANN401 - gradio's request or starlette's
    """The network address that asks; behind a trusted proxy, the one that the proxy names."""
    return address_of(_scope(request))


def address_of(scope: Mapping[str, Any]) -> str:
    """The same of an ASGI scope."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def holder(scope: Mapping[str, Any]) -> str:
    """Whose a tab or an upload becomes: the visitor's, or the network's of who brings no cookie back.

    Programs often keep no cookies, and are somebody new with every request.
    """
    if scope.get(IS_NEW):
        return f"address:{network(address_of(scope))}"
    return str(scope.get(VISITOR, ""))


def payers(request: Any, who: str = "") -> tuple[str, ...]:  # noqa: ANN401 - a request or an ASGI scope
    """On whose account something is: the visitor's (or ``who``), and without a login their network's, too."""
    scope = request if isinstance(request, Mapping) else _scope(request)
    who = who or (str(scope.get(VISITOR, "")) if scope is request else visitor(request))
    if who.startswith("user:") or not address_of(scope):
        return (who,)
    return who, f"network:{network(address_of(scope))}"


def new_cookie() -> str:
    """The value of a new visitor's cookie: 128 random bits."""
    return secrets.token_hex(16)


def is_cookie(value: str) -> bool:
    """Whether ``value`` can be one that `new_cookie` made."""
    return _COOKIE_VALUE.fullmatch(value) is not None


def visitor_of(cookie: str) -> str:
    """The visitor that a cookie's value stands for."""
    return f"visitor:{hashlib.sha256(cookie.encode()).hexdigest()[:32]}"


def _inner(request: object) -> object:
    """Starlette's request below gradio's, which would turn all that it is asked for into JSON."""
    return getattr(request, "request", None) or request


def _scope(request: object) -> Mapping[str, Any]:
    inner = _inner(request)
    found = vars(inner).get("scope") if hasattr(inner, "__dict__") else None
    return found if isinstance(found, Mapping) else {}


# How often


class RateLimit:
    """So many questions a minute for each visitor and each address. Thread-safe."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow ``per_minute`` questions, at most as many of them at once; 0 allows any number."""
        self.per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what was left, and when

    def take(self, who: str, from_address: str) -> float:
        """Count a question; 0 if it may be asked, else the seconds to wait, and nothing is counted.

        A visitor without a login is counted by address, too: a new cookie starts no new minute.
        """
        if self.per_minute <= 0:
            return 0.0
        keys = [who]
        if not who.startswith("user:") and from_address:
            keys.append(f"address:{network(from_address)}")
        now = self._clock()
        with self._lock:
            left = {key: self._left(key, now) for key in keys}
            least = min(left.values())
            if least < 1:
                return (1 - least) * 60 / self.per_minute
            for key in keys:
                self._buckets[key] = (left[key] - 1, now)
                self._buckets.move_to_end(key)
            while len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        return 0.0

    def check(self, who: str, from_address: str) -> None:
        """Count a question.

        Raises:
            RateError: there were too many; this one is not counted.
        """
        if wait := self.take(who, from_address):
            raise RateError(self.refusal(wait))

    def refusal(self, wait: float) -> str:
        """What to tell somebody who must wait so many seconds."""
        return f"{self.per_minute} questions a minute is the limit here; ask again in {seconds(wait)}"

    def _left(self, key: str, now: float) -> float:
        left, then = self._buckets.get(key, (float(self.per_minute), now))
        return min(float(self.per_minute), left + (now - then) * self.per_minute / 60)


def network(text: str) -> str:
    """The address, or for IPv6 its /64: one customer has as many addresses in it as they like."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def seconds(wait: float) -> str:
    """A time to wait, in words."""
    whole = max(1, int(-(-wait // 1)))
    if whole < 120:
        return f"{whole} second" + ("s" if whole > 1 else "")
    return f"{-(-whole // 60)} minutes"


# How much


class Allowance:
    """So many bytes an hour for each name. Thread-safe; what was used comes back bit by bit."""

    HOUR = 3_600.0

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow ``most`` bytes an hour, or at once."""
        self.most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()  # bytes, and when

    def take(self, names: tuple[str, ...], size: int) -> float:
        """Count ``size`` for all names; 0 if it fits, else the seconds to wait, and nothing is counted."""
        now = self._clock()
        with self._lock:
            used = {name: self._still_used(name, now) for name in names}
            over = max(used.values()) + size - self.most
            if over > 0:
                return max(1.0, over * self.HOUR / self.most) if self.most else self.HOUR
            for name in names:
                self._used[name] = (used[name] + size, now)
                self._used.move_to_end(name)
            while len(self._used) > MAX_BUCKETS:
                self._used.popitem(last=False)
        return 0.0

    def _still_used(self, name: str, now: float) -> float:
        used, then = self._used.get(name, (0.0, now))
        return max(0.0, used - (now - then) * self.most / self.HOUR)


class Quota:
    """How many bytes each user has uploaded, kept in ``FOLDER/quota.sqlite``.

    Thread-safe, and safe beside another process. What lies in the uploads folder does not say whose
    it is, so what is uploaded must be counted here; that a document is deleted gives nothing back.
    """

    NETWORK = 5
    """So many visitors' bytes may come from one network, where nobody logs in (`payers`)."""

    def __init__(self, folder: Path, per_user: int, total: int) -> None:
        """Limits in bytes; 0 is no limit. The folder is made when it is first needed."""
        self.per_user = per_user
        self.total = total
        self._path = folder / "quota.sqlite"

    def take(self, names: tuple[str, ...], size: int) -> None:
        """Count ``size`` bytes more for all ``names``: a user, or all that `payers` names.

        Raises:
            QuotaError: they are more than are left; nothing is counted.
        """
        with self._writing() as database:
            mine, everyones = _used(database, names[0])
            if self.per_user and mine + size > self.per_user:
                raise QuotaError(
                    f"{megabytes(size)} don't fit: of your {megabytes(self.per_user)} for uploads "
                    f"{megabytes(self.per_user - mine)} are left; ask whoever runs Footnote for more"
                )
            most = self.per_user * self.NETWORK
            if most and any(_used(database, name)[0] + size > most for name in names[1:]):
                raise QuotaError(
                    f"{megabytes(size)} don't fit: your network has used up its {megabytes(most)} for "
                    "uploads; ask whoever runs Footnote for more"
                )
            if self.total and everyones + size > self.total:
                raise QuotaError(
                    f"{megabytes(size)} don't fit: of the {megabytes(self.total)} for everyone's uploads "
                    f"{megabytes(self.total - everyones)} are left; ask whoever runs Footnote for more"
                )
            for name in names:
                _add(database, name, size)

    def give_back(self, names: tuple[str, ...], size: int) -> None:
        """Count ``size`` bytes less, at least 0 remaining: a file was not kept."""
        with self._writing() as database:
            for name in names:
                _add(database, name, -size)

    def used(self, user: str) -> int:
        """The bytes that are counted for ``user``."""
        with self._writing() as database:
            return _used(database, user)[0]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self._path, timeout=10, isolation_level=None)
            try:
                database.execute(
                    "CREATE TABLE IF NOT EXISTS used (user TEXT PRIMARY KEY, bytes INTEGER NOT NULL)"
                )
                database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
            finally:
                database.close()  # what was not committed is undone
        except (OSError, sqlite3.Error) as error:
            raise QuotaError(
                f"{self._path} can't be used: {error}; without it nothing can be uploaded: see to its folder"
            ) from error


def _used(database: sqlite3.Connection, user: str) -> tuple[int, int]:
    """What ``user`` has used, and all of them; networks' bytes are their visitors' once more."""
    mine, everyones = database.execute(
        "SELECT coalesce(sum(bytes) FILTER (WHERE user = ?), 0), "
        "coalesce(sum(bytes) FILTER (WHERE user NOT LIKE 'network:%'), 0) FROM used",
        (user,),
    ).fetchone()
    return int(mine), int(everyones)


def _add(database: sqlite3.Connection, user: str, size: int) -> None:
    database.execute(
        "INSERT INTO used VALUES (?, max(0, ?)) ON CONFLICT (user) DO UPDATE SET bytes = max(0, bytes + ?)",
        (user, size, size),
    )


def megabytes(size: int) -> str:
    """A size in bytes, for people."""
    if size < 1_000_000:
        return f"{max(0, size) / 1_000:,.0f} KB"
    return f"{size / 1_000_000:,.1f} MB"
