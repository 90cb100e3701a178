"""What somebody may have meant who named a version, a ticket or a commit that is not there: the nearest that are, few."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice

from releaser.domain.version import Version

MOST = 4
SHORTEST_SHARED = 4
"""Digits that an id must share with what was named to be near it: fewer are chance."""
_NUMBERED = re.compile(r"(?P<project>.*?)(?P<number>[0-9]{1,18})", re.DOTALL)


def nearest_versions(wanted: Version, known: Iterable[Version]) -> list[Version]:
    """Those of its line, newest first, else its neighbours in version order; the newest of all is always among them."""
    ordered = sorted(known)
    if not ordered:
        return []
    on_line = [version for version in reversed(ordered) if version.line == wanted.line]
    place = bisect_left(ordered, wanted)
    near = on_line[: MOST - 1] or list(reversed(ordered[max(0, place - 2) : place + 1]))
    return list(dict.fromkeys([*near, ordered[-1]]))


def nearest_tickets(wanted: str, known: Sequence[str]) -> list[str]:
    """Keys that differ in their letters' case, that go on from what was named, or whose number is near in the same project."""
    folded = wanted.casefold()
    # What the key is without its last letters: a slip of the keyboard more often than not.
    found = [key for key in known if key.casefold() == folded]
    found += islice((key for key in known if key.startswith(wanted)), MOST)
    numbered = _NUMBERED.fullmatch(wanted)
    if numbered is not None:
        project, number = numbered["project"].casefold(), int(numbered["number"])
        size = len(project)
        same = [key for key in known if key[:size].casefold() == project and key[size:].isdecimal()]
        found += sorted(same, key=lambda key: abs(int(key[size : size + 18]) - number))[:MOST]
    if not found:
        projects = {key.rpartition("-")[0].casefold(): key for key in known}
        near = get_close_matches(folded.rpartition("-")[0] or folded, list(projects)[:1000], n=MOST)
        found = [projects[one] for one in near]
    return list(dict.fromkeys(found))[:MOST]
