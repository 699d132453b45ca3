"""Which file a document of the index is, and which of them may be sent to a browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from index import FootnoteError, SourceNotFoundError, UsageError, roots


class FolderChangeError(FootnoteError):
    """A file of the folder, or of its trash, can't be moved; it is where it was."""


def located(folders: Sequence[Path], source: str) -> tuple[Path, Path]:
    """The file of ``source``, whether it is there or not, and the folder that it belongs to.

    Hidden files are no documents. No link on the way leads out of the folder; the last part may be one.

    Raises:
        UsageError: it can't be the path of a document, or lies inside another file or behind a link.
        SourceNotFoundError: it is in none of the folders.
    """
    if "!/" in source:
        outer = source.partition("!/")[0]
        raise UsageError(f"{source} is no file of its own: it lies inside {outer}")
    if not _is_path_of_document(source):
        raise UsageError(f"{source!r} is not the path of a document")
    for folder, prefix in roots(folders):
        if source.startswith(prefix) and source != prefix:
            path = folder / source.removeprefix(prefix)
            break
    else:
        raise SourceNotFoundError(f"{source} is in none of the folders {', '.join(map(str, folders))}")
    if not real(path.parent).is_relative_to(real(folder)):
        raise UsageError(f"{source} lies behind a link that leads out of the folder {folder}")
    return path, folder


def _is_path_of_document(source: str) -> bool:
    try:
        os.fsencode(source)
    except UnicodeEncodeError:
        return False
    foreign = "\0\\:" if os.name == "nt" else "\0"
    return not set(source) & set(foreign) and all(
        part and not part.startswith(".") for part in source.split("/")
    )


def real(path: Path) -> Path:
    """``path`` without links; one that leads in a circle stays."""
    return Path(os.path.realpath(path))


def source_of(folders: Sequence[Path], path: Path) -> str | None:
    """What the file ``path`` is called in the index; None where it is in none of the folders."""
    for folder, prefix in roots(folders):
        if path.absolute().is_relative_to(folder.absolute()):
            return prefix + path.absolute().relative_to(folder.absolute()).as_posix()
    return None


def original(folders: Sequence[Path], source: str, known: Callable[[str], bool]) -> Path | None:
    """The file of a document, to be sent as it is; None where there is none that may be.

    Args:
        folders: the documents.
        source: what the document is called.
        known: whether the index has such a document.
    """
    if not known(source):
        return None
    try:
        path, folder = located(folders, source)
    except UsageError:
        return None
    found = real(path)
    return found if found.is_relative_to(real(folder)) and found.is_file() else None
