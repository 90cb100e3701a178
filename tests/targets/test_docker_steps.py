from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from releaser.domain.spec import ContainerSpec, HealthSpec, Order, PortBinding
from releaser.domain.target import Desired, Health, Observation, Phase, Role, Running, Stop, planned_stop
from releaser.errors import InvalidError, RefusedError
from releaser.targets.docker.steps import plan, plan_back

SPEC = ContainerSpec(name="shop", stop_grace_s=10)
START_FIRST = replace(SPEC, order=Order.START_FIRST)


def desired(spec: ContainerSpec = SPEC, version: str = "1.1") -> Desired:
    return Desired(version=version, image="registry.test/shop", digest="sha256:" + "1" * 64, spec=spec)


def names(desired: Desired, previous: Desired | None, observed: Observation | None = None) -> list[str]:
    return [step.name for step in plan(desired=desired, previous=previous, observed=observed)]


def test_plan_first_installation_stops_nothing() -> None:
    assert names(desired(), None) == ["pull", "create", "rename-new", "start-new"]
    assert planned_stop(plan(desired=desired(), previous=None, observed=None)) == (Stop.NONE, timedelta(0))


def test_plan_stop_first_creates_before_it_stops() -> None:
    assert names(desired(), desired(version="1.0")) == [
        *("pull", "create", "disable-restart", "stop-old", "rename-old", "rename-new", "start-new", "remove-old"),
    ]


def test_plan_start_first_switches_after_the_gate() -> None:
    steps = plan(desired=desired(START_FIRST), previous=desired(START_FIRST), observed=None)
    assert [step.name for step in steps] == [
        *("pull", "create", "start-new", "attach-alias", "detach-old", "disable-restart", "stop-old"),
        *("rename-old", "rename-new", "remove-old"),
    ]
    assert [step.name for step in steps if step.gate] == ["start-new", "attach-alias"]
    assert planned_stop(steps)[0] is Stop.NONE


def test_plan_container_from_before_us_is_replaced_not_ignored() -> None:
    there = Running(
        container_id="1",
        name="shop",
        digest=None,
        version=None,
        config_hash=None,
        state="running",
        restart_count=0,
        health=Health.HEALTHY,
        role=Role.SERVING,
        rollout=None,
        generation=None,
    )
    observed = Observation(at=datetime(2026, 3, 2, tzinfo=UTC), serving=there)
    assert "stop-old" in names(desired(), None, observed)


def test_plan_stop_first_predicts_the_longer_grace_and_the_start() -> None:
    previous = desired(replace(SPEC, stop_grace_s=30), version="1.0")
    kind, length = planned_stop(plan(desired=desired(), previous=previous, observed=None))
    assert kind is Stop.FULL
    assert timedelta(seconds=31) <= length <= timedelta(seconds=32)


def test_plan_only_the_commit_cannot_be_undone() -> None:
    steps = plan(desired=desired(), previous=desired(version="1.0"), observed=None)
    assert [step.name for step in steps if not step.undoable] == ["remove-old"]
    assert [step.phase for step in steps if not step.undoable] == [Phase.COMMIT]


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (SPEC, ["restore-old", "stop-new", "rename-back", "start-old", "remove-new"]),
        (START_FIRST, ["restore-old", "start-old", "attach-old", "stop-new", "rename-back", "remove-new"]),
    ],
)
def test_plan_back_restores_before_it_stops_and_gates_the_old_one(spec: ContainerSpec, names: list[str]) -> None:
    steps = plan_back(desired=desired(spec), previous=desired(version="1.0"))
    assert [step.name for step in steps] == names
    assert {step.phase for step in steps} == {Phase.ROLL_BACK}
    assert [step.name for step in steps if step.gate] == ["start-old"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ports": (PortBinding(container_port=80, host_port=8080),)}, "8080"),
        ({"networks": ("host",)}, "host"),
        ({"networks": ("container:other",)}, "container:other"),
        ({"health": HealthSpec(http="http://127.0.0.1:8080/")}, "probe"),
    ],
)
def test_plan_start_first_where_two_cannot_be_is_refused_with_a_reason(changes: dict[str, object], why: str) -> None:
    with pytest.raises(RefusedError, match=why) as caught:
        names(desired(replace(START_FIRST, **changes)), None)  # type: ignore[arg-type]
    assert caught.value.rule == "start-first-needs-two"
    assert "stop-first" in caught.value.advice


@pytest.mark.parametrize(
    "health", [HealthSpec(http="http://{ip}:80/"), HealthSpec(http="http://10.0.0.5:{port}/"), HealthSpec()]
)
def test_plan_start_first_with_a_probe_that_tells_the_two_apart_is_accepted(health: HealthSpec) -> None:
    port = PortBinding(container_port=80, host_port=0)
    assert names(desired(replace(START_FIRST, ports=(port,), health=health)), None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"aliases": ("shop",)}, "aliases"), ({"networks": ("host", "front")}, "networks")],
)
def test_plan_impossible_networks_are_invalid(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidError) as caught:
        names(desired(replace(SPEC, **changes)), None)  # type: ignore[arg-type]
    assert caught.value.field == field
