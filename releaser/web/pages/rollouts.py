"""The pages of rollouts: the list, one of them, its targets, one target's journal, and the log.

What does not live here: what keeps an open page up to date (`rollout_stream`) and what its buttons do (`rollout_steer`).
"""

from __future__ import annotations

from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from releaser.errors import NotFoundError
from releaser.flows.ports import Ports
from releaser.store import embargoes, overview, products, releases, rollout_list, rollout_log, rollout_view
from releaser.web.asked import BIGGEST_ID, Asked, Id, Reading
from releaser.web.pages.rollout_standing import journaled, page_of, rows_of, standing_in, tally
from releaser.web.pages.rollout_steer import who_asked
from releaser.web.pages.rollout_words import RANKS, rank_of
from releaser.web.pages.shown import shown, titled, untold_to
from releaser.web.paging import FARTHEST
from releaser.web.reader import Reader

router = APIRouter()
ROLLOUTS = 30
TARGETS = 60
LINES = 100

Offset = Annotated[int, Query(ge=0, le=FARTHEST)]
Words = Annotated[str, Query(max_length=100)]


class TargetNotInRolloutError(NotFoundError):
    """The rollout has no target of that number."""


@router.get("/rollouts")
def rollouts(
    request: Request,
    ports: Asked,
    reader: Reading,
    state: Words = "",
    product: Words = "",
    q: Words = "",
    offset: Offset = 0,
) -> Response:
    """Rollouts, newest first: of a state, of a product, with words in their version, ticket, selector or author."""
    with ports.database.reading() as session:
        found = rollout_list.listed(
            session, state=state, product=product, text=q.strip(), limit=ROLLOUTS + 1, offset=offset
        )
        choices = rollout_list.in_use(session)
    return shown(
        request,
        reader,
        "rollouts.html",
        rollouts=[{**one, **tally(one["counts"])} for one in found[:ROLLOUTS]],
        choices=choices,
        state=state,
        product=product,
        q=q,
        offset=offset,
        next_offset=offset + ROLLOUTS if len(found) > ROLLOUTS else None,
    )


@router.get("/rollouts/{rollout_id}")
def rollout(request: Request, ports: Asked, reader: Reading, rollout_id: Id) -> Response:
    """Waves, targets, why it waits, what is next and who may do it; kept up to date while it runs."""
    return shown(request, reader, "rollout.html", **_context(request, ports, rollout_id, reader))


@router.get("/rollouts/{rollout_id}/live")
def live(request: Request, ports: Asked, reader: Reading, rollout_id: Id) -> Response:
    """The part of a rollout's page that changes, for a page that missed too much."""
    return shown(request, reader, "rollout_live.html", **_context(request, ports, rollout_id, reader))


def _context(request: Request, ports: Ports, rollout_id: int, reader: Reader) -> dict[str, Any]:
    page = page_of(ports, rollout_id)
    one = page["one"]
    now = ports.clock.now()
    with ports.database.reading() as session:
        release = releases.get(session, products.get(session, one["product"]), one["version"])
        veil = embargoes.veil(session, release.product_id, now=now)
        named = [each for each in overview.tickets_of(session, release) if each["key"] not in veil.tickets]
        tickets = veil.over(named, untold_to(reader))
    return {
        **page,
        "who": who_asked(request),
        "scale": scale_of(one),
        "notices": [titled(notice, reader) for notice in page["told"]],
        "tickets": tickets,
    }


def scale_of(one: dict[str, Any]) -> float:
    """The longest stop of a rollout, planned or measured: what the others' bars are drawn against."""
    return max(one["planned_stop_s"] or 0.0, one["measured_stop_s"] or 0.0)


@router.get("/rollouts/{rollout_id}/waves/{number}")
def wave(request: Request, ports: Asked, reader: Reading, rollout_id: Id, number: Id) -> Response:
    """The targets that a wave's card shows, for a card that is opened."""
    with ports.database.reading() as session:
        one = standing_in(session, rollout_id)
        targets = rows_of(session, one, number)
    return shown(request, reader, "rollout_rows.html", one=one, targets=targets, scale=scale_of(one))


@router.get("/rollouts/{rollout_id}/targets")
def targets(
    request: Request,
    ports: Asked,
    reader: Reading,
    rollout_id: Id,
    wave: Words = "",
    show: Words = "",
    q: Words = "",
    offset: Offset = 0,
) -> Response:
    """All targets by pages: of a wave, by how they stand, with words in a name."""
    number = int(wave) if wave.isascii() and wave.isdigit() and len(wave) < 9 else None
    with ports.database.reading() as session:
        newest = rollout_log.newest(session, rollout_id)
        one = standing_in(session, rollout_id)
        states = [state for state in one["counts"] if rank_of(state) == show] or ["none"] if show in RANKS else []
        wanted = rollout_view.Wanted(wave=number, states=states, text=q.strip())
        found = rollout_view.targets(session, rollout_id, wanted, limit=TARGETS + 1, offset=offset)
        rows = journaled(session, one, found[:TARGETS])
    return shown(
        request,
        reader,
        "rollout_targets.html",
        one=one,
        targets=rows,
        newest=newest,
        scale=scale_of(one),
        wanted_wave=number,
        show=show,
        q=q,
        offset=offset,
        size=TARGETS,
        next_offset=offset + TARGETS if len(found) > TARGETS else None,
    )


@router.get("/rollouts/{rollout_id}/targets/{target_id}")
def target(request: Request, ports: Asked, reader: Reading, rollout_id: Id, target_id: Id) -> Response:
    """One target's journal: every step of every attempt, and what happened."""
    with ports.database.reading() as session:
        newest = rollout_log.newest(session, rollout_id)
        one = standing_in(session, rollout_id)
        found = rollout_view.targets_of(session, rollout_id, [target_id])
        if not found:
            raise TargetNotInRolloutError(
                f"Rollout {rollout_id} has no target {target_id}.", advice="See the rollout's own page."
            )
        steps = rollout_view.steps(session, [target_id], every_attempt=True)[target_id]
        lines = rollout_log.log(session, rollout_id, update_id=target_id, limit=200)
    attempts = [(n, list(of)) for n, of in groupby(steps, key=lambda step: step["attempt"])]
    return shown(
        request,
        reader,
        "rollout_target.html",
        one=one,
        newest=newest,
        target={**found[0], "rank": rank_of(found[0]["state"]), "steps": []},
        expected=expected_of(found[0]["predicted"]),
        attempts=attempts[::-1],
        lines=lines,
        scale=scale_of(one),
    )


def expected_of(predicted: dict[str, Any] | None) -> dict[str, Any] | None:
    """The stop that earlier updates let expect; None where nothing was measured yet."""
    stop = rollout_view.expected_stop(predicted)
    return stop if stop and stop["samples"] else None


@router.get("/rollouts/{rollout_id}/log")
def log(
    request: Request,
    ports: Asked,
    reader: Reading,
    rollout_id: Id,
    *,
    before: Annotated[int | None, Query(ge=1, le=BIGGEST_ID)] = None,
    notable: bool = False,
) -> Response:
    """Everything that moved, newest first, by pages."""
    with ports.database.reading() as session:
        one = standing_in(session, rollout_id)
        found = rollout_log.log(session, rollout_id, before=before, notable=notable, limit=LINES + 1)
    return shown(
        request,
        reader,
        "rollout_log.html",
        one=one,
        lines=found[:LINES],
        notable=notable,
        before=before,
        more=found[LINES - 1]["id"] if len(found) > LINES else None,
    )
