"""Every call that changes something × every way it goes wrong × before or after it was carried out × forward and back.

On the fake engine. Whatever happens, in the end the target runs the old or the new version, whole; one container is
there and nothing else; and start-first, the service could be reached under its alias at every moment.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from releaser.domain.spec import ContainerSpec, HealthSpec, Order, PortBinding
from releaser.domain.target import Assignment, Desired, Phase
from releaser.errors import OutsideError
from tests.fakes.controller import Controller, GateError
from tests.fakes.engine import Effect, FakeEngine, Fault, When
from tests.sampled import some
from tests.targets.docker_world import World

ORDERS = pytest.mark.parametrize("order", list(Order))
EFFECTS = pytest.mark.parametrize("effect", [Effect.REFUSE, Effect.DROP, Effect.KILL])
MOMENTS = pytest.mark.parametrize("when", list(When))
MOST_CALLS = 40


def _spec(name: str, order: Order) -> ContainerSpec:
    ports = (PortBinding(container_port=8080, host_port=8080 if order is Order.STOP_FIRST else 0),)
    return ContainerSpec(
        name=name,
        networks=("front",),
        aliases=("shop",),
        ports=ports,
        order=order,
        health=HealthSpec(http="http://127.0.0.1:{port}/healthz"),
    )


def _installed(world: World, engine: FakeEngine, order: Order) -> Desired:
    """A target of its own on an engine with nothing else, installed once and then as it was."""
    engine.faults.clear()
    installed = world.desired("1.0", _spec("shop-web", order))
    if world.kept:
        engine.go_on(world.kept)
        return installed
    engine.containers.clear()
    for image in engine.images.values():
        image.on_host = False
    world.controller().update(world.assignment(installed))
    engine.history.clear()
    world.kept = engine.state()
    return installed


def _persist(controller: Controller, engine: FakeEngine, assignment: Assignment, *, back: bool) -> None:
    """What a rollout does: after an error begin the same step again, after a no of the gate go back."""
    driver = controller.driver
    if back:
        steps = driver.plan_back(desired=assignment.desired, previous=assignment.previous)
    else:
        steps = driver.plan(desired=assignment.desired, previous=assignment.previous)
    controller.persist(steps, assignment, back=back, mend=engine.revive)


def _update_or_go_back(controller: Controller, engine: FakeEngine, assignment: Assignment) -> str:
    try:
        _persist(controller, engine, assignment, back=False)
    except (GateError, OutsideError):
        _go_back(controller, engine, assignment)
        return "rolled back"
    return "updated"


def _go_back(controller: Controller, engine: FakeEngine, assignment: Assignment) -> None:
    """A roll-back that ends badly begins again: the engine may have died after the old one was started."""
    try:
        _persist(controller, engine, assignment, back=True)
    except GateError:
        _persist(controller, engine, assignment, back=True)


def _assert_whole(world: World, engine: FakeEngine, assignment: Assignment, outcome: str) -> None:
    wanted = assignment.desired if outcome == "updated" else assignment.previous
    assert wanted is not None
    observed = world.driver().observe(assignment)
    assert observed.runs(wanted)
    assert observed.others == ()
    (only,) = engine.containers.values()
    assert (only.name, only.status, only.restart) == (wanted.spec.name, "running", "always")
    assert engine.history[-1]["front/shop"] == {wanted.version}


def _assert_never_gone(engine: FakeEngine) -> None:
    for reached in engine.history:
        assert reached.get("front/shop"), "nobody was found under the alias"
        assert reached.get("front/shop-web"), "nobody was found under the name"


@ORDERS
@EFFECTS
@MOMENTS
def test_forward_any_call_goes_wrong_once_target_ends_whole(
    fake_world: World, fake_engine: FakeEngine, order: Order, effect: Effect, when: When
) -> None:
    for nth in some(MOST_CALLS - 1, order, effect, when):
        installed = _installed(fake_world, fake_engine, order)
        fake_engine.fail(Fault(kind="*", effect=effect, when=when, nth=nth))
        assignment = fake_world.update_of(installed, "1.1")
        outcome = _update_or_go_back(fake_world.controller(), fake_engine, assignment)
        _assert_whole(fake_world, fake_engine, assignment, outcome)
        if effect is Effect.DROP:
            assert outcome == "updated"
        if order is Order.START_FIRST and effect is not Effect.KILL:
            _assert_never_gone(fake_engine)
        if fake_engine.faults:
            break
    assert 7 < nth < MOST_CALLS - 3, "it was tried up to the last call"


@ORDERS
@EFFECTS
@MOMENTS
def test_back_any_call_goes_wrong_once_old_one_runs_again(
    fake_world: World, fake_engine: FakeEngine, order: Order, effect: Effect, when: When
) -> None:
    for nth in some(MOST_CALLS - 1, order, effect, when, "back"):
        installed = _installed(fake_world, fake_engine, order)
        assignment = fake_world.update_of(installed, "sick" if order is Order.STOP_FIRST else "1.1")
        controller = fake_world.controller()
        for step in controller.plan(assignment):
            if step.phase is not Phase.COMMIT:
                controller.driver.apply(step, assignment)
        fake_engine.history.clear()
        fake_engine.fail(Fault(kind="*", effect=effect, when=when, nth=nth))
        _go_back(fake_world.controller(), fake_engine, assignment)
        _assert_whole(fake_world, fake_engine, assignment, "rolled back")
        if order is Order.START_FIRST and effect is not Effect.KILL:
            _assert_never_gone(fake_engine)
        if fake_engine.faults:
            break
    assert 7 < nth < MOST_CALLS - 3, "it was tried up to the last call"


@ORDERS
@MOMENTS
def test_killed_at_any_call_a_new_attempt_goes_on_from_what_is_there(
    fake_world: World, fake_engine: FakeEngine, order: Order, when: When
) -> None:
    """A controller dies in mid-call and nobody rolls back; a later rollout with a younger lock takes over."""
    for nth in some(MOST_CALLS - 1, order, when):
        installed = _installed(fake_world, fake_engine, order)
        fake_engine.fail(Fault(kind="*", effect=Effect.DROP, when=when, nth=nth))
        first = fake_world.update_of(installed, "1.1")
        controller = fake_world.controller()
        try:
            for step in controller.plan(first):
                controller.driver.apply(step, first)
        except OutsideError:
            second = replace(first, attempt=2, generation=3)
            _persist(fake_world.controller(), fake_engine, second, back=False)
            _assert_whole(fake_world, fake_engine, second, "updated")
        else:
            # A start that was refused because the port was not free yet may have met the fault, and was made again.
            if fake_engine.faults:
                break
    assert 7 < nth < MOST_CALLS - 3, "it was tried up to the last call"


@ORDERS
@MOMENTS
def test_killed_at_any_call_a_container_from_before_us_is_restored_as_it_was(
    fake_world: World, fake_engine: FakeEngine, order: Order, when: When
) -> None:
    for nth in some(MOST_CALLS - 1, order, when, "by hand"):
        fake_engine.containers.clear()
        for image in fake_engine.images.values():
            image.on_host = False
        spec = _spec("shop-web", order)
        endpoint = {"Aliases": ["shop", "by-hand"]}
        container_id = fake_world.by_hand(
            "shop-web",
            "1.0",
            {
                "HostConfig": {"NetworkMode": "front", "RestartPolicy": {"Name": "always"}},
                "NetworkingConfig": {"EndpointsConfig": {"front": endpoint}},
            },
        )
        assignment = fake_world.assignment(fake_world.desired("1.1", spec))
        controller = fake_world.controller()
        steps = controller.plan(assignment)[:-1]
        fake_engine.fail(Fault(kind="*", effect=Effect.DROP, when=when, nth=nth))
        reached_end = True
        try:
            for step in steps:
                controller.driver.apply(step, assignment)
        except OutsideError:
            reached_end = False
        _go_back(fake_world.controller(), fake_engine, assignment)
        (only,) = fake_engine.containers.values()
        assert (only.id, only.name, only.status, only.restart) == (container_id, "shop-web", "running", "always")
        assert set(only.endpoints["front"]["Aliases"]) == {"shop", "by-hand", container_id[:12]}
        if reached_end:
            break
    assert 7 < nth < MOST_CALLS - 3, "it was tried up to the last call"
