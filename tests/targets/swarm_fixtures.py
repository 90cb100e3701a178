"""The worlds the swarm driver is tried in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.engine import Behaviour
from tests.fakes.swarm import FakeSwarm
from tests.targets.swarm_world import SwarmWorld

REPOSITORY = "registry.test/shop"


@pytest.fixture
def fake_swarm() -> Iterator[FakeSwarm]:
    with FakeSwarm() as swarm:
        yield swarm


@pytest.fixture
def swarm_world(fake_swarm: FakeSwarm) -> Iterator[SwarmWorld]:
    digests = {
        "1.0": fake_swarm.push(REPOSITORY, "1.0"),
        "1.1": fake_swarm.push(REPOSITORY, "1.1"),
        "sick": fake_swarm.push(REPOSITORY, "sick", behaviour=Behaviour.SICK),
        "sick-checked": fake_swarm.push(REPOSITORY, "sick-checked", behaviour=Behaviour.SICK, healthcheck=True),
        "exits": fake_swarm.push(REPOSITORY, "exits", behaviour=Behaviour.EXITS),
        "absent": "sha256:" + "0" * 64,
    }
    world = SwarmWorld(address=fake_swarm.address, repository=REPOSITORY, digests=digests, probe=fake_swarm.probe)
    yield world
    world.close()
