"""A product's releases as they stand."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import products, releases


def show_release(ports: Ports, *, product: str, version: str) -> Facts:
    """One release with its notes. Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `InvalidVersionError`."""
    with ports.database.reading() as session:
        release = releases.get(session, products.get(session, product), version)
        notes = [
            {"ticket": n.ticket, "section": n.section, "audience": n.audience, "language": n.language, "text": n.text}
            for n in release.notes
        ]
        return {**releases.facts(release), "notes": notes}


def list_releases(
    ports: Ports, *, product: str, line: str | None = None, limit: int = 50, offset: int = 0
) -> list[Facts]:
    """Releases, newest number first. Raises `ProductNotFoundError`."""
    with ports.database.reading() as session:
        row = products.get(session, product)
        found = releases.by_product(session, row.id, limit=limit, offset=offset, line=line)
        return [releases.facts(release) for release in found]
