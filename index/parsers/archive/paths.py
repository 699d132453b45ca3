"""The paths of an archive's members: decoded, relative, and inside the archive."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from index.errors import ParseError, UnsupportedError
from index.model import Member

MAX_PATH = 1_000  # characters: longer paths are hard to have on a disk
_GUESSED_FROM = 65_536  # bytes
_DRIVE = re.compile(r"[A-Za-z]:")
_CODE_PAGES = ["gb18030", "big5", "cp932", "cp949", "cp866", "cp852", "cp850", "cp437", "cp1252"]
_WESTERN = ("cp850", "cp437", "cp1252")


def placed(path: str) -> tuple[str, ParseError | None] | None:
    """A member's path, relative and clean, and why it is not read; None for what does not count.

    Hidden files are left out as in a folder, and so is what macOS adds of its own.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if parts and _DRIVE.fullmatch(parts[0]):
        del parts[0]
    inside = [part for part in parts if part != ".."]
    if not inside or any(part.startswith(".") or part == "__MACOSX" for part in inside):
        return None
    clean = "/".join(inside)
    if len(clean) > MAX_PATH:
        return clean[:MAX_PATH], UnsupportedError(f"its path is longer than {MAX_PATH:,} characters")
    return clean, UnsupportedError("its path leads out of the archive") if inside != parts else None


def unread(path: str, problem: ParseError) -> Member:
    """A member that can't be had, and why."""
    return Member(path, b"", (problem.status, str(problem)))


def unique(members: Iterator[Member]) -> Iterator[Member]:
    """The members, with a number in each path that was there before."""
    taken: dict[str, int] = {}
    for member in members:
        path, (folder, slash, name) = member.path, member.path.rpartition("/")
        stem, dot, suffix = name.rpartition(".")
        base, end = (stem, dot + suffix) if stem else (name, "")
        while path in taken:
            taken[member.path] += 1
            path = f"{folder}{slash}{base} ({taken[member.path]}){end}"
        taken[path] = 1
        yield Member(path, member.data, member.problem)


def decoded(raw: bytes, code_page: str) -> str:
    """The text of a path, in UTF-8 or else in ``code_page``; every byte has a meaning in cp437."""
    for codec in ("utf-8", code_page):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return raw.decode("cp437")


def code_page_of(paths: Sequence[bytes]) -> str:
    """A guess at the encoding of those paths that are not in UTF-8."""
    odd = b"\n".join(path for path in paths if b"\xef\xbf\xbd" in path.decode("utf-8", "replace").encode())
    if not odd:
        return "cp437"
    import charset_normalizer

    best = charset_normalizer.from_bytes(odd[:_GUESSED_FROM], cp_isolation=_CODE_PAGES).best()
    if best is not None and best.encoding not in _WESTERN:
        return best.encoding
    # A few words do not tell the western ones apart, but their letters lie in different places.
    return "cp437" if any(0x80 <= byte < 0xC0 for byte in odd) else "cp1252"
