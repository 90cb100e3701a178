"""A product's history for programs: its lines in time, tickets by lines, and the evidence of one ticket."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from releaser.domain.history import LineStatus
from releaser.flows.show_evidence import show_evidence
from releaser.flows.show_history import show_history
from releaser.flows.show_matrix import MOST_COLUMNS, Asked, LineChoice, show_matrix
from releaser.web.answers import FactsResponse
from releaser.web.asked import Asked as AskedPorts
from releaser.web.paging import FARTHEST, Page, Paged, next_address

router = APIRouter(tags=["history"])


@router.get("/products/{product}/history", summary="Lines and releases in time", response_class=FactsResponse)
def history(
    request: Request,
    ports: AskedPorts,
    page: Paged,
    product: str,
    from_: Annotated[date | None, Query(alias="from", description="The first day.")] = None,
    to: Annotated[date | None, Query(description="The last day; without both, the last two years.")] = None,
) -> Response:
    """A page of the lines that live in that part of time, each with its releases in it and where it branched off."""
    facts = show_history(ports, product=product, from_on=from_, to_on=to, limit=page.limit, offset=page.offset)
    return FactsResponse(_with_next(request, page, facts, of=facts["lines"]))


@router.get("/products/{product}/matrix", summary="Tickets by lines", response_class=FactsResponse)
def matrix(
    request: Request,
    ports: AskedPorts,
    page: Paged,
    product: str,
    status: Annotated[list[LineStatus] | None, Query(description="Has one of these on a line looked at.")] = None,
    q: Annotated[str, Query(max_length=200, description="Looked for in keys and titles.")] = "",
    lines: Annotated[LineChoice | None, Query(description="Which lines; the product decides without it.")] = None,
    from_: Annotated[str, Query(alias="from", max_length=40, description="The lowest line.")] = "",
    to: Annotated[str, Query(max_length=40, description="The highest line.")] = "",
    gaps: Annotated[bool, Query(description="Fixed on one of the lines and open on another.")] = False,  # noqa: FBT002 -- a parameter of an address
    overridden: Annotated[bool, Query(description="A person said something of it.")] = False,  # noqa: FBT002 -- as above
    conflicts: Annotated[bool, Query(description="A person says otherwise than the evidence.")] = False,  # noqa: FBT002 -- as above
    by: Annotated[str, Query(max_length=200, description="Overridden by this person.")] = "",
    columns: Annotated[int, Query(ge=1, le=MOST_COLUMNS, description="How many lines at most.")] = 12,
    column: Annotated[int, Query(ge=0, le=FARTHEST, description="How many lines to pass over.")] = 0,
) -> Response:
    """A page of tickets with a cell for each line: what counts, what the evidence says, who said otherwise and why."""
    asked = Asked(
        statuses=frozenset(status or ()),
        text=q,
        lines=lines,
        first=from_,
        last=to,
        gaps=gaps,
        overridden=overridden,
        conflicts=conflicts,
        by=by,
        columns=columns,
        from_column=column,
    )
    facts = show_matrix(ports, product=product, asked=asked, limit=page.limit, offset=page.offset)
    return FactsResponse(_with_next(request, page, facts, of=facts["count"]))


@router.get("/tickets/{key:path}/evidence", summary="What speaks for a ticket's fix", response_class=FactsResponse)
def evidence(
    ports: AskedPorts,
    key: str,
    product: Annotated[str | None, Query(max_length=80, description="The product, where several know the key.")] = None,
) -> Response:
    """Commits with picks and reverts, every line of which something is known, and what people said."""
    return FactsResponse(show_evidence(ports, key=key, product=product))


def _with_next(request: Request, page: Page, facts: dict[str, Any], *, of: int) -> dict[str, Any]:
    more = page.offset + page.limit < of
    return {**facts, "next": next_address(request, page) if more else None}
