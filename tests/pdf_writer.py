"""A minimal PDF writer for tests: Helvetica text at given places, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

Place = tuple[float, float, str]
"""The left edge and the base line of a line of text, in points from the lower left corner."""


def write_pdf(pages: Sequence[Sequence[Place]], title: str = "", size: float = 11) -> bytes:
    """A PDF with one page for each sequence of lines; a page without lines has no text layer."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for number, lines in enumerate(pages):
        content = b"".join(
            b"BT /F %g Tf %g %g Td (%s) Tj ET\n" % (size, left, base, _escaped(text))
            for left, base, text in lines
        )
        page = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {5 + 2 * number} 0 R"
        bodies.append(f"{page}/Resources<</Font<</F 3 0 R>>>>>>".encode())
        bodies.append(b"<</Length %d>>stream\n%sendstream" % (len(content), content))
    bodies.append(b"<</Title (%s)>>" % _escaped(title))
    return _assembled(bodies, f"/Root 1 0 R/Info {len(bodies)} 0 R")


def encrypt_pdf(data: bytes) -> bytes:
    """The same file behind a user password that nobody knows: its check value is wrong on purpose."""
    entry = b"<</Filter/Standard/V 1/R 2/Length 40/P -4/O<" + b"61" * 32 + b">/U<" + b"62" * 32 + b">>>"
    head, tail = data.split(b"trailer\n<<")
    return head + b"trailer\n<</Encrypt " + entry + b"/ID[<00><00>]" + tail


def _escaped(text: str) -> bytes:
    return text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _assembled(bodies: Sequence[bytes], trailer: str) -> bytes:
    data = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(bodies, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(bodies) + 1, table)
    return data + f"trailer\n<</Size {len(bodies) + 1}{trailer}>>\nstartxref\n{start}\n%%EOF".encode()
