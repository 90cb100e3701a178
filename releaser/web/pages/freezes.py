"""The page of freezes of updates: those that hold, come and are over, and the forms that put one, lift one, let a rollout through.

They are plain forms, so they work without scripts (see `rollout_steer`). A time is meant in the zone that the page was shown
in, which is sent along: the reader's zone may be another one by then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session
from starlette.responses import RedirectResponse, Response

from releaser.domain.update_freeze import FreezeScope
from releaser.errors import InvalidError, NotFoundError
from releaser.flows.freeze_updates import freeze_updates
from releaser.flows.lift_freeze import lift_freeze
from releaser.flows.override_freeze import override_freeze
from releaser.flows.ports import Ports
from releaser.i18n import known_zone, mark
from releaser.store import update_freezes
from releaser.store.customers import Customer
from releaser.store.installations import Installation
from releaser.store.products import Product
from releaser.store.update_freezes import UpdateFreezeRow
from releaser.web.asked import BIGGEST_ID, Asked, Id, Reading, Text, Whole
from releaser.web.pages.rollout_steer import WHO_COOKIE, YEAR_S, Name, who_asked
from releaser.web.pages.shown import shown
from releaser.web.paging import FARTHEST
from releaser.web.reader import Reader

router = APIRouter()
STANDING = 200
OVER = 20
NAMES = 200
"""So many names of each kind are offered; any other can be written."""
_WRONG = {
    "from": mark("This is no time: write it like 2026-12-24T00:00."),
    "until": mark("The end has to be a time after the start, and after now."),
    "scope": mark("Name what it is for; a freeze of everything has no name."),
    "name": mark("Nothing of that kind has this name."),
    "reason": mark("Say why: it is shown to whoever waits for its end."),
}

Short = Annotated[str, Form(), Field(max_length=80), Whole]
When = Annotated[str, Form(), Field(max_length=40), Whole]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What stands in the form that puts a freeze, and which field is wrong."""

    scope: str = ""
    name: str = ""
    starts_at: str = ""
    ends_at: str = ""
    reason: str = ""
    by: str = ""
    wrong: str = ""


class _NoTimeError(InvalidError):
    """A time of the form is none."""


@router.get("/freezes")
def freezes(
    request: Request, ports: Asked, reader: Reading, offset: Annotated[int, Query(ge=0, le=FARTHEST)] = 0
) -> Response:
    """Those that hold, those to come, and those that are over or were lifted."""
    return _shown(request, ports, reader, Written(), offset=offset)


def _shown(request: Request, ports: Ports, reader: Reader, written: Written, *, offset: int = 0) -> Response:
    now = ports.clock.now()
    with ports.database.reading() as session:
        standing = _told(session, update_freezes.standing(session, now=now, limit=STANDING), now=now)
        over = _told(session, update_freezes.over(session, now=now, limit=OVER + 1, offset=offset), now=now)
        choices = {name: _names(session, column) for name, column in _COLUMNS.items()}
    return shown(
        request,
        reader,
        "freezes.html",
        status=422 if written.wrong else 200,
        holding=[one for one in standing if one["holds"]],
        coming=[one for one in standing if not one["holds"]],
        over=over[:OVER],
        offset=offset,
        next_offset=offset + OVER if len(over) > OVER else None,
        choices=choices,
        scopes=list(FreezeScope),
        written=written,
        wrong=reader.t(_WRONG[written.wrong]) if written.wrong else "",
        who=written.by or who_asked(request),
    )


_COLUMNS: dict[str, InstrumentedAttribute[str]] = {
    "product": Product.name,
    "customer": Customer.name,
    "installation": Installation.name,
}


def _names(session: Session, column: InstrumentedAttribute[str]) -> list[str]:
    return list(session.scalars(select(column).order_by(column).limit(NAMES)))


def _told(session: Session, rows: Iterable[UpdateFreezeRow], *, now: datetime) -> list[dict[str, Any]]:
    found = [update_freezes.facts(row, now=now) for row in rows]
    overrides = update_freezes.overrides_of(session, [one["id"] for one in found])
    return [{**one, "overrides": overrides[one["id"]]} for one in found]


@router.post("/freezes")
def freeze(
    request: Request,
    ports: Asked,
    reader: Reading,
    scope: Annotated[FreezeScope, Form()],
    by: Name,
    ends_at: When,
    reason: Annotated[Text, Form()] = "",
    name: Short = "",
    starts_at: When = "",
    zone: Short = "",
) -> Response:
    """Put it and show it; what was written is shown again with what is wrong."""
    try:
        facts = freeze_updates(
            ports,
            scope=scope,
            name=name.strip(),
            starts_at=_instant(starts_at, zone or reader.zone, field="from") if starts_at else None,
            ends_at=_instant(ends_at, zone or reader.zone, field="until"),
            reason=reason,
            by=by,
        )
    except (InvalidError, NotFoundError) as error:
        field = "name" if isinstance(error, NotFoundError) else error.field or ""
        if field not in _WRONG:
            raise
        written = Written(
            scope=scope.value, name=name, starts_at=starts_at, ends_at=ends_at, reason=reason, by=by, wrong=field
        )
        return _shown(request, ports, reader, written)
    return _back(facts["id"], by)


def _instant(text: str, zone: str, *, field: str) -> datetime:
    """A local time of a form. Raises `_NoTimeError`."""
    known = known_zone(zone)
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        local = None
    if known is None or local is None:
        raise _NoTimeError("This is no time.", advice="Write it like 2026-12-24T00:00.", field=field)
    return local if local.tzinfo is not None else local.replace(tzinfo=known)


@router.post("/freezes/{freeze_id}/lift")
def lift(ports: Asked, freeze_id: Id, by: Name, reason: Annotated[Text, Form()] = "") -> Response:
    """End it before its time, for everybody."""
    lift_freeze(ports, freeze_id=freeze_id, by=by, reason=reason)
    return _back(freeze_id, by)


@router.post("/freezes/{freeze_id}/override")
def override(
    ports: Asked,
    freeze_id: Id,
    rollout: Annotated[int, Form(ge=1, le=BIGGEST_ID)],
    by: Name,
    reason: Annotated[Text, Form()] = "",
) -> Response:
    """Let one rollout through."""
    override_freeze(ports, rollout_id=rollout, freeze_id=freeze_id, by=by, reason=reason)
    return _back(freeze_id, by)


def _back(freeze_id: int, by: str) -> Response:
    back = RedirectResponse(f"/freezes#freeze-{freeze_id}", status_code=303)
    back.set_cookie(WHO_COOKIE, quote(by), max_age=YEAR_S, samesite="lax", httponly=True)
    return back
