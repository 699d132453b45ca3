"""The public surface, the one-way imports, and what an import may load."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import index
import qa

ROOT = Path(__file__).parent.parent
HEAVY = (
    "torch",
    "sentence_transformers",
    "transformers",
    "gradio",
    "faiss",
    "tantivy",
    "pypdfium2",
    "rich",
    "lxml",
    "re2",
)
OWNERS = {
    "faiss": {"index/vectors.py"},
    "tantivy": {"index/lexical.py"},
    "torch": {"index/encoder/torch_model.py", "qa/hub.py"},
    "transformers": {"index/encoder/torch_model.py", "qa/hub.py"},
    "sentence_transformers": {"index/encoder/torch_model.py", "qa/hub.py"},
    "huggingface_hub": {"index/model_files.py"},
    "tokenizers": {
        "index/encoder/export.py",
        "index/encoder/openvino_model.py",
        "index/encoder/sentence_transformer.py",
        "qa/span_model.py",
        "qa/hub.py",
    },
    "openvino": {
        "index/compiled.py",
        "index/encoder/eight_bits.py",
        "index/encoder/export.py",
        "index/encoder/torch_model.py",
    },
    "scipy": {"qa/calibrate.py"},
    "pypdfium2": {"index/parsers/pdf/forms.py", "index/parsers/pdf/pages.py"},
    "selectolax": {"index/parsers/html.py"},
    "pytesseract": {"index/parsers/pdf/ocr.py"},
    "python_calamine": {"index/parsers/sheets/binary.py"},
    "office_oxide": {"index/parsers/office/legacy.py"},
    "msoffcrypto": {"index/parsers/office/lock.py"},
    "cryptography": {"index/parsers/archive/aes.py"},
    "py3langid": {"index/sandbox/language.py"},
    "mcp": {"qa/web/tools.py"},
    "watchfiles": {"index/watching.py"},
    "pathspec": {"index/ignoring.py"},
    "re2": {"index/ignoring.py"},
    "portalocker": {"index/snapshot.py"},
    "sentencex": {"index/chunking.py"},
}


def modules(*roots: str):
    for root in roots:
        path = ROOT / root
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_the_names_that_other_programs_use():
    assert {"Index", "Document", "Passage", "build", "open_index", "FootnoteError"} <= set(index.__all__)
    assert {"PagePicture", "PageNotDrawableError", "SourceChangedError"} <= set(index.__all__)
    assert {"QA", "Answer", "Citation", "Evidence"} <= set(qa.__all__)


@pytest.mark.parametrize("package", [index, qa])
def test_every_public_name_exists_and_is_documented(package):
    for name in package.__all__:
        value = getattr(package, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name


def test_imports_run_one_way():
    for path in modules("index"):
        assert not any(name.split(".")[0] in ("qa", "app") for name in imported(path)), path
    for path in modules("qa"):
        names = imported(path)
        assert "app" not in {name.split(".")[0] for name in names}, path
        inner = {name for name in names if name.startswith("index.")}
        assert inner <= {"index.terminal", "index.__main__"}, path


def test_each_heavy_library_has_one_owner():
    for path in modules("index", "qa", "app.py"):
        for name in imported(path):
            top = name.split(".")[0]
            if top in OWNERS:
                assert path.relative_to(ROOT).as_posix() in OWNERS[top], (path, name)


@pytest.mark.parametrize("statement", ["import index", "import qa", "import qa.__main__, index.__main__"])
def test_an_import_loads_nothing_heavy(statement):
    code = f"{statement}, sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []


def test_no_module_is_too_long_to_read():
    for path in modules("index", "qa", "app.py", "training", "bench", "tests"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, path
