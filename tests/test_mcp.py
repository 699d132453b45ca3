"""The functions for programs as tools of an MCP server, called by the protocol's own client."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

import app
from index import FootnoteError, terminal
from qa.users import read_users, user_line
from qa.web import tools
from qa.web.access import RateLimit
from qa.web.api import BusyError, Programs

from .web_site import HEIGHT, LIBRARY, UNKNOWN, run, served

NAMES = ["ask", "search", "documents", "text", "feedback"]
PATH = "gradio_api/mcp"


def session(address: str, use: Callable[[ClientSession], Any], **headers: str) -> Any:
    """What ``use`` makes of a session with the server."""

    async def called() -> Any:
        async with (
            create_mcp_http_client(headers) as client,
            streamable_http_client(f"{address}{PATH}", http_client=client) as (read, write, _),
            ClientSession(read, write) as opened,
        ):
            await opened.initialize()
            return await use(opened)

    return run(called())


def call(address: str, tool: str, **arguments: Any) -> tuple[bool, str, Any]:
    """Whether a tool failed, its text, and its structured content."""
    result = session(address, lambda opened: opened.call_tool(tool, arguments))
    return result.isError, result.content[0].text, result.structuredContent


@pytest.fixture(scope="module")
def mcp_site(library_qa, library_folder, tmp_path_factory):
    """An app whose documents may be changed in the page, with its tools."""
    data = tmp_path_factory.mktemp("mcp")
    with served(library_qa, data, mcp=True, folders=(library_folder,)) as running:
        yield running


@pytest.fixture(scope="module")
def server(mcp_site):
    return mcp_site[0]


def test_the_five_functions_are_the_tools_and_say_what_they_do(server):
    offered = session(server, lambda opened: opened.list_tools()).tools
    assert [tool.name for tool in offered] == NAMES
    for tool in offered:
        assert tool.title
        assert len(tool.description) > 60
        assert "Args:" not in tool.description
        assert all(described["description"] for described in tool.inputSchema["properties"].values())
        assert tool.inputSchema["additionalProperties"] is False
    assert [tool.annotations.readOnlyHint for tool in offered] == [True, True, True, True, False]
    assert {tool.annotations.destructiveHint for tool in offered} == {False}


def test_a_tool_takes_the_parameters_of_its_function(server):
    ask = session(server, lambda opened: opened.list_tools()).tools[0].inputSchema
    assert list(ask["properties"]) == ["question", "sources", "min_confidence", "k"]
    assert ask["required"] == ["question"]
    assert ask["properties"]["sources"]["anyOf"] == [
        {"type": "array", "items": {"type": "string"}},
        {"type": "null"},
    ]
    assert (ask["properties"]["k"]["type"], ask["properties"]["k"]["default"]) == ("integer", 10)


def test_the_server_tells_a_model_what_to_make_of_it(server):
    async def greeted(opened: ClientSession) -> Any:
        return await opened.initialize(), opened.get_server_capabilities()

    told, capable = session(server, greeted)
    assert told.serverInfo.name == "Footnote"
    assert "verbatim" in told.instructions
    assert (capable.resources, capable.prompts) == (None, None)


def test_asking_gives_the_answer_as_json_and_structured(server, library_qa):
    failed, text, found = call(server, "ask", question=HEIGHT, sources=["towers/*"], k=1)
    assert not failed
    assert json.loads(text) == found
    assert (found["found"], found["text"]) == (True, library_qa.ask(HEIGHT).text)
    assert [passage["source"] for passage in found["passages"]] == ["towers/tower.txt"]
    assert call(server, "ask", question=UNKNOWN, min_confidence=0.9)[2]["found"] is False


def test_searching_and_reading_a_document(server):
    _, _, found = call(server, "search", query="harbour", k="1")  # a number in quotes is one that models send
    place = found["passages"][0]
    _, _, part = call(server, "text", source=place["source"], start=place["start"], end=place["end"])
    assert part["text"] == place["text"]


def test_documents_are_listed_by_name_and_in_parts(server):
    _, _, everything = call(server, "documents")
    assert everything["matching"] == len(LIBRARY)
    assert [row["source"] for row in everything["documents"]] == sorted(LIBRARY)
    for name in ("TOWER", "towers/*.txt", "anvers"):
        found = call(server, "documents", name=name)[2]
        assert [row["source"] for row in found["documents"]] == ["towers/tower.txt"]
    part = call(server, "documents", start=1, count=2)[2]
    assert part == {"matching": len(LIBRARY), "documents": everything["documents"][1:3]}


def test_feedback_is_kept(mcp_site):
    address, running = mcp_site
    failed, _, kept = call(address, "feedback", question=HEIGHT, good=False, answers=["212 metres"])
    assert (failed, kept["kept"]) == (False, "question")
    assert HEIGHT in (running.data / "feedback" / "questions.jsonl").read_text()


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("ask", {}, "question: Field required"),
        ("ask", {"question": 5}, "question: Input should be a valid string"),
        ("ask", {"question": "x", "request": None}, "request: Extra inputs are not permitted"),
        ("ask", {"question": "x", "k": 0}, "k is 0"),
        ("search", {"query": "x", "sources": ["no.txt"]}, "no.txt"),
        ("text", {"source": "../../etc/passwd"}, "etc/passwd"),
        ("delete", {}, "there is no tool 'delete'; there are ask, search"),
    ],
)
def test_an_error_says_what_to_do(server, tool, arguments, message):
    failed, text, found = call(server, tool, **arguments)
    assert failed
    assert message in text
    assert found is None


def test_an_unexpected_error_gives_no_details_away(library_qa, tmp_path, monkeypatch, caplog):
    def documents(_: Programs) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Programs, "documents", documents)
    with served(library_qa, tmp_path, mcp=True) as (address, _):
        failed, text, _ = call(address, "documents")
    assert failed
    assert text == tools.INTERNAL
    assert "ZeroDivisionError" in caplog.text


def test_the_rate_holds_for_tools_too(library_qa, tmp_path):
    with served(library_qa, tmp_path, mcp=True, limit=RateLimit(2)) as (address, _):
        results = [call(address, "search", query="harbour") for _ in range(3)]
        assert call(address, "documents")[0] is False
    assert [failed for failed, *_ in results] == [False, False, True]
    assert "ask again in" in results[2][1]


def test_with_users_tools_need_a_login(library_qa, tmp_path):
    users = tmp_path / "users.txt"
    users.write_text(user_line("anna", "opal-teapot-9"))
    users.chmod(0o600)
    credentials = base64.b64encode(b"anna:opal-teapot-9").decode()
    with served(library_qa, tmp_path, mcp=True, users=read_users(users)) as (address, _):
        with pytest.raises(ExceptionGroup) as refused:
            session(address, lambda opened: opened.list_tools())
        assert refused.group_contains(httpx.HTTPStatusError, match="401")
        offered = session(address, lambda opened: opened.list_tools(), Authorization=f"Basic {credentials}")
    assert [tool.name for tool in offered.tools] == NAMES


def status(url: str, body: bytes | None = None, **headers: str) -> int:
    headers |= {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


LIST = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}'


def test_only_posts_of_the_own_site_under_an_own_name_are_taken(server, address):
    assert status(f"{server}{PATH}", LIST) == status(f"{server}{PATH}/", LIST) == 200
    assert status(f"{server}{PATH}") == 405
    assert status(f"{server}{PATH}", LIST, Origin="http://evil.example") == 403
    assert status(f"{server}{PATH}", LIST, Host="evil.example") == 421
    for other in ("/sse", "/schema", "/http", "/messages/"):
        assert status(f"{server}{PATH}{other}") == 404
    assert status(f"{address}{PATH}", LIST) == 404  # an app without --mcp


def test_calls_wait_for_each_other_and_too_many_are_refused(site):
    _, running = site
    programs = Programs(running, at_once=1, waiting=1)
    begun, go_on = threading.Event(), threading.Event()
    ended: list[int] = []

    def documents(number: int) -> None:
        begun.set()
        go_on.wait(10)
        ended.append(number)

    async def calls() -> None:
        first = asyncio.create_task(programs.call(documents, None, number=1))
        await asyncio.to_thread(begun.wait, 10)
        second = asyncio.create_task(programs.call(documents, None, number=2))
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError, match="1 calls wait"):
            await programs.call(documents, None, number=3)
        assert ended == []
        go_on.set()
        await asyncio.gather(first, second)

    run(calls())
    assert ended == [1, 2]


def test_without_the_extra_the_command_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(app, "find_spec", lambda _: None)
    arguments = ["--mcp", "--port", "0", "--index", str(tmp_path / "none")]
    assert terminal.exit_code(app.cli, "footnote-web", arguments) == 1
    assert "pip install 'footnote-qa[mcp]'" in capsys.readouterr().err


def test_without_the_extra_the_server_does_not_start(monkeypatch, library_qa, tmp_path):
    monkeypatch.setitem(sys.modules, "mcp.server.streamable_http_manager", None)
    with (
        pytest.raises(FootnoteError, match=r"pip install 'footnote-qa\[mcp\]'"),
        served(library_qa, tmp_path, mcp=True),
    ):
        pass
