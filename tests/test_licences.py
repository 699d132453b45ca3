"""What Footnote needs to run is free of the GPL and AGPL, so that it can be part of any product."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "footnote-qa"
EXTRAS = ("mcp", "ocr")  # what a user may add; those for tests, benchmarks and training are not passed on

BY_HAND: dict[str, str] = {}
"""The licences of distributions whose metadata names none, as read in their files."""

# "LGPL" and "Lesser General Public License" are not meant.
STRONG = re.compile(r"\bA?GPL|\bAffero\b|(?<!Lesser )(?<!Library )General Public License", re.IGNORECASE)
CHOICE = re.compile(r"\s+or\s+(?!(?:any\s+)?later\b)", re.IGNORECASE)
PART = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True)
class Package:
    """What a distribution says of itself."""

    name: str
    expression: str = ""
    licence: str = ""
    classifiers: Sequence[str] = ()
    requires: Sequence[str] = ()


def installed(name: str) -> Package | None:
    try:
        found: Distribution = distribution(name)
    except PackageNotFoundError:
        return None
    told = found.metadata
    return Package(
        name,
        told.get("License-Expression") or "",
        told.get("License") or "",
        [
            line.rpartition("::")[2].strip()
            for line in told.get_all("Classifier", [])
            if line.startswith("License")
        ],
        found.requires or (),
    )


def needed(
    root: str, extras: Iterable[str], find: Callable[[str], Package | None]
) -> list[tuple[Package, str]]:
    """The packages that are found below ``root``, each with the path by which it is required."""
    packages: dict[str, tuple[Package, str]] = {}
    wanted: dict[str, set[str]] = {}
    waiting = [(root, frozenset(extras), "")]
    while waiting:
        name, asked, path = waiting.pop(0)
        known = wanted.get(name)
        if known is not None and asked <= known:
            continue
        package = find(name)
        if package is None:
            continue  # of another platform, or an extra that is not installed
        wanted[name] = (known or set()) | asked
        packages.setdefault(name, (package, path))
        for line in package.requires:
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *wanted[name])):
                below = canonicalize_name(requirement.name)
                waiting.append((below, frozenset(requirement.extras), f"{path} > {name}" if path else name))
    del packages[root]
    return list(packages.values())


def licence(package: Package, by_hand: Mapping[str, str]) -> str:
    """The licence, "" where the package names none."""
    if package.name in by_hand:
        return by_hand[package.name]
    if package.expression:
        return package.expression
    short = package.licence.strip()
    if "\n" in short or short.upper() in ("UNKNOWN", "DUAL LICENSE"):
        short = ""  # a whole text, or nothing
    # Several classifiers are no choice: they may be the licences of several parts.
    return short or " and ".join(line for line in package.classifiers if line != "OSI Approved")


def is_free(expression: str) -> bool:
    """Whether one of the licences to choose from is neither the GPL nor the AGPL."""
    while part := PART.search(expression):
        verdict = "free" if is_free(part[1]) else "GPL"
        expression = expression[: part.start()] + verdict + expression[part.end() :]
    return any(not STRONG.search(choice) for choice in CHOICE.split(expression))


def complaint(package: Package, path: str, by_hand: Mapping[str, str] = BY_HAND) -> str:
    """Why a package can't be required, "" where it can."""
    found = licence(package, by_hand)
    if not found:
        return f"{package.name} ({path}): its licence can't be told; read it, and note it in BY_HAND"
    return "" if is_free(found) else f"{package.name} ({path}) is under {found}"


def test_nothing_that_footnote_requires_is_under_the_gpl() -> None:
    packages = needed(ROOT, EXTRAS, installed)
    names = {package.name for package, _ in packages}
    assert {"numpy", "torch", "huggingface-hub"} <= names  # directly, and through others
    assert "pytest" not in names
    assert [found for package, path in packages if (found := complaint(package, path))] == []


MADE_UP = {
    "footnote-qa": Package(
        "footnote-qa", requires=["Good_One", 'tests; extra == "test"', 'o; extra == "ocr"']
    ),
    "good-one": Package(
        "good-one", "MIT", requires=["bad[more]>=2", 'w; sys_platform == "none"', "footnote-qa"]
    ),
    "bad": Package("bad", "GPL-3.0-or-later", requires=['deep; extra == "more"', "unknown"]),
    "deep": Package("deep", classifiers=["GNU Affero General Public License v3"]),
    "unknown": Package("unknown", licence="UNKNOWN"),
    "o": Package("o", "Apache-2.0"),
    "tests": Package("tests", "GPL-3.0-only"),
    "w": Package("w", "GPL-3.0-only"),
}


def test_a_gpl_package_is_caught_and_named_with_who_requires_it() -> None:
    packages = needed("footnote-qa", ["ocr"], MADE_UP.get)
    assert sorted(package.name for package, _ in packages) == ["bad", "deep", "good-one", "o", "unknown"]
    found = [complaint(package, path) for package, path in packages]
    assert [line for line in found if line] == [
        "bad (footnote-qa > good-one) is under GPL-3.0-or-later",
        "deep (footnote-qa > good-one > bad) is under GNU Affero General Public License v3",
        "unknown (footnote-qa > good-one > bad): its licence can't be told; read it, and note it in BY_HAND",
    ]


def test_a_licence_read_by_hand_counts() -> None:
    assert complaint(Package("unknown"), "x", {"unknown": "BSD-3-Clause"}) == ""
    assert complaint(Package("unknown"), "x", {"unknown": "GPL-2.0-only"}) != ""


@pytest.mark.parametrize(
    "text",
    [
        "MIT",
        "LGPL-3.0-or-later",
        "LGPLv3+",
        "GNU Lesser General Public License v2 or later (LGPLv2+)",
        "GNU Library General Public License",
        "GPL-2.0-only OR MIT",
        "MIT or GPLv2",
        "MPL-2.0 AND (GPL-3.0-only OR MIT)",
        "(GPL-3.0-only AND MIT) OR Apache-2.0",
        "BSD-3-Clause, Apache-2.0, dependency licenses",
    ],
)
def test_permissive_and_lesser_licences_pass(text: str) -> None:
    assert complaint(Package("a", text), "x") == ""
    assert complaint(Package("a", licence=text), "x") == ""


@pytest.mark.parametrize(
    "text",
    [
        "GPL",
        "gplv3",
        "GNU GPL v2 or later",
        "GPL-2.0-or-later",
        "GNU General Public License v3 or any later version",
        "GNU Affero General Public License v3",
        "AGPL-3.0-only",
        "MIT AND GPL-2.0-only",
        "GPL-2.0-only OR AGPL-3.0-only",
        "MIT AND (GPL-2.0-only OR GPL-3.0-only)",
        "(MIT OR BSD-2-Clause) AND GPL-3.0-only",
    ],
)
def test_the_gpl_is_found_however_it_is_written(text: str) -> None:
    assert text in complaint(Package("a", text), "x")
    assert text in complaint(Package("a", licence=text), "x")
    assert text in complaint(Package("a", licence="a whole\ntext", classifiers=[text]), "x")


def test_classifiers_are_no_choice() -> None:
    assert complaint(Package("a", classifiers=["MIT License", "GNU General Public License v2"]), "x") != ""
