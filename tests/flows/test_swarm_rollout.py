"""Services of a swarm through the flows: taken over as they run, rolled out, rolled back, and drift that a hand made; on a simulated swarm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.declaration import DeclaredInstallation
from releaser.domain.target import DriverName
from releaser.errors import RefusedError
from releaser.flows.adopt_installation import ToAdopt, adopt_installation
from releaser.flows.advance_target import advance_target
from releaser.flows.check_system import check_system
from releaser.flows.ports import Facts
from releaser.flows.show_installation import show_installation
from releaser.store import rollout_work
from releaser.store.session import Database
from releaser.targets.swarm.driver import SwarmDriver
from releaser.targets.swarm.payload import BEFORE
from tests.fakes.engine import Behaviour, FakeEngine
from tests.fakes.swarm import FakeSwarm
from tests.fakes.vendor import BEHAVIOURS, REPOSITORY, VERSIONS, Vendor, vendor_on

PASSWORD = "hunter-two-and-a-half"


@pytest.fixture
def swarm() -> Iterator[FakeSwarm]:
    with FakeSwarm() as made:
        made.moment = timedelta(seconds=1)
        for version in VERSIONS:
            made.push(REPOSITORY, version, behaviour=BEHAVIOURS.get(version, Behaviour.GOOD))
        yield made


@pytest.fixture
def vendor(swarm: FakeSwarm, sqlite_url: str, tmp_path: Path) -> Iterator[Vendor]:
    database = Database(sqlite_url)
    with FakeEngine() as engine:
        made = vendor_on(database, engine, tmp_path)
        driver = SwarmDriver(clock=made.clock, probe=swarm.probe, ip_vs=lambda: True)
        yield replace(made, ports=replace(made.ports, drivers={**made.ports.drivers, DriverName.SWARM: driver}))
        driver.close()
        made.close()


def by_hand(swarm: FakeSwarm) -> None:
    """Somebody deployed the stack."""
    reference = next(one for one, image in swarm.images.items() if image.version == "1.0")
    repository, _, digest = reference.partition("@")
    swarm.by_hand(
        {
            "Name": "shop_app",
            "Labels": {"com.docker.stack.namespace": "shop"},
            "TaskTemplate": {
                "ContainerSpec": {"Image": f"{repository}:1.0@{digest}", "Env": [f"DB_PASSWORD={PASSWORD}"]},
                "Networks": [{"Target": "back", "Aliases": ["app"]}],
            },
            "Mode": {"Replicated": {"Replicas": 3}},
            "UpdateConfig": {"Order": "start-first", "Parallelism": 1},
        }
    )


def adopt(vendor: Vendor, swarm: FakeSwarm, *, dry_run: bool = False) -> Facts:
    what = ToAdopt(
        installation=DeclaredInstallation(name="own", customer="globex", product="shop"),
        host="swarm-1",
        address=swarm.address,
        project="shop",
        driver=DriverName.SWARM,
    )
    return adopt_installation(vendor.ports, what=what, dry_run=dry_run, by="rita")


def target_of(vendor: Vendor) -> Any:  # noqa: ANN401 -- facts
    return show_installation(vendor.ports, installation="own")["targets"][0]


def test_stack_is_shown_first_then_taken_over_and_updated_with_all_it_had(vendor: Vendor, swarm: FakeSwarm) -> None:
    by_hand(swarm)
    index, swarm.named("shop_app").fewest = swarm.named("shop_app").index, 99
    shown = adopt(vendor, swarm, dry_run=True)
    (told,) = shown["targets"]
    assert (told["driver"], told["container"], told["version"]) == ("swarm", "shop_app", "1.0")
    assert told["spec"]["replicas"] == 3
    assert PASSWORD not in repr(shown)
    adopt(vendor, swarm)
    assert swarm.named("shop_app").index == index, "nothing was touched"
    assert vendor.deploy("1.1", to="installation=own")["state"] == "succeeded"
    service = swarm.named("shop_app")
    assert service.spec["TaskTemplate"]["ContainerSpec"]["Env"] == [f"DB_PASSWORD={PASSWORD}"]
    assert service.spec["TaskTemplate"]["Networks"][0]["Aliases"] == ["app"]
    assert service.fewest == 3, "three served at every moment"
    assert target_of(vendor)["version"] == "1.1"
    assert BEFORE not in service.spec["Labels"]


def test_bad_version_is_rolled_back_blocked_and_the_reason_is_the_tasks_own_words(
    vendor: Vendor, swarm: FakeSwarm
) -> None:
    by_hand(swarm)
    adopt(vendor, swarm)
    assert vendor.deploy("1.1", to="installation=own")["state"] == "succeeded"
    before = {task.id for task in swarm.tasks_of("shop_app")}
    facts = vendor.deploy("1.3", to="installation=own")
    assert facts["targets"][0]["state"] == "rolled_back"
    assert "no configuration" in facts["targets"][0]["reason"]
    assert target_of(vendor)["version"] == "1.1"
    assert {task.id for task in swarm.tasks_of("shop_app")} == before, "start-first: no old one had to go"


def test_worker_dies_in_mid_update_another_one_goes_on_from_the_labels(vendor: Vendor, swarm: FakeSwarm) -> None:
    by_hand(swarm)
    adopt(vendor, swarm)
    vendor.announce("1.1", to="installation=own")
    rollout_id = vendor.start("1.1", to="installation=own")["id"]
    while "update" not in swarm.calls or swarm.named("shop_app").status is None:
        vendor.tick()
    other = vendor.restarted(owner="second")
    vendor.wait_for_lease()
    other.work()
    assert other.states(rollout_id) == {"own": "succeeded"}
    with vendor.ports.database.reading() as session:
        assert not rollout_work.runnable(session, now=vendor.clock.now())
    assert advance_target(vendor.ports, update_id=1) is None


def test_scaled_by_hand_is_drift_that_a_rollout_of_the_same_version_puts_right(
    vendor: Vendor, swarm: FakeSwarm
) -> None:
    by_hand(swarm)
    adopt(vendor, swarm)
    vendor.deploy("1.1", to="installation=own")
    swarm.change_by_hand("shop_app", lambda spec: spec["Mode"]["Replicated"].update(Replicas=7))
    plan = vendor.plan("1.1", to="installation=own")
    assert "by hand" in repr(plan)
    vendor.deploy("1.1", to="installation=own")
    assert swarm.named("shop_app").spec["Mode"] == {"Replicated": {"Replicas": 3}}


@pytest.mark.parametrize("what", ["replicas", "image"])
def test_somebody_changes_the_service_in_mid_update_it_goes_back_and_the_version_is_not_blocked(
    vendor: Vendor, swarm: FakeSwarm, what: str
) -> None:
    by_hand(swarm)
    adopt(vendor, swarm)
    vendor.deploy("1.1", to="installation=own")
    vendor.announce("1.1.1", to="installation=own")
    rollout_id = vendor.start("1.1.1", to="installation=own")["id"]
    told = swarm.named("shop_app").spec["TaskTemplate"]["ContainerSpec"]["Image"]
    while swarm.named("shop_app").spec["TaskTemplate"]["ContainerSpec"]["Image"] == told:
        vendor.tick()

    def change(spec: dict[str, Any]) -> None:
        if what == "replicas":
            spec["Mode"]["Replicated"]["Replicas"] = 7
        else:
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = told

    swarm.change_by_hand("shop_app", change)
    vendor.work()
    facts = vendor.show(rollout_id)
    assert facts["targets"][0]["state"] == "rolled_back"
    assert facts["targets"][0]["reason"] == (
        "shop_app was changed by hand since the wanted one was told, which says nothing of the version"
    )
    assert swarm.named("shop_app").spec["Mode"] == {"Replicated": {"Replicas": 3}}
    assert swarm.named("shop_app").spec["TaskTemplate"]["ContainerSpec"]["Image"] == told
    assert vendor.deploy("1.1.1", to="installation=own")["state"] == "succeeded", "it is not blocked"


def test_service_that_is_a_target_already_is_not_taken_over_twice(vendor: Vendor, swarm: FakeSwarm) -> None:
    by_hand(swarm)
    adopt(vendor, swarm)
    vendor.deploy("1.1", to="installation=own")
    with pytest.raises(RefusedError, match="belongs to target"):
        adopt(vendor, swarm)


def test_doctor_asks_a_swarms_manager_as_such(vendor: Vendor, swarm: FakeSwarm) -> None:
    by_hand(swarm)
    adopt(vendor, swarm)
    checks = {one["name"]: one for one in check_system(vendor.ports, probes={})}
    assert "swarm of 3 nodes" in checks["host swarm-1 (swarm)"]["detail"]
