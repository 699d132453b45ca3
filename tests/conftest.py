"""What several test files share: tiny models, small libraries of documents, both indexes, visitors."""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from index import BuildReport, intake, rebuild
from index.sandbox import Limits, ReadFile, Request, worker
from qa import QA
from qa.span_model import BundledSpanModel, SpanModel, Text, Window

from .browser import chromium

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.pop("FOOTNOTE_INDEX", None)

ROOT = Path(__file__).parent.parent
SEEDS = ROOT / "seeds"
os.environ["FOOTNOTE_CACHE"] = str(ROOT / ".footnote" / "test-cache")

CUT_OFF = re.compile("BodyStreamBuffer was aborted|signal is aborted|Connection errored out")
"""What gradio says of its streams when a page is left while one is open."""

LONG_AGO = 1_600_000_000_000_000_000
"""A time of change in nanoseconds."""

LEAVING = "footnote: this page is left"
"""Logged before gradio cuts off its streams, which is before the browser asks for the next page."""

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the a red car van is fast slow . , ? ##s and".split()

LETTERS = [
    "a",
    "Zoë",
    "cafe\u0301",
    "हिन्दी",
    "소리",
    "5",
    "x_1",
    "北",
    "京都",
    "กา",
    "👩\u200d👧",
    "\u202e",
    "\ufeff",
]
MARKS = [" ", "\n", "\r\n", "\u3000", ". ", ", ", "-", "'", "。", "\u0301", "\u00ad", "\u200d", "[SEP]"]
TEXTS = st.lists(
    st.sampled_from(LETTERS + MARKS) | st.characters(exclude_categories=["Cs"]), max_size=60
).map("".join)

settings.register_profile("footnote", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("footnote")


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have parsers run in the test's own process, where they can be replaced."""

    def read_files(requests: Iterable[Request], limits: Limits) -> Iterator[list[ReadFile]]:
        for request in requests:
            yield [frame for frame in worker.read(request) if isinstance(frame, ReadFile)]

    monkeypatch.setattr(intake, "read_files", read_files)


class TinyEncoder:
    """A deterministic encoder of hashed words: no model, no meaning, unit vectors of 64."""

    name = "tiny"
    dimension = 64
    max_tokens = 254

    def __init__(self, fingerprint: str = "tiny-1") -> None:
        self.fingerprint = fingerprint
        self.encoded: list[str] = []

    def token_offsets(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        return [[match.span() for match in re.finditer(r"\w+|[^\w\s]", text)] for text in texts]

    def encode_passages(self, texts: Sequence[str]) -> np.ndarray:
        self.encoded += texts
        return np.stack([self._encode(text) for text in texts])

    def encode_question(self, text: str) -> np.ndarray:
        return self._encode(text)

    def _encode(self, text: str) -> np.ndarray:
        vector = np.full(self.dimension, 1e-3, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()):
            vector[
                int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16) % self.dimension
            ] += 1
        return vector / np.linalg.norm(vector)


class PatternReader:
    """Takes what a pattern matches for an answer, and nothing else: each match has the gap ``gap``."""

    def __init__(self, pattern: str, gap: float = 6.0) -> None:
        self.id = f"pattern/{pattern}/{gap}"
        self._pattern = re.compile(pattern)
        self._logit = gap / 2

    def load(self) -> None:
        pass

    def windows(self, question: str, texts: Sequence[Text]) -> list[list[Window]]:
        return [[self._window(text.passage)] for text in texts]

    def _window(self, text: str) -> Window:
        offsets = [m.span() for m in re.finditer(r"[^\W\u4e00-\u9fff]+|[\u4e00-\u9fff]|[^\w\s]", text)]
        matches = [match.span() for match in self._pattern.finditer(text)]
        starts = [self._logit if a in {m[0] for m in matches} else -np.inf for a, _ in offsets]
        ends = [self._logit if b in {m[1] for m in matches} else -np.inf for _, b in offsets]
        return Window(offsets, np.float32(starts), np.float32(ends), 0.0, 0.0)


class NoiseReader:
    """Any span may be the answer, but of the same question and text always the same one."""

    id = "noise"

    def load(self) -> None:
        pass

    def windows(self, question: str, texts: Sequence[Text]) -> list[list[Window]]:
        return [[self._window(question, text)] for text in texts]

    def _window(self, question: str, text: Text) -> Window:
        offsets = [match.span() for match in re.finditer(r"\w|[^\w\s]+", text.passage)]
        noise = np.random.default_rng(zlib.crc32("\n".join([question, *text]).encode()))
        starts, ends = noise.normal(0, 3, (2, len(offsets))).astype(np.float32)
        return Window(offsets, starts, ends, *map(float, noise.normal(0, 3, 2)))


@pytest.fixture(scope="session")
def bundled_reader() -> BundledSpanModel:
    """The shipped reader, loaded once."""
    return BundledSpanModel()


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers with a vocabulary of a few words, saved to a folder."""
    import tokenizers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast, set_seed

    made, bert = tmp_path_factory.mktemp("model"), tmp_path_factory.mktemp("bert")
    set_seed(1)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=96,
    )
    BertModel(config).save_pretrained(bert)
    rules = tokenizers.BertWordPieceTokenizer(dict(zip(WORDS, range(len(WORDS)), strict=True)))
    BertTokenizerFast(tokenizer_object=rules._tokenizer, model_max_length=96).save_pretrained(bert)
    body = Transformer(str(bert), max_seq_length=80)
    SentenceTransformer(modules=[body, Pooling(32)], device="cpu").save(str(made / "small"))
    return made / "small"


@pytest.fixture
def tiny_encoder() -> TinyEncoder:
    return TinyEncoder()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for documents."""
    made = tmp_path / "library"
    made.mkdir()
    return made


@pytest.fixture
def index_dir(tmp_path: Path) -> Path:
    """Where an index may be made."""
    return tmp_path / "index"


@pytest.fixture
def ask_files(
    folder: Path, index_dir: Path, tiny_encoder: TinyEncoder, bundled_reader: BundledSpanModel
) -> Callable[..., QA]:
    """Write files, index them with the tiny encoder, and open them for asking; with the shipped reader
    where none is given."""
    opened: list[QA] = []

    def make(files: dict[str, str | bytes], reader: SpanModel | None = None) -> QA:
        write_files(folder, files)
        rebuild(folder, index_dir, encoder=tiny_encoder)
        opened.append(QA.open(index_dir, encoder=tiny_encoder, reader=reader or bundled_reader))
        return opened[-1]

    yield make
    for qa in opened:
        qa.close()


@pytest.fixture(scope="session")
def seed_index(tmp_path_factory: pytest.TempPathFactory) -> BuildReport:
    """The index of ``seeds/`` with the real encoder, built once."""
    return rebuild(SEEDS, tmp_path_factory.mktemp("seeds") / "index")


@pytest.fixture(scope="session")
def seed_qa(seed_index: BuildReport) -> QA:
    """The seed document, opened for asking, with the real encoder."""
    with QA.open(seed_index.index_dir) as qa:
        yield qa


@pytest.fixture(scope="session")
def library_qa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QA]:
    """A small library with hostile documents, with the real encoder."""
    from .web_site import LIBRARY  # it loads gradio

    folder = tmp_path_factory.mktemp("web") / "library"
    write_files(folder, LIBRARY)
    with QA.from_folder(folder, folder.parent / "index") as qa:
        qa.load()
        yield qa


@pytest.fixture(scope="session")
def library_folder(library_qa: QA) -> Path:
    """Where the documents of ``library_qa`` lie."""
    return library_qa.index_dir.parent / "library"


@pytest.fixture(scope="session")
def site(library_qa: QA, library_folder: Path) -> Iterator[tuple[str, Any]]:
    """The app that most tests visit, with its documents there to be read only."""
    from .web_site import served

    data = library_qa.index_dir.parent / "data"
    with served(library_qa, data, originals=True, documents=(library_folder,)) as running:
        yield running


@pytest.fixture(scope="session")
def address(site: tuple[str, Any]) -> str:
    return site[0]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open the page as a new visitor; no page may ask another host, raise a dialog or log an error."""
    contexts: list[Any] = []
    hosts: set[str] = set()
    own: set[str] = {""}
    alarms: list[str] = []
    leaving: set[Any] = set()

    def said(page: Any, text: str) -> None:
        if page not in leaving or not CUT_OFF.search(text):
            alarms.append(text)

    def logged(page: Any, message: Any) -> None:
        if message.text == LEAVING:
            leaving.add(page)
        elif message.type == "error":
            said(page, message.text)

    def opened(address: str, *, context: Any = None, **options: Any) -> Any:
        if context is None:
            context = browser.new_context(**options)
            contexts.append(context)
            context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page = context.new_page()
        page.add_init_script(f"addEventListener('beforeunload', () => console.debug({LEAVING!r}))")
        page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
        page.on("domcontentloaded", lambda: leaving.discard(page))
        page.on("pageerror", lambda error: said(page, str(error)))
        page.on("console", lambda message: logged(page, message))
        page.goto(address)
        page.wait_for_selector("#fn-box textarea")
        own.add(urlsplit(address).netloc)
        return page

    yield opened
    for context in contexts:
        leaving.update(context.pages)
        context.close()
    assert hosts <= own
    assert alarms == []


def write_files(folder: Path, files: dict[str, str | bytes]) -> None:
    """Write files by their relative path; text as UTF-8, line ends as given."""
    for source, content in files.items():
        path = folder / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def age(folder: Path, ns: int = LONG_AGO) -> None:
    """Let files be old: one that is fresh is read again, and recorded again once it no longer is."""
    for path in folder.rglob("*.*"):
        os.utime(path, ns=(ns, ns))
