"""Which releases carry the fix of a ticket, as the history said at the last collect, and by which commits.

A fix is where it is in force: copies count, what was taken back does not. Commits that only refer to a ticket decide nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from releaser.domain.release import ReleaseState
from releaser.domain.ticket import TicketRelation
from releaser.store.commits import Commit, FixSet, Pick, ReleaseCommit, ReleaseSet, Revert, TicketCommit, TicketFix
from releaser.store.releases import Release

_NUMBERS = re.compile(r"([0-9]+)")
# Databases take only so many values in one statement.
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A release that has a fix: `commit` is what brought it, empty when only others know; `new` tells whether it came in this one."""

    release_id: int
    version: str
    line: str
    commit: str
    new: bool


def fixed_in(session: Session, product_id: int, keys: Collection[str]) -> dict[str, frozenset[str]]:
    """Ticket -> the versions that have it fixed; keys without any are absent. A release not collected yet has nothing."""
    query = (
        select(TicketFix.ticket, FixSet.bits)
        .join(FixSet, FixSet.number == TicketFix.fix_set)
        .where(TicketFix.product_id == product_id, FixSet.product_id == product_id)
    )
    sets = {key: int.from_bytes(bits, "little") for key, bits in _rows(session, query, TicketFix.ticket, keys)}
    if not any(sets.values()):
        return {}
    released = select(Release.rank, Release.version).where(
        Release.product_id == product_id, Release.rank.is_not(None), Release.state != ReleaseState.ABANDONED
    )
    versions = {row[0]: row[1] for row in session.execute(released)}
    found = {
        key: frozenset(versions[rank] for rank in _members(bits) if rank in versions) for key, bits in sets.items()
    }
    return {key: carrying for key, carrying in found.items() if carrying}


def lost(session: Session, product_id: int, *, running: str, upto: str) -> list[str]:
    """The tickets that are fixed in the version `running` and not in `upto`, by key. Of a release not collected yet nothing is known."""
    query = select(Release.version, Release.rank).where(
        Release.product_id == product_id, Release.rank.is_not(None), Release.version.in_([running, upto])
    )
    ranks = {row.version: row.rank for row in session.execute(query) if row.rank is not None}
    if len(ranks) != len({running, upto}):
        return []
    sets = session.execute(select(FixSet.number, FixSet.bits).where(FixSet.product_id == product_id))
    missing = [
        number
        for number, bits in sets
        if (known := int.from_bytes(bits, "little")) >> ranks[running] & 1 and not known >> ranks[upto] & 1
    ]
    tickets = select(TicketFix.ticket).where(TicketFix.product_id == product_id)
    return sorted((row[0] for row in _rows(session, tickets, TicketFix.fix_set, missing)), key=_counted)


def _counted(key: str) -> list[tuple[int, str]]:
    """SHOP-9 comes before SHOP-10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in _NUMBERS.split(key)]


def carriers(session: Session, product_id: int, key: str) -> list[Carrier]:
    """The releases that have the ticket fixed, lowest version first."""
    versions = fixed_in(session, product_id, [key]).get(key)
    if not versions:
        return []
    rows = session.execute(
        select(Release.id, Release.version, Release.line, Release.rank)
        .where(Release.product_id == product_id, Release.rank.is_not(None))
        .order_by(Release.sort_key, Release.id)
    ).all()
    fixing = _fixing(session, product_id, key)
    sets = _sets(session, product_id, fixing)
    new = _new(session, fixing)
    return [
        Carrier(
            release_id=row.id,
            version=row.version,
            line=row.line,
            commit=_bringer(fixing, sets, new.get(row.id, frozenset()), row.rank),
            new=row.id in new,
        )
        for row in rows
        if row.version in versions
    ]


def commits_of(session: Session, product_id: int, key: str) -> list[dict[str, Any]]:
    """Every commit that names a ticket, and the copies of those that fix it, oldest first, as plain data."""
    named = session.execute(
        select(TicketCommit.commit_id, TicketCommit.relation).where(
            TicketCommit.product_id == product_id, TicketCommit.ticket == key
        )
    ).all()
    relations = {row.commit_id: row.relation for row in named}
    everything = {*relations, *_fixing(session, product_id, key)}
    rows = [row[0] for row in _rows(session, select(Commit), Commit.id, everything)]
    found = sorted(rows, key=lambda commit: (commit.committed_at, commit.id))
    sources = {
        row[0]: row[1] for row in _rows(session, select(Pick.commit_id, Pick.source), Pick.commit_id, everything)
    }
    reverted = _reverted(session, product_id, [commit.sha for commit in found])
    return [
        {
            "commit": commit.sha,
            "subject": commit.subject,
            "author": commit.author,
            "committed_at": commit.committed_at,
            "relation": relations.get(commit.id),
            "picked_from": sources.get(commit.id),
            "reverted_by": reverted.get(commit.sha, []),
        }
        for commit in found
    ]


def telling(session: Session, product_id: int, keys: Collection[str]) -> dict[str, frozenset[str]]:
    """Ticket -> the full ids of commits whose texts tell of it: those that name it, copies of its fix, what takes either back."""
    named: dict[str, set[str]] = {key: set(_fixing(session, product_id, key).values()) for key in keys}
    query = (
        select(TicketCommit.ticket, Commit.sha)
        .join(Commit, Commit.id == TicketCommit.commit_id)
        .where(TicketCommit.product_id == product_id)
    )
    for ticket, sha in _rows(session, query, TicketCommit.ticket, keys):
        named[ticket].add(sha)
    undoing = _undoing(session, product_id) if keys else {}
    for found in named.values():
        fresh = set(found)
        while fresh:
            fresh = {sha for one in fresh for sha in undoing.get(one, ())} - found
            found.update(fresh)
    return {key: frozenset(found) for key, found in named.items()}


def _undoing(session: Session, product_id: int) -> dict[str, list[str]]:
    """Commit -> the commits that take it back, of the whole product: there are few."""
    query = select(Revert.reverted, Commit.sha).join(Commit, Commit.id == Revert.commit_id)
    found: dict[str, list[str]] = defaultdict(list)
    for reverted, sha in session.execute(query.where(Commit.product_id == product_id)):
        found[reverted].append(sha)
    return found


def _bringer(fixing: Mapping[int, str], sets: Mapping[int, int], new: frozenset[int], rank: int) -> str:
    """The commit that a release has the fix from: one that is new in it, else the one that is in the fewest releases."""
    has = [commit_id for commit_id in fixing if sets.get(commit_id, 0) >> rank & 1]
    best = min(has, key=lambda one: (one not in new, sets[one].bit_count(), one), default=None)
    return fixing[best] if best is not None else ""


def _fixing(session: Session, product_id: int, key: str) -> dict[int, str]:
    """The commits that fix a ticket, and everything that hangs together with them by picking: id -> sha."""
    named = session.execute(
        select(Commit.id, Commit.sha)
        .join(TicketCommit, TicketCommit.commit_id == Commit.id)
        .where(
            TicketCommit.product_id == product_id,
            TicketCommit.ticket == key,
            TicketCommit.relation == TicketRelation.FIXES.value,
        )
    )
    found = {row.id: row.sha for row in named}
    fresh = set(found.values())
    original, copy = _table().alias("original"), _table().alias("copy")
    query = (
        select(original.c.id, original.c.sha, copy.c.id, copy.c.sha)
        .join(Pick, Pick.source == original.c.sha)
        .join(copy, copy.c.id == Pick.commit_id)
        .where(original.c.product_id == product_id, copy.c.product_id == product_id)
    )
    while fresh:
        edges = [*_rows(session, query, Pick.source, fresh), *_rows(session, query, copy.c.sha, fresh)]
        reached = {commit_id: sha for edge in edges for commit_id, sha in ((edge[0], edge[1]), (edge[2], edge[3]))}
        fresh = {sha for commit_id, sha in reached.items() if commit_id not in found}
        found |= reached
    return found


def _table() -> Table:
    table = Commit.__table__
    assert isinstance(table, Table)  # noqa: S101 -- for the type checker: it is mapped to one table
    return table


def _sets(session: Session, product_id: int, commits: Iterable[int]) -> dict[int, int]:
    """Commit -> the releases that contain it, as bits by rank."""
    query = (
        select(Commit.id, ReleaseSet.bits)
        .join(ReleaseSet, ReleaseSet.number == Commit.release_set)
        .where(ReleaseSet.product_id == product_id)
    )
    return {commit_id: int.from_bytes(bits, "little") for commit_id, bits in _rows(session, query, Commit.id, commits)}


def _new(session: Session, commits: Iterable[int]) -> dict[int, frozenset[int]]:
    """Release -> those of the commits that are new in it."""
    query = select(ReleaseCommit.release_id, ReleaseCommit.commit_id)
    found: dict[int, set[int]] = defaultdict(set)
    for release_id, commit_id in _rows(session, query, ReleaseCommit.commit_id, commits):
        found[release_id].add(commit_id)
    return {release_id: frozenset(new) for release_id, new in found.items()}


def _reverted(session: Session, product_id: int, shas: Iterable[str]) -> dict[str, list[str]]:
    """Commit -> the commits that take it back."""
    query = (
        select(Revert.reverted, Commit.sha)
        .join(Commit, Commit.id == Revert.commit_id)
        .where(Commit.product_id == product_id)
        .order_by(Commit.id)
    )
    found: dict[str, list[str]] = defaultdict(list)
    for reverted, sha in _rows(session, query, Revert.reverted, shas):
        found[reverted].append(sha)
    return found


def _members(bits: int) -> Iterator[int]:
    """The ranks in a set."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _rows(session: Session, query: Any, column: Any, values: Iterable[Any]) -> Iterator[Any]:  # noqa: ANN401 -- any select
    """The rows whose `column` is one of `values`, however many these are."""
    everything = list(values)
    for start in range(0, len(everything), _CHUNK):
        yield from session.execute(query.where(column.in_(everything[start : start + _CHUNK])))
