"""What people can do with a rollout, by the state it is in: out of the moves that its life allows.

What does not live here: whether it is granted (a plan that changed, an approver who is the author), which is found out when it
is asked for.
"""

from __future__ import annotations

from enum import StrEnum

from releaser.domain.rollout import ENDED, ROLLOUT_MOVES, RolloutState


class Steer(StrEnum):
    """What somebody may ask of a rollout; each is a command, an operation and a button of that name."""

    APPROVE = "approve"
    RESUME = "resume"
    RETRY = "retry"
    PAUSE = "pause"
    ABORT = "abort"


def steering(state: str, *, inconsistent: int = 0, left: int = 0) -> tuple[Steer, ...]:
    """What can be asked of a rollout in `state`, the most likely first; nothing for a state that is not known.

    `inconsistent` is how many of its targets are for people only: it is not tried again before they were looked at. `left` is how
    many a rollout that succeeded left out or could not bring the version to.
    """
    here = next((one for one in RolloutState if one.value == state), None)
    if here is None:
        return ()
    to = ROLLOUT_MOVES[here]
    can = {
        Steer.APPROVE: here is RolloutState.AWAITING_APPROVAL,
        Steer.RESUME: here is RolloutState.PAUSED,
        Steer.RETRY: here in ENDED
        and RolloutState.RUNNING in to
        and not inconsistent
        and (left > 0 or here is not RolloutState.SUCCEEDED),
        Steer.PAUSE: RolloutState.PAUSED in to,
        Steer.ABORT: here is not RolloutState.STOPPING and bool({RolloutState.STOPPING, RolloutState.ABORTED} & to),
    }
    return tuple(one for one, is_so in can.items() if is_so)
