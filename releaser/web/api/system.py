"""The service itself: whether everything it needs is there, and backups.

Backups made here stay in `backups/` of the service's home, under names of their own. Restoring is a command's alone
(`releaser restore`): it is refused on a running service.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from releaser.flows.backup_database import backup_database
from releaser.flows.check_system import check_system
from releaser.flows.verify_backup import verify_backup
from releaser.web.answers import FactsResponse
from releaser.web.asked import Asked
from releaser.web.paging import Paged, cut

router = APIRouter(tags=["system"])
FOLDER = "backups"

Name = Annotated[str, Path(pattern=r"^releaser-[0-9]{8}T[0-9]{6}Z\.zip$", description="The backup's file name.")]


@router.get("/doctor", summary="Whether everything the service needs is there", response_class=FactsResponse)
def doctor(ports: Asked) -> Response:
    """Every check with what to do about it; `ok` when all of them are. One that is ok and has `advice` is a warning."""
    checks = check_system(ports, probes={})
    return FactsResponse({"ok": all(check["ok"] for check in checks), "checks": checks})


@router.get("/backups", summary="Backups made here, newest first", response_class=FactsResponse)
def backups(request: Request, ports: Asked, page: Paged) -> Response:
    """Their names and sizes."""
    files = sorted((ports.home / FOLDER).glob("releaser-*.zip"), reverse=True)
    return cut(request, page, [{"name": file.name, "size": file.stat().st_size} for file in files])


@router.post("/backups", status_code=201, summary="Take a backup", response_class=FactsResponse)
def back_up(ports: Asked) -> Response:
    """One file with a copy as of one moment; the service works on meanwhile."""
    folder = ports.home / FOLDER
    folder.mkdir(exist_ok=True)
    return FactsResponse(backup_database(ports, to=folder), status_code=201)


@router.post("/backups/{name}/verify", summary="Whether a backup is whole", response_class=FactsResponse)
def verify(ports: Asked, name: Name) -> Response:
    """All of it is read: hash, soundness, schema and counts."""
    return FactsResponse(verify_backup(file=ports.home / FOLDER / name))
