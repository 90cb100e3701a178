"""The proxy that the swarm driver keeps before a service, on a simulated swarm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from releaser.domain.spec import EndpointMode, HealthSpec, SwarmPort, SwarmProxy, SwarmSpec
from releaser.domain.target import Assignment, Desired, Phase, Stop, planned_stop
from releaser.targets.swarm.proxy import MADE_FROM, configuration
from releaser.targets.swarm.steps import StepName
from releaser.targets.target import NameTakenError
from tests.fakes.controller import GateError
from tests.fakes.swarm import FakeSwarm
from tests.targets.swarm_world import SwarmWorld, by_hand, four


def proxied(world: SwarmWorld, **more: object) -> SwarmSpec:
    port = world.spec().ports[0].published
    return four(
        world,
        endpoint_mode=EndpointMode.DNSRR,
        proxy=SwarmProxy(image="registry.test/haproxy:2.6"),
        ports=(SwarmPort(published=port, target=8080),),
        health=HealthSpec(http=f"http://{{host}}:{port}/healthz", timeout_s=1.0),
        **more,
    )


def test_proxy_is_made_on_every_node_and_owns_the_port(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    installed = swarm_world.installed("1.0", proxied(swarm_world))
    service, proxy = fake_swarm.named(installed.spec.name), fake_swarm.named(f"{installed.spec.name}-proxy")
    assert service.spec["EndpointSpec"] == {"Mode": "dnsrr", "Ports": []}
    assert proxy.spec["EndpointSpec"]["Ports"][0]["PublishMode"] == "host"
    assert len(fake_swarm.tasks_of(proxy.name)) == 3
    (kept,) = fake_swarm.configs.values()
    assert kept["Name"].startswith(f"{installed.spec.name}-proxy-")
    index = proxy.index
    swarm_world.controller().update(swarm_world.update_of(installed, "1.1"))
    assert fake_swarm.named(proxy.name).index == index, "an update of the service leaves its proxy alone"


def test_proxy_changed_stops_the_service_and_is_told(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    installed = swarm_world.installed("1.0", proxied(swarm_world))
    assert isinstance(installed.spec, SwarmSpec)
    assignment = swarm_world.update_of(
        installed, "1.1", ports=(*installed.spec.ports, SwarmPort(published=9443, target=8080))
    )
    steps = swarm_world.controller().plan(assignment)
    assert planned_stop(steps)[0] is Stop.FULL
    swarm_world.controller().update(assignment)
    assert len(fake_swarm.configs) == 1, "what the proxy was told before is not left over"
    proxy = fake_swarm.named(f"{installed.spec.name}-proxy")
    assert len(proxy.spec["EndpointSpec"]["Ports"]) == 2


@pytest.mark.parametrize(("before", "after", "stop"), [(6, 7, Stop.NONE), (30, 31, Stop.FULL)])
def test_service_scaled_proxy_restarts_only_where_the_plan_says_so(
    before: int, after: int, stop: Stop, swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    installed = swarm_world.installed("1.0", replace(proxied(swarm_world), replicas=before))
    proxy = fake_swarm.named(f"{installed.spec.name}-proxy")
    assignment, driver = swarm_world.update_of(installed, "1.0", replicas=after), swarm_world.driver()
    steps = driver.plan(desired=assignment.desired, previous=assignment.previous, observed=driver.observe(assignment))
    assert planned_stop(steps)[0] is stop
    index = proxy.index
    for step in steps:
        if step.phase is Phase.PREPARE:
            driver.apply(step, assignment)
    assert fake_swarm.named(proxy.name).index == index, "the proxy is made anew in preparing, outside of every window"
    swarm_world.controller().update(assignment)
    assert (fake_swarm.named(proxy.name).index != index) is (stop is Stop.FULL)


@pytest.mark.parametrize("written", ["of-another-release", "{}", '{"room": 64, "algorithm": "leastconn"}'])
def test_proxy_was_made_otherwise_by_another_release_it_serves_and_stays_as_it_is(
    written: str, swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    installed = swarm_world.installed("1.0", proxied(swarm_world))
    proxy = fake_swarm.named(f"{installed.spec.name}-proxy")
    proxy.spec["Labels"][MADE_FROM] = written
    index = proxy.index
    swarm_world.controller().update(swarm_world.update_of(installed, "1.1"))
    assert fake_swarm.named(proxy.name).index == index, (
        "an upgrade of the releaser makes every proxy anew, which no plan tells"
    )


def broken_off(world: SwarmWorld, installed: Desired, **changes: Any) -> Assignment:  # noqa: ANN401 -- passed on
    """An attempt that changed the proxy as well, and ended there: inconsistent."""
    assignment = world.update_of(installed, "1.1", **changes)
    for step in world.controller().plan(assignment)[:-1]:
        world.controller().carry_out(step, assignment, wanted=assignment.desired)
    return assignment


MORE: dict[str, Any] = {"ports": (SwarmPort(published=8999, target=8080), SwarmPort(published=9443, target=8080))}
NONE: dict[str, Any] = {"proxy": None, "endpoint_mode": EndpointMode.VIP, "health": HealthSpec(stay_up_for_s=0)}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("left", [MORE, NONE], ids=["other ports", "none"])
def test_proxy_left_otherwise_by_an_attempt_that_broke_off_is_told_planned_with_its_stop_and_mended(
    left: dict[str, Any], version: str, swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    health = HealthSpec(stay_up_for_s=0)
    installed = swarm_world.installed("1.0", replace(proxied(swarm_world), health=health))
    proxy = fake_swarm.named(f"{installed.spec.name}-proxy")
    before = proxy.spec["EndpointSpec"]
    broken_off(swarm_world, installed, **left)
    again = swarm_world.update_of(installed, version, rollout=3)
    steps = swarm_world.controller().plan(again)
    if left is MORE:
        assert planned_stop(steps)[0] is Stop.FULL
        seen = swarm_world.driver().observe(again).serving
        assert seen is not None
        assert "9443" in seen.configuration["proxy"]
    swarm_world.controller().update(again)
    assert fake_swarm.named(proxy.name).spec["EndpointSpec"] == before
    assert not any(one.name == "proxy-change" for one in swarm_world.controller().plan(again)), "and once only"


def test_proxy_that_nobody_declared_is_taken_away_by_the_next_update(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    with_proxy = proxied(swarm_world)
    installed = swarm_world.installed("1.0", replace(with_proxy, **NONE))
    broken_off(swarm_world, installed, proxy=with_proxy.proxy, endpoint_mode=EndpointMode.DNSRR)
    assert len(fake_swarm.services) == 2
    again = swarm_world.update_of(installed, "1.1", rollout=3)
    assert planned_stop(swarm_world.controller().plan(again))[0] is Stop.NONE, "nobody uses it"
    swarm_world.controller().update(again)
    assert [service.name for service in fake_swarm.services.values()] == [installed.spec.name]


@pytest.mark.parametrize(("changes", "stop"), [(MORE, Stop.FULL), ({}, Stop.NONE)])
def test_way_back_stops_the_service_where_its_proxy_is_made_anew_and_says_so(
    changes: dict[str, Any], stop: Stop, swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    installed = swarm_world.installed("1.0", replace(proxied(swarm_world), health=HealthSpec(stay_up_for_s=0)))
    proxy = fake_swarm.named(f"{installed.spec.name}-proxy")
    assignment = broken_off(swarm_world, installed, **changes)
    index, driver = proxy.index, swarm_world.driver()
    back = driver.plan_back(desired=assignment.desired, previous=installed)
    (told,) = [step for step in back if step.name == StepName.PROXY_BACK]
    assert told.stops is stop
    assert bool(told.why) is (stop is Stop.FULL)
    swarm_world.controller().roll_back(assignment)
    assert (fake_swarm.named(proxy.name).index != index) is (stop is Stop.FULL), "what is told is what happens"


def test_proxy_vanished_is_made_again_before_the_update(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    installed = swarm_world.installed("1.0", proxied(swarm_world))
    gone = fake_swarm.named(f"{installed.spec.name}-proxy")
    del fake_swarm.services[gone.id]
    swarm_world.controller().update(swarm_world.update_of(installed, "1.1"))
    assert fake_swarm.named(gone.name).id != gone.id


def test_first_installation_with_a_proxy_fails_nothing_is_left_over(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    assignment = swarm_world.assignment(swarm_world.desired("exits", proxied(swarm_world)))
    with pytest.raises(GateError):
        swarm_world.controller().update(assignment)
    swarm_world.controller().roll_back(assignment)
    assert (fake_swarm.services, fake_swarm.configs) == ({}, {})


def test_proxy_given_up_is_removed(swarm_world: SwarmWorld, fake_swarm: FakeSwarm) -> None:
    installed = swarm_world.installed("1.0", proxied(swarm_world))
    assignment = swarm_world.update_of(
        installed, "1.1", proxy=None, endpoint_mode=EndpointMode.VIP, health=HealthSpec(stay_up_for_s=0)
    )
    swarm_world.controller().update(assignment)
    assert [service.name for service in fake_swarm.services.values()] == [installed.spec.name]
    assert fake_swarm.configs == {}


def test_service_of_the_proxys_name_that_is_not_ours_is_left_alone(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    spec = proxied(swarm_world)
    fake_swarm.by_hand(by_hand(swarm_world, f"{spec.name}-proxy"))
    with pytest.raises(NameTakenError, match="proxy"):
        swarm_world.controller().update(swarm_world.assignment(swarm_world.desired("1.0", spec)))


def test_proxy_finds_the_tasks_by_name_and_begins_nothing_again_that_is_not_harmless() -> None:
    spec = SwarmSpec(name="web", replicas=20, ports=(SwarmPort(published=80, target=8080),))
    text = configuration(spec)
    assert "server-template task 64 web:8080 resolvers swarm" in text
    assert "bind :80\n" in text
    assert "disable-l7-retry unless METH_GET" in text
