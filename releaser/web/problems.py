"""Error families -> HTTP: problem documents (RFC 9457) for programs, an error page for people. The one such place.

| family | status | why (RFC 9110) |
|---|---|---|
| `InvalidError` | 422; 400 for what is missing or unreadable (`BadRequestError`, broken JSON); 413 | understood, not processable |
| `NotFoundError` | 404 | |
| `ConflictError` | 409 | somebody else was first or holds it: the same request may work later |
| `RefusedError` | 403 and the `rule`; 421 for a foreign host | understood, refused by a rule: not to be repeated unchanged |
| `OutsideError` | 502 when permanent, else 503 with `Retry-After`; the database always 503 | what we depend on failed |

`type` is `urn:releaser:problem:<slug>`, stable, made from the error's name. Unexpected errors are 500 and say nothing of
the inside; the log has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from releaser.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    OutsideError,
    RefusedError,
    ReleaserError,
)
from releaser.store.session import DatabaseError
from releaser.web.answers import FactsResponse, as_json
from releaser.web.headers import headers_for
from releaser.web.pages.shown import shown
from releaser.web.reader import reader_of

_log = structlog.get_logger(__name__)

TYPE = "urn:releaser:problem:"
RETRY_AFTER_S = 5
_LONGEST = 2_000


class BadRequestError(InvalidError):
    """The request lacks what every such request must carry."""


class TooLargeError(InvalidError):
    """The request's body is larger than this service takes."""


class IdempotencyKeyMissingError(BadRequestError):
    """A request that starts something carries no key that would make its repeat harmless."""


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "urn:releaser:problem:release-not-found",
                "title": "Release not found",
                "status": 404,
                "detail": "Product 'portal' has no release 9.9.",
                "advice": "Its newest: 1.1.1, 1.1, 1.0.",
                "field": "version",
            }
        },
    )

    type: str
    title: str
    status: int
    detail: str
    advice: str | None = None
    field: str | None = None
    rule: str | None = None


class ProblemResponse(FactsResponse):
    """A problem document as an answer."""

    media_type = "application/problem+json"


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": text,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, text in {
        400: "What every such request must carry is missing, or the body cannot be read.",
        403: "A rule refuses it; `rule` names it.",
        404: "What it names does not exist.",
        409: "Somebody else was first or holds what is needed.",
        413: "The request is larger than this service takes.",
        422: "The input is malformed, or means something that cannot be.",
        502: "Something outside answers wrongly, and will again.",
        503: "Something outside did not answer.",
    }.items()
}
"""What every operation may answer, for OpenAPI."""


_STATUS: tuple[tuple[type[ReleaserError], int], ...] = (
    (BadRequestError, 400),
    (TooLargeError, 413),
    (InvalidError, 422),
    (NotFoundError, 404),
    (ConflictError, 409),
    (RefusedError, 403),
    (DatabaseError, 503),
    (OutsideError, 502),
)
"""The first family that fits decides."""


def status_of(error: ReleaserError) -> int:
    """The status that the error's family maps to."""
    if isinstance(error, RefusedError) and error.rule == "known-host":
        return 421
    if isinstance(error, OutsideError) and not error.permanent:
        return 503
    return next((status for family, status in _STATUS if isinstance(error, family)), 500)


def document(error: ReleaserError) -> dict[str, Any]:
    """The problem document of an error."""
    told: dict[str, Any] = {
        "type": TYPE + error.slug,
        "title": error.slug.replace("-", " ").capitalize(),
        "status": status_of(error),
        "detail": error.detail[:_LONGEST],
        "advice": error.advice[:_LONGEST] or None,
        "field": error.field,
        "rule": getattr(error, "rule", None),
        "facts": {name: _told(value) for name, value in error.facts.items()} or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _told(value: object) -> object:
    """A fact of an error as JSON; what has no form there is told as text."""
    try:
        as_json(value)
    except (TypeError, ValueError):
        return str(value)[:_LONGEST]
    return value


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks: outside the API, and HTML is welcome."""
    path = request.scope["path"]
    is_api = path in {"/v1", "/healthz", "/readyz"} or path.startswith("/v1/")
    return not is_api and "text/html" in request.headers.get("accept", "")


def answer(request: Request, problem: Mapping[str, Any], *, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as a document or as a page, whichever is asked for."""
    status = int(problem["status"])
    if wants_page(request):
        return shown(request, reader_of(request), "problem.html", status=status, headers=headers, problem=dict(problem))
    told = {**problem, "instance": f"urn:releaser:request:{getattr(request.state, 'request_id', '')}"}
    return ProblemResponse(told, status_code=status, headers=dict(headers or {}))


def answer_to(request: Request, error: ReleaserError) -> Response:
    """The answer to an error raised on purpose."""
    problem = document(error)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if problem["status"] == 503 else None
    return answer(request, problem, headers=headers)


def answer_to_invalid(request: Request, error: RequestValidationError) -> Response:
    """The answer to parameters or a body that do not fit their description. What was sent is not repeated."""
    wrong = [{"field": _field(one), "detail": str(one["msg"])[:_LONGEST]} for one in error.errors()[:20]]
    unreadable = any(one["type"] == "json_invalid" for one in error.errors())
    problem = {
        "type": TYPE + "invalid-request",
        "title": "Invalid request",
        "status": 400 if unreadable else 422,
        "detail": "; ".join(f"{one['field']}: {one['detail']}" for one in wrong[:3]),
        "advice": "See /v1/openapi.json for what this operation takes.",
        "field": wrong[0]["field"] if wrong else None,
        "errors": wrong,
    }
    return answer(request, problem)


def _field(wrong: Mapping[str, Any]) -> str:
    """Where something is wrong: `waves.0`, or `body` when that is no JSON at all."""
    where = [] if wrong["type"] == "json_invalid" else wrong["loc"][1:]
    return ".".join(map(str, where)) or str(wrong["loc"][0])


ENDLESS = ("/events", "/stream")
"""Ends of addresses whose answers go on as long as somebody listens: nobody may ask for their headers alone."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_TITLES = {
    400: "Bad request",
    404: "Not found",
    405: "Method not allowed",
    413: "Too large",
    415: "Unsupported media type",
}


def answer_to_http(request: Request, error: HTTPException) -> Response:
    """The answer to what the framework refuses: unknown addresses, wrong methods, too much data."""
    title = _TITLES.get(error.status_code, "Refused")
    detail = {
        404: "There is nothing at this address.",
        405: "This address does not take that method.",
        413: "The request is larger than this service takes.",
    }.get(error.status_code, str(error.detail))
    problem = {
        "type": TYPE + title.lower().replace(" ", "-"),
        "title": title,
        "status": error.status_code,
        "detail": detail,
    }
    headers = {"Allow": ", ".join(_allowed(request))} if error.status_code == 405 else error.headers
    return answer(request, problem, headers=headers)


def _allowed(request: Request) -> list[str]:
    """Every method that some route takes at this address: a router tells only those of the first route that fits."""
    routes = request.app.router.routes
    found = [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    if "GET" not in found or request.url.path.endswith(ENDLESS):
        return found
    return ["GET", "HEAD", *(one for one in found if one not in {"GET", "HEAD"})]


def answer_to_unexpected(request: Request, error: Exception) -> Response:
    """The answer to a fault of ours; the log has the trace, under the same request id."""
    request_id = getattr(request.state, "request_id", "")
    _log.error("unexpected", request=request_id, method=request.method, path=request.scope["path"], exc_info=error)
    problem = {
        "type": TYPE + "unexpected",
        "title": "Unexpected",
        "status": 500,
        "detail": "Something went wrong inside. Nothing half done was kept.",
        "advice": "The log tells more under the request's id.",
    }
    # This answer is made outside of the guard, which dresses every other one.
    dress = headers_for(getattr(request.state, "nonce", ""))
    return answer(request, problem, headers={**dress, "X-Request-Id": request_id})


def install(app: FastAPI) -> None:
    """Let every error of `app` end here."""
    app.add_exception_handler(ReleaserError, answer_to)  # type: ignore[arg-type]  # starlette types handlers by Exception
    app.add_exception_handler(RequestValidationError, answer_to_invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, answer_to_http)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, answer_to_unexpected)
