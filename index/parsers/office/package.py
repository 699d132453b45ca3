"""Office Open XML: a zip file whose parts name each other by relations."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from index.parsers.xml_reading import child, children, local, nodes
from index.parsers.zipped import Zipped

if TYPE_CHECKING:
    from lxml.etree import _Element

_TIME = r"T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?"
_DATE = re.compile(rf"(?:19[7-9]|20\d)\d(?:-\d\d(?:-\d\d(?:{_TIME})?)?)?")
# The dates of the empty files that python-docx and python-pptx begin with.
_TEMPLATES = ("2013-12-23T23:15:00Z", "2013-01-27T09:14:16Z", "2013-01-27T09:15:58Z")
_PROGRAM_TITLE = re.compile(
    r"^(?:Microsoft (?:Office )?(?:Word|PowerPoint)|untitled|(?:document|presentation|slide|folie)\s?\d*$"
    r"|(?:word|blank) document$|PowerPoint[- ]|[A-Z]:\\|/|file:|https?:)"
    r"|\.(?:do[ct][xm]?|pp[tsx][xm]?|pot[xm]?|pdf|rtf|odt|odp|tex|txt|html?|wpd)$",
    re.IGNORECASE,
)
_PROGRAMS = frozenset(("python-docx", "python-pptx", "apache poi", "openxml sdk", "unknown", "-"))


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part says of another: ``kind`` is the last word of the relation's type."""

    kind: str
    target: str


@dataclass(frozen=True, slots=True)
class Properties:
    """What the file says of itself."""

    title: str | None
    author: str | None
    date: str | None


class Package(Zipped):
    """An Office Open XML file."""

    def relations(self, name: str = "") -> dict[str, Relation]:
        """The relations of a part (of the file itself without a name) to others inside the file, by id."""
        folder, base = posixpath.split(name)
        root = self.xml(posixpath.join(folder, "_rels", f"{base}.rels"))
        found = {}
        for relation in children(root, "Relationship"):
            if (relation.get("TargetMode") or "").lower() == "external":
                continue
            target = unquote(relation.get("Target") or "").replace("\\", "/")
            place = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            kind = (relation.get("Type") or "").rpartition("/")[2]
            found[relation.get("Id") or ""] = Relation(kind, place)
        return found

    def main(self, usual: str) -> str:
        """The name of the part that everything else hangs on; ``usual`` is what it is mostly called."""
        for relation in self.relations().values():
            if relation.kind == "officeDocument" and self.find(relation.target):
                return relation.target
        return usual

    def properties(self) -> Properties:
        """Title, author and date of last change; None for what is missing or names a program."""
        found: dict[str, str] = {}
        for relation in self.relations().values():
            if relation.kind == "core-properties":
                root = self.xml_if_sound(relation.target)
                for entry in nodes(root):
                    found[local(entry)] = " ".join((entry.text or "").split())
        title, author = found.get("title", ""), found.get("creator", "")
        dates = (found.get(name, "") for name in ("modified", "created"))
        return Properties(
            title=title if title and not _PROGRAM_TITLE.search(title) else None,
            author=author if author and author.lower() not in _PROGRAMS else None,
            date=next((date for date in dates if _DATE.fullmatch(date) and date not in _TEMPLATES), None),
        )


def relation_id(element: _Element) -> str:
    """The id of the relation that an element names; it may have another id of its own."""
    ids = (str(content) for key, content in element.items() if key.endswith("}id"))
    return next(ids, "")


def chosen(alternatives: _Element) -> _Element | None:
    """What is to be read of an mc:AlternateContent: its first choice, else the fallback, not both."""
    choice = child(alternatives, "Choice")
    return child(alternatives, "Fallback") if choice is None else choice
