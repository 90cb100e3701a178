"""Bodies that describe one thing the way a declaration does, and their schemas for OpenAPI.

They are read by the reader of declarations, so that an unknown field, a wrong kind or a missing name is refused in the same
words as in a file.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from releaser.domain.declaration import (
    Declaration,
    DeclaredCustomer,
    DeclaredHost,
    DeclaredInstallation,
    DeclaredProduct,
)
from releaser.sources.declaration import parse_declaration
from releaser.web.problems import BadRequestError

_KINDS: tuple[type[object], ...] = (DeclaredProduct, DeclaredCustomer, DeclaredHost, DeclaredInstallation)
_REFERENCE = "#/components/schemas/{model}"


async def _text(request: Request) -> str:
    try:
        return (await request.body()).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequestError("The body is no UTF-8 text.", advice="Send UTF-8.", field="body") from error


Sent = Annotated[str, Depends(_text)]
"""The body as the text it is."""


def declared(text: str, *, group: str) -> Declaration:
    """A declaration of the one thing that a JSON body describes. Raises `BadRequestError`, `InvalidDeclarationError`."""
    try:
        thing = json.loads(text)
    except ValueError as error:
        raise BadRequestError(f"The body is no JSON: {error}.", advice="Send one JSON object.", field="body") from error
    return parse_declaration(json.dumps({group: [thing]}), name="body")


def body(kind: type[object]) -> dict[str, Any]:
    """How OpenAPI tells the body of such an operation."""
    reference = {"$ref": _REFERENCE.format(model=kind.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": reference}}}}


def schemas() -> dict[str, Any]:
    """The schemas that `body` points to."""
    adapters: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (kind.__name__, "validation", TypeAdapter(kind)) for kind in _KINDS
    ]
    made, described = TypeAdapter.json_schemas(adapters, ref_template=_REFERENCE)
    found: dict[str, Any] = dict(described.get("$defs", {}))
    for (name, _), schema in made.items():
        found.setdefault(name, schema)
    return found
