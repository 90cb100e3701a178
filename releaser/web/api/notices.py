"""Notices: what is announced, the ledger of who was told, announcing and cancelling."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from releaser.flows.announce_notice import announce_notice
from releaser.flows.cancel_notice import cancel_notice
from releaser.flows.replay_delivery import replay_delivery
from releaser.flows.show_notice import list_notices, show_notice
from releaser.web.answers import FactsResponse
from releaser.web.asked import Actor, Asked, Id, Instant, Text
from releaser.web.paging import Paged, cut, listed

router = APIRouter(tags=["notices"])


class Announcement(BaseModel):
    """When the work is planned; nothing keeps the times of the draft."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"starts_at": "2026-12-01T22:00:00Z"}})

    starts_at: Instant | None = Field(None, description="Planned start, with an offset.")
    ends_at: Instant | None = Field(None, description="Planned end, with an offset.")
    emergency_reason: Text = Field("", description="Allows a shorter lead than the contract's; recipients read it.")


class Cancellation(BaseModel):
    """Why the work will not take place."""

    model_config = ConfigDict(extra="forbid")

    reason: Text


@router.get("/notices", summary="Notices, latest planned start first", response_class=FactsResponse)
def notices(request: Request, ports: Asked, page: Paged) -> Response:
    """A page of notices, drafts included."""
    return listed(request, page, list_notices(ports, limit=page.look_ahead, offset=page.offset))


@router.get("/notices/{notice_id}", summary="One notice with its deliveries", response_class=FactsResponse)
def notice(ports: Asked, notice_id: Id) -> Response:
    """What was said, what stops where, planned and measured."""
    return FactsResponse(show_notice(ports, notice_id=notice_id))


@router.get(
    "/notices/{notice_id}/deliveries", summary="The ledger: who was told what, when", response_class=FactsResponse
)
def deliveries(request: Request, ports: Asked, page: Paged, notice_id: Id) -> Response:
    """One row per recipient, channel, revision and kind."""
    return cut(request, page, show_notice(ports, notice_id=notice_id)["deliveries"])


@router.post(
    "/notices/{notice_id}/announce", summary="Announce a notice, or a revision of it", response_class=FactsResponse
)
def announce(ports: Asked, actor: Actor, notice_id: Id, when: Announcement | None = None) -> Response:
    """Everybody it concerns is told; nothing changed is no revision."""
    asked = when or Announcement()
    facts = announce_notice(
        ports,
        notice_id=notice_id,
        by=actor,
        starts_at=asked.starts_at,
        ends_at=asked.ends_at,
        emergency_reason=asked.emergency_reason,
    )
    return FactsResponse(facts)


@router.post("/notices/{notice_id}/cancel", summary="Cancel a notice", response_class=FactsResponse)
def cancel(ports: Asked, actor: Actor, notice_id: Id, why: Cancellation) -> Response:
    """Everybody who was told is told so."""
    return FactsResponse(cancel_notice(ports, notice_id=notice_id, by=actor, reason=why.reason))


@router.post("/deliveries/{delivery_id}/replay", summary="Send again what was given up", response_class=FactsResponse)
def replay(ports: Asked, actor: Actor, delivery_id: Id) -> Response:
    """Queue it again, with all its tries."""
    return FactsResponse(replay_delivery(ports, delivery_id=delivery_id, by=actor))
