"""Requests: taking them in, their whole thread, closing and reopening them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from releaser.domain.request import CloseReason
from releaser.flows.add_ticket import add_ticket
from releaser.flows.close_ticket import close_ticket
from releaser.flows.reopen_ticket import reopen_ticket
from releaser.flows.show_ticket import list_tickets, show_ticket
from releaser.web.answers import FactsResponse
from releaser.web.asked import Actor, Asked, Text
from releaser.web.paging import Paged, listed

router = APIRouter(tags=["tickets"])
OfProduct = Annotated[str | None, Query(max_length=80, description="The product, where several know the key.")]


class NewTicket(BaseModel):
    """A request; without a customer it is the vendor's own."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "product": "portal",
                "key": "PRT-12",
                "title": "Sign-in fails",
                "customer": "acme",
                "found_in": "1.0",
            }
        },
    )

    product: Text
    key: Text
    title: Text
    customer: Text | None = None
    found_in: Text | None = None


class Closing(BaseModel):
    """Why a request is closed."""

    model_config = ConfigDict(extra="forbid")

    reason: CloseReason


class Reopening(BaseModel):
    """Why a request is reopened."""

    model_config = ConfigDict(extra="forbid")

    reason: Text


@router.get("/tickets", summary="Requests, newest first", response_class=FactsResponse)
def tickets(
    request: Request,
    ports: Asked,
    page: Paged,
    product: Annotated[str | None, Query(max_length=80)] = None,
    customer: Annotated[str | None, Query(max_length=80)] = None,
) -> Response:
    """A page of requests, of one product or one customer where named."""
    found = list_tickets(ports, product=product, customer=customer, limit=page.look_ahead, offset=page.offset)
    return listed(request, page, found)


@router.post("/tickets", status_code=201, summary="Take in a request", response_class=FactsResponse)
def add(ports: Asked, actor: Actor, what: NewTicket) -> Response:
    """The key must be one that the product's patterns find in commits."""
    facts = add_ticket(
        ports,
        product=what.product,
        key=what.key,
        title=what.title,
        customer=what.customer,
        found_in=what.found_in,
        by=actor,
    )
    return FactsResponse(facts, status_code=201)


@router.get("/tickets/{key:path}", summary="A ticket's whole thread", response_class=FactsResponse)
def ticket(ports: Asked, key: str, product: OfProduct = None) -> Response:
    """Request, commits, versions, notes, rollouts, and where the fix runs since when."""
    return FactsResponse(show_ticket(ports, key=key, product=product))


@router.post("/tickets/{key:path}/close", summary="Close a request", response_class=FactsResponse)
def close(ports: Asked, actor: Actor, key: str, why: Closing, product: OfProduct = None) -> Response:
    """With the reason why."""
    return FactsResponse(close_ticket(ports, key=key, product=product, reason=why.reason, by=actor))


@router.post("/tickets/{key:path}/reopen", summary="Reopen a request", response_class=FactsResponse)
def reopen(ports: Asked, actor: Actor, key: str, why: Reopening, product: OfProduct = None) -> Response:
    """A fix that came before does not solve it again."""
    return FactsResponse(reopen_ticket(ports, key=key, product=product, reason=why.reason, by=actor))
