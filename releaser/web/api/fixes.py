"""Where fixes are: which releases have a change, what is missing on which line, and what an upgrade gains and loses."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, ConfigDict
from starlette.responses import Response

from releaser.flows.allow_way_back import allow_way_back
from releaser.flows.find_fix import find_fix
from releaser.flows.forbid_way_back import forbid_way_back
from releaser.flows.lift_stop import lift_stop
from releaser.flows.require_stop import require_stop
from releaser.flows.show_backports import show_backports
from releaser.flows.show_upgrade import show_upgrade
from releaser.flows.unblock_release import unblock_release
from releaser.web.answers import FactsResponse
from releaser.web.asked import Actor, Asked, Text

router = APIRouter(tags=["fixes"])


def _named(texts: list[str]) -> list[str]:
    """`3.4,3.5` is two."""
    return [one.strip() for text in texts for one in text.split(",") if one.strip()]


class RequiredStop(BaseModel):
    """Why no upgrade may pass a release by."""

    model_config = ConfigDict(extra="forbid")

    reason: Text


@router.get("/products/{product}/contains", summary="Where a commit or a ticket is", response_class=FactsResponse)
def contains(
    ports: Asked,
    product: str,
    query: Annotated[
        str, Query(description="A ticket's key, a commit's id or its start, a tag or a branch.", max_length=300)
    ],
) -> Response:
    """Every release and line that has it, and whether by itself, by a pick, or by another commit of the ticket."""
    return FactsResponse(find_fix(ports, product=product, query=query))


@router.get(
    "/products/{product}/backports", summary="What is fixed here and missing there", response_class=FactsResponse
)
def backports(
    ports: Asked,
    product: str,
    lines: Annotated[
        list[Annotated[str, Query(max_length=200)]],
        Query(description="Lines to compare, such as 3.4 or 3.*, or `all`; several by commas.", max_length=200),
        AfterValidator(_named),
    ] = [],  # noqa: B006 -- never changed
    limit: Annotated[int, Query(description="The newest tickets of every kind of gap, so many.", ge=1, le=5000)] = 200,
) -> Response:
    """Ticket by ticket and line by line, gravest first. Without `lines`: those alive and not at the end of their life.

    `counts` tells how many gaps and tickets there are in all.
    """
    return FactsResponse(show_backports(ports, product=product, lines=lines, most=limit))


@router.get("/products/{product}/upgrade", summary="What an upgrade gains and loses", response_class=FactsResponse)
def upgrade(
    ports: Asked,
    product: str,
    since: Annotated[str, Query(alias="from", max_length=128)],
    upto: Annotated[str, Query(alias="to", max_length=128)],
) -> Response:
    """By ticket and by commit, across lines; with required stops, actions and expected downtime."""
    return FactsResponse(show_upgrade(ports, product=product, since=since, upto=upto))


@router.put(
    "/products/{product}/releases/{version}/stop",
    summary="Make a release a required stop",
    response_class=FactsResponse,
)
def require(ports: Asked, actor: Actor, product: str, version: str, why: RequiredStop) -> Response:
    """No upgrade may pass it by. The same again changes nothing."""
    return FactsResponse(require_stop(ports, product=product, version=version, reason=why.reason, by=actor))


@router.put(
    "/products/{product}/releases/{version}/one-way",
    summary="Mark a release as not safe to roll back",
    response_class=FactsResponse,
)
def close_way_back(ports: Asked, actor: Actor, product: str, version: str, why: RequiredStop) -> Response:
    """Where it fails, it stops for a person instead. The same again changes nothing."""
    return FactsResponse(forbid_way_back(ports, product=product, version=version, reason=why.reason, by=actor))


@router.delete(
    "/products/{product}/releases/{version}/one-way",
    summary="Let a release be rolled back again",
    response_class=FactsResponse,
)
def open_way_back(ports: Asked, actor: Actor, product: str, version: str) -> Response:
    """Of a release that is not marked nothing is changed."""
    return FactsResponse(allow_way_back(ports, product=product, version=version, by=actor))


@router.post(
    "/products/{product}/releases/{version}/unblock",
    summary="Let a version be rolled out again that was rolled back",
    response_class=FactsResponse,
    responses={409: {"description": "It is not blocked."}},
)
def unblock(ports: Asked, actor: Actor, product: str, version: str, why: RequiredStop) -> Response:
    """The block stays in the release's story, with the reason for lifting it."""
    return FactsResponse(unblock_release(ports, product=product, version=version, reason=why.reason, by=actor))


@router.delete(
    "/products/{product}/releases/{version}/stop",
    summary="Let upgrades pass a release by again",
    response_class=FactsResponse,
)
def lift(ports: Asked, actor: Actor, product: str, version: str) -> Response:
    """Of a release that is no required stop nothing is changed."""
    return FactsResponse(lift_stop(ports, product=product, version=version, by=actor))
