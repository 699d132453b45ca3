"""Models of the Hugging Face hub in place of the bundled ones.

Any extractive-QA model serves as the reader, any cross-encoder with one score as the re-ranker. The
only module of ``qa`` that knows the libraries which run them; they are imported where they are used.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from index import Span, model_config, model_fingerprint, model_folder
from qa.errors import ReaderError
from qa.reranker import Reranker
from qa.span_model import (
    CONTEXT_END,
    CONTEXT_PIECES,
    QUESTION_PIECES,
    STRIDE,
    WINDOW_PIECES,
    SpanModel,
    Text,
    Window,
)

if TYPE_CHECKING:
    import tokenizers

VOCABULARIES = ("vocab.txt", "merges.txt", "*.model")
LEAST_PIECES = 128
"""A reader of shorter windows would have no room for the passage beside question and context."""

PAIR_PIECES = 512
"""A cross-encoder reads no more of a question with its passage than this."""

BATCH = 16


def load_reader(name: str) -> SpanModel:
    """Find the extractive-QA model ``name``, a folder or a hub name; it is loaded at the first question.

    Raises:
        ReaderError: it is not to be found, or its files can't serve as a reader.
    """
    remedy = "give the path of a downloaded extractive-QA model, or leave it out for the bundled reader"
    return HubSpanModel(model_folder(name, "reader", remedy, ReaderError))


def load_reranker(name: str) -> Reranker:
    """Find the cross-encoder ``name``, a folder or a hub name; it is loaded at the first question.

    Raises:
        ReaderError: it is not to be found, or its files can't serve as a re-ranker.
    """
    remedy = "give the path of a downloaded cross-encoder, or leave it out to keep the retriever's order"
    return CrossEncoderReranker(model_folder(name, "re-ranker", remedy, ReaderError))


class _HubModel(ABC):
    """A model in a folder, which is loaded when it is first used."""

    kind: ClassVar[str]
    architecture: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        """Take the model in ``folder``; nothing heavy is loaded yet.

        Raises:
            ReaderError: the folder lacks a file, or holds a model of another kind.
        """
        self._config = model_config(folder, self.architecture, ReaderError)
        self._folder = folder
        self._model: Any = None
        self._lock = threading.Lock()

    @cached_property
    def id(self) -> str:
        """The checksum of the model's files, whatever the name it was loaded by."""
        return f"{self.kind}/{model_fingerprint(self._folder, VOCABULARIES)[:12]}"

    def load(self) -> None:
        """Read the tokenizer and the weights.

        Raises:
            ReaderError: they can't be loaded, or can't serve.
        """
        with self._lock:
            if self._model is None:
                with _loading(self._folder):
                    self._model = self._read()

    @abstractmethod
    def _read(self) -> object:
        """Read the model from the folder."""


class HubSpanModel(_HubModel):
    """An extractive-QA model in the Transformers layout as the reader."""

    kind = "hub-span"
    architecture = "ForQuestionAnswering"

    def windows(self, question: str, texts: Sequence[Text]) -> list[list[Window]]:
        """For each text, its windows; one, but for passages longer than the model reads at once."""
        self.load()
        inputs = list(self._model.inputs(question, texts))
        read: dict[int, Window] = {}
        order = sorted(range(len(inputs)), key=lambda i: len(inputs[i].pieces))
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            with self._lock:
                found = self._model.read([inputs[i] for i in batch])
            read.update(zip(batch, found, strict=True))
        windows: list[list[Window]] = [[] for _ in texts]
        for i, given in enumerate(inputs):
            windows[given.text].append(read[i])
        return windows

    def _read(self) -> object:
        return _Network(self._folder)


class CrossEncoderReranker(_HubModel):
    """A cross-encoder in the Transformers or the Sentence Transformers layout as the re-ranker."""

    kind = "cross-encoder"
    architecture = "ForSequenceClassification"

    def __init__(self, folder: Path) -> None:
        """Take the model in ``folder``; nothing heavy is loaded yet. Raises what a reader does."""
        super().__init__(folder)
        labels = len(self._config.get("id2label") or ()) or self._config.get("num_labels", 2)
        if labels != 1:
            raise ReaderError(
                f"the model in {folder} gives a pair of texts {labels} scores, and a re-ranker needs one; "
                "name a cross-encoder whose config.json has one label"
            )

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the question, 0..1."""
        if not texts:
            return []
        self.load()
        with self._lock:
            found = self._model.predict([(question, text) for text in texts], show_progress_bar=False)
        return [float(score) for score in found]

    def _read(self) -> object:
        import torch
        from sentence_transformers import CrossEncoder

        model = CrossEncoder(
            str(self._folder),
            device=_device(),
            trust_remote_code=False,
            local_files_only=True,
            activation_fn=torch.nn.Sigmoid(),  # the one in its configuration may leave the logits as they are
            model_kwargs={"use_safetensors": True, "dtype": torch.float32},
        )
        model.max_seq_length = _limit(model.model, model.max_seq_length, PAIR_PIECES)
        return model


@dataclass(frozen=True, slots=True)
class _Input:
    """One window as the model takes it.

    ``second`` is the place of the first piece after the question, ``candidates`` the places of the
    pieces that can be an answer, and ``offsets`` their ranges in the passage.
    """

    text: int
    pieces: Sequence[int]
    second: int
    candidates: Sequence[int]
    offsets: Sequence[Span]


class _Network:
    """A loaded extractive-QA model with its tokenizer."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForQuestionAnswering, AutoTokenizer

        local: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, **local)
        if not tokenizer.is_fast:
            raise ReaderError(
                f"the model in {folder} has no fast tokenizer, and others do not tell where in the text a "
                "word piece stands; name a model that comes with tokenizer.json"
            )
        self._tokenizer: tokenizers.Tokenizer = tokenizer.backend_tokenizer
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._tokenizer.encode_special_tokens = True  # a "[SEP]" in a document is text
        self._padding = tokenizer.pad_token_id or 0
        segment = self._find_frame(folder)
        model, report = AutoModelForQuestionAnswering.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **local
        )
        if report["missing_keys"]:
            raise ReaderError(
                f"the weights in {folder} lack {', '.join(sorted(report['missing_keys']))}, which would be "
                "random; name a model that was trained for question answering"
            )
        self._limit = _limit(model, tokenizer.model_max_length, WINDOW_PIECES)
        if self._limit < LEAST_PIECES:
            raise ReaderError(
                f"the model in {folder} reads {self._limit} word pieces at once, too few for a question and "
                f"a passage; name one that reads at least {LEAST_PIECES}"
            )
        takes = "token_type_ids" in signature(model.forward).parameters
        self._segment = segment if takes and getattr(model.config, "type_vocab_size", 2) > segment else 0
        self._device = _device()
        self._model: Any = model.eval().to(self._device)

    def _find_frame(self, folder: Path) -> int:
        """See what the tokenizer sets around a pair of texts; return the segment of the second."""
        probe = self._tokenizer.encode("question", "passage")
        first, second = probe.sequence_ids.index(0), probe.sequence_ids.index(1)
        end, last = first + probe.sequence_ids.count(0), second + probe.sequence_ids.count(1)
        self._before, self._between, self._after = probe.ids[:first], probe.ids[end:second], probe.ids[last:]
        if not self._before or not self._between:
            raise ReaderError(
                f"the tokenizer in {folder} does not mark the beginning and the end of the question, so that "
                "no answer has no score; name a model like BERT or RoBERTa"
            )
        return probe.type_ids[second]

    def inputs(self, question: str, texts: Sequence[Text]) -> Iterator[_Input]:
        """The windows of ``texts``, in their order."""
        asked = self._tokenizer.encode(question, add_special_tokens=False).ids[:QUESTION_PIECES]
        asked = [*self._before, *asked, *self._between]
        prefixes = {text.context: self._prefix(text.context) for text in texts}
        told = self._tokenizer.encode_batch(
            [prefixes[text.context] + text.passage for text in texts], add_special_tokens=False
        )
        for number, (text, encoding) in enumerate(zip(texts, told, strict=True)):
            skipped = len(prefixes[text.context])
            spans = [_trimmed(text.passage, a - skipped, b - skipped) for a, b in encoding.offsets]
            passage = next((i for i, (_, end) in enumerate(spans) if end > 0), len(spans))
            head = [*asked, *encoding.ids[:passage]]
            room = self._limit - len(head) - len(self._after)
            step = max(1, min(STRIDE, room // 2))
            for first in range(passage, max(len(spans) - room, passage) + step, step):
                shown = spans[first : first + room]
                yield _Input(
                    text=number,
                    pieces=[*head, *encoding.ids[first : first + room], *self._after],
                    second=len(asked),
                    candidates=[len(head) + i for i, (start, end) in enumerate(shown) if start < end],
                    offsets=[(start, end) for start, end in shown if start < end],
                )

    def _prefix(self, context: str) -> str:
        """What is told before a passage, cut to the end of the last word piece that has room."""
        offsets = self._tokenizer.encode(context, add_special_tokens=False).offsets[: CONTEXT_PIECES - 1]
        return f"{context[: offsets[-1][1]]}{CONTEXT_END} " if offsets else ""

    def read(self, inputs: Sequence[_Input]) -> list[Window]:
        """The logits of windows of about the same length."""
        import torch

        shape = len(inputs), max(len(given.pieces) for given in inputs)
        pieces = np.full(shape, self._padding, dtype=np.int64)
        segments, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, given in enumerate(inputs):
            size = len(given.pieces)
            pieces[row, :size] = given.pieces
            segments[row, given.second : size] = self._segment
            mask[row, :size] = 1
        arrays = {"input_ids": pieces, "attention_mask": mask}
        if self._segment:
            arrays["token_type_ids"] = segments
        on_device = {name: torch.from_numpy(array).to(self._device) for name, array in arrays.items()}
        with torch.inference_mode():
            result = self._model(**on_device)
        starts, ends = result.start_logits.cpu().numpy(), result.end_logits.cpu().numpy()
        return [_window(*row) for row in zip(inputs, starts, ends, strict=True)]


@contextmanager
def _loading(folder: Path) -> Iterator[None]:
    """Keep the libraries quiet while a model is loaded, and say in one line what they raise."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    except ReaderError:
        raise
    except Exception as error:  # they raise many kinds, tokenizers Exception itself
        reason = " ".join(str(error).split())
        raise ReaderError(
            f"the model in {folder} can't be loaded: {reason}; download it again, or name another"
        ) from error
    finally:
        logging.set_verbosity(verbosity)


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _limit(model: Any, tokenizer_limit: int | None, most: int) -> int:  # noqa: ANN401 - of many classes
    """How many word pieces a model reads at once, at most ``most``."""
    limits = [most, tokenizer_limit or most]
    positions = getattr(model.config, "max_position_embeddings", None)
    if isinstance(positions, int) and positions > 0:
        embedding = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
        padding = getattr(embedding, "padding_idx", None)
        # RoBERTa and its like count positions from the one after that of the padding.
        limits.append(positions - (0 if padding is None else padding + 1))
    return min(limits)


def _trimmed(text: str, start: int, end: int) -> Span:
    """A range of ``text`` without white space at its ends, which some tokenizers count to a piece."""
    start, end = max(start, 0), max(end, 0)
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _window(given: _Input, starts: NDArray[np.float32], ends: NDArray[np.float32]) -> Window:
    """The logits of the candidates, and of the first special piece, which stands for no answer."""
    return Window(
        offsets=given.offsets,
        starts=starts[given.candidates],
        ends=ends[given.candidates],
        null_start=float(starts[0]),
        null_end=float(ends[0]),
    )
