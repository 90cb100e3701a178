"""The engine and the registry these tests share; those that start, kill or break one have their own."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from releaser.demo.engine import PROGRAMS, PrivateEngine
from releaser.demo.registry import Registry
from tests import needs


@pytest.fixture(scope="session")
def docker_programs() -> None:
    """End the test where a private engine cannot run."""
    for name in PROGRAMS:
        needs.program(name, of="docker")
    needs.root(why="a container engine of our own makes bridges, mounts and cgroups")


@pytest.fixture(scope="session")
def registry_program() -> None:
    """End the test where there is no registry."""
    needs.program("docker-registry", of="registry")


@pytest.fixture(scope="session")
def engine(docker_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """A running engine; what a test makes on it, it removes."""
    with PrivateEngine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture(scope="session")
def registry(registry_program: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A running registry; every test uses repositories of its own."""
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def client(engine: PrivateEngine) -> Iterator[docker.DockerClient]:
    """A client of the shared engine that leaves no container and no network behind."""
    client = docker.DockerClient(base_url=engine.address, timeout=20)
    yield client
    for container in client.containers.list(all=True):
        container.remove(force=True, v=True)
    client.networks.prune()
    client.close()
