"""The library as escaped HTML: the table of documents, what becomes of uploads, the state of indexing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from index import DocumentStatus
from qa.web.indexing import IndexingReport, IndexingState
from qa.web.library_folder import DiskUse, Trashed, Uploaded
from qa.web.places import escape, link, name, path, span

PER_PAGE = 50
EVERY = "all files"
NOT_INDEXED = "not indexed"
_WORDS = {
    status: status.replace("_", " ")
    for status in ("indexed", "empty", "no_text_layer", "encrypted", "unsupported", "failed")
}
CHOICES = (EVERY, *_WORDS.values(), NOT_INDEXED)
"""What the table can be limited to."""


def matching(documents: Sequence[DocumentStatus], wanted: str, status: str) -> list[DocumentStatus]:
    """The documents whose path or title holds ``wanted``, and that are ``status``, one of `CHOICES`."""
    needle = wanted.strip().casefold()
    return [
        each
        for each in documents
        if _has(each, status) and (needle in each.source.casefold() or needle in each.title.casefold())
    ]


def _has(document: DocumentStatus, status: str) -> bool:
    if status == NOT_INDEXED:
        return document.status != "indexed"
    return status in (EVERY, _WORDS[document.status])


def table(
    found: Sequence[DocumentStatus], total: int, page: int, *, can_delete: bool = False
) -> tuple[str, int, int]:
    """A page of the documents that were found among ``total``.

    Returns:
        The HTML, the number of the page that is shown (from 0), and the number of pages.
    """
    pages = max(1, -(-len(found) // PER_PAGE))
    shown = min(max(page, 0), pages - 1)
    rows = "".join(_row(each, can_delete) for each in found[shown * PER_PAGE : (shown + 1) * PER_PAGE])
    if not rows:
        said = "No document matches." if total else "There is no document yet."
        return f'<p class="fn-hint">{said}</p>', shown, pages
    head = "".join(f'<th scope="col">{label}</th>' for label in ("Document", "Status", "What to do"))
    return (
        f'<p class="fn-hint">{len(found):,} of {total:,} files, page {shown + 1} of {pages}</p>'
        f'<div class="fn-documents" tabindex="0" role="region" aria-label="Documents"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>",
        shown,
        pages,
    )


def _row(document: DocumentStatus, can_delete: bool) -> str:
    title = f'<span class="fn-title">{name(document.title)}</span>'
    target = quote(document.source, safe="", errors="replace")
    acts = ""
    if document.passages:  # an archive has no text of its own to show
        title = f'<a href="{link(span(document.source, 0, 0))}">{title}</a>'
        acts = f'<a href="#do/within/{target}" role="button">Ask only this</a>'
    if can_delete and "!/" not in document.source:
        acts += f'<a href="#do/delete/{target}" role="button">Delete</a>'
    reason = f'<br><span class="fn-where">{escape(document.reason)}</span>' if document.reason else ""
    holds = [f"{document.pages:,} pages"] if document.pages > 1 else []
    holds += [f"{document.passages:,} passage{'s' * (document.passages != 1)}"] if document.passages else []
    holds.append(f"read {escape(document.indexed_at[:16].replace('T', ' '))} UTC")
    return (
        f'<tr><td>{title}<br><span class="fn-path">{path(document.source)}</span>{reason}</td>'
        f'<td><span class="fn-status fn-is-{document.status}">{_WORDS[document.status]}</span>'
        f'<br><span class="fn-where">{"<br>".join(holds)}</span></td>'
        f'<td class="fn-acts">{acts}</td></tr>'
    )


def summary(documents: Sequence[DocumentStatus]) -> str:
    """How many documents can be asked, and how many can't be."""
    indexed = sum(document.status == "indexed" for document in documents)
    if indexed < len(documents):
        return f"{indexed:,} of {len(documents):,} files can be asked"
    return f"{indexed:,} document" + ("" if indexed == 1 else "s")


def uploaded(outcomes: Iterable[Uploaded]) -> str:
    """What became of each file that was sent."""
    rows = "".join(
        f'<li class="fn-{each.outcome.replace(" ", "-")}">{name(each.name)}: {each.outcome}'
        + (f" as {path(each.source)}" if each.source else "")
        + (f" ({escape(each.reason)})" if each.reason else "")
        + "</li>"
        for each in outcomes
    )
    return f'<ul class="fn-uploads" role="status">{rows}</ul>' if rows else ""


def progress(state: IndexingState) -> str:
    """What the indexing is at, or what the last run came to."""
    if state.error:
        return f'<p class="fn-notice" role="alert">{escape(state.error)}</p>'
    if not state.running:
        return _last(state.report)
    if not state.total:
        return '<p class="fn-progress" role="status">Looking for changes</p>'
    left = f", {_seconds(state.eta)} left" if state.eta is not None else ""
    rate = f", {state.rate:,.0f} a second" if state.rate else ""
    return (
        f'<p class="fn-progress" role="status">{escape(state.stage.capitalize())}: {state.done:,} of '
        f"{state.total:,}{rate}{left}</p>"
        f'<progress max="{state.total}" value="{state.done}" aria-label="{escape(state.stage)}"></progress>'
    )


def _last(report: IndexingReport | None) -> str:
    """What the last run came to."""
    if report is None:
        return ""
    files = sum(report.counts.values())
    moves = {"added": report.added, "changed": report.changed, "removed": report.removed}
    told = ", ".join(f"{count:,} {what}" for what, count in moves.items() if count) or "nothing changed"
    at = escape(report.at[11:16])
    return f'<p class="fn-progress" role="status">{files:,} files read, {told}; {at} UTC</p>'


def _seconds(count: float) -> str:
    return f"{count:.0f} s" if count < 100 else f"{count / 60:.0f} min"


def trash(trashed: Sequence[Trashed]) -> str:
    """What was deleted, newest first, with a link that brings each back."""
    rows = "".join(
        f"<li>{path(each.source)} <span class='fn-where'>{escape(each.at[:16].replace('T', ' '))} UTC</span> "
        f'<a href="#do/restore/{quote(each.key, safe="", errors="replace")}" role="button">Restore</a></li>'
        for each in trashed[:PER_PAGE]
    )
    return f'<ul class="fn-trash">{rows}</ul>' if rows else '<p class="fn-hint">The trash is empty.</p>'


def disk_use(use: DiskUse) -> str:
    """How much room documents and index take."""
    parts = [("Documents", use.documents), ("index", use.index + use.cache), ("trash", use.trash)]
    told = ", ".join(f"{label} {_bytes(size)}" for label, size in parts if size >= 1000)
    return f'<p class="fn-hint">{told}</p>'


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:,.0f} {unit}" if unit in ("bytes", "kB") else f"{count:,.1f} {unit}"
        count /= 1000
    raise AssertionError
