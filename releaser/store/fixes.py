"""Which releases carry the fix of a ticket: what was fixed, picked and taken back, followed through the releases.

A release has what the release before it had, and what is new in it. Commits that only refer to a ticket decide nothing.
Everything is answered for many tickets of one product at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from releaser.domain.history import Standing
from releaser.domain.release import ReleaseState
from releaser.domain.ticket import TicketRelation
from releaser.domain.version import VersionKind
from releaser.store.commits import Commit, Pick, ReleaseCommit, Revert, TicketCommit
from releaser.store.releases import Release

_Release = Row[int, str, str, VersionKind, str]  # id, version, line, kind, previous
# Databases take only so many values in one statement.
_CHUNK = 500
_BRINGS = frozenset({Standing.SHOWN, Standing.REPEATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A release that has a fix; `commit` is what brought it to the release's line, `new` whether in this very release."""

    release_id: int
    version: str
    line: str
    commit: str
    new: bool


def carriers(session: Session, product_id: int, keys: Collection[str]) -> dict[str, list[Carrier]]:
    """Ticket -> the releases that have it fixed, lowest version first; keys without any are absent."""
    fixing = _fixing(session, product_id, keys)
    if not fixing:
        return {}
    commits = {commit_id: sha for found in fixing.values() for commit_id, sha in found.items()}
    brought, reverted = _brought(session, commits), _reverted(session, product_id, commits)
    releases = _releases(session, product_id)
    before = _before(releases)
    found = {key: _follow(releases, before, ids, brought, reverted) for key, ids in fixing.items()}
    return {key: carrying for key, carrying in found.items() if carrying}


def commits_of(session: Session, product_id: int, key: str) -> list[dict[str, Any]]:
    """Every commit that names a ticket, and the picks of those that fix it, oldest first, as plain data."""
    named = session.execute(
        select(Commit.id, Commit.sha, TicketCommit.relation)
        .join(TicketCommit, TicketCommit.commit_id == Commit.id)
        .where(TicketCommit.product_id == product_id, TicketCommit.ticket == key)
    ).all()
    relations = {row.id: row.relation for row in named}
    relevant = _with_picks(
        session, product_id, {row.id: row.sha for row in named if row.relation == TicketRelation.FIXES}
    )
    ids = {**dict.fromkeys(relevant), **relations}
    rows = [row for part in _chunks(ids) for row in session.scalars(select(Commit).where(Commit.id.in_(part)))]
    picks = _pairs(session, select(Pick.commit_id, Pick.source), Pick.commit_id, ids)
    reverted = _reverted(session, product_id, {row.id: row.sha for row in rows})
    gone = {commit_id for found in reverted.gone.values() for commit_id in found}
    back = {commit_id for found in reverted.back.values() for commit_id in found}
    return [
        {
            "commit": row.sha,
            "subject": row.subject,
            "author": row.author,
            "committed_at": row.committed_at,
            "relation": relations.get(row.id),
            "picked_from": picks.get(row.id),
            "reverted": row.id in gone - back,
        }
        for row in sorted(rows, key=lambda row: (row.committed_at, row.id))
    ]


def _fixing(session: Session, product_id: int, keys: Collection[str]) -> dict[str, dict[int, str]]:
    """Ticket -> the commits that fix it and their picks, named or not: id -> sha."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for part in _chunks(keys):
        query = (
            select(TicketCommit.ticket, Commit.id, Commit.sha)
            .join(Commit, Commit.id == TicketCommit.commit_id)
            .where(
                TicketCommit.product_id == product_id,
                TicketCommit.ticket.in_(part),
                TicketCommit.relation == TicketRelation.FIXES.value,
            )
        )
        for key, commit_id, sha in session.execute(query):
            found[key][commit_id] = sha
    return {key: _with_picks(session, product_id, commits) for key, commits in found.items()}


def _with_picks(session: Session, product_id: int, commits: Mapping[int, str]) -> dict[int, str]:
    """The commits and every copy of them, copies of copies too."""
    found, fresh = dict(commits), set(commits.values())
    while fresh:
        picked: dict[int, str] = {}
        for part in _chunks(fresh):
            query = (
                select(Commit.id, Commit.sha)
                .join(Pick, Pick.commit_id == Commit.id)
                .where(Commit.product_id == product_id, Pick.source.in_(part))
            )
            picked.update({row.id: row.sha for row in session.execute(query)})
        fresh = {sha for commit_id, sha in picked.items() if commit_id not in found}
        found.update(picked)
    return found


def _brought(session: Session, commits: Mapping[int, str]) -> dict[int, dict[int, str]]:
    """Release -> the commits new and in force in it: id -> sha."""
    found: dict[int, dict[int, str]] = defaultdict(dict)
    for part in _chunks(commits):
        query = select(ReleaseCommit.release_id, ReleaseCommit.commit_id, ReleaseCommit.standing)
        for release_id, commit_id, standing in session.execute(query.where(ReleaseCommit.commit_id.in_(part))):
            if standing in _BRINGS:
                found[release_id][commit_id] = commits[commit_id]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reverted:
    """Release -> the commits that a revert new in it takes back, or that the revert of a revert brings back."""

    gone: Mapping[int, set[int]]
    back: Mapping[int, set[int]]


def _reverted(session: Session, product_id: int, commits: Mapping[int, str]) -> _Reverted:
    """Follow reverts, reverts of reverts and so on; only what takes back something of an earlier release counts."""
    ids = {sha: commit_id for commit_id, sha in commits.items()}
    found: tuple[dict[int, set[int]], dict[int, set[int]]] = (defaultdict(set), defaultdict(set))
    seen: set[str] = set()
    depth = 0
    while ids:
        following: dict[str, int] = {}
        for part in _chunks(ids):
            query = (
                select(ReleaseCommit.release_id, Revert.reverted, Commit.sha)
                .join(Revert, Revert.commit_id == ReleaseCommit.commit_id)
                .join(Commit, Commit.id == Revert.commit_id)
                .where(
                    Commit.product_id == product_id,
                    Revert.reverted.in_(part),
                    ReleaseCommit.standing == Standing.REVERT,
                )
            )
            for release_id, sha, revert in session.execute(query):
                found[depth % 2][release_id].add(ids[sha])
                following[revert] = ids[sha]
        seen |= set(ids)
        ids = {sha: commit_id for sha, commit_id in following.items() if sha not in seen}
        depth += 1
    return _Reverted(gone=found[0], back=found[1])


def _releases(session: Session, product_id: int) -> Sequence[_Release]:
    query = (
        select(Release.id, Release.version, Release.line, Release.kind, Release.previous)
        .where(Release.product_id == product_id, Release.state != ReleaseState.ABANDONED)
        .order_by(Release.sort_key, Release.id)
    )
    return session.execute(query).all()


def _before(releases: Sequence[_Release]) -> dict[int, int]:
    """Release -> the one it builds on: the recorded one, else the last of its line, else the stable below."""
    by_version = {row.version: row.id for row in releases}
    of_line: dict[str, int] = {}
    stable: int | None = None
    found: dict[int, int] = {}
    for row in releases:
        below = by_version.get(row.previous) or of_line.get(row.line) or stable
        if below is not None and below != row.id:
            found[row.id] = below
        of_line[row.line] = row.id
        if row.kind is VersionKind.STABLE:
            stable = row.id
    return found


def _follow(
    releases: Sequence[_Release],
    before: Mapping[int, int],
    fixing: Mapping[int, str],
    brought: Mapping[int, Mapping[int, str]],
    reverted: _Reverted,
) -> list[Carrier]:
    """Walk the releases upwards: each begins with what the one below had in force."""
    in_force: dict[int, dict[int, str]] = {}
    found = []
    for row in releases:
        inherited = in_force.get(before.get(row.id, 0), {})
        new = {commit: sha for commit, sha in brought.get(row.id, {}).items() if commit in fixing}
        back = {commit: fixing[commit] for commit in reverted.back.get(row.id, set()) if commit in fixing}
        # One part of a fix taken back leaves no fix, until something comes again.
        kept = {} if reverted.gone.get(row.id, set()) & set(inherited) else inherited
        in_force[row.id] = {**kept, **back, **new}
        if in_force[row.id]:
            commit = next(iter((new or back or kept).values()))
            found.append(
                Carrier(release_id=row.id, version=row.version, line=row.line, commit=commit, new=bool(new or back))
            )
    return found


def _pairs(session: Session, query: Any, column: Any, ids: Iterable[int]) -> dict[int, str]:  # noqa: ANN401 -- any two columns
    return {row[0]: row[1] for part in _chunks(ids) for row in session.execute(query.where(column.in_(part)))}


def _chunks(values: Iterable[Any]) -> Iterable[list[Any]]:
    everything = list(values)
    return (everything[start : start + _CHUNK] for start in range(0, len(everything), _CHUNK))
