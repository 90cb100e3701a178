"""The socket and HTTP side of the fake engine: a unix socket, a thread per connection, connections kept alive.

What does not live here: what is answered (`engine`).
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from http import HTTPStatus
from typing import Any, Protocol

_LONGEST_LINE = 65_536


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


class _Handler(socketserver.StreamRequestHandler):
    """As much of HTTP/1.1 as the driver speaks: requests with a length or without a body, on a connection that is kept.

    The standard library's own handler takes three times as long, and there are a hundred thousand requests in a run.
    """

    server: Server

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self._answered():
                pass

    def _answered(self) -> bool:
        """Answer one request; False when the connection is to be closed."""
        words = self.rfile.readline(_LONGEST_LINE).split()
        if len(words) != 3:
            return False
        method, target = words[0].decode(), words[1].decode()
        length = 0
        while header := self.rfile.readline(_LONGEST_LINE).strip():
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = json.loads(self.rfile.read(length)) if length else {}
        try:
            status, data = self.server.engine.answer(method, target, body)
        except Refusal as refusal:
            status, data = refusal.status, {"message": refusal.message}
        except Lost:
            return False
        self._send(target, status, data)
        return True

    def _send(self, target: str, status: int, data: object) -> None:
        if isinstance(data, bytes):
            content = data
        elif target.partition("?")[0].endswith("/images/create") and isinstance(data, list):
            content = b"".join(json.dumps(line).encode() + b"\r\n" for line in data)
        else:
            content = b"" if data is None else json.dumps(data).encode()
        reason = HTTPStatus(status).phrase
        head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self.request.sendall(head.encode() + content)
