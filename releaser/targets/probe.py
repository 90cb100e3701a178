"""A look from outside: one HTTP request, as a user would make it. Used by the health gates of drivers."""

from __future__ import annotations

import http.client
from typing import Protocol
from urllib.parse import urlsplit


class Probe(Protocol):
    """Asks a URL once."""

    def __call__(self, url: str, *, timeout_s: float) -> int:
        """The status; raises `OSError` when nobody answers like a web server."""
        ...


def http_probe(url: str, *, timeout_s: float) -> int:
    """GET `url`, following nothing and using no proxy; the status it answers with."""
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": "releaser-probe", "Connection": "close"})
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP answer ({type(error).__name__})") from error
    finally:
        connection.close()
