"""Which tickets a history names, which commits fix them, and which of them are alike. The table stands on it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from releaser.domain.history.classes import UNFIXED, TicketClasses, deciders
from releaser.domain.history.index import Index

# To find the links of one commit costs as much as to look at so many.
_SEARCHES = 16
_NAMES_NONE: tuple[tuple[str, ...], bool] = ((), False)


class Tickets:
    """What an index says of tickets, by their keys or their numbers. A part of every `History`."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.graph = index.graph

    def fixed_by(self, commits: Sequence[int]) -> dict[int, list[int]]:
        """Commit -> the numbers of the tickets that it fixes by its own words; those that fix none are absent. For thousands too."""
        links = self.index.links
        # Commits that are asked for together mostly stand near each other.
        start = bisect_left(links.commits, min(commits, default=0))
        end = bisect_right(links.commits, max(commits, default=0))
        if len(commits) * _SEARCHES < end - start:
            wanted: Iterable[int] = (link for commit in commits for link in links.of_commit(commit))
        else:
            among = set(commits)
            wanted = [link for link, commit in enumerate(links.commits[start:end], start) if commit in among]
        found: dict[int, list[int]] = {}
        for link in wanted:
            if links.fixes[link]:
                found.setdefault(links.commits[link], []).append(links.tickets[link])
        return found

    def fixing(self, key: str) -> list[int]:
        """The commits that fix a ticket, oldest first."""
        number = self.index.links.number(key)
        found = self.index.links.fixing(number) if number is not None else ()
        return self.graph.oldest_first(one for one in found if one not in self.graph.lost)

    def deciding(self, number: int) -> set[int]:
        """The commits that decide where a ticket is: those that fix it, and every pick of theirs."""
        return deciders(number, links=self.index.links, graph=self.graph, relations=self.index.relations)

    @cached_property
    def tickets_by_age(self) -> Sequence[int]:
        """The numbers of all tickets that are named, by the age of the first commit that does, and where its message names them."""
        links, graph = self.index.links, self.graph
        first: dict[int, int] = {}
        for link, (commit, ticket) in enumerate(zip(links.commits, links.tickets, strict=True)):
            if commit in graph.lost:
                continue
            other = first.setdefault(ticket, link)
            if other != link and graph.when[commit] <= graph.when[before := links.commits[other]]:
                first[ticket] = link if graph.order(commit) < graph.order(before) else other
        # Links of one commit stand together in the order of its message, so their own order decides between them.
        return sorted(first, key=lambda ticket: (*graph.order(links.commits[first[ticket]]), first[ticket]))

    @property
    def classes(self) -> TicketClasses:
        """The classes of all tickets; found the first time."""
        if self.index.classes is None:
            self.index.classify()
        if self.index.classes is None:
            raise AssertionError(self.index)
        return self.index.classes

    @cached_property
    def class_places(self) -> Sequence[tuple[int, int]]:
        """For every class where it is in force, and where it is contained, as bits."""
        classes = self.classes
        return [
            classes.places(number, self.index.contained, self.index.relations) for number in range(len(classes.keys))
        ]

    @cached_property
    def tickets_alike(self) -> Mapping[tuple[int, int], Sequence[int]]:
        """The numbers of the tickets that are fixed, by where they are in force and where contained, both as bits."""
        by_class: dict[int, list[int]] = {}
        for ticket, number in enumerate(self.classes.of):
            by_class.setdefault(number, []).append(ticket)
        by_class.pop(UNFIXED, None)
        found: dict[tuple[int, int], list[int]] = {}
        for number, tickets in by_class.items():
            found.setdefault(self.class_places[number], []).extend(tickets)
        return found

    @cached_property
    def named(self) -> Mapping[int, tuple[tuple[str, ...], bool]]:
        """What `links` says, for who asks of thousands: commit -> the tickets that it names, and whether it fixes any."""
        links = self.index.links
        found: dict[int, tuple[tuple[str, ...], bool]] = {}
        for commit, ticket, fixes in zip(links.commits, links.tickets, links.fixes, strict=True):
            keys, fixing = found.get(commit, _NAMES_NONE)
            found[commit] = (*keys, links.keys[ticket]), fixing or bool(fixes)
        return found
