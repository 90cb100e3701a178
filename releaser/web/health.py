"""Whether the process is alive, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import func, select

from releaser.store.products import Product
from releaser.web.answers import FactsResponse
from releaser.web.asked import Asked

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Whether the process is alive")
def healthz() -> FactsResponse:
    """Answers as long as the process does."""
    return FactsResponse({"status": "alive"})


@router.get("/readyz", summary="Whether the database answers and has its tables")
def readyz(ports: Asked) -> FactsResponse:
    """200 when the service can work; else the problem that keeps it from it."""
    with ports.database.reading() as session:
        known = session.scalars(select(func.count()).select_from(Product)).one()
    return FactsResponse({"status": "ready", "products": known})
