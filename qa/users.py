"""Who may log in to the web app: a file of names and argon2 hashes, read again when it changes.

A line a user, ``name:hash`` or ``name:hash:admin``; ``#`` begins a comment line. ``python -m qa
password NAME`` prints such a line.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import threading
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from index import UsageError

USERS_VARIABLE = "FOOTNOTE_USERS"
ADMIN = "admin"
LEAST_LENGTH = 8
MOST_LENGTH = 1_024
"""Characters of a password: a longer one is only work for the server."""

LOOK_AGAIN = 1.0
"""Seconds for which the file is taken to be as it was."""

AT_ONCE = 2
"""Passwords checked at the same time: each takes 64 MB while it is."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HASH = re.compile(r"\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")
_LOG = logging.getLogger(__name__)


class UsersError(UsageError):
    """The file of users can't be used, or a name or a password is not fit for it."""


@dataclass(frozen=True, slots=True)
class User:
    """A line of the file."""

    name: str
    hash: str
    admin: bool = False


class Users:
    """The users of one file. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Read ``path``; errors are those of `read_users`."""
        self.path = path
        self._lock = threading.Lock()
        self._hashing = threading.BoundedSemaphore(AT_ONCE)
        self._state: tuple[int, int, int] | None = _state(path)
        self._users = _read(path)
        self._looked = time.monotonic()

    def find(self, name: str) -> User | None:
        """The user of that name as the file has it now, or None."""
        return self._current().get(name)

    def check(self, name: str, password: str) -> bool:
        """Whether ``password`` is that of ``name``. A name that is not there takes as long as one that is."""
        users = self._current()
        user = users.get(name)
        if len(password) > MOST_LENGTH:
            return False
        # What an unknown name's password is compared with does not matter, only that it is.
        stand_in = next(iter(users.values())).hash if users else _STAND_IN
        with self._hashing:
            fits = _fits(user.hash if user else stand_in, password)
        return fits and user is not None

    def _current(self) -> dict[str, User]:
        with self._lock:
            if time.monotonic() - self._looked >= LOOK_AGAIN:
                self._looked = time.monotonic()
                self._read_again()
            return self._users

    def _read_again(self) -> None:
        """Take over a changed file. One that can't be used changes nothing, and the log says so once."""
        state = None
        try:
            state = _state(self.path)
            if state != self._state:
                self._users = _read(self.path)
                _LOG.info("Read %s again: %d users", self.path, len(self._users))
        except UsersError as error:
            if state != self._state:
                _LOG.error("%s; until then the users are those from before", error)
        self._state = state


def read_users(path: Path) -> Users:
    """The users of the file ``path``.

    Raises:
        UsersError: it can't be read, others may write it, or a line of it is wrong.
    """
    return Users(path)


def hash_password(password: str) -> str:
    """The argon2id hash of ``password``, with a new salt.

    Raises:
        UsersError: the password is too short or too long.
    """
    if not LEAST_LENGTH <= len(password) <= MOST_LENGTH:
        raise UsersError(
            f"the password has {len(password)} characters; choose one of {LEAST_LENGTH} to {MOST_LENGTH:,}"
        )
    from argon2 import PasswordHasher

    return PasswordHasher().hash(_normal(password))


def user_line(name: str, password: str, admin: bool = False) -> str:
    """The line of the file for a user.

    Raises:
        UsersError: the name or the password is not fit for it.
    """
    if not _NAME.fullmatch(name):
        raise UsersError(_bad_name(name))
    return f"{name}:{hash_password(password)}" + (f":{ADMIN}" if admin else "")


# Made with argon2's default settings from random bytes that nobody has kept.
_STAND_IN = (
    "$argon2id$v=19$m=65536,t=3,p=4$5luNWUmy9rPOpFX/cs0w/Q$+e81HAe9dcVQQh2O7wcMiKJb2XyYIhZktthUTzUsOiA"
)


def _fits(hashed: str, password: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return PasswordHasher().verify(hashed, _normal(password))
    except InvalidHashError:
        _LOG.error("A hash in the file of users is damaged; make the line again: python -m qa password NAME")
        return False
    except VerificationError:
        return False


def _normal(password: str) -> str:
    """The same characters typed on another system may come as other code points."""
    return unicodedata.normalize("NFC", password)


def _state(path: Path) -> tuple[int, int, int]:
    """What tells one state of the file from another."""
    try:
        found = path.stat()
    except OSError as error:
        raise UsersError(_unreadable(path, error)) from None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> dict[str, User]:
    try:
        with path.open(encoding="utf-8") as file:
            _check_owner(path, os.fstat(file.fileno()))
            lines = file.read().splitlines()
    except OSError as error:
        raise UsersError(_unreadable(path, error)) from None
    except UnicodeDecodeError:
        raise UsersError(f"the file of users {path} is not UTF-8; write it again") from None
    users: dict[str, User] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                user = _user(line.strip(), users)
            except UsersError as error:
                raise UsersError(f"{path}, line {number}: {error}") from None
            users[user.name] = user
    if not users:
        _LOG.warning("%s names no user: nobody can log in; add lines made by python -m qa password", path)
    return users


def _user(line: str, known: dict[str, User]) -> User:
    name, *rest = line.split(":")
    if not _NAME.fullmatch(name):
        raise UsersError(_bad_name(name))
    if any(name.casefold() == other.casefold() for other in known):
        raise UsersError(f"there is a user {name} already; remove one of the two lines")
    if not rest or not _HASH.fullmatch(rest[0]):
        raise UsersError(
            f"what follows {name}: is no argon2id hash; make the line with: python -m qa password {name}"
        )
    if rest[1:] not in ([], [ADMIN]):
        raise UsersError(f'after the hash only ":{ADMIN}" may follow; remove the rest')
    return User(name, rest[0], admin=bool(rest[1:]))


def _check_owner(path: Path, found: os.stat_result) -> None:
    """Refuse a file that somebody else could add a user to."""
    if os.name != "posix":
        return
    if found.st_uid not in (0, os.geteuid()):
        raise UsersError(
            f"the file of users {path} belongs to another user of this machine, who could let anyone in; "
            f"make it yours: chown {os.geteuid()} {path}"
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsersError(
            f"others may write the file of users {path}, and let anyone in; forbid it: chmod 600 {path}"
        )
    if found.st_mode & stat.S_IROTH:
        _LOG.warning("Everyone on this machine can read %s and guess at the hashes: chmod 600 %s", path, path)


def _unreadable(path: Path, error: OSError) -> str:
    return f"the file of users {path} can't be read: {error.strerror}; name one that can"


def _bad_name(name: str) -> str:
    return (
        f"{name!r} is no name of a user; use up to 64 letters (a-z), digits and . _ @ -, "
        "a letter or a digit first"
    )
