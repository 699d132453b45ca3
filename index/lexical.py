"""BM25 over passages, with tantivy (the only module that imports it).

The words are cut here, not by tantivy, so that identifiers such as XR-2041 stay one token and
text without spaces between words (Chinese, Japanese, Korean, Thai ...) can be searched.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import unicodedata
import weakref
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from math import log1p
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import IndexDamagedError

if TYPE_CHECKING:
    import tantivy

LEXICAL_VERSION = 1
WRITER_HEAP_BYTES = 64_000_000
TOKEN_CHARACTERS = 100

STOP_WORDS = frozenset(
    "a about an and any are as at be been being but by can could did do does doing for from had has have "
    "having he her hers him his how i if in into is it its itself me my of on or our ours s shall she "
    "should so some such than that the their theirs them then there these they this those to was we were "
    "what when where which while who whom whose why will with would you your yours".split()
)

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_TOKEN = re.compile(
    rf"[{_UNSPACED}]+"
    rf"|[^\W_{_UNSPACED}][\u0300-\u036f]*(?:[^\W{_UNSPACED}]|[\u0900-\u0dff\u0300-\u036f]"
    rf"|[-.,/:@'’&](?=[^\W_{_UNSPACED}]))*(?:\+\+|\#)?"
)
_PART = re.compile(r"[^\W_]+")
_QUOTED = re.compile(r'(?<!\w)"([^"]+)"|“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»')
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")


def fold(text: str) -> str:
    """Lower case without compatibility forms and without the accents of Latin, Greek, Cyrillic."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", decomposed))


def words(text: str) -> list[str]:
    """The search words of ``text``, unstemmed, in order.

    A compound (XR-2041, e-mail, 3.5, user@host) is one word, followed by its parts. A run without
    spaces gives its characters and its bigrams.
    """
    found: list[str] = []
    for match in _TOKEN.finditer(fold(text)):
        token = match.group()
        if token[0] >= "\u0e00" and re.match(rf"[{_UNSPACED}]", token):
            found.extend(token)
            found.extend(token[i : i + 2] for i in range(len(token) - 1))
            continue
        if token.isalnum():  # nearly all are: nothing to cut off, no parts
            found.append(token[:TOKEN_CHARACTERS])
            continue
        token = _THOUSANDS.sub("", token)
        for possessive in ("'s", "’s"):
            token = token.removesuffix(possessive)
        parts = _PART.findall(token)
        if len(parts) > 1 and "." in token and all(len(part) == 1 and part.isalpha() for part in parts):
            found.append("".join(parts))  # U.S. is US
            continue
        found.append(token[:TOKEN_CHARACTERS])
        if len(parts) > 1:
            found.extend(part[:TOKEN_CHARACTERS] for part in parts if len(part) > 1)
    return found


def phrases(question: str) -> list[str]:
    """The parts of ``question`` in double quotation marks, which must stand in every result."""
    found = ("".join(groups) for groups in _QUOTED.findall(question))
    return [phrase for phrase in found if _PART.search(fold(phrase))]


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The English Snowball stem of ``word``; words that are not plain letters stay as they are."""
    if not word.isascii() or not word.isalpha():
        return word
    stemmed = _stemmer().analyze(word)
    return stemmed[0] if stemmed else word


def terms(text: str) -> list[str]:
    """The stemmed search words of ``text``: what BM25 counts."""
    return [stem(word) for word in words(text)]


def has_content(question: str) -> bool:
    """Whether ``question`` has a word to look for that is no stop word."""
    return any(word not in STOP_WORDS for word in words(question))


def question_terms(question: str) -> list[str]:
    """The distinct terms of ``question`` without stop words, unless nothing else is left."""
    found = words(question)
    content = [word for word in found if word not in STOP_WORDS] or found
    return list(dict.fromkeys(stem(word) for word in content))


def _exact(text: str) -> list[str]:
    """Every word or unspaced character of ``text`` by itself: the positions that phrases need."""
    found: list[str] = []
    for part in _PART.findall(fold(text)):
        if re.search(rf"[{_UNSPACED}]", part):
            found.extend(part)
        else:
            found.append(part[:TOKEN_CHARACTERS])
    return found


class LexicalIndex:
    """A BM25 index on disk, opened for reading. Safe to search from several threads."""

    def __init__(self, directory: Path) -> None:
        """Open the index in ``directory``.

        Raises:
            IndexDamagedError: there is none, or it can't be read.
        """
        import tantivy

        if not tantivy.Index.exists(str(directory)):  # opening would make an empty one
            raise IndexDamagedError(f"the word index {directory} is missing")
        if not os.access(directory, os.W_OK):
            directory = _mirror(directory)
            weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        self._index = _open(directory)
        self._searcher = self._index.searcher()

    @property
    def count(self) -> int:
        """The number of passages in the index."""
        return int(self._searcher.num_docs)

    def search(
        self, question: str, k: int, contents: Collection[int] | None = None
    ) -> list[tuple[int, float]]:
        """The ``k`` best passages for ``question`` as (passage id, score), best first.

        The score is BM25 over the sum of the question terms' weights, so that it means the same for
        short and long questions, small and large collections: nearly 1 where every term stands in
        the passage once, 0 where none does. Each quoted phrase of the question must stand in a
        passage word for word. ``contents`` limits the search to passages of these contents.
        """
        import tantivy

        schema = self._index.schema
        asked = question_terms(question)
        if not asked or k < 1:
            return []
        wanted = [
            (tantivy.Occur.Should, tantivy.Query.term_query(schema, "terms", term, "freq")) for term in asked
        ]
        clauses = [(tantivy.Occur.Must, tantivy.Query.boolean_query(wanted))]
        clauses += [(tantivy.Occur.Must, self._phrase_query(phrase)) for phrase in phrases(question)]
        if contents is not None:
            clauses.append((tantivy.Occur.Must, self._contents_query(contents)))
        mass = sum(self.weight(term) for term in asked)
        return [
            (passage, score / mass) for passage, score in self._top(tantivy.Query.boolean_query(clauses), k)
        ]

    def weight(self, term: str) -> float:
        """How much a term says: 1 + its inverse document frequency, as BM25 has it.

        The 1 keeps the terms that every passage of a small collection holds from counting nothing.
        """
        frequency = self._searcher.doc_freq("terms", term)
        return 1 + log1p((max(self.count - frequency, 0) + 0.5) / (frequency + 0.5))

    def holds_any(self, question: str) -> bool:
        """Whether any term of ``question`` stands in any passage."""
        return any(self._searcher.doc_freq("terms", term) for term in question_terms(question))

    def phrase_matches(self, question: str, contents: Collection[int] | None = None) -> list[int] | None:
        """The ids of all passages that hold every quoted phrase; None where nothing is quoted."""
        import tantivy

        quoted = phrases(question)
        if not quoted:
            return None
        clauses = [(tantivy.Occur.Must, self._phrase_query(phrase)) for phrase in quoted]
        if contents is not None:
            clauses.append((tantivy.Occur.Must, self._contents_query(contents)))
        return [passage for passage, _ in self._top(tantivy.Query.boolean_query(clauses), max(self.count, 1))]

    def _top(self, query: tantivy.Query, k: int) -> list[tuple[int, float]]:
        hits = self._searcher.search(query, limit=k, count=False).hits
        ids = self._searcher.fast_field_values("passage", [address for _, address in hits])
        scored = zip(ids, hits, strict=True)
        found = [(int(passage or 0), float(score)) for passage, (score, _) in scored]
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))

    def _phrase_query(self, phrase: str) -> tantivy.Query:
        import tantivy

        parts = _exact(phrase)
        if len(parts) == 1:
            query = tantivy.Query.term_query(self._index.schema, "exact", parts[0], "freq")
        else:
            query = tantivy.Query.phrase_query(self._index.schema, "exact", list(parts))
        return tantivy.Query.const_score_query(query, 0.0)

    def _contents_query(self, contents: Collection[int]) -> tantivy.Query:
        import tantivy

        query = tantivy.Query.term_set_query(self._index.schema, "content", sorted(contents))
        return tantivy.Query.const_score_query(query, 0.0)


def write(
    directory: Path,
    passages: Iterable[tuple[int, int, str, str]],
    removed_contents: Sequence[int] = (),
) -> None:
    """Add ``passages`` (id, content id, context, text) to the index in ``directory``.

    An empty directory becomes a new index; passages of ``removed_contents`` go first. Segment
    files are never altered in place, so a directory of hard links to an older index is safe.
    """
    import tantivy

    index = _open(directory)
    writer = index.writer(heap_size=WRITER_HEAP_BYTES, num_threads=1)
    if removed_contents:  # by query: deletion by term matches signed numbers alone (tantivy 0.27)
        gone = tantivy.Query.term_set_query(index.schema, "content", sorted(removed_contents))
        writer.delete_documents_by_query(gone)
    for passage, content, context, text in passages:
        document = tantivy.Document()
        document.add_unsigned("passage", passage)
        document.add_unsigned("content", content)
        document.add_text("terms", " ".join(terms(f"{context}\n{text}")))
        document.add_text("exact", " ".join(_exact(text)))
        writer.add_document(document)
    try:
        writer.commit()
        writer.wait_merging_threads()
    except ValueError as error:  # what tantivy makes of any failure to write
        raise OSError(f"the word index {directory} can't be written: {error}") from error


def _mirror(directory: Path) -> Path:
    """A temporary directory of links to the files of a read-only index: tantivy locks where it reads."""
    mirror = Path(tempfile.mkdtemp(prefix="footnote-"))
    for path in directory.iterdir():
        (mirror / path.name).symlink_to(path.absolute())
    return mirror


def _open(directory: Path) -> tantivy.Index:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("passage", stored=False, indexed=False, fast=True)
    builder.add_unsigned_field("content", stored=False, indexed=True, fast=False)
    builder.add_text_field("terms", stored=False, tokenizer_name="spaced", index_option="freq")
    builder.add_text_field("exact", stored=False, tokenizer_name="spaced", index_option="position")
    try:
        index = tantivy.Index(builder.build(), path=str(directory))
    except ValueError as error:
        raise IndexDamagedError(f"the word index {directory} can't be read ({error})") from error
    analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer("spaced", analyzer)
    return index


@lru_cache(maxsize=1)
def _stemmer() -> tantivy.TextAnalyzer:
    import tantivy

    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    return builder.filter(tantivy.Filter.stemmer("english")).build()
