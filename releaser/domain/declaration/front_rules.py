"""Whether what a specification says of fronts, replicas and the way of a cutover makes sense by itself."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

from releaser.domain.declaration.declared import Place
from releaser.domain.spec import ContainerSpec, Cutover, FrontKind, FrontSpec, Order

_MOST_REPLICAS: Final = 200
_GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_ADDRESSES: Final = {
    FrontKind.HAPROXY: (re.compile(r"unix:///\S+|tcp://[^\s:/]+:[0-9]{1,5}"), "unix:///run/haproxy/admin.sock"),
    FrontKind.CADDY: (re.compile(r"unix:///\S+|http://[^\s:/]+:[0-9]{1,5}"), "http://localhost:2019"),
}
Fault = tuple[Place, str, str]


def front_faults(spec: ContainerSpec) -> Iterator[Fault]:
    """Where inside the specification, what is wrong, what would be right."""
    if not 1 <= spec.replicas <= _MOST_REPLICAS:
        yield ("replicas",), f"{spec.replicas} are no number of replicas.", f"Use 1 to {_MOST_REPLICAS}."
    if not 1 <= spec.parallel <= max(1, spec.replicas):
        yield ("parallel",), f"{spec.parallel} at a time, of {spec.replicas}.", "Use 1, or up to all replicas."
    if spec.replicas > 1 and spec.front is None:
        yield ("replicas",), "Nothing shares the requests among replicas.", "Declare a front, or leave out replicas."
    if spec.keep_undeclared and (spec.front is not None or spec.replicas > 1):
        detail = (
            "Replicas are made from the declaration alone: there may be no container before them to keep anything from."
        )
        yield ("keep_undeclared",), detail, "Declare what is to be kept, and leave out keep_undeclared."
    if spec.front is not None and spec.cutover is Cutover.FRONT and not (spec.front.image or spec.front.address):
        detail = "A front of the target's own is made from an image, and none is named."
        yield ("front", "image"), detail, "Name the front's `image`, such as haproxy:2.8."
    elif spec.front is not None:
        for place, detail, advice in _front(spec.front):
            yield ("front", *place), detail, advice
        yield from _behind(spec, spec.front)
    elif spec.cutover is Cutover.FRONT:
        yield ("cutover",), "There is no front to cut over behind.", "Declare front: with its kind and image."
    if spec.cutover is Cutover.NETWORK_SWAP:
        yield from _swapped(spec)


def _front(front: FrontSpec) -> Iterator[Fault]:
    if not 1 <= front.port <= 65535:
        yield ("port",), f"{front.port} is no port.", "Use the container's port that is asked, 1 to 65535."
    if not math.isfinite(front.drain_s) or not 0 <= front.drain_s <= 3600:
        yield ("drain_s",), f"{front.drain_s} seconds are no time to drain.", "Use for instance 10."
    yield from _kept(front) if front.image else _steered(front)


def _steered(front: FrontSpec) -> Iterator[Fault]:
    """A front of somebody else's: named, and reached."""
    if not _GROUP.fullmatch(front.group):
        yield ("group",), f"'{front.group[:80]}' names no group of servers.", _NAMED[front.kind]
    if front.kind is FrontKind.TRAEFIK:
        for name in ("address", "file"):
            if getattr(front, name):
                yield (name,), f"Traefik is told by labels and has no use for '{name}'.", "Leave it out."
        return
    pattern, example = _ADDRESSES[front.kind]
    if not front.address:
        yield ("address",), "It is not said where to steer it from.", f"Write it like {example}."
    elif not pattern.fullmatch(front.address):
        yield ("address",), f"'{front.address[:80]}' is no address to steer it from.", f"Write it like {example}."
    if front.file and front.kind is not FrontKind.HAPROXY:
        yield ("file",), "Only HAProxy has a file that is kept in step.", "Leave it out."
    elif front.file and not front.file.startswith("/"):
        yield ("file",), f"'{front.file[:80]}' is no absolute path.", "Begin it with '/'."


_NAMED: Final = {
    FrontKind.HAPROXY: "Name a backend of HAProxy's configuration.",
    FrontKind.CADDY: 'Name the "@id" of the reverse_proxy handler.',
    FrontKind.TRAEFIK: "Name the service that Traefik's router leads to.",
}


def _kept(front: FrontSpec) -> Iterator[Fault]:
    """A front of our own is made and steered by the driver alone."""
    if front.kind is not FrontKind.HAPROXY:
        yield ("image",), f"A front that is kept is HAProxy, not {front.kind.value}.", "Use kind haproxy."
    for name in ("address", "file", "group"):
        if getattr(front, name):
            yield (name,), f"A front that is kept has no '{name}' to be told.", f"Leave out '{name}', or 'image'."


def _behind(spec: ContainerSpec, front: FrontSpec) -> Iterator[Fault]:
    yield from _ports_behind(spec, front)
    if front.drain_s >= spec.health.deadline_s:
        detail = (
            f"Draining may take {front.drain_s:g} s, and the health check's deadline is {spec.health.deadline_s:g} s."
        )
        yield ("front", "drain_s"), detail, "Make the one shorter or the other longer."
    if spec.health.http and "{ip}" not in spec.health.http and "{port}" not in spec.health.http:
        yield ("health", "http"), "A probe with a fixed address cannot tell replicas apart.", "Write {ip} for the host."
    for index, network in enumerate(spec.networks):
        if _is_special(network):
            yield (
                ("networks", index),
                f"On '{network}' a front cannot tell replicas apart.",
                "Use a network of its own.",
            )


def _ports_behind(spec: ContainerSpec, front: FrontSpec) -> Iterator[Fault]:
    if front.image and not any(port.host_port for port in spec.ports):
        yield ("ports",), "A front that is kept has no port to own.", "Publish one, such as 80:8080."
    if front.image and spec.cutover is not Cutover.FRONT:
        yield ("cutover",), "A front that is kept is for a fixed port.", "Add cutover: front."
    for index, port in enumerate(spec.ports):
        if port.host_port and not front.image:
            detail = f"Replicas behind a front cannot share the fixed host port {port.host_port}."
            yield ("ports", index), detail, "Leave out the port: the front asks the containers at their own addresses."
        elif port.host_port and (port.container_port != front.port or port.protocol != "tcp"):
            detail = f"The front hands on port {front.port}, and {port.host_port} leads to {port.container_port}."
            yield ("ports", index), detail, f"Publish {port.host_port}:{front.port} only."


def _is_special(network: str) -> bool:
    return network in {"host", "none"} or network.startswith("container:")


def _swapped(spec: ContainerSpec) -> Iterator[Fault]:
    if not any(port.host_port for port in spec.ports):
        yield ("cutover",), "A network swap is for a fixed port, and none is published.", "Use order: start-first."
    if spec.order is not Order.STOP_FIRST or spec.front is not None:
        yield ("cutover",), "A network swap goes without a front and without start-first.", "Keep one of them."
    if spec.health.http and "{ip}" not in spec.health.http:
        yield (
            ("health", "http"),
            "The old container would answer this probe for the new one.",
            "Write {ip} for the host.",
        )
    for index, network in enumerate(spec.networks):
        if _is_special(network):
            yield ("networks", index), f"On '{network}' there is nothing to swap.", "Use stop-first."
