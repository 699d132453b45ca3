"""First questions about an index, made from its own sentences without a language model.

A template turns a sentence whose grammar it knows into a question about it; what fits no template
makes no question. A question is kept only where asking it finds an answer in the passage it came
from, so that a click on a suggestion never ends in a refusal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Protocol

from qa.model import Answer, Evidence

SAMPLED = 40
"""Passages that are looked at for each question that is wanted."""

TRIED = 3
"""Questions that are asked, at most, for each one that is wanted: they delay the first page."""

MAX_CHARACTERS = 110

_OPENERS = (  # capitalised because they begin a sentence, and no part of a name
    "A|After|Also|Although|An|And|As|At|Because|Before|But|By|During|Each|Even|For|From|His|Her|How|If|In|Its"
    "|Last|Later|Many|Meanwhile|More|Most|Next|No|Not|Now|On|Once|One|Only|Or|Other|Our|Overall|Since|So|Some"
    "|Soon|Such|That|Their|Then|These|This|Those|Though|Thus|To|Today|Under|Unlike|What|When|Where|Whether"
    "|Which|While|Who|With|Yesterday|Yet|Your"
)
_NAME = (
    rf"(?:[Tt]he )?(?!(?:{_OPENERS})\b)"
    r"(?:[A-Z][\w&.'’-]*\w)(?: (?:(?:of|for|and|de|the) )?[A-Z0-9][\w&.'’-]*\w){0,4}"
)
_AGENT_VERBS = {  # participle -> past; of most, the two are one word
    **{v: v for v in "acquired built commissioned created designed developed directed discovered".split()},
    **{v: v for v in "established founded introduced invented led produced proposed published".split()},
    "written": "wrote",
}
_PAST_VERBS = {  # past -> infinitive
    **{v + "ed": v for v in "end join launch open publish sign start visit return".split()},
    **{v + "d": v for v in "acquire announce die introduce invade move produce release retire".split()},
    **{
        "began": "begin",
        "bought": "buy",
        "built": "build",
        "became": "become",
        "won": "win",
        "left": "leave",
    },
    **{"founded": "found", "lost": "lose", "made": "make", "met": "meet", "sold": "sell", "wrote": "write"},
}
_GIVING_VERBS = "contains comprises includes provides offers requires covers measures supports".split()
_BE = r"is|are|was|were"
_AUX = r"(?:is|was|has|had|will|can|may|must)"  # singular: a plural ends a list whose head was cut off
_MORE = (
    r"(?:an additional|additional|up to|about|around|nearly|almost|over|more than|at least|roughly"
    r"|approximately)"
)
_MONEY = r"(?:US)?[$€£¥]\s?\d[\d.,]*(?: (?:thousand|million|billion|trillion))?"
_VERB = r"[a-z]+(?:ing|ed|en|e|t)(?: (?:in|out|up|over|off))?"
_PLACED = r"located|situated|based|headquartered|held|stored|kept"

_HOW_MUCH = re.compile(
    rf"\b(?P<name>{_NAME}) (?P<aux>{_AUX}) (?P<verb>{_VERB}) (?:{_MORE} )?{_MONEY}"
    r"(?P<rest> (?:in|into|to|for|on|from) [^,.;:()–—]{3,50}?)?(?=[,.;:]| which | that | and | as |$)"
)
_HOW_MANY = re.compile(
    rf"\b(?P<name>{_NAME}) (?P<aux>has|had|will|can|may|must) (?P<verb>{_VERB}) (?:{_MORE} )?"
    r"\d[\d.,]*(?: (?:thousand|million|billion))? (?P<unit>[a-z][a-z-]{2,}s)\b"
)
_WHEN = re.compile(
    rf"^(?P<name>{_NAME}) (?P<aux>was|were) (?P<verb>[a-z]+(?:ed|en|t|ld|de)\b[^,.;:()]{{0,40}}?)"
    r" in (?:[A-Z][a-z]+ )?(?:1[5-9]|20)\d\d\b"
)
_WHERE = re.compile(rf"^(?P<name>{_NAME}) (?P<aux>{_BE}) (?P<verb>{_PLACED}) (?:in|at|on|near) ")
_WHAT = re.compile(rf"^(?P<name>{_NAME}) (?P<aux>{_BE}) (?:an?|the|one of) [a-z]")
_WHO = re.compile(rf"^(?P<name>{_NAME}) (?:is|was|were|are) (?P<verb>{'|'.join(_AGENT_VERBS)}) by [A-Z]")
_WHEN_DID = re.compile(
    rf"\b(?P<name>{_NAME}) (?P<verb>{'|'.join(_PAST_VERBS)})(?P<rest>(?: [^,.;:()]{{3,50}}?)?)"
    r" (?:in|on) (?:[A-Z][a-z]+ (?:\d{1,2}, )?)?(?:1[5-9]|20)\d\d\b"
)
_OF = re.compile(rf"^The (?P<noun>[a-z]+(?: [a-z]+)?) of (?P<name>{_NAME}) (?P<aux>is|was) (?!not\b)")
_HAS_OF = re.compile(rf"^(?P<name>{_NAME}) has an? (?P<noun>[a-z]+(?: [a-z]+)?) of (?:\w+ )?[\d$€£]")
_HOW_CAN = re.compile(
    r"^You (?:can|may) (?P<rest>(?!also|only|always)[a-z]+ [^,.;:()]{5,60}?) by [a-z]+ing\b"
)
_MEANS = re.compile(r"^[\"“]?(?P<name>[A-Z][\w -]{2,40}?)[\"”]? (?:means|refers to) ")
_WHAT_DOES = re.compile(rf"^(?P<name>{_NAME}) (?P<verb>consists of|{'|'.join(_GIVING_VERBS)}) (?![a-z]+ed\b)")
_WHY_IS = re.compile(rf"^(?P<name>{_NAME}) (?P<aux>{_BE}) (?P<rest>[^,.;:()]{{3,60}}?),? because ")
_WHY_DOES = re.compile(
    rf"(?:\breason (?:why |that )?(?P<name>{_NAME}) (?P<verb>[a-z]+[^s\W]s) (?P<rest>[^,.;:()]{{3,60}}?) is "
    rf"|^(?P<name2>{_NAME}) (?P<verb2>[a-z]+[^s\W]s) (?P<rest2>[^,.;:()]{{3,60}}?),? because )"
)
_NAMED = re.compile(r"(?<=[a-z,] )[A-Z][\w&-]+(?: [A-Z][\w&-]+){0,2}")
_CLAUSE = re.compile(r"\b[\w-]+s (?:an?|the|its|their|new|up|to|into|\W?\d)\b", re.IGNORECASE)
_QUESTION = re.compile(r"^(?:What|Who|Whom|Whose|When|Where|Which|Why|How|Is|Are|Do|Does|Can)\b[^?]{5,}\?$")
_HEADING_LEAD = re.compile(r"^(?:[\d.]+\s+|[A-Z][\w ]{0,24}: )")
_FIT = re.compile(r"[\w\s&.,'’$€£%/()?-]+")
_WE = re.compile(r"\b(?:we|us|our|ours|my|me|I)\b")  # the document's own voice, which the asker is not
_PRONOUNS = frozenset("the this that these those it he she they we you i there here".split())
_NOT_VERBS = frozenset("has its was does others months years".split())
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


class Asker(Protocol):
    """What `suggest` needs of a `qa.QA`."""

    def ask(self, question: str) -> Answer:
        """Answer a question."""
        ...

    def sample(self, count: int) -> tuple[Evidence, ...]:
        """Return passages spread over the documents."""
        ...


def suggest(qa: Asker, count: int = 4) -> tuple[str, ...]:
    """At most ``count`` questions that ``qa`` answers from the passage they were made of.

    Fewer where the documents hold fewer sentences that the templates know; none for an empty index.
    """
    if count < 1:
        return ()
    kept: list[str] = []
    for question, passage in islice(_ranked(qa.sample(SAMPLED * count)), TRIED * count):
        if len(kept) == count:
            break
        if _answers(qa.ask(question), passage):
            kept.append(question)
    return tuple(kept)


def questions(passage: Evidence) -> Iterator[str]:
    """The questions that the templates make of a passage, the most telling first."""
    return (question for _, question in _weighed(passage))


def _weighed(passage: Evidence) -> Iterator[tuple[int, str]]:
    """The questions with the rank of their template, from 0."""
    sentences = [" ".join(part.split()) for part in _SENTENCE_END.split(passage.text)]
    made = [(rank, make(sentence)) for rank, make in enumerate(_MAKERS) for sentence in sentences]
    made += [(len(_MAKERS), _about(heading)) for heading in reversed(passage.heading)]
    made += [(len(_MAKERS) + 1, question) for question in _names(" ".join(sentences))]
    return ((rank, question) for rank, question in made if question and _is_fit(question))


def _ranked(passages: tuple[Evidence, ...]) -> Iterator[tuple[str, Evidence]]:
    """The questions of all passages: first one of each document, and of each kind before a second."""
    waiting = [(rank, question, passage) for passage in passages for rank, question in _weighed(passage)]
    sources: Counter[str] = Counter()
    kinds: Counter[int] = Counter()
    seen: set[str] = set()
    while waiting:
        rank, question, passage = min(
            waiting,
            key=lambda made: (made[0] >= len(_MAKERS), sources[made[2].source], kinds[made[0]], made[0]),
        )
        sources[passage.source] += 1
        kinds[rank] += 1
        seen.add(question.casefold())
        waiting = [made for made in waiting if made[1].casefold() not in seen]
        yield question, passage


def _answers(answer: Answer, passage: Evidence) -> bool:
    """Whether the answer stands in the passage that the question was made of."""
    return answer.found and any(
        cited.source == passage.source and cited.start < passage.end and passage.start < cited.end
        for cited in answer.citations
    )


def _is_fit(question: str) -> bool:
    """Whether a question is short and plain; a quotation mark would ask for a phrase."""
    return len(question) <= MAX_CHARACTERS and bool(_FIT.fullmatch(question)) and not _WE.search(question)


def _named(match: re.Match[str] | None) -> str | None:
    """The name that a sentence is about, None where it is a pronoun or the like."""
    if match is None:
        return None
    name = match["name"]
    words = name.split()
    if words[0].casefold() in _PRONOUNS - {"the"} or words[-1].casefold() in _PRONOUNS:
        return None
    return "the " + name[4:] if name.startswith("The ") else name


def _with_name(pattern: re.Pattern[str], question: str) -> Callable[[str], str | None]:
    """A template: where the pattern finds a name, the question with the pattern's groups in it."""

    def make(sentence: str) -> str | None:
        match = pattern.search(sentence)
        name = _named(match)
        if match is None or name is None:
            return None
        groups = {key: value or "" for key, value in match.groupdict().items()}
        return question.format(**{**groups, "name": name})

    return make


def _who(sentence: str) -> str | None:
    match = _WHO.search(sentence)
    name = _named(match)
    return None if match is None or name is None else f"Who {_AGENT_VERBS[match['verb']]} {name}?"


def _when_did(sentence: str) -> str | None:
    match = _WHEN_DID.search(sentence)
    name = _named(match)
    if match is None or name is None:
        return None
    return f"When did {name} {_PAST_VERBS[match['verb']]}{match['rest']}?"


def _what_does(sentence: str) -> str | None:
    match = _WHAT_DOES.search(sentence)
    name = _named(match)
    if match is None or name is None or " " not in name:
        return None  # one word may be a label: "Industrial includes ..."
    verb = "consist of" if match["verb"] == "consists of" else match["verb"][:-1]
    return f"What does {name} {verb}?"


def _how_can(sentence: str) -> str | None:
    match = _HOW_CAN.search(sentence)
    return None if match is None else f"How can you {match['rest']}?"


def _means(sentence: str) -> str | None:
    match = _MEANS.search(sentence)
    name = _named(match)
    if name is None:
        return None
    term = name[0].lower() + name[1:]  # where all but the first letter is small, it only began the sentence
    return f"What does {term if term.islower() and re.search('[ -]', term) else name} mean?"


def _what(sentence: str) -> str | None:
    match = _WHAT.search(sentence)
    name = _named(match)
    if match is None or name is None or not (name.startswith("the ") or name.isupper()):
        return None  # any other name may be a person's
    return f"What {match['aux']} {name}?"


def _why(sentence: str) -> str | None:
    match = _WHY_IS.search(sentence)
    name = _named(match)
    if match is not None and name is not None:
        return f"Why {match['aux']} {name} {match['rest']}?"
    match = _WHY_DOES.search(sentence)
    if match is None or (match["verb"] or match["verb2"]) in _NOT_VERBS:
        return None
    name, verb, rest = (
        match.group("name", "verb", "rest") if match["name"] else match.group("name2", "verb2", "rest2")
    )
    if name.split()[0].casefold() in _PRONOUNS:
        return None  # "The company" may be one of many here, and "This" is none at all
    return f"Why does {name} {_plain_verb(verb)} {rest}?"


def _plain_verb(verb: str) -> str:
    """The infinitive of a verb in the third person: needs, carries, watches."""
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    return verb[:-2] if re.search(r"(?:ch|sh|x|zz|o)es$", verb) else verb[:-1]


def _about(heading: str) -> str | None:
    """A heading that is a question, or a question about what a heading names."""
    plain = " ".join(heading.split())
    if _QUESTION.match(plain):
        return plain
    topic = _HEADING_LEAD.sub("", plain).rstrip(".:!")
    topic = re.sub(r"^(?:The|An|A)\b", lambda article: article[0].lower(), topic)
    if not 2 <= len(topic.split()) <= 9 or "?" in topic or _CLAUSE.search(topic):
        return None
    return f"What do the documents say about {topic}?"


def _names(text: str) -> Iterator[str]:
    """Questions about what a passage names more than once, the most frequent first."""
    for name, times in Counter(_NAMED.findall(text)).most_common(3):
        if times > 1 and (" " in name or name.isupper()):
            yield f"What do the documents say about {name}?"


_MAKERS: tuple[Callable[[str], str | None], ...] = (
    _with_name(_HOW_MUCH, "How much {aux} {name} {verb}{rest}?"),
    _with_name(_HOW_MANY, "How many {unit} {aux} {name} {verb}?"),
    _with_name(_WHEN, "When {aux} {name} {verb}?"),
    _who,
    _with_name(_WHERE, "Where {aux} {name} {verb}?"),
    _why,
    _with_name(_OF, "What {aux} the {noun} of {name}?"),
    _with_name(_HAS_OF, "What is the {noun} of {name}?"),
    _when_did,
    _how_can,
    _means,
    _what_does,
    _what,
)
