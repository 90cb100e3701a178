"""Whether the specification of a service of a swarm makes sense by itself; what a manager would refuse is refused before."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from releaser.domain.declaration.declared import Place
from releaser.domain.spec import EndpointMode, Order, PublishMode, SwarmPort, SwarmProxy, SwarmSpec

MOST_REPLICAS: Final = 1000
MOST_MANAGERS: Final = 15
_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?")
_CONSTRAINT = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\s*(?:==|!=)\s*[^\s=!][^\x00-\x1f]{0,200}")
_MANAGER = re.compile(
    r"unix:///\S{1,400}|tcp://(?:[^\s/:]{1,253}|\[[0-9a-fA-F:]{2,45}\]):[0-9]{1,5}(?:\?\S{1,400})?|ssh://[^\s'\"]{1,400}"
)
# A name without a registry costs every node a search of some 20 seconds.
_IMAGE = re.compile(
    r"(?:[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+|localhost|[a-zA-Z0-9.-]+(?=:))(?::[0-9]{1,5})?/[a-z0-9][a-z0-9._/-]*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_A_TASK = timedelta(seconds=1)


def swarm_faults(spec: SwarmSpec) -> Iterator[tuple[Place, str, str]]:
    """Where inside the specification, what is wrong, what would be right."""
    if not _NAME.fullmatch(spec.name):
        yield ("name",), f"'{spec.name[:80]}' is no service's name.", "Use letters, digits and . _ -, at most 63."
    for index, name in enumerate(spec.networks):
        if not _NAME.fullmatch(name):
            yield ("networks", index), f"'{name[:80]}' is no network's name.", "Use letters, digits and . _ -."
    for group, texts in (("constraints", spec.constraints), ("proxy", spec.proxy.constraints if spec.proxy else ())):
        for index, text in enumerate(texts):
            if not _CONSTRAINT.fullmatch(text):
                place: Place = (group, index) if group == "constraints" else ("proxy", "constraints", index)
                yield (
                    place,
                    f"'{text[:80]}' is no constraint.",
                    "Write it like node.labels.zone==a or node.role!=manager.",
                )
    yield from _updating(spec)
    yield from _managers(spec)
    yield from _ports(spec)
    if spec.proxy is not None:
        yield from _proxy(spec, spec.proxy)


def expected_time(spec: SwarmSpec) -> timedelta:
    """How long swarm takes at least to replace every task: group by group, and then it watches the last one."""
    size = spec.parallel or spec.replicas
    groups = -(-spec.replicas // max(1, size))
    return groups * _A_TASK + timedelta(seconds=(groups - 1) * spec.delay_s + spec.monitor_s)


def _updating(spec: SwarmSpec) -> Iterator[tuple[Place, str, str]]:
    if not 1 <= spec.replicas <= MOST_REPLICAS:
        yield ("replicas",), f"{spec.replicas} replicas are no service.", f"Use 1 to {MOST_REPLICAS}."
    if not 0 <= spec.parallel <= MOST_REPLICAS:
        yield ("parallel",), f"{spec.parallel} tasks cannot be replaced at a time.", "Use 1 or more, or 0 for all."
    for name, most in (("delay_s", 3600.0), ("monitor_s", 3600.0)):
        value = getattr(spec, name)
        if not math.isfinite(value) or not 0 <= value <= most:
            yield (name,), f"{value} seconds are out of range.", f"Use 0 to {most:g}."
            return
    if not 0 <= spec.max_failure_ratio < 1:
        yield (
            ("max_failure_ratio",),
            f"{spec.max_failure_ratio} is no share of the tasks.",
            "Use 0, or for instance 0.2.",
        )
    expected, given = expected_time(spec).total_seconds(), spec.health.deadline_s
    if math.isfinite(given) and 1 <= spec.replicas <= MOST_REPLICAS and spec.parallel >= 0 and given < expected:
        yield (
            ("health", "deadline_s"),
            f"{spec.replicas} tasks, {spec.parallel or 'all'} at a time, take {expected:g} s at least; the deadline is {given:g} s.",
            f"Use {math.ceil(expected * 2)} or more, replace more at a time, or shorten delay_s and monitor_s.",
        )


def _managers(spec: SwarmSpec) -> Iterator[tuple[Place, str, str]]:
    if len(spec.managers) > MOST_MANAGERS:
        yield ("managers",), f"There are more than {MOST_MANAGERS} managers.", "A few are enough."
    for index, address in enumerate(spec.managers):
        if not _MANAGER.fullmatch(address):
            yield (
                ("managers", index),
                f"'{address[:80]}' is no manager's address.",
                "Write it like tcp://10.0.0.12:2376?tls=/folder or ssh://user@host.",
            )


def _ports(spec: SwarmSpec) -> Iterator[tuple[Place, str, str]]:
    taken: set[tuple[int, str]] = set()
    for index, port in enumerate(spec.ports):
        at: Place = ("ports", index)
        for key, value in (("published", port.published), ("target", port.target)):
            if not 1 <= value <= 65535:
                yield (*at, key), f"{value} is no port.", "Use 1 to 65535."
        if port.protocol not in {"tcp", "udp", "sctp"}:
            yield (*at, "protocol"), f"'{port.protocol[:20]}' is no protocol.", "Use tcp, udp or sctp."
        if (port.published, port.protocol) in taken:
            yield (*at, "published"), f"Port {port.published} is published twice.", "Keep one of them."
        taken.add((port.published, port.protocol))
        if spec.proxy is None:
            yield from _published(spec, port, at)


def _published(spec: SwarmSpec, port: SwarmPort, at: Place) -> Iterator[tuple[Place, str, str]]:
    if port.mode is PublishMode.INGRESS and spec.endpoint_mode is EndpointMode.DNSRR:
        yield (
            (*at, "mode"),
            "A dnsrr service cannot publish a port on every node: that is what the virtual address is for.",
            "Use mode: host, declare a proxy, or use endpoint_mode: vip where the kernels have IP_VS.",
        )
    if port.mode is PublishMode.HOST and spec.order is Order.START_FIRST:
        yield (
            (*at, "mode"),
            f"Port {port.published} can be held by one task of a node only, so the new one cannot start beside the old one.",
            "Use order: stop-first, or declare a proxy, which owns the port.",
        )


def _proxy(spec: SwarmSpec, proxy: SwarmProxy) -> Iterator[tuple[Place, str, str]]:
    if not _IMAGE.fullmatch(proxy.image):
        yield (
            ("proxy", "image"),
            f"'{proxy.image[:80]}' does not name an image with its registry.",
            "Write it like registry.example.com/haproxy:2.6@sha256:…",
        )
    if spec.endpoint_mode is not EndpointMode.DNSRR:
        yield ("endpoint_mode",), "A proxy finds the tasks by their own addresses.", "Use endpoint_mode: dnsrr with it."
    if not spec.networks:
        yield ("networks",), "There is no network on which the proxy finds the tasks.", "Name an overlay network."
    if not spec.ports:
        yield (
            ("ports",),
            "There is no port for the proxy to publish.",
            "Write for instance {published: 80, target: 8080}.",
        )
    if spec.keep_undeclared:
        yield ("keep_undeclared",), "What a proxy stands before is declared whole.", "Leave keep_undeclared out."
    for index, port in enumerate(spec.ports):
        if port.protocol != "tcp":
            yield ("ports", index, "protocol"), "The proxy speaks HTTP only.", "Use tcp."
