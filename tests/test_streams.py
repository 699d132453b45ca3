"""An event that begins as the tab's stream ends is heard all the same."""

from __future__ import annotations

import asyncio

import pytest

from qa.web.bodies import BODY
from qa.web.streams import OVERTAKING, Streams

from .web_site import run


def passed(streams: Streams, path: str, answer: bytes, query: bytes = b"", **brought: object) -> float:
    """How long it takes until the answer to a request begins."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def begun() -> float:
        began: list[float] = []

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                began.append(asyncio.get_running_loop().time())

        started = asyncio.get_running_loop().time()
        await streams({"type": "http", "path": path, "query_string": query, **brought}, receive, send)
        return began[0] - started

    streams.answer = answer
    return run(begun())


@pytest.fixture
def streams() -> Streams:
    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": made.answer})

    made = Streams(app)
    return made


def ends(streams: Streams, tab: str) -> None:
    said = b'data: {"msg":"close_stream","event_id":null}\n\n'
    passed(streams, "/gradio_api/queue/data", said, f"session_hash={tab}".encode())


def join(streams: Streams, tab: str) -> float:
    body = {"fn_index": 1, "data": [], "session_hash": tab}
    return passed(streams, "/gradio_api/queue/join", b"{}", b"chat=1", **{BODY: body})


def test_an_event_waits_until_its_tab_has_heard_of_the_end(streams):
    ends(streams, "a")
    assert join(streams, "a") >= 0.5 * OVERTAKING


def test_other_tabs_and_tabs_without_an_end_do_not_wait(streams):
    ends(streams, "a")
    assert join(streams, "b") < 0.5 * OVERTAKING
    passed(streams, "/gradio_api/queue/data", b'data: {"msg":"process_completed"}', b"session_hash=c")
    assert join(streams, "c") < 0.5 * OVERTAKING


@pytest.mark.parametrize("brought", [{}, {BODY: {}}, {BODY: {"session_hash": 5}}])
def test_what_is_no_event_is_passed_on(streams, brought):
    ends(streams, "a")
    assert passed(streams, "/gradio_api/queue/join", b"{}", **brought) < 0.5 * OVERTAKING
