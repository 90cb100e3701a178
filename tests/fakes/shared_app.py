"""The web application as tests ask it: its routes are prepared once for a process, which takes a tenth of a second.

What does not live here: the service on a socket (`tests/web/conftest.py`), which has an application of its own.
"""

from __future__ import annotations

import threading

from fastapi import FastAPI
from starlette.datastructures import State
from starlette.types import Receive, Scope, Send

from releaser.flows.ports import Ports
from releaser.web.app import create_app


class AppOver:
    """What `create_app(ports)` answers with: the one application of that address, with a state of its own."""

    def __init__(self, ports: Ports, *, language: str = "en", zone: str = "UTC") -> None:
        self._app = _applications.get(ports.address) or _applications.setdefault(ports.address, create_app(ports))
        self.router = self._app.router
        self.state = State({"ports": ports, "language": language, "zone": zone, "stopping": threading.Event()})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; whoever asks the request for its application gets this one."""
        if self._app.middleware_stack is None:
            self._app.middleware_stack = self._app.build_middleware_stack()
        scope["app"] = self
        await self._app.middleware_stack(scope, receive, send)


_applications: dict[str, FastAPI] = {}
