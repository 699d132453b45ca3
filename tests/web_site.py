"""A web app over a small library with hostile documents, and what its visitors do."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.request
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from qa import QA
from qa.web import ServerSettings, Site, UploadLimits, start
from qa.web.indexing import Indexing
from qa.web.store import Store

from .pdf_writer import write_pdf

HOSTILE_NAME = "<img src=x onerror=alert(1)>.txt"
HOSTILE_SENTENCE = (
    "The password of the Marrowby vault is <b>swordfish</b>, **bold**, $$x^2$$, "
    "[click](javascript:alert(2)), <img src=x onerror=alert(3)>, ${alert(4)}, {{7*7}} and `code`."
)
LIBRARY: dict[str, str | bytes] = {
    "towers/tower.txt": (
        "The Tower of Anvers\n\nThe Tower of Anvers stands by the river Skeld. "
        "It was designed by Lena Okafor. The Tower of Anvers was completed in 1931 and is 212 metres tall. "
        "Visitors may climb it on Sundays.\n"
    ),
    HOSTILE_NAME: f"{HOSTILE_SENTENCE} Nobody else knows it.\n",
    "vault.md": "# `<img src=x onerror=alert(5)>` Harbour\n\nThe harbour of Marrowby opened in 1702.\n",
    "empty.txt": "",
    "keepers.csv": "Lighthouse,Keeper,Since\nOuessant,Abel Moreau,1987\nKermorvan,Nora Kervella,1994\n",
    "bridge.pdf": write_pdf(
        [
            [(72.0, 700.0, "The Bridge of Tolm was opened in 1888 by the mayor.")],
            [(72.0, 700.0, "The Bridge of Tolm was repaired by Ines Orban in 1954.")],
        ]
    ),
}
HEIGHT = "How tall is the Tower of Anvers?"
PASSWORD = "What is the password of the Marrowby vault?"
REPAIR = "Who repaired the Bridge of Tolm?"
UNKNOWN = "What is the capital of France?"


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a thread: the browser's own event loop may be running in this one."""
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, work).result()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def served(
    qa: QA, data: Path, folders: tuple[Path, ...] = (), *, mcp: bool = False, **changes: Any
) -> Iterator[tuple[str, Site]]:
    """The address of an app that asks ``qa``; with ``folders`` visitors may change the documents."""
    settings = ServerSettings(port=free_port(), max_upload=1_000_000 if folders else 0)
    with Store(data) as store:
        site = Site(qa, store, data, folders, uploads=UploadLimits(1_000_000) if folders else None)
        if folders:
            site = replace(site, indexing=Indexing(folders, qa.index_dir, follow=False))
            site = replace(site, originals=True, documents=folders)
        site = replace(site, **{key: value for key, value in changes.items() if hasattr(site, key)})
        settings = replace(
            settings, **{key: value for key, value in changes.items() if hasattr(settings, key)}
        )
        with start(site, settings, mcp=mcp) as server:
            if site.indexing is not None:
                site.indexing.start()
            yield server.address, site
            if site.indexing is not None:
                site.indexing.close()


def ask(page: Any, question: str) -> Any:
    """Ask in the page and return the answer's card."""
    cards = page.locator("#fn-chat .fn-card:not(.fn-busy)")
    before = cards.count()
    page.fill("#fn-box textarea", question)
    page.press("#fn-box textarea", "Enter")
    cards.nth(before).wait_for()
    return cards.nth(before)


def call(address: str, function: str, **parameters: Any) -> tuple[str, Any]:
    """Call a function of the REST API; the name of its last event, and the data."""
    request = urllib.request.Request(
        f"{address}gradio_api/call/v2/{function}",
        json.dumps(parameters).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as reply:
        event = json.load(reply)["event_id"]
    with urllib.request.urlopen(f"{address}gradio_api/call/{function}/{event}") as reply:
        kind, data = reply.read().decode().strip().split("\n")[-2:]
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))
