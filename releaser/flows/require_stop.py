"""Mark a release as a required stop: no upgrade may pass it by."""

from __future__ import annotations

from releaser.domain.release import ReleaseState
from releaser.errors import RefusedError
from releaser.flows.ports import Facts, Ports
from releaser.flows.yank_release import checked_reason
from releaser.store import products, releases, ways

_WITHDRAWN = frozenset({ReleaseState.YANKED, ReleaseState.ABANDONED})


def require_stop(ports: Ports, *, product: str, version: str, reason: str, by: str) -> Facts:
    """The release. Marked again, the new reason counts; `unchanged` tells that it was the same.

    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `MissingReasonError`, `RefusedError` (rule `release-state`).
    """
    reason = checked_reason(reason)
    with ports.database.transaction() as session:
        release = releases.get(session, products.get(session, product), version)
        if release.state in _WITHDRAWN:
            raise RefusedError(
                f"Release {release.version} of '{product}' is {release.state.value}, so nobody can stop at it.",
                rule="release-state",
                advice="Mark one that can be rolled out.",
                field="version",
            )
        unchanged = release.stop_reason == reason
        if not unchanged:
            ways.set_stop(release, reason=reason, by=by, now=ports.clock.now())
        return {**releases.facts(release), "unchanged": unchanged}
