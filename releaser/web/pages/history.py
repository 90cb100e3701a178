"""The pages of a product's history: its lines in time, and tickets by lines."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from releaser.domain.history import LineStatus
from releaser.errors import InvalidError, OutsideError, RefusedError
from releaser.flows.ports import Ports
from releaser.flows.show_evidence import show_evidence
from releaser.flows.show_history import TRACKS, show_history
from releaser.flows.show_matrix import COLUMNS, Asked, LineChoice, show_matrix
from releaser.store import products
from releaser.web.asked import Asked as AskedPorts
from releaser.web.asked import Reading
from releaser.web.pages.chart import draw, half_width
from releaser.web.pages.shown import shown, untold_to
from releaser.web.paging import FARTHEST
from releaser.web.reader import Reader

router = APIRouter()
TICKETS = 30
FEW_LINES = 4
MOST_LINES = 12
MOST_MORE = 80

Offset = Annotated[int, Query(ge=0, le=FARTHEST)]
Word = Annotated[str, Query(max_length=200)]
Day = Annotated[str, Query(max_length=40)]


class NoDateError(InvalidError):
    """The text in the address is no day."""


def day(text: str, *, field: str) -> date | None:
    """An ISO 8601 date of an address; none for an empty text, as forms send it. Raises `NoDateError`."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise NoDateError(f"'{text[:40]}' is no date.", advice="Use for instance 2030-05-31.", field=field) from error


@router.get("/products/{name}/history")
def history(
    request: Request,
    ports: AskedPorts,
    reader: Reading,
    name: str,
    from_: Annotated[Day, Query(alias="from")] = "",
    to: Day = "",
    offset: Offset = 0,
) -> Response:
    """Lines as tracks, releases as dots, time to the right; a part of time and a page of lines, both in the address."""
    facts = show_history(
        ports, product=name, from_on=day(from_, field="from"), to_on=day(to, field="to"), offset=offset
    )
    window, whole = facts["window"], facts["whole"]
    at_edge = {
        "in": window == facts["zooms"]["in"],
        "out": window == whole,
        "earlier": window["from"] <= whole["from"],
        "later": window["to"] >= whole["to"],
    }
    with ports.database.reading() as session:
        product = products.facts(products.get(session, name))
    return shown(
        request,
        reader,
        "history.html",
        product=product,
        history=facts,
        chart=draw(facts),
        at_edge=at_edge,
        half_width=half_width,
        offset=offset,
        size=TRACKS,
        next_offset=offset + TRACKS if offset + TRACKS < facts["lines"] else None,
    )


@router.get("/products/{name}/matrix")
def matrix(
    request: Request,
    ports: AskedPorts,
    reader: Reading,
    name: str,
    status: Annotated[list[LineStatus] | None, Query(max_length=len(LineStatus))] = None,
    q: Word = "",
    lines: Annotated[LineChoice | None, Query()] = None,
    from_: Annotated[Word, Query(alias="from")] = "",
    to: Word = "",
    only: Annotated[list[str] | None, Query(max_length=3)] = None,
    by: Word = "",
    column: Offset = 0,
    offset: Offset = 0,
) -> Response:
    """Tickets by lines: what counts in every cell, by pages; what is looked for stands in the address."""
    marked = frozenset(only or ())
    asked = Asked(
        statuses=frozenset(status or ()),
        text=q,
        lines=lines,
        first=from_.strip(),
        last=to.strip(),
        gaps="gaps" in marked,
        overridden="overridden" in marked,
        conflicts="conflicts" in marked,
        by=by,
        from_column=column,
    )
    facts = show_matrix(ports, product=name, asked=asked, limit=TICKETS, offset=offset, told=untold_to(reader))
    with ports.database.reading() as session:
        product = products.facts(products.get(session, name))
    return shown(
        request,
        reader,
        "matrix.html",
        product=product,
        matrix=facts,
        asked=asked,
        statuses=[one.value for one in LineStatus],
        is_filtered=bool(status or q or from_ or to or only or by),
        offset=offset,
        size=TICKETS,
        next_offset=offset + TICKETS if offset + TICKETS < facts["count"] else None,
        column=column,
        columns=COLUMNS,
        next_column=column + COLUMNS if column + COLUMNS < facts["line_count"] else None,
    )


def evidence_of(ports: Ports, reader: Reader, *, product: str, key: str) -> dict[str, Any]:
    """What a ticket's page shows of its evidence: None with the trouble told where the history cannot be read now."""
    try:
        facts = show_evidence(ports, product=product, key=key, told=untold_to(reader))
    except (RefusedError, OutsideError) as error:
        return {"evidence": None, "trouble": str(error), "lines": None}
    new = {version for commit in facts["commits"] for version in commit["new_in"]}
    telling = [one for one in facts["lines"] if _is_telling(one, new)]
    patched = [one for one in facts["lines"] if one["releases"] > 1 and one not in telling][:FEW_LINES]
    wanted = {one["line"] for one in [*telling, *patched]}
    is_short = len(facts["lines"]) <= MOST_LINES
    lines = [one for one in facts["lines"] if is_short or one["line"] in wanted][:MOST_LINES]
    # Hundreds of lines may have a fix only because every later release has it.
    shown_lines = {one["line"] for one in lines}
    rest = [one for one in facts["lines"] if one["line"] not in shown_lines]
    return {
        "evidence": facts,
        "trouble": "",
        "lines": {"shown": lines, "more": rest[:MOST_MORE], "more_count": len(rest)},
    }


def _is_telling(line: dict[str, Any], new: Collection[str]) -> bool:
    """Whether a line says more than that it came after another one."""
    return line["status"] != "fixed" or bool(line["override"]) or line["first_version"] in new
