"""Abandon a cut that was not published: it ends, and its number is never given again."""

from __future__ import annotations

from releaser.domain.release import MOVES, ReleaseState
from releaser.flows.ports import Facts, Ports
from releaser.flows.yank_release import checked_reason
from releaser.store import moves, products, releases


def abandon_release(ports: Ports, *, product: str, version: str, reason: str, by: str) -> Facts:
    """Abandon; a release that is abandoned already is answered as it is, with `unchanged` true.

    Its tag, if it was pushed, stays: what is tagged is told by git.
    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `MissingReasonError`, `MoveConflictError`.
    """
    reason = checked_reason(reason)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        release = releases.get(session, products.get(session, product), version)
        unchanged = release.state is ReleaseState.ABANDONED
        if not unchanged:
            moves.move(session, release, ReleaseState.ABANDONED, moves=MOVES, now=now, by=by, reason=reason)
        return {**releases.facts(release), "unchanged": unchanged}
