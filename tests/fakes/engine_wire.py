"""The socket and HTTP side of the fake engine: a unix socket, a thread per connection, connections kept alive.

What does not live here: what is answered (`engine`).
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol


class Refusal(Exception):  # noqa: N818  # an answer, not a fault of ours
    """An answer with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Lost(Exception):  # noqa: N818  # the connection is to be closed
    """There will be no answer."""


class Answers(Protocol):
    """What stands behind the socket."""

    def answer(self, method: str, target: str, body: dict[str, Any]) -> tuple[int, Any]: ...


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, engine: Answers) -> None:
        self.engine = engine
        self._open: dict[socket.socket, threading.Thread] = {}
        super().__init__(path, _Handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  # as inherited
        self._open[request] = threading.current_thread()
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.pop(request, None)

    def hang_up(self) -> None:
        """End every connection, and wait until its thread is done."""
        for connection, thread in list(self._open.items()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        try:
            status, data = self.server.engine.answer(self.command, self.path, body)
        except Refusal as refusal:
            status, data = refusal.status, {"message": refusal.message}
        except Lost:
            self.close_connection = True
            return
        self._send(status, data)

    def _send(self, status: int, data: object) -> None:
        if isinstance(data, bytes):
            content = data
        elif self.path.partition("?")[0].endswith("/images/create") and isinstance(data, list):
            content = b"".join(json.dumps(line).encode() + b"\r\n" for line in data)
        else:
            content = b"" if data is None else json.dumps(data).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _handle  # noqa: N815  # the base class asks for these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""
