"""Answers, refusals, errors and the document list as escaped HTML; see `qa.web.viewer` for places."""

from __future__ import annotations

from collections.abc import Sequence

from index import DocumentStatus
from qa.model import WORTH_A_LOOK, Answer, Citation, Evidence
from qa.web.viewer import Place, escape, link, name, path, span, where

EXCERPT = 320
"""Characters of a passage in a list of passages; the rest is in the viewer."""

SHOWN_CITATIONS = 5
DOCUMENTS_PER_PAGE = 50

_LEVELS = ((0.8, "high"), (0.5, "medium"), (0.0, "low"))
_STATUS_WORDS = {
    "indexed": "indexed",
    "empty": "empty",
    "no_text_layer": "no text layer",
    "encrypted": "encrypted",
    "unsupported": "unsupported",
    "failed": "failed",
}


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


def answer_card(answer: Answer) -> str:
    """A found answer, or a refusal with the nearest passages."""
    return _found(answer) if answer.found else _refusal(answer)


def busy_card() -> str:
    """What stands in the answer's place until it is there."""
    return (
        '<div class="fn-card fn-busy" role="status">Reading the documents<span class="fn-dots"></span></div>'
    )


def error_card(message: str) -> str:
    """Why there is no answer, and what to do about it."""
    return (
        '<div class="fn-card fn-error" role="alert"><p class="fn-verdict">That did not work.</p>'
        f"<p>{escape(message)}</p></div>"
    )


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


def _found(answer: Answer) -> str:
    first = answer.citations[0]
    others = [p for p in answer.passages if p.also_in or not _overlaps(p, first)]
    return (
        f'<div class="fn-card fn-found"><blockquote class="fn-quote" dir="auto">{quoted(first)}</blockquote>'
        f"{_citations(answer.citations)}{_confidence('Confidence', answer.confidence)}"
        f"{_notice(answer.notice)}{_folded(f'Other passages ({len(others)})', others)}</div>"
    )


def _refusal(answer: Answer) -> str:
    nearest, rest = answer.passages[:3], answer.passages[3:]
    listed = f'<p class="fn-label">Nearest passages</p>{_passages(nearest)}' if nearest else ""
    listed += _folded(f"More passages ({len(rest)})", rest)
    closest = ""
    if answer.candidates and (answer.confidence or 0) >= WORTH_A_LOOK:
        first = answer.candidates[0].citations[0]
        closest = (
            f'<p class="fn-label">The best candidate</p><blockquote dir="auto">{quoted(first)}</blockquote>'
            f"{_citations([first])}"
        )
    sure = ""
    if answer.confidence is not None:
        sure = _confidence("Confidence in the best candidate", answer.confidence)
    return (
        '<div class="fn-card fn-refusal"><p class="fn-verdict">The documents don\'t say.</p>'
        f"{closest}{sure}{_notice(answer.notice)}{listed}</div>"
    )


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


def _citations(citations: Sequence[Citation]) -> str:
    rows = [
        f'<li><a class="fn-cite" href="{link(place_of(citation))}"><span class="fn-number">[{number}]</span>'
        f" {_described(citation)}</a></li>"
        for number, citation in enumerate(citations, start=1)
    ]
    shown = f'<ul class="fn-cites">{rows[0]}</ul>'
    if len(rows) > 1:
        also = "".join(rows[1:SHOWN_CITATIONS])
        shown += f'<p class="fn-label">Also said in</p><ul class="fn-cites">{also}</ul>'
    if len(rows) > SHOWN_CITATIONS:
        more = rows[SHOWN_CITATIONS:]
        shown += (
            f"<details><summary>{len(more)} more place{'s' * (len(more) > 1)}</summary>"
            f'<ul class="fn-cites">{"".join(more)}</ul></details>'
        )
    return shown


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


def document_list(documents: Sequence[DocumentStatus], wanted: str, page: int) -> tuple[str, int, int]:
    """A page of the documents whose path or title holds ``wanted``.

    Returns:
        The HTML, the number of the page that is shown (from 0), and the number of pages.
    """
    needle = wanted.strip().casefold()
    found = [d for d in documents if needle in d.source.casefold() or needle in d.title.casefold()]
    pages = max(1, -(-len(found) // DOCUMENTS_PER_PAGE))
    shown = min(max(page, 0), pages - 1)
    rows = "".join(_row(d) for d in found[shown * DOCUMENTS_PER_PAGE : (shown + 1) * DOCUMENTS_PER_PAGE])
    if not rows:
        return '<p class="fn-hint">No document matches.</p>', shown, pages
    head = "".join(
        f'<th scope="col">{label}</th>' for label in ("Document", "Status", "Pages", "Passages", "Read")
    )
    return (
        f'<p class="fn-hint">{len(found):,} of {len(documents):,} files, page {shown + 1} of {pages}</p>'
        f'<div class="fn-documents" tabindex="0" role="region" aria-label="Documents"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>",
        shown,
        pages,
    )


def _row(document: DocumentStatus) -> str:
    title = f'<span class="fn-title">{name(document.title)}</span>'
    if document.passages:  # an archive has no text of its own to show
        title = f'<a href="{link(span(document.source, 0, 0))}">{title}</a>'
    reason = f'<br><span class="fn-where">{escape(document.reason)}</span>' if document.reason else ""
    status = _STATUS_WORDS.get(document.status, document.status)
    return (
        f'<tr><td>{title}<br><span class="fn-path">{path(document.source)}</span></td>'
        f"<td>{escape(status)}{reason}</td><td>{document.pages or ''}</td><td>{document.passages:,}</td>"
        f"<td>{escape(document.indexed_at[:16].replace('T', ' '))} UTC</td></tr>"
    )


def summary(documents: Sequence[DocumentStatus]) -> str:
    """How many documents can be asked, and how many can't be."""
    indexed = sum(document.status == "indexed" for document in documents)
    if indexed < len(documents):
        return f"{indexed:,} of {len(documents):,} files can be asked"
    return f"{indexed:,} document" + ("" if indexed == 1 else "s")
