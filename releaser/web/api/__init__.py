"""The API under `/v1`: one router per noun. Everything a command can do has an endpoint, and the other way round."""

from fastapi import APIRouter

from releaser.web.api import (
    adoption,
    consents,
    customers,
    declaration,
    events,
    fixes,
    gate,
    history,
    lines,
    notes,
    notices,
    products,
    releases,
    rollout_steering,
    rollouts,
    scaling,
    system,
    tickets,
    trains,
    update_freezes,
)
from releaser.web.problems import RESPONSES

router = APIRouter(prefix="/v1", responses=RESPONSES)
# The evidence of a ticket stands before tickets, whose keys may hold slashes.
for noun in (
    history, fixes, products, lines, gate, trains, releases, notes, adoption, scaling, customers, declaration, rollouts, rollout_steering, consents, update_freezes, events, notices, tickets, system,
):  # fmt: skip
    router.include_router(noun.router)
