"""Requests: taking them in, their whole thread, closing and reopening them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from releaser.domain.history import LineStatus
from releaser.domain.request import CloseReason
from releaser.flows.add_ticket import add_ticket
from releaser.flows.close_ticket import close_ticket
from releaser.flows.override_status import override_status
from releaser.flows.reopen_ticket import reopen_ticket
from releaser.flows.show_ticket import list_tickets, show_ticket
from releaser.flows.state_found_in import state_found_in
from releaser.flows.state_planned_for import state_planned_for
from releaser.flows.withdraw_override import withdraw_override
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


class Word(BaseModel):
    """A person's word on a ticket's status on a line."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"line": "1.4", "status": "unaffected", "reason": "The cart came with 1.5."}},
    )

    line: Text
    status: LineStatus
    reason: Text


class Withdrawn(BaseModel):
    """Which word is taken back, and why."""

    model_config = ConfigDict(extra="forbid")

    line: Text
    reason: Text


class FoundIn(BaseModel):
    """In which version a fault was found; null when nobody knows any more."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"version": "1.4.2", "is_first": True}})

    version: Text | None
    is_first: Annotated[bool, Field(description="No version before it has the fault.")] = False
    reason: Text = ""


class PlannedFor(BaseModel):
    """For which version a ticket is planned; null for none."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"version": "1.5"}})

    version: Text | None
    reason: Text = ""


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


@router.post("/tickets/{key:path}/override", summary="Override a status on a line", response_class=FactsResponse)
def override(ports: Asked, actor: Actor, key: str, word: Word, product: OfProduct = None) -> Response:
    """A person's word, with a reason: it counts whatever the history shows, and stays through every collect."""
    facts = override_status(
        ports, key=key, product=product, line=word.line, status=word.status, reason=word.reason, by=actor
    )
    return FactsResponse(facts)


@router.post("/tickets/{key:path}/withdraw-override", summary="Take an override back", response_class=FactsResponse)
def withdraw(ports: Asked, actor: Actor, key: str, word: Withdrawn, product: OfProduct = None) -> Response:
    """What the history shows counts again."""
    return FactsResponse(
        withdraw_override(ports, key=key, product=product, line=word.line, reason=word.reason, by=actor)
    )


@router.post("/tickets/{key:path}/found-in", summary="State where a fault was found", response_class=FactsResponse)
def found_in(ports: Asked, actor: Actor, key: str, what: FoundIn, product: OfProduct = None) -> Response:
    """Lines that have that version are affected until they have the fix."""
    facts = state_found_in(
        ports,
        key=key,
        product=product,
        version=what.version,
        is_first=what.is_first,
        reason=what.reason,
        by=actor,
    )
    return FactsResponse(facts)


@router.post("/tickets/{key:path}/planned-for", summary="Plan a ticket for a version", response_class=FactsResponse)
def planned_for(ports: Asked, actor: Actor, key: str, what: PlannedFor, product: OfProduct = None) -> Response:
    """Every change stays in the ticket's story."""
    facts = state_planned_for(ports, key=key, product=product, version=what.version, reason=what.reason, by=actor)
    return FactsResponse(facts)
