"""What of a passage is quoted: the span alone for a fact, whole sentences for an explanation.

Decided by the question's wording: "why", "how does", definitions, lists and yes-or-no questions want
sentences; what, who, when, where, which and how many want the span.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index import Passage, Span, question_terms, terms

MAX_SENTENCES = 3

_AUXILIARY = (
    r"(?:is|are|was|were|am|do|does|did|can|could|will|would|shall|should|may|might|must|has|have|had|"
    r"isn't|aren't|wasn't|weren't|don't|doesn't|didn't|can't|couldn't|won't|wouldn't|hasn't|haven't)"
)
_TASK = (
    r"(?:compare|define|describe|discuss|enumerate|explain|give|list|name|outline|provide|show|"
    r"summari[sz]e|tell)"
)
_POLITE = re.compile(
    r"^(?:and |but |so |then |please |i (?:want|need) to know |i(?: woul|')d like to know |"
    r"do you know (?=how|wh(?!ether))|"
    rf"(?:can|could|will|would) you (?=(?:please )?{_TASK}\b)|(?:give|provide|show|tell)(?: me| us)? )+"
)
_YES_OR_NO = re.compile(rf"{_AUXILIARY} \w+")
_CHOICE = re.compile(r"\bor\b(?! not\b)")

_WHAT_IS = r"what(?:'s|s| is| are| was| were)"
_WORDS = r"(?:(?!(?:for|in|of|that|which|who)\b)[\w'-]+ ){0,3}?"  # an article, adjectives, an owner
_NOUNS = (
    r"(?:aims?|approach|causes?|consequences?|definition|differences?|effects?|goals?|impacts?|importance|"
    r"meaning|objectives?|policy|procedure|process|purposes?|relationship|roles?|rules?|significance)"
)
_LINK = r"(?:and|about|behind|between|by|for|if|in|of|on|to|when|with)"
_EXPLANATION = re.compile(
    "|".join(
        [
            r"why\b|how come\b|how\W*$",
            rf"how(?:'s|s)\b|how (?:exactly )?(?:{_AUXILIARY}|to)\b",
            r"(?:for|in|under) (?:what|which) (?:cases?|circumstances|conditions|reasons?|ways?)\b",
            r"(?:explain|describe|define|summari[sz]e|compare|outline|discuss)\b",
            rf"{_WORDS}(?:comparison|definition|description|explanation|overview|summary) of\b",
            r"(?:more |something )?about (?!how (?:many|much)\b)",
            rf"{_WHAT_IS} {_WORDS}(?:reasons?|rationale)\b",
            rf"{_WHAT_IS} {_WORDS}{_NOUNS}(?:\W*$| {_LINK}\b)",  # "the process of ...", not "the process ID"
            rf"what (?:[\w-]+ )?(?:difference|effects?|impacts?|influence|role) {_AUXILIARY}\b",
            r"what (?:do|does|did) .+ (?:argue|claim|do|entail|involve|mean|say)\W*$",
            r"what (?:do|does|did) .+ (?:claim|say|think) about\b",
            rf"what {_AUXILIARY} (?:i|we|you|one|they|he|she) do\b",
            r"what (?:happens|happened|causes?|caused|makes|made|leads? to|led to)\b",
            rf"{_WHAT_IS} meant\b",
        ]
    )
)
_PLURAL = (
    rf"(?:some of |all of )?{_WORDS}"
    r"(?:criteria|(?!(?:does|has|his|is|its|was)\b)[\w-]{2,}s(?<!ss))\b"
)
_LIST = re.compile(rf"(?:a |the )?list\b|enumerate\b|name {_PLURAL}|what (?:are|were) {_PLURAL}")
_SEVERAL = re.compile(rf"(?:what|which) {_PLURAL} {_AUXILIARY}\b")
_DEFINITION = re.compile(
    r"what(?:'s|s| is| are) (?:an? )?(?!(?:the|he|her|his|it|its|my|our|she|their|they|your)\b)"
    r"[\w-]+(?: [\w-]+){0,2}\W*$"
)
_NAMING = re.compile(r"(?:called|known as|named|nicknamed|titled)\W*$")
_MARK = re.compile(r"\s*(?:[-*+•‣◦▪]|\(?(?:\d{1,3}|[a-zA-Z])[.)])\s")


def wants_sentences(question: str) -> bool:
    """Whether a short span would not answer the question."""
    asked = _plain(question)
    if _NAMING.search(asked):
        return False
    if _YES_OR_NO.match(asked):
        return not _CHOICE.search(asked)
    return any(kind.match(asked) for kind in (_EXPLANATION, _LIST, _DEFINITION))


def wants_list(question: str) -> bool:
    """Whether the question asks for several things, to be told in sentences or list items."""
    asked = _plain(question)
    return _LIST.match(asked) is not None and not _NAMING.search(asked)


def wants_several(question: str) -> bool:
    """Whether the question asks for several things, in whatever form."""
    return wants_list(question) or _SEVERAL.match(_plain(question)) is not None


def _plain(question: str) -> str:
    """The question in lower case, without the polite words before it."""
    return _POLITE.sub("", " ".join(question.casefold().replace("’", "'").split()))


def sentences_around(passage: Passage, start: int, end: int) -> Span:
    """The whole sentences that the range touches, and the range itself where it leaves them."""
    touched = [span for span in passage.sentences if span[0] < end and span[1] > start]
    if not touched:
        return start, end
    return min(start, touched[0][0]), max(end, touched[-1][1])


def neighbours(passage: Passage, around: Span) -> list[Span]:
    """The sentence before the range and the one after it, as far as the passage has them."""
    before = [span for span in passage.sentences if span[1] <= around[0]]
    after = [span for span in passage.sentences if span[0] >= around[1]]
    return [*before[-1:], *after[:1]]


def quoted(question: str, passage: Passage, key: Span) -> tuple[Span, Span]:
    """The range to quote for the span ``key``, and the key inside it.

    At most `MAX_SENTENCES` sentences or list items, unless the span itself reaches over more. Where a
    list is asked for, the items around the span belong to it; a span in the sentence that leads up to
    the items ("... several trends:") stands for the items.
    """
    around = sentences_around(passage, *key)
    if wants_several(question) and _leads_up(question, passage, key):
        items = _items_led_up_to(passage, around)
        if items is not None:
            return items, items
    if not wants_sentences(question):
        return key, key
    if wants_list(question):
        around = _with_its_items(passage, around)
    return around, key


def _leads_up(question: str, passage: Passage, key: Span) -> bool:
    """Whether the span stands for the items below: it repeats the question, or the items follow it."""
    repeats = set(question_terms(question)) & set(terms(_between(passage, *key)))
    return bool(repeats) or passage.text[key[1] - passage.start :].lstrip().startswith(":")


def _items_led_up_to(passage: Passage, around: Span) -> Span | None:
    """The list items right after sentences that end with a colon."""
    if not _between(passage, *around).endswith(":"):
        return None
    units = _units(passage)
    after = next((i for i, unit in enumerate(units) if unit[0] >= around[1]), None)
    if after is None or not _is_item(passage, units[after]):
        return None
    return _with_items(passage, units, after, after)


def _with_its_items(passage: Passage, around: Span) -> Span:
    """The range with the list items beside it, where it begins in one."""
    units = _units(passage)
    inside = [i for i, unit in enumerate(units) if unit[0] < around[1] and unit[1] > around[0]]
    if not inside or not _is_item(passage, units[inside[0]]):
        return around
    items = _with_items(passage, units, inside[0], inside[-1])
    return min(around[0], items[0]), max(around[1], items[1])


def _units(passage: Passage) -> list[Span]:
    """The sentences of the passage, those of one list item as one."""
    units: list[Span] = []
    for start, end in passage.sentences:
        before = units[-1] if units else None
        if before and _is_item(passage, before) and "\n" not in _between(passage, before[1], start):
            units[-1] = before[0], end
        else:
            units.append((start, end))
    return units


def _with_items(passage: Passage, units: Sequence[Span], first: int, last: int) -> Span:
    """The units ``first`` to ``last`` and the items after them, else before them."""
    while last - first + 1 < MAX_SENTENCES and last + 1 < len(units) and _is_item(passage, units[last + 1]):
        last += 1
    while last - first + 1 < MAX_SENTENCES and first > 0 and _is_item(passage, units[first - 1]):
        first -= 1
    return units[first][0], units[last][1]


def _is_item(passage: Passage, span: Span) -> bool:
    """Whether the line of the span begins with a list mark, which may stand before the sentence."""
    line = passage.text.rfind("\n", 0, span[0] - passage.start) + 1
    return _MARK.match(passage.text[line : span[1] - passage.start]) is not None


def _between(passage: Passage, start: int, end: int) -> str:
    return passage.text[start - passage.start : end - passage.start]
