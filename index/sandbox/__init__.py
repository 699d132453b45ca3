"""Files -> documents, read in processes of their own, so that a bad file costs itself alone."""

from index.sandbox.pool import DEFAULT_LIMITS, Limits, read_files
from index.sandbox.protocol import ReadFile, Request

__all__ = ["DEFAULT_LIMITS", "Limits", "ReadFile", "Request", "read_files"]
