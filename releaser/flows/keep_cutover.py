"""Keep what a cutover that ended took, in the caller's transaction: what the next predictions rest on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.experience import Witness, class_of_host, method_of
from releaser.domain.rollout import UpdateState
from releaser.domain.target import Desired
from releaser.store import moves
from releaser.store.experience import Cutover, seconds
from releaser.store.moves import Move
from releaser.store.plain import load
from releaser.store.rollouts import TargetUpdate
from releaser.targets.watch import outside_address

_U = UpdateState
_KEPT = frozenset({_U.SUCCEEDED, _U.ROLLED_BACK})


def keep_cutover(session: Session, update: TargetUpdate, *, now: datetime) -> None:
    """Of an update that has just ended. A first installation replaces nothing and says nothing of updates."""
    if update.state not in _KEPT or not update.cut_over or update.previous is None:
        return
    target = update.target
    session.flush()
    desired = load(Desired, update.desired)
    took = _spans(moves.history(session, TargetUpdate.__tablename__, update.id))
    session.add(
        Cutover(
            rollout_id=update.rollout_id,
            module_id=target.module_id,
            driver=target.driver,
            host_class=class_of_host(target.host.address, stated=target.host.host_class),
            method=method_of(desired.spec),
            outcome=update.state,
            at=now,
            cutover_s=seconds(took.get(_U.CUTTING_OVER)),
            stop_s=_stop_s(update, outside_address(desired.spec, address=target.host.address)),
            rollback_s=seconds(took.get(_U.ROLLING_BACK)),
            witness=update.measured_by or Witness.GATE,
        )
    )


def _stop_s(update: TargetUpdate, address: str) -> float | None:
    """None where users could have been asked and were not: that no step stopped anything tells nothing of what they saw."""
    known = update.measured_by is Witness.OUTSIDE or not address
    return update.measured_stop_s if known or update.measured_stop_s else None


def _spans(story: Iterable[Move]) -> dict[UpdateState, timedelta]:
    """How long the last attempt's cutover took up to the first good look, and how long its roll-back."""
    found: dict[UpdateState, timedelta] = {}
    begun: dict[UpdateState, datetime] = {}
    for move in story:
        if move.to == _U.CUTTING_OVER:
            found, begun = {}, {}
        if move.to in {_U.CUTTING_OVER, _U.ROLLING_BACK}:
            begun[_U(move.to)] = move.at
        elif move.to == _U.SOAKING and _U.CUTTING_OVER in begun:
            found[_U.CUTTING_OVER] = move.at - begun[_U.CUTTING_OVER]
        elif move.source == _U.ROLLING_BACK and _U.ROLLING_BACK in begun:
            found[_U.ROLLING_BACK] = move.at - begun[_U.ROLLING_BACK]
    return found
