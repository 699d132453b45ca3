"""A question -> a cited answer.

>>> from qa import QA
>>> with QA.from_folder("seeds") as qa:                # doctest: +SKIP
...     answer = qa.ask("How much did Amazon invest?")
"""

from qa.engine import QA
from qa.errors import CalibrationError, QuestionError, QuestionSetError
from qa.model import Answer, Candidate, Citation, Evidence

__all__ = [
    "QA",
    "Answer",
    "CalibrationError",
    "Candidate",
    "Citation",
    "Evidence",
    "QuestionError",
    "QuestionSetError",
]
