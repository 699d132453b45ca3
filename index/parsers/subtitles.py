"""Subtitles (SubRip and WebVTT): what is said, without numbers, times and formatting.

Cues run on as paragraphs, so that a sentence over several cues can be quoted; each cue line stays a
line. A section is about a minute long, headed by the time at which it begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape

from index.errors import CorruptError
from index.model import Document
from index.parsers.decoding import decode_file
from index.parsers.writer import Writer, folded

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s|$)")
_ALMOST_TIMING = re.compile(r"\s{0,9}\d[\d:.,\s]{0,20}-{1,2}>")
_NUMBER = re.compile(r"\s*\d+\s*")
_HIDDEN = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")
_TAG = re.compile(
    r"</?(?:[ibuscv]|font|lang|ruby|rt)(?:[.\s][^<>]*)?/?>|<\d[\d:.]*>|\{\\[^{}]*\}|\{[ibuyYcfsSpPH]:[^{}]*\}",
    re.IGNORECASE,
)
_ENDED = re.compile(r"[.!?…。！？♪][\"'”’»)\]]*$")
_PAUSE = 5.0  # seconds without words between two paragraphs
_MINUTE = 60.0
_SHORTEST = 20.0  # a pause begins no new section so soon
_LONGEST = 120.0
_ABUTTING = 0.1


@dataclass(frozen=True, slots=True)
class _Cue:
    start: float
    end: float
    lines: tuple[str, ...]


def parse(data: bytes) -> Document:
    """Read a subtitle file.

    Raises:
        EmptyFileError: There is nothing but white space, or no cue holds words.
        UnsupportedError: The bytes are not text.
        CorruptError: There is no cue at all.
    """
    decoded = decode_file(data)
    cues = list(_cues(decoded.text.splitlines()))
    if not cues and not decoded.text.startswith("WEBVTT"):
        raise CorruptError("no line holds the times of a subtitle, such as 00:00:01,000 --> 00:00:02,500")
    writer = Writer()
    for section in _sections(_without_repeats(cues)):
        writer.heading(_clock(section[0].start), 1)
        for paragraph in _paragraphs(section):
            writer.block("\n".join(line for cue in paragraph for line in cue.lines))
    return writer.document(None, notice=decoded.notice)


def _cues(lines: list[str]) -> Iterator[_Cue]:
    """The cues in the order of the file; whatever belongs to none is left out."""
    times: tuple[float, float] | None = None
    held: list[str] = []
    blank = True
    for place, line in enumerate(lines):
        timing = _TIMING.match(line)
        if timing is not None or _ALMOST_TIMING.match(line):
            if held and not blank and _NUMBER.fullmatch(held[-1]):
                held.pop()  # the next cue's number, with no empty line before it
            if times is not None:
                yield _cue(times, held)
            held = []
            times = (_seconds(timing.groups()[:4]), _seconds(timing.groups()[4:])) if timing else None
        elif not line.strip():
            blank = True
            continue
        elif times is not None and not (blank and held and _begins_cue(line, lines, place)):
            held.append(line)
        elif times is not None:
            yield _cue(times, held)
            times, held = None, []
        blank = False
    if times is not None:
        yield _cue(times, held)


def _begins_cue(line: str, lines: list[str], place: int) -> bool:
    """Whether a line after an empty one is not the rest of the cue before it."""
    after = lines[place + 1] if place + 1 < len(lines) else ""
    return bool(_NUMBER.fullmatch(line) or _HIDDEN.match(line) or "-->" in after)


def _cue(times: tuple[float, float], held: Iterable[str]) -> _Cue:
    lines = (folded(unescape(_TAG.sub("", line))) for line in held)
    return _Cue(*times, tuple(line for line in lines if line))


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def _without_repeats(cues: Iterable[_Cue]) -> Iterator[_Cue]:
    """Leave out what a rolling caption shows again from the cue right before it."""
    before: _Cue | None = None
    waiting: _Cue | None = None  # its last line may still grow word by word
    for cue in cues:
        if not cue.lines:
            continue
        fresh = cue
        if before is not None and -_MINUTE < cue.start - before.end <= _ABUTTING:
            seen = _repeated(before.lines, cue.lines)
            fresh = _Cue(cue.start, cue.end, cue.lines[seen:])
            if not seen and waiting is not None and cue.lines[0].startswith(before.lines[-1] + " "):
                waiting = _Cue(waiting.start, waiting.end, waiting.lines[:-1])
        before = cue
        if fresh.lines:
            if waiting is not None and waiting.lines:
                yield waiting
            waiting = fresh
    if waiting is not None and waiting.lines:
        yield waiting


def _repeated(before: tuple[str, ...], lines: tuple[str, ...]) -> int:
    """How many lines at the top are the last ones of the cue before."""
    for count in range(min(len(before), len(lines), 8), 0, -1):
        if before[-count:] == lines[:count]:
            return count
    return 0


def _sections(cues: Iterable[_Cue]) -> Iterator[list[_Cue]]:
    section: list[_Cue] = []
    for cue in cues:
        if section and _is_over(section, cue):
            yield section
            section = []
        section.append(cue)
    if section:
        yield section


def _is_over(section: list[_Cue], after: _Cue) -> bool:
    lasted = after.start - section[0].start
    paused = after.start - section[-1].end > _PAUSE
    ended = _ENDED.search(section[-1].lines[-1]) is not None
    return (paused and lasted >= _SHORTEST) or (ended and lasted >= _MINUTE) or lasted >= _LONGEST


def _paragraphs(section: list[_Cue]) -> Iterator[list[_Cue]]:
    paragraph: list[_Cue] = []
    for cue in section:
        if paragraph and cue.start - paragraph[-1].end > _PAUSE:
            yield paragraph
            paragraph = []
        paragraph.append(cue)
    if paragraph:
        yield paragraph
