"""Tell what an upgrade gains and loses, from a repository as it is; stops, actions and downtime are known to a service only."""

from __future__ import annotations

from typing import Any

from releaser.domain.upgrade import as_json, compare
from releaser.domain.version import parse
from releaser.flows.read_in_place import Habits, VersionNotTaggedError, read_in_place
from releaser.sources.source import Progress, Repository


def read_upgrade(
    repository: Repository,
    *,
    since: str,
    upto: str,
    habits: Habits,
    most: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The upgrade diff, as `domain.upgrade` tells it, `most` of every list. Raises what `read_in_place` raises."""
    history = read_in_place(repository, habits=habits, versions=(since, upto), progress=progress)
    found = []
    for text in (since, upto):
        release = history.release(parse(text, scheme=habits.scheme))
        if release is None:
            raise VersionNotTaggedError(f"The tag of version {text[:40]} leads to no commit.", field="version")
        found.append(release)
    return as_json(compare(history, found[0], found[1]), history, most=most)
