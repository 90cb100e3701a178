"""The address under which readers can open the service's pages, as far as a command can know it.

`RELEASER_PUBLIC_URL` says it. Without it a service says in its home where it listens, and whoever uses the same home asks whether
somebody listens there before it is told. Where nobody serves, no address is told: it could not be opened.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from releaser.assembly import configured

FILE = "serves.json"
ANSWERS_IN_S = 0.5


@contextmanager
def announced(home: Path, address: str, *, host: str, port: int) -> Iterator[None]:
    """Say in the home folder where readers find the service and where it listens, as long as it does."""
    file = home / FILE
    fresh = file.with_name(f"{FILE}.{os.getpid()}")
    fresh.write_text(json.dumps({"address": address, "host": host, "port": port}), encoding="utf-8")
    fresh.replace(file)
    try:
        yield
    finally:
        # Another service over the same home may have said it since.
        if _said(home) == (address, host, port):
            file.unlink(missing_ok=True)


def readers_address(home: Path, public_url: str) -> str | None:
    """Where a reader finds the pages; None where nobody serves them, or nobody said where."""
    if public_url:
        return public_url
    said = _said(home)
    return said[0] if said is not None and _listens(said[1], said[2]) else None


def rollout_url(rollout_id: int) -> str | None:
    """Where a reader finds the page of a rollout, or None."""
    chosen = configured()
    address = readers_address(chosen.home, chosen.public_url)
    return f"{address}/rollouts/{rollout_id}" if address is not None else None


def _said(home: Path) -> tuple[str, str, int] | None:
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        told = json.loads((home / FILE).read_text("utf-8"))
        return str(told["address"]), str(told["host"]), int(told["port"])
    return None


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=ANSWERS_IN_S):
            return True
    except (OSError, OverflowError):
        return False
