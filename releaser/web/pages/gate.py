"""The page of the gate before a cut: what speaks against it, as of the last collect."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from releaser.domain.release import CutKind
from releaser.errors import ConflictError, InvalidError, NotFoundError, RefusedError
from releaser.flows.check_gate import check_gate
from releaser.flows.list_lines import list_lines
from releaser.store import products
from releaser.web.asked import Asked, Reading
from releaser.web.pages.refusals import refusal_of
from releaser.web.pages.shown import shown, untold_to

router = APIRouter()
MOST = 100
LINES = 30


@router.get("/products/{name}/gate")
def gate(
    request: Request,
    ports: Asked,
    reader: Reading,
    name: str,
    kind: CutKind = CutKind.STABLE,
    line: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """What would hold the next stable, or the next patch of a line. Looking changes nothing."""
    with ports.database.reading() as session:
        product = products.facts(products.get(session, name))
    known = [one["name"] for one in list_lines(ports, product=name) if one["phase"] != "end-of-life"]
    report, why_not = None, ""
    try:
        report = check_gate(
            ports, product=name, kind=kind, line=line or None, language=reader.language, told=untold_to(reader)
        )
    except (NotFoundError, RefusedError, ConflictError, InvalidError) as error:
        why_not = " ".join(refusal_of(text, reader.t) for text in (error.detail, error.advice) if text)
    found: dict[str, list[object]] = {}
    for one in report["findings"] if report else ():
        found.setdefault(one["check"], []).append(one)
    return shown(
        request,
        reader,
        "gate.html",
        product=product,
        lines=known[:LINES],
        kind=kind.value,
        line=line,
        report=report,
        why_not=why_not,
        groups=[(check, rows[:MOST], len(rows)) for check, rows in found.items()],
    )
