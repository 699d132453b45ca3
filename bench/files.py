"""What Footnote reads of odd and hostile files: ``python -m bench.files FOLDER [--index DIR]``.

What a person sees on opening some of them stands in ``bench/expected_files.jsonl``, written from the files
themselves before there were parsers for them: one object a line, with

    file      the path in the folder
    member    of an archive, the file inside it; * stands for anything
    status    the status that it must have, or a list of those that are honest
    phrases   what must be in its text or title where it is indexed; white space is folded
    absent    what must not be: scripts, instructions of fields, cipher text
    page      the page, slide or sheet of a phrase
    password  opens it, in a second build that is given all passwords

All of the folder is indexed by the product itself, with an encoder that costs nothing, in a process of its
own. Prints every miss, writes ``bench/results/files.json``, and ends with 1 where a figure is missed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import DocumentStatus, ScanOptions, open_index, rebuild
from index.model import STATUSES

EXPECTED = Path(__file__).parent / "expected_files.jsonl"
RESULTS = Path(__file__).parent / "results"
LONGEST = 1800
"""Seconds after which a whole build is taken to hang."""

SHARE = 0.9
HANGS = re.compile(r"took longer than|stopped answering")
CRASHES = re.compile(r"parser (crashed|ended|stopped) at it|can't be cut into passages|ended the parser")
"""What the reasons say where a parser did not end by itself, or ended in a way that nobody foresaw."""


class Words:
    """An encoder of hashed words: vectors that mean nothing, in no time."""

    name = "bench/words"
    fingerprint = "bench/words/1"
    dimension = 32
    max_tokens = 254

    def token_offsets(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        return [[match.span() for match in re.finditer(r"\w+|[^\w\s]", text)] for text in texts]

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self.encode_question(text) for text in texts])

    def encode_question(self, text: str) -> NDArray[np.float32]:
        vector = np.full(self.dimension, 1e-3, dtype=np.float32)
        for word in text.split():
            vector[zlib.crc32(word.encode()) % self.dimension] += 1
        return vector / np.linalg.norm(vector)


@dataclass(frozen=True, slots=True)
class Expected:
    """A line of the list."""

    file: str
    statuses: tuple[str, ...]
    phrases: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    member: str | None = None
    page: Mapping[str, int] = field(default_factory=dict)
    password: str | None = None

    @property
    def name(self) -> str:
        return f"{self.file}!/{self.member}" if self.member else self.file

    @property
    def is_openable(self) -> bool:
        """Whether nothing but its text will do."""
        return self.statuses == ("indexed",)

    def is_of(self, source: str) -> bool:
        """Whether a source is the file; without ``member`` also one of those inside it."""
        if self.member is None:
            return source == self.file or source.startswith(f"{self.file}!/")
        inside = source.removeprefix(f"{self.file}!/")
        return inside != source and fnmatchcase(inside, self.member)


@dataclass(frozen=True, slots=True)
class Miss:
    """One thing that is not as it should be.

    ``kind`` is status, phrase, absent, page or password; of files that are on no list, crash, hang or none.
    """

    file: str
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an index holds: the rows by source, and of each source its folded text and its passages."""

    rows: Mapping[str, DocumentStatus]
    texts: Mapping[str, str]
    passages: Mapping[str, Sequence[tuple[int | None, str]]]

    @classmethod
    def of(cls, index_dir: Path) -> Indexed:
        with open_index(index_dir, Words()) as index:
            live = index.live()
            rows = {row.source: row for row in live.documents}
            texts = {
                source: folded(f"{row.title}\n{live.text(source)}")
                for source, row in rows.items()
                if row.status == "indexed"
            }
            passages: dict[str, list[tuple[int | None, str]]] = {}
            for each in live.sample(sys.maxsize):
                for source in each.sources:
                    passages.setdefault(source, []).append((each.passage.page, folded(each.passage.text)))
        return cls(rows, texts, passages)


def expected() -> list[Expected]:
    """The list, in order."""
    found = []
    for line in EXPECTED.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        status = row["status"]
        found.append(
            Expected(
                row["file"],
                (status,) if isinstance(status, str) else tuple(status),
                tuple(row["phrases"]),
                tuple(row.get("absent", ())),
                row.get("member"),
                row.get("page", {}),
                row.get("password"),
            )
        )
    return found


def folded(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def misses(wanted: Expected, indexed: Indexed) -> list[Miss]:
    """All that is not as expected of one file."""
    sources = [source for source in indexed.rows if wanted.is_of(source)]
    row = _row_of(wanted, sources, indexed.rows)
    if row is None:
        container = indexed.rows.get(wanted.file)
        told = f"; the archive is {container.status}: {container.reason}" if container else ""
        return [Miss(wanted.name, "status", f"there is no such file{told}")]
    if row.status not in wanted.statuses:
        reason = f" ({row.reason})" if row.reason else ""
        return [Miss(wanted.name, "status", f"{row.status}{reason}, not {' or '.join(wanted.statuses)}")]
    return _text_misses(wanted, sources, indexed) if row.status == "indexed" else []


def _row_of(
    wanted: Expected, sources: Iterable[str], rows: Mapping[str, DocumentStatus]
) -> DocumentStatus | None:
    if wanted.member is None:
        return rows.get(wanted.file)
    found = [rows[source] for source in sources]
    return next((row for row in found if row.status in wanted.statuses), found[0] if found else None)


def _text_misses(wanted: Expected, sources: Sequence[str], indexed: Indexed) -> list[Miss]:
    text = "\n".join(indexed.texts.get(source, "") for source in sources)
    found = []
    for phrase in map(folded, wanted.phrases):
        if phrase not in text:
            found.append(Miss(wanted.name, "phrase", phrase))
    for phrase in wanted.absent:
        if phrase in text:
            found.append(Miss(wanted.name, "absent", phrase))
    for phrase, page in wanted.page.items():
        told = [at for each in sources for at, passage in indexed.passages.get(each, ()) if phrase in passage]
        if told and page not in told:
            found.append(Miss(wanted.name, "page", f"{phrase!r} is on {told[0]}, not on {page}"))
    return found


def without_status(folder: Path, rows: Iterable[str]) -> list[str]:
    """The files of the folder of which the index says nothing; hidden ones are none of its business."""
    known = set(rows)
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(
        file.as_posix()
        for file in files
        if file.as_posix() not in known and not any(part.startswith(".") for part in file.parts)
    )


def build(folder: str, index_dir: str, options: str) -> None:
    """Index the folder; run in a process of its own. ``options`` are {"passwords", "include"} as JSON."""
    chosen = json.loads(options)
    scan = ScanOptions(include=tuple(chosen.get("include", ())))
    more = {"passwords": chosen["passwords"]} if "passwords" in chosen else {}
    rebuild(folder, index_dir, encoder=Words(), options=scan, **more)


def built(folder: Path, index_dir: Path, **options: Sequence[str]) -> tuple[str, str]:
    """Index the folder in a process of its own. ("", "") or ("crashes" or "hangs", how it ended)."""
    program = "import sys; from bench.files import build; build(*sys.argv[1:])"
    command = [sys.executable, "-c", program, str(folder), str(index_dir), json.dumps(options)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        return "hangs", f"the build did not end within {LONGEST} s"
    if done.returncode:
        return "crashes", f"the build ended with {done.returncode}: {done.stderr.strip()[-2000:]}"
    return "", ""


def password_misses(folder: Path, index_dir: Path, wanted: Sequence[Expected]) -> list[Miss]:
    """What is not read of the encrypted files where all their passwords are given."""
    locked = [each for each in wanted if each.password]
    if not locked:
        return []
    passwords = [each.password for each in locked if each.password]
    _, ending = built(folder, index_dir, passwords=passwords, include=[each.file for each in locked])
    if ending:
        return [Miss(each.name, "password", ending.splitlines()[-1]) for each in locked]
    indexed = Indexed.of(index_dir)
    found = []
    for each in locked:
        opened = replace(each, statuses=("indexed",))
        found += [replace(miss, kind="password") for miss in misses(opened, indexed)]
    return found


def violent_ends(rows: Iterable[DocumentStatus]) -> list[Miss]:
    """The files at which a parser crashed or hung; a corrupt file that is told for one is none."""
    found = []
    for row in rows:
        if row.status != "failed":
            continue
        if HANGS.search(row.reason):
            found.append(Miss(row.source, "hang", row.reason))
        elif CRASHES.search(row.reason):
            found.append(Miss(row.source, "crash", row.reason))
    return found


def figures(ended: Sequence[Miss], lost: Sequence[str], share: float) -> dict[str, float]:
    return {
        "crashes": sum(miss.kind == "crash" for miss in ended),
        "hangs": sum(miss.kind == "hang" for miss in ended),
        "files without status": len(lost),
        "share of openable files whose phrases are all found": share,
    }


def is_met(figure: str, value: float) -> bool:
    return value >= SHARE if figure.startswith("share") else value == 0


def share_found(wanted: Sequence[Expected], found: Sequence[Miss]) -> float:
    """Of the files that can be opened, the share that is indexed with all its phrases."""
    missed = {miss.file for miss in found if miss.kind in ("status", "phrase")}
    openable = [each for each in wanted if each.is_openable]
    return sum(each.name not in missed for each in openable) / len(openable) if openable else 1.0


def measure(folder: Path, index_dir: Path) -> dict[str, Any]:
    """Index the folder and hold it against the list."""
    wanted = expected()
    started = time.perf_counter()
    how, ending = built(folder, index_dir / "all")
    if ending:
        return {"ending": ending, "figures": {how: 1}, "counts": {}, "misses": []}
    seconds = time.perf_counter() - started
    indexed = Indexed.of(index_dir / "all")
    lost = without_status(folder, indexed.rows)
    found = [miss for each in wanted for miss in misses(each, indexed)]
    ended = violent_ends(indexed.rows.values())
    figured = figures(ended, lost, share_found(wanted, found))
    found += [*ended, *(Miss(file, "none", "it has no status") for file in lost)]
    found += password_misses(folder, index_dir / "passwords", wanted)
    counts = Counter(row.status for row in indexed.rows.values())
    return {
        "seconds": round(seconds, 1),
        "counts": {status: counts[status] for status in STATUSES},
        "expected": len(wanted),
        "openable": sum(each.is_openable for each in wanted),
        "figures": figured,
        "misses": [{"file": miss.file, "kind": miss.kind, "what": miss.what} for miss in found],
    }


def show(rows: Mapping[str, Any]) -> None:
    for miss in rows["misses"]:
        print(f"{miss['kind']:9} {_short(miss['file'])}: {miss['what']}")
    if "ending" in rows:
        print(rows["ending"])
    kinds = Counter(miss["kind"] for miss in rows["misses"])
    print(f"\n{', '.join(f'{count} {status}' for status, count in rows['counts'].items())}")
    print(f"misses: {', '.join(f'{count} {kind}' for kind, count in kinds.items()) or 'none'}\n")
    for figure, value in rows["figures"].items():
        shown = f"{value:.1%}" if figure.startswith("share") else f"{value:.0f}"
        aim = f">= {SHARE:.0%}" if figure.startswith("share") else "0"
        print(f"{figure:52} {aim:>7} {shown:>7}  {'met' if is_met(figure, value) else 'missed'}")


def _short(file: str) -> str:
    """A path without the middle of its name: names of test corpora hold whole paths."""
    folder, slash, name = file.partition("/")
    return f"{folder}{slash}{name.split('__')[-1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--index", type=Path, help="where the indexes are left; by default nowhere")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = measure(arguments.folder, arguments.index or Path(scratch))
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"rows": rows}, indent=1, ensure_ascii=False)
    (RESULTS / "files.json").write_text(f"{text}\n", encoding="utf-8")
    show(rows)
    sys.exit(not all(is_met(figure, value) for figure, value in rows["figures"].items()))


if __name__ == "__main__":
    main()
