"""Word and PowerPoint files from before 2007."""

from __future__ import annotations

import base64
import io
import lzma
import zipfile
from collections.abc import Callable
from typing import Any

import office_oxide
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError, EncryptedError, NoTextLayerError, ParseError
from index.model import Document
from index.parsers.office import legacy as legacy_office
from index.parsers.office.legacy import parse_doc, parse_ppt

# Two files that LibreOffice made: with styles for headings, and with plain paragraphs only.
FILES = lzma.decompress(
    base64.b64decode(
        "/Td6WFoAAAFpIt42AgAhARwAAAAQz1jM4JP/DRNdAGgzvhyGMHdg9KSEKcLeHHYngvKRhtyIyie7HxWyyjn+BUzGwrqYiEbckgnSy3Ev"
        "09qzTQA+jFtFyUriO8IJO6jnzIixNFRhpSiTTG5kmgCopfSyoJv/CHW+vnjmU0S+VAhLL9oPsPET8QpVz6SPl26kzu7vAy3aKC4r28QK"
        "Xj7kvsrPeDzsfOaVGK1S7HyePRPWSr7VdjR8qWkoaFSF1kpMxxQwiGAfEtR3TvOGsdcvpqYAss+1N187Luz6nZAzt/fUORopzK2KNt/w"
        "iZhcDMcPSxB7k1yovexgc7Qni1ZuKY+S9xuis5ZXi19YAQuboZvSkMypUBpTTqQJBe8pbtgX4/0PIkblPP0pSA7smsJt2V6ZfMy4I/IS"
        "UX8E6I/jLZpAU1I8k3IeKQcbGNq7HpqaQj0Tq9Rglp/Rhi0vK53tynUynEuc3qwuGu3Q1qXck6ULQexuyrm213bq8xYb7cYmusDFXOkd"
        "yA3/wGLMzRyckiBo5phDWhb//HYSaXWf/VKH3a3qUMXFM56K04L+JlsV0+yEueXULROhL+0jaqYgcoQlHBnbIposXLhSgr6FW+1s6SQP"
        "n6emQM/X9Z3+pxHDnOH6v3eRMvbQ5s6CvaO3AdKsQdu6qGfarh4JKO7Vxk8ninpVWrQ7dWQO0kxgq8eAojetiBS9ut5+FsOKpBRo5if/"
        "YJT5ynaanquAEZULD0O8DNrB1aDOdcjuXNffp0GAADr9Xa2l969DDDiEot3n5IJMC0PESTr5uN3UhyseecNkU5f8Yuq7MIPISGWJDdf/"
        "xPBbx66l8QaFHD04rAvC3QyIyIyVJIebAr+ptBaIMDSGfJxCsbKvlel/BugBPGdJo2eaBTn5v+nFlc0ECTQB9lW6xMEpX5OCxB80C8cJ"
        "dVS29Jaa08PkcQPwE9K5wSufbb+AkptTQg0NrNuSrKnZ8BeBfzb9cPIHiJ9frL2kHLuzPzinVBhH3YeU9pefsJxULJUwEPLbrspdYVpt"
        "jqEkYI+fo3kyMTWWhp6VroafF1tGQOHbQU1WHgvk0c+ON4F3aiKq+b4IL64GnaPhV8cmNsc2ZdEP7Fxa/bHlwJyUnb+JKQBQhS0Dvpl+"
        "SKEcZeKHutM1PPHe8A55O2qJvhjM3/G7XLs6DJOanVXZFb0+Ogaw9QE4c2Pf1fv4Y+mx+FJKpsfjHAS69u6Vc22WqsJH+X0KwgqODE1b"
        "l0cX/opd93maoTND6AvmVOTbvaSNQXyJxgZy0eTaXrAM4VqvSxiUMk5lA7oOq4LLVrVc05PxmAYxrxekzqVxInbVyiO5Ygb6BXSj5oi/"
        "RtuVgUr5264dslSKY1ZiORzjHZclnqYFVOLYj3JDCxA/W63b3UXs/nFgD8p3w+UwroEddsF/DTn0JipSILGbBkbogTHGtCs/H3yvNafa"
        "Uv+WJftyh35f5Jo3x5uKUgUoZ/sG7GPeHDj7c55nUkk7ikwCumLk7SpBEji+jIK4UFeneqqQeEjl10T5N0hU83wPP1PFj+bYG+Xba3/A"
        "2z1rPWAeDVMqVFkBxGfbCR8D469gvOGjwiYGe2iClGI/C1wBDiGBSAH0cc+X7/QCIJD1NUxMWB31x0dojdUuhpe41HsMZH7ZdgCenf6G"
        "soLe6sdOJIf4w+AvD7th9oaRBJWbQmMXjgxDqP4eFhV/aMql28wwM2ySbV8vbjcLBUeAQu3mly5BvTLFWPCOZ3ZBo5ExGAVHn/usPUKz"
        "1GPEMuMyj3x/LdeJBmhvslbsBlHi33ZA3Z8GJVGZn1K0AmTiMM5wS/q1+OGQ2HTaJDtmoaRVy+N8GcbgeiQpiEKgvmLS7+MyKXjl1Pg/"
        "VR5hc/bVbUlN+vuc1z/rN8GY1fqBPw9P0bGU5oiCqBj5qmirquk09f7xhEry3O0anfvEzLukTjQV/FcOu2gCmk0kRHGnpDqsorsTUo4o"
        "9fqlv0I0dgeIGNRFSEx418d2Eyj57VanJtEg+IXTT/2aQmOzpFZ//F1dH80w4Q12K6O0DnZV1CxBpQZUrvKaVtj/WpT/UN5yh9fIa1Tw"
        "RZepkzQQ/oNPm85jYxYa6Fn5qSIk8YKorwjGfq/nJQenneXu29TGwtSMmbWmwqJQ4jH7SfmASP0yizNvBxUE6YRakvqv+KRhrGu6hbIA"
        "QYqvb3jZGYD0Jnll9Z4KQNdXMIWzMEzmvRMrBTq5w9qONy3PwtYxVc7KZgZhcy4BR9nEI+UnKucQjoDbt+mdl0ykoxY4ZZsvdFZbrlbE"
        "lO8pWGQHq4bmd2AXc3SVPChesP4A3Eog3xhYSXp5KdsPaD4ufGVnJlAA67iPxvnXr8wilDLjfVylWPbbXlmsqXYwiQXF9p483WX4PlHV"
        "VsTomCFuBuPzE4vfLnXS+HyQ6KxajFTqzxhBv5hKFMjiF8Z5oRX7OxzDYar38m2JIyBl0PaismkDCPTUMgAWADomSLe1t/3BWz0pA9PK"
        "P0sJ4fYNuwA85ilRDVwJyEs+/+PNZQm/75de0VjLvi1Pkh4mvHrhcTE4UfzJ/Rv2E3K3CpkAfPGvjxoEFiqEGtoVWRhXWfoNjUtHSTck"
        "Hmeq1ZiIedcHRCBjEhPlFs63eeNseVPgpBS0xsvgrVQd5Ka5G7Q1c30Mpq7aRvdAERkawkF5G3uFbps/Du5PgpgEM+/oegF3GwbNLC0C"
        "5ltJpJco6xHTcYIUCDWf5Q4JDc2HMiotR+hABJazlKtaYJIYvw5BL3lOeuKPzRn7RignKdnzipxe70vzW5q/MIdGrW8QHYN7CvZDUagE"
        "+IVetlovkRnkXpf1EX6q3YHlwFkLdARrB8/MdVoxqjuu86Lcx35znAOdZBGhJ88XfuKMJOdzFMFeSkma/qiOkiSBo573bW2mcbSo20eA"
        "lquaOZ1YkUHwiLYIjJAofunr37jyJZhe/40yTc5F3Df0Jskn55hdP4a6y++cVYo+KCxHSMf3D3KyrfMz8ngh/DiGKVPw3FNZtfArAD95"
        "wnb3ypK1xk4uDUNY47MC/nmdtJDet/7JnGBTcgzeyrwHwD8vRrr2G4qPVxOeS6rUB5qU88qEk2Zr9J9obQdp/I+vgB79l5+yTqkBM99o"
        "IgOEKdQ6L5bVlEdhNcQ7bihMeubSqKeP7PNhXaKZW0qt3zqJwRfwN7yeSGfeZHEAtBD/pHRFyCWKlUISTJlmbiMpfC2W31AdBQVOIMq7"
        "DbL0BhS3k86T+bDV/K5HZ4DhqYkfv4QKV06FiegvYDHVGtKANU3CpAO186sHgkhREQrSySgTtKR4fbPvz//OBVEk8Ssyo4uTVcNr50k/"
        "t/+9sWJn7K3fWyC+poBCz1pMV003rBpQXwBp8RZql74WLxtcvQ6oTWo94nmCv3PQjv0mqS3KTm0sflYHbCs4JIwwnnaebP6WBqi/JOBL"
        "RZOdqRF4WCDxriI/l6T58njRaYYabJLL8/ulD9kkkIAcZBeOqg/WPGmMH9l+ud8hEDFJ5cDGV0fPyEd32xkxd0wdNbUy8Jxu1d8IPWmG"
        "D9uTgwQMuRdmVrAy2R0SJGUlbyTh+IkNNGuyKgQLQeIcW5hy28MP8BJ2wa9ZTymXZmtkLnic330O8maWca+EnXGKWD4eJMH7B58xS+hp"
        "Ielj72AiqooWWlB2GE8OP9tmW2q/uVl4bVKuLTsZq3jMjjdL/kgSR1SBLcIZHF9QL3cb42rTuUALscdwu43rbL81/D6Yi3vthsvoGrrM"
        "G+sp7MAfTEbg1xhyzu+/B0B3EJ/ONSegv9TSwa4l+/Na/YeIwpT6ohS2p8qLfLh4GwgVYWLwnE19XeNtA+Fg2aQuT/fHGYQYHKz1jaC+"
        "pifBYqR77PNoR4W1Mn5m4sm2N6UviyzKNFht92O+G4zUBs1v1YwMvhj4+kvHycYMB++4JKNjAtRAQwvXk2WVaoiV8s4EtQgVQdVW8TEA"
        "BtAuWoIsGpK2sKHB2YFbfpWFuACKWUduFjrXuiuA7kAx7fFTWiWBVLQ41q+FSwoW9WdZ7MWPaHiOcgac9tbiaxH7sdoonri+2toFa6Da"
        "H5UizgGgOIZGFGKIzUNq5pQEiNRuenDQeECVT5J7rLlNwBDvSYx7LINgQbNJv/VRASQE+EUKHbuZeV7uTTeiq7M+64weDJvO24VEvXAl"
        "0ht9Wz6z1Oqg1Z6eEJkd4r5SDd85V/Z5089NtDTTLTBvsR9Pu7VdWH3We6HsPlPei3F57pptHw21ITLj4lXA6I6dRkr44cdxFLUnPh52"
        "SgJhPqf1Mpx68qC98m8QetHH2pvFc61zmbjwQKsDybHkZuIylNcyU6WmQHAewL1zu5ZorD1dh5rpdLZTTsnLWiYbvUcNcT/xBK/RIYCI"
        "lWSdG1RbDyf3jSlK9aFKEWAW/n5CbaYPFGGenykhHXn1ceEKQKXFNc+tg8uR7qE+X79QPj0c3yKDEKuXo1+QWLaHvTP8RschN7a6tJs4"
        "aKJwewE0/jnUDuaANbX12DC9za3W0VUAAADQ4BUNAAGrGoCoAgCyYtqSPjANiwIAAAAAAVla"
    )
)
STYLED, PLAIN = FILES[:19456], FILES[19456:]


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


@pytest.fixture
def reading(monkeypatch) -> Callable[..., Document]:
    """Parse what office-oxide is made to find in a file."""

    def read(*sections: list[dict[str, Any]], slides: bool = False, **about: Any) -> Document:
        class Found:
            def to_ir(self) -> dict[str, Any]:
                return {"metadata": about, "sections": [{"elements": elements} for elements in sections]}

        monkeypatch.setattr(office_oxide.Document, "from_bytes", lambda data, kind: Found())
        return parse_ppt(PLAIN) if slides else parse_doc(PLAIN)

    return read


def paragraph(text: str, kind: str = "paragraph", **more: Any) -> dict[str, Any]:
    return {"type": kind, "content": [{"type": "text", "text": text}], **more}


def heading(text: str, level: int) -> dict[str, Any]:
    return paragraph(text, "heading", level=level)


def test_structure_of_a_word_file() -> None:
    document = parse_doc(STYLED)
    assert found(document) == [
        (("1 Methods",), "prose", "We counted bees."),
        (("1 Methods",), "item", "first item"),
        (("1 Methods",), "item", "second item"),
        (("1 Methods", "1.1 Sites"), "row", "Year | Bees"),
        (("1 Methods", "1.1 Sites"), "row", "2001 | 12"),
        (("1 Methods", "1.1 Sites"), "row", "2002 | 15"),
        (("RESULTS",), "prose", "SHOUTED LINE"),
        (("RESULTS",), "prose", "“Ünïcode” Привет 日本語."),
    ]
    rows = document.sections[1].blocks
    assert document.text[slice(*(rows[2].header or ()))] == "Year | Bees"


def test_properties() -> None:
    document = parse_doc(STYLED)
    assert (document.title, document.author) == ("My report", "Zoë Author")
    assert document.date == "2013-12-23T23:15:00Z"
    assert parse_doc(PLAIN).title is None


def test_properties_that_state_wrong_counts_are_read_as_far_as_they_go() -> None:
    section = STYLED.index(bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9")) + 20
    title = STYLED.index(b"\x1e\0\0\0", section)
    more = parse_doc(STYLED[: section + 4] + b"\xff\xff\xff\xff" + STYLED[section + 8 :])
    assert (more.title, more.author) == ("My report", "Zoë Author")
    # A list of four thousand million values that take no room: olefile would go through all of them.
    endless = parse_doc(STYLED[:title] + b"\0\x10\0\0\xff\xff\xff\xff" + STYLED[title + 8 :])
    assert (endless.title, endless.author) == (None, "Zoë Author")


def test_guessed_headings_are_paragraphs() -> None:
    lines = ["A short first line", "Then prose follows it.", "IN CAPITALS", "(2)", "The end."]
    assert found(parse_doc(PLAIN)) == [((), "prose", line) for line in lines]


@pytest.mark.parametrize(
    ("first", "others", "expected"),
    [
        (heading("Title", 1), [heading("Part", 1)], {"Title", "Part"}),
        (heading("Title", 1), [heading("PART", 2)], set()),
        (heading("Title", 1), [heading("Part", 2)], {"Title", "Part"}),
        (heading("TITLE", 1), [heading("PART", 1)], {"TITLE", "PART"}),
        (heading("Whole sentences end.", 1), [heading("PART", 2)], {"Whole sentences end."}),
    ],
)
def test_headings_that_are_no_guess_stay(reading, first, others, expected: set[str]) -> None:
    parts = [first, *(part for other in others for part in (paragraph("words"), other)), paragraph("words")]
    assert {name for path, _, _ in found(reading(parts)) for name in path} == expected


def test_a_section_may_begin_with_a_guess(reading) -> None:
    document = reading([paragraph("one")], [heading("Odd page", 1), paragraph("two")])
    assert found(document) == [((), "prose", text) for text in ("one", "Odd page", "two")]


def test_slides_are_pages_with_their_titles() -> None:
    slide = {"elements": [heading("IN CAPITALS", 1), paragraph("• A point")]}
    writer = legacy_office.Writer()
    notes = {"elements": [heading("Second", 1)], "speaker_notes": [paragraph("said")]}
    legacy_office._write_slides(writer, [slide, notes, {"elements": [paragraph("no title")]}])
    document = writer.document(None)
    assert found(document) == [
        (("IN CAPITALS",), "item", "A point"),
        (("Second",), "prose", "said"),
        ((), "prose", "no title"),
    ]
    assert [document.text[page.start : page.end] for page in document.pages] == [
        "IN CAPITALS\n\nA point",
        "Second\n\nsaid",
        "no title",
    ]


def test_notes_and_text_boxes_are_read_but_comments_are_not(reading) -> None:
    document = reading(
        [
            paragraph("Words"),
            {"type": "text_box", "content": [paragraph("boxed"), {"type": "image"}]},
            {"type": "footnote", "marker": "footnote", "content": [paragraph("a footnote")]},
            {"type": "endnote", "marker": "comment", "content": [paragraph("a comment")]},
            {"type": "image", "alt_text": "Embedded OLE Object"},
        ]
    )
    assert document.text == "Words\n\nboxed\n\na footnote"


def test_lists_and_tables_may_hold_each_other(reading) -> None:
    inner = {"items": [{"content": [paragraph("nested")]}]}
    items = {"type": "list", "items": [{"content": [paragraph("item")], "nested": inner}]}
    table = {"type": "table", "rows": [{"cells": [{"content": [items]}, {"content": [paragraph("cell")]}]}]}
    outer = {"type": "table", "rows": [{"cells": [{"content": [table]}, {"content": []}]}]}
    document = reading([items, table, outer])
    assert [text for _, _, text in found(document)] == [
        "item",
        "nested",
        "item nested | cell",
        "item nested cell",
    ]


def test_lost_text_is_told(reading) -> None:
    assert reading([paragraph("a")], text_truncated=True).notice == "a part of the text could not be read"


def test_pictures_without_text(reading) -> None:
    with pytest.raises(NoTextLayerError):
        reading([{"type": "image"}])
    with pytest.raises(EmptyFileError):
        reading([paragraph(" ")])


def test_passwords_are_tried_first(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(legacy_office, "unlocked", lambda data, passwords: asked.append(passwords) or PLAIN)
    assert parse_doc(STYLED, ["secret"]).text.startswith("A short first line")
    assert asked == [["secret"]]


def test_encryption_of_another_kind(monkeypatch) -> None:
    def refuse(data: bytes, kind: str) -> None:
        raise office_oxide.OfficeOxideError("document is encrypted or password-protected")

    monkeypatch.setattr(office_oxide.Document, "from_bytes", refuse)
    with pytest.raises(EncryptedError, match="without a password"):
        parse_doc(PLAIN)


def test_other_formats_under_the_old_name() -> None:
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    modern = io.BytesIO()
    with zipfile.ZipFile(modern, "w") as made:
        body = "<w:body><w:p><w:r><w:t>modern</w:t></w:r></w:p></w:body>"
        made.writestr("word/document.xml", f"<w:document {space}>{body}</w:document>")
    assert parse_doc(modern.getvalue()).text == "modern"
    assert parse_doc(rb"{\rtf1\ansi rich\par}").text == "rich"


@pytest.mark.parametrize("parse", [parse_doc, parse_ppt])
@pytest.mark.parametrize("data", [b"text", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), PLAIN[:3_000]])
def test_what_is_no_legacy_file_is_corrupt(parse, data: bytes) -> None:
    with pytest.raises(CorruptError):
        parse(data)
    with pytest.raises(EmptyFileError):
        parse(b"")


@given(st.integers(0, len(STYLED) - 1), st.binary(min_size=1, max_size=4))
def test_damage_anywhere_is_an_error_of_ours(place: int, damage: bytes) -> None:
    try:
        document = parse_doc(STYLED[:place] + damage + STYLED[place + len(damage) :])
    except ParseError:
        return
    for _, _, text in found(document):
        assert text.strip()
