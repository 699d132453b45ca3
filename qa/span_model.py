"""Question and passages -> start, end and null logits.

The bundled model (``models/span_reader``, made by ``training/``) is all-MiniLM-L6-v2 with start and
end heads, its weights in 8 bits, run by OpenVINO: the products of weights in bytes where the processor has
them, the rest in bf16 or fp32, whichever is faster.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from index import Span, compiled_model
from qa.errors import ReaderError

if TYPE_CHECKING:
    import tokenizers

BUNDLED_FOLDER = Path(__file__).parent / "models" / "span_reader"
MODEL_FILES = ("model.xml", "model.bin", "tokenizer.json")

QUESTION_PIECES = 64
CONTEXT_PIECES = 32
CONTEXT_END = ":"
WINDOW_PIECES = 384
STRIDE = 128
CLS, SEP = "[CLS]", "[SEP]"

BATCH_PIECES = 384
LENGTH_STEP = 16
"""Windows are padded to a multiple of this: a new shape costs the runtime more than the padding."""


class Text(NamedTuple):
    """What is read for a passage: its context (title > heading), in which no answer lies, and its text."""

    context: str
    passage: str


@dataclass(frozen=True, slots=True)
class Window:
    """The logits of one stretch of a passage, in floats.

    ``offsets[i]`` is the range of word piece ``i`` in the passage's text; ``starts[i]`` and
    ``ends[i]`` are the logits of an answer that starts or ends with it. ``null_start`` and
    ``null_end`` are those of no answer.
    """

    offsets: Sequence[Span]
    starts: NDArray[np.float32]
    ends: NDArray[np.float32]
    null_start: float
    null_end: float


class SpanModel(Protocol):
    """What the reader asks of a model. Implementations are safe to use from several threads."""

    @property
    def id(self) -> str:
        """Changes with its weights: its logits stay the same but for rounding."""

    def load(self) -> None:
        """Load it now rather than at the first question."""

    def windows(self, question: str, texts: Sequence[Text]) -> list[list[Window]]:
        """For each text, its windows, which cover all of the passage."""


@dataclass(frozen=True, slots=True)
class _Input:
    """One window as the model takes it: where its passage begins, and the offsets there."""

    text: int
    pieces: Sequence[int]
    second: int
    passage: int
    offsets: Sequence[Span]


class BundledSpanModel:
    """The reader that comes with Footnote."""

    def __init__(self, folder: Path = BUNDLED_FOLDER) -> None:
        """Take the model in ``folder``; nothing is loaded yet."""
        self._folder = folder
        self._lock = threading.Lock()

    @cached_property
    def id(self) -> str:
        """The name and the checksum of the weights."""
        name, checksums = self._card
        return f"{name}/{checksums['model.bin'][:12]}"

    @cached_property
    def _card(self) -> tuple[str, dict[str, str]]:
        """The model's name, and the SHA-256 of each of its other files."""
        path = self._file("model.json")
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            return str(card["name"]), {name: str(card["sha256"][name]) for name in MODEL_FILES}
        except (ValueError, KeyError, TypeError) as error:
            raise ReaderError(f"{path} is damaged ({error!r}); reinstall footnote-qa") from error

    def _file(self, name: str) -> Path:
        path = self._folder / name
        if not path.is_file():
            raise ReaderError(f"{path}, a part of the reader, is missing; reinstall footnote-qa")
        return path

    def _checked(self, name: str) -> Path:
        path = self._file(name)
        if hashlib.sha256(path.read_bytes()).hexdigest() != self._card[1][name]:
            raise ReaderError(
                f"{path} is not the file that was shipped (its checksum differs); reinstall footnote-qa"
            )
        return path

    def load(self) -> None:
        """Read the weights and compile the model.

        Raises:
            ReaderError: a file of it is missing or is not what was shipped.
        """
        with self._lock:
            _ = self._compiled, self._tokenizer

    def windows(self, question: str, texts: Sequence[Text]) -> list[list[Window]]:
        """For each text, its windows; one, but for passages longer than the model reads at once."""
        self.load()
        inputs = list(self._inputs(question, texts))
        found: list[list[Window]] = [[] for _ in texts]
        order = sorted(range(len(inputs)), key=lambda i: len(inputs[i].pieces))
        read: dict[int, Window] = {}
        for group in _groups(order, inputs):
            logits = self._run([inputs[i] for i in group])
            for i, row in zip(group, logits, strict=True):
                read[i] = _window(inputs[i], row)
        for i, given in enumerate(inputs):
            found[given.text].append(read[i])
        return found

    @cached_property
    def _tokenizer(self) -> tokenizers.Tokenizer:
        import tokenizers

        tokenizer = tokenizers.Tokenizer.from_file(str(self._checked("tokenizer.json")))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode_special_tokens = True  # a document's "[SEP]" is text
        return tokenizer

    @cached_property
    def _compiled(self) -> Any:  # noqa: ANN401 - openvino has no types
        self._checked("model.bin")
        return compiled_model(self._checked("model.xml"))

    def _inputs(self, question: str, texts: Sequence[Text]) -> Iterator[_Input]:
        cls, sep = (self._tokenizer.token_to_id(mark) or 0 for mark in (CLS, SEP))
        asked = self._pieces(question)[:QUESTION_PIECES]
        contexts = {text.context: self._prefix(text.context) for text in texts}
        told = self._tokenizer.encode_batch([text.passage for text in texts], add_special_tokens=False)
        for number, (text, encoding) in enumerate(zip(texts, told, strict=True)):
            head = [cls, *asked, sep, *contexts[text.context]]
            room = WINDOW_PIECES - len(head) - 1
            for first in range(0, max(len(encoding.ids) - room, 0) + STRIDE, STRIDE):
                pieces = encoding.ids[first : first + room]
                offsets = encoding.offsets[first : first + room]
                yield _Input(number, [*head, *pieces, sep], len(asked) + 2, len(head), offsets)

    def _prefix(self, context: str) -> list[int]:
        if not context:
            return []
        return [*self._pieces(context)[: CONTEXT_PIECES - 1], *self._pieces(CONTEXT_END)]

    def _pieces(self, text: str) -> list[int]:
        pieces: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return pieces

    def _run(self, inputs: Sequence[_Input]) -> NDArray[np.float32]:
        longest = max(len(given.pieces) for given in inputs)
        length = min(-(-longest // LENGTH_STEP) * LENGTH_STEP, WINDOW_PIECES)
        pieces, segments, mask = (np.zeros((len(inputs), length), dtype=np.int64) for _ in range(3))
        for row, given in enumerate(inputs):
            size = len(given.pieces)
            pieces[row, :size] = given.pieces
            segments[row, given.second : size] = 1
            mask[row, :size] = 1
        with self._lock:
            result = self._compiled({"pieces": pieces, "segments": segments, "mask": mask})
            logits: NDArray[np.float32] = result[0].copy()
        return logits


def _groups(order: Sequence[int], inputs: Sequence[_Input]) -> Iterator[list[int]]:
    group: list[int] = []
    for i in order:
        if group and (len(group) + 1) * len(inputs[i].pieces) > BATCH_PIECES:
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def _window(given: _Input, row: NDArray[np.float32]) -> Window:
    inside = slice(given.passage, given.passage + len(given.offsets))
    return Window(
        offsets=given.offsets,
        starts=row[inside, 0],
        ends=row[inside, 1],
        null_start=float(row[0, 0]),
        null_end=float(row[0, 1]),
    )
