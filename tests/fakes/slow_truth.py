"""What a random history means, worked out slowly from the rules, one commit and one release at a time.

The rules are those of the design: a pick is named by its trailer, or has the author, date and subject of another commit
that it does not descend from; a commit is in force in a release that contains it and no revert of it that is in force
there; a revert takes back what it names and the copies of that, as far as it descends from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from tests.fakes.random_history import Made, RandomHistory


class SlowTruth:
    """`order` has every commit that is reached from a tag or branch, and its place by age: parents before children."""

    def __init__(self, history: RandomHistory, order: Mapping[int, int]) -> None:
        self.commits = {number: history.commits[number] for number in order}
        self.order = order
        self.tips = {f"tag {name}": number for name, (number, _) in history.tags.items()}
        self.tips |= {f"branch {name}": number for name, number in history.branches().items()}
        for name in ("ancestors", "origins", "named_targets", "takes_back", "in_force", "brought_by", "bringing"):
            setattr(self, name, cache(getattr(self, name)))
        self.picks = self._by_trailer() | self._by_authorship()

    # --- the graph -----------------------------------------------------------------------------------------------

    def ancestors(self, number: int) -> frozenset[int]:
        """Everything the commit descends from, without itself."""
        parents = self.commits[number].parents
        return frozenset(parents).union(*(self.ancestors(parent) for parent in parents))

    def contains(self, tip: str, number: int) -> bool:
        """Whether a tag or branch has the commit."""
        return number == self.tips[tip] or number in self.ancestors(self.tips[tip])

    def tips_with(self, number: int) -> frozenset[str]:
        """Every tag and branch that has the commit."""
        return frozenset(tip for tip in self.tips if self.contains(tip, number))

    def brought_by(self, merge: int) -> frozenset[int]:
        """What a merge brought in: what its first parent has not."""
        main, *others = self.commits[merge].parents
        theirs: set[int] = set()
        for other in others:
            theirs |= {other} | self.ancestors(other)
        return frozenset(theirs - {main} - self.ancestors(main))

    # --- picks ---------------------------------------------------------------------------------------------------

    def _by_trailer(self) -> set[tuple[int, int, str]]:
        return {
            (one.number, source, "trailer")
            for one in self.commits.values()
            for source in one.picked
            if source in self.commits
        }

    def _by_authorship(self) -> set[tuple[int, int, str]]:
        said = {(commit, source) for commit, source, _ in self._by_trailer()}
        found = set()
        for one in self.commits.values():
            twins = [other for other in self.commits.values() if _twins(one, other)]
            first = min(twins, key=lambda twin: self.order[twin.number], default=one)
            a, b = one.number, first.number
            if a != b and (a, b) not in said and (b, a) not in said and b not in self.ancestors(a):
                found.add((a, b, "authorship"))
        return found

    def origins(self, number: int) -> frozenset[int]:
        """The changes that a commit carries, named by the commits that are nobody's copy."""
        found: set[int] = set()
        seen, wanted = {number}, [number]
        while wanted:
            at = wanted.pop()
            sources = {source for commit, source, _ in self.picks if commit == at}
            if not sources:
                found.add(at)
            wanted += sources - seen
            seen |= sources
        return frozenset(found) or frozenset({number})

    def copies(self, number: int) -> set[int]:
        """Every commit that carries a change of this one, itself included."""
        return {other for other in self.commits if self.origins(other) & self.origins(number)}

    # --- reverts -------------------------------------------------------------------------------------------------

    def named_targets(self, number: int) -> frozenset[int]:
        """What the message of a revert names: by id, else the newest ancestor that is called so."""
        one = self.commits[number]
        known = frozenset(target for target in one.reverts if target in self.commits)
        if known:
            return known
        for name in one.reverts_named:
            called = [other for other in self.ancestors(number) if name in self.commits[other].names]
            if called:
                return frozenset({max(called, key=self.order.__getitem__)})
        return frozenset()

    def takes_back(self, number: int) -> frozenset[int]:
        """The commits that are no longer in force where this one is."""
        named = set(self.named_targets(number))
        for target in self.named_targets(number):
            if len(self.commits[target].parents) > 1:
                named |= self.brought_by(target)
        return frozenset(
            older
            for older in self.ancestors(number)
            if any(self.origins(older) <= self.origins(target) for target in named)
        )

    def in_force(self, number: int, tip: str) -> bool:
        """Whether the change of the commit itself is in force there."""
        return self.contains(tip, number) and not any(
            number in self.takes_back(other) and self.in_force(other, tip) for other in self.commits
        )

    # --- what is told --------------------------------------------------------------------------------------------

    def bringing(self, number: int) -> frozenset[int]:
        """Every commit that brings the change of this one."""
        found = self.copies(number)
        for other in self.commits:
            for origin in self.origins(other) - {other}:
                if len(self.commits[origin].parents) > 1 and number in self.brought_by(origin):
                    found.add(other)
        return frozenset(found)

    def carried(self, number: int) -> set[str]:
        """Every tag and branch that has the change in force, by whatever commit of it or of its tickets."""
        found = set(self.bringing(number))
        for ticket in self.commits[number].fixes:
            found |= self.fixing(ticket)
        return {tip for tip in self.tips for other in found if self.in_force(other, tip)}

    def fixing(self, ticket: str) -> set[int]:
        """The commits that fix a ticket."""
        return {one.number for one in self.commits.values() if ticket in one.fixes}

    def status(self, ticket: str, line: str) -> str:
        """A ticket on a line: fixed when it is in force at the line's end, affected when it is there otherwise."""
        brought = {other for number in self.fixing(ticket) for other in self.bringing(number)}
        versions = [tip for tip in self.tips if tip.startswith(f"tag {line}")]
        ends = {"1.0": "branch 1.0", "1.1": "branch 1.1.x", "2.0": "branch release-2.0", "2.1": "branch x/2.1"}
        newest = max(versions, key=lambda tip: (tip.removeprefix("tag ").partition("-")[0].split("."), "-" not in tip))
        end = ends.get(line, "")
        if end not in self.tips or not any(self.contains(end, one) for one in brought):
            end = newest
        if any(self.in_force(one, end) for one in brought):
            return "fixed"
        was_there = end != newest or any(self.contains(tip, one) for tip in versions for one in brought)
        return "affected" if was_there else "unknown"

    def standing(self, number: int, tip: str, before: str | None) -> str:
        """What a changelog does with a commit that is new in a release."""
        if not self.in_force(number, tip):
            return "reverted"
        carried: set[int] = set()
        for other in self.copies(number) - {number}:
            earlier = self.order[other] < self.order[number] and self.in_force(other, tip)
            if earlier or (before is not None and self.in_force(other, before)):
                carried |= self.origins(other)
        if self.origins(number) <= carried:
            return "repeated"
        back = self.takes_back(number)
        if before is not None and any(self.in_force(target, before) for target in back):
            return "revert"
        return "reverted" if any(self.contains(tip, target) for target in back) else "shown"


def _twins(one: Made, other: Made) -> bool:
    if len(one.parents) > 1 or len(other.parents) > 1:
        return False
    return (one.person, one.authored, one.subject) == (other.person, other.authored, other.subject)
