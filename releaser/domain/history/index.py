"""Everything that is known of a history, in flat columns that grow at their end: what is kept, and brought up to date.

A commit is its place: parents stand before their children. Three layers stand on each other: what commits say (`Statements`,
`Links`), which is settled for ever; how they relate (`Relations`), of which new commits change little; and which tips contain
them (`Containment`), of which new tips change whole sets at once.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

from releaser.domain.history.arrival import Arrival
from releaser.domain.history.classes import TicketClasses
from releaser.domain.history.containment import Containment
from releaser.domain.history.graph import Graph, Parents
from releaser.domain.history.ids import Ids
from releaser.domain.history.links import Links
from releaser.domain.history.records import Refs
from releaser.domain.history.relations import Relations
from releaser.domain.history.said import Said
from releaser.domain.history.statements import Statements, date_number


class ReleaseTip(NamedTuple):
    """A release by the keys of its version and of the previous one (empty if there is none), its commit's place, and its tag."""

    key: str
    commit: int
    previous: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tips:
    """What leads to commits, as it was read: releases by rank, and branches by name, each with its commit.

    `others` are the commits of tags that are no releases. `tags` tells what each tag held.
    """

    releases: tuple[ReleaseTip, ...] = ()
    heads: tuple[tuple[str, int], ...] = ()
    others: tuple[int, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def bits(self) -> dict[int, int]:
        """Commit -> a bit of it."""
        found = {commit: bit for bit, (_, commit) in enumerate(self.heads, start=len(self.releases))}
        return found | {one.commit: rank for rank, one in enumerate(self.releases)}

    @property
    def own(self) -> dict[int, int]:
        """Commit -> the bits of all tips that are this very commit."""
        found: dict[int, int] = {}
        led_to = (*(one.commit for one in self.releases), *(commit for _, commit in self.heads))
        for bit, commit in enumerate(led_to):
            found[commit] = found.get(commit, 0) | 1 << bit
        return found

    @property
    def commits(self) -> set[int]:
        """Every commit that is led to."""
        return {one.commit for one in self.releases}.union((commit for _, commit in self.heads), self.others)


@dataclass(slots=True, kw_only=True)
class Kept:
    """How much of an index was written as a whole, by the lengths of its columns, and where that is no longer right since.

    `moved` are commits that have another set, `reclassed` tickets that have another class, `related` commits whose relations are
    others; new ones may be among them. `checksum` names what was written.
    """

    commits: int = 0
    links: int = 0
    tickets: int = 0
    authors: int = 0
    more_names: int = 0
    classes: int = 0
    has_dates: bool = False
    has_classes: bool = False
    checksum: int = 0
    moved: set[int] = field(default_factory=set)
    reclassed: set[int] = field(default_factory=set)
    related: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, index: Index) -> Kept:
        """If it were written now."""
        return cls(
            commits=len(index.committed),
            links=len(index.links.commits),
            tickets=len(index.links.keys),
            authors=len(index.statements.authors),
            more_names=len(index.statements.more_names.keys),
            classes=len(index.classes.keys) if index.classes is not None else 0,
            has_dates=index.statements.dates is not None,
            has_classes=index.classes is not None,
        )

    def copy(self) -> Kept:
        """An independent one."""
        return replace(self, moved=self.moved.copy(), reclassed=self.reclassed.copy(), related=self.related.copy())


class Index:
    """`state` names what it holds and how its sets and classes are numbered; equal states are alike in everything."""

    def __init__(
        self,
        *,
        graph: Graph,
        committed: array[int],
        statements: Statements,
        links: Links,
        contained: Containment,
        tips: Tips,
        state: str,
        relations: Relations | None = None,
        classes: TicketClasses | None = None,
        mark: str = "",
        rules: str = "",
    ) -> None:
        self.graph = graph
        self.committed = committed
        self.statements = statements
        self.links = links
        self.contained = contained
        self.relations = relations or Relations(graph, statements, contained.bits)
        self.classes = classes
        self.tips = tips
        self.state = state
        self.mark = mark
        """Names the refs it was read from; see `mark_of`."""
        self.rules = rules
        """Names how it was read."""
        self.kept: Kept | None = None
        """What stands written somewhere, if anything does."""

    @classmethod
    def empty(cls, rules: str = "") -> Index:
        """Nothing is known yet. States begin with the name of the rules, because these decide all that follows."""
        return cls(
            graph=Graph(Ids(bytearray(), width=20), Parents(), array("q")),
            committed=array("q"),
            statements=Statements(),
            links=Links(),
            contained=Containment(),
            tips=Tips(),
            state=rules,
            rules=rules,
        )

    def copy(self) -> Index:
        """An independent one, which may grow while others still ask this one."""
        graph = Graph(self.graph.ids.copy(), self.graph.edges.copy(), self.graph.when[:], set(self.graph.lost))
        contained, statements = self.contained.copy(), self.statements.copy()
        copied = Index(
            graph=graph,
            committed=self.committed[:],
            statements=statements,
            links=self.links.copy(),
            contained=contained,
            relations=self.relations.copy(graph, statements, contained.bits),
            classes=self.classes.copy() if self.classes is not None else None,
            tips=self.tips,
            state=self.state,
            mark=self.mark,
            rules=self.rules,
        )
        copied.kept = self.kept.copy() if self.kept is not None else None
        return copied

    def classify(self, tickets: Iterable[int] | None = None) -> list[int]:
        """Find the classes of these tickets, or of all; answers which got another."""
        classes, wanted = self.classes, tickets
        if classes is None:
            classes, wanted = TicketClasses(), None
            # Where numbers of classes begin is a part of what the state names.
            self.state = sha256(f"{self.state}\nclasses".encode()).hexdigest()
        changed = classes.renew(
            range(len(self.links.keys)) if wanted is None else wanted,
            links=self.links,
            graph=self.graph,
            contained=self.contained,
            relations=self.relations,
        )
        self.classes = classes
        if self.kept is not None:
            self.kept.reclassed.update(one for one in changed if one < self.kept.tickets)
        return changed

    def append(self, said: Said) -> Arrival:
        """Put new commits at the end; answers how they came to stand. Their sets are still to be found."""
        arrived = Arrival(said, self.graph.ids)
        base, edges = arrived.base, self.graph.edges
        self.graph.ids.extend(Ids.of(arrived.texts(said.ids)))
        edges.first.extend(arrived.first)
        edges.second.extend(arrived.second)
        edges.rest.update(arrived.rest)
        self.committed.extend(arrived.numbers(said.committed))
        _date(self.graph, self.committed, base)
        self._state(said, arrived)
        return arrived

    def _state(self, said: Said, arrived: Arrival) -> None:
        statements, places = self.statements, arrived.places
        authored = arrived.numbers(said.authored)
        statements.authored.extend(authored)
        statements.author.extend(arrived.numbers(said.author))
        statements.name.extend(arrived.numbers(said.name))
        statements.authors += islice(said.authors, len(statements.authors), None)
        more = sorted(zip(places(one for one, _ in said.more_names), [key for _, key in said.more_names], strict=True))
        statements.more_names.commits.extend(commit for commit, _ in more)
        statements.more_names.keys.extend(key for _, key in more)
        statements.sources.update(zip(places(said.sources), said.sources.values(), strict=True))
        statements.claims.update(zip(places(said.claims), said.claims.values(), strict=True))
        if statements.dates is not None:
            statements.dates.extend(map(date_number, authored))
        self.links.extend(sorted(zip(places(said.links), said.links.values(), strict=True)), said.tickets)


def mark_of(refs: Refs) -> str:
    """Names these very tags and branches."""
    tags = (f"{tag.name}\n{tag.object_id}\n{tag.commit}" for tag in refs.tags)
    heads = (f"{head.name}\n{head.commit}" for head in refs.heads)
    return sha256("\0".join([*sorted(tags), "", *sorted(heads), f"{refs.main}"]).encode()).hexdigest()


def _date(graph: Graph, committed: Sequence[int], base: int) -> None:
    """Date the commits from `base` on, each after its parents."""
    when, edges = graph.when, graph.edges
    when.extend(committed[base:])
    for commit, (up, second) in enumerate(zip(edges.first[base:], edges.second[base:], strict=True), start=base):
        if up >= 0 and when[up] >= when[commit]:
            when[commit] = when[up] + 1
        if second >= 0:
            when[commit] = max(when[commit], *(when[parent] + 1 for parent in edges.of(commit)))
