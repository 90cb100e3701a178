"""The port to what stands before several servers and shares requests among them: a proxy, a load balancer.

An update that drops no request puts the new server in, lets the old one end what it has begun, and takes it out. This is all that
is asked of a front; who runs it, and everything else of its configuration, is its owner's.

What does not live here: when a server may go in or out (the steps of a driver).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from releaser.errors import OutsideError


class FrontUnreachableError(OutsideError):
    """Nobody answers where the front is steered from, or the answer broke off: look before repeating."""


class FrontRefusedError(OutsideError):
    """The front understood what was asked and said no."""


class ServerState(StrEnum):
    """How the front treats a server.

    READY: it gets requests. DRAINING: it ends what it has begun and gets nothing new. OFF: it gets nothing. DOWN: the front's
    own check says that it cannot be reached.
    """

    READY = "ready"
    DRAINING = "draining"
    OFF = "off"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server as the front knows it. `address` is `host:port`; `busy` counts the connections that are doing something."""

    name: str
    address: str
    state: ServerState
    busy: int


class Front(Protocol):
    """One group of servers at a front. Every method may be repeated and looks first; every call is bounded in time.

    Raises `FrontUnreachableError` and `FrontRefusedError`.
    """

    def check(self) -> str:
        """One line about the front (product, version)."""
        ...

    def servers(self) -> Mapping[str, Server]:
        """The group as it is now, by name."""
        ...

    def put(self, name: str, address: str) -> None:
        """Let the server at `host:port` have requests; one of that name at another address is replaced."""
        ...

    def drain(self, name: str) -> None:
        """Give the server nothing new; one that is not there is drained already."""
        ...

    def remove(self, name: str) -> None:
        """Take the server out; what it is still busy with is cut off."""
        ...
