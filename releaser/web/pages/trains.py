"""The page of a product's trains, and their calendar."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from releaser.domain.train import PREVIEW
from releaser.errors import NotFoundError, OutsideError, RefusedError
from releaser.flows.freeze_state import freeze_state
from releaser.flows.list_exceptions import list_exceptions
from releaser.flows.list_plans import list_plans
from releaser.flows.list_trains import list_trains
from releaser.flows.ports import Ports
from releaser.flows.render_trains import render_trains
from releaser.store import products
from releaser.web.asked import Asked, Reading
from releaser.web.pages.refusals import refusal_of
from releaser.web.pages.shown import shown, untold_to
from releaser.web.reader import Reader

router = APIRouter()
PAST = 4
MOST_TICKETS = 200
FARTHEST = 260


class CalendarNotFoundError(NotFoundError):
    """The product has no trains, so there is no calendar of them at this address."""


@router.get("/products/{name}/trains.ics")
def calendar(ports: Asked, reader: Reading, name: str) -> Response:
    """The next 26 trains and as many that left, for calendars; one entry per train for good. Without a rhythm there is none."""
    try:
        content = render_trains(ports, product=name, language=reader.language)
    except RefusedError as error:
        if error.rule != "no-rhythm":
            raise
        raise CalendarNotFoundError(error.detail, advice=error.advice) from error
    return Response(content, media_type="text/calendar; charset=utf-8", headers={"Vary": "Accept-Language, Cookie"})


@router.get("/products/{name}/trains")
def trains(
    request: Request,
    ports: Asked,
    reader: Reading,
    name: str,
    count: Annotated[int, Query(ge=1, le=FARTHEST)] = PREVIEW,
) -> Response:
    """The next trains with the reason for every moved day, the freeze, exceptions, and what is planned and carried over."""
    with ports.database.reading() as session:
        row = products.get(session, name)
        context: dict[str, Any] = {"product": products.facts(row), "timetable": None}
        has_rhythm = row.first_train_on is not None
    if has_rhythm:
        tickets = list_plans(ports, product=name, told=untold_to(reader))
        context |= {
            "timetable": list_trains(ports, product=name, count=count, past=PAST, language=reader.language),
            "freeze": _freeze(ports, reader, name),
            "exceptions": list_exceptions(ports, product=name, told=untold_to(reader)),
            "tickets": [one for one in tickets if one["planned_for"] is not None][:MOST_TICKETS],
            "alerts": [one for one in tickets if one["alert"]],
        }
    return shown(request, reader, "trains.html", now=ports.clock.now(), **context)


def _freeze(ports: Ports, reader: Reader, name: str) -> dict[str, Any]:
    """What a cut made now would refuse; where the history cannot be read, why."""
    try:
        return {**freeze_state(ports, product=name, told=untold_to(reader), language=reader.language), "trouble": ""}
    except (RefusedError, OutsideError) as error:
        return {
            "violations": [],
            "excused": [],
            "points": [],
            "trouble": " ".join(refusal_of(text, reader.t) for text in (error.detail, error.advice) if text),
        }
