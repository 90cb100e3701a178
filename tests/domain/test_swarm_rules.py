"""What a specification of a swarm's service may say: what a manager would refuse, or what could not work, is refused before."""

from __future__ import annotations

from typing import Any

import pytest

from releaser.domain.declaration.spec_rules import spec_faults
from releaser.domain.declaration.swarm_rules import expected_time
from releaser.domain.spec import (
    EndpointMode,
    HealthSpec,
    Order,
    PublishMode,
    SwarmPort,
    SwarmProxy,
    SwarmSpec,
    Volume,
    config_hash,
)
from releaser.sources.declaration import parse_declaration

PROXY = SwarmProxy(image="registry.example.com/haproxy:2.6@sha256:" + "a" * 64)
WEB = SwarmPort(published=80, target=8080)
BEHIND: dict[str, Any] = {"proxy": PROXY, "endpoint_mode": EndpointMode.DNSRR, "networks": ("back",), "ports": (WEB,)}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"replicas": 4, "networks": ("back",), "ports": (WEB,)},
        BEHIND,
        {"constraints": ("node.role == worker", "node.labels.zone!=a")},
        {"managers": ("tcp://10.0.0.2:2376?tls=/etc/engines/a", "tcp://[fe80::1]:2375", "ssh://deploy@m2")},
        {"ports": (SwarmPort(published=80, target=80, mode=PublishMode.HOST),), "order": Order.STOP_FIRST},
        {"replicas": 20, "parallel": 0},
    ],
)
def test_sensible_specification_has_no_fault(given: dict[str, Any]) -> None:
    assert list(spec_faults(SwarmSpec(name="shop", **given))) == []


@pytest.mark.parametrize(
    ("given", "place", "told"),
    [
        ({"name": "-shop"}, ("name",), "service's name"),
        ({"name": "s" * 64}, ("name",), "at most 63"),
        ({"replicas": 0}, ("replicas",), "0 replicas"),
        ({"parallel": -1}, ("parallel",), "-1 tasks"),
        ({"delay_s": float("nan")}, ("delay_s",), "out of range"),
        ({"monitor_s": -1.0}, ("monitor_s",), "out of range"),
        ({"max_failure_ratio": 1.0}, ("max_failure_ratio",), "no share"),
        ({"networks": ("two words",)}, ("networks", 0), "no network's name"),
        ({"constraints": ("node.role is worker",)}, ("constraints", 0), "no constraint"),
        ({"managers": ("10.0.0.2",)}, ("managers", 0), "no manager's address"),
        ({"ports": (SwarmPort(published=0, target=80),)}, ("ports", 0, "published"), "no port"),
        ({"ports": (WEB, WEB)}, ("ports", 1, "published"), "twice"),
        ({"ports": (SwarmPort(published=1, target=2, protocol="icmp"),)}, ("ports", 0, "protocol"), "no protocol"),
        ({"ports": (WEB,), "endpoint_mode": EndpointMode.DNSRR}, ("ports", 0, "mode"), "IP_VS"),
        ({"ports": (SwarmPort(published=80, target=80, mode=PublishMode.HOST),)}, ("ports", 0, "mode"), "stop-first"),
        ({"replicas": 100, "health": HealthSpec(deadline_s=60)}, ("health", "deadline_s"), "at least"),
        ({"environment": {"a b": "c"}}, ("environment", "a b"), "no variable"),
        ({"volumes": (Volume(source="data", target="data"),)}, ("volumes", 0, "target"), "absolute"),
        ({"memory_mb": 1}, ("memory_mb",), "no limit"),
        ({**BEHIND, "proxy": SwarmProxy(image="haproxy:2.6")}, ("proxy", "image"), "with its registry"),
        ({**BEHIND, "proxy": SwarmProxy(image="library/haproxy")}, ("proxy", "image"), "with its registry"),
        ({**BEHIND, "endpoint_mode": EndpointMode.VIP}, ("endpoint_mode",), "dnsrr"),
        ({**BEHIND, "networks": ()}, ("networks",), "overlay"),
        ({**BEHIND, "ports": ()}, ("ports",), "no port for the proxy"),
        ({**BEHIND, "keep_undeclared": True}, ("keep_undeclared",), "declared whole"),
        (
            {**BEHIND, "proxy": SwarmProxy(image=PROXY.image, constraints=("?",))},
            ("proxy", "constraints", 0),
            "no constr",
        ),
        ({**BEHIND, "ports": (SwarmPort(published=53, target=53, protocol="udp"),)}, ("ports", 0, "protocol"), "HTTP"),
    ],
)
def test_what_cannot_work_is_told_with_its_place(given: dict[str, Any], place: tuple[object, ...], told: str) -> None:
    faults = list(spec_faults(SwarmSpec(**{"name": "shop", **given})))
    assert [fault[0] for fault in faults] == [place]
    assert told in f"{faults[0][1]} {faults[0][2]}"


def test_expected_time_counts_groups_pauses_and_the_watch() -> None:
    spec = SwarmSpec(name="shop", replicas=5, parallel=2, delay_s=4, monitor_s=3)
    assert expected_time(spec).total_seconds() == 3 * 1 + 2 * 4 + 3


def test_how_an_update_goes_is_no_part_of_what_runs() -> None:
    spec = SwarmSpec(name="shop", replicas=2)
    steered = SwarmSpec(
        name="shop", replicas=2, parallel=2, delay_s=1, monitor_s=1, order=Order.STOP_FIRST, managers=("tcp://a:1",)
    )
    assert config_hash(spec) == config_hash(steered)
    assert config_hash(spec) != config_hash(SwarmSpec(name="shop", replicas=3))
    assert config_hash(spec) != config_hash(SwarmSpec(name="shop", replicas=2, health=HealthSpec(command=("true",))))


TEXT = """
installations:
  - name: acme-shop
    customer: acme
    product: shop
    targets:
      - module: web
        host: cloud
        driver: swarm
        spec:
          name: acme-shop
          replicas: 4
          networks: [back]
          endpoint_mode: dnsrr
          proxy: {image: registry.example.com/haproxy:2.6}
          ports: ["80:8080", {published: 81, target: 8081, mode: host}]
          volumes: ["data:/data:ro"]
          order: stop-first
          max_failure_ratio: 0.25
"""


def test_declaration_is_read_as_a_swarms_service() -> None:
    (target,) = parse_declaration(TEXT, name="shop.yaml").installations[0].targets
    assert target.spec == SwarmSpec(
        name="acme-shop",
        replicas=4,
        networks=("back",),
        endpoint_mode=EndpointMode.DNSRR,
        proxy=SwarmProxy(image="registry.example.com/haproxy:2.6"),
        ports=(SwarmPort(published=80, target=8080), SwarmPort(published=81, target=8081, mode=PublishMode.HOST)),
        volumes=(Volume(source="data", target="/data", read_only=True),),
        order=Order.STOP_FIRST,
        max_failure_ratio=0.25,
    )
