"""Scaling: more instances of a module, or other resources for it, at one installation."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from releaser.domain.operation import Operation, OperationKind
from releaser.domain.plan import RolloutOptions
from releaser.flows.ports import Ports
from releaser.flows.scale_installation import scale_installation
from releaser.web.answers import FactsResponse
from releaser.web.api.plan_shapes import Plan
from releaser.web.api.rollout_shapes import StartedRollout, answers
from releaser.web.asked import Actor, Asked, Instant, Text, Whole
from releaser.web.problems import IdempotencyKeyMissingError

router = APIRouter(tags=["installations"])

Key = Annotated[
    str,
    Header(alias="Idempotency-Key", max_length=255, description="Names this trigger; needed unless it is a dry run."),
]
Dry = Annotated[bool, Query(description="Only the plan: nothing is changed, and no key is needed.")]


class _Work(BaseModel):
    module: Text
    needs_approval: bool = Field(default=False, description="Wait for somebody else than the author to approve it.")
    ticket: Annotated[str, Field(max_length=120), Whole] = Field("", description="The request this is done for.")
    starts_at: Instant | None = Field(None, description="Planned start, for the notice; with an offset.")

    def options(self) -> RolloutOptions:
        """How it goes."""
        return RolloutOptions(needs_approval=self.needs_approval, ticket=self.ticket, starts_at=self.starts_at)


class Instances(_Work):
    """How many instances more of which module."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"module": "web", "count": 1}})

    count: int = Field(1, ge=1, le=100)


class Resources(_Work):
    """Which resources each instance of a module is to have; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"module": "web", "memory_mb": 512}})

    memory_mb: int | None = Field(None, ge=6, le=2**24)
    cpus: float | None = Field(None, gt=0, le=1024)


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": StartedRollout | Plan,
        "description": "The plan (`dry_run`); or the rollout: found again by its key, or nothing was to do.",
    },
    **answers(StartedRollout, "Started; `Location` is where to follow it.", status=202),
    400: {"description": "No `Idempotency-Key`."},
}


@router.post(
    "/installations/{name}/instances",
    status_code=202,
    summary="Add instances of a module, without a stop",
    response_class=FactsResponse,
    responses=_RESPONSES,
)
def add_instances(
    ports: Asked, actor: Actor, name: str, what: Instances, *, dry_run: Dry = False, key: Key = ""
) -> Response:
    """A rollout of the version that runs there. Containers need a front that shares the requests."""
    operation = Operation(kind=OperationKind.ADD_INSTANCE, module=what.module, count=what.count)
    return _scaled(ports, name, operation, what.options(), by=actor, dry_run=dry_run, key=key)


@router.post(
    "/installations/{name}/resources",
    status_code=202,
    summary="Change memory or processors of a module",
    response_class=FactsResponse,
    responses=_RESPONSES,
)
def resize(ports: Asked, actor: Actor, name: str, what: Resources, *, dry_run: Dry = False, key: Key = "") -> Response:
    """A rollout of the version that runs there; the plan says what it stops."""
    operation = Operation(kind=OperationKind.RESIZE, module=what.module, memory_mb=what.memory_mb, cpus=what.cpus)
    return _scaled(ports, name, operation, what.options(), by=actor, dry_run=dry_run, key=key)


def _scaled(
    ports: Ports, name: str, operation: Operation, options: RolloutOptions, *, by: str, dry_run: bool, key: str
) -> Response:
    if not dry_run and not key.strip():
        raise IdempotencyKeyMissingError(
            "Scaling needs an Idempotency-Key header.",
            advice="Send one that names this trigger; a retry then finds the same work, and does not add once more.",
            field="Idempotency-Key",
        )
    facts = scale_installation(
        ports,
        installation=name,
        operation=operation,
        by=by,
        options=options,
        dry_run=dry_run,
        key=key.strip() or None,
    )
    if dry_run:
        return FactsResponse(facts)
    is_new = not facts["found"] and not facts["unchanged"]
    return FactsResponse(facts, status_code=202 if is_new else 200, headers={"Location": f"/v1/rollouts/{facts['id']}"})
