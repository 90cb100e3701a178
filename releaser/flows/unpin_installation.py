"""Let mass rollouts have an installation again that a one-off had pinned."""

from __future__ import annotations

from releaser.errors import ConflictError
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_installation import show_installation
from releaser.store import installations, pins


class NotPinnedError(ConflictError):
    """The installation is not pinned."""


def unpin_installation(ports: Ports, *, installation: str, reason: str, by: str) -> Facts:
    """Unpin it and tell it. What runs there stays until the next rollout.

    Raises `InstallationNotFoundError`, `NotPinnedError`.
    """
    with ports.database.transaction() as session:
        row = installations.get(session, installation)
        if not pins.unpin(session, row, by=by, reason=reason, now=ports.clock.now()):
            raise NotPinnedError(
                f"Installation '{installation}' is not pinned.",
                advice="See `releaser installation show`.",
                field="installation",
            )
    return show_installation(ports, installation=installation)
