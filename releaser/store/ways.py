"""What the ways of upgrades are judged by: required stops, and how long earlier updates stopped the service."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from releaser.domain.plan_rules import why_one_way
from releaser.domain.release import ReleaseState
from releaser.domain.rollout import UPDATE_ENDED, UpdateState
from releaser.domain.version import parse
from releaser.domain.way import RequiredStop
from releaser.store.installations import Installation, Target
from releaser.store.products import Module, Product
from releaser.store.releases import Note, Release
from releaser.store.rollouts import Rollout, TargetUpdate, measured_stop_s

_WITHDRAWN = (ReleaseState.YANKED, ReleaseState.ABANDONED)
NEWEST = 200
"""So many updates and targets are looked at: more change no median, and what was long ago says little."""


def set_stop(release: Release, *, reason: str, by: str, now: datetime | None) -> None:
    """Make the release a required stop, or with an empty reason none."""
    release.stop_reason, release.stop_by, release.stop_set_at = reason, by, now


def set_one_way(session: Session, release: Release, *, reason: str, by: str, now: datetime) -> None:
    """Say that the release is not safe to roll back, or with an empty reason that it is.

    Rollouts under way hear it too: those of the release, and those whose way back goes behind it.
    """
    release.one_way_reason, release.one_way_by, release.one_way_set_at = reason, by, now
    session.flush()
    product = release.product
    marks = one_ways(session, product)
    before, upto = TargetUpdate.previous["version"].as_string(), TargetUpdate.desired["version"].as_string()
    under_way = (
        TargetUpdate.rollout_id.in_(select(Rollout.id).where(Rollout.product_id == product.id)),
        TargetUpdate.state.not_in(UPDATE_ENDED),
    )
    for previous, desired in session.execute(select(before, upto).where(*under_way).distinct()).all():
        is_one_way = bool(why_one_way(marks, desired=desired, previous=previous, scheme=product.scheme))
        same = before.is_(None) if previous is None else before == previous
        session.execute(
            update(TargetUpdate)
            .where(*under_way, upto == desired, same)
            .values(one_way=is_one_way)
            .execution_options(synchronize_session=False)
        )


def one_ways(session: Session, product: Product) -> tuple[RequiredStop, ...]:
    """The product's versions that are not safe to roll back, with the reason."""
    rows = session.execute(
        select(Release.version, Release.one_way_reason).where(
            Release.product_id == product.id, Release.one_way_reason != ""
        )
    )
    return tuple(
        RequiredStop(version=parse(row.version, scheme=product.scheme), reason=row.one_way_reason) for row in rows
    )


def left_as_it_is(session: Session, target_ids: Collection[int]) -> dict[int, str]:
    """By target the version that the newest cutover there brought up and that nothing took away again, though it failed."""
    newest = (
        select(func.max(TargetUpdate.id))
        .where(TargetUpdate.cut_over, TargetUpdate.state.in_((UpdateState.SUCCEEDED, UpdateState.INCONSISTENT)))
        .group_by(TargetUpdate.target_id)
    )
    rows = session.execute(
        select(TargetUpdate.target_id, TargetUpdate.desired["version"].as_string()).where(
            TargetUpdate.id.in_(newest), TargetUpdate.state == UpdateState.INCONSISTENT
        )
    )
    wanted = set(target_ids)
    return {target_id: version for target_id, version in rows if target_id in wanted}


def required_stops(session: Session, product: Product) -> tuple[RequiredStop, ...]:
    """The product's required stops. What was withdrawn cannot be run, so it is none any more."""
    rows = session.execute(
        select(Release.version, Release.stop_reason).where(
            Release.product_id == product.id, Release.stop_reason != "", Release.state.not_in(_WITHDRAWN)
        )
    )
    return tuple(
        RequiredStop(version=parse(row.version, scheme=product.scheme), reason=row.stop_reason) for row in rows
    )


def needing_action(session: Session, product: Product, versions: Sequence[str]) -> list[Release]:
    """Of these versions the releases with a note that asks somebody to act, oldest number first."""
    noted = select(Note.release_id).where(Note.needs_action)
    rows = session.scalars(
        select(Release).where(Release.product_id == product.id, Release.id.in_(noted)).order_by(Release.sort_key)
    ).unique()
    wanted = set(versions)
    return [row for row in rows if row.version in wanted]


def measured_stops(session: Session, product: Product) -> dict[str, list[float]]:
    """Seconds that the product's newest successful updates stopped each module, where that was measured."""
    rows = session.execute(
        select(Module.name, TargetUpdate.stopped_at, TargetUpdate.served_at, TargetUpdate.stopped_before_s)
        .join(Rollout, Rollout.id == TargetUpdate.rollout_id)
        .join(Target, Target.id == TargetUpdate.target_id)
        .join(Module, Module.id == Target.module_id)
        .where(
            Rollout.product_id == product.id,
            TargetUpdate.state == UpdateState.SUCCEEDED,
            TargetUpdate.served_at.is_not(None),
            # A first installation stops nothing and says nothing of updates.
            TargetUpdate.previous.is_not(None),
        )
        .order_by(TargetUpdate.id.desc())
        .limit(NEWEST)
    )
    found: dict[str, list[float]] = {}
    for module, stopped_at, served_at, before_s in rows:
        if (seconds := measured_stop_s(stopped_at, served_at, before_s)) is not None:
            found.setdefault(module, []).append(seconds)
    return found


def running(session: Session, product: Product) -> Sequence[Target]:
    """The product's targets that something is recorded to run on, a few hundred at most."""
    query = (
        select(Target)
        .join(Installation, Installation.id == Target.installation_id)
        .where(Installation.product_id == product.id, Target.version != "", Target.running_spec.is_not(None))
        .order_by(Target.id)
        .limit(NEWEST)
    )
    return session.scalars(query).unique().all()
