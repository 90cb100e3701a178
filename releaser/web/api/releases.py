"""Releases: what there is, cutting, promoting, publishing and withdrawing, changelogs and notes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from releaser.domain.changelog import Audience, Form
from releaser.domain.release import CutKind
from releaser.flows.abandon_release import abandon_release
from releaser.flows.cut_release import cut_release
from releaser.flows.cut_status import cut_status
from releaser.flows.promote_release import promote_release
from releaser.flows.publish_release import publish_release
from releaser.flows.render_changelog import render_changelog
from releaser.flows.show_release import list_releases, show_release
from releaser.flows.yank_release import yank_release
from releaser.web.answers import FactsResponse
from releaser.web.api.notes import FORMS, MEDIA, Format, Reader
from releaser.web.asked import Actor, Asked, Reading, Text
from releaser.web.paging import Paged, cut, listed

router = APIRouter(tags=["releases"])


class Cut(BaseModel):
    """What to cut."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"kind": "patch", "line": "1.1"}})

    kind: CutKind
    line: Text | None = Field(None, description="The line of a patch; without it the newest published one.")
    override: Text = Field("", description="Why to cut although the gate holds it; recorded, with who says so.")


class Withdrawal(BaseModel):
    """Why a release is withdrawn."""

    model_config = ConfigDict(extra="forbid")

    reason: Text


@router.get("/products/{product}/releases", summary="Releases, newest number first", response_class=FactsResponse)
def releases(
    request: Request, ports: Asked, page: Paged, product: str, line: Annotated[str | None, Query(max_length=80)] = None
) -> Response:
    """A page of releases, of one line where it is named."""
    found = list_releases(ports, product=product, line=line, limit=page.look_ahead, offset=page.offset)
    return listed(request, page, found)


@router.post("/products/{product}/releases", status_code=201, summary="Cut a release", response_class=FactsResponse)
def cut_one(ports: Asked, actor: Actor, product: str, what: Cut) -> Response:
    """The candidate. A cut that was interrupted is completed; one of the same commit is answered as it is, with 200.

    What holds the gate refuses it: `rule` is the gravest, `findings` has all.
    """
    facts = cut_release(ports, product=product, kind=what.kind, line=what.line, by=actor, override=what.override)
    location = f"/v1/products/{facts['product']}/releases/{facts['version']}"
    return FactsResponse(facts, status_code=200 if facts.get("unchanged") else 201, headers={"Location": location})


@router.get("/cuts", summary="What is cut and not published yet", response_class=FactsResponse)
def cuts(
    request: Request, ports: Asked, page: Paged, product: Annotated[str | None, Query(max_length=80)] = None
) -> Response:
    """Each names the last step that is done."""
    return cut(request, page, cut_status(ports, product=product))


@router.get(
    "/products/{product}/releases/{version}", summary="One release with its notes", response_class=FactsResponse
)
def release(ports: Asked, product: str, version: str, audience: Reader = Audience.CUSTOMER) -> Response:
    """Any accepted spelling of the version; its notes as customers may read them, or all with `audience=internal`."""
    return FactsResponse(show_release(ports, product=product, version=version, audience=audience))


@router.post(
    "/products/{product}/releases/{version}/promote",
    summary="Prove and promote a candidate",
    response_class=FactsResponse,
)
def promote(ports: Asked, actor: Actor, product: str, version: str) -> Response:
    """The same bits, proved by their digests."""
    return FactsResponse(promote_release(ports, product=product, version=version, by=actor))


@router.post(
    "/products/{product}/releases/{version}/publish", summary="Let customers see it", response_class=FactsResponse
)
def publish(
    ports: Asked,
    actor: Actor,
    product: str,
    version: str,
    commit: Annotated[bool, Query(description="Commit the changelog to the product's repository.")] = False,  # noqa: FBT002 -- a parameter of the address
) -> Response:
    """Pages, feeds and files show it."""
    return FactsResponse(publish_release(ports, product=product, version=version, by=actor, commit=commit))


@router.post(
    "/products/{product}/releases/{version}/yank", summary="Withdraw a published release", response_class=FactsResponse
)
def yank(ports: Asked, actor: Actor, product: str, version: str, why: Withdrawal) -> Response:
    """It stays resolvable, with the reason."""
    return FactsResponse(yank_release(ports, product=product, version=version, reason=why.reason, by=actor))


@router.post(
    "/products/{product}/releases/{version}/abandon",
    summary="Stop a cut; its number is burned",
    response_class=FactsResponse,
)
def abandon(ports: Asked, actor: Actor, product: str, version: str, why: Withdrawal) -> Response:
    """Before publishing only."""
    return FactsResponse(abandon_release(ports, product=product, version=version, reason=why.reason, by=actor))


@router.get("/products/{product}/changelog", summary="The changelog of everything published", responses=FORMS)
def changelog(
    ports: Asked, reader: Reading, product: str, form: Format = Form.MARKDOWN, audience: Reader = Audience.CUSTOMER
) -> Response:
    """Newest number first; headings in the language of `?lang=` or `Accept-Language`."""
    text = render_changelog(ports, product=product, form=form, language=reader.language, audience=audience)
    return Response(text, media_type=MEDIA[form], headers={"Vary": "Accept-Language"})


@router.get("/products/{product}/releases/{version}/changelog", summary="The changelog of one release", responses=FORMS)
def changelog_of(
    ports: Asked,
    reader: Reading,
    product: str,
    version: str,
    form: Format = Form.MARKDOWN,
    audience: Reader = Audience.CUSTOMER,
) -> Response:
    """Complete and technical: every commit that is new in it, but what names a ticket under embargo."""
    text = render_changelog(
        ports, product=product, version=version, form=form, language=reader.language, audience=audience
    )
    return Response(text, media_type=MEDIA[form], headers={"Vary": "Accept-Language"})
