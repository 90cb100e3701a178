"""Taking over what runs, and what hands changed: adopting containers, accepting drift, unpinning."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from releaser.domain.declaration import DeclaredInstallation
from releaser.domain.target import DriverName
from releaser.flows.accept_drift import accept_drift
from releaser.flows.adopt_installation import ToAdopt, adopt_installation
from releaser.flows.unpin_installation import unpin_installation
from releaser.web.answers import FactsResponse
from releaser.web.asked import Actor, Asked, Text

router = APIRouter(prefix="/installations", tags=["customers"])
Word = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Adoption(BaseModel):
    """What runs already on a host (a manager, for services of a swarm) that is there, and whose installation it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "acme-shop",
                "customer": "acme",
                "product": "portal",
                "host": "cloud-1",
                "containers": {"shop-web": "web"},
            }
        },
    )

    name: Word
    customer: Word
    product: Word
    host: Word
    driver: Literal["docker", "swarm", "compose"] = Field(
        "docker", description="`swarm`: services, and not containers; `compose`: the project stays a compose project."
    )
    containers: dict[Word, Word] = Field(
        {}, max_length=100, description="Container, or service of a swarm -> module; an empty one is guessed."
    )
    compose_project: Word = Field(
        "", description="Instead of containers: everything of this compose project, or of this stack of a swarm."
    )
    modules: dict[Word, Word] = Field({}, max_length=100, description="Service of the project -> module.")
    running: dict[Word, Word] = Field({}, max_length=100, description="Module -> version that runs, where known.")
    title: Word = ""
    ring: Word = ""
    delivery: Word = "cloud"
    labels: dict[Word, Word] = Field({}, max_length=100)


class Because(BaseModel):
    """Why something is decided."""

    model_config = ConfigDict(extra="forbid")

    reason: Text


@router.post(
    "/adopt",
    status_code=201,
    summary="Take over containers that run, as they are",
    response_class=FactsResponse,
    responses={
        200: {"description": "What would be declared and recorded (`dry_run`)."},
        201: {"description": "Taken over; nothing on the host was touched."},
    },
)
def adopt(
    ports: Asked,
    actor: Actor,
    what: Adoption,
    *,
    dry_run: Annotated[bool, Query(description="Only tell what would be declared and recorded.")] = False,
) -> Response:
    """With what of a container is declared, what is kept besides, and how its version is known."""
    declared = DeclaredInstallation(
        name=what.name,
        customer=what.customer,
        product=what.product,
        title=what.title,
        ring=what.ring,
        delivery=what.delivery,
        labels=what.labels,
    )
    wanted = ToAdopt(
        installation=declared,
        host=what.host,
        containers=what.containers,
        project=what.compose_project,
        modules=what.modules,
        versions=what.running,
        driver=DriverName(what.driver),
    )
    facts = adopt_installation(ports, what=wanted, dry_run=dry_run, by=actor)
    headers = {} if dry_run else {"Location": f"/v1/installations/{what.name}"}
    return FactsResponse(facts, status_code=200 if dry_run else 201, headers=headers)


@router.post("/{installation}/accept-drift", summary="Record what runs as what shall run", response_class=FactsResponse)
def accept(ports: Asked, actor: Actor, installation: str, why: Because) -> Response:
    """The change that a hand made is meant; `accepted` names it."""
    return FactsResponse(accept_drift(ports, installation=installation, reason=why.reason, by=actor))


@router.post(
    "/{installation}/unpin", summary="Let mass rollouts have an installation again", response_class=FactsResponse
)
def unpin(ports: Asked, actor: Actor, installation: str, why: Because) -> Response:
    """What runs there stays until the next rollout."""
    return FactsResponse(unpin_installation(ports, installation=installation, reason=why.reason, by=actor))
