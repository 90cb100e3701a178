"""HAProxy, steered by its Runtime API (HAProxy Management Guide, 9.3): servers are added, drained and deleted while it serves.

What is added so is gone when HAProxy starts again; so where a file is named, the servers are written there too, as a section of
configuration that HAProxy is started with (`-f` may be given several times). The backend must use an algorithm that knows dynamic
servers (`roundrobin`, `leastconn`, `random`, …), and the socket must be of `level admin`.
"""

from __future__ import annotations

import csv
import os
import re
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from releaser.clock import Clock
from releaser.errors import InvalidError
from releaser.targets.front import FrontRefusedError, FrontUnreachableError, Server, ServerState

LARGEST_ANSWER = 1 << 24
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}")
_ADDED = "New server registered."
_DELETED = "Server deleted."
_BUSY = ("still has connections", "Cannot delete", "cannot remove")
_LOOK_AGAIN_S = 0.02


class HAProxy:
    """One backend of one HAProxy. `address` is `unix:///path` or `tcp://host:port` of its runtime API."""

    def __init__(
        self,
        *,
        address: str,
        backend: str,
        clock: Clock,
        file: Path | None = None,
        check: str = "",
        timeout_s: float = 5.0,
    ) -> None:
        """`file` is the backend's section of configuration, kept in step; `check` are words of a `server` line, such as `check inter 1s`."""
        _fits(_NAME, backend, "backend")
        self._address = address
        self._backend = backend
        self._clock = clock
        self._file = file
        self._words = check
        self._timeout_s = timeout_s
        self._lock = threading.Lock()

    def check(self) -> str:
        """One line about it; raises what every call does, also when the backend is unknown."""
        told = self._ask("show info")
        version = next(
            (line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("Version:")), ""
        )
        self.servers()
        return f"HAProxy {version}, backend {self._backend}"

    def servers(self) -> Mapping[str, Server]:
        """The backend's servers."""
        told = self._ask("show stat")
        rows = csv.DictReader(told.removeprefix("# ").splitlines())
        mine = [row for row in rows if row.get("pxname") == self._backend]
        if not mine:
            raise FrontRefusedError(
                f"HAProxy at {self._address} has no backend '{self._backend}'.",
                permanent=True,
                advice="Name one of its configuration.",
            )
        return {
            row["svname"]: Server(
                name=row["svname"],
                address=row.get("addr") or "",
                state=_state(row.get("status") or ""),
                busy=int(row.get("scur") or 0) + int(row.get("qcur") or 0),
            )
            for row in mine
            if row["svname"] not in {"BACKEND", "FRONTEND"}
        }

    def put(self, name: str, address: str) -> None:
        """See `Front.put`."""
        _fits(_NAME, name, "name")
        _fits(_ADDRESS, address, "address")
        found = self.servers().get(name)
        if found is not None and found.address != address:
            self._delete(name)
            found = None
        if found is None:
            words = f" {self._words}" if self._words else ""
            self._must(f"add server {self._backend}/{name} {address}{words}", said=_ADDED)
        if self._words:
            self._must(f"enable health {self._backend}/{name}")
        self._must(f"set server {self._backend}/{name} state ready")
        self._write()

    def drain(self, name: str) -> None:
        """See `Front.drain`."""
        _fits(_NAME, name, "name")
        if name in self.servers():
            self._must(f"set server {self._backend}/{name} state drain")
            self._write(without=name)

    def remove(self, name: str) -> None:
        """See `Front.remove`."""
        _fits(_NAME, name, "name")
        if name in self.servers():
            self._delete(name)
        self._write()

    def _delete(self, name: str) -> None:
        """A server must be off and without connections to be deleted; kept-alive ones are closed for it."""
        place = f"{self._backend}/{name}"
        self._must(f"set server {place} state maint")
        ends = self._clock.monotonic() + self._timeout_s
        while True:
            told = self._ask(f"shutdown sessions server {place}; del server {place}")
            if _DELETED in told or name not in self.servers():
                return
            if not any(one in told for one in _BUSY) or self._clock.monotonic() > ends:
                raise _refused(f"del server {place}", told)
            self._clock.sleep(_LOOK_AGAIN_S)

    def _must(self, command: str, *, said: str = "") -> None:
        told = self._ask(command)
        if told != said and not told.startswith(said or "\0"):
            raise _refused(command, told)

    def _ask(self, command: str) -> str:
        """One command, one answer: HAProxy closes the connection behind it."""
        raw = bytearray()
        try:
            with _connected(self._address, self._timeout_s) as opened:
                opened.sendall(command.encode("ascii") + b"\n")
                while piece := opened.recv(1 << 16):
                    raw += piece
                    if len(raw) > LARGEST_ANSWER:
                        raise FrontRefusedError(
                            f"HAProxy at {self._address} answers without end.",
                            permanent=False,
                            advice="Look at what listens there.",
                        )
        except OSError as error:
            raise FrontUnreachableError(
                f"HAProxy at {self._address} does not answer: {error.strerror or error}.",
                permanent=False,
                advice="Check that it runs with 'stats socket … level admin' there.",
            ) from error
        return raw.decode("utf-8", "replace").strip()

    def _write(self, *, without: str = "") -> None:
        """The section of configuration, replaced as a whole; what drains is no part of it."""
        if self._file is None:
            return
        ready = [one for one in self.servers().values() if one.state in {ServerState.READY, ServerState.DOWN}]
        words = f" {self._words}" if self._words else ""
        lines = [f"    server {one.name} {one.address}{words}" for one in ready if one.name != without]
        with self._lock:
            text = self._file.read_text("utf-8") if self._file.exists() else f"backend {self._backend}\n"
            kept = [line for line in text.splitlines() if line.split()[:1] != ["server"]]
            _replace(self._file, "\n".join([*kept, *lines]) + "\n")


def _state(status: str) -> ServerState:
    """What `show stat` calls it: `UP`, `UP 1/2`, `no check`, `DRAIN`, `MAINT`, `MAINT (resolution)`, `DOWN`, `DOWN 1/2`."""
    word = status.partition(" ")[0]
    known: dict[str, ServerState] = {
        "DRAIN": ServerState.DRAINING, "MAINT": ServerState.OFF, "DOWN": ServerState.DOWN, "NOLB": ServerState.DRAINING,
    }  # fmt: skip
    return known.get(word, ServerState.READY)


def _connected(address: str, timeout_s: float) -> socket.socket:
    parts = urlsplit(address)
    if parts.scheme == "unix":
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        where: Callable[[], None] = lambda: opened.connect(parts.path)  # noqa: E731 -- one of two ways
    elif parts.scheme == "tcp" and parts.hostname and parts.port:
        opened = socket.socket(socket.AF_INET6 if ":" in parts.hostname else socket.AF_INET, socket.SOCK_STREAM)
        where = lambda: opened.connect((parts.hostname, parts.port))  # noqa: E731 -- the other one
    else:
        raise InvalidError(
            f"'{address[:120]}' is no address of a runtime API.",
            advice="Write unix:///run/haproxy/admin.sock or tcp://host:port.",
            field="front",
        )
    opened.settimeout(timeout_s)
    try:
        where()
    except OSError:
        opened.close()
        raise
    return opened


def _fits(pattern: re.Pattern[str], text: str, field: str) -> None:
    """Nothing may stand in a command that ends it and begins another."""
    if not pattern.fullmatch(text):
        raise InvalidError(
            f"'{text[:80]}' cannot be told to HAProxy as {field}.",
            advice="Use letters, digits and . _ : -; an address is host:port.",
            field=field,
        )


def _refused(command: str, told: str) -> FrontRefusedError:
    return FrontRefusedError(
        f"HAProxy refused '{command}': {told[:300] or 'it did not say why'}",
        permanent=True,
        advice="Check that its socket is of level admin and that the backend's algorithm takes dynamic servers.",
    )


def _replace(file: Path, text: str) -> None:
    """Never half a file: HAProxy may start at any time."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        if file.exists():
            Path(name).chmod(file.stat().st_mode)
        Path(name).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
