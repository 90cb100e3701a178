"""The SDK as a transport: a client that calls nothing by itself, and reading what the wire brings.

What does not live here: which calls there are (`client`) and what an answer means (`faults`).
"""

from __future__ import annotations

import socket

import requests
from docker import APIClient
from docker.transport import unixconn
from urllib3.exceptions import ReadTimeoutError


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


def bare_client(address: str, *, version: str, timeout_s: float) -> APIClient:
    """A client for `unix://` or `tcp://` that has not called anything yet."""
    client = APIClient(base_url=address, version=version, timeout=timeout_s)  # type: ignore[arg-type]  # floats work
    client.trust_env = False  # engines are spoken to directly, never through a proxy of the environment
    if address.startswith("unix://"):
        path = "http+unix://" + address.removeprefix("unix://")
        client.mount("http+docker://", _Adapter(path, timeout=timeout_s))  # type: ignore[arg-type]
    return client


def is_timeout(error: BaseException | None) -> bool:
    """Whether a time-out is anywhere in a pile of wrapped exceptions."""
    while error is not None:
        if isinstance(error, requests.Timeout | ReadTimeoutError | TimeoutError):
            return True
        if any(isinstance(argument, ReadTimeoutError) for argument in error.args):
            return True
        error = error.__cause__ or error.__context__
    return False


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
