"""Products: what there is, adding one, and reading its history."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from releaser.domain.declaration import DeclaredProduct
from releaser.flows.add_product import add_product
from releaser.flows.collect_commits import collect_commits
from releaser.flows.remove_product import remove_product
from releaser.flows.show_product import list_products, show_product
from releaser.web.answers import FactsResponse
from releaser.web.api.described import Sent, body, declared
from releaser.web.asked import Actor, Asked
from releaser.web.paging import Paged, listed

router = APIRouter(tags=["products"])


@router.get("/products", summary="Products by name", response_class=FactsResponse)
def products(request: Request, ports: Asked, page: Paged) -> Response:
    """A page of products with their modules."""
    return listed(request, page, list_products(ports, limit=page.look_ahead, offset=page.offset))


@router.post(
    "/products",
    status_code=201,
    summary="Add a product",
    response_class=FactsResponse,
    openapi_extra=body(DeclaredProduct),
)
def add(ports: Asked, actor: Actor, text: Sent) -> Response:
    """It is changed later by applying a declaration."""
    facts = add_product(ports, product=declared(text, group="products").products[0], by=actor)
    return FactsResponse(facts, status_code=201, headers={"Location": f"/v1/products/{facts['name']}"})


@router.get("/products/{product}", summary="One product", response_class=FactsResponse)
def product(ports: Asked, product: str) -> Response:
    """Its repository, numbering, rhythm, modules and lines."""
    return FactsResponse(show_product(ports, product=product))


@router.delete("/products/{product}", summary="Remove a product", response_class=FactsResponse)
def remove(
    ports: Asked,
    actor: Actor,
    product: str,
    force: Annotated[bool, Query(description="Also what was cut here, and requests.")] = False,  # noqa: FBT002 -- a parameter of an address
) -> Response:
    """With its history here; refused while anybody runs it. Its repository stays as it is."""
    return FactsResponse(remove_product(ports, product=product, force=force, by=actor))


@router.post("/products/{product}/collect", summary="Read what is new in the history", response_class=FactsResponse)
def collect(ports: Asked, product: str) -> Response:
    """Counts, new releases, tags that are no versions, and alarms of tags that moved. Nothing new changes nothing."""
    return FactsResponse(collect_commits(ports, product=product))
