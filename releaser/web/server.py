"""The HTTP server: uvicorn, told to end the live streams first when it is asked to stop.

uvicorn waits for open answers before it shuts the application down, so a stream has to hear of the signal itself.
"""

from __future__ import annotations

from types import FrameType

import uvicorn
from fastapi import FastAPI

STOP_WITHIN_S = 3


class Server(uvicorn.Server):
    """uvicorn's server that sets `app.state.stopping` at the first signal."""

    def __init__(self, app: FastAPI, *, host: str, port: int, log_level: str = "warning") -> None:
        self._stopping = app.state.stopping
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_level=log_level,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=STOP_WITHIN_S,
            )
        )

    def stop(self) -> None:
        """Ask the server to end; safe from any thread."""
        self._stopping.set()
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End on a signal: first the streams, then everything else."""
        self._stopping.set()
        super().handle_exit(sig, frame)
