"""Caddy, steered by its admin API (Caddy documentation, "API"): the upstreams of one `reverse_proxy` handler are replaced.

The handler is named by an `@id` in Caddy's configuration, and so is every server that is put there. A change is refused when
somebody else changed the configuration in between (`If-Match`), and then made again on what they left.
Caddy ends what an upstream that was taken out is busy with; it does not tell with how much, and clients with kept-alive connections may see one
reset when a change takes place. `caddy run --resume` keeps the servers over a restart.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from releaser.errors import InvalidError
from releaser.targets.front import FrontRefusedError, FrontUnreachableError, Server, ServerState

LARGEST_ANSWER = 1 << 24
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}")
_MOST_TRIES = 10
_CHANGED_MEANWHILE = 412
_Upstreams = list[dict[str, Any]]


class Caddy:
    """One handler of one Caddy. `address` is `http://host:port` or `unix:///path` of its admin API."""

    def __init__(self, *, address: str, handler: str, timeout_s: float = 5.0) -> None:
        """`handler` is the `@id` of the `reverse_proxy` handler."""
        _fits(_NAME, handler, "handler")
        parts = urlsplit(address)
        if not (parts.scheme == "unix" and parts.path) and not (parts.scheme == "http" and parts.hostname):
            raise InvalidError(
                f"'{address[:120]}' is no address of an admin API.",
                advice="Write http://localhost:2019 or unix:///run/caddy/admin.sock.",
                field="front",
            )
        self._address = address
        self._parts = parts
        self._place = f"/id/{quote(handler, safe='')}"
        self._handler = handler
        self._timeout_s = timeout_s

    def check(self) -> str:
        """One line about it; raises what every call does, also when the handler is unknown."""
        return f"Caddy, handler {self._handler}, {len(self.servers())} servers"

    def servers(self) -> Mapping[str, Server]:
        """The handler's upstreams. What was put there by somebody else is called by its address."""
        upstreams, _ = self._upstreams()
        counted = {one.get("address"): one for one in self._asked("GET", "/reverse_proxy/upstreams")[0] or ()}
        found = {}
        for one in upstreams:
            name, address = str(one.get("@id") or one.get("dial")), str(one.get("dial"))
            busy = int((counted.get(address) or {}).get("num_requests") or 0)
            found[name] = Server(name=name, address=address, state=ServerState.READY, busy=busy)
        return found

    def put(self, name: str, address: str) -> None:
        """See `Front.put`."""
        _fits(_NAME, name, "name")
        _fits(_ADDRESS, address, "address")
        wanted = {"@id": name, "dial": address}
        self._change(lambda old: old if wanted in old else [*(one for one in old if one.get("@id") != name), wanted])

    def drain(self, name: str) -> None:
        """See `Front.drain`: Caddy lets what is under way end whenever an upstream is taken out."""
        self.remove(name)

    def remove(self, name: str) -> None:
        """See `Front.remove`."""
        _fits(_NAME, name, "name")
        self._change(lambda old: [one for one in old if one.get("@id") != name])

    def _change(self, change: Callable[[_Upstreams], _Upstreams]) -> None:
        for _ in range(_MOST_TRIES):
            old, tag = self._upstreams()
            new = change(old)
            if new == old:
                return
            _, _, status = self._sent("PATCH", f"{self._place}/upstreams", json.dumps(new), tag=tag)
            if status != _CHANGED_MEANWHILE:
                return
        raise FrontRefusedError(
            f"Caddy at {self._address} is changed by somebody else all the time.",
            permanent=False,
            advice="Find out who does.",
        )

    def _upstreams(self) -> tuple[_Upstreams, str]:
        handler, tag = self._asked("GET", self._place)
        if not isinstance(handler, dict) or handler.get("handler") != "reverse_proxy":
            raise FrontRefusedError(
                f"'{self._handler}' of Caddy at {self._address} is no reverse_proxy.",
                permanent=True,
                advice='Write "@id" into that handler.',
            )
        return list(handler.get("upstreams") or ()), tag

    def _asked(self, method: str, path: str, body: str = "") -> tuple[Any, str]:
        answer, tag, _ = self._sent(method, path, body)
        return answer, tag

    def _sent(self, method: str, path: str, body: str = "", *, tag: str = "") -> tuple[Any, str, int]:
        """The answer as data, its ETag, its status. 412 comes back, everything else that is no success is raised."""
        # On a socket of the file system Caddy answers to no host's name.
        headers = {"Content-Type": "application/json", "Host": self._parts.netloc, "Connection": "close"}
        if tag:
            headers["If-Match"] = tag
        connection = self._connection()
        try:
            connection.request(method, path, body=body or None, headers=headers)
            answer = connection.getresponse()
            raw = answer.read(LARGEST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            raise FrontUnreachableError(
                f"Caddy at {self._address} does not answer: {error}.",
                permanent=False,
                advice="Check that it runs and that its admin API listens there.",
            ) from error
        finally:
            connection.close()
        if answer.status == _CHANGED_MEANWHILE:
            return None, "", answer.status
        try:
            told = json.loads(raw) if raw.strip() else None
        except ValueError:
            told = None
        if answer.status >= 400:
            reason = told.get("error") if isinstance(told, dict) else raw[:200].decode("utf-8", "replace")
            raise FrontRefusedError(
                f"Caddy at {self._address} refused {method} {path}: {reason}",
                permanent=answer.status < 500,
                advice=f'Write "@id": "{self._handler}" into the reverse_proxy handler of its configuration.',
            )
        return told, answer.headers.get("Etag") or "", answer.status

    def _connection(self) -> http.client.HTTPConnection:
        if self._parts.scheme == "unix":
            return _UnixConnection(self._parts.path, timeout=self._timeout_s)
        return http.client.HTTPConnection(self._parts.hostname or "", self._parts.port or 80, timeout=self._timeout_s)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket of the file system."""

    def __init__(self, path: str, *, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.settimeout(self.timeout)
            opened.connect(self._path)
        except OSError:
            opened.close()
            raise
        self.sock = opened


def _fits(pattern: re.Pattern[str], text: str, field: str) -> None:
    if not pattern.fullmatch(text):
        raise InvalidError(
            f"'{text[:80]}' cannot be told to Caddy as {field}.",
            advice="Use letters, digits and . _ -; an address is host:port.",
            field=field,
        )
