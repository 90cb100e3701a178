"""The proxy that the swarm driver keeps before a service, on a simulated swarm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from releaser.domain.spec import EndpointMode, HealthSpec, SwarmPort, SwarmProxy, SwarmSpec
from releaser.domain.target import Phase, Stop, planned_stop
from releaser.targets.docker.container import Label
from releaser.targets.swarm.proxy import configuration
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


def test_proxy_was_made_otherwise_by_another_release_it_serves_and_stays_as_it_is(
    swarm_world: SwarmWorld, fake_swarm: FakeSwarm
) -> None:
    installed = swarm_world.installed("1.0", proxied(swarm_world))
    proxy = fake_swarm.named(f"{installed.spec.name}-proxy")
    proxy.spec["Labels"][Label.CONFIG.value] = "of-another-release"
    index = proxy.index
    swarm_world.controller().update(swarm_world.update_of(installed, "1.1"))
    assert fake_swarm.named(proxy.name).index == index, (
        "an upgrade of the releaser makes every proxy anew, which no plan tells"
    )


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
