"""What an engine is told of who we are to a registry: with each call that needs it, so that nothing is kept on the host."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

Credentials = Mapping[str, tuple[str, str]]
"""User and password by the registry's host."""
_HUB = "docker.io"


def authorized(image: str, credentials: Credentials) -> dict[str, str]:
    """The header with which the registry of `image` is asked; none where no credentials are known: the engine's own hold.

    Its form is that of the engine's API: base64url of an AuthConfig in JSON.
    """
    host = registry_of(image)
    if host not in credentials:
        return {}
    user, password = credentials[host]
    told = {"username": user, "password": password, "serveraddress": host}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(told).encode()).decode()}


def registry_of(image: str) -> str:
    """The host in an image's name; without one it is Docker's own, as every engine reads it."""
    first, slash, _ = image.partition("/")
    named = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first if named else _HUB
