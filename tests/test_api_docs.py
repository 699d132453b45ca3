"""The examples of docs/api.md do what they show."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qa.users import read_users, user_line

from .web_site import run, served

TEXT = (Path(__file__).parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
SHOWN = "http://127.0.0.1:7860"
NAME, PASSWORD = "anna", "opal-teapot-9"
LOCKED = "With a login"
TOOLS = ["ask", "search", "documents", "text", "feedback"]


def examples(language: str) -> list[tuple[str, str]]:
    """The fenced blocks of a language, each with its section."""
    found = []
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE):
        blocks = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        found += [(section.partition("\n")[0], block) for block in blocks]
    return found


@pytest.fixture(scope="module")
def addresses(seed_qa, tmp_path_factory):
    """Apps over the seed document, by whether one must log in."""
    folder = tmp_path_factory.mktemp("api")
    users = folder / "users.txt"
    users.write_text(user_line(NAME, PASSWORD))
    users.chmod(0o600)
    with (
        served(seed_qa, folder / "open", mcp=True) as (one, _),
        served(seed_qa, folder / "locked", mcp=True, users=read_users(users)) as (other, _),
    ):
        yield {False: one.rstrip("/"), True: other.rstrip("/")}


def matches(shown: str, said: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("..."))
    return re.fullmatch(pattern, said.strip(), re.DOTALL) is not None


@pytest.mark.parametrize(("section", "block"), examples("console"))
def test_a_command_prints_what_is_shown(section, block, addresses, tmp_path):
    commands = re.findall(r"^\$ (.*(?:\n {4}.*)*)\n((?:(?!\$ ).+\n)*)", block, re.MULTILINE)
    script = "\necho\n".join(command for command, _ in commands)
    shown = "".join(output for _, output in commands)
    assert shown.strip(" .\n")
    done = subprocess.run(
        ["sh", "-c", script.replace(SHOWN, addresses[section == LOCKED])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert matches(shown, re.sub(r"\n{2,}", "\n", done.stdout)), done.stdout


@pytest.mark.parametrize(("section", "block"), examples("pycon"))
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # gradio_client leaves its heartbeat's socket open
def test_a_python_example_gives_what_is_shown(section, block, addresses):
    source = block.replace(SHOWN, addresses[section == LOCKED])
    test = doctest.DocTestParser().get_doctest(source, {}, section, "docs/api.md", 0)
    said: list[str] = []
    options = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    runner = doctest.DocTestRunner(optionflags=options)
    with ThreadPoolExecutor(1) as beside:  # where no event loop of a browser runs
        done = beside.submit(runner.run, test, out=said.append).result()
    assert done.attempted == block.count(">>> ")
    assert said == []


def test_the_configurations_of_mcp_programs_let_them_in(addresses):
    from mcp import ClientSession
    from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

    async def tools(url: str, headers: dict[str, str]) -> list[str]:
        async with (
            create_mcp_http_client(headers) as client,
            streamable_http_client(url, http_client=client) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return [tool.name for tool in (await session.list_tools()).tools]

    configured = [json.loads(block)["mcpServers"]["footnote"] for _, block in examples("json")]
    assert len(configured) == 2
    for each in configured:
        url = each["url"].replace(SHOWN, addresses["headers" in each])
        assert run(tools(url, each.get("headers", {}))) == TOOLS


def test_every_example_is_run():
    languages = set(re.findall(r"^```(\w+)$", TEXT, re.MULTILINE))
    assert languages == {"console", "pycon", "json", "sh"}
    assert len(examples("console")) >= 10
    assert len(examples("pycon")) >= 3
    assert all("python app.py" in block for _, block in examples("sh"))
