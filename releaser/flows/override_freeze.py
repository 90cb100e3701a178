"""Let one rollout cut over in spite of a freeze, as somebody with a name decided for a reason."""

from __future__ import annotations

from releaser.domain.rollout import ENDED
from releaser.domain.update_freeze import InvalidUpdateFreezeError
from releaser.errors import RefusedError
from releaser.flows.ports import Facts, Ports
from releaser.store import moves, rollout_facts, rollouts, update_freezes
from releaser.store.update_freezes import FreezeOverride

_NOBODY = frozenset({"", "api"})


def override_freeze(ports: Ports, *, rollout_id: int, freeze_id: int, by: str, reason: str) -> Facts:
    """Let the rollout through; again changes nothing. The rollout's story tells who did it and why.

    Raises `RolloutNotFoundError`, `UpdateFreezeNotFoundError`, `InvalidUpdateFreezeError` without a name or a reason,
    `RefusedError` for a rollout that is over.
    """
    now = ports.clock.now()
    if by.strip() in _NOBODY or not reason.strip():
        raise InvalidUpdateFreezeError(
            "A freeze is overridden by somebody, for a reason: both are kept and shown.",
            advice="Give --by NAME and --reason TEXT (over HTTP the header X-Releaser-Actor).",
            field="reason" if by.strip() not in _NOBODY else "by",
        )
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        freeze = update_freezes.get(session, freeze_id)
        if rollout.state in ENDED:
            raise RefusedError(
                f"Rollout {rollout_id} is over ({rollout.state.value}).",
                rule="rollout-over",
                advice="Override the freeze for a rollout that is still to come.",
            )
        if freeze_id not in update_freezes.overridden(session, rollout_id):
            session.add(
                FreezeOverride(rollout_id=rollout_id, freeze_id=freeze_id, at=now, by=by.strip(), reason=reason.strip())
            )
            state = rollout.state.value
            told = f"freeze {freeze_id} ({freeze.reason}) was overridden: {reason.strip()}"
            moves.record(session, rollout, source=state, to=state, now=now, by=by, reason=told)
        facts = {**rollout_facts.of_rollout(rollout), "overrides": update_freezes.overrides(session, rollout_id)}
    ports.wake()
    return facts
