"""Where tickets are, in classes: tickets whose fixes have the same sets of releases are alike, and are judged once.

A class is told by the sets of the commits that decide, and by those of them that something takes back, which are judged one by
one. Numbers of classes stay; class 0 is that of tickets that nothing fixes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from releaser.domain.history.containment import Containment
from releaser.domain.history.graph import Graph
from releaser.domain.history.links import Links
from releaser.domain.history.relations import Relations

UNFIXED = 0
ClassKey = tuple[tuple[int, ...], tuple[int, ...]]
"""Numbers of sets, and commits that are taken back; both ascending."""


class TicketClasses:
    """`of` has the class of every ticket, `keys` what tells each class."""

    def __init__(self, of: array[int] | None = None, keys: list[ClassKey] | None = None) -> None:
        self.of = array("i") if of is None else of
        self.keys: list[ClassKey] = [((), ())] if keys is None else keys
        self._numbers: dict[ClassKey, int] | None = None

    def copy(self) -> TicketClasses:
        """An independent one."""
        return TicketClasses(self.of[:], self.keys[:])

    def renew(
        self, tickets: Iterable[int], *, links: Links, graph: Graph, contained: Containment, relations: Relations
    ) -> list[int]:
        """Find the classes of these tickets again, which may be new ones; those that got another, ascending."""
        if self._numbers is None:
            self._numbers = {key: number for number, key in enumerate(self.keys)}
        self.of.extend([-1] * (len(links.keys) - len(self.of)))
        changed: list[int] = []
        for ticket in tickets:
            deciding = deciders(ticket, links=links, graph=graph, relations=relations)
            key = _key(deciding, contained, relations)
            number = self._numbers.setdefault(key, len(self.keys))
            if number == len(self.keys):
                self.keys.append(key)
            if self.of[ticket] != number:
                self.of[ticket] = number
                changed.append(ticket)
        return sorted(changed)

    def places(self, number: int, contained: Containment, relations: Relations) -> tuple[int, int]:
        """The releases and heads that a class is in force in, and those that contain it."""
        sets, reverted = self.keys[number]
        found = 0
        for one in sets:
            found |= contained.sets[one]
        in_force = holding = found
        for commit in reverted:
            in_force |= relations.force.bits(commit)
            holding |= contained.bits(commit)
        return in_force, holding


def deciders(ticket: int, *, links: Links, graph: Graph, relations: Relations) -> set[int]:
    """The commits that fix a ticket, and every pick of theirs, named or not."""
    copies = relations.copies
    found: set[int] = set()
    for commit in links.fixing(ticket):
        if commit not in graph.lost:
            found.update(copies.everywhere(commit) if copies.may_be_elsewhere(commit) else (commit,))
    return found


def _key(deciding: set[int], contained: Containment, relations: Relations) -> ClassKey:
    by, set_of = relations.force.by, contained.set_of
    reverted = sorted(commit for commit in deciding if commit in by)
    sets = {set_of[commit] for commit in deciding if commit not in by}
    return tuple(sorted(sets)), tuple(reverted)
