"""Trains, what is frozen before they leave, and what is planned for them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from releaser.domain.freeze import Phase
from releaser.domain.train import PREVIEW
from releaser.flows.except_ticket import except_ticket
from releaser.flows.freeze_state import freeze_state
from releaser.flows.list_exceptions import list_exceptions
from releaser.flows.list_plans import list_plans
from releaser.flows.list_trains import MOST, list_trains
from releaser.flows.plan_ticket import plan_ticket
from releaser.flows.restore_train import restore_train
from releaser.flows.revoke_exception import revoke_exception
from releaser.flows.shift_train import shift_train
from releaser.flows.skip_train import skip_train
from releaser.flows.state_freeze_point import state_freeze_point
from releaser.web.answers import FactsResponse
from releaser.web.asked import Actor, Asked, Id, Instant, Reading, Text
from releaser.web.paging import Paged, cut

router = APIRouter(prefix="/products/{product}", tags=["trains"])
Named = Annotated[str, Field(max_length=40, description="A train: its day, `next`, or `current`.")]


class Shift(BaseModel):
    """Another day for one train, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"on": "2030-06-03", "reason": "The fair is on that day."}}
    )

    on: date
    reason: Text


class TrainReason(BaseModel):
    """Why something is decided."""

    model_config = ConfigDict(extra="forbid")

    reason: Text


class NewException(BaseModel):
    """Leave for one ticket to land after the freeze; until the train leaves, where nothing else is said."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"ticket": "PRT-12", "approver": "olga", "reason": "The law asks for it.", "train": "current"}
        },
    )

    ticket: Text
    approver: Text
    reason: Text
    train: Named = "current"
    expires_at: Instant | None = None


class FreezePoint(BaseModel):
    """Where the branch was when a phase of a train began."""

    model_config = ConfigDict(extra="forbid")

    commit: Text
    reason: Text
    phase: Literal[Phase.SOFT_FREEZE, Phase.FREEZE] = Phase.FREEZE
    train: Named = "current"


class TicketPlan(BaseModel):
    """For which train a ticket is planned; null for none."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"ticket": "PRT-12", "train": "next", "reason": ""}}
    )

    ticket: Text
    train: Named | None
    reason: Text = ""


@router.get("/trains", summary="The next trains and why they moved", response_class=FactsResponse)
def trains(
    ports: Asked,
    product: str,
    count: Annotated[int, Query(ge=0, le=MOST, description="How many to come.")] = PREVIEW,
    past: Annotated[int, Query(ge=0, le=MOST, description="How many of those that left.")] = 0,
    language: Annotated[str, Query(max_length=10, description="Of the reasons: en or ru.")] = "en",
) -> Response:
    """The rhythm, the present phase, and each train's day, number, freeze, state and reason."""
    return FactsResponse(list_trains(ports, product=product, count=count, past=past, language=language))


@router.post("/trains/{train}/shift", summary="Let one train leave on another day", response_class=FactsResponse)
def shift(ports: Asked, actor: Actor, product: str, train: str, what: Shift) -> Response:
    """Its number stays, and no other train moves. `train` is its day, or `next`."""
    return FactsResponse(shift_train(ports, product=product, train=train, on=what.on, reason=what.reason, by=actor))


@router.post("/trains/{train}/skip", summary="Let one train not leave", response_class=FactsResponse)
def skip(ports: Asked, actor: Actor, product: str, train: str, why: TrainReason) -> Response:
    """It gives no number; what was planned for it is carried over to the next."""
    return FactsResponse(skip_train(ports, product=product, train=train, reason=why.reason, by=actor))


@router.post("/trains/{train}/restore", summary="Take a shift or a skip back", response_class=FactsResponse)
def restore(ports: Asked, actor: Actor, product: str, train: str, why: TrainReason) -> Response:
    """The train leaves by the rhythm and the calendar again."""
    return FactsResponse(restore_train(ports, product=product, train=train, reason=why.reason, by=actor))


@router.get("/freeze", summary="What a stable cut made now would refuse", response_class=FactsResponse)
def freeze(
    ports: Asked,
    reader: Reading,
    product: str,
    branch: Annotated[str, Query(max_length=200, description="Not the product's.")] = "",
) -> Response:
    """The phase of the train that a cut would leave with, where the branch was, violations and exceptions."""
    return FactsResponse(freeze_state(ports, product=product, branch=branch, language=reader.language))


@router.post("/freeze/points", status_code=201, summary="State where the branch was", response_class=FactsResponse)
def point(ports: Asked, actor: Actor, product: str, what: FreezePoint) -> Response:
    """Where nobody looked at the branch when a freeze began, a person's word counts."""
    facts = state_freeze_point(
        ports,
        product=product,
        commit=what.commit,
        reason=what.reason,
        phase=what.phase,
        train=what.train,
        by=actor,
    )
    return FactsResponse(facts, status_code=201)


@router.get("/exceptions", summary="Exceptions to freezes, newest first", response_class=FactsResponse)
def exceptions(
    request: Request,
    ports: Asked,
    page: Paged,
    product: str,
    train: Annotated[str, Query(max_length=40, description="Only those for this train.")] = "",
) -> Response:
    """Each with its ticket, approver, reason, expiry, and whether it still holds."""
    return cut(request, page, list_exceptions(ports, product=product, train=train))


@router.post("/exceptions", status_code=201, summary="Let one ticket in after a freeze", response_class=FactsResponse)
def except_(ports: Asked, actor: Actor, product: str, what: NewException) -> Response:
    """Approved by a person, for a reason, for a time, for one train."""
    expires_at: datetime | None = what.expires_at
    facts = except_ticket(
        ports,
        product=product,
        ticket=what.ticket,
        approver=what.approver,
        reason=what.reason,
        train=what.train,
        expires_at=expires_at,
        by=actor,
    )
    return FactsResponse(facts, status_code=201)


@router.post("/exceptions/{number}/revoke", summary="Take an exception back", response_class=FactsResponse)
def revoke(ports: Asked, actor: Actor, product: str, number: Id, why: TrainReason) -> Response:
    """What was cut by it stays cut."""
    return FactsResponse(revoke_exception(ports, product=product, number=number, reason=why.reason, by=actor))


@router.get("/plans", summary="Planned tickets, most often carried first", response_class=FactsResponse)
def plans(
    *,
    request: Request,
    ports: Asked,
    page: Paged,
    product: str,
    train: Annotated[str, Query(max_length=40, description="Only those planned for this train.")] = "",
    alerts: Annotated[bool, Query(description="Only those carried over too often.")] = False,
) -> Response:
    """For which train first and now, where they landed, and how often they were carried over."""
    return cut(request, page, list_plans(ports, product=product, train=train, alerts=alerts))


@router.post("/plans", summary="Plan a ticket for a train", response_class=FactsResponse)
def plan(ports: Asked, actor: Actor, product: str, what: TicketPlan) -> Response:
    """When the train leaves without it, it is carried over to the next, and counted."""
    facts = plan_ticket(ports, product=product, key=what.ticket, train=what.train, reason=what.reason, by=actor)
    return FactsResponse(facts)
