"""Many questions, one JSON line each, answered one line each, in order."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from index import FootnoteError
from qa.engine import QA
from qa.errors import QuestionError


def answer_lines(
    qa: QA, lines: Iterable[bytes], min_confidence: float | None = None, k: int = 10
) -> Iterator[dict[str, Any]]:
    """Yield one object for each line: the id and the answer's keys, or the id and an error.

    A line is ``{"id", "question", "sources": array or null}`` in UTF-8; other keys are ignored.
    """
    for line in lines:
        number: Any = None
        try:
            values = _object(line)
            number = values.get("id")
            question = values.get("question")
            if not isinstance(question, str):
                raise QuestionError('the line has no text under "question"')
            answer = qa.ask(question, _sources(values.get("sources")), min_confidence, k)
            yield {"id": number, **answer.to_dict()}
        except FootnoteError as error:
            yield {"id": number, "error": {"type": type(error).__name__, "message": str(error)}}


def _object(line: bytes) -> dict[str, Any]:
    try:
        text = line.removeprefix(codecs.BOM_UTF8).decode("utf-8")
        values = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise QuestionError(f"the line is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise QuestionError("the line is no JSON object")
    return values


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _sources(value: object) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise QuestionError('"sources" is no array of paths or patterns')
    return value
