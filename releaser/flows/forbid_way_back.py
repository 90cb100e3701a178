"""Mark a release as not safe to roll back: what runs it and fails stops for a person instead."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.flows.yank_release import checked_reason
from releaser.store import products, releases, ways


def forbid_way_back(ports: Ports, *, product: str, version: str, reason: str, by: str) -> Facts:
    """The release. It holds for rollouts under way too; marked again, the new reason counts, `unchanged` tells that it was the same.

    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `MissingReasonError`.
    """
    reason = checked_reason(reason)
    with ports.database.transaction() as session:
        release = releases.get(session, products.get(session, product), version)
        unchanged = release.one_way_reason == reason
        if not unchanged:
            ways.set_one_way(session, release, reason=reason, by=by, now=ports.clock.now())
        return {**releases.facts(release), "unchanged": unchanged}
