"""A client of the shared engine (see the root's conftest); tests that start, kill or break an engine have their own."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from releaser.demo.engine import PrivateEngine


@pytest.fixture
def client(engine: PrivateEngine) -> Iterator[docker.DockerClient]:
    """A client of the shared engine that leaves no container and no network behind."""
    client = docker.DockerClient(base_url=engine.address, timeout=20)
    yield client
    for container in client.containers.list(all=True):
        container.remove(force=True, v=True)
    client.networks.prune()
    client.close()
