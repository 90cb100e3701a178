"""Customers, their installations, and the hosts they run on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from releaser.domain.declaration import DeclaredCustomer, DeclaredInstallation
from releaser.flows.add_customer import add_customer
from releaser.flows.add_installation import add_installation
from releaser.flows.show_customer import list_customers, show_customer
from releaser.flows.show_installation import list_installations, show_installation
from releaser.store import installations as table
from releaser.web.answers import FactsResponse
from releaser.web.api.described import Sent, body, declared
from releaser.web.asked import Actor, Asked
from releaser.web.paging import Paged, cut, listed

router = APIRouter(tags=["customers"])


@router.get("/customers", summary="Customers by name", response_class=FactsResponse)
def customers(request: Request, ports: Asked, page: Paged) -> Response:
    """A page of customers with their contacts and regulation."""
    return listed(request, page, list_customers(ports, limit=page.look_ahead, offset=page.offset))


@router.post(
    "/customers",
    status_code=201,
    summary="Add a customer",
    response_class=FactsResponse,
    openapi_extra=body(DeclaredCustomer),
)
def add(ports: Asked, actor: Actor, text: Sent) -> Response:
    """With its contacts and what its contract says."""
    facts = add_customer(ports, customer=declared(text, group="customers").customers[0], by=actor)
    return FactsResponse(facts, status_code=201, headers={"Location": f"/v1/customers/{facts['name']}"})


@router.get("/customers/{customer}", summary="One customer", response_class=FactsResponse)
def customer(ports: Asked, customer: str) -> Response:
    """Its language, zone, contacts, regulation and the names of its installations."""
    return FactsResponse(show_customer(ports, customer=customer))


@router.get("/installations", summary="Installations by name", response_class=FactsResponse)
def installations(
    request: Request,
    ports: Asked,
    page: Paged,
    product: Annotated[str | None, Query(max_length=80)] = None,
    customer: Annotated[str | None, Query(max_length=80)] = None,
) -> Response:
    """A page of installations with what runs there since when, of one product or one customer where named."""
    found = list_installations(ports, product=product, customer=customer, limit=page.look_ahead, offset=page.offset)
    return listed(request, page, found)


@router.post(
    "/installations",
    status_code=201,
    summary="Add an installation",
    response_class=FactsResponse,
    openapi_extra=body(DeclaredInstallation),
)
def add_one(ports: Asked, actor: Actor, text: Sent) -> Response:
    """With its targets, on hosts that are there; new hosts come by a declaration."""
    facts = add_installation(ports, installation=declared(text, group="installations").installations[0], by=actor)
    return FactsResponse(facts, status_code=201, headers={"Location": f"/v1/installations/{facts['name']}"})


@router.get("/installations/{installation}", summary="One installation", response_class=FactsResponse)
def installation(ports: Asked, installation: str) -> Response:
    """Its targets: declared specification, version, digest, since when."""
    return FactsResponse(show_installation(ports, installation=installation))


@router.get("/hosts", summary="Hosts by name", response_class=FactsResponse)
def hosts(request: Request, ports: Asked, page: Paged) -> Response:
    """A page of hosts with their engines' addresses."""
    with ports.database.reading() as session:
        found = [{"name": row.name, "address": row.address} for row in table.hosts(session)]
    return cut(request, page, found)
