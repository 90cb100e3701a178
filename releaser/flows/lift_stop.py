"""Let upgrades pass a release by again."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import products, releases, ways


def lift_stop(ports: Ports, *, product: str, version: str, by: str) -> Facts:
    """The release, which is no required stop any more; `unchanged` tells that it was none.

    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `InvalidVersionError`.
    """
    with ports.database.transaction() as session:
        release = releases.get(session, products.get(session, product), version)
        unchanged = not release.stop_reason
        if not unchanged:
            ways.set_stop(release, reason="", by=by, now=ports.clock.now())
        return {**releases.facts(release), "unchanged": unchanged}
