"""Histories made at random, as people make them: lines, merges, picks, reverts, wrong clocks; with what was meant kept.

Ids are those that git gives, so the same history can be written as a repository (`written`) or handed over without one
(`batch`). What a commit was meant to be (`Made.picked`, `Made.reverts` ...) is known from making it: nothing is parsed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path

from hypothesis import strategies as st

from releaser.domain.history import BranchHead, CommitBatch, Refs, TagRef
from tests.fakes.object_world import ObjectWorld, commit_body, object_id, tag_body

START = 1_700_000_000
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
MISSING = "0123456789abcdef0123456789abcdef01234567"
PEOPLE = ("Ann <ann@example.org>", "Боб <bob@example.org>", "Cem Ünal <cem@example.org>")

KINDS = (
    *("work",) * 5, "fork", "fork", "merge", "merge", "pull", "octopus", "root", "pick", "pick", "pick", "fresh pick", "silent",
    "silent", "squashed pick", "revert", "revert", "short revert", "named revert", "named revert", "reapply",
    "several", "lost revert", "near revert", "near revert", "pull revert", "revert of revert", "quoting revert",
)  # fmt: skip

Step = tuple[str, int, int, int, int]
"""What is done, on which branch, to which commit, a number for whatever else is to be chosen, and how wrong the clock is."""

VERSIONS = tuple(f"{x}.{y}{z}" for x in (1, 2) for y in (0, 1, 2) for z in ("", ".1", ".2", "-rc.1"))
ODD_TAGS = ("latest", "v1.2.3.4", "app-1.0", "blob", "blob tag", "1.0.0", "v2.1", "03.4")


@dataclass(kw_only=True)
class Made:
    """One commit, and what was meant by it. Other commits are named by their numbers."""

    number: int
    id: str
    parents: tuple[int, ...]
    person: str
    authored: int
    committed: int
    message: str
    subject: str
    """Without the number that a host appends."""
    names: frozenset[str] = frozenset()
    """What a revert without an id may call it."""
    picked: tuple[int, ...] = ()
    reverts: tuple[int, ...] = ()
    reverts_named: tuple[str, ...] = ()
    """Used where `reverts` is empty; surest first."""
    fixes: tuple[str, ...] = ()
    """The tickets it fixes."""


@dataclass(repr=False)
class RandomHistory:
    """Made by `random_history`, which makes it again from what stands in its `repr`."""

    seed: int
    length: int
    commits: list[Made] = field(default_factory=list)
    tags: dict[str, tuple[int, str]] = field(default_factory=dict)
    odd: frozenset[str] = frozenset()
    tips: list[int] = field(default_factory=list)
    pulls: int = 100

    def __repr__(self) -> str:
        return f"random_history({self.seed}, {self.length})"

    # --- making --------------------------------------------------------------------------------------------------

    def add(
        self,
        subject: str,
        body: str = "",
        *,
        parents: Sequence[int],
        clock: int,
        like: Made | None = None,
        number: str = "",
        picked: Sequence[int] = (),
        reverts: Sequence[int] = (),
        named: Sequence[str] = (),
        names: Sequence[str] = (),
        fixes: Sequence[str] = (),
    ) -> int:
        """One more commit; `like` gives its author and author date."""
        at = START + 600 * (len(self.commits) + 1)
        committed = at + 60 * 60 * clock
        message = subject + number + (f"\n\n{body}" if body else "") + "\n"
        person = like.person if like else PEOPLE[len(self.commits) % len(PEOPLE)]
        authored = like.authored if like else at
        raw = commit_body(
            EMPTY_TREE,
            message.encode(),
            [self.commits[one].id for one in parents],
            f"{person} {authored} +0000",
            f"{PEOPLE[0]} {committed} +0000",
        )
        made = Made(
            number=len(self.commits),
            id=object_id("commit", raw),
            parents=tuple(parents),
            person=person,
            authored=authored,
            committed=committed,
            message=message,
            subject=subject,
            names=frozenset({subject, *names, *([number.strip(" ()")] if number else [])}),
            picked=tuple(picked),
            reverts=tuple(reverts),
            reverts_named=tuple(named),
            fixes=tuple(fixes),
        )
        self.commits.append(made)
        return made.number

    def copy(self, of: Made, *, onto: int, clock: int, trailer: str, silent: bool = False, number: str = "") -> int:
        """The same message once more; whatever it says of picks and reverts it says again."""
        subject, _, rest = of.message.rstrip("\n").partition("\n")
        bare = (
            subject
            if not of.names
            else next((subject.removesuffix(f" ({n})") for n in of.names if n[0] == "#"), subject)
        )
        body = rest.strip("\n")
        if trailer:
            joint = "\n" if body.endswith(")") and "picked from" in body else "\n\n" if body else ""
            body = f"{body}{joint}(cherry picked from commit {trailer})"
        return self.add(
            bare,
            body,
            parents=[onto],
            clock=clock,
            like=of if silent or trailer else None,
            number=number or subject.removeprefix(bare),
            picked=[*([of.number] if trailer else []), *of.picked],
            reverts=of.reverts,
            named=of.reverts_named,
            names=[name for name in of.names if name[0] != "#" or of.subject.startswith("Merge ")],
            fixes=of.fixes,
        )

    def step(self, what: Step) -> None:
        """Do one thing on one branch."""
        kind, branch, one, extra, clock = what
        if not self.commits or kind == "root":
            self.tips.append(self.add(f"root {len(self.commits)}", parents=[], clock=clock))
            return
        at = branch % len(self.tips)
        tip, of = self.tips[at], self.commits[one % len(self.commits)]
        if kind == "fork":
            self.tips.append(of.number)
            return
        self.tips[at] = self._done(kind, tip, of, extra, clock)

    def _done(self, kind: str, tip: int, of: Made, extra: int, clock: int) -> int:
        if kind in {"merge", "octopus", "pull"}:
            return self._merged(kind, tip, extra, clock)
        if "revert" in kind or kind in {"reapply", "several"}:
            return self._reverted(kind, tip, of, extra, clock)
        if kind == "pick":
            return self.copy(of, onto=tip, clock=clock, trailer=of.id)
        if kind == "fresh pick":
            body = f"(cherry picked from commit {of.id[: 40 if extra % 2 else 12]})"
            subject = f"{of.subject} for here"
            fixes = [ticket for ticket in of.fixes if subject.startswith(f"{ticket}: ")]
            return self.add(subject, body, parents=[tip], clock=clock, picked=[of.number], fixes=fixes)
        if kind == "silent":
            return self.copy(of, onto=tip, clock=clock, trailer="", silent=True)
        if kind == "squashed pick":
            other = self.commits[extra % len(self.commits)]
            body = f"* one\n(cherry picked from commit {other.id})\n\n* two\n(cherry picked from commit {of.id})"
            sources = [of.number, other.number]
            return self.add("Backport", body, parents=[tip], clock=clock, number=f" (#{self.pull()})", picked=sources)
        number = f" (#{self.pull()})" if extra % 3 == 0 else ""
        ticket = f"T-{extra % 5}" if extra % 4 == 0 else ""
        subject = f"{ticket}: change {extra % 9}" if ticket else f"change {extra % 9}"
        body = f"Some words.\n\nFixes T-{extra % 7}, see T-99" if extra % 5 == 0 else "Some words."
        fixes = [*([ticket] if ticket else []), *([f"T-{extra % 7}"] if extra % 5 == 0 else [])]
        return self.add(subject, body, parents=[tip], clock=clock, number=number, fixes=list(dict.fromkeys(fixes)))

    def pull(self) -> int:
        """The next number of the host."""
        self.pulls += 1
        return self.pulls

    def _merged(self, kind: str, tip: int, extra: int, clock: int) -> int:
        count = 3 if kind == "octopus" else 1
        others = dict.fromkeys(self.tips[(extra + n) % len(self.tips)] for n in range(count))
        others.pop(tip, None)
        if not others:
            return tip
        if kind == "pull":
            number, title = self.pull(), f"change {extra % 9}"
            subject = f"Merge pull request #{number} from ann/topic"
            return self.add(subject, title, parents=[tip, *others], clock=clock, names=[title, f"#{number}"])
        return self.add(f"Merge branch 'b{extra}'", parents=[tip, *others], clock=clock)

    def _reverted(self, kind: str, tip: int, of: Made, extra: int, clock: int) -> int:
        if kind == "revert of revert":
            of = next((one for one in reversed(self.commits) if one.reverts or one.reverts_named), of)
        if kind == "near revert":
            # What is near is reverted much more often than what is far.
            of = self.commits[self.commits[tip].parents[0]] if self.commits[tip].parents else self.commits[tip]
        merged = f", reversing\nchanges made to {self.commits[of.parents[0]].id}" if len(of.parents) > 1 else ""
        whole = of.message.partition("\n")[0] if extra % 3 else of.subject
        quoted = f'Revert "{whole}"'
        known = [*([whole.removeprefix(of.subject).strip(" ()")] if whole != of.subject else []), of.subject]
        pull = next((name for name in sorted(of.names) if name[0] == "#"), "#99")
        other = self.commits[extra % len(self.commits)]
        subject, body, reverts, named = {
            "short revert": ("Undo that", f"Reverting {of.id[:9]}, it broke", [of], []),
            "named revert": (quoted, "", [], known),
            "lost revert": (quoted, f"This reverts commit {MISSING}.", [], known),
            "reapply": (f'Reapply "{of.subject}"', "", [], [f'Revert "{of.subject}"']),
            "pull revert": (quoted, f"Reverts example/shop{pull}", [], [pull, *known]),
            "several": ("Undo them", f"This reverts commits {of.id} and {other.id}.", [of, other], []),
            "quoting revert": (
                f'Revert "{of.subject}.(cherry picked from commit {of.id})"',
                f"This reverts commit {of.id}.",
                [of],
                [],
            ),
        }.get(kind, (quoted, f"This reverts commit {of.id}{merged}.", [of], []))
        return self.add(
            subject,
            body,
            parents=[tip],
            clock=clock,
            reverts=[one.number for one in reverts],
            named=named,
            number=f" (#{self.pull()})" if quoted == subject and extra % 2 else "",
        )

    # --- handing over --------------------------------------------------------------------------------------------

    def branches(self) -> dict[str, int]:
        """Branch name -> newest commit."""
        names = ["main", "1.0", "1.1.x", "release-2.0", "topic", "x/2.1"]
        return {names[n] if n < len(names) else f"b{n}": tip for n, tip in enumerate(self.tips)}

    def written(self, folder: Path) -> ObjectWorld:
        """The same as a repository."""
        world = ObjectWorld(folder)
        for one in self.commits:
            parents = [self.commits[parent].id for parent in one.parents]
            author, committer = f"{one.person} {one.authored} +0000", f"{PEOPLE[0]} {one.committed} +0000"
            made = world.commit(one.message.encode(), *parents, author=author, committer=committer)
            if made != one.id:
                raise AssertionError(one)
        refs = {f"refs/heads/{name}": self.commits[tip].id for name, tip in self.branches().items()}
        for name, (number, form) in self.tags.items():
            target, kind = self.commits[number].id, "commit"
            for _ in range({"plain": 0, "annotated": 1, "nested": 3}[form]):
                target, kind = world.write("tag", tag_body(target, kind, name)), "tag"
            refs[f"refs/tags/{name}"] = target
        blob = world.write("blob", b"x")
        for name in self.odd:
            odd = {"blob": blob, "blob tag": world.write("tag", tag_body(blob, "blob", "blob-tag"))}
            refs.setdefault(f"refs/tags/{name.replace(' ', '-')}", odd.get(name, self.commits[0].id))
        world.refs(refs)
        return world

    def refs(self) -> Refs:
        """What a source would say of tags and branches; the odd tags are left out."""
        return Refs(
            tags=tuple(
                TagRef(name=name, object_id=name, commit=self.commits[n].id) for name, (n, _) in self.tags.items()
            ),
            heads=tuple(BranchHead(name=name, commit=self.commits[n].id) for name, n in self.branches().items()),
            main="main",
            fingerprint="",
        )

    def batch(self) -> CommitBatch:
        """Every commit in the order in which git walks: the latest of those that are reached."""
        heap: list[tuple[int, int]] = []
        seen: set[int] = set()
        order: list[Made] = []
        wanted = [*self.tips, *(number for number, _ in self.tags.values())]
        while wanted or heap:
            for number in wanted:
                if number not in seen:
                    seen.add(number)
                    heappush(heap, (-self.commits[number].committed, number))
            if not heap:
                break
            order.append(self.commits[heappop(heap)[1]])
            wanted = list(order[-1].parents)
        return CommitBatch(
            ids=[one.id for one in order],
            parents=[" ".join(self.commits[parent].id for parent in one.parents) for one in order],
            authored=[str(one.authored) for one in order],
            committed=[str(one.committed) for one in order],
            names=[one.person.partition(" <")[0] for one in order],
            mails=[one.person.partition("<")[2].rstrip(">") for one in order],
            messages=[one.message for one in order],
        )


def random_history(seed: int, length: int) -> RandomHistory:
    """The history of that seed after so many steps; fewer steps are the same history, ended earlier."""
    chance = random.Random(seed)  # noqa: S311 -- it must come out the same again
    made = RandomHistory(seed, length)
    for _ in range(length):
        clock = chance.choice([0, 0, 0, 0, 0, -7, 9, -40])
        made.step((chance.choice(KINDS), chance.randrange(6), chance.randrange(99), chance.randrange(30), clock))
    last = len(made.commits)
    for version in chance.sample(VERSIONS, chance.randrange(9)):
        # Most releases are cut at the end of a branch.
        number = made.tips[chance.randrange(len(made.tips))] if chance.random() < 0.4 else chance.randrange(last)
        made.tags[version] = (number, chance.choice(["plain", "plain", "annotated", "nested"]))
    made.odd = frozenset(chance.sample(ODD_TAGS, chance.randrange(4)))
    return made


def histories(*, longest: int = 45) -> st.SearchStrategy[RandomHistory]:
    """Random histories, told by their seed and length."""
    return st.builds(random_history, st.integers(0, 2**32), st.integers(1, longest))
