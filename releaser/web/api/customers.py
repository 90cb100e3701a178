"""Customers, their installations, and the hosts they run on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from releaser.store import customers as customer_table
from releaser.store import installations as installation_table
from releaser.store import products as product_table
from releaser.web.answers import FactsResponse
from releaser.web.asked import Asked
from releaser.web.paging import Paged, cut

router = APIRouter(tags=["customers"])


@router.get("/customers", summary="Customers by name", response_class=FactsResponse)
def customers(request: Request, ports: Asked, page: Paged) -> Response:
    """A page of customers with their contacts and regulation."""
    with ports.database.reading() as session:
        return cut(request, page, [customer_table.facts(row) for row in customer_table.everyone(session)])


@router.get("/customers/{customer}", summary="One customer", response_class=FactsResponse)
def customer(ports: Asked, customer: str) -> Response:
    """Its language, zone, contacts and regulation."""
    with ports.database.reading() as session:
        return FactsResponse(customer_table.facts(customer_table.get(session, customer)))


@router.get("/installations", summary="Installations by name", response_class=FactsResponse)
def installations(
    request: Request,
    ports: Asked,
    page: Paged,
    product: Annotated[str | None, Query(max_length=80)] = None,
    customer: Annotated[str | None, Query(max_length=80)] = None,
) -> Response:
    """A page of installations with what runs there since when, of one product or one customer where named."""
    with ports.database.reading() as session:
        found = installation_table.everything(
            session,
            product_id=product_table.get(session, product).id if product else None,
            customer_id=customer_table.get(session, customer).id if customer else None,
        )
        return cut(request, page, [installation_table.facts(row) for row in found])


@router.get("/installations/{installation}", summary="One installation", response_class=FactsResponse)
def installation(ports: Asked, installation: str) -> Response:
    """Its targets: declared specification, version, digest, since when."""
    with ports.database.reading() as session:
        return FactsResponse(installation_table.facts(installation_table.get(session, installation)))


@router.get("/hosts", summary="Hosts by name", response_class=FactsResponse)
def hosts(request: Request, ports: Asked, page: Paged) -> Response:
    """A page of hosts with their engines' addresses."""
    with ports.database.reading() as session:
        found = [{"name": row.name, "address": row.address} for row in installation_table.hosts(session)]
    return cut(request, page, found)
