"""The thread of one ticket: from the request over commits, versions and rollouts to the installations where its fix runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from releaser.domain.notice import Measured, measured_stop
from releaser.store import fixes, installations, moves, notices, overrides, stated, tickets
from releaser.store.commits import TicketCommit
from releaser.store.installations import Installation, Installed, Target
from releaser.store.overrides import Stating
from releaser.store.products import Product
from releaser.store.releases import Note, Release
from releaser.store.rollouts import Rollout, TargetUpdate
from releaser.store.stated import Statement
from releaser.store.tickets import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A fix was on all of an installation's targets from `since` until `until`, when another version came: by a rollout, where it is known."""

    since: datetime | None
    until: datetime
    brought_by: int | None
    lost_by: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Where a fix runs at one installation: `since` it was seen to serve on all its targets, None where it does not.

    `stays` are those that ended, oldest first.
    """

    installation: Installation
    since: datetime | None
    brought_by: tuple[int, ...] = ()
    stays: tuple[Stay, ...] = ()


def products_naming(session: Session, key: str) -> Sequence[Product]:
    """The products that have a request of that key, a commit that names it, or a person's word on it."""
    asked = select(Ticket.product_id).where(Ticket.key == key)
    named = select(TicketCommit.product_id).where(TicketCommit.ticket == key)
    said = select(Stating.product_id).where(Stating.ticket == key)
    stated_of = select(Statement.product_id).where(Statement.ticket == key)
    known = [Product.id.in_(source) for source in (asked, named, said, stated_of)]
    query = select(Product).where(or_(*known)).order_by(Product.name)
    return session.scalars(query).unique().all()


def runs(session: Session, found: Iterable[Installation], versions: Collection[str]) -> list[Runs]:
    """For each installation with something installed: whether all its targets run one of `versions`, and since when."""
    rows = [row for row in found if any(target.version for target in row.targets)]
    stories = _stories(session, [target.id for row in rows for target in row.targets])
    return [_runs(row, stories, versions) for row in rows]


def _runs(row: Installation, stories: dict[int, list[Installed]], versions: Collection[str]) -> Runs:
    targets = [target for target in row.targets if target.version]
    stays = tuple(_stays(targets, stories, versions))
    if any(target.version not in versions for target in targets):
        return Runs(installation=row, since=None, stays=stays)
    arrived = [_arrived(target, stories.get(target.id, []), versions) for target in targets]
    since = max((at for at, _ in arrived if at is not None), default=row.targets[0].installed_at)
    return Runs(
        installation=row,
        since=since,
        brought_by=tuple(sorted({rollout for _, rollout in arrived if rollout is not None})),
        stays=stays,
    )


def _stays(targets: Sequence[Target], stories: dict[int, list[Installed]], versions: Collection[str]) -> Iterator[Stay]:
    """The stays that ended, by what was recorded of each target in its time; what came before the first record has no beginning."""
    changes = sorted((one for target in targets for one in stories.get(target.id, [])), key=lambda one: one.id)
    told = {one.target_id: one.previous for one in reversed(changes)}
    now = {target.id: told.get(target.id, target.version) for target in targets}
    since: datetime | None = None
    brought_by: int | None = None
    for change in changes:
        before = _all_in(now.values(), versions)
        now[change.target_id] = change.version
        after = _all_in(now.values(), versions)
        if after and not before:
            since, brought_by = change.at, change.rollout_id
        elif before and not after:
            yield Stay(since=since, until=change.at, brought_by=brought_by, lost_by=change.rollout_id)


def _all_in(running: Iterable[str], versions: Collection[str]) -> bool:
    known = [version for version in running if version]
    return bool(known) and all(version in versions for version in known)


def _arrived(
    target: Target, story: Sequence[Installed], versions: Collection[str]
) -> tuple[datetime | None, int | None]:
    """When the fix came to a target for the last time, and by which rollout."""
    at, rollout = target.installed_at, None
    for change in reversed(story):
        if change.version not in versions:
            break
        at, rollout = change.at, change.rollout_id
    return at, rollout


def _stories(session: Session, target_ids: Sequence[int]) -> dict[int, list[Installed]]:
    found: dict[int, list[Installed]] = defaultdict(list)
    query = select(Installed).where(Installed.target_id.in_(target_ids)).order_by(Installed.id)
    for change in session.scalars(query):
        found[change.target_id].append(change)
    return found


def show(session: Session, product: Product, key: str) -> dict[str, Any]:
    """The whole thread as plain data. Raises `TicketNotFoundError` when neither requests nor the history know the key."""
    ticket = tickets.find(session, product.id, key)
    commits = fixes.commits_of(session, product.id, key)
    said = overrides.story(session, product.id, key)
    stories = stated.story(session, product.id, key)
    if ticket is None and not commits and not said and not stories:
        raise tickets.TicketNotFoundError(
            f"Product '{product.name}' knows no ticket '{key[:120]}'.",
            advice="Check the key; a commit that names it counts after `releaser collect`.",
            field="key",
        )
    carriers = fixes.carriers(session, product.id, key)
    found = runs(session, installations.everything(session, product_id=product.id), {one.version for one in carriers})
    lost_by = {stay.lost_by for one in found for stay in one.stays if stay.lost_by is not None}
    brought_by = {rollout for one in found for rollout in one.brought_by}
    brought_by |= {stay.brought_by for one in found for stay in one.stays if stay.brought_by is not None}
    standing = overrides.of_ticket(session, product.id, key)
    request = tickets.facts(ticket) if ticket else {"key": key, "product": product.name, "title": "", "state": None}
    return {
        **request,
        **stated.facts(session, product.id, key),
        "overrides": [{"line": line, **overrides.facts(one)} for line, one in standing.items()],
        "said": said,
        "stated": stories,
        "moves": _moves(session, ticket.id) if ticket else [],
        "commits": commits,
        "lines": _lines(carriers),
        "releases": _releases(session, carriers),
        "notes": _notes(session, product.id, key),
        "rollouts": _rollouts(session, product.id, key, brought_by | lost_by, lost_by=lost_by),
        "installations": [_installation(session, one) for one in found],
    }


def _moves(session: Session, ticket_id: int) -> list[dict[str, Any]]:
    return [
        {"from": move.source or None, "to": move.to, "at": move.at, "by": move.by, "reason": move.reason}
        for move in moves.history(session, "tickets", ticket_id)
    ]


def _lines(carriers: Sequence[fixes.Carrier]) -> list[dict[str, Any]]:
    """The first release of each line that has the fix."""
    first: dict[str, fixes.Carrier] = {}
    for one in carriers:
        first.setdefault(one.line, one)
    return [{"line": line, "first_version": one.version, "commit": one.commit} for line, one in first.items()]


def _releases(session: Session, carriers: Sequence[fixes.Carrier]) -> list[dict[str, Any]]:
    """Every release that has the fix, lowest version first; `new` where it is new in it."""
    ids = [one.release_id for one in carriers]
    rows = {
        row.id: row
        for start in range(0, len(ids), 500)
        for row in session.scalars(select(Release).where(Release.id.in_(ids[start : start + 500]))).unique()
    }
    return [
        {
            "version": one.version,
            "line": one.line,
            "state": rows[one.release_id].state.value,
            "tagged_at": rows[one.release_id].tagged_at,
            "published_at": rows[one.release_id].published_at,
            "commit": one.commit,
            "new": one.new,
        }
        for one in carriers
    ]


def _notes(session: Session, product_id: int, key: str) -> list[dict[str, Any]]:
    query = (
        select(Note, Release.version)
        .join(Release, Release.id == Note.release_id)
        .where(Release.product_id == product_id, Note.ticket == key)
        .order_by(Release.sort_key, Note.id)
    )
    return [
        {"version": version, "audience": note.audience, "language": note.language, "text": note.text}
        for note, version in session.execute(query).unique()
    ]


def _rollouts(
    session: Session, product_id: int, key: str, ids: Collection[int], *, lost_by: Collection[int]
) -> list[dict[str, Any]]:
    """The rollouts that brought the fix somewhere or took it away, and the pieces of work done for this very ticket."""
    query = (
        select(Rollout)
        .where(Rollout.product_id == product_id, Rollout.id.in_(ids) | (Rollout.ticket == key))
        .order_by(Rollout.id)
    )
    return [
        {
            "id": row.id,
            "version": row.release.version,
            "state": row.state.value,
            "started_at": row.started_at,
            "finished_at": row.finished_at,
            "notices": [notice.id for notice in notices.of_rollout(session, row.id)],
            "takes_away": row.id in lost_by,
            **_one_off(row),
        }
        for row in session.scalars(query).unique()
    ]


def _one_off(row: Rollout) -> dict[str, Any]:
    """Whether it was a single piece of work, and why it was done."""
    options = row.plan.get("options") or {}
    return {"one_off": bool(options.get("one_off")), "reason": options.get("reason") or ""}


def _installation(session: Session, one: Runs) -> dict[str, Any]:
    """One installation: what runs, the fix since when, and the downtime of the rollouts that brought it."""
    row = one.installation
    query = select(TargetUpdate).where(
        TargetUpdate.rollout_id.in_(one.brought_by), TargetUpdate.target_id.in_([target.id for target in row.targets])
    )
    updates = session.scalars(query).unique().all() if one.brought_by else []
    measured = measured_stop(
        Measured(
            state=update.state,
            before_s=update.stopped_before_s,
            stopped_at=update.stopped_at,
            served_at=update.served_at,
        )
        for update in updates
    )
    return {
        "installation": row.name,
        "title": row.title or row.name,
        "customer": row.customer.name,
        "versions": sorted({target.version for target in row.targets if target.version}),
        "pinned_for": row.pin["ticket"] if row.pin is not None else None,
        "fixed": one.since is not None,
        "since": one.since,
        "was_there": [
            {"since": stay.since, "until": stay.until, "brought_by": stay.brought_by, "lost_by": stay.lost_by}
            for stay in one.stays
        ],
        "rollouts": list(one.brought_by),
        "planned_stop_s": sum(update.planned_stop_s for update in updates) if updates else None,
        "measured_stop_s": measured.total_seconds() if updates and measured is not None else None,
    }
