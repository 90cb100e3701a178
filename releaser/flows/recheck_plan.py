"""Look whether a plan still holds, in the transaction that keeps it: hosts were asked meanwhile, and the rows went on changing.

Whoever keeps a plan, begins it or ends something by it rechecks it there, and makes it anew when something changed
(`plan_afresh`): else the way back would lead to what ran before somebody else's rollout ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from releaser.domain.plan import Plan
from releaser.errors import ConflictError
from releaser.store import bases, products, releases
from releaser.targets.target import FencedError

_TRIES = 5
Result = TypeVar("Result")


class PlanStaleError(ConflictError):
    """What a plan was made from changed while it was being made."""


def recheck_plan(session: Session, plan: Plan) -> None:
    """Nothing where all that the plan was made from is recorded as it was. Who came since joins late. Raises `PlanStaleError`."""
    release = releases.get(session, products.get(session, plan.product), plan.version)
    if bases.basis(session, release, [one.target_id for one in plan.targets]) != plan.basis:
        raise PlanStaleError(
            f"What {plan.product} {plan.version} is planned from changed {_TRIES} times while it was being planned.",
            advice="Something else is being rolled out or declared there: try again when that is done.",
        )


def plan_afresh(attempt: Callable[[], Result]) -> Result:
    """What `attempt`, which plans and keeps, comes to; done anew when the plan did not hold, or a look met a younger owner.

    Raises `PlanStaleError` after some tries.
    """
    for _ in range(_TRIES - 1):
        try:
            return attempt()
        except (PlanStaleError, FencedError):
            continue
    return attempt()
