"""The lines of a file whose source is quoted as it is written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A line without the white space around it; ``indent`` counts columns, with tabs as wide as eight."""

    start: int
    text: str
    indent: int

    @property
    def end(self) -> int:
        """Where its last character ends."""
        return self.start + len(self.text)


def lines_of(text: str) -> list[Line]:
    """The lines of a text; those with nothing but white space have no indent."""
    lines: list[Line] = []
    place = 0
    for raw in text.splitlines(keepends=True):
        front = raw[: len(raw) - len(raw.lstrip())]
        stripped = raw.strip()
        lines.append(Line(place + len(front), stripped, len(front.expandtabs()) if stripped else 0))
        place += len(raw)
    return lines
