"""Where a front asks a container: at its published port if it has one, else at its own address."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from socket import SOCK_STREAM, getaddrinfo
from typing import Final
from urllib.parse import urlsplit

from releaser.domain.spec import FrontSpec
from releaser.domain.target import Assignment
from releaser.errors import OutsideError
from releaser.targets.docker.address import host_of
from releaser.targets.docker.scene import Found
from releaser.targets.target import ContainerNotFoundError

_HERE: Final = ("127.0.0.1", "::1", "localhost")


class HostAddressError(OutsideError):
    """The host has no address by which a front elsewhere could ask its containers."""


def asked_at(found: Found, front: FrontSpec, assignment: Assignment, *, networks: Sequence[str]) -> str:
    """`host:port` for the front. `networks` are those of the target: the first one is the front's too.

    Raises `ContainerNotFoundError` while the container has no address, `HostAddressError` where its host has none.
    """
    settings = found.raw["NetworkSettings"]
    published = (settings.get("Ports") or {}).get(f"{front.port}/tcp") or ()
    # A front of our own is a container too, beside them on their network.
    for binding in published if not front.image else ():
        host = binding.get("HostIp") or ""
        everywhere = not host or ip_address(host).is_unspecified
        return f"{_host_for(front, assignment) if everywhere else host}:{binding['HostPort']}"
    joined = settings.get("Networks") or {}
    first = next((name for name in networks if name in joined), "")
    ordered = [joined.get(first) or {}, *joined.values()]
    address = next((one["IPAddress"] for one in ordered if (one or {}).get("IPAddress")), "")
    if not address:
        raise ContainerNotFoundError(
            f"{found.name} has no address at which the front could ask it.",
            permanent=False,
            advice="Look whether it runs, and on which networks.",
            container=found.id,
        )
    return f"{address}:{front.port}"


def _host_for(front: FrontSpec, assignment: Assignment) -> str:
    """Where the front finds what is published at all addresses of the host: beside it at the loopback one, else at the host's own."""
    host = host_of(assignment.address)
    if host in {*_HERE, urlsplit(front.address).hostname}:
        return "127.0.0.1"
    try:
        # Fronts are told addresses, for not every one looks names up.
        address = str(getaddrinfo(host, None, type=SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise HostAddressError(
            f"The front cannot be told where host {assignment.host} is: '{host}' has no address here ({error}).",
            permanent=False,
            advice="Publish the port at an address of the host that the front reaches: `host_ip` under `ports`.",
            host=assignment.host,
        ) from error
    return f"[{address}]" if ":" in address else address
