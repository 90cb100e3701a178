"""What programs subscribe to: a product's feeds of releases, and the calendar of planned work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter
from starlette.responses import Response

from releaser.domain.maintnote import Entry, as_ics
from releaser.domain.notice import NoticeImpact, NoticeState, sequence_of
from releaser.flows.render_feed import FeedForm, render_feed
from releaser.store import overview
from releaser.web.asked import Asked, Reading
from releaser.web.pages.shown import text_in

router = APIRouter()
ENTRIES = 200


@router.get("/products/{name}/feed.atom")
def atom(ports: Asked, reader: Reading, name: str) -> Response:
    """The newest published releases with their notes, as Atom."""
    return _feed(ports, reader, name, FeedForm.ATOM, "application/atom+xml; charset=utf-8")


@router.get("/products/{name}/feed.json")
def json_feed(ports: Asked, reader: Reading, name: str) -> Response:
    """The newest published releases with their notes, as JSON Feed."""
    return _feed(ports, reader, name, FeedForm.JSON, "application/feed+json")


def _feed(ports: Asked, reader: Reading, name: str, form: FeedForm, media_type: str) -> Response:
    path = f"/products/{quote(name, safe='')}/feed.{form.value}"
    text = render_feed(ports, product=name, form=form, feed_path=path, language=reader.language)
    return Response(text, media_type=media_type, headers={"Vary": "Accept-Language, Cookie"})


@router.get("/notices.ics")
def calendar(ports: Asked, reader: Reading) -> Response:
    """Announced work, work in progress and what is over, for calendars; one entry per notice."""
    with ports.database.reading() as session:
        found = overview.coming(session, limit=ENTRIES) + overview.past_notices(session, limit=ENTRIES, offset=0)
    entries = [_entry(one, ports, reader) for one in found]
    return Response(as_ics(entries, title=reader.t("Planned work")), media_type="text/calendar; charset=utf-8")


def _entry(one: dict[str, Any], ports: Asked, reader: Reading) -> Entry:
    text = text_in(reader, one["texts"])
    provider = urlsplit(ports.address).hostname or "releaser"
    impact, state = NoticeImpact(one["impact"]), NoticeState(one["state"])
    starts_at = one["started_at"] or one["starts_at"]
    # What was cancelled ended before it began.
    ends_at = one["ends_at"] if state is NoticeState.CANCELLED else one["ended_at"] or one["ends_at"]
    changed = [at for at in (one[f"{name}_at"] for name in ("announced", "revised", "started", "ended")) if at]
    return Entry(
        notice=one["uid"],
        account="all",
        provider=provider,
        organizer=f"releaser@{provider}",
        sequence=sequence_of(state, revision=one["revision"], begun=one["started_at"] is not None),
        state=state,
        starts_at=starts_at,
        ends_at=max(ends_at, starts_at + timedelta(seconds=1)),
        stamped_at=max(changed, default=one["starts_at"]),
        summary=text["subject"] if text else f"{one['product']} {one['version'] or ''}",
        description=text["body"] if text else "",
        url=f"{ports.address}/notices/{one['id']}",
        objects=[(touched["installation"], impact) for touched in one["installations"]],
    )
