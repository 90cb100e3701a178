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
from tests.fakes.controller import Controller, GateError
from tests.fakes.engine import Effect, FakeEngine, Fault, When
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
    wanted = assignment.previous if back else assignment.desired
    for step in steps:
        for _ in range(3):
            try:
                driver.apply(step, assignment)
            except OutsideError as error:
                engine.revive()
                if error.permanent:
                    raise
            else:
                break
        if step.gate:
            controller.gate(assignment, wanted)
    controller.gate(assignment, wanted)


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
    for nth in range(1, MOST_CALLS):
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
    for nth in range(1, MOST_CALLS):
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
