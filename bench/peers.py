"""The same work by other libraries, all with the same all-MiniLM-L6-v2: what their users write.

Run as ``python -m bench.peers NAME TASK WORK``, in a process of its own; prints one JSON object.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bench.machine import RUNS, each, memory
from index.encoder import bundled_folder

MODEL = str(bundled_folder())
DIMENSION = 384
K = 10


class Peer(Protocol):
    """What a peer can do; those that know words only do less."""

    def load(self) -> None: ...

    def index(self, texts: Sequence[str]) -> None: ...

    def index_vectors(self, texts: Sequence[str], vectors: np.ndarray) -> None: ...

    def save(self, folder: Path) -> None: ...

    def restore(self, folder: Path) -> None: ...

    def search(self, question: str) -> list[str]: ...


class ByHand:
    """sentence-transformers and faiss."""

    def load(self) -> None:
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(MODEL, device="cpu")

    def index(self, texts: Sequence[str]) -> None:
        self.index_vectors(texts, self.model.encode(list(texts), normalize_embeddings=True))

    def index_vectors(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        import faiss

        self.texts = list(texts)
        self.vectors = faiss.IndexFlatIP(DIMENSION)
        self.vectors.add(vectors)

    def save(self, folder: Path) -> None:
        import faiss

        faiss.write_index(self.vectors, str(folder / "vectors.faiss"))
        (folder / "texts.json").write_text(json.dumps(self.texts))

    def restore(self, folder: Path) -> None:
        import faiss

        self.vectors = faiss.read_index(str(folder / "vectors.faiss"))
        self.texts = json.loads((folder / "texts.json").read_text())

    def search(self, question: str) -> list[str]:
        _, found = self.vectors.search(self.model.encode([question], normalize_embeddings=True), K)
        return [self.texts[i] for i in found[0]]


class Txtai:
    """txtai with content and hybrid search."""

    def load(self) -> None:
        from txtai import Embeddings

        self.embeddings = Embeddings(path=MODEL, content=True, hybrid=True)

    def index(self, texts: Sequence[str]) -> None:
        self.embeddings.index(enumerate(texts))

    def search(self, question: str) -> list[str]:
        return [found["text"] for found in self.embeddings.search(question, K)]


class LangChain:
    """HuggingFaceEmbeddings and the FAISS vector store."""

    def load(self) -> None:
        from langchain_huggingface import HuggingFaceEmbeddings

        self.model = HuggingFaceEmbeddings(model_name=MODEL)

    def index(self, texts: Sequence[str]) -> None:
        from langchain_community.vectorstores import FAISS

        self.store = FAISS.from_texts(list(texts), self.model)

    def index_vectors(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        from langchain_community.vectorstores import FAISS

        self.store = FAISS.from_embeddings(zip(texts, vectors.tolist(), strict=True), self.model)

    def save(self, folder: Path) -> None:
        self.store.save_local(str(folder))

    def restore(self, folder: Path) -> None:
        from langchain_community.vectorstores import FAISS

        self.store = FAISS.load_local(str(folder), self.model, allow_dangerous_deserialization=True)

    def search(self, question: str) -> list[str]:
        return [found.page_content for found in self.store.similarity_search(question, k=K)]


class LlamaIndex:
    """HuggingFaceEmbedding and the Faiss vector store."""

    def load(self) -> None:
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding

        self.model = HuggingFaceEmbedding(model_name=MODEL)

    def index(self, texts: Sequence[str]) -> None:
        self._index(texts, [None] * len(texts))

    def index_vectors(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        self._index(texts, vectors.tolist())

    def _index(self, texts: Sequence[str], vectors: Sequence[Any]) -> None:
        import faiss
        from llama_index.core import StorageContext, VectorStoreIndex
        from llama_index.core.schema import TextNode
        from llama_index.vector_stores.faiss import FaissVectorStore

        store = FaissVectorStore(faiss_index=faiss.IndexFlatIP(DIMENSION))
        nodes = [TextNode(text=text, embedding=vector) for text, vector in zip(texts, vectors, strict=True)]
        context = StorageContext.from_defaults(vector_store=store)
        self.store = VectorStoreIndex(nodes, storage_context=context, embed_model=self.model)
        self.retriever = self.store.as_retriever(similarity_top_k=K)

    def save(self, folder: Path) -> None:
        self.store.storage_context.persist(str(folder))

    def restore(self, folder: Path) -> None:
        from llama_index.core import StorageContext, load_index_from_storage
        from llama_index.vector_stores.faiss import FaissVectorStore

        store = FaissVectorStore.from_persist_dir(str(folder))
        context = StorageContext.from_defaults(vector_store=store, persist_dir=str(folder))
        self.store = load_index_from_storage(context, embed_model=self.model)
        self.retriever = self.store.as_retriever(similarity_top_k=K)

    def search(self, question: str) -> list[str]:
        return [found.node.get_content() for found in self.retriever.retrieve(question)]


class Haystack:
    """SentenceTransformersDocumentEmbedder and the in-memory store."""

    def load(self) -> None:
        from haystack.document_stores.in_memory import InMemoryDocumentStore
        from haystack_integrations.components.embedders.sentence_transformers import (
            SentenceTransformersDocumentEmbedder,
            SentenceTransformersTextEmbedder,
        )

        self.documents = SentenceTransformersDocumentEmbedder(model=MODEL, progress_bar=False)
        self.questions = SentenceTransformersTextEmbedder(model=MODEL, progress_bar=False)
        self.documents.warm_up()
        self.questions.warm_up()
        self.store = InMemoryDocumentStore(embedding_similarity_function="cosine")
        self._retrieve()

    def _retrieve(self) -> None:
        from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever

        self.retriever = InMemoryEmbeddingRetriever(self.store, top_k=K)

    def index(self, texts: Sequence[str]) -> None:
        from haystack import Document
        from haystack.document_stores.types import DuplicatePolicy

        documents = [Document(content=text) for text in texts]
        self.store.write_documents(self.documents.run(documents)["documents"], DuplicatePolicy.OVERWRITE)

    def index_vectors(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        from haystack import Document

        self.store.write_documents(
            [Document(content=t, embedding=v) for t, v in zip(texts, vectors.tolist(), strict=True)]
        )

    def save(self, folder: Path) -> None:
        self.store.save_to_disk(str(folder / "store.json"))

    def restore(self, folder: Path) -> None:
        from haystack.document_stores.in_memory import InMemoryDocumentStore

        self.store = InMemoryDocumentStore.load_from_disk(str(folder / "store.json"))
        self._retrieve()

    def search(self, question: str) -> list[str]:
        vector = self.questions.run(question)["embedding"]
        return [found.content for found in self.retriever.run(query_embedding=vector)["documents"]]


class Bm25s:
    """bm25s: words only."""

    def load(self) -> None:
        import bm25s

        self.bm25s = bm25s

    def index_vectors(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        self.texts = list(texts)
        self.retriever = self.bm25s.BM25()
        self.retriever.index(self.bm25s.tokenize(self.texts, show_progress=False), show_progress=False)

    def search(self, question: str) -> list[str]:
        words = self.bm25s.tokenize([question], show_progress=False)
        found, _ = self.retriever.retrieve(words, k=K, show_progress=False)
        return [self.texts[i] for i in found[0]]


class Fts5:
    """SQLite FTS5: words only."""

    def load(self) -> None:
        self.database = sqlite3.connect(":memory:")

    def index_vectors(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        self.database.execute("CREATE VIRTUAL TABLE passages USING fts5(text, tokenize = 'porter')")
        self.database.executemany("INSERT INTO passages VALUES (?)", ((text,) for text in texts))

    def search(self, question: str) -> list[str]:
        words = " OR ".join(f'"{word}"' for word in question.rstrip("?").split())
        return [
            text
            for (text,) in self.database.execute(
                "SELECT text FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ?", (words, K)
            )
        ]


PEERS: dict[str, Any] = {
    "sentence-transformers + faiss": ByHand,
    "LangChain": LangChain,
    "LlamaIndex": LlamaIndex,
    "Haystack": Haystack,
}
INDEXING_ONLY: dict[str, Any] = {"txtai": Txtai}
"""Takes no vectors that were made elsewhere, and 10,000 passages take it five minutes."""

WORDS_ONLY: dict[str, Any] = {"bm25s": Bm25s, "SQLite FTS5": Fts5}


def timed_index(peer: Peer, work: Path) -> dict[str, Any]:
    """Index the passages anew `RUNS` times."""
    texts = json.loads((work / "few.json").read_text())
    peer.load()
    peer.index(texts[:32])
    taken = []
    for _ in range(RUNS):
        started = time.perf_counter()
        peer.index(texts)
        taken.append(time.perf_counter() - started)
    return {"seconds": taken, "passages": len(texts), "memory": memory(os.getpid())}


def timed_search(peer: Peer, work: Path) -> dict[str, Any]:
    """Search with each question; the index is kept in ``work`` for a cold start."""
    texts, questions = (json.loads((work / f"{name}.json").read_text()) for name in ("many", "questions"))
    peer.load()
    peer.index_vectors(texts, np.load(work / "vectors.npy"))
    if hasattr(peer, "save"):
        kept = work / type(peer).__name__
        kept.mkdir(exist_ok=True)
        peer.save(kept)
    taken = each(peer.search, questions)
    return {"milliseconds": taken, "p50": statistics.median(taken), "memory": memory(os.getpid())}


def cold(peer: Peer, work: Path) -> dict[str, Any]:
    """One question in a new process."""
    peer.load()
    peer.restore(work / type(peer).__name__)
    found = peer.search(json.loads((work / "questions.json").read_text())[0])
    return {"found": len(found), "memory": memory(os.getpid())}


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    name, task, work = sys.argv[1:]
    peer = (PEERS | INDEXING_ONLY | WORDS_ONLY)[name]()
    outcome = {"index": timed_index, "search": timed_search, "cold": cold}[task](peer, Path(work))
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
