"""Plans and rollouts: dry runs, starts (idempotent by key), following, and steering."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import anyio
from fastapi import APIRouter, Header, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from releaser.domain.plan import RolloutOptions
from releaser.domain.waiting import DEFAULT_WAIT_FOR, LONGEST_WAIT_FOR
from releaser.domain.waves import DEFAULT_SIZES
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.approve_rollout import approve_rollout
from releaser.flows.list_cutovers import list_cutovers
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.plan_rollout import LONGEST_SOAK_FOR, plan_rollout
from releaser.flows.ports import Ports
from releaser.flows.resume_rollout import resume_rollout
from releaser.flows.retry_rollout import retry_rollout
from releaser.flows.show_rollout import list_rollouts, show_rollout
from releaser.flows.start_rollout import start_rollout
from releaser.web.answers import FactsResponse
from releaser.web.api.following import LOOK_EVERY_S, is_over, newest_move
from releaser.web.asked import Actor, Asked, Id, Text
from releaser.web.paging import Paged, listed
from releaser.web.problems import IdempotencyKeyMissingError

router = APIRouter(tags=["rollouts"])
LONGEST_WAIT_S = 60
Percent = Annotated[str, Field(pattern=r"^(?:100|[1-9]?[0-9])%$")]
SomePercent = Annotated[str, Field(pattern=r"^(?:100|[1-9][0-9]?)%$")]
Size = Annotated[str, Field(pattern=r"^(?:[1-9][0-9]{0,5}|(?:100|[1-9][0-9]?)%)$")]


class What(BaseModel):
    """What is to be rolled out, where, and how."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"product": "portal", "version": "1.1.1", "to": "ring=canary", "waves": ["1", "100%"]}
        },
    )

    product: Text
    version: Text
    to: Text = Field(description="A selector: `all`, or terms like `ring=canary,customer=acme`.")
    waves: list[Size] = Field(
        list(DEFAULT_SIZES), max_length=50, description="Sizes of the waves, as numbers or percents."
    )
    max_parallel: Annotated[int, Field(ge=1, le=1_000)] | SomePercent = Field(
        1, description="Targets updated at once, as a number or a percentage of the wave such as `20%`."
    )
    threshold: Annotated[int, Field(ge=0, le=10_000)] | Percent = Field(
        0, description="How many targets of a wave may fail, as a number or a percentage of it."
    )
    supersede: bool = Field(
        default=False, description="Take over from rollouts that are at work there, at their next boundary."
    )
    rehearse: bool = Field(
        default=False,
        description="Pull and check everywhere, cut nothing over, put away what was prepared, and report.",
    )
    needs_approval: bool = Field(
        default=False, description="Wait for somebody else than the author to approve the plan."
    )
    ticket: Annotated[str, Field(max_length=120)] = Field("", description="The request this is done for.")
    starts_at: AwareDatetime | None = Field(None, description="When it begins, with an offset; the notice says so.")
    one_off: bool = Field(default=False, description="A single piece of work at one installation, which it pins.")
    reason: Annotated[str, Field(max_length=2000)] = Field("", description="Why the one-off is done.")
    unpin: bool = Field(default=False, description="Take pinned installations along, and unpin them.")
    wait_s: int = Field(
        int(DEFAULT_WAIT_FOR.total_seconds()),
        ge=1,
        le=int(LONGEST_WAIT_FOR.total_seconds()),
        description="Seconds a target may wait beyond what is known to last.",
    )
    wave_soak_s: int = Field(
        0,
        ge=0,
        le=int(LONGEST_SOAK_FOR.total_seconds()),
        description="Seconds a wave is watched before the next one begins.",
    )
    gated: bool = Field(default=False, description="Pause after every wave until somebody lets the next one begin.")

    def options(self) -> RolloutOptions:
        """How the rollout goes."""
        return RolloutOptions(
            waves=tuple(self.waves),
            max_parallel=self.max_parallel,
            threshold=self.threshold,
            supersede=self.supersede,
            rehearse=self.rehearse,
            needs_approval=self.needs_approval,
            ticket=self.ticket,
            starts_at=self.starts_at,
            one_off=self.one_off,
            reason=self.reason,
            unpin=self.unpin,
            wait_for=timedelta(seconds=self.wait_s),
            wave_soak=timedelta(seconds=self.wave_soak_s),
            gated=self.gated,
        )


class Why(BaseModel):
    """Why somebody steers a rollout."""

    reason: Text = ""


@router.post(
    "/plans", summary="Plan a rollout: what it would do, stop and be refused for", response_class=FactsResponse
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


@router.get("/rollouts", summary="Rollouts, newest first", response_class=FactsResponse)
def rollouts(request: Request, ports: Asked, page: Paged) -> Response:
    """A page of rollouts with their waves and targets."""
    return listed(request, page, list_rollouts(ports, limit=page.look_ahead, offset=page.offset))


@router.get("/cutovers", summary="What cutovers took, newest first", response_class=FactsResponse)
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
        200: {"description": "Found again by its key, or everything runs already (`unchanged`)."},
        202: {"description": "Started; `Location` is where to follow it."},
        400: {"description": "No `Idempotency-Key`."},
        403: {"description": "A rule refuses it: `rule` names it, such as `version-blocked` or `notice-required`."},
        409: {"description": "Another rollout is at work on a target; the problem names it."},
        422: {"description": "The key was used with another body, or the body is malformed."},
    },
)
def start(
    ports: Asked,
    actor: Actor,
    what: What,
    idempotency_key: Annotated[
        str, Header(max_length=255, description="Names this trigger: its repeat finds the same rollout.")
    ] = "",
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
    responses={304: {"description": "Nothing changed within `wait` since the `If-None-Match` given."}},
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
    facts = await anyio.to_thread.run_sync(lambda: show_rollout(ports, rollout_id=rollout_id))
    return FactsResponse(facts, headers={"ETag": tag})


def _standing(ports: Ports, rollout_id: int) -> tuple[str, bool]:
    return f'"{newest_move(ports, rollout_id)}"', is_over(ports, rollout_id)


@router.post(
    "/rollouts/{rollout_id}/pause", summary="Finish the targets at hand, start none", response_class=FactsResponse
)
def pause(ports: Asked, actor: Actor, rollout_id: Id, why: Why | None = None) -> Response:
    """Pausing a paused rollout changes nothing."""
    return FactsResponse(pause_rollout(ports, rollout_id=rollout_id, by=actor, reason=_reason(why)))


@router.post("/rollouts/{rollout_id}/resume", summary="Let a paused rollout go on", response_class=FactsResponse)
def resume(ports: Asked, actor: Actor, rollout_id: Id, why: Why | None = None) -> Response:
    """Resuming a running rollout changes nothing."""
    return FactsResponse(resume_rollout(ports, rollout_id=rollout_id, by=actor, reason=_reason(why)))


@router.post(
    "/rollouts/{rollout_id}/abort",
    summary="Undo what is not committed, start nothing more",
    response_class=FactsResponse,
)
def abort(ports: Asked, actor: Actor, rollout_id: Id, why: Why | None = None) -> Response:
    """Aborting an aborted rollout changes nothing."""
    return FactsResponse(abort_rollout(ports, rollout_id=rollout_id, by=actor, reason=_reason(why)))


@router.post("/rollouts/{rollout_id}/retry", summary="Try again what failed", response_class=FactsResponse)
def retry(ports: Asked, actor: Actor, rollout_id: Id, why: Why | None = None) -> Response:
    """A new attempt for every target that failed; inconsistent ones are for people."""
    return FactsResponse(retry_rollout(ports, rollout_id=rollout_id, by=actor, reason=_reason(why)))


@router.post("/rollouts/{rollout_id}/approve", summary="Approve the plan and start it", response_class=FactsResponse)
def approve(ports: Asked, actor: Actor, rollout_id: Id, why: Why | None = None) -> Response:
    """By somebody else than its author; a plan that changed meanwhile is refused."""
    return FactsResponse(approve_rollout(ports, rollout_id=rollout_id, by=actor, reason=_reason(why)))


def _reason(why: Why | None) -> str:
    return why.reason if why else ""
