"""Archives: members one by one, and what of a hostile archive is not read."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import stat
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError, EncryptedError, ParseError, UnsupportedError
from index.parsers.archive import bounds, parse

Files = Sequence[tuple[str, bytes]]
PATHS = st.from_regex(r"[a-zü]{1,4}(/[a-zü]{1,4})?\.txt", fullmatch=True)
# Made by Info-ZIP and by pyzipper; the passwords are "secret" and "trésor".
LOCKED = base64.b64decode(
    "UEsDBAoACQAAALM4d12DZ2yMHgAAABIAAAAFAAAAYS50eHTbZlhRG53hTtyLvPX8iCI3BBncJYp6c+Suk72K2IZQSwcIg2ds"
    "jB4AAAASAAAAUEsBAh4DCgAJAAAAszh3XYNnbIweAAAAEgAAAAUAAAAAAAAAAQAAAKSBAAAAAGEudHh0UEsFBgAAAAABAAEA"
    "MwAAAFEAAAAAAA=="
)
HALF_LOCKED = base64.b64decode(
    "UEsDBAoACQAAALM4d12DZ2yMHgAAABIAAAAFAAAAYS50eHTWm2XGVewOZXqMWJa+41alYL2+b7pZqa94zFQ3jCpQSwcIg2ds"
    "jB4AAAASAAAAUEsDBAoAAAAAALM4d13sTkMBEQAAABEAAAAFAAAAYi50eHRBbiBvcGVuIHNlbnRlbmNlLlBLAQIeAwoACQAA"
    "ALM4d12DZ2yMHgAAABIAAAAFAAAAAAAAAAEAAACkgQAAAABhLnR4dFBLAQIeAwoAAAAAALM4d13sTkMBEQAAABEAAAAFAAAA"
    "AAAAAAEAAACkgVEAAABiLnR4dFBLBQYAAAAAAgACAGYAAACFAAAAAAA="
)
SEALED = base64.b64decode(
    "UEsDBBQAAQBjALI4d10AAAAAMwAAAF8AAAAFAAsAYS50eHQBmQcAAgBBRQMIABay7DhYLwTMR2JZxFHuLnv0DiyhJyI7TZRQ"
    "y3Dbzq9kS3gHot45x/HJwb5kXlVYkPIx9VBLAQIUAxQAAQBjALI4d10AAAAAMwAAAF8AAAAFAAsAAAAAAAAAAACAAQAAAABh"
    "LnR4dAGZBwACAEFFAwgAUEsFBgAAAAABAAEAPgAAAGEAAAAAAA=="
)


def zipped(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in files:
            made.writestr(name, content)
    return target.getvalue()


def tarred(files: Files, encoding: str = "utf-8") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT, encoding=encoding) as made:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return target.getvalue()


MAKERS: dict[str, Callable[[Files], bytes]] = {
    "zip": zipped,
    "stored zip": lambda files: zipped(files, zipfile.ZIP_STORED),
    "tar": tarred,
    "tar.gz": lambda files: gzip.compress(tarred(files)),
    "tar.bz2": lambda files: bz2.compress(tarred(files)),
    "tar.xz": lambda files: lzma.compress(tarred(files)),
}
every_kind = pytest.mark.parametrize("made", MAKERS.values(), ids=MAKERS)


def members(data: bytes, *passwords: str) -> list[tuple[str, bytes]]:
    found = list(parse(data, passwords).members)
    assert [member.problem for member in found] == [None] * len(found)
    return [(member.path, member.data) for member in found]


def problems(data: bytes, *passwords: str) -> list[tuple[str, str]]:
    """The status and path of each member, and at the end why the iteration broke off."""
    found = []
    try:
        for member in parse(data, passwords).members:
            assert member.problem is None or member.data == b""
            found.append((member.problem[0] if member.problem else "read", member.path))
    except ParseError as error:
        found.append((error.status, str(error)))
    return found


@every_kind
@given(
    files=st.dictionaries(
        st.from_regex(r"[a-zü]{1,4}(/[a-zü]{1,4})?\.txt", fullmatch=True), st.binary(), min_size=1
    )
)
def test_what_is_packed_comes_out(made, files) -> None:
    assert members(made(list(files.items()))) == list(files.items())


def test_an_archive_has_no_text_of_its_own() -> None:
    document = parse(zipped([("a.txt", b"one")]))
    assert (document.title, document.text, document.sections) == (None, "", ())


@every_kind
def test_one_member_is_unpacked_at_a_time(made, monkeypatch) -> None:
    unpacked = []
    monkeypatch.setattr(bounds, "collected", lambda pieces: unpacked.append(1) or b"".join(pieces))
    found = iter(parse(made([("a.txt", b"one"), ("b.txt", b"two"), ("c.txt", b"three")])).members)
    next(found)
    next(found)
    assert len(unpacked) == 2


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_single_packed_file(pack) -> None:
    assert members(pack(b"content " * 100_000)) == [("", b"content " * 100_000)]
    assert members(pack(b"one ") + pack(b"two")) == [("", b"one two")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("notes.txt", "notes.txt"),
        ("/home/me/notes.txt", "notes.txt"),
        (".notes", ""),
        ("..", ""),
    ],
)
def test_gzip_may_name_its_file(name: str, expected: str) -> None:
    target = io.BytesIO()
    with gzip.GzipFile(filename="x", mode="wb", fileobj=target) as packed:
        packed.write(b"text")
    assert members(target.getvalue().replace(b"x\0", name.encode() + b"\0", 1)) == [(expected, b"text")]


@every_kind
def test_hidden_files_are_left_out_as_in_a_folder(made) -> None:
    hidden = [".DS_Store", "dir/.hidden/a.txt", "__MACOSX/._a.txt", "__MACOSX/a.txt"]
    assert members(made([*((name, b"x") for name in hidden), ("a.txt", b"one")])) == [("a.txt", b"one")]


@every_kind
def test_paths_are_relative_and_clean(made) -> None:
    names = ["/etc/a.txt", "./b.txt", "C:/dir//c.txt"]
    assert members(made([(name, b"x") for name in names])) == [
        ("etc/a.txt", b"x"),
        ("b.txt", b"x"),
        ("dir/c.txt", b"x"),
    ]


@every_kind
def test_paths_that_lead_out_are_told_and_not_read(made) -> None:
    files = [("../../etc/passwd", b"x"), ("a/../b.txt", b"x"), ("n" * 1_001, b"x"), ("c.txt", b"x")]
    assert problems(made(files)) == [
        ("unsupported", "etc/passwd"),
        ("unsupported", "a/b.txt"),
        ("unsupported", "n" * 1_000),
        ("read", "c.txt"),
    ]


@every_kind
def test_each_path_is_given_once(made) -> None:
    names = ["d.x/a", "a.txt", "a.txt", "a (2).txt", "d.x/a", "a.txt", "a (2).txt"]
    given = ["d.x/a", "a.txt", "a (2).txt", "a (2) (2).txt", "d.x/a (2)", "a (3).txt", "a (2) (3).txt"]
    assert members(made([(name, b"x") for name in names])) == [(name, b"x") for name in given]


def test_links_folders_and_devices_are_no_members() -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as made:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("a.txt")
            info.type, info.linkname = kind, "/etc/passwd"
            made.addfile(info)
    with pytest.raises(EmptyFileError, match="holds no files"):
        parse(target.getvalue())
    link = zipfile.ZipInfo("a.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made_zip:
        made_zip.writestr(link, "/etc/passwd")
        made_zip.mkdir("folder")
        made_zip.writestr("b.txt", "one")
    assert members(target.getvalue()) == [("b.txt", b"one")]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("审计压缩包文件检索测试/集团邮件.doc", "gbk"),
        ("新しいフォルダー/資料.txt", "cp932"),
        ("Новая папка/Отчёт за год.txt", "cp866"),
        ("Übung/Größe.txt", "cp437"),
        ("Übung/Größe.txt", "cp1252"),
        ("Übung/Größe.txt", "utf-8"),
    ],
)
def test_names_without_a_mark_are_guessed(name: str, codec: str) -> None:
    raw = name.encode(codec)
    data = zipped([("n" * len(raw), b"x")]).replace(b"n" * len(raw), raw)
    assert members(data) == [(name, b"x")]
    assert members(tarred([(name, b"x")], codec)) == [(name, b"x")]


def test_the_name_in_utf_8_beside_the_old_one_counts() -> None:
    info = zipfile.ZipInfo("old.txt")
    name = "новый.txt".encode()
    checksum = zlib.crc32(b"old.txt").to_bytes(4, "little")
    info.extra = b"up" + (len(name) + 5).to_bytes(2, "little") + b"\1" + checksum + name
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        made.writestr(info, "x")
    assert members(target.getvalue()) == [("новый.txt", b"x")]


@given(st.binary(min_size=1, max_size=40).filter(lambda raw: b"/" not in raw and b"\0" not in raw))
def test_any_name_is_text_without_surrogates(raw: bytes) -> None:
    data = tarred([("n" * len(raw), b"x")])
    info = tarfile.TarInfo(raw.decode("utf-8", "surrogateescape"))
    info.size = 1
    data = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + data[512:]
    for _, path in problems(data):
        path.encode()


@pytest.mark.parametrize(
    ("data", "passwords", "text"),
    [
        (LOCKED, ["secret"], b"A locked sentence."),
        (LOCKED, ["wrong", "secret"], b"A locked sentence."),
        (SEALED, ["trésor"], b"A sealed sentence. " * 5),
        (SEALED, ["secret", "trésor"], b"A sealed sentence. " * 5),
    ],
)
def test_passwords_are_tried(data: bytes, passwords: list[str], text: bytes) -> None:
    assert members(data, *passwords) == [("a.txt", text)]


@pytest.mark.parametrize("data", [LOCKED, SEALED])
@pytest.mark.parametrize("passwords", [[], ["wrong"], [""]])
def test_an_archive_without_its_password(data: bytes, passwords: list[str]) -> None:
    with pytest.raises(EncryptedError, match="give its password with --password-file"):
        parse(data, passwords)


def test_one_encrypted_member_does_not_hide_the_others() -> None:
    assert problems(HALF_LOCKED) == [("encrypted", "a.txt"), ("read", "b.txt")]
    assert [path for path, _ in members(HALF_LOCKED, "secret")] == ["a.txt", "b.txt"]


def test_an_altered_encrypted_member_is_damaged() -> None:
    assert problems(SEALED.replace(b"Dz", b"D{", 1).replace(b"KN", b"KO"), "trésor")[0][0] in (
        "failed",
        "read",
    )
    at = SEALED.index(b"PK\x01\x02") - 12
    assert problems(SEALED[:at] + b"x" + SEALED[at + 1 :], "trésor") == [("failed", "a.txt")]


def test_one_damaged_member_does_not_hide_the_others() -> None:
    data = zipped([("a.txt", b"first words"), ("b.txt", b"second")], zipfile.ZIP_STORED)
    assert problems(data.replace(b"first", b"worst")) == [("failed", "a.txt"), ("read", "b.txt")]


def test_what_is_declared_is_not_believed() -> None:
    data = zipped([("a.txt", b"z" * 5_000)])
    declared = (5_000).to_bytes(4, "little")
    assert problems(data.replace(declared, (50).to_bytes(4, "little"))) == [("failed", "a.txt")]


def test_members_packed_in_a_rare_way_are_told() -> None:
    assert problems(zipped([("a.txt", b"x")], zipfile.ZIP_LZMA)) == [("unsupported", "a.txt")]


@pytest.mark.parametrize(
    ("made", "lost"),
    [(MAKERS["tar"], 2_000), (MAKERS["tar.gz"], 40), (MAKERS["tar.bz2"], 4), (MAKERS["tar.xz"], 40)],
)
def test_a_tar_file_that_is_cut_off_is_told(made, lost: int) -> None:
    data = made([("a.txt", b"first"), ("b.txt", bytes(range(256)) * 400)])
    if made is MAKERS["tar"]:
        lost += 10_240
    assert problems(data[:-lost])[-1][0] == "failed"


def test_members_before_the_damage_are_given() -> None:
    data = tarred([("a.txt", b"first"), ("b.txt", b"second" * 500)])
    assert problems(data[:2_048])[0] == ("read", "a.txt")
    assert problems(data[:2_048])[1] == ("failed", "damaged file: it is cut off or altered")
    assert problems(data[:1_024] + b"no header" * 100)[1][0] == "failed"


@pytest.mark.parametrize(
    "data",
    [
        b"just text",
        b"PK\3\4 cut off",
        zipped([("a.txt", b"x")])[:-9],
        gzip.compress(b"x" * 99)[:-9],
        b"\0" * 99,
    ],
)
def test_what_is_no_archive_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptError, match="damaged file: "):
        parse(data)


def test_a_split_archive_asks_to_be_joined() -> None:
    data = bytearray(zipped([("a.txt", b"x"), ("b.txt", b"y")]))
    data[data.rindex(b"PK\1\2") + 34] = 1
    with pytest.raises(CorruptError, match="join the parts"):
        parse(bytes(data))


@pytest.mark.parametrize(
    "data", [b"", zipped([]), tarred([]), gzip.compress(tarred([])), zipped([(".x", b"x")])]
)
def test_an_archive_of_nothing_is_empty(data: bytes) -> None:
    with pytest.raises(EmptyFileError):
        parse(data)


@every_kind
def test_the_number_of_members_is_bounded(made, monkeypatch) -> None:
    monkeypatch.setattr(bounds, "MAX_MEMBERS", 2)
    data = made([("a.txt", b"1"), ("b.txt", b"2"), ("c.txt", b"3")])
    assert problems(data)[:2] == [("read", "a.txt"), ("read", "b.txt")]
    assert problems(data)[2:] == [
        ("failed", "it holds more than 2 files; the rest is left out; unpack it into the folder")
    ]


@every_kind
def test_the_number_of_entries_is_bounded(made, monkeypatch) -> None:
    monkeypatch.setattr(bounds, "MAX_ENTRIES", 3)
    assert problems(made([(f".{number}", b"") for number in range(4)]))[0][0] == "failed"


@every_kind
def test_the_size_of_a_member_is_bounded(made, monkeypatch) -> None:
    monkeypatch.setattr(bounds, "MAX_MEMBER", 1_000)
    data = made([("a.txt", b"1"), ("b.txt", b"2" * 1_001), ("c.txt", b"3")])
    assert problems(data) == [("read", "a.txt"), ("unsupported", "b.txt"), ("read", "c.txt")]
    with pytest.raises(UnsupportedError, match="over the limit of 1,000 bytes"):
        parse(gzip.compress(b"x" * 1_001))


@pytest.mark.parametrize("made", [MAKERS["zip"], MAKERS["tar.gz"]])
def test_what_is_unpacked_in_all_is_bounded(made, monkeypatch) -> None:
    monkeypatch.setattr(bounds, "MAX_TOTAL", 300_000)
    found = problems(made([(f"{number}.txt", b"x" * 100_000) for number in range(5)]))
    assert found[:2] == [("read", "0.txt"), ("read", "1.txt")]
    assert found[-1][0] == "failed"
    assert "unpacks to more than 300,000 bytes" in found[-1][1]


def test_a_bomb_is_not_unpacked(monkeypatch) -> None:
    monkeypatch.setattr(bounds, "RATIO_FROM", 1_000_000)
    bomb = b"\0" * 5_000_000
    assert problems(zipped([("a.txt", b"1"), ("bomb", bomb), ("c.txt", b"3")])) == [
        ("read", "a.txt"),
        ("failed", "bomb"),
        ("read", "c.txt"),
    ]
    for pack in (gzip.compress, bz2.compress, lzma.compress):
        with pytest.raises(CorruptError, match="as only bombs do"):
            parse(pack(bomb))
        assert problems(pack(tarred([("a.txt", b"1"), ("bomb", bomb)])))[-1][0] == "failed"


def test_headers_of_a_tar_file_have_an_end() -> None:
    start = tarred([("a.txt", b"1")])[:1_024]
    long_name = tarfile.TarInfo("x")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 20_000_000
    assert problems(start + long_name.tobuf() + b"n" * 20_000_000) == [
        ("read", "a.txt"),
        ("failed", "damaged file: a header is larger than 1,000,000 bytes"),
    ]
    long_name.size = 1
    chain = (long_name.tobuf() + b"n" * 512) * 5_000
    assert [status for status, _ in problems(start + chain)] == ["read", "failed"]
    endless = tarfile.TarInfo("endless")
    endless.size = 1 << 60
    assert [status for status, _ in problems(start + endless.tobuf(tarfile.GNU_FORMAT))] == ["read", "failed"]


@given(st.sampled_from(sorted(MAKERS)), st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
def test_damage_anywhere_is_an_error_of_ours(kind: str, place: int, damage: bytes) -> None:
    data = MAKERS[kind]([("a.txt", b"first" * 100), ("dir/ü.txt", b"second" * 300)])
    place %= len(data)
    for _, path in problems(data[:place] + damage + data[place + len(damage) :]):
        path.encode()
