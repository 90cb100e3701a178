"""Declared state: telling the difference, applying it, and writing it back."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.export_declaration import export_declaration
from releaser.sources.declaration import parse_declaration, to_yaml
from releaser.web.answers import FactsResponse
from releaser.web.api.described import Sent
from releaser.web.asked import Actor, Asked

router = APIRouter(tags=["declaration"])
YAML = "application/yaml"
_EXAMPLE = """\
products:
  - name: portal
    repository: https://git.example.com/portal.git
    modules:
      - name: app
        image: registry.example.com/portal:{version}
"""
_BODY = {"requestBody": {"required": True, "content": {YAML: {"schema": {"type": "string"}, "example": _EXAMPLE}}}}


class Form(StrEnum):
    """How a declaration is written."""

    YAML = "yaml"
    JSON = "json"


@router.post(
    "/declaration",
    summary="Apply a declaration, or tell what it would change",
    response_class=FactsResponse,
    openapi_extra=_BODY,
)
def apply(
    ports: Asked,
    actor: Actor,
    text: Sent,
    *,
    dry_run: Annotated[bool, Query(description="Only tell the difference.")] = False,
    prune: Annotated[bool, Query(description="Remove what the declaration leaves out and nothing refers to.")] = False,
) -> Response:
    """All of it or nothing; the same twice changes nothing. Errors name line and column."""
    facts = apply_declaration(
        ports, declaration=parse_declaration(text, name="body"), dry_run=dry_run, prune=prune, by=actor
    )
    return FactsResponse(facts)


@router.get(
    "/declaration",
    summary="Everything declared, as it can be applied again",
    responses={200: {"content": {YAML: {}, "application/json": {}}, "description": "The declaration."}},
)
def export(ports: Asked, form: Annotated[Form, Query(alias="format")] = Form.YAML) -> Response:
    """Products, customers, hosts, installations and their targets."""
    facts = export_declaration(ports)
    if form is Form.JSON:
        return FactsResponse(facts)
    return Response(to_yaml(facts), media_type=f"{YAML}; charset=utf-8")
