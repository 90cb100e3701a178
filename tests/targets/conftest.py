"""The worlds the docker driver is tried in; the real engine and registry come from the root's conftest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from releaser.demo.engine import Engine
from releaser.demo.images import Behaviour as SampleBehaviour
from releaser.demo.images import Healthcheck, Sample, publish
from releaser.demo.registry import Registry
from releaser.targets.probe import http_probe
from tests import needs
from tests.fakes.docker_on_host import VERSIONS, DockerOnHost
from tests.fakes.engine import Behaviour, FakeEngine
from tests.targets.compose_world import ComposeWorld
from tests.targets.docker_world import World
from tests.targets.files_world import FilesWorld
from tests.targets.swarm_fixtures import fake_swarm, swarm_world  # noqa: F401 -- fixtures

NOWHERE = "sha256:" + "0" * 64


@pytest.fixture
def fake_engine() -> Iterator[FakeEngine]:
    with FakeEngine() as engine:
        engine.networks.add("front")
        yield engine


@pytest.fixture
def fake_world(fake_engine: FakeEngine) -> Iterator[World]:
    repository = "registry.test/shop"
    digests = {
        "1.0": fake_engine.push(repository, "1.0"),
        "1.1": fake_engine.push(repository, "1.1"),
        "1.2": fake_engine.push(repository, "1.2", healthcheck=True),
        "sick": fake_engine.push(repository, "sick", behaviour=Behaviour.SICK),
        "sick-checked": fake_engine.push(repository, "sick-checked", behaviour=Behaviour.SICK, healthcheck=True),
        "exits": fake_engine.push(repository, "exits", behaviour=Behaviour.EXITS),
        "absent": NOWHERE,
    }
    world = World(
        address=fake_engine.address, repository=repository, digests=digests, probe=fake_engine.probe, is_real=False
    )
    yield world
    for driver in world.drivers:
        driver.close()


@pytest.fixture(scope="session")
def published(engine: Engine, registry: Registry) -> dict[str, str]:
    """The sample application in the real registry."""
    samples = [
        Sample(version="1.0"),
        Sample(version="1.1"),
        Sample(version="1.2", healthcheck=Healthcheck.OWN),
        Sample(version="sick", behaviour=SampleBehaviour.SICK),
        Sample(version="sick-checked", behaviour=SampleBehaviour.SICK, healthcheck=Healthcheck.OWN),
        Sample(version="exits", behaviour=SampleBehaviour.EXITS),
    ]
    return publish(engine.address, samples, repository=f"{registry.address}/contract")


@pytest.fixture
def real_world(engine: Engine, registry: Registry, published: dict[str, str]) -> Iterator[World]:
    world = World(
        address=engine.address,
        repository=f"{registry.address}/contract",
        digests={**published, "absent": NOWHERE},
        probe=http_probe,
        is_real=True,
    )
    yield world
    for driver in world.drivers:
        driver.close()
    client = world.engine()
    for entry in client.containers(name="^/?contract-"):
        client.remove(str(entry["Id"]), volumes=True)
    client.close()


@pytest.fixture
def files_world(tmp_path: Path) -> Iterator[FilesWorld]:
    made = FilesWorld(folder=tmp_path)
    yield made
    made.close()


@pytest.fixture
def compose_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerOnHost]:
    with DockerOnHost(tmp_path / "docker") as made:
        monkeypatch.setenv("PATH", f"{made.folder}/bin:{os.environ['PATH']}")
        yield made


@pytest.fixture
def compose_world(tmp_path: Path, compose_host: DockerOnHost) -> Iterator[ComposeWorld]:
    digests = {version: compose_host.digest(version) for version in (*VERSIONS, "absent")}
    made = ComposeWorld(folder=tmp_path, digests=digests, probe=compose_host.probe)
    yield made
    made.close()


@pytest.fixture
def compose_real_world(
    engine: Engine, registry: Registry, published: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ComposeWorld]:
    needs.program("docker-compose", of="compose")
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    repository = f"{registry.address}/contract"
    made = ComposeWorld(folder=tmp_path, digests={**published, "absent": NOWHERE}, repository=repository, is_real=True)
    yield made
    made.close()
    if ids := made.on_host("ps", "-aq", "--filter", "label=com.docker.compose.project").split():
        made.on_host("rm", "-f", "-v", *ids)


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> World:
    made: World = request.getfixturevalue(f"{request.param}_world")
    return made
