"""The cache of embeddings: text that was embedded once is never embedded again.

A vector is kept under (encoder fingerprint, sha256 of the embedded text), and committed batch by
batch, so that a build that was cut off goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from index.encoder import Encoder

_LOG = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS encoders (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS vectors (
    encoder INTEGER NOT NULL, text BLOB NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (encoder, text)
) WITHOUT ROWID;
"""


class EmbeddingCache:
    """Vectors by text, for one encoder; a context manager."""

    def __init__(self, path: Path, encoder: Encoder) -> None:
        """Open the cache in ``path``, which is made where there is none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._encoder = encoder
        self.embedded = 0
        try:
            self._open()
        except sqlite3.OperationalError:  # a full disk is no damage
            raise
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)

    def _open(self) -> None:
        self._connection = sqlite3.connect(self._path)
        self._connection.executescript(SCHEMA)
        fingerprint = (self._encoder.fingerprint,)
        with self._connection:
            self._connection.execute("INSERT OR IGNORE INTO encoders (fingerprint) VALUES (?)", fingerprint)
        row = self._connection.execute(
            "SELECT id FROM encoders WHERE fingerprint = ?", fingerprint
        ).fetchone()
        self._id = int(row[0])

    def _begin_anew(self, error: sqlite3.DatabaseError) -> None:
        """Replace a damaged file: all that it holds can be made again.

        Damage is found where it is met. To look for it in the whole file takes the longer the more it holds.
        """
        _LOG.warning("the cache of embeddings %s is damaged (%s) and is made anew", self._path, error)
        self._connection.close()
        self._path.unlink()
        self._open()

    def __enter__(self) -> Self:
        """Return the cache itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._connection.close()

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of ``texts``, of shape (len(texts), dimension); what is new is embedded."""
        try:
            return self._vectors(texts)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)
            return self._vectors(texts)

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        keys = [_key(text) for text in texts]
        known = self._known(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            fresh = self._encoder.encode_passages(list(missing.values()))
            rows = {key: np.ascontiguousarray(row) for key, row in zip(missing, fresh, strict=True)}
            with self._connection:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
                    [(self._id, key, row.astype("<f4").tobytes()) for key, row in rows.items()],
                )
            self.embedded += len(rows)
            known.update(rows)
        return np.stack([known[key] for key in keys])

    def _known(self, keys: Iterable[bytes]) -> dict[bytes, NDArray[np.float32]]:
        found = {}
        for key in keys:
            row = self._connection.execute(
                "SELECT vector FROM vectors WHERE encoder = ? AND text = ?", (self._id, key)
            ).fetchone()
            if row is not None:
                found[key] = np.frombuffer(row[0], dtype="<f4").astype(np.float32)
        return found

    def keep_only(self, texts: Iterable[str]) -> int:
        """Drop every vector but those of ``texts`` under this encoder; return how many went."""
        try:
            return self._keep_only(texts)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)
            return 0

    def _keep_only(self, texts: Iterable[str]) -> int:
        before = self._count()
        with self._connection:
            self._connection.execute("CREATE TEMP TABLE kept (text BLOB PRIMARY KEY) WITHOUT ROWID")
            self._connection.executemany(
                "INSERT OR IGNORE INTO kept VALUES (?)", ((_key(text),) for text in texts)
            )
            self._connection.execute(
                "DELETE FROM vectors WHERE encoder <> ? OR text NOT IN (SELECT text FROM kept)", (self._id,)
            )
            self._connection.execute("DELETE FROM encoders WHERE id <> ?", (self._id,))
            self._connection.execute("DROP TABLE kept")
        self._connection.execute("VACUUM")
        return before - self._count()

    def _count(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM vectors").fetchone()[0])


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
