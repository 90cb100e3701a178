from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from releaser.domain.declaration.spec_rules import spec_faults
from releaser.domain.spec import (
    ContainerSpec,
    Cutover,
    FrontKind,
    FrontSpec,
    HealthSpec,
    Order,
    PortBinding,
    config_hash,
)
from releaser.errors import InvalidError
from releaser.sources.declaration import parse_declaration
from releaser.store.plain import dump, load_spec

HAPROXY = FrontSpec(kind=FrontKind.HAPROXY, group="app", port=8080, address="unix:///run/haproxy.sock")
CADDY = FrontSpec(kind=FrontKind.CADDY, group="app", port=8080, address="http://localhost:2019")
TRAEFIK = FrontSpec(kind=FrontKind.TRAEFIK, group="app", port=8080)
KEPT = FrontSpec(kind=FrontKind.HAPROXY, port=8080, image="haproxy:2.8")
FIXED = (PortBinding(container_port=8080, host_port=80),)
SPEC = ContainerSpec(name="shop", front=HAPROXY, replicas=3, parallel=2)
ONE = ContainerSpec(name="shop")
WARM = replace(ONE, ports=FIXED, cutover=Cutover.NETWORK_SWAP)


@pytest.mark.parametrize(
    "spec",
    [
        ONE,
        SPEC,
        replace(SPEC, front=CADDY),
        replace(SPEC, front=TRAEFIK),
        replace(SPEC, front=replace(HAPROXY, address="tcp://10.0.0.1:9999", file="/etc/haproxy/app.cfg", drain_s=0)),
        replace(SPEC, front=replace(CADDY, address="unix:///run/caddy.sock")),
        replace(SPEC, ports=(PortBinding(container_port=8080, host_port=0),), networks=("own",)),
        replace(ONE, front=KEPT, ports=FIXED, cutover=Cutover.FRONT, networks=("own",)),
        WARM,
        replace(WARM, health=HealthSpec(http="http://{ip}:8080/")),
    ],
)
def test_what_makes_sense_has_no_faults(spec: ContainerSpec) -> None:
    assert list(spec_faults(spec)) == []


@pytest.mark.parametrize(
    ("spec", "place", "told"),
    [
        (replace(SPEC, replicas=0), ("replicas",), "no number of replicas"),
        (replace(SPEC, replicas=201), ("replicas",), "no number of replicas"),
        (replace(SPEC, parallel=4), ("parallel",), "4 at a time, of 3"),
        (replace(SPEC, parallel=0), ("parallel",), "0 at a time"),
        (replace(SPEC, front=None), ("replicas",), "Nothing shares the requests"),
        (replace(SPEC, front=replace(HAPROXY, address="http://x")), ("front", "address"), "steer it from"),
        (replace(SPEC, front=replace(HAPROXY, address="")), ("front", "address"), "steer it from"),
        (replace(SPEC, front=replace(CADDY, address="tcp://x:1")), ("front", "address"), "steer it from"),
        (replace(SPEC, front=replace(CADDY, file="/x")), ("front", "file"), "Only HAProxy"),
        (replace(SPEC, front=replace(TRAEFIK, address="http://x:1")), ("front", "address"), "told by labels"),
        (replace(SPEC, front=replace(HAPROXY, file="app.cfg")), ("front", "file"), "no absolute path"),
        (replace(SPEC, front=replace(HAPROXY, group="app; quit")), ("front", "group"), "names no group"),
        (replace(SPEC, front=replace(HAPROXY, group="")), ("front", "group"), "names no group"),
        (replace(SPEC, front=replace(HAPROXY, port=0)), ("front", "port"), "no port"),
        (replace(SPEC, front=replace(HAPROXY, drain_s=-1)), ("front", "drain_s"), "no time to drain"),
        (replace(SPEC, front=replace(HAPROXY, drain_s=float("nan"))), ("front", "drain_s"), "no time to drain"),
        (replace(SPEC, front=replace(HAPROXY, drain_s=60)), ("front", "drain_s"), "the health check's deadline"),
        (replace(SPEC, keep_undeclared=True), ("keep_undeclared",), "from the declaration alone"),
        (replace(SPEC, ports=FIXED), ("ports", 0), "cannot share the fixed host port 80"),
        (replace(SPEC, networks=("host",)), ("networks", 0), "cannot tell replicas apart"),
        (
            replace(SPEC, health=HealthSpec(http="http://127.0.0.1:80/")),
            ("health", "http"),
            "cannot tell replicas apart",
        ),
        (replace(ONE, cutover=Cutover.FRONT), ("cutover",), "no front to cut over behind"),
        (replace(ONE, front=KEPT, ports=FIXED), ("cutover",), "for a fixed port"),
        (
            replace(ONE, front=replace(KEPT, image=""), ports=FIXED, cutover=Cutover.FRONT),
            ("front", "image"),
            "made from an image, and none is named",
        ),
        (replace(ONE, front=KEPT, cutover=Cutover.FRONT), ("ports",), "no port to own"),
        (
            replace(ONE, front=replace(KEPT, port=81), ports=FIXED, cutover=Cutover.FRONT),
            ("ports", 0),
            "80 leads to 8080",
        ),
        (
            replace(ONE, front=replace(KEPT, kind=FrontKind.CADDY), ports=FIXED, cutover=Cutover.FRONT),
            ("front", "image"),
            "not caddy",
        ),
        (
            replace(ONE, front=replace(KEPT, address="tcp://x:1"), ports=FIXED, cutover=Cutover.FRONT),
            ("front", "address"),
            "no 'address' to be told",
        ),
        (replace(WARM, ports=()), ("cutover",), "for a fixed port, and none"),
        (replace(WARM, order=Order.START_FIRST), ("cutover",), "without start-first"),
        (replace(WARM, networks=("host",)), ("networks", 0), "nothing to swap"),
        (replace(WARM, health=HealthSpec(http="http://127.0.0.1:80/")), ("health", "http"), "would answer this probe"),
    ],
)
def test_what_makes_no_sense_is_told_where_it_stands(
    spec: ContainerSpec, place: tuple[str | int, ...], told: str
) -> None:
    found = [(at, detail, advice) for at, detail, advice in spec_faults(spec) if at == place and told in detail]
    assert found, list(spec_faults(spec))
    assert all(advice for _, _, advice in found)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"front": replace(HAPROXY, group="other", drain_s=1)}, True),
        ({"front": CADDY}, True),
        ({"parallel": 1}, True),
        ({"cutover": Cutover.FRONT}, True),
        ({"replicas": 4}, False),
        ({"front": TRAEFIK}, False),
    ],
)
def test_only_what_changes_what_runs_changes_the_hash(changes: dict[str, Any], *, same: bool) -> None:
    assert (config_hash(replace(SPEC, **changes)) == config_hash(SPEC)) == same


def test_hash_of_a_single_container_is_what_it_always_was() -> None:
    assert config_hash(ContainerSpec(name="x", restart="unless-stopped")) == "5651b2c9c0ac"


def test_specification_with_a_front_is_kept_and_read_back() -> None:
    assert load_spec(dump(SPEC)) == SPEC


DECLARED = """
hosts: [{name: one, address: "unix:///run/docker.sock"}]
customers: [{name: acme}]
products: [{name: shop, repository: /srv/shop.git, modules: [{name: web, image: "x/y:{version}"}]}]
installations:
  - name: acme-shop
    customer: acme
    product: shop
    targets:
      - module: web
        host: one
        spec: {name: shop, replicas: 3, parallel: 2, front: %s}
"""


def test_front_is_declared_in_yaml() -> None:
    front = "{kind: haproxy, group: app, port: 8080, address: 'unix:///run/haproxy.sock'}"
    (installation,) = parse_declaration(DECLARED % front).installations
    assert installation.targets[0].spec == SPEC


@pytest.mark.parametrize(
    ("front", "told"),
    [
        ("{kind: haproxi, group: app, port: 8080, address: 'unix:///x'}", "haproxy"),
        ("{kind: haproxy, group: app, port: 8080, adress: 'unix:///x'}", "address"),
        ("{kind: haproxy, group: app, address: 'unix:///x'}", "port"),
        ("haproxy", "front"),
    ],
)
def test_mistyped_front_is_told_with_what_was_meant(front: str, told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_declaration(DECLARED % front)
    assert told in str(caught.value)
