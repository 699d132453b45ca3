"""What visitors may do to the documents: add files, delete and restore them, have all of them read again.

Adding is everybody's; what takes something away, or time from all, is an administrator's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from index import FootnoteError, SourceNotFoundError
from qa.web import cards, listing
from qa.web.access import is_admin, payers
from qa.web.chat import ChatRoom
from qa.web.library_folder import (
    UploadLimits,
    disk_use,
    move_to_trash,
    restore,
    save_uploads,
    trash,
)
from qa.web.places import name
from qa.web.site import QUIETLY, Refresh, Site, attempt

LOOK_EVERY = 1.0
"""Seconds between two looks at an indexing that goes on."""


class _NotAllowedError(FootnoteError):
    """Somebody wants what is an administrator's."""


@dataclass(frozen=True, slots=True)
class _Bench:
    """What all of these write to: what came of it, how the indexing goes, and the clock that follows it."""

    site: Site
    outcomes: gr.HTML
    progress: gr.HTML
    timer: gr.Timer

    def done(self, work: Callable[[], str], request: gr.Request, *, needs_admin: bool) -> str:
        """Do something to the folder, have the index follow, and return what to say of it as HTML."""

        def allowed() -> str:
            if needs_admin and not is_admin(request):
                raise _NotAllowedError("Only an administrator may do this.")
            said = work()
            if self.site.indexing is not None:
                self.site.indexing.update()
            return said

        return attempt(allowed, cards.error_card)


def changes(site: Site, room: ChatRoom, table: Refresh, head: Refresh, above: gr.Column) -> None:
    """Make the part of the library that changes documents.

    Args:
        site: what may be done.
        room: where links are heard.
        table: shows the documents.
        head: counts them.
        above: the place before the table, for what is needed most.
    """
    with above:
        bench = _Bench(
            site,
            gr.HTML("", elem_id="fn-outcomes", apply_default_css=False, js_on_load=None),
            gr.HTML("", elem_id="fn-progress", apply_default_css=False, js_on_load=None),
            gr.Timer(LOOK_EVERY, active=False),
        )
        _deleting(bench, room)
        if site.uploads is not None:
            _uploading(bench, site.uploads)
    with gr.Column(visible=False) as admins:
        _indexing(bench, table, head)
        _trash(bench, room)

    def admit(request: gr.Request) -> Any:  # noqa: ANN401 - gradio's updates have no common type
        return gr.Column(visible=is_admin(request))

    gr.on(None, admit, None, admins, **QUIETLY)  # when the page is loaded


def _deleting(bench: _Bench, room: ChatRoom) -> None:
    doomed = gr.State("")
    with gr.Group(visible=False, elem_id="fn-delete") as panel:
        question = gr.HTML("", apply_default_css=False, js_on_load=None)
        with gr.Row():
            sure = gr.Button("Move to the trash", size="sm", variant="stop")
            keep = gr.Button("Keep it", size="sm")

    def ask(event: gr.EventData) -> tuple[Any, str, str]:
        source = event._data.get("source") if isinstance(event._data, dict) else None
        if not isinstance(source, str):
            return gr.skip(), gr.skip(), gr.skip()
        said = f"<p>Move {name(source)} to the trash? It stops answering, and can be restored.</p>"
        return gr.Group(visible=True), said, source

    def delete(source: str, request: gr.Request) -> tuple[Any, ...]:
        def moved() -> str:
            if all(source != each.source for each in bench.site.qa.documents()):
                raise SourceNotFoundError(f"{source!r} is no document of this index")
            move_to_trash(bench.site.folders, bench.site.qa.index_dir, source)
            return f'<p class="fn-hint" role="status">{name(source)} is in the trash.</p>'

        said = bench.done(moved, request, needs_admin=True)
        return gr.Group(visible=False), said, gr.Timer(active=True)

    room.acts.delete(ask, None, [panel, question, doomed], **QUIETLY)
    sure.click(delete, doomed, [panel, bench.outcomes, bench.timer], **QUIETLY)
    keep.click(lambda: gr.Group(visible=False), None, panel, **QUIETLY)


def _uploading(bench: _Bench, limits: UploadLimits) -> None:
    chosen = gr.File(
        label="Add documents: drop files here, or click to choose them",
        file_count="multiple",
        show_label=False,
        elem_id="fn-upload",
        height=110,
    )

    def upload(files: list[str] | None, request: gr.Request) -> tuple[Any, ...]:
        if not files:
            return gr.skip(), gr.skip(), gr.skip()
        named = [(Path(file).name, Path(file)) for file in files]

        def saved() -> str:
            return listing.uploaded(save_uploads(bench.site.folders, named, limits, payers(request)))

        said = bench.done(saved, request, needs_admin=False)
        return said, gr.File(value=None), gr.Timer(active=True)

    chosen.upload(upload, chosen, [bench.outcomes, chosen, bench.timer], api_visibility="private")


def _indexing(bench: _Bench, table: Refresh, head: Refresh) -> None:
    indexing = bench.site.indexing
    if indexing is None:
        return
    again = gr.Button("Read all files again", size="sm")

    def rebuild(request: gr.Request) -> tuple[Any, Any]:
        if not is_admin(request):
            gr.Warning("Only an administrator may have all files read again.")
            return gr.skip(), gr.skip()
        indexing.rebuild()
        return listing.progress(indexing.state), gr.Timer(active=True)

    def look(text: str, status: str, number: int, request: gr.Request) -> tuple[Any, ...]:
        state = indexing.state
        busy = state.running or bool(state.queued)
        rows = table.handler(text, status, number, request)
        return listing.progress(state), gr.Timer(active=busy), *head.handler(request), *rows

    again.click(rebuild, None, [bench.progress, bench.timer], **QUIETLY)
    outputs = [bench.progress, bench.timer, *head.outputs, *table.outputs]
    bench.timer.tick(look, table.inputs, outputs, **QUIETLY)


def _trash(bench: _Bench, room: ChatRoom) -> None:
    site = bench.site
    with gr.Accordion("Trash and disk use", open=False) as more:
        binned = gr.HTML("", elem_id="fn-trash", apply_default_css=False, js_on_load=None)
        taken = gr.HTML("", apply_default_css=False, js_on_load=None)

    def opened() -> tuple[str, str]:
        return attempt(lambda: listing.trash(trash(site.qa.index_dir)), cards.error_card), attempt(
            lambda: listing.disk_use(disk_use(site.qa.index_dir, site.folders, site.data)), cards.error_card
        )

    def bring_back(event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        key = event._data.get("key") if isinstance(event._data, dict) else None

        def returned() -> str:
            source = restore(site.folders, site.qa.index_dir, str(key))
            return f'<p class="fn-hint" role="status">{name(source)} is back.</p>'

        said = bench.done(returned, request, needs_admin=True)
        return said, gr.Timer(active=True), opened()[0]

    more.expand(opened, None, [binned, taken], **QUIETLY)
    room.acts.undo(bring_back, None, [bench.outcomes, bench.timer, binned], **QUIETLY)
