"""Lines: how long each is supported, what may be patched onto it, and what is stated of it."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from releaser.domain.line import LinePhase, LinePolicy
from releaser.flows.list_lines import list_lines, show_line
from releaser.flows.set_line import Stated, set_line
from releaser.web.answers import FactsResponse
from releaser.web.asked import Actor, Asked
from releaser.web.paging import Paged, cut

router = APIRouter(tags=["lines"])


class LineStatement(BaseModel):
    """What to state of a line; null takes back what was stated, and what is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"policy": "patch-only", "supported_until_on": "2030-06-30"}},
    )

    policy: LinePolicy | None = None
    phase: LinePhase | None = None
    maintained_until_on: date | None = None
    supported_until_on: date | None = None


@router.get("/products/{product}/lines", summary="Lines, newest number first", response_class=FactsResponse)
def lines(request: Request, ports: Asked, page: Paged, product: str) -> Response:
    """A page of lines with phase, policy, dates, and how many installations run them."""
    return cut(request, page, list_lines(ports, product=product))


@router.get("/products/{product}/lines/{line}", summary="One line", response_class=FactsResponse)
def line(ports: Asked, product: str, line: str) -> Response:
    """Who runs it, what blocks it, and which days before its end customers were told."""
    return FactsResponse(show_line(ports, product=product, line=line))


@router.patch("/products/{product}/lines/{line}", summary="State something of a line", response_class=FactsResponse)
def state(ports: Asked, actor: Actor, product: str, line: str, what: LineStatement) -> Response:
    """Its policy, its phase, its dates. Customers of a line whose end comes near are told by themselves."""
    given = {name: getattr(what, name) for name in what.model_fields_set}
    return FactsResponse(set_line(ports, product=product, line=line, stated=Stated(**given), by=actor))
