"""The form of a rollout's page that records what a customer said: a plain form, like the buttons of `rollout_steer`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query
from starlette.responses import RedirectResponse, Response

from releaser.domain.consent import Answer
from releaser.flows.record_consent import record_consent
from releaser.web.asked import Asked, Id, Text
from releaser.web.pages.rollout_steer import WHO_COOKIE, Name

router = APIRouter()
_YEAR_S = 365 * 24 * 3600


@router.post("/rollouts/{rollout_id}/consent")
def consent(
    ports: Asked,
    rollout_id: Id,
    by: Name,
    answer: Annotated[Answer, Form()],
    who: Annotated[Text, Form()] = "",
    note: Annotated[Text, Form()] = "",
    customer: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """Record it for all installations of the customer and go back to the page."""
    record_consent(ports, rollout_id=rollout_id, answer=answer, who=who, by=by, customer=customer, note=note)
    back = RedirectResponse(f"/rollouts/{rollout_id}", status_code=303)
    back.set_cookie(WHO_COOKIE, quote(by), max_age=_YEAR_S, samesite="lax", httponly=True)
    return back
