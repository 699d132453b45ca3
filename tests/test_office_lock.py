"""Encrypted Office files, legacy ones behind a modern name, and zip files that unpack to too much."""

from __future__ import annotations

import io
import random
import struct
import tempfile
import time
import zipfile
import zlib
from hashlib import md5

import olefile
import pytest
from msoffcrypto.method.container.ecma376_encrypted import ECMA376Encrypted
from msoffcrypto.method.ecma376_agile import ECMA376Agile
from msoffcrypto.method.rc4 import DocumentRC4

from index.errors import CorruptError, EmptyFileError, EncryptedError, UnsupportedError
from index.parsers.office.docx import parse as parse_docx
from index.parsers.office.lock import unlocked, unlocked_package
from index.parsers.office.package import Package
from index.parsers.office.pptx import parse as parse_pptx
from index.parsers.zipped import check_zip

MB = 1_000_000


def zipped(*parts: tuple[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return out.getvalue()


BODY = b"<document><body><p><r><t>Secret text.</t></r></p></body></document>"
# msoffcrypto makes sound containers only of packages with more than 4096 bytes.
PLAIN = zipped(("word/document.xml", BODY), ("noise", random.Random(0).randbytes(5000)))


def locked(password: str, data: bytes = PLAIN, rounds: int = 100) -> bytes:
    return bytes(ECMA376Agile.encrypt(password, io.BytesIO(data), spin_count=rounds))


def container(**streams: bytes) -> bytes:
    """An OLE container with two streams of any names."""
    (first, package), (second, info) = streams.items()
    out = io.BytesIO()
    ECMA376Encrypted(package, info).write_to(out)
    data = out.getvalue()
    for old, new in (("EncryptedPackage", first), ("EncryptionInfo", second)):
        name = new.replace("_", " ").encode("utf-16-le") + b"\0\0"
        place = data.index(old.encode("utf-16-le") + b"\0\0")
        data = data[:place] + name.ljust(64, b"\0") + struct.pack("<H", len(name)) + data[place + 66 :]
    return data


def workbook(password: str, content: bytes) -> bytes:
    """A workbook of Excel 97 with one record, encrypted with RC4."""

    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    salt, verifier = b"s" * 16, b"v" * 16
    proof = DocumentRC4.decrypt(password, salt, io.BytesIO(verifier + md5(verifier).digest())).read()
    head = record(0x0809, bytes(16)) + record(0x2F, struct.pack("<HHH", 1, 1, 1) + salt + proof)
    clear = head + record(0x00FC, content) + record(0x0A, b"")
    secret = DocumentRC4.decrypt(password, salt, io.BytesIO(clear), blocksize=1024).read()
    shown = len(head) + 4
    stream = clear[:shown] + secret[shown : shown + len(content)] + clear[-4:]
    return container(Workbook=stream, Other=b"x" * 500)


@pytest.mark.parametrize("plain", [b"", b"text", PLAIN])
def test_what_is_not_encrypted_stays_as_it_is(plain: bytes) -> None:
    assert unlocked(plain, ("any",)) is plain


def test_the_first_password_that_fits_is_taken() -> None:
    assert unlocked(locked("päss"), ("", "wrong", "päss")) == PLAIN


@pytest.mark.parametrize("passwords", [(), ("wrong",), ("",)])
def test_without_the_password_the_remedy_is_named(passwords: tuple[str, ...]) -> None:
    with pytest.raises(EncryptedError, match="give its password with --password-file"):
        unlocked(locked("right"), passwords)


def test_files_that_are_only_protected_against_changes_need_no_password() -> None:
    assert unlocked(locked("VelvetSweatshop")) == PLAIN


def test_parsers_take_passwords() -> None:
    assert parse_docx(locked("right"), ("wrong", "right")).text == "Secret text."
    for parse in (parse_docx, parse_pptx):
        with pytest.raises(EncryptedError):
            parse(locked("right"))


def test_a_legacy_workbook_is_decrypted_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def on_disk(*_: object, **__: object) -> None:
        raise AssertionError("written to disk")

    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, on_disk)
    data = workbook("right", b"Secret words".ljust(5000))
    with pytest.raises(EncryptedError):
        unlocked(data, ("wrong",))
    with olefile.OleFileIO(io.BytesIO(unlocked(data, ("right",)))) as container:
        assert b"Secret words" in container.openstream("Workbook").read()


@pytest.mark.parametrize(
    ("stream", "kind", "extension"),
    [
        ("WordDocument", "Word", ".docx"),
        ("Workbook", "Excel", ".xlsx"),
        ("Book", "Excel", ".xlsx"),
        ("PowerPoint_Document", "PowerPoint", ".pptx"),
    ],
)
def test_legacy_files_are_named(stream: str, kind: str, extension: str) -> None:
    data = container(**{stream: b"x" * 5000, "Other": b"x" * 500})
    assert unlocked(data) == data
    for parse in (parse_docx, parse_pptx):
        with pytest.raises(UnsupportedError, match=f"it is a legacy {kind} file; save it as {extension}"):
            parse(data)


def test_other_containers_are_no_office_files() -> None:
    with pytest.raises(CorruptError):
        unlocked_package(container(Some=b"x" * 5000, Other=b"x" * 500))


def test_rights_management_is_told_from_a_password() -> None:
    with pytest.raises(EncryptedError, match="rights management"):
        unlocked(container(EncryptedPackage=b"x" * 5000, Other=b"x" * 500))


def test_an_empty_file_is_named() -> None:
    with pytest.raises(EmptyFileError):
        unlocked_package(b"")


def test_endless_work_on_a_password_is_refused() -> None:
    quick = b'spinCount="10000" saltSize="16"'
    slow = locked("right", rounds=10_000).replace(quick, b'spinCount="9999999" saltSize=""')
    begun = time.monotonic()
    with pytest.raises(UnsupportedError):
        unlocked(slow, ("right",))
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("length", [8, 100, 600, 3000, 6000])
def test_containers_that_are_cut_off(length: int) -> None:
    with pytest.raises(CorruptError):
        unlocked_package(locked("right", PLAIN)[:length], ("right",))


# Zip files


def test_a_sound_zip_file_passes() -> None:
    check_zip(PLAIN)
    check_zip(zipped(("picture.bmp", bytes(20 * MB))))


def test_zip_bombs_are_refused_by_what_they_declare() -> None:
    one = zipped(*((f"{number}.xml", bytes(10 * MB)) for number in range(6)))
    with pytest.raises(CorruptError, match="it would unpack to 60 MB"):
        check_zip(one)


def test_zip_bombs_are_refused_by_what_they_hold() -> None:
    content = bytes(3 * MB)
    lying = zipped(("a.xml", content)).replace(struct.pack("<I", len(content)), struct.pack("<I", 10))
    lying = lying.replace(struct.pack("<I", zlib.crc32(content)), struct.pack("<I", zlib.crc32(bytes(10))))
    with zipfile.ZipFile(io.BytesIO(lying)) as archive:
        assert archive.read("a.xml") == bytes(10)  # Python's own reader does not notice
    with pytest.raises(CorruptError, match="more than the file says"):
        check_zip(lying)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        b"no zip file",
        PLAIN[:-10],
        PLAIN[:50],
        zipped(("a", b"x"), packing=zipfile.ZIP_BZIP2),
        zipped(("a", b"x"), packing=zipfile.ZIP_LZMA),
        b"PK\x01\x02" * 60_000,
    ],
)
def test_what_is_no_sound_zip_file(data: bytes) -> None:
    with pytest.raises(CorruptError):
        check_zip(data)


def bomb(place: str) -> bytes:
    """XML whose entities grow tenfold with every level."""
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE a [<!ENTITY l0 "laugh">{levels}]>{place}'.encode()


@pytest.mark.parametrize(
    "content",
    [
        bomb("<a>&l11;</a>"),
        bomb('<a b="&l11;"/>'),
        b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>',
        b"<a>" * 100_000,
        b"<a>" * 300 + b"</a>" * 300,
        b"<a",
        b"",
    ],
)
def test_hostile_xml_is_refused_at_once(content: bytes) -> None:
    package = Package(zipped(("a.xml", content)))
    begun = time.monotonic()
    with pytest.raises(CorruptError):
        package.xml("a.xml")
    assert time.monotonic() - begun < 1


def test_parts_that_are_named_again_and_again_are_refused() -> None:
    package = Package(zipped(("a.xml", b"<a/>"), ("b.xml", b"<b>" + b" " * 5000 + b"</b>")))

    def read_on() -> None:
        while package.xml("b.xml") is not None:
            pass

    with pytest.raises(CorruptError, match="again and again"):
        read_on()
