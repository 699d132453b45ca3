"""QA.ask and QA.search: verbatim answers, exact offsets, refusals, bad input."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import SourceNotFoundError, update
from qa import QA, CalibrationError, QuestionError
from qa.question import MAX_CHARACTERS

from .conftest import NoiseReader, PatternReader, TinyEncoder, write_files

SEED = "000_4d6451841364124c.txt"
PIECES = [
    "a",
    "b cd",
    ". ",
    "Ef",
    "? ",
    "1",
    "\n",
    "\r",
    "\t",
    "\r\n",
    "\n\n",
    "é",
    "e\u0301",
    "👩\u200d👧",
    "😀",
]
PIECES += ["שלום", "ع", "北京", "。", "ﬁ", "\u202e", "- "]
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=120).map("".join)


def assert_exact(qa: QA, answer):
    for candidate in answer.candidates:
        assert candidate.citations
        for citation in candidate.citations:
            text = qa.text(citation.source)
            assert text[citation.start : citation.end] == citation.quote
            assert text[citation.context_start : citation.context_end] == citation.context
            assert citation.context_start <= citation.start <= citation.key_start
            assert citation.key_end <= citation.end <= citation.context_end
        first = candidate.citations[0]
        assert candidate.text == first.quote
        assert qa.text(first.source)[first.key_start : first.key_end] == candidate.key
    for passage in answer.passages:
        assert qa.text(passage.source)[passage.start : passage.end] == passage.text
        for source, start, end in passage.also_in:
            assert qa.text(source)[start:end]


def test_the_seed_answers_how_much_amazon_invests(seed_qa):
    answer = seed_qa.ask("How much is Amazon investing in Anthropic?")
    assert answer.found
    assert "$5 billion" in answer.key
    assert answer.text == answer.key == answer.citations[0].quote
    assert len(answer.key.split()) <= 6
    assert answer.citations[0].source == SEED
    assert_exact(seed_qa, answer)


def test_the_seed_refuses_what_it_does_not_say(seed_qa):
    answer = seed_qa.ask("What is the capital of France?")
    assert not answer.found
    assert (answer.text, answer.key, answer.citations) == ("", "", ())
    assert answer.candidates
    assert answer.confidence == answer.candidates[0].confidence
    assert len(answer.passages) == min(10, len(seed_qa.search("Amazon", k=100)))
    assert_exact(seed_qa, answer)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("How many gigawatts of computing power has Anthropic locked in?", "5 gigawatts"),
        ("What are the names of Amazon's AI chips?", "Trainium"),
        ("Why does Anthropic need such an enormous computing reserve?", "explosive growth"),
    ],
)
def test_the_best_candidate_says_it(seed_qa, question, said):
    assert said in seed_qa.ask(question).candidates[0].citations[0].context


def test_a_why_question_is_answered_in_whole_sentences(seed_qa):
    for candidate in seed_qa.ask("Why does Anthropic need such an enormous computing reserve?").candidates:
        assert candidate.text == candidate.citations[0].context
        assert candidate.key in candidate.text


def test_min_confidence_moves_the_refusal(seed_qa):
    question = "What is the capital of France?"
    assert seed_qa.ask(question, min_confidence=0).found
    assert not seed_qa.ask("How much is Amazon investing in Anthropic?", min_confidence=1).found
    answer = seed_qa.ask(question)
    assert seed_qa.ask(question, min_confidence=answer.confidence).found


def test_an_answer_is_json_without_nan(seed_qa):
    answer = seed_qa.ask("How much is Amazon investing in Anthropic?")
    values = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    assert values["citations"][0]["heading"] == answer.citations[0].heading
    assert values["timings"]["total"] >= values["timings"]["read"]
    assert values == json.loads(json.dumps(asdict(answer)))


@pytest.mark.parametrize("question", ["", "   \n\t ", "\u2003"])
def test_an_empty_question_is_an_error(seed_qa, question):
    with pytest.raises(QuestionError, match="empty"):
        seed_qa.ask(question)
    with pytest.raises(QuestionError, match="empty"):
        seed_qa.search(question)


@pytest.mark.parametrize(
    "question", ["the of and", "😀😀", "?!", "\ud800 lone", "\x00", "¿" * 50, "\u200b" * 3000]
)
def test_a_question_without_content_is_refused(seed_qa, question):
    assert not seed_qa.ask(question).found


def test_a_question_of_100_kb_is_cut_with_a_notice(seed_qa):
    question = "How much is Amazon investing in Anthropic? " + "Please answer. " * 7000
    answer = seed_qa.ask(question)
    assert "characters were searched" in answer.notice
    assert "about the first" in answer.notice
    assert len(answer.question) <= MAX_CHARACTERS
    assert_exact(seed_qa, answer)


def test_a_question_that_the_reader_reads_in_part_has_a_notice(seed_qa):
    assert seed_qa.ask("please " * 64).notice == ""
    answer = seed_qa.ask("please " * 65)
    assert f"the first {len('please ' * 64) - 1} of them" in answer.notice


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "0.5", True])
def test_a_confidence_out_of_range_is_an_error(seed_qa, value):
    with pytest.raises(QuestionError, match="0 to 1"):
        seed_qa.ask("Amazon?", min_confidence=value)


def test_the_answer_does_not_hang_on_k(seed_qa):
    for question in (
        "What is Trainium?",
        "Why is the partnership significant?",
        "What is the capital of France?",
    ):
        answers = [seed_qa.ask(question, k=k) for k in (1, 5, 10, 100)]
        assert len({json.dumps(answer.to_dict()["candidates"]) for answer in answers}) == 1
        assert len(answers[0].passages) == 1


@pytest.mark.parametrize("k", [0, -1, 101, True, 1.5])
def test_k_out_of_range_is_an_error(seed_qa, k):
    with pytest.raises(QuestionError, match="1 to 100"):
        seed_qa.search("Amazon", k=k)


def test_sources_limit_the_search(ask_files):
    qa = ask_files(
        {"a/one.txt": "The blue house is old.", "a/two.txt": "The blue car is new.", "[x].txt": "Blue sky."}
    )
    assert {p.source for p in qa.search("blue", sources=["a/*"])} == {"a/one.txt", "a/two.txt"}
    assert {p.source for p in qa.search("blue", sources=["[x].txt"])} == {"[x].txt"}
    answer = qa.ask("What is blue?", sources=["a/two.txt"])
    assert {c.source for candidate in answer.candidates for c in candidate.citations} == {"a/two.txt"}
    with pytest.raises(SourceNotFoundError, match=r"nope\.txt"):
        qa.ask("blue", sources=["nope.txt"])
    with pytest.raises(QuestionError, match="list"):
        qa.ask("blue", sources="a/one.txt")
    with pytest.raises(QuestionError, match="list"):
        qa.ask("blue", sources=5)
    assert qa.ask("What is blue?", sources={"a/two.txt"}).candidates == answer.candidates
    assert qa.ask("blue", sources=[]).candidates == ()


def test_without_a_calibration_nothing_is_refused_but_nothing(ask_files):
    qa = ask_files({"one.txt": "The blue house is old."})
    answer = qa.ask("Who sold the spoon?")
    assert answer.found
    assert answer.confidence is None
    with pytest.raises(CalibrationError, match="calibration"):
        qa.ask("Who sold the spoon?", min_confidence=0.5)
    refused = qa.ask('Who said "no such phrase here"?')
    assert not refused.found
    assert refused.passages == ()


def test_an_empty_index_refuses(ask_files):
    answer = ask_files({}).ask("Anything?")
    assert (answer.found, answer.candidates, answer.passages) == (False, (), ())


def test_quoted_phrases_must_match(ask_files):
    qa = ask_files(
        {
            "1.txt": "The anchor customer buys chips.",
            "2.txt": "The customer has an anchor.",
            "3.txt": "Chips.",
        }
    )
    assert [p.source for p in qa.search('chips "anchor customer"')] == ["1.txt"]
    assert [p.source for p in qa.search("chips “Anchor Customer”")] == ["1.txt"]
    assert {p.source for p in qa.search("anchor customer")} == {"1.txt", "2.txt", "3.txt"}


def test_copies_and_near_copies_collapse_with_all_their_citations(ask_files):
    text = "The warranty of the pump lasts three years from the day of sale. It covers parts and labour."
    qa = ask_files(
        {
            "a.txt": text,
            "b.txt": text,
            "c.txt": text.replace("covers parts", "covers all parts"),
            "d.txt": "Unrelated words about rivers and bridges stand here.",
        }
    )
    passages = qa.search("How long does the warranty last?")
    assert len(passages) == 2
    everywhere = {passages[0].source, *(source for source, _, _ in passages[0].also_in)}
    assert everywhere == {"a.txt", "b.txt", "c.txt"}
    answer = qa.ask("How long does the warranty of the pump last?")
    assert {c.source for c in answer.citations} == {"a.txt", "b.txt", "c.txt"}
    assert len({c.quote for c in answer.citations}) == 1
    assert_exact(qa, answer)


def test_each_filling_of_a_template_can_be_the_answer(ask_files):
    lease = (
        "This lease is made between the owner of the house and the person who rents it from him. "
        "It begins on the first day of May and ends on the last day of April of the year {year}. "
        "The tenant is {name}. The rent is paid in advance and the keys are handed over on payment."
    )
    names = ["Mary Jones", "Paul Smith", "Ann Lee", "Otto Kern"]
    qa = ask_files({f"{n}.txt": lease.format(year=2030 + n, name=name) for n, name in enumerate(names)})
    assert len(qa.search("Who is the tenant?")) == 1
    answer = qa.ask("Who is the tenant?")
    assert set(names) <= {candidate.text for candidate in answer.candidates}
    assert {f"The tenant is {name}." for name in names} <= {c.citations[0].context for c in answer.candidates}
    assert_exact(qa, answer)
    answer = qa.ask("In what year does the lease of Otto Kern end?")
    assert (answer.citations[0].source, answer.key[-4:]) == ("3.txt", "2033")


def test_an_answer_that_several_near_duplicates_share_is_cited_under_each(ask_files):
    notice = (
        "This notice is given to all who use the hall of the old school in the village by the river. "
        "It is valid from the first day of May until the last day of April of the year that follows. "
        "The keeper is {name}. The hall is opened on request, against a small payment in advance."
    )
    keepers = {"1.txt": "Ann Lee", "2.txt": "Otto Kern", "3.txt": "Otto  Kern", "4.txt": "Otto Kern"}
    qa = ask_files(
        {
            source: notice.format(name=name) + " " + "Thanks." * n
            for n, (source, name) in enumerate(keepers.items())
        }
    )
    kept = qa.search("Who is the keeper?")
    assert [passage.source for passage in kept] == ["1.txt"]  # so the shared answer is in its twins alone
    answer = qa.ask("Who is the keeper?")
    shared = [c for c in answer.candidates if c.key.split() == ["Otto", "Kern"]]
    assert len(shared) == 1
    assert {citation.source for citation in shared[0].citations} == {"2.txt", "3.txt", "4.txt"}
    assert_exact(qa, answer)


def test_a_table_answers_with_a_row_and_never_with_its_header(ask_files):
    table = "# Travel\n\n| Destination | Daily allowance | Hotel limit |\n|---|---|---|\n"
    table += "| Zurich | 68 euros | 240 euros |\n| Lisbon | 41 euros | 150 euros |\n"
    qa = ask_files({"travel.md": table}, PatternReader("Daily allowance|Hotel limit|68 euros"))
    answer = qa.ask("What is the daily allowance in Zurich?")
    assert [candidate.text for candidate in answer.candidates] == ["68 euros"]
    assert answer.citations[0].context == "| Zurich | 68 euros | 240 euros |"


def test_equal_answers_of_several_documents_are_one_with_all_its_places(ask_files):
    qa = ask_files(
        {
            "a.txt": "In May the old boat was sold by Paul, who was glad of it.",
            "b.txt": "We know from the captain's log that Mary sold the boat.",
            "c.txt": "The boat? It was, as everyone in the harbour will tell you, sold by Mary.",
        },
        PatternReader("Mary|Paul"),
    )
    answer = qa.ask("Who sold the boat?")
    assert [candidate.text for candidate in answer.candidates] == ["Mary", "Paul"]
    assert {(c.source, c.quote) for c in answer.citations} == {("b.txt", "Mary"), ("c.txt", "Mary")}
    assert_exact(qa, answer)


def test_a_sentence_with_two_spans_is_one_candidate(ask_files):
    qa = ask_files({"a.txt": "The dam broke because of rain and of wind."}, PatternReader("rain|wind"))
    assert [c.text for c in qa.ask("Why did the dam break?").candidates] == [
        "The dam broke because of rain and of wind."
    ]
    assert [c.text for c in qa.ask("What broke the dam?").candidates] == ["rain", "wind"]


def test_a_phrase_that_stands_nowhere_is_named(seed_qa):
    answer = seed_qa.ask('Who said "no such words here"?')
    assert not answer.found
    assert "no such words here" in answer.notice
    assert seed_qa.ask('a 5" or 7" pump').passages


def test_copies_are_cited_under_their_own_names(ask_files):
    answer = ask_files({"a.txt": "The spoon was sold.", "b.txt": "The spoon was sold."}).ask("The spoon?")
    assert {(citation.source, citation.title) for citation in answer.citations} == {
        ("a.txt", "a.txt"),
        ("b.txt", "b.txt"),
    }


def test_only_an_indexed_file_has_a_text(ask_files):
    qa = ask_files({"a.txt": "Words.", "empty.txt": "", "bad.pdf": b"%PDF-1.7 broken", "x.bin": b"x"})
    for source in ("empty.txt", "bad.pdf", "x.bin", "none.txt", "\ud800"):
        with pytest.raises(SourceNotFoundError):
            qa.text(source)


@pytest.mark.parametrize(
    "arguments", [{"question": None}, {"question": "x", "k": "3"}, {"question": "x", "sources": [1]}]
)
def test_a_parameter_of_the_wrong_type_is_an_error(seed_qa, arguments):
    with pytest.raises(QuestionError):
        seed_qa.ask(**arguments)


def test_an_identifier_is_found_exactly(ask_files):
    qa = ask_files({f"{n}.txt": f"Part XR-{n} needs oil number {n + 7}." for n in range(2030, 2050)})
    assert qa.search("Which oil does XR-2041 need?")[0].source == "2041.txt"


def test_chinese_is_found(ask_files):
    files = {"zh.txt": "北京是中国的首都。上海是最大的城市。", "en.txt": "Nothing of the kind."}
    qa = ask_files(files, PatternReader("北京"))
    assert qa.search("中国的首都")[0].source == "zh.txt"
    answer = qa.ask("中国的首都")
    assert (answer.text, answer.citations[0].context) == ("北京", "北京是中国的首都。")


def test_a_new_snapshot_is_seen_without_reopening(ask_files, folder, index_dir, tiny_encoder):
    qa = ask_files({"one.txt": "The blue house is old."})
    write_files(folder, {"two.txt": "The spoon was sold by Mary."})
    (folder / "one.txt").unlink()
    update(folder, index_dir, encoder=tiny_encoder)
    assert {c.source for c in qa.ask("Who sold the spoon?").citations} == {"two.txt"}
    with pytest.raises(SourceNotFoundError, match=r"one\.txt"):
        qa.text("one.txt")


def test_many_threads_get_the_same_answers(ask_files):
    qa = ask_files({f"{n}.txt": f"The code of room {n} is {n * 37}." for n in range(40)})
    questions = [f"What is the code of room {n}?" for n in range(40)]
    alone = [qa.ask(question).text for question in questions]
    together: dict[int, list[str]] = {}

    def work(number: int) -> None:
        together[number] = [qa.ask(question).text for question in questions]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[number] for number in range(4)] == [alone] * 4


@given(
    texts=st.lists(TEXTS, min_size=1, max_size=3),
    question=st.builds(str.__add__, st.sampled_from(["", "why ", "what are the items "]), TEXTS).filter(
        str.strip
    ),
)
def test_every_quote_is_the_text_at_its_offsets(tmp_path_factory, texts, question):
    place = tmp_path_factory.mktemp("any")
    write_files(place / "docs", {f"{n}.txt": text for n, text in enumerate(texts)})
    encoder = TinyEncoder()
    update(place / "docs", place / "index", encoder=encoder)
    with QA.open(place / "index", encoder=encoder, reader=NoiseReader()) as qa:
        answer = qa.ask(question)
        assert_exact(qa, answer)
        for number, text in enumerate(texts):
            if text.strip():
                assert qa.text(f"{number}.txt") == text
