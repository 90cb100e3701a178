"""What runs where, what comes, what is new: the questions of the pages, which look at many nouns at once.

Every function answers plain data and reads a bounded number of rows, however long a history is. Questions about one
noun stand beside its table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from releaser.domain.history import Standing
from releaser.domain.notice import NoticeState, NoticeTopic
from releaser.domain.release import ReleaseState
from releaser.domain.rollout import ENDED, RolloutState, UpdateState
from releaser.domain.version import VersionKind
from releaser.store import installations, notices, rollout_facts, undoing
from releaser.store.commits import Commit, ReleaseCommit, TicketCommit
from releaser.store.customers import Customer
from releaser.store.installations import Installation, Target
from releaser.store.notices import Notice
from releaser.store.products import Product
from releaser.store.releases import Release
from releaser.store.rollouts import Rollout, TargetUpdate
from releaser.store.tickets import Ticket

STANDING = frozenset({NoticeState.ANNOUNCED, NoticeState.IN_PROGRESS})
_SHOWN = (ReleaseState.PUBLISHED, ReleaseState.YANKED)
# Candidates found in a history count as published there, but are nobody's newest release.
_FINAL = Release.kind != VersionKind.CANDIDATE
_WORK = Notice.topic == NoticeTopic.WORK
_BROUGHT = frozenset({Standing.SHOWN, Standing.REVERT})
_DAY_OF: ColumnElement[datetime] = func.coalesce(Release.published_at, Release.tagged_at)


def running(
    session: Session, *, product_id: int | None = None, limit: int = 500, offset: int = 0
) -> list[dict[str, Any]]:
    """What runs at each installation: its targets, what is under way there, and the newest patch of the line it is on."""
    query = select(Installation).join(Product).join(Customer).order_by(Product.name, Customer.name, Installation.name)
    if product_id is not None:
        query = query.where(Installation.product_id == product_id)
    rows = session.scalars(query.limit(limit).offset(offset)).unique().all()
    under_way = _under_way(session)
    broken = _broken(session)
    newest = _newest_of_lines(session, {row.product_id for row in rows})
    known = _known(session, {(row.product_id, t.version) for row in rows for t in row.targets if t.version})
    return [_running(row, under_way, broken, newest, known) for row in rows]


def _running(
    row: Installation,
    under_way: dict[int, TargetUpdate],
    broken: set[int],
    newest: dict[tuple[int, str], _Numbered],
    known: dict[tuple[int, str], _Numbered],
) -> dict[str, Any]:
    moving = [under_way[t.id] for t in row.targets if t.id in under_way]
    versions = sorted({t.version for t in row.targets if t.version})
    runs = [known[row.product_id, version] for version in versions if (row.product_id, version) in known]
    patch = newest.get((row.product_id, runs[0].line)) if len(runs) == len(versions) == 1 else None
    return {
        **installations.facts(row),
        "customer_title": row.customer.title or row.customer.name,
        "product_title": row.product.title or row.product.name,
        "versions": versions,
        "since": max((t.installed_at for t in row.targets if t.installed_at), default=None),
        "rolling": {"rollout": moving[0].rollout_id, "to": moving[0].desired.get("version")} if moving else None,
        "inconsistent": any(t.id in broken for t in row.targets),
        "yanked": any(one.state is ReleaseState.YANKED for one in runs),
        "patch": patch.version if patch and patch.sort_key > runs[0].sort_key else None,
        "newest": len(runs) == 1 and not (patch and patch.sort_key > runs[0].sort_key),
    }


def _under_way(session: Session) -> dict[int, TargetUpdate]:
    found = session.scalars(select(TargetUpdate).where(TargetUpdate.active)).unique().all()
    return {update.target_id: update for update in found}


def _broken(session: Session) -> set[int]:
    """Targets whose newest update ended in a state that only a person can clear up."""
    newest = select(func.max(TargetUpdate.id)).group_by(TargetUpdate.target_id).scalar_subquery()
    query = select(TargetUpdate.target_id).where(
        TargetUpdate.id.in_(newest), TargetUpdate.state == UpdateState.INCONSISTENT
    )
    return set(session.scalars(query))


class _Numbered(NamedTuple):
    """What comparing releases takes."""

    line: str
    version: str
    sort_key: int
    state: ReleaseState


def _newest_of_lines(session: Session, product_ids: Iterable[int]) -> dict[tuple[int, str], _Numbered]:
    """(product, line) -> the newest release of the line that customers can have: one that was withdrawn is none."""
    best = (
        select(Release.product_id, Release.line, func.max(Release.sort_key).label("best"))
        .where(Release.product_id.in_(list(product_ids)), Release.state == ReleaseState.PUBLISHED, _FINAL)
        .group_by(Release.product_id, Release.line)
        .subquery()
    )
    query = select(Release.product_id, Release.line, Release.version, Release.sort_key, Release.state).join(
        best,
        and_(Release.product_id == best.c.product_id, Release.line == best.c.line, Release.sort_key == best.c.best),
    )
    return {(row[0], row[1]): _Numbered(*row[1:]) for row in session.execute(query)}


def _known(session: Session, versions: Iterable[tuple[int, str]]) -> dict[tuple[int, str], _Numbered]:
    """(product, version) -> its release, for the few versions that run somewhere."""
    wanted = set(versions)
    query = select(Release.product_id, Release.line, Release.version, Release.sort_key, Release.state).where(
        Release.product_id.in_({product_id for product_id, _ in wanted}),
        Release.version.in_({version for _, version in wanted}),
    )
    return {(row[0], row[2]): _Numbered(*row[1:]) for row in session.execute(query)}


def newest_releases(session: Session, *, product_id: int | None = None, limit: int = 8) -> list[dict[str, Any]]:
    """Published and yanked releases, latest first: by when customers could see them, else by their tag's date."""
    query = select(Release).where(Release.state.in_(_SHOWN), _FINAL).order_by(_DAY_OF.desc(), Release.sort_key.desc())
    if product_id is not None:
        query = query.where(Release.product_id == product_id)
    return [short(release) for release in session.scalars(query.limit(limit)).unique()]


def short(release: Release) -> dict[str, Any]:
    """What a list shows of a release; `at` is when it was published, else tagged."""
    return {
        "product": release.product.name,
        "product_title": release.product.title or release.product.name,
        "version": release.version,
        "line": release.line,
        "kind": release.kind.value,
        "state": release.state.value,
        "at": release.published_at or release.tagged_at,
    }


def coming(session: Session, *, product_id: int | None = None, limit: int = 8) -> list[dict[str, Any]]:
    """Announced work and work in progress, the next first."""
    query = select(Notice).where(Notice.state.in_(STANDING), _WORK).order_by(Notice.starts_at, Notice.id)
    if product_id is not None:
        query = query.where(Notice.product_id == product_id)
    return [notices.facts(notice) for notice in session.scalars(query.limit(limit)).unique()]


def past_notices(session: Session, *, limit: int, offset: int) -> list[dict[str, Any]]:
    """Work that is over or was cancelled, latest first. Drafts are nobody's business yet."""
    over = [state for state in NoticeState if state not in STANDING and state is not NoticeState.DRAFT]
    query = select(Notice).where(Notice.state.in_(over), _WORK).order_by(Notice.starts_at.desc(), Notice.id.desc())
    return [notices.facts(notice) for notice in session.scalars(query.limit(limit).offset(offset)).unique()]


def rollouts_under_way(session: Session) -> list[dict[str, Any]]:
    """Rollouts that have begun and not ended, and those that wait for somebody."""
    states = [state for state in RolloutState if state not in ENDED and state is not RolloutState.PLANNED]
    query = select(Rollout).where(Rollout.state.in_(states)).order_by(Rollout.id)
    return [
        {**rollout_facts.of_rollout(rollout), "product_title": rollout.product.title or rollout.product.name}
        for rollout in session.scalars(query).unique()
    ]


def lines(session: Session, product_id: int, *, limit: int, offset: int = 0) -> list[dict[str, Any]]:
    """A product's lines, newest number first, each with its newest release, how many it has, and how many run it.

    The newest is one that was not withdrawn, where there is such a one.
    """
    standing = case((Release.state != ReleaseState.YANKED, Release.sort_key))
    grouped = (
        select(
            Release.line.label("line"),
            func.coalesce(func.max(standing), func.max(Release.sort_key)).label("best"),
            func.min(Release.sort_key).label("first"),
            func.count().label("releases"),
        )
        .where(Release.product_id == product_id, Release.state.in_(_SHOWN), _FINAL)
        .group_by(Release.line)
        .subquery()
    )
    query = (
        select(Release, grouped.c.releases)
        .join(grouped, and_(Release.line == grouped.c.line, Release.sort_key == grouped.c.best))
        .where(Release.product_id == product_id)
        .order_by(grouped.c.first.desc())
        .limit(limit)
        .offset(offset)
    )
    found = session.execute(query).unique().all()
    on_line = installations_on_lines(session, product_id)
    return [
        {
            "line": release.line,
            "newest": short(release),
            "releases": releases,
            "installations": on_line.get(release.line, 0),
        }
        for release, releases in found
    ]


def installations_on_lines(session: Session, product_id: int) -> dict[str, int]:
    """Line -> how many installations run a version of it on any target."""
    query = (
        select(Release.line, func.count(Target.installation_id.distinct()))
        .join(Release, and_(Release.product_id == product_id, Release.version == Target.version))
        .join(Installation, Installation.id == Target.installation_id)
        .where(Installation.product_id == product_id)
        .group_by(Release.line)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def count_lines(session: Session, product_id: int) -> int:
    """How many lines have a published release."""
    query = select(func.count(Release.line.distinct())).where(
        Release.product_id == product_id, Release.state.in_(_SHOWN), _FINAL
    )
    return session.scalars(query).one()


def releases_page(
    session: Session, product_id: int, *, limit: int, offset: int, line: str | None = None
) -> list[dict[str, Any]]:
    """A page of a product's releases, newest number first; what is still being made stands first of all."""
    query = select(Release).where(Release.product_id == product_id).order_by(Release.sort_key.desc(), Release.id.desc())
    if line is not None:
        query = query.where(Release.line == line)
    return [short(release) for release in session.scalars(query.limit(limit).offset(offset)).unique()]


def runs_at(session: Session, product_id: int, version: str) -> int:
    """How many installations run a version on any target. Who they are is nobody else's business."""
    query = (
        select(func.count(func.distinct(Installation.id)))
        .join(Target, Target.installation_id == Installation.id)
        .where(Installation.product_id == product_id, Target.version == version)
    )
    return session.scalars(query).one()


def tickets_of(session: Session, release: Release, *, limit: int = 200) -> list[dict[str, Any]]:
    """The tickets that commits new in a release name, with what is known of each; `subject` is that of `commit`.

    What was taken back within the release, or was on the line before, is not in it. `reverted` are those whose every
    commit this release takes back from an earlier one, or another one took back. The title of a customer's own request
    is that customer's alone and is left out.
    """
    query = (
        select(TicketCommit.ticket, TicketCommit.relation, Commit.sha, Commit.subject, Commit.is_merge)
        .add_columns(ReleaseCommit.standing, ReleaseCommit.reverted_by)
        .join(Commit, Commit.id == TicketCommit.commit_id)
        .join(ReleaseCommit, ReleaseCommit.commit_id == Commit.id)
        .where(ReleaseCommit.release_id == release.id)
        .order_by(TicketCommit.ticket, ReleaseCommit.position)
    )
    named: dict[str, list[Any]] = defaultdict(list)
    undone = undoing.rows_of(session, release.id)
    for row in (*session.execute(query), *undone):
        named[row.ticket].append(row)
    # A merge that names a ticket says nothing more than the commits it brings, where these name it as well.
    own = {key: [row for row in rows if not row.is_merge] or rows for key, rows in named.items()}
    brought = {key: [row for row in rows if row.standing in _BROUGHT] for key, rows in own.items()}
    keys = [key for key, rows in brought.items() if rows][:limit]
    known = {
        ticket.key: ticket
        for ticket in session.scalars(
            select(Ticket).where(Ticket.product_id == release.product_id, Ticket.key.in_(keys))
        ).unique()
    }
    return [_ticket(key, known.get(key), brought[key]) for key in keys]


def _ticket(key: str, ticket: Ticket | None, rows: Sequence[Any]) -> dict[str, Any]:
    return {
        "key": key,
        "title": ticket.title if ticket and ticket.customer_id is None else "",
        "state": ticket.state.value if ticket else None,
        "commit": rows[0].sha,
        "subject": rows[0].subject,
        "commits": len(rows),
        "fixes": any(row.relation == "fixes" for row in rows),
        "reverted": all(row.standing is Standing.REVERT or row.reverted_by for row in rows),
    }


def versions(session: Session, product_id: int) -> Sequence[str]:
    """Every number the product ever gave, burned ones too."""
    return session.scalars(select(Release.version).where(Release.product_id == product_id)).all()
