"""Draining: requests under way are waited for as long as there is time, and never the reason to go back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from releaser.domain.spec import ContainerSpec, FrontKind, FrontSpec, of_kind
from releaser.store import installations
from releaser.store.plain import dump, load_spec
from releaser.store.session import Database
from releaser.targets.docker.driver import DockerDriver
from tests.fakes.engine import FakeEngine
from tests.fakes.front import FakeFront
from tests.fakes.vendor import Vendor, vendor_on

WHERE = "acme-cloud"
FOR_EVER = 10**9


@pytest.fixture
def vendor(sqlite_url: str, tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = vendor_on(Database(sqlite_url), engine, tmp_path)
        yield made
        made.close()


def declare(vendor: Vendor, *, drain_s: float, deadline_s: float) -> None:
    """One container behind a front."""
    with vendor.ports.database.transaction() as session:
        target = installations.get(session, WHERE).targets[0]
        spec = of_kind(load_spec(target.spec), ContainerSpec)
        front = FrontSpec(kind=FrontKind.HAPROXY, group="shop", port=8080, address="unix:///front", drain_s=drain_s)
        ports = tuple(dataclasses.replace(port, host_port=0) for port in spec.ports)
        health = dataclasses.replace(spec.health, http="http://127.0.0.1:{port}/healthz", deadline_s=deadline_s)
        target.spec = dump(dataclasses.replace(spec, front=front, ports=ports, health=health))


def steered(vendor: Vendor, front: FakeFront) -> Vendor:
    """As after a start of the process: a driver that remembers nothing."""
    return vendor.with_driver(DockerDriver(clock=vendor.clock, probe=vendor.engine.probe, opener=front.opened))


def test_time_is_over_while_requests_are_drained_they_are_cut_off_and_the_update_goes_on(vendor: Vendor) -> None:
    front = FakeFront()
    fronted = steered(vendor, front)
    declare(vendor, drain_s=600, deadline_s=700)
    assert fronted.deploy("1.0", to=f"installation={WHERE}")["state"] == "succeeded"
    declare(vendor, drain_s=5, deadline_s=20)
    front.busy_for = FOR_EVER
    facts = fronted.deploy("1.1", to=f"installation={WHERE}")
    assert facts["state"] == "succeeded", "a healthy update goes back, for the version before was drained for longer"
    assert {one.image.version for one in vendor.engine.containers.values() if one.status == "running"} == {"1.1"}


def test_process_starts_again_and_again_while_requests_are_drained_update_goes_on_in_time(vendor: Vendor) -> None:
    front = FakeFront()
    fronted = steered(vendor, front)
    declare(vendor, drain_s=12, deadline_s=15)
    assert fronted.deploy("1.0", to=f"installation={WHERE}")["state"] == "succeeded"
    front.busy_for = FOR_EVER
    fronted.announce("1.1", to=f"installation={WHERE}")
    rollout = fronted.start("1.1", to=f"installation={WHERE}")["id"]
    began = vendor.clock.now()
    while steered(vendor, front).tick():
        pass
    assert fronted.show(rollout)["state"] == "succeeded"
    assert (vendor.clock.now() - began).total_seconds() < 2 * 15
