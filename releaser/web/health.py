"""Whether the process is alive, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter

from releaser.errors import OutsideError, RefusedError
from releaser.store import workers
from releaser.store.migrations import numbers
from releaser.store.upgrade import require_writable, schema_number
from releaser.web.answers import FactsResponse
from releaser.web.asked import Asked

router = APIRouter(tags=["health"])


class NotReadyError(OutsideError):
    """The database answers, but this program cannot work with what it holds."""


@router.get("/healthz", summary="Whether the process is alive")
def healthz() -> FactsResponse:
    """Answers as long as the process does."""
    return FactsResponse({"status": "alive"})


@router.get("/readyz", summary="Whether the database can be written and has the schema of this program")
def readyz(ports: Asked) -> FactsResponse:
    """200 when the service can work; else 503 with the problem that keeps it from it. `engine` tells who works.

    `working` is how many workers look at what is due, `looked_s` how many seconds ago the last one did (null: none), `engine` its
    kind. Pages are served without a worker too, so that nobody works is no reason to take this process out of use.
    """
    try:
        number = schema_number(ports.database)
    except RefusedError as error:
        raise NotReadyError(error.detail, permanent=False, advice=error.advice) from error
    if number != numbers()[-1]:
        raise NotReadyError(
            f"The database has schema {number or 'none'}, and this program needs {numbers()[-1]}.",
            permanent=False,
            advice="Start the service once: it makes or steps up the schema.",
        )
    require_writable(ports.database)
    with ports.database.reading() as session:
        engine = workers.facts(session, now=ports.clock.now())
    return FactsResponse({"status": "ready", "schema": number, "engine": engine})
