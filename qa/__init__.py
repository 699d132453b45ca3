"""A question -> a cited answer.

>>> from qa import QA
>>> with QA.from_folder("seeds") as qa:                # doctest: +SKIP
...     answer = qa.ask("How much did Amazon invest?")
"""

from qa.engine import QA
from qa.errors import CalibrationError, QuestionError, QuestionSetError, ReaderError
from qa.hub import load_reader, load_reranker
from qa.model import Answer, Candidate, Citation, Evidence
from qa.reranker import Reranker
from qa.span_model import SpanModel

__all__ = [
    "QA",
    "Answer",
    "CalibrationError",
    "Candidate",
    "Citation",
    "Evidence",
    "QuestionError",
    "QuestionSetError",
    "ReaderError",
    "Reranker",
    "SpanModel",
    "load_reader",
    "load_reranker",
]
