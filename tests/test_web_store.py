"""What the web app keeps of conversations, and how they are taken along."""

from __future__ import annotations

import json
import sqlite3
import stat
import string
import sys
import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from qa import Answer, Citation, Evidence
from qa.model import Candidate
from qa.web import exports
from qa.web.database import StoreError
from qa.web.store import MAX_QUESTION, MAX_TITLE, Conversation, ConversationError, Store, Turn

HOSTILE = "<img src=x onerror=alert(1)> **b** [a](javascript:alert(2)) $x$ `c` &lt; # h\n\n- l\n1. n\n> q"
TEXT = st.text(max_size=20)
OFFSET = st.integers(0, 10**9)
PROBABILITY = st.none() | st.floats(0, 1)
CITATIONS = st.builds(
    Citation,
    *[TEXT, OFFSET, OFFSET, TEXT, OFFSET, OFFSET, OFFSET, OFFSET, TEXT],
    page=st.none() | OFFSET,
    heading=st.lists(TEXT, max_size=3),
    title=TEXT,
    page_label=st.none() | TEXT,
)
ANSWERS = st.builds(
    Answer,
    found=st.booleans(),
    text=TEXT,
    key=TEXT,
    confidence=PROBABILITY,
    citations=st.lists(CITATIONS, max_size=2).map(tuple),
    candidates=st.lists(
        st.builds(Candidate, TEXT, TEXT, PROBABILITY, st.lists(CITATIONS, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
    passages=st.lists(
        st.builds(
            Evidence,
            *[st.floats(-10, 10), TEXT, OFFSET, OFFSET, TEXT, st.none() | OFFSET, st.lists(TEXT), TEXT],
            also_in=st.lists(st.tuples(TEXT, OFFSET, OFFSET), max_size=2).map(tuple),
            page_label=st.none() | TEXT,
        ),
        max_size=2,
    ).map(tuple),
    question=TEXT,
    timings=st.dictionaries(TEXT, st.floats(0, 1e6), max_size=3),
    notice=TEXT,
)
CITED = Citation(
    "a/b.txt", 10, 14, "five", 10, 14, 4, 20, "about five of it", 3, ["One", "Two"], "Title", "iii"
)
REFUSED = Answer(False, "", "", 0.2, (), (), (), "How many?", {"total": 3.0})
FOUND = replace(REFUSED, found=True, text="five", key="five", confidence=0.93456, citations=(CITED,))


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "kept") as made:
        yield made


def ask(store: Store, user: str, conversation: str, question: str = "How many?") -> Turn:
    return store.add(user, conversation, question, None, FOUND, "")


# Answers as they are kept


@given(ANSWERS)
def test_an_answer_comes_back_as_it_was(answer):
    assert Answer.from_dict(answer.to_dict()) == answer
    assert Answer.from_dict(json.loads(json.dumps(answer.to_dict()))) == answer


@pytest.mark.parametrize("change", [{"citations": None}, {"unknown": 1}, {"passages": [{"text": "x"}]}])
def test_what_is_no_answer_is_refused(change):
    with pytest.raises(ValueError, match="not the values of an answer"):
        Answer.from_dict({**FOUND.to_dict(), **change})


# The store


def test_turns_come_back_as_they_were_kept_also_by_another_process(store):
    conversation = store.new_id()
    kept = [
        store.add("ann", conversation, "How many \ud800 é?", ("a.txt", "\udcff"), FOUND, ""),
        store.add("ann", conversation, HOSTILE, None, REFUSED, ""),
        store.add("ann", conversation, "And?", (), None, "the index is closed"),
    ]
    assert kept[0].question == "How many ? é?"
    assert store.turns("ann", conversation) == tuple(kept)
    assert store.turn("ann", kept[1].number) == kept[1]
    with Store(store.path.parent) as again:
        assert again.turns("ann", conversation) == tuple(kept)


def test_nothing_is_made_before_the_first_turn(store):
    assert store.conversations("ann") == ()
    with store.reading() as connection:
        assert connection is None
    assert not store.path.parent.exists()
    ask(store, "ann", store.new_id())
    assert store.path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are others")
def test_only_its_owner_may_read_the_file(store):
    ask(store, "ann", store.new_id())
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_ids_are_random_and_safe_in_a_url():
    ids = {Store.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(
        len(each) >= 22 and set(each) <= {*string.ascii_letters, *string.digits, "-", "_"} for each in ids
    )


@pytest.mark.parametrize(
    "attempt",
    [
        lambda store, mine, turn: ask(store, "eve", mine),
        lambda store, mine, turn: store.conversation("eve", mine),
        lambda store, mine, turn: store.turns("eve", mine),
        lambda store, mine, turn: store.turn("eve", turn.number),
        lambda store, mine, turn: store.drop_from("eve", mine, turn.number),
        lambda store, mine, turn: store.rename("eve", mine, "x"),
        lambda store, mine, turn: store.delete("eve", mine),
    ],
)
def test_nobody_reads_or_changes_what_is_anothers(store, attempt):
    mine = store.new_id()
    turn = ask(store, "ann", mine)
    before = store.conversations("ann")
    with pytest.raises(ConversationError, match="of yours"):
        attempt(store, mine, turn)
    assert store.conversations("eve") == ()
    assert store.numbers("eve", mine) == []
    assert store.numbers("ann", mine) == [turn.number]
    assert store.conversations("ann") == before
    assert store.turns("ann", mine) == (turn,)


def test_dropping_touches_no_other_conversation(store):
    mine, other = store.new_id(), store.new_id()
    ask(store, "ann", mine)
    kept = ask(store, "ann", other)
    store.drop_from("ann", mine, 0)
    assert store.turns("ann", mine) == ()
    assert store.turns("ann", other) == (kept,)


@pytest.mark.parametrize("odd", ["", "../x", "a" * 65, "é", "\ud800", "x'; DROP TABLE turns"])
def test_what_can_be_no_id_is_not_there(store, odd):
    ask(store, "ann", store.new_id())
    for call in (store.turns, store.conversation, store.delete):
        with pytest.raises(ConversationError):
            call("ann", odd)
    with pytest.raises(ConversationError):
        ask(store, "ann", odd)
    assert len(store.conversations("ann")) == 1


@pytest.mark.parametrize("number", [-1, 0, 10**30])
def test_a_number_out_of_range_is_no_turn(store, number):
    ask(store, "ann", store.new_id())
    with pytest.raises(ConversationError):
        store.turn("ann", number)


def test_the_title_is_the_first_question_shortened(store):
    conversation = store.new_id()
    first = ask(store, "ann", conversation, "  How\nmany " + "very " * 100 + "many?")
    ask(store, "ann", conversation, "And then?")
    title = store.conversation("ann", conversation).title
    assert title.startswith("How many very")
    assert len(title) <= MAX_TITLE
    store.drop_from("ann", conversation, first.number)  # the first question is edited
    ask(store, "ann", conversation, "How few?")
    assert store.conversation("ann", conversation).title == "How few?"


def test_a_name_that_was_given_stays(store):
    conversation = store.new_id()
    first = ask(store, "ann", conversation)
    store.rename("ann", conversation, " My\tname " + "x" * 200)
    store.drop_from("ann", conversation, first.number)
    ask(store, "ann", conversation, "How few?")
    assert store.conversation("ann", conversation).title.startswith("My name xxx")
    assert len(store.conversation("ann", conversation).title) == MAX_TITLE
    with pytest.raises(ConversationError, match="empty"):
        store.rename("ann", conversation, " \n")


def test_a_question_is_kept_up_to_its_bound(store):
    conversation = store.new_id()
    assert len(ask(store, "ann", conversation, "x" * 20_000).question) == MAX_QUESTION
    assert len(store.turns("ann", conversation)[0].question) == MAX_QUESTION


def test_from_a_turn_on_all_is_dropped_and_numbers_are_not_used_again(store):
    conversation = store.new_id()
    turns = [ask(store, "ann", conversation, f"{n}?") for n in range(4)]
    store.drop_from("ann", conversation, turns[2].number)
    assert store.turns("ann", conversation) == tuple(turns[:2])
    assert ask(store, "ann", conversation).number > turns[3].number


def test_what_is_deleted_is_gone_from_the_disk(store):
    conversation = store.new_id()
    ask(store, "ann", conversation, "Where is the xylophone?")
    store.delete("ann", conversation)
    assert store.conversations("ann") == ()
    for path in store.path.parent.iterdir():
        assert b"xylophone" not in path.read_bytes(), path


def test_conversations_are_listed_newest_first_and_found_in_any_case(store):
    one, two, three = (store.new_id() for _ in range(3))
    ask(store, "ann", one, "How tall is the TOWER?")
    ask(store, "ann", two, "Who was Émile?")
    ask(store, "ann", three, "Why 100%_?")
    time.sleep(0.002)
    ask(store, "ann", one, "And the Straße?")
    assert [each.id for each in store.conversations("ann")] == [one, three, two]
    assert store.conversations("ann")[0].turns == 2
    assert [each.id for each in store.conversations("ann", limit=1)] == [one]
    for wanted, found in {"tower": one, "STRASSE": one, "E\u0301MILE": two, "%_": three}.items():
        assert [each.id for each in store.conversations("ann", wanted)] == [found], wanted
    assert store.conversations("ann", "nothing") == ()
    store.rename("ann", two, "Zola")
    assert [each.id for each in store.conversations("ann", "zola")] == [two]


def test_threads_may_write_at_once(store):
    def write(user: str) -> None:
        for n in range(20):
            ask(store, user, f"of-{user}", f"{n}?")

    threads = [threading.Thread(target=write, args=(f"u{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(6):
        assert [turn.question for turn in store.turns(f"u{n}", f"of-u{n}")] == [f"{k}?" for k in range(20)]


@pytest.mark.parametrize("names", [("",), ("", "-wal", "-shm")])
def test_what_is_deleted_under_the_running_app_is_gone(store, names):
    ask(store, "ann", "a")
    for name in names:
        store.path.with_name(f"{store.path.name}{name}").unlink()
    assert store.conversations("ann") == ()
    with store.reading() as connection:
        assert connection is None
    ask(store, "ann", "b")
    assert [each.id for each in store.conversations("ann")] == ["b"]
    with Store(store.path.parent) as again:
        assert [each.id for each in again.conversations("ann")] == ["b"]


def test_a_turn_that_fails_half_way_leaves_nothing(store):
    with pytest.raises(TypeError):
        store.add("ann", "one", "How many?", None, replace(FOUND, text=object()), "")
    assert store.conversations("ann") == ()
    ask(store, "ann", "one")


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough" * 100, b"SQLite format 3\x00" + b"x" * 5000]
)
def test_a_damaged_file_is_named_with_the_remedy(tmp_path, content):
    path = tmp_path / "conversations.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"conversations\.sqlite is damaged .* move it away"):
        Store(tmp_path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("PRAGMA user_version = 9", "version 9 .* update Footnote"),
        ("PRAGMA application_id = 5", "no file of Footnote"),
    ],
)
def test_a_file_of_another_version_or_program_is_refused(tmp_path, change, message):
    with Store(tmp_path) as store:
        ask(store, "ann", store.new_id())
    connection = sqlite3.connect(store.path)
    connection.execute(change)
    connection.close()
    with pytest.raises(StoreError, match=message):
        Store(tmp_path)


def test_a_damaged_answer_is_told(store):
    turn = ask(store, "ann", store.new_id())
    store.close()
    connection = sqlite3.connect(store.path, isolation_level=None)
    connection.execute("UPDATE answers SET answer = '{'")
    connection.close()
    with pytest.raises(StoreError, match=f"question {turn.number} can't be read"):
        store.turn("ann", turn.number)


def test_a_folder_that_can_not_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"conversations\.sqlite can't be"):
        ask(Store(tmp_path / "file" / "kept"), "ann", "one")


def test_ten_thousand_conversations_are_listed_at_once(store):
    ask(store, "ann", "one")
    store.close()
    connection = sqlite3.connect(store.path)
    rows = [(f"c{n}", f"How much is {n}?", f"how much is {n}?") for n in range(10_000)]
    connection.executemany(
        "INSERT INTO conversations (id, user, title, folded, began, updated) VALUES (?, 'ann', ?, ?, '', '')",
        rows,
    )
    connection.executemany(
        "INSERT INTO turns (conversation, user, at, outcome, question, folded, error) "
        "VALUES (?, 'ann', '', 'refused', ?, ?, '')",
        rows * 2,
    )
    connection.commit()
    connection.close()
    started = time.perf_counter()  # without an index every search would compare 200 million pairs
    assert len(store.conversations("ann")) == 100
    assert len(store.conversations("ann", limit=20_000)) == 10_001
    assert len(store.conversations("ann", "much is 77")) == 100
    assert store.conversations("ann", "zzz") == ()
    assert time.perf_counter() - started < 5


# What is taken along


def conversation() -> tuple[Conversation, tuple[Turn, ...]]:
    at = "2026-11-23T10:08:02.123+00:00"
    turns = (
        Turn(1, "c", at, f"How many? {HOSTILE}", ("a/*",), FOUND, ""),
        Turn(2, "c", at, "And?", None, REFUSED, ""),
        Turn(3, "c", at, "Why?", None, None, "the index <b>x</b> is closed"),
    )
    return Conversation("c", HOSTILE, at, at, 3), turns


def test_the_three_forms_of_a_citation():
    assert exports.plain(CITED, FOUND) == (
        "“five”\n— Title, a/b.txt, page 3 (iii), One › Two, characters 10–14, confidence 0.935"
    )
    assert exports.markdown(CITED, FOUND) == (
        "> five\n>\n> — Title, a/b.txt, page 3 \\(iii\\), One › Two, characters 10–14, confidence 0.935"
    )
    lines = exports.bibtex(CITED, FOUND).split("\n")
    assert lines[0].startswith("@misc{b-")
    assert lines[1:] == [
        "  title = {Title},",
        "  file = {a/b.txt},",
        "  pages = {3 (iii)},",
        "  section = {One \\textgreater{} Two},",
        "  characters = {10--14},",
        "  confidence = {0.935},",
        "  note = {“five”}",
        "}",
    ]


def test_a_citation_of_a_table_names_its_cell():
    cited = replace(CITED, table_row="Net sales", table_column="2022")
    named = "One › Two, row “Net sales”, column “2022”, characters"
    assert named in exports.plain(cited, FOUND)
    assert named in exports.markdown(cited, FOUND)
    assert "\n  cell = {row “Net sales”, column “2022”},\n" in exports.bibtex(cited, FOUND)


def test_certainty_is_not_claimed_by_rounding_and_none_is_told_without_a_calibration():
    assert exports.plain(CITED, replace(FOUND, confidence=0.99999)).endswith("confidence 0.999")
    assert exports.plain(CITED, replace(FOUND, confidence=None)).endswith("characters 10–14")


@given(st.text(alphabet=st.sampled_from("{}\\%&#_$^~<>@\"'=, \nab\u202e") | st.characters(), max_size=60))
def test_bibtex_reads_no_value_otherwise_than_it_is(text):
    written = exports.bibtex(replace(CITED, quote=text, title=text, source=text, heading=[text]), FOUND)
    depth = 0
    for number, character in enumerate(written):
        depth += (character == "{") - (character == "}")
        assert depth > 0 or number in (*range(6), len(written) - 1)
    assert depth == 0
    bare = written
    for command in ("backslash", "braceleft", "braceright", "asciicircum", "asciitilde", "less", "greater"):
        bare = bare.replace(f"\\text{command}{{}}", "")
    for sign in "$&#_%":
        bare = bare.replace(f"\\{sign}", "")
        assert sign not in bare
    assert "\\" not in bare
    assert "\u202e" not in bare


def shown(markdown: str) -> tuple[str, set[str]]:
    """The text that Markdown shows, and the kinds of its tokens; with what GitHub's has beyond CommonMark."""
    blocks = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    text, kinds = [], set()
    for block in blocks:
        kinds.add(block.type)
        for token in block.children or ():
            kinds.add(token.type)
            text.append(token.content or ("\n" if token.type in ("hardbreak", "softbreak") else ""))
        text.append("\n" if block.type == "inline" else "")
    return "".join(text).replace("\xa0", " "), kinds


MARKDOWN = st.lists(
    st.sampled_from(
        ["\n", "    ", "\t", "# ", "- ", "+ ", "1. ", "2) ", "> ", "***", "---", "===", "```", "~~~", "|"]
    )
    | st.sampled_from(
        ["[a](b)", "<b>", "&amp;", "`", "\\", "http://a.b", "![", "<!--", "~~", "_x_", "[a]: b", "$"]
    )
    | st.text(max_size=5)
).map("".join)


@given(MARKDOWN)
def test_markdown_shows_a_quote_as_it_is(quote):
    text, kinds = shown(exports.markdown(replace(CITED, quote=quote), FOUND))
    assert kinds <= {"blockquote_open", "blockquote_close", "paragraph_open", "paragraph_close"} | {
        *("inline", "text", "text_special", "hardbreak", "softbreak")
    }
    told = exports.plain(replace(CITED, quote=quote), FOUND)
    assert text.split() == told.replace("“", "", 1).replace("”\n—", "\n—").split()


def test_a_conversation_as_markdown_holds_all_of_it_as_text():
    text, kinds = shown(exports.conversation_markdown(*conversation()))
    assert not kinds & {
        "image",
        "link_open",
        "html_inline",
        "html_block",
        "code_inline",
        "strong_open",
        "fence",
    }
    for said in (
        " ".join(HOSTILE.split()),
        "only in a/*",
        "\nfive\n",
        "Title, a/b.txt, page 3 (iii), One › Two, characters 10–14, confidence 0.935",
        "The documents don't say. (Confidence in the best candidate 0.200.)",
        "No answer: the index <b>x</b> is closed",
    ):
        assert said in text, said


def test_a_conversation_as_json_can_be_read_again():
    kept, turns = conversation()
    read = json.loads(exports.conversation_json(kept, turns))
    assert (read["format"], read["version"], read["title"]) == ("footnote-conversation", 1, HOSTILE)
    assert Answer.from_dict(read["turns"][0]["answer"]) == FOUND
    assert read["turns"][2] == {
        **{"number": 3, "at": turns[2].at, "question": "Why?", "sources": None},
        **{"error": "the index <b>x</b> is closed", "answer": None},
    }


def test_json_stays_readable_unless_it_can_not_be_written():
    assert exports.as_json({"a": "é"}) == '{"a": "é"}'
    assert exports.as_json({"a": "é\ud800"}) == '{"a": "\\u00e9\\ud800"}'
