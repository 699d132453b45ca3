"""JSON and JSON lines: values with their keys, records together."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import CorruptError, EmptyFileError, UnsupportedError
from index.model import Document
from index.parsers.records import parse, parse_lines

DETERMINISTIC = settings(derandomize=True, deadline=None, database=None)
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
VALUES = st.recursive(
    WORDS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def found(document: Document) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def texts(source: str) -> list[str]:
    return [text for _, _, text in found(parse(source.encode()))]


@DETERMINISTIC
@given(st.dictionaries(WORDS, VALUES, min_size=1, max_size=5))
def test_all_words_and_numbers_survive(value: dict[str, object]) -> None:
    leaves: list[str] = []
    waiting: list[object] = [value]
    while waiting:
        taken = waiting.pop()
        if isinstance(taken, dict):
            waiting.extend(taken.values())
        elif isinstance(taken, list):
            waiting.extend(taken)
        else:
            leaves.append(taken if isinstance(taken, str) else json.dumps(taken))
    if not leaves:
        return
    document = parse(json.dumps(value).encode())
    assert all(leaf in document.text for leaf in leaves)
    ends = [(block.start, block.end) for section in document.sections for block in section.blocks]
    assert ends == sorted(ends)


def test_a_small_object_is_lines_with_dotted_paths() -> None:
    source = (
        '{"title": "Berlin", "area": {"land": 891.10, "unit": "km2"},'
        ' "tags": ["city", "state"], "capital": true}'
    )
    document = parse(source.encode())
    assert document.title == "Berlin"
    assert found(document) == [
        ((), "row", "title: Berlin"),
        ((), "row", "area.land: 891.10"),
        ((), "row", "area.unit: km2"),
        ((), "row", "tags: city, state"),
        ((), "row", "capital: true"),
    ]


def test_like_objects_are_a_table() -> None:
    document = parse(b'[{"city": "Ulm", "pop": 1}, {"pop": 2, "city": "Bonn"}]')
    assert [text for _, _, text in found(document)] == ["city | pop", "Ulm | 1", "Bonn | 2"]
    assert [block.header for block in document.sections[0].blocks] == [None, (0, 10), (0, 10)]


def test_records_are_headed_by_their_names_or_places() -> None:
    source = '{"cities": [{"name": "Ulm", "at": {"x": 1}}, {"at": {"x": 2, "y": 3}}]}'
    assert found(parse(source.encode())) == [
        (("cities", "Ulm"), "row", "name: Ulm"),
        (("cities", "Ulm"), "row", "at.x: 1"),
        (("cities", "[1]"), "row", "at.x: 2"),
        (("cities", "[1]"), "row", "at.y: 3"),
    ]


def test_plain_values_come_before_nested_ones() -> None:
    many = {f"k{number}": str(number) for number in range(30)}
    document = parse(json.dumps({"inner": {"deep": many}, "last": "x"}).encode())
    assert found(document)[0] == ((), "row", "last: x")
    assert found(document)[1] == (("inner", "deep"), "row", "k0: 0")


def test_long_text_is_prose_in_paragraphs() -> None:
    long = "This sentence is long enough to be prose. " * 5
    source = json.dumps({"id": 1, "text": f"{long}\n\nSecond <b>part</b>\u00ad."})
    assert found(parse(source.encode()))[1:] == [
        ((), "prose", f"text: {long.strip()}"),
        ((), "prose", "Second <b>part</b>."),
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"only words"', ["only words"]),
        ('["a", "b"]', ["a", "b"]),
        ("[[1, 2], [3, 4]]", ["1 | 2", "3 | 4"]),
        ('{"a": NaN, "b": -Infinity}', ["a: NaN", "b: -Infinity"]),
        ('{"a": 1, "a": 2}', ["a: 1", "a: 2"]),
        ('{"a": 1.50, "b": 1e999999}', ["a: 1.50", "b: 1e999999"]),
        ('{"a": null, "b": "", "c": [], "d": {}}', ["a: null"]),
        (r'{"a": "\u00e9\ud800\ttab"}', ["a: é tab"]),
        ('{"a": "raw\tcontrol"}', ["a: raw control"]),
        ('\ufeff{"a": 1}', ["a: 1"]),
    ],
)
def test_odd_values(source: str, expected: list[str]) -> None:
    assert texts(source) == expected


def test_a_number_of_any_length_is_read() -> None:
    assert texts("[" + "7" * 10_000 + "]") == ["7" * 10_000]


def test_metadata_of_the_object_itself() -> None:
    document = parse(b'{"title": "T", "author": {"name": "Ann"}, "date": "2024-05-06"}')
    assert (document.title, document.author, document.date) == ("T", "Ann", "2024-05-06")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('{"a": 1} junk', "line 1, column 10"),
        ('{"a": 1,\n "b" 2}', "line 2, column 6"),
        ("[1, 2", "line 1, column 6"),
        ("hello", "line 1, column 1"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(source: str, reason: str) -> None:
    with pytest.raises(CorruptError, match=reason):
        parse(source.encode())


@pytest.mark.parametrize("source", ["[" * 100_000, '{"a":' * 100_000, "[" * 300 + "1" + "]" * 300])
def test_deep_nesting_is_refused(source: str) -> None:
    with pytest.raises(CorruptError, match="nested"):
        parse(source.encode())


@pytest.mark.parametrize("source", ["", " \n", "{}", "[]", '""', '[{}, [""]]'])
def test_a_file_without_values_is_empty(source: str) -> None:
    with pytest.raises(EmptyFileError):
        parse(source.encode())


def test_binary_content_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        parse(b'{"a": "\0\1"}')


def test_bad_lines_are_named_and_the_others_read() -> None:
    lines = ['{"name": "a", "n": [{"x": 1}]}', "{bad", "", '{"name": "b"}', '{"other": "c"}']
    document = parse_lines("\r\n".join(lines).encode())
    assert document.notice == "not valid JSON, left out: line 2"
    assert [section.heading[0] for section in document.sections] == ["a", "a", "b", "line 5"]


def test_lines_in_a_json_file_are_read() -> None:
    assert texts('{"a": "x", "b": 1}\n{"a": "y", "b": 2}\n') == ["a | b", "x | 1", "y | 2"]


def test_an_unusual_line_end_is_part_of_a_value() -> None:
    assert "one\ntwo" in parse_lines('{"a": "one\u2028two"}\n{"b": 1}'.encode()).text


def test_many_records_take_linear_time() -> None:
    started = time.monotonic()
    parse(("[" + ",".join(['{"a": {"b": [{"c": 1}]}}'] * 5_000) + "]").encode())
    assert time.monotonic() - started < 5
