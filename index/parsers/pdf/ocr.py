"""Pictures of text -> text with the place of every character, by Tesseract where it is installed.

An optional extra: without pytesseract and the tesseract program there is no engine, and nothing else
changes. Tesseract runs as a program of its own; pytesseract hands it the picture in a temporary file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

MOST_PAGES = 500
"""So many pages of one file are read; each takes seconds."""

REMEDY = "pip install 'footnote-qa[ocr]' and the program tesseract read it by OCR, with the next rebuild"
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Recognised:
    """Text, its lines parted by a line feed, and left, top, right, bottom of each character in pixels.

    ``turns`` says at how many quarter turns (clockwise) each line stands.
    """

    text: str
    boxes: NDArray[np.float32]
    turns: tuple[int, ...] = ()


class Engine(Protocol):
    """What reads a picture."""

    @property
    def name(self) -> str:
        """Name and version, as a notice names them."""

    def read(self, image: Image) -> Recognised:
        """The text of a picture; empty where it shows none."""


@dataclass(frozen=True, slots=True)
class Tesseract:
    """The tesseract program of this machine."""

    version: str

    @property
    def name(self) -> str:
        """Name and version."""
        return f"tesseract {self.version}"

    def read(self, image: Image) -> Recognised:
        """Read a picture; one that Tesseract fails on holds no text."""
        import pytesseract

        try:
            rows = pytesseract.image_to_data(image, timeout=_SECONDS, output_type=pytesseract.Output.DICT)
        except (RuntimeError, OSError):  # its own errors, and its time-out
            return recognised({})
        return recognised(rows)


def installed() -> Tesseract | None:
    """The engine of this machine, if it has one."""
    try:
        import pytesseract

        return Tesseract(str(pytesseract.get_tesseract_version()))
    except (ImportError, OSError, SystemExit):  # SystemExit: a version that pytesseract can't read
        return None


def recognised(rows: Mapping[str, Sequence[Any]]) -> Recognised:
    """The table that Tesseract makes of a picture (a row for each word) as lines of text with boxes."""
    import numpy as np

    pieces: list[str] = []
    boxes: list[Box] = []
    turns: list[int] = []
    for words in _lines(rows):
        turn = _turn(words)
        turns.append(turn)
        for number, (word, box) in enumerate(words):
            if boxes:
                pieces.append(" " if number else "\n")
                boxes.append((*box[:2], *box[:2]))
            pieces.append(word)
            boxes += _letters(box, len(word), turn)
    return Recognised("".join(pieces), np.array(boxes, dtype=np.float32).reshape(-1, 4), tuple(turns))


def _lines(rows: Mapping[str, Sequence[Any]]) -> list[list[tuple[str, Box]]]:
    names = ("block_num", "par_num", "line_num", "left", "top", "width", "height", "text", "conf")
    lines: list[list[tuple[str, Box]]] = []
    line: tuple[Any, ...] | None = None
    for block, paragraph, number, left, top, width, height, text, confidence in zip(
        *(rows.get(name, ()) for name in names), strict=True
    ):
        word = " ".join(str(text).split())
        if not word or float(confidence) < 0:
            continue
        if (block, paragraph, number) != line:
            line = (block, paragraph, number)
            lines.append([])
        lines[-1].append((word, (left, top, left + width, top + height)))
    return lines


def _turn(words: Sequence[tuple[str, Box]]) -> int:
    """The quarter turns (clockwise) of a line: Tesseract reads text that runs down or up the picture, too."""
    long = [box for word, box in words if len(word) > 2]
    across = sum(right - left for left, _, right, _ in long)
    down = sum(bottom - top for _, top, _, bottom in long)
    if down <= 1.5 * across:
        return 0
    return 1 if words[-1][1][1] >= words[0][1][1] else 3


def _letters(box: Box, count: int, turn: int) -> list[Box]:
    """The boxes of a word's letters, each as wide as another."""
    left, top, right, bottom = box
    if turn == 0:
        edges = [left + (right - left) * place / count for place in range(count + 1)]
        return [(edges[place], top, edges[place + 1], bottom) for place in range(count)]
    edges = [top + (bottom - top) * place / count for place in range(count + 1)]
    found = [(left, edges[place], right, edges[place + 1]) for place in range(count)]
    return found if turn == 1 else found[::-1]
