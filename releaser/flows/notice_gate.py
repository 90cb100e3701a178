"""The gate between planned work and a customer who was not told: what stops something needs an announced notice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, lazyload

from releaser.domain.notice import STANDING, NoticeState
from releaser.domain.rollout import UPDATE_GOOD, UpdateState
from releaser.domain.target import Phase, Step, Stop, planned_stop
from releaser.errors import RefusedError
from releaser.flows.draft_notice import Touched, set_by, set_by_told
from releaser.store import notices
from releaser.store.notices import Notice, NoticeInstallation
from releaser.store.plain import load
from releaser.store.rollouts import Rollout, TargetUpdate

_LEFT_ALONE = UPDATE_GOOD | {UpdateState.SKIPPED}


class NoticeRequiredError(RefusedError):
    """Something would stop at a customer who was not told of it; names the notice to announce."""


def covering_notice(
    session: Session,
    *,
    installation_id: int,
    stop: Stop,
    rollout_id: int,
    now: datetime | None,
    module: str | None = None,
) -> Notice | None:
    """The announced notice that lets this rollout stop something at the installation at `now`, or None.

    With `now` None its time does not matter. With `module` a notice of a partial stop must name it. A stop of one target
    is full for that target and may be partial for the installation, so kinds of stop are not compared.
    """
    if stop is Stop.NONE:
        return None
    rows = standing_notices(session, rollout_id=rollout_id, installation_id=installation_id)
    return covering(rows, now=now, module=module)


def standing_notices(
    session: Session, *, rollout_id: int, installation_id: int | None = None
) -> Sequence[NoticeInstallation]:
    """What a rollout's announced notices say of each installation that stops (of one, where given), oldest first."""
    query = (
        select(NoticeInstallation)
        .join(NoticeInstallation.notice)
        .options(contains_eager(NoticeInstallation.notice).lazyload(Notice.product))
        .options(lazyload(NoticeInstallation.installation))
        .where(
            Notice.rollout_id == rollout_id,
            Notice.state.in_(STANDING),
            NoticeInstallation.revision.is_not(None),
            NoticeInstallation.dropped.is_(False),
            NoticeInstallation.stop != Stop.NONE,
        )
        .order_by(NoticeInstallation.id)
    )
    if installation_id is not None:
        query = query.where(NoticeInstallation.installation_id == installation_id)
    return session.scalars(query).unique().all()


def covering(
    rows: Iterable[NoticeInstallation], *, now: datetime | None, module: str | None, needs: timedelta = timedelta(0)
) -> Notice | None:
    """The first notice among `rows` of one installation that covers a stop of `module` from `now` on for `needs`, or None.

    No more than half of the announced time is asked for: what needs longer than was announced can begin in its first half.
    """
    for row in rows:
        in_time = now is None or row.notice.starts_at <= now < _last_start(row.notice, needs)
        if in_time and (row.stop is Stop.FULL or module is None or module in row.modules):
            return row.notice
    return None


def _last_start(notice: Notice, needs: timedelta) -> datetime:
    return notice.ends_at - min(needs, (notice.ends_at - notice.starts_at) / 2)


def require_notices(session: Session, *, rollout: Rollout, now: datetime) -> None:
    """Let a rollout begin only when every stop in it is announced and can still begin. Raises `NoticeRequiredError`.

    Work announced for later may begin to prepare; its cutovers wait for the announced start.
    """
    missing = [
        update
        for update in rollout.updates
        if update.state not in _LEFT_ALONE and stops(update) and not _covered(session, rollout, update, now=now)
    ]
    if missing:
        raise _refused(session, rollout, missing, now=now)


def stops(update: TargetUpdate) -> bool:
    """Whether the update itself does; how an earlier attempt went back is no work that is planned."""
    steps = (load(Step, step) for step in update.steps)
    return planned_stop(step for step in steps if step.phase is not Phase.ROLL_BACK)[0] is not Stop.NONE


def _covered(session: Session, rollout: Rollout, update: TargetUpdate, *, now: datetime) -> bool:
    notice = covering_notice(
        session,
        installation_id=update.target.installation_id,
        stop=Stop.FULL,
        rollout_id=rollout.id,
        now=None,
        module=update.target.module.name,
    )
    return notice is not None and now < notice.ends_at


def _refused(session: Session, rollout: Rollout, missing: list[TargetUpdate], *, now: datetime) -> NoticeRequiredError:
    names = sorted({update.target.installation.name for update in missing})
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    waiting = [
        n for n in notices.of_rollout(session, rollout.id) if n.state is NoticeState.DRAFT or n.state in STANDING
    ]
    notice_id = waiting[-1].id if waiting else None
    again = f"releaser plan {rollout.product.name} {rollout.release.version} --to '{rollout.selector}'"
    over = bool(waiting) and waiting[-1].state is NoticeState.ANNOUNCED and waiting[-1].ends_at <= now
    command = f"releaser notice announce {notice_id}{' --at TIME' if over else ''}" if waiting else again
    return NoticeRequiredError(
        f"Rollout {rollout.id} stops {shown}, and "
        + ("the announced time is over." if over else "no announced notice covers that."),
        rule="notice-required",
        advice=f"{'Move' if over else 'Announce'} notice {notice_id}: {command}.{_whose(session, waiting[-1], now=now)}"
        if waiting
        else f"Plan it again to draft one: {command}.",
        notice=notice_id,
        command=command,
        rollout=rollout.id,
        installations=names,
    )


def _whose(session: Session, notice: Notice, *, now: datetime) -> str:
    """Whose contract lets everybody wait, where the draft's time comes from contracts."""
    if notice.state is not NoticeState.DRAFT or notice.starts_at <= now:
        return ""
    touched = [
        Touched(
            installation_id=row.installation_id,
            stop=row.stop,
            modules=tuple(row.modules),
            stop_for=timedelta(seconds=row.planned_stop_s),
        )
        for row in notice.touched
        if not row.dropped
    ]
    told = set_by_told(set_by(session, touched, now=now))
    return f" {told}" if told else ""
