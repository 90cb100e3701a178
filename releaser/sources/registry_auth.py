"""Credentials of image registries, out of a file as `docker login` writes it (`config.json`): host -> user and password.

Only what stands in the file itself is read: programs that keep passwords elsewhere (`credsStore`, `credHelpers`) are not run.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from releaser.errors import InvalidError

FIELD: Final = "RELEASER_REGISTRY_AUTH"
_HUB: Final = "docker.io"


class RegistryAuthError(InvalidError):
    """The file of registries' credentials cannot be used."""


def read_registry_auth(path: Path) -> Mapping[str, tuple[str, str]]:
    """User and password by the registry's host. Raises `RegistryAuthError`, which never shows a password."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _wrong(path, "is no JSON") from error
    auths = data.get("auths") if isinstance(data, dict) else None
    if not isinstance(auths, dict):
        raise _wrong(path, "has no 'auths'")
    found = {_host(name): _pair(path, name, entry) for name, entry in auths.items()}
    return {host: pair for host, pair in found.items() if pair is not None}


def _host(name: str) -> str:
    """A registry's host: some clients write a whole URL."""
    host = name.partition("://")[2] or name
    host = host.partition("/")[0]
    # Its file and its API go by other names below the one that images are called by.
    return _HUB if host.endswith(f".{_HUB}") else host


def _pair(path: Path, name: str, entry: Any) -> tuple[str, str] | None:  # noqa: ANN401 -- whatever is written there
    if not isinstance(entry, dict) or not (entry.get("auth") or entry.get("username")):
        return None  # kept by a program elsewhere
    if not entry.get("auth"):
        return str(entry["username"]), str(entry.get("password") or "")
    try:
        user, colon, password = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _wrong(path, f"has something for '{name[:80]}' that is no user and password") from error
    if not colon:
        raise _wrong(path, f"has something for '{name[:80]}' that is no user and password")
    return user, password


def _wrong(path: Path, what: str) -> RegistryAuthError:
    return RegistryAuthError(
        f"The file of registries' credentials '{path}' {what}.",
        advice=f"Let `docker login` write one (without a credential store), and name it by {FIELD}.",
        field=FIELD,
    )
