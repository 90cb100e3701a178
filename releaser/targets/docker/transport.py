"""The SDK as a transport: the way to an engine, a client that calls nothing by itself, and reading what the wire brings.

What does not live here: which calls there are (`client`) and what an answer means (`faults`).
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final, TypeVar

import requests
from docker import APIClient
from docker.transport import unixconn
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, ReadTimeoutError

from releaser.errors import ReleaserError
from releaser.targets.docker.address import parse
from releaser.targets.docker.tls import configured, from_tls
from releaser.targets.hosts.faults import from_ssh
from releaser.targets.hosts.shell import SshAccess
from releaser.targets.hosts.tunnel import Tunnel
from releaser.targets.target import EngineTimeoutError, EngineUnreachableError

LONGEST_HELLO_S: Final = 3.0
"""How long it may take until somebody picks up; longer than that a host that can be reached is not away."""
_LOST_AFTER_S: Final = 3
_LONG_ID: Final = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
_Kind = TypeVar("_Kind", bound=BaseException)


class _Connection(unixconn.UnixHTTPConnection):
    """As the SDK's, but a socket nobody listens on is closed, not left to the garbage collector."""

    def connect(self) -> None:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.settimeout(self.timeout)
            opened.connect(self.unix_socket)
        except OSError:
            opened.close()
            raise
        self.sock = opened


class _Pool(unixconn.UnixHTTPConnectionPool):
    def _new_conn(self) -> _Connection:  # type: ignore[override]  # the SDK's own connection does not match either
        return _Connection(self.base_url, self.socket_path, self.timeout)  # type: ignore[arg-type]  # the pool's, as the SDK does


class _Adapter(unixconn.UnixHTTPAdapter):
    def get_connection(self, url: bytes | str, proxies: object = None) -> _Pool:  # noqa: ARG002  # no proxy for a socket
        """The pool for the socket; there is only one."""
        with self.pools.lock:
            pool: _Pool | None = self.pools.get(url)
            if pool is None:
                pool = _Pool(str(url), self.socket_path, self.timeout, maxsize=self.max_pool_size)
                self.pools[url] = pool
            return pool


class _LossNoticed(HTTPAdapter):
    """Over TCP a host that was cut off is noticed in mid-call, however long the call may take."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as requests has it
        told = [
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _LOST_AFTER_S),
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _LOST_AFTER_S * 1000),
        ]
        super().init_poolmanager(*args, **kwargs, socket_options=[*HTTPConnection.default_socket_options, *told])


def bounds(timeout_s: float) -> tuple[float, float]:
    """The bounds of connecting and of every silence after it."""
    return min(timeout_s, LONGEST_HELLO_S), timeout_s


class Wire:
    """How one engine is reached. Safe to share between threads; holds nothing but, over ssh, one connection."""

    def __init__(self, address: str, *, access: SshAccess, timeout_s: float) -> None:
        """Nothing is called yet. Raises `InvalidError` for what is no address of an engine."""
        self.address = parse(address)
        self._timeout_s = timeout_s
        self._tunnel: Tunnel | None = None
        if self.address.by_ssh:
            self._tunnel = Tunnel(self.address.by_ssh, socket=self.address.socket, access=access, timeout_s=timeout_s)

    def ready(self) -> None:
        """Have the way to the engine open, where there is one to be opened. Raises `OutsideError`."""
        if self._tunnel is not None:
            self._tunnel.opened()

    def client(self, *, version: str, timeout_s: float) -> APIClient:
        """A client that has not called anything yet. Raises `EngineRefusedError` for files of TLS that cannot be used."""
        plain, files = self.address.plain, self.address.tls
        url = plain if self._tunnel is None else f"unix://{self._tunnel.opened()}"
        tls = False if files is None else configured(files, address=plain)
        client = APIClient(base_url=url, version=version, timeout=timeout_s, tls=tls)  # type: ignore[arg-type]  # floats work
        client.trust_env = False  # engines are spoken to directly, never through a proxy of the environment
        if url.startswith("unix://"):
            path = "http+unix://" + url.removeprefix("unix://")
            client.mount("http+docker://", _Adapter(path, timeout=timeout_s))  # type: ignore[arg-type]
        else:
            client.mount("http://", _LossNoticed())
            client.mount("https://", _LossNoticed())
        return client

    def close(self) -> None:
        """End what is held; the wire may still be used."""
        if self._tunnel is not None:
            self._tunnel.close()

    def fault(self, what: str, error: Exception, timeout_s: float) -> ReleaserError:
        """What the transport raised, as our error."""
        address, files = self.address.plain, self.address.tls
        if is_timeout(error) and not _is_lost(error):
            return timed_out(what, timeout_s, address=address)
        handshake = _of_kind(error, ssl.SSLError)
        if files is not None and handshake is not None:
            return from_tls(handshake, files=files, address=address)
        if self._tunnel is not None and (said := self._tunnel.told()):
            return from_ssh(said, address=address)
        why = innermost(error)
        if self._tunnel is not None:
            why = f"what listens at {self.address.socket} there does not answer ({why})"
        return EngineUnreachableError(
            f"The Docker engine at {address} cannot be reached: {why}.",
            permanent=False,
            advice="Check that it runs and that this machine may reach the address.",
            address=address,
        )


def timed_out(what: str, timeout_s: float, *, address: str) -> EngineTimeoutError:
    """The error for an engine that is silent."""
    what = _LONG_ID.sub(r"\1", what)
    return EngineTimeoutError(
        f"The Docker engine at {address} did not answer '{what}' within {timeout_s:g} s.",
        permanent=False,
        advice="It may be overloaded, frozen or cut off; what was asked may still be carried out.",
        address=address,
    )


def _is_lost(error: BaseException) -> bool:
    """Whether nobody picked up, or the kernel found that nobody is there any more: it is not the engine that is slow."""
    lost = _of_kind(error, requests.ConnectTimeout) or _of_kind(error, ConnectTimeoutError)
    gone = _of_kind(error, OSError, such=lambda one: one.errno in {errno.ETIMEDOUT, errno.EHOSTUNREACH})
    return lost is not None or gone is not None


def is_timeout(error: BaseException | None) -> bool:
    """Whether a time-out is anywhere in a pile of wrapped exceptions."""
    while error is not None:
        if isinstance(error, requests.Timeout | ReadTimeoutError | TimeoutError):
            return True
        if any(isinstance(argument, ReadTimeoutError) for argument in error.args):
            return True
        error = error.__cause__ or error.__context__
    return False


def _of_kind(
    error: BaseException | None, kind: type[_Kind], *, such: Callable[[_Kind], bool] = lambda _: True
) -> _Kind | None:
    """The first exception of that kind in a pile of wrapped ones, arguments included."""
    while error is not None:
        for found in (error, *error.args, getattr(error.args[0], "reason", None) if error.args else None):
            if isinstance(found, kind) and such(found):
                return found
        error = error.__cause__ or error.__context__
    return None


def innermost(error: BaseException) -> str:
    """The one fact at the bottom of a pile of wrapped exceptions."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def demultiplexed(raw: bytes) -> bytes:
    """Take the 8-byte frame headers of the log stream out; a terminal's stream has none and stays as it is."""
    parts: list[bytes] = []
    at = 0
    while at + 8 <= len(raw):
        if raw[at] not in {0, 1, 2} or raw[at + 1 : at + 4] != b"\0\0\0":
            return raw if not parts else b"".join(parts)
        size = int.from_bytes(raw[at + 4 : at + 8], "big")
        parts.append(raw[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(parts) if parts else raw
