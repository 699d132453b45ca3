"""A minimal PDF writer for tests: Helvetica text at given places, and what surrounds it in real files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

Place = tuple[float, float, str]
"""The left edge and the base line of a line of text, in points from the lower left corner."""

Entry = tuple[int, str, int | None, float | None]
"""A bookmark: its depth from 0, its title, its page from 0 and the height on it that it leads to."""

_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_PERMISSIONS = (-4).to_bytes(4, "little", signed=True)
_FONTS = {b"F": b"Helvetica", b"B": b"Helvetica-Bold"}


def write_pdf(
    pages: Sequence[Sequence[Place | bytes]],
    title: str = "",
    size: float = 11,
    *,
    page_entries: str = "/MediaBox[0 0 612 792]",
    catalog: str = "",
    outline: Sequence[Entry] = (),
    attachments: Mapping[str, bytes] | None = None,
    info: str = "",
    password: str | None = None,
) -> bytes:
    """A PDF with one page for each sequence of lines; a page without lines has no text layer.

    A piece of bytes is put into the page as it is; ``/F`` and ``/B`` are the plain and the bold font.
    """
    first = 3 + len(_FONTS)
    kids = " ".join(f"{first + 2 * number} 0 R" for number in range(len(pages)))
    fonts = b"".join(b"/%s %d 0 R" % (name, 3 + place) for place, name in enumerate(_FONTS))
    bodies = [b"", f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode()]
    bodies += [
        b"<</Type/Font/Subtype/Type1/BaseFont/%s/Encoding/WinAnsiEncoding>>" % font
        for font in _FONTS.values()
    ]
    for number, lines in enumerate(pages):
        content = b"".join(line if isinstance(line, bytes) else shown(line, size) for line in lines)
        page = f"<</Type/Page/Parent 2 0 R{page_entries}/Contents {first + 1 + 2 * number} 0 R"
        bodies.append(page.encode() + b"/Resources<</Font<<%s>>>>>>" % fonts)
        bodies.append(stream(content))
    if outline:
        catalog += f"/Outlines {len(bodies) + 1} 0 R"
        bodies += _outline(outline, len(bodies) + 1, first)
    for name, data in (attachments or {}).items():
        bodies.append(stream(data, "/Type/EmbeddedFile"))
        bodies.append(b"<</Type/Filespec/F(%s)/EF<</F %d 0 R>>>>" % (_escaped(name), len(bodies)))
        catalog += f"/Names<</EmbeddedFiles<</Names[({name}) {len(bodies)} 0 R]>>>>"
    bodies[0] = f"<</Type/Catalog/Pages 2 0 R{catalog}>>".encode()
    bodies.append(b"<</Title (%s)%s>>" % (_escaped(title), info.encode("latin-1")))
    trailer = f"/Root 1 0 R/Info {len(bodies)} 0 R"
    if password is not None:
        owner = _rc4(hashlib.md5(_PADDING, usedforsecurity=False).digest()[:5], _padded(password))
        secret = _padded(password) + owner + _PERMISSIONS + b"\0"
        key = hashlib.md5(secret, usedforsecurity=False).digest()[:5]
        bodies = [_encrypted(body, key, number) for number, body in enumerate(bodies, 1)]
        trailer += _lock(owner, _rc4(key, _PADDING))
    return _assembled(bodies, trailer)


def shown(line: Place, size: float = 11, font: str = "F") -> bytes:
    """What puts a line of text on a page."""
    left, base, text = line
    return b"BT /%s %g Tf %g %g Td (%s) Tj ET\n" % (font.encode(), size, left, base, _escaped(text))


def turned(text: str, matrix: str, size: float = 11) -> bytes:
    """What puts a text on a page with a matrix of its own."""
    return b"BT /F %g Tf %s Tm (%s) Tj ET\n" % (size, matrix.encode(), _escaped(text))


def stream(content: bytes, entries: str = "") -> bytes:
    """A stream object."""
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries.encode(), len(content), content)


def encrypt_pdf(data: bytes) -> bytes:
    """The same file behind a user password that nobody knows: its check value is wrong on purpose."""
    head, tail = data.split(b"trailer\n<<")
    return head + b"trailer\n<<" + _lock(b"a" * 32, b"b" * 32).encode() + tail


def _lock(owner: bytes, user: bytes) -> str:
    entry = f"<</Filter/Standard/V 1/R 2/Length 40/P -4/O<{owner.hex()}>/U<{user.hex()}>>>"
    return f"/Encrypt {entry}/ID[<00><00>]"


def _outline(entries: Sequence[Entry], root: int, first_page: int) -> list[bytes]:
    """The outline's dictionaries: its root, then the entries in their order."""
    parents: list[int] = []
    children: dict[int, list[int]] = {}
    for number, (level, *_) in enumerate(entries, root + 1):
        parents[level:] = [number]
        children.setdefault(parents[level - 1] if level else root, []).append(number)
    parent_of = {child: parent for parent, found in children.items() for child in found}
    bodies = [b"<</Type/Outlines/First %d 0 R/Last %d 0 R>>" % (children[root][0], children[root][-1])]
    for number, (_, title, page, top) in enumerate(entries, root + 1):
        siblings = children[parent_of[number]]
        at = siblings.index(number)
        body = f"<</Title({title})/Parent {parent_of[number]} 0 R"
        if at + 1 < len(siblings):
            body += f"/Next {siblings[at + 1]} 0 R"
        if number in children:
            body += f"/First {children[number][0]} 0 R/Last {children[number][-1]} 0 R"
        if page is not None:
            place = "/Fit" if top is None else f"/XYZ 0 {top} 0"
            body += f"/Dest[{first_page + 2 * page} 0 R {place}]"
        bodies.append(f"{body}>>".encode("cp1252"))
    return bodies


def _padded(password: str) -> bytes:
    return (password.encode("cp1252") + _PADDING)[:32]


def _encrypted(body: bytes, key: bytes, number: int) -> bytes:
    """The object with its stream encrypted; its strings must be empty."""
    if b"stream\n" not in body:
        return body
    head, tail = body.split(b"stream\n", 1)
    content = tail.removesuffix(b"\nendstream")
    own = hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0", usedforsecurity=False).digest()[:10]
    return head + b"stream\n" + _rc4(own, content) + b"\nendstream"


def _rc4(key: bytes, data: bytes) -> bytes:
    box = list(range(256))
    j = 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) % 256
        box[i], box[j] = box[j], box[i]
    i = j = 0
    result = bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + box[i]) % 256
        box[i], box[j] = box[j], box[i]
        result.append(byte ^ box[(box[i] + box[j]) % 256])
    return bytes(result)


def _escaped(text: str) -> bytes:
    return text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _assembled(bodies: Sequence[bytes], trailer: str) -> bytes:
    data = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(bodies, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(bodies) + 1, table)
    data += f"trailer\n<</Size {len(bodies) + 1}{trailer}>>\nstartxref\n{start}\n%%EOF".encode()
    return bytes(data)
