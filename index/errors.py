"""The errors of ``index``: one tree, and what each asks of the reader.

::

    FootnoteError                   base of every error that Footnote raises on purpose
    ├── UsageError                  the call itself is wrong: exit code 2
    │   ├── FolderError             the folder is missing, or is no folder
    │   └── SourceNotFoundError     a ``sources`` entry matches no document
    ├── IndexNotFoundError          there is no index at that place
    ├── IndexMismatchError          made with another format, encoder or chunker
    ├── IndexDamagedError           a file of the index is missing or altered
    ├── IndexLockedError            another process is writing this index
    ├── IndexWriteError             the index can't be written: a full disk, no permission
    ├── ClosedError                 the index was closed before the question came
    ├── PageNotDrawableError        a page of a document can't be shown as a picture
    │   ├── NoPictureError          the document is no PDF, or has no such page
    │   └── SourceChangedError      its file is gone, or is not what was indexed
    ├── ModelError                  a model can't be found or loaded
    │   └── EncoderError            the encoder can't be loaded, or is not what it claims to be
    └── ParseError                  one file can't be read; it becomes that file's status
        ├── EmptyFileError          status "empty"
        ├── NoTextLayerError        status "no_text_layer"
        ├── EncryptedError          status "encrypted"
        ├── UnsupportedError        status "unsupported"
        └── CorruptError            status "failed"
"""

from __future__ import annotations

from typing import ClassVar

from index.model import Status


class FootnoteError(Exception):
    """Base of every error that Footnote raises on purpose.

    The message names the file or value, the reason, and what to do about it.
    """

    exit_code: ClassVar[int] = 1


class UsageError(FootnoteError):
    """The call itself is wrong; nothing was attempted."""

    exit_code: ClassVar[int] = 2


class FolderError(UsageError):
    """The folder of documents is missing, or is not a folder."""


class SourceNotFoundError(UsageError):
    """An entry of ``sources`` matches no document of the index."""


class IndexNotFoundError(FootnoteError):
    """There is no index at the given place."""


class IndexMismatchError(FootnoteError):
    """The index was made with another format, encoder or chunker."""


class IndexDamagedError(FootnoteError):
    """A file of the index is missing or is not what the manifest says."""

    def __init__(self, what: str) -> None:
        """Say ``what`` is damaged; the remedy is always the same."""
        super().__init__(f"{what}; make the index again: python -m index rebuild FOLDER --index DIR")


class IndexLockedError(FootnoteError):
    """Another process is writing this index."""


class IndexWriteError(FootnoteError):
    """The index can't be written; the live snapshot is as it was."""


class ClosedError(FootnoteError):
    """The index was closed before the question came."""


class PageNotDrawableError(FootnoteError):
    """A page of a document can't be shown as a picture."""


class NoPictureError(PageNotDrawableError):
    """The document is no PDF, or has no such page."""


class SourceChangedError(PageNotDrawableError):
    """The file of a document is gone, or is not what was indexed."""


class ModelError(FootnoteError):
    """A model can't be found or loaded."""


class EncoderError(ModelError):
    """The encoder can't be loaded, or its files are not what they should be."""


class ParseError(FootnoteError):
    """One file can't be read. The build records ``status`` and goes on."""

    status: ClassVar[Status] = "failed"


class EmptyFileError(ParseError):
    """The file holds no text at all."""

    status: ClassVar[Status] = "empty"


class NoTextLayerError(ParseError):
    """The pages are pictures: there is no text to read without OCR."""

    status: ClassVar[Status] = "no_text_layer"


class EncryptedError(ParseError):
    """The file asks for a password."""

    status: ClassVar[Status] = "encrypted"


class UnsupportedError(ParseError):
    """The file is of a kind that Footnote does not read."""

    status: ClassVar[Status] = "unsupported"


class CorruptError(ParseError):
    """The file is broken, or is not what its name says."""
