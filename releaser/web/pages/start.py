"""The first page: what runs where, what comes, what is new."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from releaser.store import overview, products
from releaser.web.asked import Asked, Reading
from releaser.web.pages.shown import shown, titled

router = APIRouter()


@router.get("/")
def start(request: Request, ports: Asked, reader: Reading) -> Response:
    """Installations by product (those that have any first), rollouts under way, coming work, newest releases."""
    with ports.database.reading() as session:
        known = [products.facts(product) for product in products.everything(session)]
        running = overview.running(session)
        by_product = {p["name"]: [one for one in running if one["product"] == p["name"]] for p in known}
        context: dict[str, Any] = {
            "products": sorted(known, key=lambda product: not by_product[product["name"]]),
            "running": by_product,
            "rollouts": overview.rollouts_under_way(session),
            "coming": [titled(one, reader) for one in overview.coming(session)],
            "releases": overview.newest_releases(session),
        }
    return shown(request, reader, "start.html", now=ports.clock.now(), **context)
