"""The page of one installation: what runs there, how it differs from what is recorded, and why rollouts pass it over."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from releaser.flows.show_installation import show_installation
from releaser.web.asked import Asked, Reading
from releaser.web.pages.shown import shown

router = APIRouter()


@router.get("/installations/{installation}")
def installation(request: Request, ports: Asked, reader: Reading, installation: str) -> Response:
    """Targets with version, digest and drift; the pin; and what became of earlier ones."""
    return shown(request, reader, "installation.html", one=show_installation(ports, installation=installation))
