from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from releaser.domain.spec import ContainerSpec, HealthSpec, Order, PortBinding, Volume, config_hash
from releaser.domain.target import Desired, Health, Observation, Phase, Role, Running, Step, Stop, planned_stop

SPEC = ContainerSpec(name="shop", environment={"A": "1", "B": "2"}, health=HealthSpec(command=("/check",)))


@pytest.mark.parametrize(
    "same",
    [
        replace(SPEC, environment={"B": "2", "A": "1"}),
        replace(SPEC, environment=MappingProxyType({"A": "1", "B": "2"})),
        replace(SPEC, order=Order.START_FIRST),
        replace(SPEC, soak_s=30.0),
        replace(SPEC, stop_grace_s=60),
        replace(SPEC, health=replace(SPEC.health, http="http://127.0.0.1/", deadline_s=5)),
    ],
)
def test_config_hash_what_only_steers_the_update_does_not_count(same: ContainerSpec) -> None:
    assert config_hash(same) == config_hash(SPEC)


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, name="shop-2"),
        replace(SPEC, environment={"A": "1", "B": "3"}),
        replace(SPEC, ports=(PortBinding(container_port=80, host_port=8080),)),
        replace(SPEC, volumes=(Volume(source="/a", target="/b"),)),
        replace(SPEC, volumes=(Volume(source="/a", target="/b", read_only=True),)),
        replace(SPEC, networks=("front",)),
        replace(SPEC, command=("serve",)),
        replace(SPEC, memory_mb=64),
        replace(SPEC, health=replace(SPEC.health, interval_s=9)),
        replace(SPEC, health=HealthSpec()),
    ],
)
def test_config_hash_what_the_container_is_made_from_counts(other: ContainerSpec) -> None:
    assert config_hash(other) != config_hash(SPEC)


def test_config_hash_is_twelve_digits_and_stays_the_same_over_time() -> None:
    """It is kept in labels of running containers: another value would make every one of them look changed."""
    assert config_hash(ContainerSpec(name="shop", restart="unless-stopped")) == "8da8d0652bcd"


def _running(desired: Desired, health: Health = Health.HEALTHY) -> Running:
    return Running(
        container_id="1",
        name="shop",
        digest=desired.digest,
        version=desired.version,
        config_hash=config_hash(desired.spec),
        state="running",
        restart_count=0,
        health=health,
        role=Role.SERVING,
        rollout=1,
        generation=1,
    )


def test_observation_runs_only_exactly_what_is_wanted_and_healthy() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    desired = Desired(version="1.1", image="r.test/shop", digest="sha256:1", spec=SPEC)
    assert desired.reference == "r.test/shop@sha256:1"
    assert Observation(at=at, serving=_running(desired)).runs(desired)
    assert not Observation(at=at, serving=None).runs(desired)
    assert not Observation(at=at, serving=_running(desired, Health.STARTING)).runs(desired)
    assert not Observation(at=at, serving=_running(desired)).runs(replace(desired, digest="sha256:2"))
    assert not Observation(at=at, serving=_running(desired)).runs(replace(desired, spec=replace(SPEC, user="1")))


def test_planned_stop_is_the_worst_kind_and_the_sum_of_what_stops() -> None:
    second = timedelta(seconds=1)
    steps = (
        Step(name="a", phase=Phase.PREPARE, estimated_for=second),
        Step(name="b", phase=Phase.CUT_OVER, stops=Stop.PARTIAL, estimated_for=second),
        Step(name="c", phase=Phase.CUT_OVER, stops=Stop.FULL, estimated_for=2 * second),
    )
    assert planned_stop(steps) == (Stop.FULL, 3 * second)
    assert planned_stop(steps[:2]) == (Stop.PARTIAL, second)
    assert planned_stop(()) == (Stop.NONE, timedelta(0))
