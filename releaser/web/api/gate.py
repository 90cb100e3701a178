"""The gate before a cut, what blocks it, what tickets are about, and tags that moved."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from releaser.domain.line import TicketKind
from releaser.domain.release import CutKind
from releaser.flows.accept_tag import accept_tag
from releaser.flows.block_ticket import block_ticket
from releaser.flows.check_gate import check_gate
from releaser.flows.list_alarms import list_alarms
from releaser.flows.list_blockers import list_blockers
from releaser.flows.mark_ticket import mark_ticket
from releaser.flows.unblock_ticket import unblock_ticket
from releaser.web.answers import FactsResponse
from releaser.web.asked import Actor, Asked, Reading, Text
from releaser.web.paging import Paged, cut

router = APIRouter(tags=["gate"])


class Block(BaseModel):
    """A ticket that holds cuts: of a line, of a train, or, naming neither, every one."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"ticket": "PRT-12", "line": "1.1", "reason": "loses orders"}}
    )

    ticket: Text
    reason: Text
    line: Text | None = None
    train: Text | None = None


class Mark(BaseModel):
    """What a ticket is about; null takes the mark away."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"product": "portal", "kind": "security"}})

    product: Text
    kind: TicketKind | None


class Acceptance(BaseModel):
    """A tag that moved or vanished, and why that is all right."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"tag": "v1.0", "reason": "it was on the wrong commit"}}
    )

    tag: Text
    reason: Text


@router.get("/products/{product}/gate", summary="What speaks against a cut", response_class=FactsResponse)
def gate(
    ports: Asked,
    reader: Reading,
    product: str,
    kind: CutKind = CutKind.STABLE,
    line: Annotated[str | None, Query(max_length=80, description="The line of a patch.")] = None,
) -> Response:
    """As of the last collect. `holds` tells whether a cut would be refused; nothing is changed."""
    return FactsResponse(check_gate(ports, product=product, kind=kind, line=line, language=reader.language))


@router.get("/products/{product}/blockers", summary="What blocks cuts", response_class=FactsResponse)
def blockers(request: Request, ports: Asked, page: Paged, product: str) -> Response:
    """A page of blockers that stand, oldest first."""
    return cut(request, page, list_blockers(ports, product=product))


@router.post("/products/{product}/blockers", summary="Block cuts by a ticket", response_class=FactsResponse)
def block(ports: Asked, actor: Actor, product: str, what: Block) -> Response:
    """Until its fix is in what is cut, or somebody lifts it. The same again changes nothing."""
    facts = block_ticket(
        ports, product=product, ticket=what.ticket, line=what.line, train=what.train, reason=what.reason, by=actor
    )
    return FactsResponse(facts)


@router.post("/products/{product}/blockers/lift", summary="Let go of a ticket's blocks", response_class=FactsResponse)
def lift(ports: Asked, actor: Actor, product: str, what: Block) -> Response:
    """All of them, or that of the line or train named; answers what was lifted."""
    found = unblock_ticket(
        ports, product=product, ticket=what.ticket, line=what.line, train=what.train, reason=what.reason, by=actor
    )
    return FactsResponse({"items": found, "next": None})


@router.post("/tickets/{key:path}/mark", summary="Say what a ticket is about", response_class=FactsResponse)
def mark(ports: Asked, actor: Actor, key: str, what: Mark) -> Response:
    """Lines that take fixes only, or security fixes only, ask for it."""
    return FactsResponse(mark_ticket(ports, product=what.product, ticket=key, kind=what.kind, by=actor))


@router.get("/products/{product}/alarms", summary="Tags that moved or vanished", response_class=FactsResponse)
def alarms(
    request: Request,
    ports: Asked,
    page: Paged,
    product: str,
    accepted: Annotated[bool, Query(description="Also those that were accepted.")] = False,  # noqa: FBT002 -- a parameter of an address
) -> Response:
    """A page of alarms, oldest first; they stand until somebody accepts them."""
    return cut(request, page, list_alarms(ports, product=product, accepted=accepted))


@router.post("/products/{product}/alarms/accept", summary="Accept what a tag is now", response_class=FactsResponse)
def accept(ports: Asked, actor: Actor, product: str, what: Acceptance) -> Response:
    """Its old meaning is forgotten, and the history read again."""
    return FactsResponse(accept_tag(ports, product=product, tag=what.tag, reason=what.reason, by=actor))
