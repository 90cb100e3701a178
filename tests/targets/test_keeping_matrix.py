"""An adopted container's update: every call that changes something × every way it goes wrong × before or after × forward, back.

On the fake engine. In the end one container is there, of the old or the new version, with all that somebody had set; rolled
back it is the very container that was there before.
"""

from __future__ import annotations

from typing import Any

import pytest

from releaser.domain.spec import ContainerSpec
from releaser.domain.target import Assignment
from releaser.errors import OutsideError
from releaser.targets.docker import cloning
from releaser.targets.docker.client import Engine
from releaser.targets.docker.scene import Found
from tests.fakes.controller import Controller, GateError
from tests.fakes.engine import Effect, FakeEngine, Fault, When
from tests.sampled import some
from tests.targets.docker_world import World

MOST_CALLS = 25
SET: dict[str, Any] = {
    "Env": ["SECRET=kept", "DECLARED=kept"],
    "Labels": {"team": "shop"},
    "Healthcheck": {"Test": ["CMD", "/check"]},
    "HostConfig": {
        "CapAdd": ["NET_ADMIN"],
        "NetworkMode": "front",
        "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
        "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}],
    },
    "NetworkingConfig": {"EndpointsConfig": {"front": {"Aliases": ["shop"]}}},
}


def _adopted(world: World) -> tuple[str, Assignment]:
    container_id = world.by_hand("own", "1.0", SET)
    spec = ContainerSpec(
        name="own",
        restart="always",
        environment={"DECLARED": "kept"},
        networks=("front",),
        aliases=("shop",),
        keep_undeclared=True,
    )
    return container_id, world.assignment(world.desired("1.1", spec), world.desired("1.0", spec), rollout=2)


def _persist(controller: Controller, engine: FakeEngine, assignment: Assignment, *, back: bool) -> None:
    """After an error the same step again, as a rollout does."""
    driver = controller.driver
    steps = (
        driver.plan_back(desired=assignment.desired, previous=assignment.previous)
        if back
        else driver.plan(desired=assignment.desired, previous=assignment.previous)
    )
    controller.persist(steps, assignment, back=back, mend=engine.revive)


def _assert_kept(engine: FakeEngine, version: str) -> None:
    (only,) = engine.containers.values()
    assert (only.name, only.status, only.restart, only.image.version) == ("own", "running", "always", version)
    assert sorted(only.raw["Env"]) == sorted(SET["Env"])
    assert only.raw["Labels"]["team"] == "shop"
    assert only.raw["HostConfig"]["CapAdd"] == ["NET_ADMIN"]
    assert only.raw["HostConfig"]["Ulimits"] == SET["HostConfig"]["Ulimits"]
    assert "shop" in only.endpoints["front"]["Aliases"]


@pytest.mark.parametrize("effect", [Effect.REFUSE, Effect.DROP, Effect.KILL])
@pytest.mark.parametrize("when", list(When))
def test_fault_in_an_update_leaves_one_whole_container_with_everything(
    fake_world: World, fake_engine: FakeEngine, effect: Effect, when: When
) -> None:
    for nth in some(MOST_CALLS - 1, effect, when):
        fake_engine.containers.clear()
        former, assignment = _adopted(fake_world)
        fault = Fault(kind="*", effect=effect, when=when, nth=nth)
        fake_engine.faults.append(fault)
        controller = fake_world.controller()
        version = "1.1"
        try:
            _persist(controller, fake_engine, assignment, back=False)
        except (GateError, OutsideError):
            fake_engine.faults.clear()
            _persist(fake_world.controller(), fake_engine, assignment, back=True)
            version = "1.0"
            assert former in fake_engine.containers
        _assert_kept(fake_engine, version)
        if fault in fake_engine.faults:
            return
    pytest.fail("the update has more calls than were tried")


@pytest.mark.parametrize("when", list(When))
def test_fault_in_the_way_back_ends_in_the_very_container_that_was_there(
    fake_world: World, fake_engine: FakeEngine, when: When
) -> None:
    for nth in some(MOST_CALLS - 1, when):
        fake_engine.containers.clear()
        former, assignment = _adopted(fake_world)
        controller = fake_world.controller()
        for step in controller.plan(assignment)[:-1]:
            controller.carry_out(step, assignment, wanted=assignment.desired)
        fault = Fault(kind="*", effect=Effect.DROP, when=when, nth=nth)
        fake_engine.faults.append(fault)
        _persist(fake_world.controller(), fake_engine, assignment, back=True)
        assert former in fake_engine.containers
        _assert_kept(fake_engine, "1.0")
        if fault in fake_engine.faults:
            return
    pytest.fail("the way back has more calls than were tried")


class _Newer(FakeEngine):
    """An engine of API 1.44, which takes all networks at once and tells older clients which MAC somebody set."""

    def _version(self, *_: object) -> tuple[int, Any]:
        return 200, {**super()._version()[1], "ApiVersion": "1.44"}


def test_newer_engine_is_told_all_networks_in_one_request_and_asked_for_the_mac() -> None:
    with _Newer() as engine:
        engine.networks.update({"front", "back"})
        image = engine.push("registry.test/shop", "1.0")
        engine.images[f"registry.test/shop@{image}"].on_host = True
        client = Engine(engine.address, control_timeout_s=5.0, pull_timeout_s=5.0)
        assert client.api_version() == (1, 44)
        payload = {**SET, "Image": f"registry.test/shop@{image}", "MacAddress": "02:00:00:00:00:07"}
        first = client.create("own", payload)
        client.connect("back", first, {"Aliases": ["shop"]})
        found = Found(client.container(first) or {})
        spec = ContainerSpec(name="own", restart="always", keep_undeclared=True)
        made = cloning.body(client, spec, source=found, before=spec, aliases=())
        made.payload["Image"] = payload["Image"]
        second = cloning.create(client, "own-again", made)
        asked = engine.containers[second].raw
        client.close()
    named = asked["NetworkingConfig"]["EndpointsConfig"]
    assert {name: one.get("MacAddress") for name, one in named.items()} == {"front": "02:00:00:00:00:07", "back": None}
    assert "MacAddress" not in asked
