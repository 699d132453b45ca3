"""What runs an embedding model, once it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Runtime(Protocol):
    """A loaded model. Implementations are safe to use from several threads."""

    @property
    def name(self) -> str:
        """What runs it, in words for people."""

    @property
    def dimension(self) -> int:
        """The length of the vectors."""

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of shape (len(texts), dimension)."""

    def encode_question(self, text: str) -> Vectors:
        """Return the unit vector of a question, of shape (dimension,)."""
