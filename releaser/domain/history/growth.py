"""An index brought up to date: what refs lead to now, with the commits that are new."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from releaser.domain.history.arrival import Arrival
from releaser.domain.history.containment import spread
from releaser.domain.history.index import Index, ReleaseTip, Tips, mark_of
from releaser.domain.history.records import Refs, instant
from releaser.domain.history.relations import Renewed, twin_groups
from releaser.domain.history.releases import read_heads, read_tags
from releaser.domain.history.said import Said
from releaser.domain.history.views import Head, TaggedRelease, UnreadTag
from releaser.domain.version import TagFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How a product calls its tags, and its lines' branches; see `releases.read_heads`."""

    tag_format: TagFormat
    line_branch: str = "{line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What tags and branches make."""

    releases: tuple[TaggedRelease, ...]
    unread_tags: tuple[UnreadTag, ...]
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """What `grow` did. All are places; of `moved` the sets are others, `namers` name a commit that is fresh or lost.

    `fresh` commits are new, or found again after they were lost; `tickets` (numbers) got another class; `before` are the sets as
    they were, by number.
    """

    fresh: tuple[int, ...]
    lost: tuple[int, ...]
    moved: tuple[int, ...]
    namers: frozenset[int]
    renewed: Renewed
    tickets: tuple[int, ...]
    before: tuple[int, ...]
    arrived: Arrival


def wanted(index: Index, refs: Refs) -> tuple[list[str], list[str]]:
    """The commits that are to be read: those reachable from the first and not from the second (full ids)."""
    ids, bits = index.graph.ids, index.contained.bits
    own = index.tips.own
    known = {ids[commit] for commit in index.tips.commits}
    tips = {tag.commit for tag in refs.tags if tag.commit} | {head.commit for head in refs.heads}
    fresh = [one for one in sorted(tips - known) if _find(index, one) is None]
    # What another tip leads to needs no saying.
    ends = [ids[commit] for commit in sorted(index.tips.commits) if not bits(commit) & ~own.get(commit, 0)]
    return (fresh, ends) if fresh else ([], [])


def _find(index: Index, full: str) -> int | None:
    place = index.graph.ids.place(full)
    return None if place in index.graph.lost else place


def tell(index: Index, refs: Refs, find: Callable[[str], int | None], naming: Naming) -> Told:
    """The releases and heads that refs make of an index that has all their commits."""

    def committed_at(commit: str) -> datetime | None:
        place = find(commit)
        return instant(index.committed[place]) if place is not None else None

    releases, unread = read_tags(refs.tags, tag_format=naming.tag_format, committed_at=committed_at)
    heads = read_heads(refs, releases, line_branch=naming.line_branch, has=lambda commit: find(commit) is not None)
    return Told(releases=releases, unread_tags=unread, heads=heads)


def tell_again(index: Index, refs: Refs, naming: Naming) -> Told:
    """Likewise for the refs that the index was read from."""
    ids = index.graph.ids
    return tell(index, refs, {ids[commit]: commit for commit in index.tips.commits}.get, naming)


def grow(index: Index, said: Said, refs: Refs, naming: Naming) -> tuple[Told, Grown]:
    """Bring `index` up to `refs`; `said` are the commits that `wanted` asked for. Changes `index`."""
    was, before = index.tips, tuple(index.contained.sets)
    again = _known_already(index, said)
    arrived = index.append(said)
    places = {index.graph.ids[commit]: commit for commit in was.commits}

    def find(full: str) -> int | None:
        printed = said.places.get(full)
        if printed is not None:
            return arrived.place(printed)
        place = places.get(full)
        return _find(index, full) if place is None and arrived.base else place

    told = tell(index, refs, find, naming)
    index.tips = _tips(told, refs, find)
    moved = _contain(index, was, before, arrived.base)
    lost = _lose(index, was)
    fresh = (*sorted(again), *range(arrived.base, len(index.committed)))
    if arrived.base:
        concerned = _concerned(index, {*fresh, *lost})
        # A twin of what is lost may have none any more.
        concerned.update(twin for one in lost for twin in index.statements.written_with(one))
        together: Iterable[int] = {twin for one in concerned for twin in index.statements.written_with(one)}
    else:
        concerned = index.statements.sources.keys() | index.statements.claims.keys()
        together = map(arrived.place, said.together)
    twins = twin_groups(index.statements, index.graph, together)
    renewed = index.relations.renew(concerned, twins=twins)
    if index.kept is not None:
        index.kept.moved.update(moved)
        index.kept.related |= renewed.facts | renewed.judged
    tickets = _reclassify(index, fresh, {*fresh, *lost, *moved, *renewed.copies, *renewed.reverted})
    index.mark = mark_of(refs)
    index.state = hashlib.sha256(f"{index.state}\n{index.mark}".encode()).hexdigest()
    return told, Grown(
        fresh=fresh,
        lost=tuple(sorted(lost)),
        moved=tuple(sorted(moved)),
        namers=frozenset(concerned).difference(fresh, lost) if arrived.base else frozenset(),
        renewed=renewed,
        tickets=tuple(tickets),
        before=before,
        arrived=arrived,
    )


def _known_already(index: Index, said: Said) -> set[int]:
    """Take commits that stand in the index out of what is new; answers those of them that were lost."""
    if not len(index.graph.ids):
        return set()
    known = {
        printed: place for one, printed in said.places.items() if (place := index.graph.ids.place(one)) is not None
    }
    if known:
        said.leave_out(known)
    found = index.graph.lost & set(known.values())
    index.graph.lost -= found
    return found


def _tips(told: Told, refs: Refs, find: Callable[[str], int | None]) -> Tips:
    releases = tuple(
        ReleaseTip(one.version.key, place, one.previous.key if one.previous else "", one.tag)
        for one in told.releases
        if (place := find(one.commit)) is not None
    )
    heads = tuple((one.branch, place) for one in told.heads if (place := find(one.commit)) is not None)
    led_to = {place for tag in refs.tags if tag.commit and (place := find(tag.commit)) is not None}
    return Tips(
        releases=releases,
        heads=heads,
        others=tuple(sorted(led_to - {one.commit for one in releases})),
        tags={tag.name: tag.object_id for tag in refs.tags},
    )


def _contain(index: Index, was: Tips, before: Sequence[int], base: int) -> list[int]:
    """Find the sets of the commits from `base` on, and bring those of the others up to date; the commits that changed theirs."""
    graph, contained, now = index.graph, index.contained, index.tips
    own = now.own
    of, sets, leaving = spread(graph.edges, base, {commit: bits for commit, bits in own.items() if commit >= base})
    moved: list[int] = []
    if base:
        contained.renumber(_renumbered(was, now, leaving))
        for commit, bits in own.items():
            if commit < base:
                leaving[commit] = leaving.get(commit, 0) | bits
        moved = contained.add(graph, leaving, tips=was.bits, before=before)
    contained.append(of, sets)
    return moved


def _renumbered(was: Tips, now: Tips, leaving: Mapping[int, int]) -> list[int | None]:
    """Where each bit goes. A tip that now leads elsewhere gives its bit up, unless it only went on from where it was."""
    ranks = {one.key: (rank, one.commit) for rank, one in enumerate(now.releases)}
    bits = {branch: (bit, commit) for bit, (branch, commit) in enumerate(now.heads, start=len(now.releases))}
    found: list[int | None] = []
    for one in was.releases:
        rank, there = ranks.get(one.key, (0, -1))
        found.append(rank if there == one.commit else None)
    for branch, commit in was.heads:
        bit, there = bits.get(branch, (0, -1))
        went_on = there >= 0 and leaving.get(commit, 0) >> bit & 1
        found.append(bit if there == commit or went_on else None)
    return found


def _lose(index: Index, was: Tips) -> set[int]:
    """Mark what nothing leads to any more; answers that."""
    graph, bits = index.graph, index.contained.bits
    dropped = [commit for commit in was.commits - index.tips.commits if not bits(commit)]
    if not dropped:
        return set()
    # What only a tag leads to that is no release stands in the empty set like what is lost.
    kept = _walked(index, [commit for commit in index.tips.others if not bits(commit)], set())
    lost = _walked(index, dropped, kept)
    graph.lost |= lost
    return lost


def _walked(index: Index, start: Iterable[int], besides: set[int]) -> set[int]:
    """The commits behind these that are in no release and on no branch, `besides` what is known."""
    bits, parents = index.contained.bits, index.graph.parents
    found = set(start) - besides
    stack = list(found)
    while stack:
        for parent in parents(stack.pop()):
            if parent not in found and parent not in besides and not bits(parent):
                found.add(parent)
                stack.append(parent)
    return found


def _concerned(index: Index, changed: set[int]) -> set[int]:
    """The commits whose relations these may touch: themselves, who names them, and what is in doubt."""
    said = index.statements
    namers: dict[str, list[int]] = {}
    for commit, texts in said.sources.items():
        for text in texts:
            namers.setdefault(text, []).append(commit)
    for commit, claim in said.claims.items():
        for text in (*claim.ids, *claim.quoted):
            namers.setdefault(text, []).append(commit)
    found = changed | index.relations.doubtful
    lengths = {len(text) for text in namers}
    for commit in changed:
        full = index.graph.ids[commit]
        for length in lengths:
            found.update(namers.get(full[:length], ()))
    return found


def _reclassify(index: Index, fresh: Iterable[int], changed: Iterable[int]) -> list[int]:
    """Find the classes again of the tickets that these commits name or decide on; which got another."""
    if index.classes is None:
        return []
    links, copies = index.links, index.relations.copies
    tickets = {links.tickets[link] for commit in fresh for link in links.of_commit(commit)}
    deciding = set(changed)
    for commit in changed:
        if copies.may_be_elsewhere(commit):
            deciding |= copies.group(commit)
            deciding.update(copies.brought_by_source(commit))
    for commit in deciding:
        tickets.update(links.tickets[link] for link in links.of_commit(commit) if links.fixes[link])
    return index.classify(sorted(tickets))
