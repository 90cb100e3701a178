"""Freezes of updates: times in which nothing is cut over."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from releaser.domain.update_freeze import FreezeScope
from releaser.flows.freeze_updates import freeze_updates
from releaser.flows.lift_freeze import lift_freeze
from releaser.flows.list_freezes import list_freezes
from releaser.flows.override_freeze import override_freeze
from releaser.web.answers import FactsResponse
from releaser.web.api.rollout_shapes import Freeze, FreezePage, OverriddenRollout, answers
from releaser.web.asked import BIGGEST_ID, Actor, Asked, Id, Instant, Text
from releaser.web.paging import Paged, listed

router = APIRouter(tags=["rollouts"])


class NewFreeze(BaseModel):
    """When nothing shall be cut over, where, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "scope": "customer",
                "name": "acme",
                "starts_at": "2026-12-24T00:00:00+03:00",
                "ends_at": "2027-01-09T00:00:00+03:00",
                "reason": "holidays",
            }
        },
    )

    scope: FreezeScope
    name: Text = Field("", description="Of the product, customer or installation; empty for `all`.")
    starts_at: Instant | None = Field(None, description="With an offset; now when left out.")
    ends_at: Instant
    reason: Text


class Lifting(BaseModel):
    """Why a freeze ends before its time."""

    model_config = ConfigDict(extra="forbid")

    reason: Text


class Override(BaseModel):
    """Which freeze a rollout may disregard, and why."""

    model_config = ConfigDict(extra="forbid")

    freeze: int = Field(ge=1, le=BIGGEST_ID)
    reason: Text


@router.get(
    "/update-freezes",
    summary="Freezes of updates, the last to end first",
    response_class=FactsResponse,
    responses=answers(FreezePage),
)
def freezes(request: Request, ports: Asked, page: Paged) -> Response:
    """Those to come, those that hold and those that are over or lifted."""
    return listed(request, page, list_freezes(ports, limit=page.look_ahead, offset=page.offset))


@router.post(
    "/update-freezes",
    status_code=201,
    summary="Freeze updates for a time",
    response_class=FactsResponse,
    responses=answers(Freeze, "Stated.", status=201),
)
def freeze(ports: Asked, actor: Actor, what: NewFreeze) -> Response:
    """What is being cut over is finished, nothing else begins to be; preparing goes on."""
    facts = freeze_updates(
        ports,
        scope=what.scope,
        name=what.name,
        starts_at=what.starts_at,
        ends_at=what.ends_at,
        reason=what.reason,
        by=actor,
    )
    return FactsResponse(facts, status_code=201)


@router.post(
    "/update-freezes/{freeze_id}/lift",
    summary="End a freeze before its time",
    response_class=FactsResponse,
    responses=answers(Freeze),
)
def lift(ports: Asked, actor: Actor, freeze_id: Id, why: Lifting) -> Response:
    """Lifting a lifted one changes nothing."""
    return FactsResponse(lift_freeze(ports, freeze_id=freeze_id, by=actor, reason=why.reason))


@router.post(
    "/rollouts/{rollout_id}/override-freeze",
    summary="Let one rollout cut over in spite of a freeze",
    response_class=FactsResponse,
    responses=answers(OverriddenRollout),
)
def override(ports: Asked, actor: Actor, rollout_id: Id, what: Override) -> Response:
    """Somebody with a name (`X-Releaser-Actor`) decides it, for a reason; both are kept and shown."""
    return FactsResponse(
        override_freeze(ports, rollout_id=rollout_id, freeze_id=what.freeze, by=actor, reason=what.reason)
    )
