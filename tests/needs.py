"""What a test needs of the machine: without it the test fails and says why, unless `ALLOW_MISSING` names it.

    make test ALLOW_MISSING=docker,chromium

Names in use: `docker`, `registry`, `postgresql`, `chromium`, `busybox`, `compose`, `ssh`, `haproxy`, `caddy`, `systemd`, `root`.
"""

from __future__ import annotations

import glob
import os
import shutil
from typing import NoReturn

import pytest

POSTGRESQL = "/usr/lib/postgresql/*/bin"


def allowed_missing() -> frozenset[str]:
    """What the person who runs the tests can do without here."""
    return frozenset(name.strip() for name in os.environ.get("ALLOW_MISSING", "").split(",") if name.strip())


def missing(name: str, why: str) -> NoReturn:
    """End a test that lacks `name`: it fails, or is skipped where that is allowed."""
    if name in allowed_missing():
        pytest.skip(f"{why} (allowed by ALLOW_MISSING)")
    pytest.fail(
        f"{why} Install it (`make test` does, as root on Debian), or run with ALLOW_MISSING={name}.", pytrace=False
    )


def program(name: str, *, of: str) -> str:
    """The path of the program `name`, which belongs to what is called `of`."""
    path = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin")))
    if path is None:
        missing(of, f"There is no program '{name}' on this machine.")
    return path


def postgresql(name: str) -> str:
    """The path of PostgreSQL's program `name`, of the newest version that is installed."""
    found = sorted(glob.glob(f"{POSTGRESQL}/{name}"), key=lambda path: float(path.split("/")[4]))  # noqa: PTH207
    if not found:
        missing("postgresql", f"There is no PostgreSQL '{name}' under {POSTGRESQL}.")
    return found[-1]


def root(*, why: str) -> None:
    """Go on as root only."""
    if os.geteuid() != 0:
        missing("root", f"This needs root: {why}.")
