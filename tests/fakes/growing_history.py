"""Random histories that go on: read, gone on with, read again. Branches move, go back and vanish; so do tags."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from releaser.domain.history import BranchHead, CommitBatch, Refs, TagRef
from tests.fakes.random_history import KINDS, ODD_TAGS, VERSIONS, Made, RandomHistory

CLOCKS = (0, 0, 0, 0, 0, 0, -7, 9, -40)


@dataclass
class GrowingHistory:
    """`made` has all commits there ever were; `heads` and `tags` what leads to some of them now (name -> commit's number)."""

    chance: random.Random
    made: RandomHistory = field(default_factory=lambda: RandomHistory(0, 0))
    heads: dict[str, int] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)

    def go_on(self, steps: int) -> None:
        """Some new commits; then branches and tags are moved."""
        chance = self.chance
        for _ in range(steps):
            self.made.step(
                (
                    chance.choice(KINDS),
                    chance.randrange(6),
                    chance.randrange(99),
                    chance.randrange(30),
                    chance.choice(CLOCKS),
                )
            )
        branches = self.made.branches()
        for name, tip in branches.items():
            # Most branches are pushed each time; some later, and then several things come at once.
            if name == "main" or chance.random() < 0.7:
                self.heads[name] = tip
        for _ in range(chance.choice((0, 1, 1, 2, 4))):
            self._tag()
        if chance.random() < 0.3:
            self._disturb()

    def _tag(self) -> None:
        known = [*self.heads.values(), self.chance.randrange(len(self.made.commits))]
        name = self.chance.choice((*VERSIONS, *VERSIONS, *ODD_TAGS))
        self.tags.setdefault(name, self.chance.choice(known))

    def _disturb(self) -> None:
        """What should not happen, and does."""
        chance, last = self.chance, len(self.made.commits)
        match chance.randrange(5):
            case 0 if len(self.heads) > 1:
                self.heads.pop(chance.choice([name for name in self.heads if name != "main"]))
            case 1:
                self.heads[chance.choice(list(self.heads))] = chance.randrange(last)
            case 2 if self.tags:
                self.tags.pop(chance.choice(list(self.tags)))
            case 3 if self.tags:
                self.tags[chance.choice(list(self.tags))] = chance.randrange(last)
            case _:
                self.heads[f"old/{chance.randrange(9)}"] = chance.randrange(last)

    def refs(self) -> Refs:
        """Tags and branches as a source would tell them now."""
        ids = [one.id for one in self.made.commits]
        state = sorted([*self.heads.items(), *((f"tag {name}", number) for name, number in self.tags.items())])
        return Refs(
            tags=tuple(TagRef(name=name, object_id=ids[n], commit=ids[n]) for name, n in self.tags.items()),
            heads=tuple(BranchHead(name=name, commit=ids[n]) for name, n in self.heads.items()),
            main="main",
            fingerprint=repr(state),
        )

    def batch(self, tips: Iterable[str], known: Collection[str] = ()) -> CommitBatch:
        """The commits reachable from `tips` and not from `known`, in the order in which git walks: the latest first."""
        number_of = {one.id: one.number for one in self.made.commits}
        excluded = self._behind(number_of[one] for one in known)
        wanted = self._behind(number_of[one] for one in tips) - excluded
        return _batch([self.made.commits[n] for n in self._walked(wanted)], self.made)

    def _walked(self, wanted: set[int]) -> list[int]:
        """By date, latest first; but a commit is only seen once a child of it was, unless it has none."""
        commits = self.made.commits
        parents = {parent for number in wanted for parent in commits[number].parents}
        ends = [number for number in wanted if number not in parents]
        found: list[int] = []
        seen = set(ends)
        while ends:
            at = max(ends, key=lambda number: (commits[number].committed, number))
            ends.remove(at)
            found.append(at)
            fresh = [one for one in commits[at].parents if one in wanted and one not in seen]
            seen.update(fresh)
            ends += fresh
        return found

    def _behind(self, numbers: Iterable[int]) -> set[int]:
        found = set(numbers)
        stack = list(found)
        while stack:
            fresh = set(self.made.commits[stack.pop()].parents) - found
            found |= fresh
            stack += fresh
        return found


def _batch(commits: list[Made], made: RandomHistory) -> CommitBatch:
    return CommitBatch(
        ids=[one.id for one in commits],
        parents=[" ".join(made.commits[parent].id for parent in one.parents) for one in commits],
        authored=[str(one.authored) for one in commits],
        committed=[str(one.committed) for one in commits],
        names=[one.person.partition(" <")[0] for one in commits],
        mails=[one.person.partition("<")[2].rstrip(">") for one in commits],
        messages=[one.message + _tickets(one) for one in commits],
    )


def _tickets(one: Made) -> str:
    """Most commits name some of a few tickets."""
    words = ("", "\nFixes T-{}\n", "\nSee T-{}\n", "\nFixes T-{}, T-3\n")
    return words[one.authored % 4].format(one.authored // 600 % 7)
