"""Release notes: what readers are told, corrections and their trail, embargoes; and changelogs that go into repositories.

Customers' audience is the default everywhere; internal readers say so by `audience=internal`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from releaser.domain.changelog import Audience, Form, Section
from releaser.errors import RefusedError
from releaser.flows.commit_changelog import commit_changelog
from releaser.flows.render_notes import render_notes
from releaser.flows.set_embargo import list_embargoes, set_embargo
from releaser.flows.show_notes import note_history
from releaser.flows.withdraw_note import withdraw_note
from releaser.flows.write_note import write_note
from releaser.web.answers import FactsResponse
from releaser.web.asked import Actor, Asked, Instant, Reading, Text
from releaser.web.paging import Paged, cut

router = APIRouter(tags=["notes"])
MEDIA = {
    Form.MARKDOWN: "text/markdown; charset=utf-8",
    Form.HTML: "text/html; charset=utf-8",
    Form.JSON: "application/json",
    Form.TEXT: "text/plain; charset=utf-8",
}
FORMS: dict[int | str, dict[str, Any]] = {
    200: {"content": {media.partition(";")[0]: {} for media in MEDIA.values()}, "description": "The text."}
}
Format = Annotated[Form, Query(alias="format", description="How it is written.")]
Reader = Annotated[Audience, Query(description="Who reads it.")]


class InternalOnlyError(RefusedError):
    """What is asked for is for internal readers, and the request does not say that one asks."""


class NoteText(BaseModel):
    """A note, in Markdown."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(max_length=20_000)]
    section: Section | None = Field(
        None, description="Of a ticket's first note `changed`; later it moves the ticket's notes."
    )
    needs_action: bool | None = None
    audience: Audience = Audience.CUSTOMER
    reason: Text = Field("", description="Why; a correction of a published release needs one.")


class Withdrawn(BaseModel):
    """Why a note is withdrawn."""

    model_config = ConfigDict(extra="forbid")

    reason: Text = ""
    audience: Audience = Audience.CUSTOMER


class EmbargoText(BaseModel):
    """Until when, and why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"until": "2030-05-31T19:00:00Z"}})

    until: Instant
    reason: Text = ""


class Committed(BaseModel):
    """Where to, and whether words of others are replaced."""

    model_config = ConfigDict(extra="forbid")

    branch: Text | None = Field(None, description="The changelog's, else the product's, when not given.")
    replace: bool = False


@router.get(
    "/products/{product}/releases/{version}/notes",
    summary="The notes of one release, as readers see them",
    responses=FORMS,
)
def notes(
    ports: Asked,
    reader: Reading,
    product: str,
    version: str,
    form: Format = Form.JSON,
    audience: Reader = Audience.CUSTOMER,
) -> Response:
    """In the language of `?lang=` or `Accept-Language`. What is under embargo is told to internal readers alone."""
    text = render_notes(ports, product=product, version=version, form=form, language=reader.language, audience=audience)
    return Response(text, media_type=MEDIA[form], headers={"Vary": "Accept-Language"})


@router.put(
    "/products/{product}/releases/{version}/notes/{ticket}/{language}",
    summary="Write a release note",
    response_class=FactsResponse,
)
def note(
    ports: Asked, actor: Actor, product: str, version: str, ticket: str, language: str, what: NoteText
) -> Response:
    """What a person wrote stands: a repeated cut keeps it. Of a published release it is a correction, which readers see."""
    facts = write_note(
        ports,
        product=product,
        version=version,
        ticket=ticket,
        language=language,
        text=what.text,
        by=actor,
        section=what.section,
        needs_action=what.needs_action,
        audience=what.audience,
        reason=what.reason,
    )
    return FactsResponse(facts)


@router.post(
    "/products/{product}/releases/{version}/notes/{ticket}/withdraw",
    summary="Take a ticket out of the notes",
    response_class=FactsResponse,
)
def withdraw(ports: Asked, actor: Actor, product: str, version: str, ticket: str, why: Withdrawn) -> Response:
    """In every language; what it said stays in its revisions."""
    facts = withdraw_note(
        ports,
        product=product,
        version=version,
        ticket=ticket,
        by=actor,
        reason=why.reason,
        audience=why.audience,
    )
    return FactsResponse({"items": facts})


@router.get(
    "/products/{product}/releases/{version}/notes/{ticket}/revisions",
    summary="Every text a ticket's notes had",
    response_class=FactsResponse,
)
def revisions(ports: Asked, product: str, version: str, ticket: str, audience: Reader = Audience.CUSTOMER) -> Response:
    """Who wrote it, when and why; for internal readers."""
    _check_internal(audience)
    return FactsResponse({"items": note_history(ports, product=product, version=version, ticket=ticket)})


@router.get("/products/{product}/embargoes", summary="What customers are not told of", response_class=FactsResponse)
def embargoes(
    request: Request, ports: Asked, page: Paged, product: str, audience: Reader = Audience.CUSTOMER
) -> Response:
    """Those that are over among them; for internal readers."""
    _check_internal(audience)
    return cut(request, page, list_embargoes(ports, product=product))


@router.put(
    "/products/{product}/embargoes/{ticket}", summary="Tell customers nothing of a ticket", response_class=FactsResponse
)
def embargo(ports: Asked, actor: Actor, product: str, ticket: str, what: EmbargoText) -> Response:
    """On no line and in no language until the instant; then it is told by itself."""
    return FactsResponse(_embargo(ports, actor, product, ticket, what.until, what.reason))


@router.delete("/products/{product}/embargoes/{ticket}", summary="End an embargo now", response_class=FactsResponse)
def lift(ports: Asked, actor: Actor, product: str, ticket: str) -> Response:
    """What it kept back is told at once."""
    return FactsResponse(_embargo(ports, actor, product, ticket, None, ""))


@router.post(
    "/products/{product}/releases/{version}/changelog/commit",
    summary="Commit a release's changelog to the product's repository",
    response_class=FactsResponse,
)
def commit(ports: Asked, actor: Actor, product: str, version: str, where: Committed) -> Response:
    """The same again commits nothing. A branch that moved is taken as it is then, once; nothing is forced."""
    facts = commit_changelog(
        ports, product=product, version=version, by=actor, branch=where.branch, replace=where.replace
    )
    return FactsResponse(facts)


def _embargo(
    ports: Asked, actor: str, product: str, ticket: str, until: datetime | None, reason: str
) -> dict[str, Any]:
    return set_embargo(ports, product=product, ticket=ticket, until=until, by=actor, reason=reason)


def _check_internal(audience: Audience) -> None:
    if audience is not Audience.INTERNAL:
        raise InternalOnlyError(
            "This is for internal readers.",
            rule="internal-only",
            advice="Ask with ?audience=internal.",
            field="audience",
        )
