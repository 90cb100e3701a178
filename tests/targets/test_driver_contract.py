"""What every driver promises, whatever it drives: looking first, nothing twice, whole after a crash anywhere, fenced, and a way back.

What only one of them promises stands in its own tests.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import pytest

from releaser.domain.spec import AnySpec
from releaser.domain.target import Assignment, Desired, Health, Phase, Stop, planned_stop
from releaser.errors import InvalidError, OutsideError
from releaser.targets.target import Driver, EngineUnreachableError, FencedError
from tests import sampled
from tests.fakes.controller import Controller, GateError
from tests.targets.compose_world import ComposeWorld
from tests.targets.docker_world import World as DockerWorld
from tests.targets.files_world import FilesWorld
from tests.targets.swarm_world import SwarmWorld


class World(Protocol):
    """What the contract needs of a driver's world. Versions: 1.0, 1.1 (good), sick, exits, absent."""

    address: str

    def driver(self) -> Driver: ...
    def controller(self, *, deadline_s: float = ...) -> Controller: ...
    def spec(self) -> AnySpec: ...
    def desired(self, version: str, spec: AnySpec) -> Desired: ...
    def assignment(self, desired: Desired, previous: Desired | None = None, *, rollout: int = 1) -> Assignment: ...
    def installed(self, version: str, spec: AnySpec) -> Desired: ...
    def update_of(self, installed: Desired, version: str) -> Assignment: ...


THOROUGH = ("compose_real",) if sampled.IS_THOROUGH else ()


@pytest.fixture(params=["docker", "files", "compose", "swarm", *THOROUGH])
def world(request: pytest.FixtureRequest) -> DockerWorld | FilesWorld | ComposeWorld | SwarmWorld:
    made: DockerWorld | FilesWorld | ComposeWorld | SwarmWorld = request.getfixturevalue(
        f"{request.param}_world" if request.param != "docker" else "fake_world"
    )
    return made


def serving(world: World, assignment: Assignment) -> tuple[str | None, Health]:
    observed = world.driver().observe(assignment).serving
    assert observed is not None
    return observed.version, observed.health


def test_host_there_check_tells_what_it_is_and_one_line_of_advice(world: World) -> None:
    said, *advice = world.driver().check(world.address).split("\n")
    assert said
    assert len(advice) <= 1


def test_nothing_there_observation_is_empty_and_looking_makes_nothing(world: World) -> None:
    assignment = world.assignment(world.desired("1.0", world.spec()))
    for _ in range(2):
        observed = world.driver().observe(assignment)
        assert (observed.serving, observed.others) == (None, ())


def test_plan_is_pure_prepares_without_a_stop_and_says_what_cutting_over_stops(world: World) -> None:
    driver, spec = world.driver(), world.spec()
    desired, previous = world.desired("1.1", spec), world.desired("1.0", spec)
    first = driver.plan(desired=desired, previous=None)
    steps = driver.plan(desired=desired, previous=previous)
    assert planned_stop(first)[0] is Stop.NONE, "a first installation stops nothing"
    assert planned_stop(steps)[0] is Stop.FULL, "an update stop-first stops the service"
    phases = [step.phase for step in steps]
    assert phases == sorted(phases, key=[Phase.PREPARE, Phase.CUT_OVER, Phase.COMMIT].index), "phases come in order"
    assert all(step.stops is Stop.NONE for step in steps if step.phase is not Phase.CUT_OVER)
    assert any(step.gate for step in steps), "somewhere health is waited for"
    back = driver.plan_back(desired=desired, previous=previous)
    assert {step.phase for step in back} == {Phase.ROLL_BACK}
    names = [step.name for step in (*steps, *back)]
    assert len(names) == len(set(names)), "a journal tells steps apart by name"


def test_first_installation_runs_what_is_wanted(world: World) -> None:
    desired = world.desired("1.0", world.spec())
    assignment = world.assignment(desired)
    world.controller().update(assignment)
    observed = world.driver().observe(assignment)
    assert observed.runs(desired)
    assert observed.serving is not None
    assert (observed.serving.version, observed.serving.rollout, observed.serving.generation) == ("1.0", 1, 1)
    assert world.driver().verify(assignment, wanted=desired).health is Health.HEALTHY


def test_update_runs_the_new_and_no_longer_the_old(world: World) -> None:
    installed = world.installed("1.0", world.spec())
    assignment = world.update_of(installed, "1.1")
    world.controller().update(assignment)
    observed = world.driver().observe(assignment)
    assert observed.runs(assignment.desired)
    assert not observed.runs(installed)
    assert observed.others == ()


def test_prepared_only_service_is_the_old_one_untouched(world: World) -> None:
    installed = world.installed("1.0", world.spec())
    assignment = world.update_of(installed, "1.1")
    controller = world.controller()
    before = world.driver().observe(assignment).serving
    for step in controller.plan(assignment):
        if step.phase is Phase.PREPARE:
            controller.carry_out(step, assignment, wanted=None)
    after = world.driver().observe(assignment).serving
    assert before is not None
    assert after is not None
    assert replace(after, generation=before.generation) == before


@pytest.mark.parametrize("version", ["sick", "exits"])
def test_unhealthy_version_is_told_by_the_gate_and_rolled_back(world: World, version: str) -> None:
    installed = world.installed("1.0", world.spec())
    assignment = world.update_of(installed, version)
    with pytest.raises(GateError) as caught:
        # What ends is told as soon as it is seen to have ended, however long a busy machine takes for that.
        world.controller(deadline_s=20.0 if version == "exits" else 0.3).update(assignment)
    assert caught.value.verdict.health is (Health.EXITED if version == "exits" else Health.STARTING)
    assert "no configuration" in str(caught.value) or version == "sick", "its last words are told"
    world.controller().roll_back(assignment)
    assert world.driver().observe(assignment).runs(installed)


def test_every_step_carried_out_twice_ends_the_same(world: World) -> None:
    installed = world.installed("1.0", world.spec())
    assignment = world.update_of(installed, "1.1")
    controller = world.controller()
    for step in controller.plan(assignment):
        controller.carry_out(step, assignment, wanted=assignment.desired)
        controller.carry_out(step, assignment, wanted=assignment.desired)
    assert serving(world, assignment) == ("1.1", Health.HEALTHY)
    back = world.update_of(assignment.desired, "sick")
    back = replace(back, rollout=3, generation=3)
    for step in controller.plan(back)[:-1]:
        world.driver().apply(step, back)
    for step in world.driver().plan_back(desired=back.desired, previous=back.previous):
        controller.carry_out(step, back, wanted=back.previous)
        controller.carry_out(step, back, wanted=back.previous)
    assert serving(world, back) == ("1.1", Health.HEALTHY)


@pytest.mark.parametrize("carried_out", range(0, 10, 3) if sampled.IS_THOROUGH else (3, 9))
def test_controller_dies_after_any_step_another_rolls_back_or_ends_it(world: World, carried_out: int) -> None:
    installed = world.installed("1.0", world.spec())
    assignment = world.update_of(installed, "1.1")
    steps = [step for step in world.controller().plan(assignment) if step.phase is not Phase.COMMIT]
    for step in steps[:carried_out]:
        world.driver().apply(step, assignment)
    world.controller().roll_back(assignment)
    assert world.driver().observe(assignment).runs(installed)
    again = replace(assignment, attempt=2, generation=3)
    for step in steps[:carried_out]:
        world.driver().apply(step, again)
    world.controller().update(again)
    assert world.driver().observe(again).runs(again.desired)


def test_rolled_back_before_anything_was_done_nothing_changes(world: World) -> None:
    installed = world.installed("1.0", world.spec())
    assignment = world.update_of(installed, "1.1")
    world.controller().roll_back(assignment)
    assert world.driver().observe(assignment).runs(installed)


def test_first_installation_fails_roll_back_leaves_nothing(world: World) -> None:
    assignment = world.assignment(world.desired("exits", world.spec()))
    with pytest.raises(GateError):
        world.controller().update(assignment)
    world.controller().roll_back(assignment)
    assert world.driver().observe(assignment).serving is None


def test_artifact_nowhere_to_be_had_fails_in_prepare_and_touches_nothing(world: World) -> None:
    installed = world.installed("1.0", world.spec())
    assignment = world.update_of(installed, "absent")
    with pytest.raises(OutsideError) as caught:
        world.controller().update(assignment)
    assert caught.value.permanent
    world.controller().roll_back(assignment)
    assert world.driver().observe(assignment).runs(installed)


def test_taken_over_by_a_younger_generation_older_controller_lets_go(world: World) -> None:
    installed = world.installed("1.0", world.spec())
    old = world.update_of(installed, "1.1")
    young = replace(world.update_of(installed, "1.1"), attempt=2, generation=9)
    steps = world.controller().plan(young)
    for step in steps[:2]:
        world.driver().apply(step, young)
    with pytest.raises(FencedError):
        world.driver().observe(old)
    for step in steps[:3]:
        with pytest.raises(FencedError):
            world.driver().apply(step, old)
    world.controller().update(young)
    assert serving(world, young) == ("1.1", Health.HEALTHY)


def test_unknown_step_is_refused(world: World) -> None:
    assignment = world.assignment(world.desired("1.0", world.spec()))
    step = replace(world.driver().plan(desired=assignment.desired, previous=None)[0], name="polish")
    with pytest.raises(InvalidError, match="polish"):
        world.driver().apply(step, assignment)


def test_nobody_at_the_address_is_said_as_such(world: World) -> None:
    nowhere = {
        "unix": "unix:///tmp/there-is-no-engine-here.sock",
        "loca": "ssh://127.0.0.1:1",
        "ssh:": "ssh://127.0.0.1:1",
    }
    address = nowhere[world.address[:4]]
    with pytest.raises(EngineUnreachableError) as caught:
        world.driver().check(address)
    assert not caught.value.permanent
    assert address in str(caught.value)
