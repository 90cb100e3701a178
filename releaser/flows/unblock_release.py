"""Let a version be rolled out again that was blocked after a rollback."""

from __future__ import annotations

from releaser.errors import ConflictError
from releaser.flows.ports import Facts, Ports
from releaser.flows.yank_release import checked_reason
from releaser.store import blocks, products, releases


class NotBlockedError(ConflictError):
    """The version is not blocked."""


def unblock_release(ports: Ports, *, product: str, version: str, reason: str, by: str) -> Facts:
    """Lift the block; it stays in the release's story with the reason for lifting it. Answers the release.

    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `MissingReasonError`, `NotBlockedError`.
    """
    reason = checked_reason(reason)
    with ports.database.transaction() as session:
        release = releases.get(session, products.get(session, product), version)
        block = blocks.standing(session, release.id)
        if block is None:
            raise NotBlockedError(
                f"Release {release.version} of '{product}' is not blocked.",
                advice=f"See: releaser release show {product} {release.version}.",
                field="version",
            )
        block.lifted_at, block.lifted_by, block.lifted_reason = ports.clock.now(), by, reason
        session.flush()
        return {**releases.facts(release), "blocked": None, "blocks": blocks.story(session, release.id)}
