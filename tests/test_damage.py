"""A damaged index: what is wrong is found and named, and making it again mends it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from index import IndexDamagedError, open_index, rebuild, rollback, snapshot, status, update, verify

from .conftest import TinyEncoder, write_files


@pytest.fixture
def one(folder: Path, index_dir: Path, tiny_encoder: TinyEncoder) -> Path:
    """The index directory after a first build."""
    write_files(folder, {"a.txt": "Alpha words.", "b.txt": "Beta words."})
    rebuild(folder, index_dir, encoder=tiny_encoder)
    return index_dir


def live_dir(index_dir: Path) -> Path:
    return snapshot.snapshot_dir(index_dir, snapshot.live_snapshot(index_dir))


def overwrite(path: Path, content: bytes) -> None:
    path.unlink()  # never through a hard link into another snapshot
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["catalog.sqlite", "vectors.faiss", "lexical/meta.json", "manifest.json"])
@pytest.mark.parametrize("how", ["missing", "truncated", "altered"])
def test_verify_finds_damage(one: Path, name: str, how: str) -> None:
    path = live_dir(one) / name
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        overwrite(path, content[: len(content) // 2] + (b"\xff" * 9 if how == "altered" else b""))
    problems = verify(one)
    assert problems
    assert Path(name).name in problems[0]


def test_verify_looks_beyond_checksums(one: Path) -> None:
    catalog = live_dir(one) / "catalog.sqlite"
    connection = sqlite3.connect(catalog)
    connection.execute("UPDATE passages SET start = start + 1 WHERE id = 1")
    connection.execute("DELETE FROM passages WHERE id = 2")
    connection.commit()
    connection.close()
    manifest = live_dir(one) / "manifest.json"
    checksums = {"checksums": snapshot.checksums(live_dir(one))}
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | checksums))
    problems = "; ".join(verify(one))
    assert "passage 1 is not what stands at its offsets" in problems
    assert "the vectors are not those of the catalogue's passages" in problems
    assert "the word index does not hold" in problems


def test_verify_finds_the_vectors_of_another_snapshot(one: Path, folder: Path) -> None:
    write_files(folder, {"c.txt": "Gamma words."})
    update(folder, one, encoder=TinyEncoder())
    old = snapshot.snapshot_dir(one, "000001") / "vectors.faiss"
    overwrite(live_dir(one) / "vectors.faiss", old.read_bytes())
    assert "vectors.faiss is altered" in verify(one)[0]


def search_all(index_dir: Path) -> None:
    with open_index(index_dir, TinyEncoder()) as index:
        index.live().load()
        index.live().search_words("words", 5, None)


@pytest.mark.parametrize(
    "name",
    ["catalog.sqlite", "vectors.faiss", "lexical/meta.json", "lexical/*.idx", "cache/embeddings.sqlite"],
)
def test_damage_is_named_and_rebuild_mends_it(one: Path, folder: Path, name: str) -> None:
    directory = one if name.startswith("cache") else live_dir(one)
    path = next(directory.glob(name))
    overwrite(path, path.read_bytes()[:5_000] if name.startswith("catalog") else b"{" * 5_000)
    write_files(folder, {"c.txt": "Gamma words."})
    if not name.startswith("cache"):
        with pytest.raises(IndexDamagedError, match="rebuild"):
            update(folder, one, encoder=TinyEncoder())
        with pytest.raises(IndexDamagedError):
            search_all(one)
    rebuild(folder, one, encoder=TinyEncoder())
    assert verify(one) == ()


def test_damage_in_the_middle_of_the_cache_is_met_and_mended(
    folder: Path, index_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_files(folder, {f"{n}.txt": f"Words of the note number {n}." for n in range(300)})
    rebuild(folder, index_dir, encoder=TinyEncoder())
    path = index_dir / "cache" / "embeddings.sqlite"
    data = bytearray(path.read_bytes())
    data[8_192:-4_096] = b"\xff" * (len(data) - 12_288)
    path.write_bytes(data)
    assert rebuild(folder, index_dir, encoder=TinyEncoder()).passages == 300
    assert "is made anew" in caplog.text
    assert verify(index_dir) == ()
    assert rebuild(folder, index_dir, encoder=TinyEncoder()).embedded == 0


def test_reader_never_writes_into_a_snapshot(one: Path) -> None:
    (live_dir(one) / "lexical" / "meta.json").unlink()
    with pytest.raises(IndexDamagedError), open_index(one, TinyEncoder()) as index:
        index.live().search_words("words", 5, None)
    assert not (live_dir(one) / "lexical" / "meta.json").exists()


@pytest.mark.parametrize("content", [b"000099\n", b"", b"../../x", b"\xff\xfe", b"nonsense"])
def test_damaged_current(one: Path, folder: Path, content: bytes) -> None:
    (one / "CURRENT").write_bytes(content)
    for use in (lambda: open_index(one, TinyEncoder()), lambda: status(one), lambda: rollback(one)):
        with pytest.raises(IndexDamagedError, match="CURRENT"):
            use()
    assert "CURRENT" in verify(one)[0]
    rebuild(folder, one, encoder=TinyEncoder())
    assert verify(one) == ()


def test_rollback_leads_out_of_damage(one: Path, folder: Path, tiny_encoder: TinyEncoder) -> None:
    write_files(folder, {"c.txt": "Gamma words."})
    update(folder, one, encoder=tiny_encoder)
    for name in ("catalog.sqlite", "manifest.json"):
        overwrite(live_dir(one) / name, b"garbage")
    assert rollback(one).returned == ("a.txt", "b.txt")
    assert verify(one) == ()
