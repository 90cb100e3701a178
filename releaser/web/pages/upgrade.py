"""The page of an upgrade: what it would lose first, then what it gains, where it has to stop, what it asks for, how long it takes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from releaser.domain.changelog.text import to_html
from releaser.flows.show_upgrade import show_upgrade
from releaser.store import history_views, products
from releaser.web.asked import Asked, Reading
from releaser.web.pages.shown import shown, untold_to
from releaser.web.reader import Reader

router = APIRouter()
MOST = 200
FEW = 12
SUGGESTED = 300

Version = Annotated[str, Query(max_length=128)]


@router.get("/products/{name}/upgrade")
def upgrade(
    request: Request,
    ports: Asked,
    reader: Reading,
    name: str,
    from_: Annotated[Version, Query(alias="from")] = "",
    to: Version = "",
) -> Response:
    """Choose two versions; both chosen, everything that lies between them."""
    since, upto = from_.strip(), to.strip()
    facts = (
        show_upgrade(ports, product=name, since=since, upto=upto, told=untold_to(reader)) if since and upto else None
    )
    with ports.database.reading() as session:
        row = products.get(session, name)
        product = products.facts(row)
        versions = history_views.published(session, row.id, limit=SUGGESTED)
        running = history_views.running(session, row.id)
    return shown(
        request,
        reader,
        "upgrade.html",
        product=product,
        upgrade=facts,
        since=facts["from"] if facts else since,
        upto=facts["to"] if facts else upto,
        versions=versions,
        running=running,
        newest=versions[0] if versions else "",
        actions=_actions(facts, reader) if facts else [],
        most=MOST,
        few=FEW,
    )


def _actions(facts: dict[str, Any], reader: Reader) -> list[dict[str, Any]]:
    """What is asked for, once per ticket and release: in the reader's language where it is written in it."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in facts["actions"]:
        place = (one["version"], one["ticket"])
        if place not in found or one["language"] == reader.language:
            found[place] = one
    return [{**one, "html": to_html(one["text"])} for one in found.values()]
