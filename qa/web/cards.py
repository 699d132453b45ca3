"""What stands in the chat as escaped HTML: answers, refusals, errors, and what can be done with them.

The chat's sanitiser keeps links and drops data attributes, so what a card can do is a link, too:
``#do/<what>/<turn>``. `acts.js` follows them.
"""

from __future__ import annotations

from collections.abc import Sequence

from qa.model import WORTH_A_LOOK, Answer, Candidate, Citation, Evidence
from qa.web import exports
from qa.web.places import Place, escape, link, name, path, span, where

EXCERPT = 320
"""Characters of a passage in a list of passages; the rest is in the viewer."""

SHOWN_CITATIONS = 5

_LEVELS = ((0.8, "high"), (0.5, "medium"), (0.0, "low"))
_FORMS = (("plain", "Copy"), ("markdown", "Markdown"), ("bibtex", "BibTeX"))


def place_of(citation: Citation) -> Place:
    """The place that ``citation`` points to."""
    return Place(
        source=citation.source,
        start=citation.start,
        end=citation.end,
        key_start=citation.key_start,
        key_end=citation.key_end,
        context_start=citation.context_start,
        context_end=citation.context_end,
    )


def question_text(question: str) -> str:
    """The asker's words, white space kept."""
    return f'<span class="fn-question">{escape(question)}</span>'


def answer_card(answer: Answer, turn: int | None = None) -> str:
    """A found answer, or a refusal with the nearest passages; with what can be done with the ``turn``."""
    return _found(answer, turn) if answer.found else _refusal(answer, turn)


def busy_card() -> str:
    """What stands in the answer's place until it is there."""
    return (
        '<div class="fn-card fn-busy" role="status">Reading the documents<span class="fn-dots"></span> '
        '<a href="#do/stop/0" role="button">Stop</a></div>'
    )


def error_card(message: str, turn: int | None = None) -> str:
    """Why there is no answer, and what to do about it."""
    return (
        '<div class="fn-card fn-error" role="alert"><p class="fn-verdict">That did not work.</p>'
        f"<p>{escape(message)}</p>{_actions(turn, _again(turn))}</div>"
    )


def stopped_card() -> str:
    """What stands in the place of an answer that was not waited for."""
    return '<div class="fn-card fn-error"><p class="fn-verdict">Stopped.</p></div>'


def confidence_words(confidence: float | None) -> str:
    """A probability in words and as a percentage."""
    if confidence is None:
        return "not calibrated"
    level = next(word for least, word in _LEVELS if confidence >= least)
    return f"{level} ({percent(confidence)})"


def percent(probability: float) -> str:
    """A probability as a whole percentage; certainty is never claimed by rounding."""
    if 0.995 <= probability < 1:
        return "over 99%"
    return "under 1%" if 0 < probability < 0.005 else f"{probability:.0%}"


def _found(answer: Answer, turn: int | None) -> str:
    first = answer.citations[0]
    others = [p for p in answer.passages if p.also_in or not _overlaps(p, first)]
    return (
        f'<div class="fn-card fn-found"><blockquote class="fn-quote" dir="auto">{quoted(first)}</blockquote>'
        f"{_cell(first)}{_citations(answer.citations)}{_confidence('Confidence', answer.confidence)}"
        f"{_notice(answer.notice)}{_alternatives(answer.candidates[1:])}"
        f"{_folded(f'Other passages ({len(others)})', others)}"
        f"{_actions(turn, _copies(answer), _again(turn), _verdicts(turn, 'Helpful', 'Not right'))}</div>"
    )


def _refusal(answer: Answer, turn: int | None) -> str:
    nearest, rest = answer.passages[:3], answer.passages[3:]
    listed = f'<p class="fn-label">Nearest passages</p>{_passages(nearest)}' if nearest else ""
    listed += _folded(f"More passages ({len(rest)})", rest)
    closest = ""
    if answer.candidates and (answer.confidence or 0) >= WORTH_A_LOOK:
        first = answer.candidates[0].citations[0]
        closest = (
            f'<p class="fn-label">The best candidate</p><blockquote dir="auto">{quoted(first)}</blockquote>'
            f"{_cell(first)}{_citations([first])}"
        )
    sure = ""
    if answer.confidence is not None:
        sure = _confidence("Confidence in the best candidate", answer.confidence)
    return (
        '<div class="fn-card fn-refusal"><p class="fn-verdict">The documents don\'t say.</p>'
        f"{closest}{sure}{_notice(answer.notice)}{listed}"
        f"{_actions(turn, _again(turn), _verdicts(turn, 'They don’t', 'They do'))}</div>"
    )


def _alternatives(candidates: Sequence[Candidate]) -> str:
    """Other possible answers, as far as they are more than chance."""
    worth = [each for each in candidates if (each.confidence or 0) >= WORTH_A_LOOK]
    rows = "".join(
        f'<li><blockquote dir="auto">{quoted(each.citations[0])}</blockquote>'
        f"{_cell(each.citations[0])}{_citations(each.citations[:1])}"
        f"{_confidence('Confidence', each.confidence)}</li>"
        for each in worth
    )
    summary = f"Other possible answers ({len(worth)})"
    return (
        f'<details><summary>{summary}</summary><ul class="fn-passages">{rows}</ul></details>' if rows else ""
    )


def _copies(answer: Answer) -> str:
    """Links that copy the answer with its citation; what they copy stands beside them, unseen."""
    first = answer.citations[0]
    texts = {
        "plain": exports.plain(first, answer),
        "markdown": exports.markdown(first, answer),
        "bibtex": exports.bibtex(first, answer),
    }
    return "".join(
        f'<a href="#do/copy/{form}" role="button" title="Copy the answer with its citation">{label}</a>'
        f'<span hidden class="fn-form-{form}">{escape(texts[form])}</span>'
        for form, label in _FORMS
    )


def _again(turn: int | None) -> str:
    """Links that ask once more, the same or something else, and one that leads back here."""
    return (
        f'<a href="#do/link/{turn}" role="button" title="Copy a link that asks this">Link</a>'
        f'<a href="#do/retry/{turn}" role="button" title="Ask this again">Ask again</a>'
        f'<a href="#do/edit/{turn}" role="button" title="Change the question">Edit</a>'
    )


def _verdicts(turn: int | None, right: str, wrong: str) -> str:
    return (
        f'<span class="fn-verdicts"><a href="#do/good/{turn}" role="button">{right}</a>'
        f'<a href="#do/bad/{turn}" role="button">{wrong}</a></span>'
    )


def _actions(turn: int | None, *links: str) -> str:
    return f'<p class="fn-actions">{"".join(links)}</p>' if turn is not None else ""


def quoted(citation: Citation) -> str:
    """The sentences around a quote, the quote told apart from them and its key marked."""
    quote = citation.quote
    first, last = citation.key_start - citation.start, citation.key_end - citation.start
    key = f'<mark class="fn-key">{escape(quote[first:last])}</mark>' if first < last else ""
    inner = f"{escape(quote[:first])}{key}{escape(quote[last:])}"
    before = citation.context[: citation.start - citation.context_start]
    after = citation.context[citation.end - citation.context_start :]
    if not before and not after:
        return inner
    return (
        f'<span class="fn-around">{escape(before)}</span><strong class="fn-said">{inner}</strong>'
        f'<span class="fn-around">{escape(after)}</span>'
    )


def _cell(citation: Citation) -> str:
    """What the row and the column are called that a key in a table stands in."""
    called = [name(part) for part in (citation.table_row, citation.table_column) if part]
    return f'<p class="fn-cell">{" · ".join(called)}</p>' if called else ""


def _citations(citations: Sequence[Citation]) -> str:
    """The first citation as a card; the others as chips, one after the other."""
    first = (
        f'<p class="fn-cites"><a class="fn-cite" href="{link(place_of(citations[0]))}">'
        f'<span class="fn-number">[1]</span> {_described(citations[0])}</a></p>'
    )
    chips = [_chip(number, citation, citations[0]) for number, citation in enumerate(citations[1:], start=2)]
    shown, more = chips[: SHOWN_CITATIONS - 1], chips[SHOWN_CITATIONS - 1 :]
    if shown:
        first += f'<p class="fn-label">Also said in</p><p class="fn-chips">{"".join(shown)}</p>'
    if more:
        first += (
            f"<details><summary>{len(more)} more place{'s' * (len(more) > 1)}</summary>"
            f'<p class="fn-chips">{"".join(more)}</p></details>'
        )
    return first


def _chip(number: int, citation: Citation, first: Citation) -> str:
    """A further place, named by what tells it from the first."""
    place = where(citation)
    shown = place if place and citation.source == first.source else name(citation.title)
    return (
        f'<a class="fn-cite fn-chip" href="{link(place_of(citation))}" title="{escape(citation.source)}">'
        f'<span class="fn-number">[{number}]</span> {shown}</a>'
    )


def _described(found: Citation | Evidence) -> str:
    """Title, page, heading and path of a place, the title being what a reader looks for."""
    place = where(found)
    details = [place] if place else []
    if found.title != found.source:
        details.append(f'<span class="fn-path">{path(found.source)}</span>')
    return (
        f'<span class="fn-title">{name(found.title)}</span> '
        f'<span class="fn-where">{" · ".join(details)}</span>'
    )


def _passages(passages: Sequence[Evidence]) -> str:
    rows = []
    for passage in passages:
        target = link(span(passage.source, passage.start, passage.end))
        also = "".join(
            f' <a href="{link(span(source, start, end))}">{path(source)}</a>'
            for source, start, end in passage.also_in
        )
        also = f'<span class="fn-also">Also in{also}</span>' if also else ""
        rows.append(
            f'<li><a class="fn-passage" href="{target}">{_described(passage)}'
            f'<span class="fn-excerpt" dir="auto">{escape(excerpt(passage.text))}</span></a>{also}</li>'
        )
    return f'<ul class="fn-passages">{"".join(rows)}</ul>'


def excerpt(text: str, length: int = EXCERPT) -> str:
    """The beginning of ``text``, cut between words, with a sign where it goes on."""
    head = text.strip()
    if len(head) <= length:
        return head
    cut = head.rfind(" ", length // 2, length)
    return head[: cut if cut > 0 else length].rstrip() + " \N{HORIZONTAL ELLIPSIS}"


def _folded(summary: str, passages: Sequence[Evidence]) -> str:
    return f"<details><summary>{summary}</summary>{_passages(passages)}</details>" if passages else ""


def _confidence(label: str, confidence: float | None) -> str:
    return f'<p class="fn-confidence">{label}: <b>{confidence_words(confidence)}</b></p>'


def _notice(notice: str) -> str:
    return f'<p class="fn-notice">{escape(notice)}</p>' if notice else ""


def _overlaps(passage: Evidence, citation: Citation) -> bool:
    return passage.source == citation.source and passage.start < citation.end and citation.start < passage.end
