"""The port through which a service is watched from outside while it is cut over, and the address where it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from releaser.domain.spec import ContainerSpec, TargetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen from outside so far. Without `stopped_at` it answered all the time.

    The stop is from the last good answer before it to the end of the first good one after it: never shorter than it was.
    """

    stopped_at: datetime | None = None
    served_at: datetime | None = None


class Watch(Protocol):
    """Asks addresses again and again, each for one update at a time. What is seen is kept in this process only."""

    def begin(self, update_id: int, url: str, *, status: int, timeout_s: float) -> None:
        """Watch; while it is watched already nothing changes. Returns at the first answer, at the latest after a moment."""
        ...

    def end(self, update_id: int) -> Seen | None:
        """Stop watching, once it answers. None when it was not watched, did not answer at first, or does not answer now."""
        ...

    def answered(self, update_id: int) -> bool:
        """Whether it was seen to answer as it should since it is watched; no where it is not watched."""
        ...

    def ask(self, url: str, *, status: int, timeout_s: float) -> str:
        """Ask once: nothing where it answers as it should, else in words what it does."""
        ...


class NoWatch:
    """Sees nothing: for a program that looks at no services from outside."""

    def begin(self, update_id: int, url: str, *, status: int, timeout_s: float) -> None:
        """See nothing."""

    def end(self, update_id: int) -> Seen | None:  # noqa: ARG002 -- the port
        """Have seen nothing."""
        return None

    def answered(self, update_id: int) -> bool:  # noqa: ARG002 -- the port
        """Have seen nothing."""
        return False

    def ask(self, url: str, *, status: int, timeout_s: float) -> str:  # noqa: ARG002 -- the port
        """Nobody is asked, and nothing is held against anybody."""
        return ""


def outside_address(spec: TargetSpec, *, address: str) -> str:
    """Where the service itself is asked, at a host of that address, whatever serves there; empty where only what serves now has an address.

    `health.outside`, else the probe of the health gate: an address that is the same before and after.
    """
    url = spec.health.outside or spec.health.http or ""
    if isinstance(spec, ContainerSpec):
        fixed = spec.ports[0].host_port if spec.ports else 0
        url = url.replace("{port}", str(fixed)) if fixed else url
    host = urlsplit(address).hostname or "127.0.0.1"
    url = url.replace("{host}", f"[{host}]" if ":" in host else host)
    return "" if "{" in url else url
