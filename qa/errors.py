"""The errors of ``qa``: a branch of the tree in ``index.errors``.

::

    FootnoteError                       (index) base of every error raised on purpose
    ├── QuestionError                   the question can't be asked: exit code 2
    ├── QuestionSetError                a file of questions can't be read: exit code 2
    └── CalibrationError                a threshold was asked for where no calibration fits: exit code 2
"""

from __future__ import annotations

from index import UsageError


class QuestionError(UsageError):
    """The question is empty, or a parameter of it is of the wrong type or out of range."""


class QuestionSetError(UsageError):
    """A benchmark directory or a file of questions is missing or malformed."""


class CalibrationError(UsageError):
    """``min_confidence`` was given, and there is no calibration for this encoder."""
