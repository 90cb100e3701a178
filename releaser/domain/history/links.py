"""Which commits name which tickets, in flat columns: the links of a commit stand together, those of a ticket are chained."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar, overload

from releaser.domain.history.graph import Graph
from releaser.domain.ticket import TicketLink, TicketRelation

_Other = TypeVar("_Other")


class Links:
    """Links of commits in the order of their places; grows at its end. A ticket is its number in `keys`."""

    def __init__(
        self,
        *,
        keys: list[str] | None = None,
        commits: array[int] | None = None,
        tickets: array[int] | None = None,
        fixes: bytearray | None = None,
        earlier: array[int] | None = None,
        last: array[int] | None = None,
    ) -> None:
        self.keys = [] if keys is None else keys
        self.commits = array("i") if commits is None else commits
        """The commit of every link, ascending."""
        self.tickets = array("i") if tickets is None else tickets
        self.fixes = bytearray() if fixes is None else fixes
        self.earlier = array("i") if earlier is None else earlier
        """For every link the one before it of the same ticket, -1 for none."""
        self.last = array("i") if last is None else last
        """For every ticket its last link."""
        self._numbers: dict[str, int] | None = None

    def copy(self) -> Links:
        """An independent one."""
        copied = Links(
            keys=self.keys[:],
            commits=self.commits[:],
            tickets=self.tickets[:],
            fixes=self.fixes[:],
            earlier=self.earlier[:],
            last=self.last[:],
        )
        copied._numbers = self._numbers.copy() if self._numbers is not None else None
        return copied

    @property
    def numbers(self) -> dict[str, int]:
        """Ticket -> its number."""
        if self._numbers is None:
            self._numbers = dict(zip(self.keys, range(len(self.keys)), strict=True))
        return self._numbers

    def number(self, key: str) -> int | None:
        """The number of a ticket; finds a single one without making the whole dictionary."""
        if self._numbers is not None:
            return self._numbers.get(key)
        try:
            return self.keys.index(key)
        except ValueError:
            return None

    def extend(self, links: Iterable[tuple[int, Sequence[tuple[int, bool]]]], numbers: dict[str, int]) -> None:
        """Put the links of more commits at the end (commit -> ticket and whether it is fixed); `numbers` has all tickets now."""
        self.go_on(links, islice(numbers, len(self.keys), None))
        self._numbers = numbers

    def go_on(self, links: Iterable[tuple[int, Sequence[tuple[int, bool]]]], keys: Iterable[str]) -> None:
        """Likewise, with the `keys` of tickets that are new."""
        self.keys += keys
        self._numbers = None
        self.last.extend([-1] * (len(self.keys) - len(self.last)))
        rows = [(commit, *one) for commit, found in links for one in found]
        last, hang = self.last, self.earlier.append
        for link, (_, ticket, _) in enumerate(rows, start=len(self.commits)):
            hang(last[ticket])
            last[ticket] = link
        self.commits.extend([commit for commit, _, _ in rows])
        self.tickets.extend([ticket for _, ticket, _ in rows])
        self.fixes.extend([fixes for _, _, fixes in rows])

    def of_commit(self, commit: int) -> range:
        """The links of a commit, in the order of its message."""
        start = bisect_left(self.commits, commit)
        end = start
        while end < len(self.commits) and self.commits[end] == commit:
            end += 1
        return range(start, end)

    def of_ticket(self, ticket: int) -> Iterator[int]:
        """The links of a ticket, latest place first."""
        link = self.last[ticket]
        while link >= 0:
            yield link
            link = self.earlier[link]

    def fixing(self, ticket: int) -> list[int]:
        """The commits that fix a ticket, those included that nothing leads to any more."""
        return [self.commits[link] for link in self.of_ticket(ticket) if self.fixes[link]]


class LinksByCommit(Mapping[int, tuple[TicketLink, ...]]):
    """Commit -> the tickets it names; commits that name none are absent."""

    def __init__(self, links: Links, graph: Graph) -> None:
        self._links = links
        self._graph = graph

    def __getitem__(self, commit: int) -> tuple[TicketLink, ...]:
        found = self._found(commit)
        if not found:
            raise KeyError(commit)
        return found

    @overload
    def get(self, commit: int, default: None = None, /) -> tuple[TicketLink, ...] | None: ...
    @overload
    def get(self, commit: int, default: tuple[TicketLink, ...] | _Other, /) -> tuple[TicketLink, ...] | _Other: ...
    def get(self, commit: int, default: object = None, /) -> object:
        """As every mapping does, but most commits name no ticket: an error for each would cost more than all the rest."""
        return self._found(commit) or default

    def _found(self, commit: int) -> tuple[TicketLink, ...]:
        links = self._links
        return (
            tuple([self._link(links.tickets[one], fixes=bool(links.fixes[one])) for one in links.of_commit(commit)])
            if commit not in self._graph.lost
            else ()
        )

    def _link(self, ticket: int, *, fixes: bool) -> TicketLink:
        return TicketLink(key=self._links.keys[ticket], relation=TicketRelation.FIXES if fixes else TicketRelation.REFS)

    def __contains__(self, commit: object) -> bool:
        return isinstance(commit, int) and commit not in self._graph.lost and bool(self._links.of_commit(commit))

    def __iter__(self) -> Iterator[int]:
        lost = self._graph.lost
        return (commit for commit in dict.fromkeys(self._links.commits) if commit not in lost)

    def __len__(self) -> int:
        return sum(1 for _ in self)
