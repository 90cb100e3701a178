"""The pages of planned work: now, coming and past, with the planned and the measured stop."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from releaser.domain.notice import NoticeState
from releaser.flows.show_notice import show_notice
from releaser.store import overview
from releaser.web.asked import Asked, Id, Reading
from releaser.web.pages.shown import shown, text_in, titled
from releaser.web.paging import FARTHEST

router = APIRouter()
NOTICES = 20


@router.get("/notices")
def notices(
    request: Request, ports: Asked, reader: Reading, offset: Annotated[int, Query(ge=0, le=FARTHEST)] = 0
) -> Response:
    """Work in progress, announced work, and what is over."""
    with ports.database.reading() as session:
        standing = overview.coming(session, limit=200)
        past = overview.past_notices(session, limit=NOTICES + 1, offset=offset)
    every = [titled(one, reader) for one in standing]
    return shown(
        request,
        reader,
        "notices.html",
        under_way=[one for one in every if one["state"] == NoticeState.IN_PROGRESS.value],
        coming=[one for one in every if one["state"] != NoticeState.IN_PROGRESS.value],
        past=[titled(one, reader) for one in past[:NOTICES]],
        offset=offset,
        next_offset=offset + NOTICES if len(past) > NOTICES else None,
        now=ports.clock.now(),
    )


@router.get("/notices/{notice_id}")
def notice(request: Request, ports: Asked, reader: Reading, notice_id: Id) -> Response:
    """One notice: what was said, what stops where, and how many were told."""
    facts = show_notice(ports, notice_id=notice_id)
    told: dict[str, int] = {}
    for one in facts["deliveries"]:
        told[one["state"]] = told.get(one["state"], 0) + 1
    return shown(request, reader, "notice.html", notice=facts, text=text_in(reader, facts["texts"]), told=told)
