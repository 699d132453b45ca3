"""XML: documents as headings and paragraphs, data as records, and nothing from outside."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError, UnsupportedError
from index.model import Document
from index.parsers.xml import parse

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None)
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def texts(source: str) -> list[str]:
    return [text for _, _, text in found(parse(source.encode()))]


@DETERMINISTIC
@given(st.lists(WORDS, min_size=1, max_size=6))
def test_words_survive_in_mixed_content(words: list[str]) -> None:
    inner = "".join(f"<b>{word}</b> and " for word in words)
    assert texts(f"<doc><p>Start {inner}end</p></doc>") == [f"Start {''.join(f'{w} and ' for w in words)}end"]


def test_docbook() -> None:
    source = """<book xmlns="http://docbook.org/ns/docbook"><info><title>Guide</title>
    <author><personname><firstname>Ann</firstname><surname>Lee</surname></personname></author>
    <date>2020-03-01</date></info>
    <chapter><title>Intro <emphasis>one</emphasis></title>
    <para>First,
      second.<footnote><para>A note.</para></footnote> Third.</para>
    <itemizedlist><listitem><para>item</para></listitem></itemizedlist>
    <programlisting>def f():
    return 1</programlisting>
    <table><title>Sizes</title><tgroup><thead><row><entry>A</entry><entry>B</entry></row></thead>
    <tbody><row><entry>1</entry><entry><para>2</para></entry></row></tbody></tgroup></table>
    <section><title>Deep</title><para>End.</para></section></chapter></book>"""
    document = parse(source.encode())
    assert (document.title, document.author, document.date) == ("Guide", "Ann Lee", "2020-03-01")
    assert found(document)[2:] == [
        (("Intro one",), "prose", "First, second. Third."),
        (("Intro one",), "prose", "A note."),
        (("Intro one",), "item", "item"),
        (("Intro one",), "code", "def f():\n    return 1"),
        (("Intro one",), "prose", "Sizes"),
        (("Intro one",), "row", "A | B"),
        (("Intro one",), "row", "1 | 2"),
        (("Intro one", "Deep"), "prose", "End."),
    ]
    row = document.sections[1].blocks[-1]
    assert document.text[slice(*row.header or ())] == "A | B"


def test_jats() -> None:
    source = """<article><front><article-meta>
    <title-group><article-title>On cells</article-title></title-group>
    <contrib-group><contrib contrib-type="author">
    <name><surname>Doe</surname><given-names>Jo</given-names></name>
    </contrib></contrib-group><pub-date><day>2</day><month>3</month><year>2019</year></pub-date>
    </article-meta></front><body><sec><label>1</label><title>Start</title><p>See [<xref>3</xref>].</p>
    <fig><label>Figure 1</label><caption><p>A cell.</p></caption></fig></sec></body>
    <back><ref-list><title>References</title><ref><label>1</label><element-citation><name><surname>Roe</surname>
    </name><year>1999</year></element-citation></ref></ref-list></back></article>"""
    document = parse(source.encode())
    assert (document.title, document.author, document.date) == ("On cells", "Jo Doe", "2019-03-02")
    assert found(document)[2:] == [
        (("1 Start",), "prose", "See [3]."),
        (("1 Start",), "prose", "Figure 1 A cell."),
        (("References",), "item", "1 Roe 1999"),
    ]


def test_tei() -> None:
    source = """<TEI><teiHeader><fileDesc><titleStmt><title>Play</title></titleStmt></fileDesc></teiHeader>
    <text><body><div><head>Act I</head><lg><l>To be or not</l><l>to be.</l></lg>
    <p>Words<note>Noted.</note> here.<lb/>Line.</p></div></body></text></TEI>"""
    document = parse(source.encode())
    assert document.title == "Play"
    assert found(document) == [
        (("Act I",), "prose", "To be or not\nto be."),
        (("Act I",), "prose", "Words here.\nLine."),
        (("Act I",), "prose", "Noted."),
    ]


def test_fiction_book() -> None:
    source = """<FictionBook><stylesheet>p {}</stylesheet><description><title-info><author>
    <first-name>Leo</first-name><last-name>Tolstoy</last-name></author><book-title>Peace</book-title>
    <date value="1869-01-01">1869</date></title-info></description>
    <body><title><p>Volume 1</p></title><section><title><p>Part</p><p>One</p></title>
    <p>It was <style name="x">July</style>.</p></section></body><binary>AAAA</binary></FictionBook>"""
    document = parse(source.encode())
    assert (document.title, document.author, document.date) == ("Peace", "Leo Tolstoy", "1869-01-01")
    assert document.text == "Volume 1\n\nPart One\n\nIt was July."
    assert found(document) == [(("Part One",), "prose", "It was July.")]


def test_records_are_read_as_data() -> None:
    source = """<cities><city id="1"><name>Ulm</name><area unit="km2">119</area></city>
    <city id="2"><name>Bonn</name><note>has <b>two</b> banks</note></city></cities>"""
    assert found(parse(source.encode())) == [
        (("Ulm",), "row", "id: 1"),
        (("Ulm",), "row", "name: Ulm"),
        (("Ulm",), "row", "area: 119"),
        (("Ulm",), "row", "area.unit: km2"),
        (("Bonn",), "row", "id: 2"),
        (("Bonn",), "row", "name: Bonn"),
        (("Bonn",), "row", "note: has two banks"),
    ]


def test_like_records_are_a_table() -> None:
    assert texts('<r><c n="Ulm" p="1"/><c n="Bonn" p="2"/></r>') == ["n | p", "Ulm | 1", "Bonn | 2"]


def test_a_feed_is_titled_by_its_channel() -> None:
    source = "<channel><title>News</title><item><title>A</title><link>x</link></item></channel>"
    assert parse(f"<rss version='2.0'>{source}</rss>".encode()).title == "News"


def test_xhtml_is_read_as_html() -> None:
    source = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><h1>T</h1><p>x</p></body></html>'
    assert parse(source.encode()).title == "T"


def test_known_and_plainly_declared_entities_are_shown() -> None:
    declared = '<!DOCTYPE d [<!ENTITY who "the &#169; team">]>'
    source = f"{declared}<d><p>&nobody;By &who;&nbsp;&amp;&#32;&eacute; <![CDATA[&amp;<]]></p></d>"
    document = parse(source.encode())
    assert (document.text, document.notice) == ("By the © team & é &amp;<", "")


def test_nothing_outside_the_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET", encoding="utf-8")
    uri = secret.as_uri()
    source = f"""<!DOCTYPE d SYSTEM "{uri}" [<!ENTITY e SYSTEM "{uri}"><!ENTITY % p SYSTEM "{uri}"> %p;]>
    <d xmlns:xi="http://www.w3.org/2001/XInclude"><p>shown &e;</p>
    <xi:include href="{uri}" parse="text"/></d>"""
    assert "SECRET" not in parse(source.encode()).text


@pytest.mark.parametrize("first", ["x" * 150, "x" * 100_000])
def test_entity_bombs_do_no_harm(first: str) -> None:
    entities = f'<!ENTITY a0 "{first}">' + "".join(
        f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 10)
    )
    source = f"<!DOCTYPE d [{entities}]><d><p>shown{'&a9;&a0;' * 20_000}</p></d>"
    started = time.monotonic()
    assert len(parse(source.encode()).text) < 2 * len(source)
    assert time.monotonic() - started < 3


def test_the_declared_encoding_counts_until_the_bytes_deny_it() -> None:
    body = "<d><p>Привет</p></d>"
    for head, codec in (
        ("windows-1251", "cp1251"),
        ("utf-16", "utf-16"),
        ("latin-1", "utf-16"),
        ("rot13", "utf-8"),
    ):
        assert parse(f'<?xml version="1.0" encoding="{head}"?>{body}'.encode(codec)).text == "Привет"


@pytest.mark.parametrize(
    ("source", "text"),
    [("<d><p>one <b>two</p></d>", "one two"), ("<d><p>one</p>", "one"), ("<d><p>one</p></d><d/>", "one")],
)
def test_what_a_broken_file_shows_is_read_with_a_notice(source: str, text: str) -> None:
    document = parse(source.encode())
    assert document.text == text
    assert "not well-formed XML" in document.notice


@pytest.mark.parametrize("source", ["words", "{}", "<", "<d", "<?xml version='1.0'?>"])
def test_what_is_no_xml_is_refused(source: str) -> None:
    with pytest.raises(CorruptError):
        parse(source.encode())


@pytest.mark.parametrize("source", ["", " \n", "<d/>", "<d><!-- words --><?pi words?> </d>"])
def test_a_file_without_text_is_empty(source: str) -> None:
    with pytest.raises(EmptyFileError):
        parse(source.encode())


def test_binary_content_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        parse(b"<d>words \0\1\2 words</d>")


@pytest.mark.parametrize("opened", ["<a>", "<p>x<b>", "<sec><title>t</title>", "<table><tr><td>"])
def test_deep_nesting_ends_soon(opened: str) -> None:
    started = time.monotonic()
    for depth in (100, 250, 20_000):
        try:
            parse((opened * depth + "deep").encode())
        except CorruptError:
            continue
    assert time.monotonic() - started < 5


def test_many_attributes_and_references_end_soon() -> None:
    started = time.monotonic()
    attributes = " ".join(f'a{number}="x"' for number in range(40_000))
    parse(f"<d><e {attributes}>text</e><p>{'&nbsp;x<i>y</i>' * 20_000}</p></d>".encode())
    assert time.monotonic() - started < 5
