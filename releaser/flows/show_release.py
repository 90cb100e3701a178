"""A product's releases as they stand."""

from __future__ import annotations

from releaser.domain.changelog import Audience
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_notes import show_notes
from releaser.store import blocks, embargoes, gates, products, releases


def show_release(ports: Ports, *, product: str, version: str, audience: Audience = Audience.CUSTOMER) -> Facts:
    """One release with its notes as `audience` may read them, and what the gate found when it was cut here.

    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `InvalidVersionError`.
    """
    with ports.database.reading() as session:
        release = releases.get(session, products.get(session, product), version)
        kept = gates.of_release(session, release.id)
        gate = gates.facts(kept) if kept else None
        if gate is not None and audience is Audience.CUSTOMER:
            veil = embargoes.veil(session, release.product_id, now=ports.clock.now())
            gate["findings"] = [
                one
                for one in gate["findings"]
                if veil.until(ticket=one["ticket"] or "", commit=one["commit"] or "") is None
                and not any(key in str(one) for key in veil.tickets)
            ]
        block = blocks.standing(session, release.id)
        told = {"blocked": blocks.facts(block) if block else None, "blocks": blocks.story(session, release.id)}
        facts = {**releases.facts(release), **told}
    notes = show_notes(ports, product=product, version=version, audience=audience)
    return {**facts, "notes": notes, "gate": gate}


def list_releases(
    ports: Ports, *, product: str, line: str | None = None, limit: int = 50, offset: int = 0
) -> list[Facts]:
    """Releases, newest number first. Raises `ProductNotFoundError`."""
    with ports.database.reading() as session:
        row = products.get(session, product)
        found = releases.by_product(session, row.id, limit=limit, offset=offset, line=line)
        return [releases.facts(release) for release in found]
