"""The documents tell the truth: commands, options, code and links in them are tried."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from app import cli as web_app
from index.__main__ import app as index_app
from qa.__main__ import app as qa_app

ROOT = Path(__file__).parent.parent
DOCS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def commands():
    for name, app in (("index", index_app), ("qa", qa_app)):
        for command, made in sorted(typer.main.get_command(app).commands.items()):
            yield pytest.param(f"{name} {command}", made, id=f"{name} {command}")
    yield pytest.param("app.py", typer.main.get_command(web_app), id="app.py")


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_the_reference_has_every_command_and_option(name, command):
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", reference, re.MULTILINE | re.DOTALL)
    assert section, f"docs/cli.md has no section {name}"
    text = section[1]
    if "Options as for" in text:
        text += re.search(r"^## index rebuild\n(.*?)(?=^## )", reference, re.MULTILINE | re.DOTALL)[1]
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            spellings = [*parameter.opts, *parameter.secondary_opts]
            assert any(option in text for option in spellings), (name, parameter.opts)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), (path.name, target)


def shell_lines():
    for block in blocks(ROOT / "README.md", "sh"):
        for line in block.splitlines():
            line = line.split("  #")[0].strip()
            if line.startswith("python -m"):
                yield line


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder with the seeds, from which the commands of the README are run."""
    place = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "seeds", place / "seeds")
    return place


def test_the_commands_of_the_readme_work_in_order(checkout, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("FOOTNOTE_INDEX", raising=False)
    lines = list(shell_lines())
    assert len(lines) >= 5
    for line in lines:
        words = [sys.executable, *shlex.split(line)[1:]]
        done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout, line


@pytest.mark.parametrize("name", ["README.md", "docs/python.md"])
def test_the_python_of_the_documents_runs(name, checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    first = blocks(ROOT / name, "python")[0]
    scope: dict = {}
    exec(compile(first, name, "exec"), scope)  # a document of this repository
    if "answer" in scope:
        assert scope["answer"].found


def test_make_has_the_targets_that_the_readme_names():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_version_is_the_same_everywhere():
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert f"[{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
