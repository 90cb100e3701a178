"""Steering rollouts: pause, resume, abort, retry, approve. Each may be asked for twice."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.approve_rollout import approve_rollout
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.resume_rollout import resume_rollout
from releaser.flows.retry_rollout import retry_rollout
from releaser.web.answers import FactsResponse
from releaser.web.api.rollout_asked import Why
from releaser.web.api.rollout_shapes import Rollout, answers
from releaser.web.asked import Actor, Asked, Id

router = APIRouter(tags=["rollouts"])


@router.post(
    "/rollouts/{rollout_id}/pause",
    summary="Finish the targets at hand, start none",
    response_class=FactsResponse,
    responses=answers(Rollout),
)
def pause(ports: Asked, actor: Actor, rollout_id: Id, why: Why | None = None) -> Response:
    """Pausing a paused rollout changes nothing."""
    return FactsResponse(pause_rollout(ports, rollout_id=rollout_id, by=actor, reason=_reason(why)))


@router.post(
    "/rollouts/{rollout_id}/resume",
    summary="Let a paused rollout go on",
    response_class=FactsResponse,
    responses=answers(Rollout),
)
def resume(ports: Asked, actor: Actor, rollout_id: Id, why: Why | None = None) -> Response:
    """Resuming a running rollout changes nothing."""
    return FactsResponse(resume_rollout(ports, rollout_id=rollout_id, by=actor, reason=_reason(why)))


@router.post(
    "/rollouts/{rollout_id}/abort",
    summary="Undo what is not committed, start nothing more",
    response_class=FactsResponse,
    responses=answers(Rollout),
)
def abort(ports: Asked, actor: Actor, rollout_id: Id, why: Why | None = None) -> Response:
    """Aborting an aborted rollout changes nothing."""
    return FactsResponse(abort_rollout(ports, rollout_id=rollout_id, by=actor, reason=_reason(why)))


@router.post(
    "/rollouts/{rollout_id}/retry",
    summary="Try again what failed",
    response_class=FactsResponse,
    responses=answers(Rollout),
)
def retry(ports: Asked, actor: Actor, rollout_id: Id, why: Why | None = None) -> Response:
    """A new attempt for every target that failed; inconsistent ones are for people."""
    return FactsResponse(retry_rollout(ports, rollout_id=rollout_id, by=actor, reason=_reason(why)))


@router.post(
    "/rollouts/{rollout_id}/approve",
    summary="Approve the plan and start it",
    response_class=FactsResponse,
    responses=answers(Rollout),
)
def approve(ports: Asked, actor: Actor, rollout_id: Id, why: Why | None = None) -> Response:
    """By somebody else than its author; a plan that changed meanwhile is refused."""
    return FactsResponse(approve_rollout(ports, rollout_id=rollout_id, by=actor, reason=_reason(why)))


def _reason(why: Why | None) -> str:
    return why.reason if why else ""
