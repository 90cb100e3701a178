"""Yank a release: it was published and is withdrawn, with a reason; it stays resolvable."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.release import MOVES, ReleaseState
from releaser.domain.rollout import NOT_BEGUN, ROLLOUT_MOVES, RolloutState
from releaser.errors import InvalidError
from releaser.flows.finish_work import finish_work
from releaser.flows.pause_release import pause_release
from releaser.flows.ports import Facts, Ports
from releaser.flows.rewrite_release import rewrite_release
from releaser.store import moves, products, releases, rollouts
from releaser.store.releases import Release

MAX_REASON = 2000


class MissingReasonError(InvalidError):
    """Readers must be told why."""


def yank_release(ports: Ports, *, product: str, version: str, reason: str, by: str) -> Facts:
    """Yank; a release that is yanked already is answered as it is, with `unchanged` true.

    Its rollouts that have not begun end, and those that run are paused for good: a person ends them. Files, and the changelog in the product's repository where it is kept there, say so afterwards. Raises
    `ProductNotFoundError`, `ReleaseNotFoundError`, `MissingReasonError`, `MoveConflictError`, and what `rewrite_release`
    raises (the release is yanked then; the same command writes the files).
    """
    reason = checked_reason(reason)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        release = releases.get(session, products.get(session, product), version)
        unchanged = release.state is ReleaseState.YANKED
        if not unchanged:
            moves.move(
                session,
                release,
                ReleaseState.YANKED,
                moves=MOVES,
                now=now,
                by=by,
                reason=reason,
                yanked_at=now,
                yank_reason=reason,
            )
            _end_planned(session, release, now=now, by=by)
            pause_release(session, release, reason=f"{release.version} was yanked: {reason}", now=now, by=by)
        facts = releases.facts(release)
    # Also again: what was interrupted behind the move is completed by the same command.
    rewrite_release(ports, product=product, version=facts["version"], by=by)
    ports.wake()
    return {**facts, "unchanged": unchanged}


def _end_planned(session: Session, release: Release, *, now: datetime, by: str) -> None:
    """Rollouts of the release that have not begun will not take place; whoever was told of their work is told so."""
    for rollout in rollouts.of_release(session, release.id, NOT_BEGUN):
        reason = f"{release.version} was yanked"
        rollout.reason = ""  # why it had not begun is nothing for customers
        to = RolloutState.ABORTED
        moves.move(session, rollout, to, moves=ROLLOUT_MOVES, now=now, by=by, reason=reason, finished_at=now)
        finish_work(session, rollout=rollout, now=now)
        rollout.reason = reason


def checked_reason(reason: str) -> str:
    """The reason, without blanks around it. Raises `MissingReasonError`."""
    bare = reason.strip()
    if not bare or len(bare) > MAX_REASON:
        raise MissingReasonError(
            "A reason is needed." if not bare else f"The reason is longer than {MAX_REASON} characters.",
            advice="Say why, and what to do instead.",
            field="reason",
        )
    return bare
