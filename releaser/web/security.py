"""What every answer carries and what no request may do: headers, the content policy, whose pages may call us.

Scripts and styles run only with the nonce of their own answer; nothing inline, nothing from elsewhere. A browser's page
of another site may read nothing and start nothing here: `Host` must be ours (a name rebound to a loopback address is
not), and what changes something must come from our own pages or from no page at all.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from releaser.errors import InvalidError, RefusedError
from releaser.web.headers import headers_for
from releaser.web.problems import ENDLESS, TooLargeError, answer_to

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = ("/healthz", "/readyz")


class ForeignOriginError(RefusedError):
    """A page of another site tried to change something here."""


class ForeignHostError(RefusedError):
    """The request was for a host that this service does not answer for."""


class MalformedAddressError(InvalidError):
    """The address holds a character that nothing here can be called by."""


class Guard:
    """ASGI middleware: checks the request, gives it an id and a nonce, and dresses the answer."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], largest_body: int) -> None:
        self.app = app
        self.largest_body = largest_body
        self.hosts = frozenset(hosts) | LOOPBACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        nonce, request_id = secrets.token_urlsafe(16), secrets.token_hex(8)
        scope.setdefault("state", {}).update(nonce=nonce, request_id=request_id)

        is_head = scope["method"] == "HEAD" and not scope["path"].endswith(ENDLESS)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in headers_for(nonce).items():
                    headers[name] = value
                headers["X-Request-Id"] = request_id
                headers.setdefault("Cache-Control", "no-cache")
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.largest_body:  # a body that came without its length
                raise HTTPException(413)
            return message

        refusal = self._refusal(scope)
        if refusal is None:
            # Whatever can be got can be asked for its headers alone.
            await self.app({**scope, "method": "GET"} if is_head else scope, bounded, dressed)
        else:
            await answer_to(Request(scope), refusal)(scope, receive, dressed)

    def _refusal(self, scope: Scope) -> RefusedError | InvalidError | None:
        headers = Headers(scope=scope)
        if b"%00" in scope.get("raw_path", b"") or b"%00" in scope.get("query_string", b""):
            return MalformedAddressError("The address holds a NUL character.", field="address")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.largest_body:
            return TooLargeError(
                f"The request is larger than {self.largest_body} bytes.", advice="Send it in smaller parts."
            )
        host = _name(f"//{headers.get('host', '')}")
        if scope["path"] not in _OPEN and host not in self.hosts:
            return ForeignHostError(
                f"This service does not answer for the host '{ascii(host)[1:80]}.",
                rule="known-host",
                advice="Use its own address, or set RELEASER_PUBLIC_URL to the address readers use.",
            )
        if scope["method"] not in _SAFE and not _own(headers, host):
            return ForeignOriginError(
                "A page of another site may not change anything here.",
                rule="same-origin",
                advice="Call the API from a program, or from this service's own pages.",
            )
        return None


def _own(headers: Headers, host: str) -> bool:
    """Whether a request comes from our own page or from a program; only browsers send these headers."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    return site in {None, "same-origin", "none"} and (origin is None or _name(origin) == host)


def _name(address: str) -> str:
    """The host's name of an address, small, without its port; empty when there is none."""
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""
