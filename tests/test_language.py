"""A document that is not English is indexed with a warning that names a multilingual model."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import DEFAULT_ENCODER, Document, load_encoder, rebuild, status
from index.__main__ import app
from index.languages import MULTILINGUAL_ENCODER, language_notice
from index.model import Block, Section
from index.sandbox.language import language_of
from index.terminal import exit_code

from .conftest import SEEDS, TinyEncoder, write_files

GERMAN = (
    "Der Vorstand tagt jeden Monat im alten Rathaus am Fluss, und die Protokolle liegen danach in der "
    "Kanzlei aus. Wer sie lesen will, meldet sich beim Schriftführer an."
)
ENGLISH = (
    "The board meets every month in the old town hall near the river, and the minutes are kept in the office "
    "of the clerk. Those who want to read them write to the secretary."
)


def document(text: str, kind: str = "prose") -> Document:
    return Document(None, text, (Section((), (Block(0, len(text), kind),)),))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (GERMAN, "de"),
        (ENGLISH, "en"),
        ("We met some friends at a small station where nobody else was waiting for trains that day.", "en"),
        (
            "El consejo se reúne cada mes en el antiguo ayuntamiento junto al río. "
            "Las actas se guardan siempre allí.",
            "es",
        ),
        (
            "Il consiglio si riunisce ogni mese nel vecchio municipio vicino al fiume e conserva i verbali.",
            "it",
        ),
        (
            "Совет собирается каждый месяц в старой ратуше у реки, а протоколы хранятся в канцелярии города.",
            "ru",
        ),
        ("理事会は毎月、川のそばの古い市庁舎で開かれ、議事録は事務局に保管されています。" * 3, "ja"),
        ("to the of and", None),
        ("XR-2041 B7 00:17 33.5 kg " * 20, None),
        ("", None),
    ],
)
def test_languages_are_told(text: str, language: str | None) -> None:
    assert language_of(document(text)) == language


def test_tables_and_code_are_in_no_language() -> None:
    assert language_of(document(GERMAN, "code")) is None
    assert language_of(document(GERMAN, "row")) is None


def test_the_seeds_are_english() -> None:
    for path in SEEDS.glob("*.txt"):
        assert language_of(document(path.read_text(encoding="utf-8"))) == "en"


def test_the_warning_is_for_the_bundled_encoder_alone() -> None:
    assert f"German, and {DEFAULT_ENCODER}" in language_notice("de", DEFAULT_ENCODER)
    assert MULTILINGUAL_ENCODER in language_notice("de", DEFAULT_ENCODER)
    assert "tl" in language_notice("tl", DEFAULT_ENCODER)
    for language, encoder in (("en", DEFAULT_ENCODER), (None, DEFAULT_ENCODER), ("de", MULTILINGUAL_ENCODER)):
        assert language_notice(language, encoder) == ""


def test_status_report_and_command_line_tell_it(
    folder: Path, index_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(folder, {"de.txt": GERMAN, "en.txt": ENGLISH})
    report = rebuild(folder, index_dir, encoder=load_encoder())
    assert [row.source for row in report.foreign] == ["de.txt"]
    rows = {row.source: row for row in status(index_dir).documents}
    assert (rows["de.txt"].language, rows["en.txt"].language) == ("de", "en")
    assert (rows["de.txt"].status, rows["en.txt"].reason) == ("indexed", "")
    assert MULTILINGUAL_ENCODER in rows["de.txt"].reason
    write_files(folder, {"de.txt": GERMAN + " Danach ist die Kanzlei wieder geschlossen."})
    assert exit_code(app, "index", ["update", str(folder), "--index", str(index_dir), "--quiet"]) == 0
    assert "warning: de.txt: its language is German" in capsys.readouterr().err


def test_another_encoder_is_not_warned_of(folder: Path, index_dir: Path) -> None:
    write_files(folder, {"de.txt": GERMAN})
    report = rebuild(folder, index_dir, encoder=TinyEncoder())
    assert report.foreign == ()
    assert status(index_dir).documents[0].reason == ""
