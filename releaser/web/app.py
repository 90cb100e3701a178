"""The web application: the guard, the API, the pages and the files they need, over one set of ports."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from releaser import __version__
from releaser.flows.ports import Ports
from releaser.web import problems
from releaser.web.api import router as api
from releaser.web.api.described import schemas
from releaser.web.health import router as health
from releaser.web.pages import (
    feeds,
    freezes,
    gate,
    history,
    installations,
    notices,
    products,
    rollout_consent,
    rollout_steer,
    rollout_stream,
    rollouts,
    start,
    trains,
    upgrade,
)
from releaser.web.pages.shown import STATIC
from releaser.web.security import Guard

LARGEST_BODY = 2 * 1024 * 1024
DESCRIPTION = """\
What the history says, releases, rollouts, notices and requests. The same facts as every command's `-o json`.

Errors are problem documents (RFC 9457) with a stable `type`. Lists are paged: `?limit=&offset=`, answered as
`{"items": [...], "next": address or null}`. Instants are ISO 8601 in UTC. Until access control comes, the service listens on
the loopback address only, and `X-Releaser-Actor` says who asks.
"""


def create_app(ports: Ports, *, language: str = "en", zone: str = "UTC") -> FastAPI:
    """The application over `ports`; `language` and `zone` are for readers who name none.

    `app.state.stopping` (a `threading.Event`) ends every live stream; `web.server.Server` sets it at the first signal.
    """
    app = Application(
        title="releaser",
        summary="Release and update management",
        description=DESCRIPTION,
        version=__version__,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # it would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.ports, app.state.language, app.state.zone = ports, language, zone
    app.state.stopping = threading.Event()
    app.add_middleware(Guard, hosts=_hosts(ports.address), largest_body=LARGEST_BODY)
    problems.install(app)
    app.include_router(health)
    app.include_router(api)
    for pages in (start, history, upgrade, trains, gate, products, installations, notices, feeds, freezes):
        app.include_router(pages.router, include_in_schema=False)
    for pages in (rollouts, rollout_stream, rollout_consent, rollout_steer):
        app.include_router(pages.router, include_in_schema=False)
    app.mount("/static", Kept(directory=STATIC))
    app.add_api_route("/favicon.ico", _favicon, include_in_schema=False)
    return app


class Application(FastAPI):
    """FastAPI, with the problem document described once and pointed to by every operation."""

    def openapi(self) -> dict[str, Any]:
        """The description of the API."""
        described = super().openapi()
        known = described["components"].setdefault("schemas", {})
        known["Problem"] = problems.Problem.model_json_schema()
        known.update(schemas())
        return described


def _hosts(address: str) -> list[str]:
    name = urlsplit(address).hostname
    return [name] if name else []


def _favicon() -> FileResponse:
    return FileResponse(STATIC / "favicon.svg", media_type="image/svg+xml")


class Kept(StaticFiles):
    """Static files, kept by browsers for good when asked for by their content's hash."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file."""
        response = await super().get_response(path, scope)
        if response.status_code < 400 and b"v=" in scope.get("query_string", b""):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
