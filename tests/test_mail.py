"""Mail: single messages (.eml), mailboxes (.mbox), Outlook messages (.msg)."""

from __future__ import annotations

import base64
import struct
import time
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError, EncryptedError
from index.model import Document
from index.parsers.mail import eml as mail
from index.parsers.mail import mbox, msg

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None, max_examples=40)
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
SENT = "Thu, 4 May 2023 10:06:11 -0400"
HEAD = f"Subject: News\r\nFrom: Ann <ann@x.org>\r\nTo: Bo <bo@x.org>\r\nDate: {SENT}\r\n"
ROWS = ["Subject: News", "From: Ann <ann@x.org>", "To: Bo <bo@x.org>", f"Date: {SENT}"]
OPENED = b"\nFrom ann@x.org Thu May  4 10:06:11 2023\n"


def eml(content_type: str, body: str | bytes, head: str = HEAD) -> bytes:
    raw = body if isinstance(body, bytes) else body.encode()
    return f"{head}MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n".encode() + raw


def mixed(*parts: tuple[str, str], kind: str = "mixed") -> bytes:
    """A message of several parts, each a head (from its content type on) and a body."""
    body = "".join(f"--cut\r\nContent-Type: {head}\r\n\r\n{text}\r\n" for head, text in parts)
    return eml(f'multipart/{kind}; boundary="cut"', body + "--cut--\r\n")


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def texts(data: bytes) -> list[str]:
    """A mail's blocks after its headers."""
    blocks = [text for _, _, text in found(mail.parse(data))]
    assert blocks[:4] == ROWS
    return blocks[4:]


def files(document: Document) -> dict[str, bytes]:
    return {member.path: member.data for member in document.members}


def test_headers_are_rows_above_the_body() -> None:
    document = mail.parse(eml("text/plain", "Hello Bo\n\nThe sum is 7. It was paid.\n"))
    assert (document.title, document.author) == ("News", "Ann <ann@x.org>")
    assert document.date == "2023-05-04T10:06:11-04:00"
    assert found(document) == [
        *(((), "row", row) for row in ROWS),
        ((), "prose", "Hello Bo"),
        ((), "prose", "The sum is 7. It was paid."),
    ]


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe_an?= alle", "Grüße an alle"),
        ("=?utf-8?b?w6k=?=\r\n =?utf-8?b?w6k=?=", "éé"),
        ("=?utf-8?b?4oI=?= =?utf-8?b?rA==?=", "€"),
        ("=?iso-8859-1?Q?a_b?= c =?koi8-r?B?8NI=?=", "a b c Пр"),
        ("Grüße", "Grüße"),
        ("=?nonsense?q?plain?=", "plain"),
        ("=?utf-8?q?broken", "=?utf-8?q?broken"),
        ("1 = 1 ?= 2", "1 = 1 ?= 2"),
    ],
)
def test_encoded_words(raw: str, read: str) -> None:
    assert mail.parse(f"Subject: {raw}\r\nFrom: a@x.org\r\n\r\nBody.".encode()).title == read


def test_a_date_that_is_none_stays_in_the_text() -> None:
    document = mail.parse(b"From: a@x.org\nDate: next week\n\nBody.")
    assert document.date is None
    assert "Date: next week" in document.text


def test_plain_text_is_preferred_and_html_read_where_there_is_none() -> None:
    table = "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>"
    page = f"<h2>Part</h2><p>Rich <b>text</b></p>{table}"
    both = mixed(("text/html", page), ("text/plain", "Plain words."), kind="alternative")
    assert texts(both) == ["Plain words."]
    empty = mixed(("text/plain", " "), ("text/html", page), kind="alternative")
    assert found(mail.parse(empty))[4:] == [
        (("Part",), "prose", "Rich text"),
        (("Part",), "row", "A | B"),
        (("Part",), "row", "1 | 2"),
    ]


def test_a_page_keeps_its_headings() -> None:
    page = (
        "<h1>Top</h1><h2>Bare</h2><h2>Used</h2><p>one</p><h1>Next</h1><ul><li>two</li></ul><pre>a\n  b</pre>"
    )
    assert found(mail.parse(eml("text/html", page)))[4:] == [
        (("Top",), "prose", "Bare"),
        (("Top", "Used"), "prose", "one"),
        (("Next",), "item", "two"),
        (("Next",), "code", "a\n  b"),
    ]


def test_quoting_marks_are_no_part_of_the_text() -> None:
    assert texts(eml("text/plain", "I agree.\n> He said so.\n>> She asked.\n> > And more.\n-- \nAnn\n")) == [
        "I agree.",
        "He said so.",
        "She asked.\nAnd more.",
        "--\nAnn",
    ]


def test_flowed_text_is_joined() -> None:
    body = "One sentence that \nflows on.\n> quoted \n> too\n From here.\n-- \nAnn"
    assert texts(eml("text/plain; format=flowed", body))[0] == "One sentence that flows on."
    assert "quoted too" in mail.parse(eml("text/plain; format=flowed", body)).text
    assert texts(eml("text/plain; format=flowed; delsp=yes", "東 \n京"))[0] == "東京"


def test_charsets_that_lie() -> None:
    said = mail.parse(eml("text/plain; charset=us-ascii", "Grüße".encode("cp1252")))
    assert "Grüße" in said.text
    assert "us-ascii" in said.notice
    assert texts(eml("text/plain; charset=iso-8859-1", "I’m “here”"))[0] == "I’m “here”"
    assert texts(eml("text/plain; charset=unicode_escape", "C:\\new"))[0] == "C:\\new"
    assert texts(eml("text/html; charset=koi8-r", "<p>Привет</p>".encode("koi8-r")))[0] == "Привет"


def test_attachments_are_members_under_safe_names() -> None:
    data = base64.b64encode(b"%PDF").decode()
    pdf = "application/pdf{}\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment{}"
    document = mail.parse(
        mixed(
            ("text/plain", "Body."),
            (pdf.format("", '; filename="../../etc/a.pdf"'), data),
            (pdf.format("", "; filename=A.PDF"), data),
            (pdf.format("", ""), data),
            (pdf.format("", "; filename*=utf-8''%C3%A4.pdf"), data),
            (pdf.format('; name="=?utf-8?q?=C3=B6.pdf?="', ""), data),
            ("text/calendar", "BEGIN:VCALENDAR"),
            ("text/plain; name=t.txt", "notes"),
            ('image/png\r\nContent-Disposition: inline; filename="x.png"', data),
            ("application/pgp-signature", "seal"),
        )
    )
    kept = files(document)
    named = ["a.pdf", "A (2).PDF", "attachment-3.pdf", "ä.pdf", "ö.pdf", "attachment-6.ics", "t.txt"]
    assert list(kept) == named
    assert kept["a.pdf"] == b"%PDF"
    assert kept["t.txt"] == b"notes"
    assert [text for _, _, text in found(document)] == [*ROWS, "Body."]


def test_the_headings_of_a_part_end_with_it() -> None:
    parts = ("text/html", "<h1>Head</h1><p>words</p><h2>Last</h2>"), ("text/plain", "The list's own words.")
    assert found(mail.parse(mixed(*parts)))[4:] == [
        (("Head",), "prose", "words"),
        (("Head",), "prose", "Last"),
        ((), "prose", "The list's own words."),
    ]


def test_a_forwarded_message_follows_the_body() -> None:
    inner = f"{HEAD.replace('News', 'Old news')}\r\nOld words."
    assert found(mail.parse(mixed(("message/rfc822", inner), ("text/plain", "See below."))))[4:] == [
        ((), "prose", "See below."),
        *((("Old news",), "row", row) for row in ROWS[1:]),
        (("Old news",), "prose", "Old words."),
    ]


@pytest.mark.parametrize(
    "data",
    [
        mixed(("application/pgp-encrypted", "Version: 1"), kind="encrypted"),
        eml("application/pkcs7-mime; smime-type=enveloped-data", "MIIB"),
    ],
)
def test_encrypted_messages(data: bytes) -> None:
    with pytest.raises(EncryptedError):
        mail.parse(data)


def test_a_broken_mail_gives_its_text() -> None:
    assert texts(eml("multipart/mixed", "No boundary is named.")) == ["No boundary is named."]
    cut = mixed(("text/plain", "Begun."), ("text/html", "<p>Cut off"))[:-9]
    assert texts(cut) == ["Begun.", "Cut off"]
    assert texts(eml("text/plain\r\nContent-Transfer-Encoding: base64", "SGVsbG8gQm8")) == ["Hello Bo"]
    assert texts(eml("text/plain", b"No\0t a word is lost.")) == ["Not a word is lost."]


def test_what_is_no_mail_is_refused() -> None:
    with pytest.raises(EmptyFileError):
        mail.parse(b" \n")
    for data in (b"Just words.\nMore words.", b"Note: not a header\n\nBody."):
        with pytest.raises(CorruptError, match="headers"):
            mail.parse(data)
    with pytest.raises(CorruptError):
        mail.parse(b"".join(eml(f'multipart/mixed; boundary="{n}"', f"--{n}\r\n") for n in range(60)))


@DETERMINISTIC
@given(WORDS, st.lists(WORDS, min_size=1, max_size=5))
def test_words_survive(subject: str, words: list[str]) -> None:
    message = EmailMessage()
    message["Subject"], message["From"] = subject, "a@x.org"
    message.set_content(" ".join(words))
    document = mail.parse(message.as_bytes())
    assert document.title == subject
    assert found(document)[2:] == [((), "prose", " ".join(words))]


def mailbox(*messages: bytes) -> bytes:
    return b"".join(OPENED + message.replace(b"\r\n", b"\n") + b"\n" for message in messages)


def test_a_mailbox_holds_each_message_under_its_subject() -> None:
    first = eml("text/plain", "Paid.\n>From today on.\n\nFrom here.\n")
    second = eml("text/html", "<h1>Part</h1><p>words</p>", HEAD.replace("News", "More"))
    document = mbox.parse(mailbox(first, second))
    assert document.title is None
    assert found(document) == [
        *((("News",), "row", row) for row in ROWS[1:]),
        (("News",), "prose", "Paid."),
        (("News",), "prose", "From today on."),
        (("News",), "prose", "From here."),
        *((("More",), "row", row) for row in ROWS[1:]),
        (("More", "Part"), "prose", "words"),
    ]


def test_attachments_in_a_mailbox_are_kept_by_message() -> None:
    file = 'application/pdf\r\nContent-Disposition: attachment; filename="a.pdf"'
    with_file = mixed(("text/plain", "Body."), (file, "%PDF"))
    document = mbox.parse(mailbox(with_file, eml("text/plain", "None."), with_file))
    assert files(document) == {"1/a.pdf": b"%PDF", "3/a.pdf": b"%PDF"}


def test_a_broken_message_costs_itself_only() -> None:
    sealed = eml("application/pkcs7-mime", "MIIB")
    document = mbox.parse(mailbox(eml("text/plain", "Good."), b"X-Odd: no mail\n\nwords", sealed))
    assert [text for _, _, text in found(document)][-1] == "Good."
    assert document.notice == "1 of 3 messages could not be read; 1 of 3 messages encrypted"
    with pytest.raises(EncryptedError):
        mbox.parse(mailbox(sealed))


def test_what_is_no_mailbox_is_refused() -> None:
    with pytest.raises(EmptyFileError):
        mbox.parse(b"\n")
    for data in (b"words", b"From here on\nall is text", b"words\n" + mailbox(eml("text/plain", "x"))):
        with pytest.raises(CorruptError):
            mbox.parse(data)


def test_hostile_mail_takes_linear_time() -> None:
    begin = time.perf_counter()
    for line in ("=?a?q?x ", "=?utf-8?q?x?= ", "=?", "> " * 9, "<a ", "-\x00-"):
        mail.parse(f"Subject: {line * 20_000}\r\n\r\n{line * 20_000}".encode())
    mbox.parse(mailbox(eml("text/plain", "From x\n" * 50_000)))
    assert time.perf_counter() - begin < 5


def ole(streams: dict[str, bytes]) -> bytes:
    """An OLE file; all streams are made long enough to need no table of small ones."""
    nodes: list[tuple[str, int, bytes, list[int]]] = [("Root Entry", 5, b"", [])]
    places = {"": 0}
    for path, data in streams.items():
        above = ""
        for name in path.split("/"):
            place = f"{above}/{name}" if above else name
            if place not in places:
                places[place] = len(nodes)
                nodes[places[above]][3].append(len(nodes))
                nodes.append((name, 2 if place == path else 1, data if place == path else b"", []))
            above = place
    siblings = {left: right for node in nodes for left, right in zip(node[3], node[3][1:], strict=False)}
    directory, body, fat = b"", b"", []
    for number, (name, kind, data, kids) in enumerate(nodes):
        first, count = len(fat), -(-len(data) // 512)
        fat += [*range(first + 1, first + count), 0xFFFFFFFE] if count else []
        body += data.ljust(count * 512, b"\0")
        wide = name.encode("utf-16-le")
        links = (0xFFFFFFFF, siblings.get(number, 0xFFFFFFFF), kids[0] if kids else 0xFFFFFFFF)
        directory += wide.ljust(64, b"\0") + struct.pack("<HBB3I", len(wide) + 2, kind, 1, *links)
        directory += b"\0" * 36 + struct.pack("<IQ", first if count else 0xFFFFFFFE, len(data))
    start, count = len(fat), -(-len(directory) // 512)
    fat += [*range(start + 1, start + count), 0xFFFFFFFE]
    tables = -(-(len(fat) + 9) // 128)
    where = list(range(len(fat), len(fat) + tables))
    fat += [0xFFFFFFFD] * tables
    head = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16 + struct.pack("<5H", 62, 3, 0xFFFE, 9, 6) + b"\0" * 6
    )
    head += struct.pack("<9I", 0, tables, start, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head += b"".join(struct.pack("<I", place) for place in where).ljust(436, b"\xff")
    packed = b"".join(struct.pack("<I", entry) for entry in fat).ljust(tables * 512, b"\xff")
    return head + body + directory.ljust(count * 512, b"\0") + packed


def outlook(
    properties: dict[str, str | bytes], fixed: dict[int, bytes] | None = None, head: int = 32
) -> dict[str, bytes]:
    """A message's streams; text becomes UTF-16. Each is longer than the 4096 bytes of a small one."""
    made = {f"__substg1.0_{tag}": value for tag, value in properties.items() if isinstance(value, bytes)}
    wide = {tag: value for tag, value in properties.items() if isinstance(value, str)}
    made |= {
        f"__substg1.0_{tag}001F": value.encode("utf-16-le").ljust(4096, b"\0") for tag, value in wide.items()
    }
    records = b"".join(struct.pack("<HHI", 0x40, tag, 6) + value for tag, value in (fixed or {}).items())
    return made | {"__properties_version1.0": (b"\0" * head + records).ljust(4096, b"\0")}


def under(folder: str, streams: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": data for name, data in streams.items()}


NEWS: dict[str, str | bytes] = {"001A": "IPM.Note", "0037": "News", "0C1A": "Ann", "5D01": "ann@x.org"}
TICKS = struct.pack("<Q", 133_276_827_710_000_000)


def test_an_outlook_message() -> None:
    streams = outlook({**NEWS, "1000": "Hello\r\n\r\nPaid 7.\r\n"}, {0x39: TICKS})
    person = outlook({"3001": "Bo", "39FE": "bo@x.org"}, {0xC15: struct.pack("<Q", 1)}, head=8)
    file = outlook({"3707": "..\\a.pdf", "37010102": b"%PDF".ljust(4096)}, head=8)
    picture = outlook({"3707": "b.png", "370E": "image/png", "3712": "id", "37010102": b"x" * 4096}, head=8)
    streams |= under("__recip_version1.0_#00000000", person) | under("__attach_version1.0_#00000000", file)
    document = msg.parse(ole(streams | under("__attach_version1.0_#00000001", picture)))
    assert [text for _, _, text in found(document)] == [
        "Subject: News",
        "From: Ann <ann@x.org>",
        "To: Bo <bo@x.org>",
        "Date: 2023-05-04 14:06:11 UTC",
        "Hello",
        "Paid 7.",
    ]
    assert (document.title, document.author) == ("News", "Ann <ann@x.org>")
    assert document.date == "2023-05-04T14:06:11+00:00"
    assert list(files(document)) == ["a.pdf"]


def test_the_headers_that_came_with_a_message_are_shown_as_they_are() -> None:
    document = msg.parse(
        ole(outlook({**NEWS, "007D": HEAD.replace("Ann", "=?utf-8?q?=C3=84nn?="), "1000": "x"}))
    )
    assert [text for _, _, text in found(document)][1:4] == ["From: Änn <ann@x.org>", *ROWS[2:]]


@pytest.mark.parametrize(
    "body",
    [
        {"10130102": b"<html><p>Rich text</p>".ljust(4096)},
        {"1013": "<p>Rich text</p>"},
        {"10090102": b"\0" * 8 + b"MELA\0\0\0\0" + rb"{\rtf1 Rich text\par}".ljust(4096)},
        {"1000001E": b"Rich text".ljust(4096)},
    ],
)
def test_other_forms_of_an_outlook_body(body: dict[str, str | bytes]) -> None:
    document = msg.parse(ole(outlook({**NEWS, **body})))
    assert [text for _, _, text in found(document)][2:] == ["Rich text"]


def test_compressed_rtf() -> None:
    # The example of Microsoft's own description of the format.
    packed = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert msg.inflated(packed) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"


def test_a_message_in_an_outlook_message_follows_it() -> None:
    inner = outlook({**NEWS, "0037": "Old news", "1000": "Old words."}, head=24)
    streams = outlook({**NEWS, "1000": "See below."}) | under(
        "__attach_version1.0_#00000000", outlook({}, head=8)
    )
    document = msg.parse(ole(streams | under("__attach_version1.0_#00000000/__substg1.0_3701000D", inner)))
    assert found(document)[2:] == [
        ((), "prose", "See below."),
        (("Old news",), "row", "From: Ann <ann@x.org>"),
        (("Old news",), "prose", "Old words."),
    ]


def test_sealed_outlook_messages_are_encrypted() -> None:
    letter = outlook({"37010102": b"-----BEGIN PGP MESSAGE-----".ljust(4096)}, head=8)
    for streams in (
        outlook({**NEWS, "001A": "IPM.Note.SMIME"}),
        outlook(NEWS) | under("__attach_version1.0_#00000000", letter),
        outlook(NEWS) | under("__attach_version1.0_#00000000", outlook({"3707": "message.rpmsg"}, head=8)),
    ):
        with pytest.raises(EncryptedError):
            msg.parse(ole(streams))


def test_damaged_outlook_messages_are_refused() -> None:
    whole = ole(outlook({**NEWS, "1000": "words " * 3000}))
    with pytest.raises(EmptyFileError):
        msg.parse(b"")
    for data in (
        b"words",
        whole[:400],
        whole[:3000],
        whole[:600] + b"\xff" * (len(whole) - 600),
        ole({"x": b""}),
    ):
        with pytest.raises(CorruptError):
            msg.parse(data)
