"""JSON and JSON lines: every value on a line with its key, records kept together.

Small objects become lines "key: value" with dotted paths, lists of like objects become tables, and
larger ones are headed by their key or name. Within an object the plain values come before the nested
ones, so that each stands below its own heading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from index.errors import CorruptError
from index.model import BlockKind, Document
from index.parsers.decoding import decode_file
from index.parsers.writer import Writer, folded

_DEPTH = 120  # deep enough for people, far from Python's recursion limit
_RECORD_LEAVES = 24
_TABLE_COLUMNS = 8
_CELL_LENGTH = 100
_LINE_LENGTH = 160
_LIST_LENGTH = 300
_NAME_LENGTH = 80
_NAMES = ("name", "title", "label", "headline", "question", "id", "key", "code")
_TITLES = ("title", "name", "headline")
_AUTHORS = ("author", "creator", "byline")
_DATES = ("date", "published", "datepublished", "created", "created_at")
_ISO = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?)?)?")
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
_NUMBER = re.compile(r"-?\d[\d.eE+-]*")
_SHOWN_LINES = 5


@dataclass(frozen=True, slots=True)
class Fields:
    """An object: its keys and values in the order of the file, repeated keys too."""

    pairs: Sequence[tuple[str, Value]]


Scalar = str | bool | None
Value = Scalar | list[Any] | Fields
"""A number is the string of its digits, as the file writes them."""


def parse(data: bytes) -> Document:
    """Read a JSON file; one that holds an object on each of its lines is read as JSON lines.

    Raises:
        EmptyFileError: There is no value but empty ones.
        UnsupportedError: The bytes are not text.
        CorruptError: This is not JSON, or it is nested too deeply.
    """
    decoded = decode_file(data)
    try:
        value = read_json(decoded.text)
    except CorruptError as error:
        values, names, bad = _lines(decoded.text) if "Extra data" in str(error) else ([], [], [])
        if bad or len(values) < 2:
            raise
        return document_of(values, decoded.notice, names)
    return document_of(value, decoded.notice)


def parse_lines(data: bytes) -> Document:
    """Read JSON lines: a value on each line. Lines that are none are named in the notice.

    Raises:
        EmptyFileError: There is no value but empty ones.
        UnsupportedError: The bytes are not text.
        CorruptError: No line is JSON.
    """
    decoded = decode_file(data)
    values, names, bad = _lines(decoded.text)
    if not values:
        # One object that is spread over several lines is no JSON lines, but clear all the same.
        return document_of(read_json(decoded.text), decoded.notice)
    notices = [decoded.notice] if decoded.notice else []
    if bad:
        shown = ", ".join(str(number) for number in bad[:_SHOWN_LINES])
        more = f" and {len(bad) - _SHOWN_LINES} more" if len(bad) > _SHOWN_LINES else ""
        notices.append(f"not valid JSON, left out: line {shown}{more}")
    return document_of(values, "; ".join(notices), names)


def read_json(text: str, pairs: Callable[[list[tuple[str, Any]]], Any] = Fields) -> Any:  # noqa: ANN401
    """The value of a JSON text; ``pairs`` makes an object of its keys and values.

    Raises:
        CorruptError: This is not JSON, or it is nested too deeply.
    """
    try:
        # Numbers stay as they are written: nothing is rounded, and no number is too long.
        return json.loads(
            text, object_pairs_hook=pairs, parse_int=str, parse_float=str, parse_constant=str, strict=False
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise CorruptError(f"not valid JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        raise CorruptError("the JSON is nested too deeply") from error


def document_of(value: Value, notice: str = "", names: Sequence[str] = ()) -> Document:
    """The document of a value; ``names`` are what the values of a list are called that bear no name.

    Raises:
        EmptyFileError: There is no value but empty ones.
        CorruptError: The values are nested too deeply.
    """
    writer = Writer()
    if names and isinstance(value, list):
        _write_array(writer, value, 1, names)
    else:
        _write_value(writer, value)
    known = value if isinstance(value, Fields) else Fields(())
    return writer.document(
        _text_of(known, _TITLES), author=_text_of(known, _AUTHORS), date=_date(known), notice=notice
    )


def _lines(text: str) -> tuple[list[Any], list[str], list[int]]:
    """The values of the lines, what these lines are called, and the numbers of those that hold none."""
    values: list[Any] = []
    names: list[str] = []
    bad: list[int] = []
    # Only a line feed ends a line: JSON strings may hold the other line ends of Unicode.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            values.append(read_json(line))
            names.append(f"line {number}")
        except CorruptError:
            bad.append(number)
    return values, names, bad


def _write_value(writer: Writer, value: Value, level: int = 1) -> None:
    if level > _DEPTH:
        raise CorruptError(f"the values are nested more than {_DEPTH} levels deep")
    if isinstance(value, Fields):
        _write_fields(writer, value, level)
    elif isinstance(value, list):
        _write_array(writer, value, level)
    else:
        _write_leaf(writer, "", value)


def _write_fields(writer: Writer, fields: Fields, level: int) -> None:
    if _is_record(fields):
        for path, leaf in _leaves(fields):
            _write_leaf(writer, path, leaf)
        return
    nested: list[tuple[str, Value]] = []
    for key, value in fields.pairs:
        if _is_leaf(value):
            _write_leaf(writer, key, value)
        else:
            nested.append((key, value))
    for key, value in nested:
        writer.heading(key if key.strip() else '""', level)
        _write_value(writer, value, level + 1)


def _write_array(writer: Writer, values: list[Value], level: int, names: Sequence[str] = ()) -> None:
    """Write a table or a list; nested values without a name are headed by their place in it."""
    rows = _rows(values)
    if rows:
        writer.table(rows, headed=isinstance(values[0], Fields))
        return
    for value in values:
        if _is_leaf(value):
            _write_leaf(writer, "", value, "item")
    for place, value in enumerate(values):
        if not _is_leaf(value):
            path = names[place] if names else f"[{place}]"
            writer.heading(_text_of(value, _NAMES) or path, level)
            _write_value(writer, value, level + 1)


def _write_leaf(writer: Writer, key: str, value: Value, kind: BlockKind = "row") -> None:
    """Write a plain value, or a list of them, with its key in front."""
    front = f"{folded(key)}: " if key else ""
    if isinstance(value, list):
        _write_list(writer, front, [text for text in map(_shown, value) if text.strip()])
        return
    text = _shown(value).replace("\r\n", "\n").strip()
    if not text:
        return
    if len(text) <= _LINE_LENGTH and "\n" not in text:
        writer.block(front + text, kind)
        return
    for place, paragraph in enumerate(_PARAGRAPH.split(text)):
        writer.block(paragraph if place else front + paragraph)


def _write_list(writer: Writer, front: str, texts: list[str]) -> None:
    joined = ", ".join(texts)
    if len(joined) <= _LIST_LENGTH or all(_NUMBER.fullmatch(text) for text in texts):
        if joined:
            writer.block(front + folded(joined), "row")
        return
    if front:
        writer.block(front, "row")
    for text in texts:
        writer.block(text, "item")


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else "null" if value is None else ""


def _is_leaf(value: Value) -> bool:
    """Whether a value needs no heading of its own: plain, a list of plain ones, or empty."""
    if isinstance(value, Fields):
        return not value.pairs
    return not isinstance(value, list) or not any(isinstance(item, list | Fields) for item in value)


def _is_record(fields: Fields) -> bool:
    """Whether an object is small enough to be written as lines that stand together."""
    waiting: list[Fields] = [fields]
    seen = 0
    while waiting:
        for _, value in waiting.pop().pairs:
            seen += 1
            if seen > _RECORD_LEAVES:
                return False
            if isinstance(value, Fields):
                waiting.append(value)
            elif not _is_leaf(value):
                return False
    return True


def _leaves(fields: Fields, path: str = "") -> Iterator[tuple[str, Value]]:
    for key, value in fields.pairs:
        if isinstance(value, Fields):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield path + key, value


def _rows(values: list[Value]) -> list[list[str]]:
    """The rows of a table, where the values are like objects or lists of short plain values."""
    if len(values) < 2:
        return []
    first = values[0]
    if isinstance(first, Fields):
        keys = [key for key, _ in first.pairs]
        if not 2 <= len(keys) <= _TABLE_COLUMNS or len(set(keys)) < len(keys):
            return []
        rows = [keys]
        for value in values:
            if not isinstance(value, Fields) or len(value.pairs) != len(keys):
                return []
            named = dict(value.pairs)
            if named.keys() != set(keys) or not all(map(_is_cell, named.values())):
                return []
            rows.append([_shown(named[key]) for key in keys])
        return rows
    if not all(isinstance(value, list) and value and all(map(_is_cell, value)) for value in values):
        return []
    return [[_shown(cell) for cell in value] for value in values if isinstance(value, list)]


def _is_cell(value: Value) -> bool:
    if isinstance(value, list | Fields):
        return False
    return not isinstance(value, str) or (len(value) <= _CELL_LENGTH and "\n" not in value.strip())


def _text_of(value: Value, wanted: Sequence[str]) -> str:
    """The short text of the first field that bears one of the names."""
    if not isinstance(value, Fields):
        return ""
    found = {key.casefold(): text for key, text in reversed(value.pairs)}
    for name in wanted:
        text = found.get(name)
        if isinstance(text, Fields) and name in _AUTHORS:
            text = _text_of(text, _NAMES[:1])
        if isinstance(text, str) and text.strip() and len(text) <= _NAME_LENGTH:
            return folded(text)
    return ""


def _date(fields: Fields) -> str | None:
    text = _text_of(fields, _DATES)
    return text if _ISO.fullmatch(text) else None
