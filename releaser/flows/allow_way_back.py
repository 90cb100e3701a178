"""Let a release be rolled back again that was marked as not safe to."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import products, releases, ways


def allow_way_back(ports: Ports, *, product: str, version: str, by: str) -> Facts:
    """The release; `unchanged` tells that it was not marked.

    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `InvalidVersionError`.
    """
    with ports.database.transaction() as session:
        release = releases.get(session, products.get(session, product), version)
        unchanged = not release.one_way_reason
        if not unchanged:
            ways.set_one_way(session, release, reason="", by=by, now=ports.clock.now())
        return {**releases.facts(release), "unchanged": unchanged}
