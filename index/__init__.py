"""A folder of documents -> a searchable index. Knows nothing of ``qa``.

>>> from index import update, open_index
>>> report = update("seeds")          # doctest: +SKIP
>>> index = open_index(report.index_dir)  # doctest: +SKIP
"""

from index.builder import Folders, default_index_dir, purge, rebuild, recorded_options, update
from index.chunking import ChunkSettings, embedded_text
from index.compiled import compiled_model
from index.encoder import DEFAULT_ENCODER, Encoder, load_encoder
from index.errors import (
    ClosedError,
    CorruptError,
    EmptyFileError,
    EncoderError,
    EncryptedError,
    FolderError,
    FootnoteError,
    IndexDamagedError,
    IndexLockedError,
    IndexMismatchError,
    IndexNotFoundError,
    IndexWriteError,
    ModelError,
    NoPictureError,
    NoTextLayerError,
    PageNotDrawableError,
    ParseError,
    SourceChangedError,
    SourceNotFoundError,
    UnsupportedError,
    UsageError,
)
from index.intake import Progress
from index.layout import Rectangle
from index.lexical import has_content, phrases, question_terms, terms
from index.model import (
    BuildReport,
    Document,
    DocumentStatus,
    IndexedPassage,
    IndexStatus,
    Passage,
    Rollback,
    Span,
)
from index.model_files import model_config, model_fingerprint, model_folder
from index.opened import Index, Snapshot, open_index, rollback, status, verify
from index.parsers import supported
from index.pictures import PagePicture
from index.printed_tables import PrintedRow, PrintedTable
from index.sandbox import Limits
from index.scan import ScanOptions, roots
from index.watching import watch

build = update  # what one wants of a folder, whether it has an index or not

__all__ = [
    "DEFAULT_ENCODER",
    "BuildReport",
    "ChunkSettings",
    "ClosedError",
    "CorruptError",
    "Document",
    "DocumentStatus",
    "EmptyFileError",
    "Encoder",
    "EncoderError",
    "EncryptedError",
    "FolderError",
    "Folders",
    "FootnoteError",
    "Index",
    "IndexDamagedError",
    "IndexLockedError",
    "IndexMismatchError",
    "IndexNotFoundError",
    "IndexStatus",
    "IndexWriteError",
    "IndexedPassage",
    "Limits",
    "ModelError",
    "NoPictureError",
    "NoTextLayerError",
    "PageNotDrawableError",
    "PagePicture",
    "ParseError",
    "Passage",
    "PrintedRow",
    "PrintedTable",
    "Progress",
    "Rectangle",
    "Rollback",
    "ScanOptions",
    "Snapshot",
    "SourceChangedError",
    "SourceNotFoundError",
    "Span",
    "UnsupportedError",
    "UsageError",
    "build",
    "compiled_model",
    "default_index_dir",
    "embedded_text",
    "has_content",
    "load_encoder",
    "model_config",
    "model_fingerprint",
    "model_folder",
    "open_index",
    "phrases",
    "purge",
    "question_terms",
    "rebuild",
    "recorded_options",
    "rollback",
    "roots",
    "status",
    "supported",
    "terms",
    "update",
    "verify",
    "watch",
]
