"""Plans and rollouts: dry runs, starts (idempotent by key), lists and following. Steering has a file of its own."""

from __future__ import annotations

from typing import Annotated

import anyio
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from releaser.domain.rollout import UpdateState
from releaser.flows.count_targets import count_targets
from releaser.flows.list_cutovers import list_cutovers
from releaser.flows.list_rollout_targets import list_rollout_targets
from releaser.flows.list_rollouts import list_rollouts
from releaser.flows.plan_rollout import plan_rollout
from releaser.flows.ports import Ports
from releaser.flows.show_rollout import show_rollout
from releaser.flows.start_rollout import start_rollout
from releaser.web.answers import FactsResponse
from releaser.web.api.following import LOOK_EVERY_S, is_over, newest_move
from releaser.web.api.plan_shapes import Plan
from releaser.web.api.rollout_asked import LONGEST_KEY, TRIGGER, What
from releaser.web.api.rollout_shapes import (
    CutoverPage,
    RolloutPage,
    ShownRollout,
    StartedRollout,
    TargetPage,
    answers,
)
from releaser.web.asked import BIGGEST_ID, Actor, Asked, Id
from releaser.web.paging import Paged, listed
from releaser.web.problems import IdempotencyKeyMissingError

router = APIRouter(tags=["rollouts"])
LONGEST_WAIT_S = 60
ETAG = {"ETag": {"description": "Changes with every move of the rollout.", "schema": {"type": "string"}}}


@router.post(
    "/plans",
    summary="Plan a rollout: what it would do, stop and be refused for",
    response_class=FactsResponse,
    responses=answers(Plan),
)
def plan(
    ports: Asked,
    actor: Actor,
    what: What,
    *,
    save: Annotated[bool, Query(description="Keep the plan as a planned rollout and draft its notice.")] = False,
) -> Response:
    """Nothing is changed on any host; without `save` nothing is changed at all."""
    facts = plan_rollout(
        ports, product=what.product, version=what.version, selector=what.to, by=actor, options=what.options(), save=save
    )
    return FactsResponse(facts)


@router.get("/rollouts", summary="Rollouts, newest first", response_class=FactsResponse, responses=answers(RolloutPage))
def rollouts(request: Request, ports: Asked, page: Paged) -> Response:
    """A page of rollouts with their waves; `counts` says how their targets stand, which have addresses of their own."""
    return listed(request, page, list_rollouts(ports, limit=page.look_ahead, offset=page.offset))


@router.get(
    "/cutovers",
    summary="What cutovers took, newest first",
    response_class=FactsResponse,
    responses=answers(CutoverPage),
)
def cutovers(
    request: Request,
    ports: Asked,
    page: Paged,
    product: Annotated[str, Query(max_length=80, description="Of one product only.")] = "",
    module: Annotated[str, Query(max_length=80, description="Of the module of this name only.")] = "",
) -> Response:
    """What predictions rest on: how long each took, how long the service was away and by whose word."""
    facts = list_cutovers(
        ports, product=product or None, module=module or None, limit=page.look_ahead, offset=page.offset
    )
    return listed(request, page, facts)


@router.post(
    "/rollouts",
    status_code=202,
    summary="Start a rollout",
    response_class=FactsResponse,
    responses={
        **answers(StartedRollout, "Found again (`found`), or everything runs already (`unchanged`)."),
        **answers(StartedRollout, "Started, scheduled or waiting for an approval.", status=202),
        400: {"description": "No `Idempotency-Key`, or a body that is no JSON."},
        403: {"description": "A rule refuses it: `rule` names it, such as `version-blocked` or `notice-required`."},
        409: {"description": "Another rollout is at work on a target; `facts.rollout` is its number."},
        422: {"description": "The key was used with another body, or the body is malformed; `field` says where."},
    },
    openapi_extra=TRIGGER,
)
def start(
    ports: Asked,
    actor: Actor,
    what: What,
    idempotency_key: Annotated[str, Header(max_length=LONGEST_KEY, include_in_schema=False)] = "",
) -> Response:
    """The same key with the same body finds the same rollout, whatever became of it."""
    if not idempotency_key.strip():
        raise IdempotencyKeyMissingError(
            "Starting a rollout needs an Idempotency-Key header.",
            advice="Send one that names this trigger, such as the CI job's id; a retry then finds the same rollout.",
            field="Idempotency-Key",
        )
    facts = start_rollout(
        ports,
        product=what.product,
        version=what.version,
        selector=what.to,
        by=actor,
        options=what.options(),
        key=idempotency_key.strip(),
    )
    is_new = not facts["found"] and not facts["unchanged"]
    headers = {"Location": f"/v1/rollouts/{facts['id']}"}
    return FactsResponse(facts, status_code=202 if is_new else 200, headers=headers)


@router.get(
    "/rollouts/{rollout_id}",
    summary="One rollout with its journal; with `wait` a long poll",
    response_class=FactsResponse,
    responses={
        **answers(ShownRollout, "As it stands, or ended; with `targets=false` without them, and with their `counts`."),
        304: {"description": "Nothing changed within `wait` since the `If-None-Match` given."},
    },
    openapi_extra={"responses": {"200": {"headers": ETAG}, "304": {"headers": ETAG}}},
)
async def rollout(
    request: Request,
    ports: Asked,
    rollout_id: Id,
    wait: Annotated[
        float,
        Query(
            ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for its end, or with `If-None-Match` for a change."
        ),
    ] = 0,
    targets: Annotated[bool, Query(description="Whether its targets are told, with their journals.")] = True,  # noqa: FBT002 -- a parameter of an address
    if_none_match: Annotated[str, Header(max_length=100)] = "",
) -> Response:
    """For those who cannot follow the event stream. Waiting takes no thread."""
    left = int(wait / LOOK_EVERY_S)
    while True:
        tag, over = await anyio.to_thread.run_sync(_standing, ports, rollout_id)
        if (if_none_match and tag != if_none_match) or over or left <= 0 or request.app.state.stopping.is_set():
            break
        left -= 1
        await anyio.sleep(LOOK_EVERY_S)
    if tag == if_none_match:
        return Response(status_code=304, headers={"ETag": tag})
    asked = show_rollout if targets else count_targets
    facts = await anyio.to_thread.run_sync(lambda: asked(ports, rollout_id=rollout_id))
    return FactsResponse(facts, headers={"ETag": tag})


@router.get(
    "/rollouts/{rollout_id}/targets",
    summary="The targets of a rollout with their journals",
    response_class=FactsResponse,
    responses=answers(TargetPage),
)
def targets(
    request: Request,
    ports: Asked,
    page: Paged,
    rollout_id: Id,
    wave: Annotated[int | None, Query(ge=1, le=BIGGEST_ID, description="Of one wave only.")] = None,
    state: Annotated[UpdateState | None, Query(description="Only those in this state.")] = None,
) -> Response:
    """In the order in which they take their turns."""
    facts = list_rollout_targets(
        ports, rollout_id=rollout_id, wave=wave, state=state, limit=page.look_ahead, offset=page.offset
    )
    return listed(request, page, facts)


def _standing(ports: Ports, rollout_id: int) -> tuple[str, bool]:
    return f'"{newest_move(ports, rollout_id)}"', is_over(ports, rollout_id)
