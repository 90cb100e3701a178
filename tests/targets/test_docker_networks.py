"""Names on networks: the new container is found only once it is healthy, and then before the old one is taken away."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import docker
import pytest

from releaser.domain.spec import ContainerSpec, HealthSpec, Order, PortBinding
from tests.fakes.controller import GateError
from tests.fakes.engine import FakeEngine
from tests.targets.docker_world import PORT, World

NETWORK = "contract-front"


@pytest.fixture
def network(world: World, request: pytest.FixtureRequest) -> Iterator[str]:
    """A network a user made."""
    if not world.is_real:
        request.getfixturevalue("fake_engine").networks.add(NETWORK)
        yield NETWORK
        return
    client = docker.APIClient(base_url=world.address)
    # A bridge of a name of its own: other tests watch that none of the engine's usual ones is left over.
    client.create_network(NETWORK, options={"com.docker.network.bridge.name": f"rlc{secrets.token_hex(4)}"})
    yield NETWORK
    for container in client.containers(all=True, filters={"network": NETWORK}):
        client.remove_container(container["Id"], force=True)
    client.remove_network(NETWORK)
    client.close()


def _spec(name: str, network: str, order: Order) -> ContainerSpec:
    return ContainerSpec(
        name=name,
        networks=(network,),
        aliases=("shop",),
        ports=(PortBinding(container_port=PORT, host_port=0),),
        order=order,
        stop_grace_s=3,
        health=HealthSpec(http=f"http://{{ip}}:{PORT}/healthz", timeout_s=1.0),
    )


@pytest.mark.parametrize("order", list(Order))
def test_update_moves_the_alias_to_the_new_one(world: World, network: str, order: Order) -> None:
    installed = world.installed("1.0", _spec(f"contract-alias-{order}", network, order))
    assignment = world.update_of(installed, "1.1")
    world.controller().update(assignment)
    assert "shop" in _aliases(world, installed.spec.name, network)
    assert world.driver().observe(assignment).runs(assignment.desired)


def test_start_first_unhealthy_new_one_was_never_found_and_old_one_stays(world: World, network: str) -> None:
    installed = world.installed("1.0", _spec("contract-unfound", network, Order.START_FIRST))
    before = world.raw(installed.spec.name)["Id"]
    assignment = world.update_of(installed, "sick")
    with pytest.raises(GateError):
        world.controller(deadline_s=0.3).update(assignment)
    assert "shop" not in _aliases(world, f"{installed.spec.name}.new-2-1", network)
    assert "shop" in _aliases(world, installed.spec.name, network)
    world.controller().roll_back(assignment)
    assert world.raw(installed.spec.name)["Id"] == before
    assert "shop" in _aliases(world, installed.spec.name, network)


def test_start_first_names_are_found_at_every_moment(fake_world: World, fake_engine: FakeEngine) -> None:
    fake_engine.networks.add(NETWORK)
    installed = fake_world.installed("1.0", _spec("contract-always", NETWORK, Order.START_FIRST))
    fake_engine.history.clear()
    assignment = fake_world.update_of(installed, "1.1")
    fake_world.controller().update(assignment)
    seen = [reached[f"{NETWORK}/shop"] for reached in fake_engine.history]
    changes = [now for now, before in zip(seen, [None, *seen], strict=False) if now != before]
    assert changes == [{"1.0"}, {"1.0", "1.1"}, {"1.1"}]
    assert all(reached.get(f"{NETWORK}/contract-always") for reached in fake_engine.history)


def _aliases(world: World, name: str, network: str) -> list[str]:
    found: list[str] = world.raw(name)["NetworkSettings"]["Networks"][network]["Aliases"]
    return found
