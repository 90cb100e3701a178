"""Taking over services of a swarm as they run, and updating them so that what is not declared stays; on a simulated swarm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from releaser.domain.spec import HealthSpec, Order, SwarmPort, SwarmSpec, of_kind
from releaser.domain.target import Assignment, Desired
from releaser.errors import RefusedError
from tests.fakes.controller import GateError
from tests.fakes.swarm import FakeSwarm
from tests.targets.swarm_world import SwarmWorld, by_hand, four


def test_service_made_by_hand_is_shown_as_it_would_be_declared(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    fake_swarm.by_hand(by_hand(swarm_world, "shop_web"))
    (found,) = swarm_world.driver().adoptable(fake_swarm.address, names=(), project="shop")
    spec = found.spec
    assert isinstance(spec, SwarmSpec)
    assert (found.name, found.service, found.image, found.tag) == ("shop_web", "web", swarm_world.repository, "1.0")
    assert (found.digest, found.state) == (swarm_world.digests["1.0"], "running")
    assert (spec.replicas, spec.networks, spec.parallel, spec.order) == (2, ("back",), 2, Order.START_FIRST)
    assert (spec.memory_mb, spec.cpus, spec.stop_grace_s) == (64, 0.5, 7)
    assert spec.ports == (SwarmPort(published=8080, target=80),)
    assert spec.environment == {"MODE": "live"}
    assert spec.labels == {"team": "blue"}
    assert spec.keep_undeclared
    told = repr(found)
    assert "hunter2" not in told, "a secret is named, never shown"
    assert "t0ps3cret" not in told
    kept = {one.name for one in found.kept}
    assert {"environment DB_PASSWORD", "Secrets", "Init", "Mounts", "network back", "label api-token"} <= kept
    warnings = " ".join(found.warnings)
    assert "rollback" in warnings
    assert "stack deploy" in warnings


def adopted(world: SwarmWorld, swarm: FakeSwarm) -> tuple[Desired, Assignment]:
    """A service made by hand as it was taken over, and an update of it."""
    swarm.by_hand(by_hand(world, "web"))
    (found,) = world.driver().adoptable(swarm.address, names=("web",), project="")
    was = replace(of_kind(found.spec, SwarmSpec), health=HealthSpec(stay_up_for_s=0))
    spec = replace(was, environment={"MODE": "quiet"})
    before = Desired(version="1.0", image=found.image, digest=found.digest or "", spec=was)
    return before, world.assignment(world.desired("1.1", spec), before, rollout=2)


def test_taken_over_service_keeps_everything_that_is_not_declared(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    _, assignment = adopted(swarm_world, fake_swarm)
    before = fake_swarm.named("web").spec
    swarm_world.controller().update(assignment)
    after = fake_swarm.named("web").spec
    made, was = (spec["TaskTemplate"]["ContainerSpec"] for spec in (after, before))
    assert made["Image"] == assignment.desired.reference
    assert sorted(made["Env"]) == ["DB_PASSWORD=hunter2", "MODE=quiet"]
    assert {key: made[key] for key in ("Secrets", "Init")} == {key: was[key] for key in ("Secrets", "Init")}
    assert {one["Target"] for one in made["Mounts"]} == {"/data", "/scratch"}
    assert after["TaskTemplate"]["Networks"] == before["TaskTemplate"]["Networks"], "its aliases are kept too"
    assert after["Labels"]["api-token"] == "t0ps3cret"


def test_taken_over_service_goes_back_to_exactly_what_it_was(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    _, assignment = adopted(swarm_world, fake_swarm)
    before = fake_swarm.named("web").spec
    bad = replace(assignment, desired=replace(assignment.desired, digest=swarm_world.digests["exits"]))
    with pytest.raises(GateError):
        swarm_world.controller().update(bad)
    swarm_world.controller().roll_back(bad)
    after = fake_swarm.named("web").spec
    assert {key: value for key, value in after.items() if key != "Labels"} == {
        key: value for key, value in before.items() if key != "Labels"
    }
    ours = {"releaser.target", "releaser.generation"}
    assert {key: value for key, value in after["Labels"].items() if key not in ours} == before["Labels"]


def test_service_that_is_a_target_already_is_not_taken_over_again(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    installed = swarm_world.installed("1.0", four(swarm_world))
    with pytest.raises(RefusedError, match="belongs to target"):
        swarm_world.driver().adoptable(fake_swarm.address, names=(installed.spec.name,), project="")
