"""What only the swarm driver promises, on a simulated swarm: swarm replaces the tasks, and the outcome is ours to tell and to undo."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from releaser.domain.spec import Order
from releaser.domain.target import Health, Stop, planned_stop
from releaser.errors import OutsideError, RefusedError
from releaser.targets.swarm.client import NoLeaderError, NotAManagerError
from releaser.targets.swarm.payload import BEFORE
from releaser.targets.swarm.work import ServiceBusyError, ServiceKindError
from releaser.targets.target import FencedError, ImageNotFoundError, NameTakenError, NetworkNotFoundError
from tests.fakes.controller import GateError
from tests.fakes.engine import Effect, Fault, When
from tests.fakes.swarm import FakeSwarm
from tests.targets.swarm_world import SwarmWorld, by_hand, four

# Swarm's own updating


@pytest.mark.parametrize("parallel", [1, 2, 0])
def test_start_first_update_is_served_by_all_tasks_at_every_moment(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm, parallel: int
) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world, parallel=parallel))
    fake_swarm.named(installed.spec.name).fewest = 99
    assignment = swarm_world.update_of(installed, "1.1")
    swarm_world.controller().update(assignment)
    service = fake_swarm.named(installed.spec.name)
    assert service.fewest == 4
    assert {task.spec["ContainerSpec"]["Image"] for task in fake_swarm.tasks_of(service.name)} == {
        assignment.desired.reference
    }
    assert BEFORE not in service.spec["Labels"]
    assert swarm_world.driver().observe(assignment).others == ()


def test_bad_image_swarm_pauses_verdict_says_why_and_the_old_ones_are_back(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    before = fake_swarm.named(installed.spec.name).spec
    fake_swarm.named(installed.spec.name).fewest = 99
    assignment = swarm_world.update_of(installed, "exits")
    with pytest.raises(GateError) as caught:
        swarm_world.controller().update(assignment)
    assert caught.value.verdict.health is Health.EXITED
    for word in ("paused", "exit code 3", "no configuration"):
        assert word in caught.value.verdict.reason
    swarm_world.controller().roll_back(assignment)
    service = fake_swarm.named(installed.spec.name)
    assert service.fewest >= 3, "at most the one that was replaced is away"
    assert service.spec["TaskTemplate"] == before["TaskTemplate"]
    assert swarm_world.driver().observe(assignment).runs(installed)
    assert BEFORE not in service.spec["Labels"]


def test_never_healthy_by_its_own_check_swarm_pauses_and_the_old_ones_are_untouched(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    tasks = {task.id for task in fake_swarm.tasks_of(installed.spec.name)}
    assignment = swarm_world.update_of(installed, "sick-checked")
    with pytest.raises(GateError, match="health check"):
        swarm_world.controller().update(assignment)
    swarm_world.controller().roll_back(assignment)
    assert {task.id for task in fake_swarm.tasks_of(installed.spec.name)} == tasks


def test_fewer_failures_than_the_ratio_allows_are_no_failure(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world, max_failure_ratio=0.5))
    assignment = swarm_world.update_of(installed, "1.1")
    driver, controller = swarm_world.driver(), swarm_world.controller()
    for step in controller.plan(assignment)[:-1]:
        driver.apply(step, assignment)
    driver.verify(assignment, wanted=assignment.desired)
    first = next(
        t for t in fake_swarm.tasks.values() if t.spec["ContainerSpec"]["Image"] == assignment.desired.reference
    )
    first.state, first.exit_code, first.desired = "failed", 1, "shutdown"
    assert controller.gate(assignment, assignment.desired).health is Health.HEALTHY


def test_engine_rolled_back_by_hand_verdict_is_failed(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    assignment = swarm_world.update_of(installed, "1.1")
    driver = swarm_world.driver()
    for step in swarm_world.controller().plan(assignment)[:-1]:
        driver.apply(step, assignment)
    fake_swarm.roll_back_by_hand(installed.spec.name)
    verdict = driver.verify(assignment, wanted=assignment.desired)
    assert verdict.health is Health.UNHEALTHY
    assert "by itself" in verdict.reason
    swarm_world.controller().roll_back(assignment)
    assert driver.observe(assignment).runs(installed)


def test_changed_by_hand_behind_the_gate_is_told(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    fake_swarm.change_by_hand(
        installed.spec.name,
        lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Image=f"{swarm_world.repository}:latest"),
    )
    assignment = swarm_world.update_of(installed, "1.1")
    verdict = swarm_world.driver().verify(assignment, wanted=installed)
    assert verdict.health is Health.UNHEALTHY
    assert ":latest" in verdict.reason


# Nodes and managers


def test_node_cut_off_is_named_and_its_tasks_do_not_count(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    assignment = swarm_world.update_of(installed, "1.1")
    driver = swarm_world.driver()
    there = [task for task in fake_swarm.tasks_of(installed.spec.name) if task.node == "node-h3"]
    assert there
    fake_swarm.cut("h3")
    verdict = driver.verify(assignment, wanted=installed)
    assert verdict.health is Health.STARTING
    assert "node h3 does not answer" in verdict.reason
    after = swarm_world.controller().gate(assignment, installed)
    assert "h3 does not answer" in after.reason, "they may run there still, which has to be told"
    assert "4 of 4 tasks run on h1 (2), h2 (2)" in after.reason
    observed = driver.observe(assignment)
    assert observed.serving is not None
    assert observed.serving.health is Health.HEALTHY
    assert "h3" in observed.detail
    fake_swarm.mend("h3")
    for _ in range(2):
        driver.verify(assignment, wanted=installed)
    assert "h3" not in driver.observe(assignment).detail


def test_manager_away_another_address_is_asked_and_remembered(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    nobody = "unix:///tmp/there-is-no-manager-here.sock"
    installed = swarm_world.desired("1.0", swarm_world.spec(managers=(fake_swarm.address,)))
    assignment = replace(swarm_world.assignment(installed), address=nobody)
    swarm_world.controller().update(assignment)
    assert swarm_world.driver().observe(assignment).runs(installed)
    with pytest.raises(OutsideError) as caught:
        swarm_world.driver().observe(replace(assignment, desired=swarm_world.desired("1.0", swarm_world.spec())))
    assert not caught.value.permanent
    assert nobody in str(caught.value)


def test_leader_lost_is_a_passing_fault(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    fake_swarm.has_leader = False
    with pytest.raises(NoLeaderError) as caught:
        swarm_world.driver().observe(swarm_world.update_of(installed, "1.1"))
    assert not caught.value.permanent
    fake_swarm.has_leader = True
    swarm_world.controller().update(swarm_world.update_of(installed, "1.1"))


def test_address_of_no_manager_is_said_as_such(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    fake_swarm.is_manager = False
    with pytest.raises(NotAManagerError, match="manager") as caught:
        swarm_world.driver().check(fake_swarm.address)
    assert caught.value.permanent
    with pytest.raises(NotAManagerError):
        swarm_world.driver().observe(swarm_world.assignment(swarm_world.desired("1.0", swarm_world.spec())))


def test_check_names_the_nodes_that_are_down_and_what_applies(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    fake_swarm.cut("h2")
    said = swarm_world.driver().check(fake_swarm.address)
    assert "3 nodes, 1 of them down (h2)" in said
    assert "no IP_VS" in said
    assert "dnsrr" in said


# Fencing by the service's version


def test_service_changed_between_look_and_change_it_is_looked_at_again(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    name = installed.spec.name
    fake_swarm.before_update = lambda: fake_swarm.change_by_hand(name, lambda spec: spec["Labels"].update(hand="made"))
    assignment = swarm_world.update_of(installed, "1.1")
    swarm_world.controller().update(assignment)
    assert swarm_world.driver().observe(assignment).runs(assignment.desired)


def test_younger_controller_comes_between_look_and_change_older_lets_go(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    old = swarm_world.update_of(installed, "1.1")
    steps = swarm_world.controller().plan(old)
    swarm_world.driver().apply(steps[0], old)

    def taken_over() -> None:
        fake_swarm.change_by_hand(installed.spec.name, lambda spec: spec["Labels"].update({"releaser.generation": "9"}))

    fake_swarm.before_update = taken_over
    with pytest.raises(FencedError):
        swarm_world.driver().apply(steps[1], old)


def test_somebody_updates_by_hand_the_claim_waits(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    spec = four(swarm_world)
    fake_swarm.by_hand(by_hand(swarm_world, spec.name))
    fake_swarm.change_by_hand(spec.name, lambda one: one["TaskTemplate"].update(ForceUpdate=1))
    assignment = swarm_world.assignment(swarm_world.desired("1.1", spec))
    steps = swarm_world.controller().plan(assignment)
    with pytest.raises(ServiceBusyError) as caught:
        swarm_world.driver().apply(steps[1], assignment)
    assert not caught.value.permanent


# Any call may fail, or seem to


@pytest.mark.parametrize("back", [False, True], ids=["forward", "back"])
@pytest.mark.parametrize("when", list(When))
@pytest.mark.parametrize("effect", [Effect.REFUSE, Effect.DROP])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_any_change_fails_once_the_target_is_whole_in_the_end(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm, nth: int, effect: Effect, when: When, *, back: bool
) -> None:
    installed = swarm_world.installed("1.0", swarm_world.spec(replicas=2, order=Order.START_FIRST, monitor_s=0))
    assignment = swarm_world.update_of(installed, "1.1")
    controller = swarm_world.controller()
    steps = list(controller.plan(assignment))
    if back:
        for step in steps[:-1]:
            swarm_world.driver().apply(step, assignment)
        steps = list(swarm_world.driver().plan_back(desired=assignment.desired, previous=installed))
    fake_swarm.named(installed.spec.name).fewest = 99
    fake_swarm.fail(Fault(kind="*", effect=effect, when=when, nth=nth))
    controller.persist(steps, assignment, back=back, mend=lambda: None)
    service = fake_swarm.named(installed.spec.name)
    assert service.fewest >= 2, "the service was whole at every moment"
    assert swarm_world.driver().observe(assignment).runs(installed if back else assignment.desired)
    assert BEFORE not in service.spec["Labels"]


@pytest.mark.parametrize("when", list(When))
def test_create_fails_or_seems_to_there_is_one_service(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm, when: When
) -> None:
    assignment = swarm_world.assignment(swarm_world.desired("1.0", swarm_world.spec()))
    fake_swarm.fail(Fault(kind="create", effect=Effect.DROP, when=when))
    controller = swarm_world.controller()
    controller.persist(controller.plan(assignment), assignment, back=False, mend=lambda: None)
    assert len(fake_swarm.services) == 1
    assert swarm_world.driver().observe(assignment).runs(assignment.desired)


def test_service_removed_by_hand_in_mid_update_roll_back_makes_it_again(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    assignment = swarm_world.update_of(installed, "1.1")
    for step in swarm_world.controller().plan(assignment)[:-1]:
        swarm_world.driver().apply(step, assignment)
    fake_swarm.services.clear()
    assert swarm_world.driver().verify(assignment, wanted=assignment.desired).health is Health.MISSING
    swarm_world.controller().roll_back(assignment)
    assert swarm_world.driver().observe(assignment).runs(installed)


def test_attempt_that_ended_nowhere_what_was_before_it_is_what_is_gone_back_to(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    dead = swarm_world.update_of(installed, "exits")
    for step in swarm_world.controller().plan(dead)[:-1]:
        swarm_world.driver().apply(step, dead)
    again = swarm_world.update_of(installed, "sick-checked", rollout=3)
    with pytest.raises(GateError):
        swarm_world.controller().update(again)
    swarm_world.controller().roll_back(again)
    assert swarm_world.driver().observe(again).runs(installed)


# What stands in the way


def test_network_that_is_not_there_is_found_before_anything_is_touched(swarm_world: SwarmWorld) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    assignment = swarm_world.update_of(installed, "1.1", networks=("frontt",))
    with pytest.raises(NetworkNotFoundError, match="--driver overlay frontt"):
        swarm_world.controller().update(assignment)
    assert swarm_world.driver().observe(assignment).runs(installed)


def test_name_of_another_target_is_refused(swarm_world: SwarmWorld) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    other = replace(swarm_world.update_of(installed, "1.1"), target="somebody-else")
    with pytest.raises(NameTakenError, match="belongs to target"):
        swarm_world.controller().update(other)
    assert "belongs to another target" in swarm_world.driver().observe(other).detail


def test_service_on_every_node_is_refused(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    spec = four(swarm_world)
    fake_swarm.by_hand({**by_hand(swarm_world, spec.name), "Mode": {"Global": {}}})
    with pytest.raises(ServiceKindError):
        swarm_world.controller().update(swarm_world.assignment(swarm_world.desired("1.1", spec)))
    with pytest.raises(RefusedError):
        swarm_world.driver().adoptable(fake_swarm.address, names=(spec.name,), project="")


def test_image_that_is_nowhere_is_a_lasting_fault(swarm_world: SwarmWorld) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    with pytest.raises(ImageNotFoundError) as caught:
        swarm_world.controller().update(swarm_world.update_of(installed, "absent"))
    assert caught.value.permanent


# The plan


@pytest.mark.parametrize(
    ("order", "replicas", "parallel", "stop", "told"),
    [
        (Order.START_FIRST, 1, 1, Stop.NONE, ""),
        (Order.START_FIRST, 4, 0, Stop.NONE, ""),
        (Order.STOP_FIRST, 1, 1, Stop.FULL, "one task only"),
        (Order.STOP_FIRST, 4, 1, Stop.NONE, "3 of 4 tasks serve"),
        (Order.STOP_FIRST, 4, 4, Stop.FULL, "at the same time"),
        (Order.STOP_FIRST, 4, 0, Stop.FULL, "at the same time"),
    ],
)
def test_stop_is_predicted_by_order_and_replicas(
    swarm_world: SwarmWorld, order: Order, replicas: int, parallel: int, stop: Stop, told: str
) -> None:
    spec = swarm_world.spec(order=order, replicas=replicas, parallel=parallel)
    steps = swarm_world.driver().plan(
        desired=swarm_world.desired("1.1", spec), previous=swarm_world.desired("1.0", spec)
    )
    assert planned_stop(steps)[0] is stop
    assert (planned_stop(steps)[1] > timedelta(0)) is (stop is not Stop.NONE)
    assert told in "".join(step.why for step in steps)


@pytest.mark.parametrize("what", ["replicas", "variable", "image"])
def test_changed_by_hand_what_runs_is_no_longer_what_was_told(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm, what: str
) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))

    def change(spec: dict[str, Any]) -> None:
        if what == "replicas":
            spec["Mode"]["Replicated"]["Replicas"] = 5
        elif what == "variable":
            spec["TaskTemplate"]["ContainerSpec"]["Env"] = ["DEBUG=1"]
        else:
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = swarm_world.desired("1.1", installed.spec).reference

    fake_swarm.change_by_hand(installed.spec.name, change)
    assignment = swarm_world.update_of(installed, "1.0")
    swarm_world.controller().gate(assignment, None)
    observed = swarm_world.driver().observe(assignment)
    assert observed.serving is not None
    assert not observed.runs(installed)
    assert (observed.serving.config_hash is None) is (what != "image"), "another image is no change of configuration"
    swarm_world.controller().update(assignment)
    assert swarm_world.driver().observe(assignment).runs(installed), "a rollout of the same version puts it right"
