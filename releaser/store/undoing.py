"""Queries of what reverts that shipped later take back, or bring back; the table of reverts stands in `commits`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from releaser.domain.history import Standing, Undoing
from releaser.domain.history.undoing import bottom_of, undoing_of
from releaser.domain.ticket import TicketLink, TicketRelation
from releaser.store.commits import Commit, ReleaseCommit, Revert, TicketCommit

_SOME = 500
_Key = TypeVar("_Key", int, str)
_Named = dict[int, list[int]]


def of_releases(session: Session, release_ids: Sequence[int]) -> dict[int, Undoing]:
    """By row of the commit, for the commits of these releases that take back, or bring back, what shipped."""
    query = (
        select(Commit.id, Commit.sha, Commit.subject)
        .join(ReleaseCommit, ReleaseCommit.commit_id == Commit.id)
        .where(ReleaseCommit.release_id.in_(release_ids), ReleaseCommit.standing == Standing.REVERT)
    )
    reverts = {row.id: row for row in session.execute(query)}
    if not reverts:
        return {}
    named, subjects = _named(session, reverts)
    found = {one: bottom_of(one, lambda at: named.get(at, ())) for one in reverts}
    also = _taken_back(session, {row.sha: one for one, row in reverts.items() if not found[one][1]})
    about = {one: dict.fromkeys([*changes, *also.get(one, ())]) for one, (changes, _) in found.items()}
    links = _links(session, {change for changes in about.values() for change in changes})
    return {
        one: undoing_of(
            reverts[one].subject,
            [subjects[change] for change in changes],
            [link for change in about[one] for link in links.get(change, ())],
            is_again=is_again,
        )
        for one, (changes, is_again) in found.items()
    }


class TicketRow(NamedTuple):
    """A ticket that a revert takes back, or brings back, beside those that commits name themselves."""

    ticket: str
    relation: str
    sha: str
    subject: str
    is_merge: bool
    standing: Standing
    reverted_by: str


def rows_of(session: Session, release_id: int) -> list[TicketRow]:
    """The tickets of what shipped and was taken back, or brought back, in a release."""
    found = of_releases(session, [release_id])
    query = (
        select(Commit.id, Commit.sha, Commit.is_merge, ReleaseCommit.reverted_by)
        .join(ReleaseCommit, ReleaseCommit.commit_id == Commit.id)
        .where(ReleaseCommit.release_id == release_id, ReleaseCommit.standing == Standing.REVERT)
        .order_by(ReleaseCommit.position)
    )
    return [
        TicketRow(
            ticket=link.key,
            relation=link.relation.value,
            sha=row.sha,
            subject=found[row.id].subject,
            is_merge=row.is_merge,
            standing=Standing.SHOWN if found[row.id].is_again else Standing.REVERT,
            reverted_by=row.reverted_by,
        )
        for row in session.execute(query)
        for link in found[row.id].tickets
    ]


def _named(session: Session, reverts: Iterable[int]) -> tuple[_Named, dict[int, str]]:
    """What reverts name, and what those name that are reverts themselves; the subjects of all that is named."""
    named: _Named = {}
    subjects: dict[int, str] = {}
    at = set(reverts)
    while at:
        fresh: set[int] = set()
        for row in _targets(session, at):
            named.setdefault(row.commit_id, []).append(row.id)
            subjects[row.id] = row.subject
            fresh.add(row.id)
        at = fresh - named.keys()
    return named, subjects


def _targets(session: Session, reverts: Iterable[int]) -> Iterable[Row[int, int, str]]:
    by = Commit.__table__.alias()
    for some in _parts(reverts):
        yield from session.execute(
            select(Revert.commit_id, Commit.id, Commit.subject)
            .join(by, by.c.id == Revert.commit_id)
            .join(Commit, (Commit.product_id == by.c.product_id) & (Commit.sha == Revert.reverted))
            .where(Revert.commit_id.in_(some))
            .order_by(Revert.commit_id, Commit.place)
        )


def _taken_back(session: Session, reverts: dict[str, int]) -> dict[int, list[int]]:
    """What reverts, by id, take back without naming it: what a merge brought, and copies."""
    found: dict[int, list[int]] = {}
    for some in _parts(reverts):
        query = select(ReleaseCommit.reverted_by, ReleaseCommit.commit_id).where(ReleaseCommit.reverted_by.in_(some))
        for row in session.execute(query.order_by(ReleaseCommit.commit_id)):
            found.setdefault(reverts[row.reverted_by], []).append(row.commit_id)
    return found


def _parts(of: Iterable[_Key]) -> Iterator[list[_Key]]:
    """So many as one query may name."""
    ordered = sorted(of)
    return (ordered[start : start + _SOME] for start in range(0, len(ordered), _SOME))


def _links(session: Session, commits: Iterable[int]) -> dict[int, list[TicketLink]]:
    found: dict[int, list[TicketLink]] = {}
    for some in _parts(commits):
        query = select(TicketCommit.commit_id, TicketCommit.ticket, TicketCommit.relation)
        for row in session.execute(query.where(TicketCommit.commit_id.in_(some)).order_by(TicketCommit.ticket)):
            link = TicketLink(key=row.ticket, relation=TicketRelation(row.relation))
            found.setdefault(row.commit_id, []).append(link)
    return found
