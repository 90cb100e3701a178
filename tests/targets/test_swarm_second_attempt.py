"""An attempt breaks off anywhere, forward or on its way back; then another one comes, perhaps of another shape, with a proxy or without.

Sampled, with a seed that is printed (KILL_SEED repeats one); many more with HYPOTHESIS_PROFILE=thorough.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from releaser.domain.spec import EndpointMode, HealthSpec, Order, SwarmPort, SwarmProxy, SwarmSpec, of_kind
from releaser.domain.target import Assignment, Desired, Phase
from releaser.errors import OutsideError
from releaser.targets.swarm.payload import BEFORE
from releaser.targets.swarm.proxy import MADE_FROM
from releaser.targets.swarm.steps import proxy_text
from tests.fakes.controller import Controller, GateError
from tests.fakes.engine import Effect, Fault, When
from tests.fakes.swarm import FakeSwarm
from tests.targets.swarm_world import SwarmWorld

SAMPLES = 300 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 8
PROXY = SwarmProxy(image="registry.test/haproxy:2.6")
PORTS = (SwarmPort(published=8090, target=8080),)
BEHIND: Mapping[str, Any] = {"endpoint_mode": EndpointMode.DNSRR, "proxy": PROXY}
SHAPES: Mapping[str, Mapping[str, Any]] = {
    "one": {},
    "two": {"replicas": 2, "order": Order.START_FIRST},
    "proxied": {**BEHIND, "replicas": 2, "order": Order.START_FIRST},
    "proxied otherwise": {**BEHIND, "ports": (*PORTS, SwarmPort(published=8443, target=8080))},
}


def shaped(world: SwarmWorld, shape: str) -> SwarmSpec:
    given = {"name": "shop", "ports": PORTS, "monitor_s": 0.0, "health": HealthSpec(stay_up_for_s=0)}
    return world.spec(**{**given, **SHAPES[shape]})


def forward(controller: Controller, assignment: Assignment, *, commit: bool) -> None:
    for step in controller.plan(assignment):
        if step.phase is Phase.COMMIT and not commit:
            return
        controller.carry_out(step, assignment, wanted=assignment.desired)


def is_whole(world: SwarmWorld, swarm: FakeSwarm, assignment: Assignment, wanted: Desired) -> None:
    spec = of_kind(wanted.spec, SwarmSpec)
    there = {service.name: service for service in swarm.services.values()}
    assert sorted(there) == (["shop", "shop-proxy"] if spec.proxy is not None else ["shop"])
    assert BEFORE not in there["shop"].spec["Labels"]
    assert world.driver().observe(assignment).runs(wanted)
    assert {task.spec["ContainerSpec"]["Image"] for task in swarm.tasks_of("shop")} == {wanted.reference}
    if spec.proxy is not None:
        assert there["shop-proxy"].spec["Labels"][MADE_FROM] == proxy_text(spec)
    assert len(swarm.configs) == (1 if spec.proxy is not None else 0)


def one_sample(world: SwarmWorld, swarm: FakeSwarm, dice: random.Random) -> None:
    swarm.services.clear()
    swarm.tasks.clear()
    swarm.configs.clear()
    swarm.faults.clear()
    before, first, second = (dice.choice(list(SHAPES)) for _ in range(3))
    fault = Fault(kind="*", effect=Effect.DROP, when=dice.choice(list(When)), nth=dice.randint(1, 7))
    breaks_back, goes_back, nth_again = dice.random() < 0.5, dice.random() < 0.6, dice.choice([0, 1, 2, 3, 4])
    version = dice.choice(["1.0", "1.1"])
    told = f"{before}; {first} breaks off {'back ' if breaks_back else ''}{fault.when.value} {fault.nth}; {second} {version} "
    told += f"back, broken off at {nth_again}" if goes_back else ""
    try:
        installed = world.desired("1.0", shaped(world, before))
        controller = world.controller()
        controller.update(replace(world.assignment(installed), target="shop"))
        broken = replace(
            world.assignment(world.desired("1.1", shaped(world, first)), installed, rollout=2), target="shop"
        )
        try:
            if breaks_back:
                forward(controller, broken, commit=False)
            swarm.fail(fault)
            controller.roll_back(broken) if breaks_back else forward(controller, broken, commit=False)
        except (OutsideError, GateError):
            pass
        swarm.faults.clear()
        later = world.assignment(world.desired(version, shaped(world, second)), installed, rollout=3)
        later = replace(later, target="shop")
        if not goes_back:
            forward(controller, later, commit=True)
            is_whole(world, swarm, later, later.desired)
            return
        if nth_again:
            swarm.fail(Fault(kind="*", effect=Effect.DROP, nth=nth_again))
        try:
            forward(controller, later, commit=False)
        except (OutsideError, GateError):
            assert nth_again
        swarm.faults.clear()
        controller.roll_back(later)
        is_whole(world, swarm, later, installed)
    except Exception as error:
        raise AssertionError(f"{told}: {error}") from error


@pytest.mark.timeout(1500)
def test_attempt_breaks_off_anywhere_another_one_of_any_shape_ends_whole(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    seed = int(os.environ.get("KILL_SEED", "0")) or secrets.randbelow(10**9)
    dice = random.Random(seed)  # noqa: S311 -- no secret
    for number in range(SAMPLES):
        try:
            one_sample(swarm_world, fake_swarm, dice)
        except AssertionError as error:
            raise AssertionError(f"KILL_SEED={seed}, sample {number}: {error}") from error
