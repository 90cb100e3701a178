"""Products: what there is, and reading their histories."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from releaser.flows.collect_commits import collect_commits
from releaser.store import products as table
from releaser.web.answers import FactsResponse
from releaser.web.asked import Asked
from releaser.web.paging import Paged, cut

router = APIRouter(tags=["products"])


@router.get("/products", summary="Products by name", response_class=FactsResponse)
def products(request: Request, ports: Asked, page: Paged) -> Response:
    """A page of products with their modules."""
    with ports.database.reading() as session:
        return cut(request, page, [table.facts(row) for row in table.everything(session)])


@router.get("/products/{product}", summary="One product", response_class=FactsResponse)
def product(ports: Asked, product: str) -> Response:
    """Its repository, numbering, rhythm and modules."""
    with ports.database.reading() as session:
        return FactsResponse(table.facts(table.get(session, product)))


@router.post("/products/{product}/collect", summary="Read what is new in the history", response_class=FactsResponse)
def collect(ports: Asked, product: str) -> Response:
    """Counts, new releases, tags that are no versions, and alarms of tags that moved. Nothing new changes nothing."""
    return FactsResponse(collect_commits(ports, product=product))
