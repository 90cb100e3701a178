"""A front as it is declared -> the front that can be steered."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from releaser.clock import SystemClock
from releaser.domain.spec import FrontKind, FrontSpec
from releaser.targets.front import Front
from releaser.targets.fronts.caddy import Caddy
from releaser.targets.fronts.haproxy import HAProxy


class Opener(Protocol):
    """Makes a front; called for every step, nothing is reached yet."""

    def __call__(self, front: FrontSpec) -> Front:
        """The front. Raises `InvalidError` when it cannot be steered so."""
        ...


def open_front(front: FrontSpec) -> Front:
    """The front that is declared; Traefik is none of these, it is told by labels."""
    if front.kind is FrontKind.CADDY:
        return Caddy(address=front.address, handler=front.group)
    file = Path(front.file) if front.file else None
    return HAProxy(address=front.address, backend=front.group, clock=SystemClock(), file=file)
