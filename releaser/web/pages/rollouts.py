"""The pages of rollouts: the list, and one of them, live."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from releaser.domain.rollout import ENDED, UPDATE_ENDED
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_rollout import list_rollouts, show_rollout
from releaser.store import notices, products
from releaser.web.asked import Asked, Id, Reading
from releaser.web.pages.shown import shown, titled
from releaser.web.paging import FARTHEST
from releaser.web.reader import Reader

router = APIRouter()
ROLLOUTS = 30
_ENDED = {state.value for state in ENDED}
_UPDATE_ENDED = {state.value for state in UPDATE_ENDED}


@router.get("/rollouts")
def rollouts(
    request: Request, ports: Asked, reader: Reading, offset: Annotated[int, Query(ge=0, le=FARTHEST)] = 0
) -> Response:
    """Rollouts, newest first."""
    found = list_rollouts(ports, limit=ROLLOUTS + 1, offset=offset)
    return shown(
        request,
        reader,
        "rollouts.html",
        rollouts=[{**one, **progress(one)} for one in found[:ROLLOUTS]],
        offset=offset,
        next_offset=offset + ROLLOUTS if len(found) > ROLLOUTS else None,
    )


@router.get("/rollouts/{rollout_id}")
def rollout(request: Request, ports: Asked, reader: Reading, rollout_id: Id) -> Response:
    """Waves, targets, steps, why it waits, planned and measured stop; kept up to date while it runs."""
    return shown(request, reader, "rollout.html", now=ports.clock.now(), **_context(ports, rollout_id, reader))


@router.get("/rollouts/{rollout_id}/live")
def live(request: Request, ports: Asked, reader: Reading, rollout_id: Id) -> Response:
    """The part of a rollout's page that changes, for the page's own script."""
    return shown(request, reader, "rollout_live.html", now=ports.clock.now(), **_context(ports, rollout_id, reader))


def _context(ports: Ports, rollout_id: int, reader: Reader) -> dict[str, Any]:
    facts = show_rollout(ports, rollout_id=rollout_id)
    with ports.database.reading() as session:
        told = [titled(notices.facts(notice), reader) for notice in notices.of_rollout(session, rollout_id)]
        product = products.facts(products.get(session, facts["product"]))
    state_of = {wave["number"]: wave["state"] for wave in facts["waves"]}
    by_wave = groupby(sorted(facts["targets"], key=lambda one: one["wave"]), key=lambda one: one["wave"])
    return {
        "rollout": {**facts, **progress(facts)},
        "product": product,
        "is_over": facts["state"] in _ENDED,
        "waves": [{"number": n, "state": state_of.get(n, "pending"), "targets": list(of)} for n, of in by_wave],
        "notices": told,
        "longest_stop": max(
            [max(one["planned_stop_s"] or 0, one["measured_stop_s"] or 0) for one in facts["targets"]], default=0
        ),
    }


def progress(facts: Facts) -> Facts:
    """How far a rollout is: targets that are done, of how many; the longest planned and measured stop."""
    targets = facts["targets"]
    measured = [one["measured_stop_s"] for one in targets if one["measured_stop_s"] is not None]
    return {
        "done": sum(one["state"] in _UPDATE_ENDED for one in targets),
        "total": len(targets),
        "planned_stop_s": max((one["planned_stop_s"] for one in targets), default=0.0),
        "measured_stop_s": max(measured, default=None),
    }
