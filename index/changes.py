"""What a build changed: the files of the catalogue before, against those after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from index.catalog import FileRow


@dataclass(slots=True)
class Changes:
    """What a user could tell, by the paths of the folder's files; members of archives count with them.

    ``locked`` are files and members that could be read before, and now ask for a password that was not given.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.added or self.changed or self.renamed or self.removed)


def compare(before: Mapping[str, FileRow], after: Mapping[str, FileRow]) -> Changes:
    """Tell what differs between two states of a catalogue, or between two catalogues."""
    old, new = _by_file(before), _by_file(after)
    changes = Changes(
        added=sorted(new.keys() - old.keys()),
        changed=sorted(source for source in new.keys() & old.keys() if new[source] != old[source]),
        locked=sorted(
            source
            for source in before.keys() & after.keys()
            if after[source].status == "encrypted"
            and before[source].status == "indexed"
            and before[source].sha256 == after[source].sha256
        ),
    )
    came: dict[str, list[str]] = {}
    for source in changes.added:
        sha256 = after[source].sha256
        if sha256 is not None:
            came.setdefault(sha256, []).append(source)
    for source in sorted(old.keys() - new.keys()):
        twins = came.get(before[source].sha256 or "")
        if twins:
            renamed = twins.pop(0)
            changes.renamed.append((source, renamed))
            changes.added.remove(renamed)
        else:
            changes.removed.append(source)
    return changes


def _by_file(rows: Mapping[str, FileRow]) -> Mapping[str, Sequence[tuple[str, str | None, str, str]]]:
    """What can be seen of each file of the folder, with that of its members, by its path."""
    found: dict[str, list[tuple[str, str | None, str, str]]] = {
        source: [] for source, row in rows.items() if not row.container
    }
    for source, row in sorted(rows.items()):
        outer = row.container or source
        found[outer].append((source.removeprefix(outer), row.sha256, row.status, row.reason))
    return found
