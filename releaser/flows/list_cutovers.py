"""What cutovers took, newest first: what predictions rest on."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import experience, products


def list_cutovers(
    ports: Ports, *, product: str | None = None, module: str | None = None, limit: int = 50, offset: int = 0
) -> list[Facts]:
    """Of all products, of one, or of one module of it. Raises `ProductNotFoundError`."""
    with ports.database.reading() as session:
        product_id = products.get(session, product).id if product else None
        return experience.newest(session, product_id=product_id, module=module, limit=limit, offset=offset)
