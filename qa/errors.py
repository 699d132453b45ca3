"""The errors of ``qa``: a branch of the tree in ``index.errors``.

::

    FootnoteError                       (index) base of every error raised on purpose
    ├── QuestionError                   the question can't be asked: exit code 2
    ├── QuestionSetError                a file of questions can't be read: exit code 2
    ├── CalibrationError                no calibration fits, or it can't be read: exit code 2
    │   └── CalibrationMismatchError    it was fitted with another encoder or reader
    ├── UsersError                      (qa.users) the file of users can't be used: exit code 2
    ├── ConversationError, StoreError   (qa.web) there is no such conversation; what is kept can't be read
    ├── FeedbackError, FolderChangeError (qa.web) a verdict can't be kept; a file can't be moved
    ├── RateError, QuotaError           (qa.web) too many questions; too many bytes
    ├── BusyError                       (qa.web) too many calls of other programs wait
    ├── MissingExtraError               an extra of the package is not installed
    └── ModelError                      (index) a model can't be found or loaded: exit code 1
        └── ReaderError                 the reader or the re-ranker can't be loaded
"""

from __future__ import annotations

from index import FootnoteError, ModelError, UsageError


class QuestionError(UsageError):
    """The question is empty, or a parameter of it is of the wrong type or out of range."""


class QuestionSetError(UsageError):
    """A benchmark directory or a file of questions is missing or malformed."""


class CalibrationError(UsageError):
    """A confidence was asked for, and no calibration fits this encoder and this reader."""


class CalibrationMismatchError(CalibrationError):
    """A calibration was fitted with another encoder or another reader."""


class MissingExtraError(FootnoteError):
    """Something was asked for that is installed only on demand."""

    def __init__(self, extra: str) -> None:
        """Say how to install ``extra``."""
        super().__init__(f"this needs the extra {extra}; run: pip install 'footnote-qa[{extra}]'")


class ReaderError(ModelError):
    """The reader or the re-ranker is missing, damaged or of another kind."""
