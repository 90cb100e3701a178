"""The pages of a product, of its releases and of its tickets."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from releaser.domain.changelog import TITLES, Form, render, shown_notes, statement
from releaser.domain.changelog.text import to_html
from releaser.flows.ports import Ports
from releaser.flows.show_ticket import show_ticket
from releaser.store import alarms, changelog, embargoes, notes, overview, products, releases, trains
from releaser.store import lines as lines_of
from releaser.store.products import Product
from releaser.web.asked import Asked, Reading
from releaser.web.pages.history import evidence_of
from releaser.web.pages.shown import shown, titled, untold_to
from releaser.web.paging import FARTHEST

router = APIRouter()
LINES = 8
RELEASES = 30
TRAINS = 4
ALARMS = 10

Offset = Annotated[int, Query(ge=0, le=FARTHEST)]


@router.get("/products/{name}")
def product(
    request: Request, ports: Asked, reader: Reading, name: str, offset: Offset = 0, line: str | None = None
) -> Response:
    """Lines with their newest release and support, the next trains, releases by pages."""
    with ports.database.reading() as session:
        row = products.get(session, name)
        context: dict[str, Any] = {
            "product": products.facts(row),
            "lines": _lines(session, ports, row, limit=LINES),
            "line_count": overview.count_lines(session, row.id),
            "trains": _trains(session, ports, row),
            "running": overview.running(session, product_id=row.id),
            "coming": [titled(one, reader) for one in overview.coming(session, product_id=row.id)],
            "count": releases.count(session, row.id),
            "alarms": [alarms.facts(one) for one in alarms.standing(session, row.id)][:ALARMS],
            **_releases(session, row, offset=offset, line=line),
        }
    return shown(request, reader, "product.html", now=ports.clock.now(), **context)


@router.get("/products/{name}/lines")
def lines(request: Request, ports: Asked, reader: Reading, name: str, offset: Offset = 0) -> Response:
    """Every line, by pages."""
    with ports.database.reading() as session:
        row = products.get(session, name)
        found = _lines(session, ports, row, limit=RELEASES + 1, offset=offset)
        context: dict[str, Any] = {
            "product": products.facts(row),
            "lines": found[:RELEASES],
            "line_count": overview.count_lines(session, row.id),
            "offset": offset,
            "next_offset": offset + RELEASES if len(found) > RELEASES else None,
        }
    return shown(request, reader, "lines.html", **context)


@router.get("/products/{name}/releases")
def release_rows(
    request: Request, ports: Asked, reader: Reading, name: str, offset: Offset = 0, line: str | None = None
) -> Response:
    """More rows for the list of releases, for the page's own script."""
    with ports.database.reading() as session:
        row = products.get(session, name)
        context: dict[str, Any] = {"product": products.facts(row), **_releases(session, row, offset=offset, line=line)}
    return shown(request, reader, "release_rows.html", **context)


def _lines(session: Session, ports: Ports, row: Product, *, limit: int, offset: int = 0) -> list[dict[str, Any]]:
    """Lines with what runs on them and how long they are supported."""
    standing = lines_of.standing(session, row, now=ports.clock.now())
    found = overview.lines(session, row.id, limit=limit, offset=offset)
    return [{**lines_of.facts(standing[one["line"]]), **one} for one in found]


def _releases(session: Session, row: Product, *, offset: int, line: str | None) -> dict[str, Any]:
    found = overview.releases_page(session, row.id, limit=RELEASES + 1, offset=offset, line=line)
    return {
        "releases": found[:RELEASES],
        "offset": offset,
        "line": line,
        "next_offset": offset + RELEASES if len(found) > RELEASES else None,
        "previous_offset": max(0, offset - RELEASES) if offset else None,
    }


def _trains(session: Session, ports: Ports, row: Product) -> dict[str, Any]:
    """The next trains with the number each would carry, as far as it can be told."""
    table = trains.timetable(session, row, now=ports.clock.now())
    coming = table.coming(TRAINS) if table is not None else ()
    return {"coming": coming, "every": row.cadence_days}


@router.get("/products/{name}/releases/{version}")
def release(request: Request, ports: Asked, reader: Reading, name: str, version: str) -> Response:
    """A release's public notes, its tickets, at how many installations it runs, and its changelog."""
    now = ports.clock.now()
    with ports.database.reading() as session:
        row = releases.get(session, products.get(session, name), version)
        page = notes.page(session, row, now=now)
        # Why it was withdrawn stands at the head of the page.
        told = [
            replace(one, yank_reason="")
            for one in changelog.of_releases(session, [row], now=now, language=reader.language)
        ]
        veil = embargoes.veil(session, row.product_id, now=now)
        named = [one for one in overview.tickets_of(session, row) if one["key"] not in veil.tickets]
        context: dict[str, Any] = {
            "product": products.facts(row.product),
            "release": releases.facts(row),
            "at": row.published_at or row.tagged_at,
            "tickets": veil.over(named, untold_to(reader)),
            "where": overview.runs_at(session, row.product_id, row.version),
        }
    shown_by_section = shown_notes(page.notes, language=reader.language, zone=reader.zone)
    return shown(
        request,
        reader,
        "release.html",
        notes=[(reader.t(TITLES[section]), found) for section, found in shown_by_section.items()],
        corrected_at=page.corrected_at(reader.language),
        # Of a release found in the history nobody has said whether customers have to do anything.
        statement="" if row.imported else statement(page.notes, reader.t),
        changelog=render(told, form=Form.HTML, language=reader.language),
        **context,
    )


@router.get("/products/{name}/tickets/{key:path}")
def ticket(request: Request, ports: Asked, reader: Reading, name: str, key: str) -> Response:
    """The thread of one ticket: from the request to the installations where its fix runs."""
    facts = show_ticket(ports, key=key, product=name, told=untold_to(reader))
    with ports.database.reading() as session:
        described = products.facts(products.get(session, name))
    told = [one for one in facts["notes"] if one["language"] == reader.language] or facts["notes"]
    return shown(
        request,
        reader,
        "ticket.html",
        product=described,
        ticket=facts,
        note=to_html(told[-1]["text"]) if told else "",
        first=[one for one in facts["releases"] if one["new"]],
        **evidence_of(ports, reader, product=name, key=key),
    )
