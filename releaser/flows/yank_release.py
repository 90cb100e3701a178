"""Yank a release: it was published and is withdrawn, with a reason; it stays resolvable."""

from __future__ import annotations

from releaser.domain.release import MOVES, ReleaseState
from releaser.errors import InvalidError
from releaser.flows.ports import Facts, Ports
from releaser.flows.write_changelog import write_changelog
from releaser.store import moves, products, releases

MAX_REASON = 2000


class MissingReasonError(InvalidError):
    """Readers must be told why."""


def yank_release(ports: Ports, *, product: str, version: str, reason: str, by: str) -> Facts:
    """Yank; a release that is yanked already is answered as it is, with `unchanged` true.

    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `MissingReasonError`, `MoveConflictError`.
    """
    reason = checked_reason(reason)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        release = releases.get(session, products.get(session, product), version)
        if release.state is ReleaseState.YANKED:
            return {**releases.facts(release), "unchanged": True}
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
        facts = releases.facts(release)
    write_changelog(ports, product=product, version=facts["version"])
    ports.wake()
    return {**facts, "unchanged": False}


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
