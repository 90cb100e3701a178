"""How targets differ from what is recorded of them: the open difference on the target's row, its story in the moves.

Rules: a drift is noted once and kept up to date until it is resolved: by a rollout, by accepting it, or because it is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy import update as update_rows
from sqlalchemy.orm import Session

from releaser.domain.drift import RUNNING, Difference, Recorded, in_words
from releaser.domain.spec import config_hash
from releaser.store.installations import Installation, Target
from releaser.store.moves import Move
from releaser.store.plain import dump, load_spec
from releaser.store.rollouts import TargetUpdate

DRIFTED, SETTLED, ACCEPTED, GONE = "drifted", "settled", "accepted", "gone"
_EXTRA, _STATE = "besides ", "accepted state"


def recorded(target: Target) -> Recorded:
    """What is known to run there, as drift compares it. A container that was taken over and never updated is not ours."""
    taken_over = target.adopted is not None and not target.adopted.get("updated")
    spec = load_spec(target.running_spec) if target.running_spec is not None else None
    kept = target.configuration
    return Recorded(
        version=target.version,
        digest=target.digest,
        config_hash=config_hash(spec) if spec is not None and not taken_over else None,
        configuration={k: v for k, v in kept.items() if not k.startswith((_EXTRA, _STATE))}
        if kept is not None
        else None,
        state=(kept or {}).get(_STATE, RUNNING),
        extra=frozenset(key.removeprefix(_EXTRA) for key in kept or () if key.startswith(_EXTRA)),
    )


def remember(target: Target, configuration: dict[str, str], *, extra: Sequence[str] = (), state: str = RUNNING) -> None:
    """Take these settings, this state and these containers besides for how it shall be."""
    stopped = {_STATE: state} if state != RUNNING else {}
    target.configuration = {**configuration, **stopped, **{_EXTRA + name: "" for name in extra}}


def note(session: Session, target: Target, found: Sequence[Difference], *, now: datetime) -> None:
    """Write down what was seen: a new drift, one that goes on, or none any more."""
    if not found:
        end(session, target, GONE, now=now, reason="it is as recorded again")
        return
    told = [{"told": str(one), **dump(one)} for one in found]
    since = target.drift["since"] if target.drift else now.isoformat()
    before = target.drift["differences"] if target.drift else None
    target.drift = {"since": since, "seen_at": now.isoformat(), "differences": told}
    if before != told:
        _move(session, target, "" if before is None else DRIFTED, DRIFTED, now=now, reason=in_words(found))


def end(session: Session, target: Target, to: str, *, now: datetime, by: str = "releaser", reason: str = "") -> None:
    """There is no drift any more; nothing happens where there was none."""
    if target.drift is None:
        return
    target.drift = None
    _move(session, target, DRIFTED, to, now=now, by=by, reason=reason)


def _move(
    session: Session, target: Target, source: str, to: str, *, now: datetime, by: str = "releaser", reason: str = ""
) -> None:
    session.add(
        Move(noun=Target.__tablename__, row_id=target.id, source=source, to=to, at=now, by=by, reason=reason[:2000])
    )


def claim_due(session: Session, *, before: datetime, now: datetime, limit: int) -> list[int]:
    """Ids of targets that were last looked at before then, longest ago first; they count as looked at from now on.

    What a rollout is at work on is left out, and so is what nothing is recorded of.
    """
    busy = select(TargetUpdate.target_id).where(TargetUpdate.active)
    query = (
        select(Target.id)
        .where(
            or_(Target.looked_at.is_(None), Target.looked_at < before),
            or_(Target.digest != "", Target.configuration.is_not(None)),
            Target.id.not_in(busy),
        )
        .order_by(Target.looked_at.is_not(None), Target.looked_at, Target.id)
        .limit(limit)
    )
    ids = list(session.scalars(query))
    if ids:
        session.execute(
            update_rows(Target)
            .where(Target.id.in_(ids))
            .values(looked_at=now)
            .execution_options(synchronize_session=False)
        )
    return ids


def story(session: Session, installation: Installation) -> list[dict[str, Any]]:
    """What became of drifts and pins there, oldest first."""
    targets = {target.id: f"{target.module.name}@{target.host.name}" for target in installation.targets}
    query = (
        select(Move)
        .where(
            ((Move.noun == Target.__tablename__) & Move.row_id.in_(targets))
            | ((Move.noun == Installation.__tablename__) & (Move.row_id == installation.id))
        )
        .order_by(Move.id)
    )
    return [
        {
            "target": targets.get(one.row_id) if one.noun == Target.__tablename__ else None,
            "to": one.to,
            "at": one.at,
            "by": one.by,
            "reason": one.reason,
        }
        for one in session.scalars(query)
    ]
