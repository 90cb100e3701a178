"""The buttons of a rollout's page: pause, resume, abort, retry, approve, with a name and a reason.

They are plain forms, so they work without scripts; that no page of another site sends them is seen to by `web.security`. Who
asks is believed, as everywhere until access control comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Protocol
from urllib.parse import quote, unquote

from fastapi import APIRouter, Form, Request
from pydantic import AfterValidator, Field
from starlette.responses import RedirectResponse, Response

from releaser.domain.steering import Steer
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.approve_rollout import approve_rollout
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.ports import Facts, Ports
from releaser.flows.resume_rollout import resume_rollout
from releaser.flows.retry_rollout import retry_rollout
from releaser.web.asked import Asked, Id, Text

router = APIRouter()
WHO_COOKIE = "who"
LONGEST_NAME = 200
YEAR_S = 365 * 24 * 3600


class Flow(Protocol):
    """What carries out what is asked of a rollout."""

    def __call__(self, ports: Ports, *, rollout_id: int, by: str, reason: str = "") -> Facts:
        """Do it."""
        ...


FLOWS: Mapping[Steer, Flow] = {
    Steer.APPROVE: approve_rollout,
    Steer.RESUME: resume_rollout,
    Steer.RETRY: retry_rollout,
    Steer.PAUSE: pause_rollout,
    Steer.ABORT: abort_rollout,
}


def _named(name: str) -> str:
    name = name.strip()
    if not name or not name.isprintable():
        message = "say who you are"
        raise ValueError(message)
    return name


Name = Annotated[str, Form(), Field(max_length=LONGEST_NAME), AfterValidator(_named)]


@router.post("/rollouts/{rollout_id}/{steer}")
def steer_rollout(
    ports: Asked, rollout_id: Id, steer: Steer, by: Name, reason: Annotated[Text, Form()] = ""
) -> Response:
    """Carry it out and go back to the page; who asked is remembered for the next time."""
    FLOWS[steer](ports, rollout_id=rollout_id, by=by, reason=reason.strip())
    back = RedirectResponse(f"/rollouts/{rollout_id}", status_code=303)
    back.set_cookie(WHO_COOKIE, quote(by), max_age=YEAR_S, samesite="lax", httponly=True)
    return back


def who_asked(request: Request) -> str:
    """Who used a button here last; empty when nobody did."""
    name = unquote(request.cookies.get(WHO_COOKIE, ""))
    return name if len(name) <= LONGEST_NAME and name.isprintable() else ""
