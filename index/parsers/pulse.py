"""A sign of life from parsers that may rightly take long: the limit of time is for each beat."""

from __future__ import annotations

from collections.abc import Callable

_listeners: list[Callable[[], None]] = []


def listen(listener: Callable[[], None]) -> None:
    """Have ``listener`` called with every beat, from now on."""
    _listeners.append(listener)


def beat() -> None:
    """Tell that a part of the work is done, and the next begins: a scanned page, say."""
    for listener in _listeners:
        listener()
