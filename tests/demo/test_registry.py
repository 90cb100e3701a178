from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from releaser.demo import images, keeper
from releaser.demo.engine import PrivateEngine
from releaser.demo.images import Sample
from releaser.demo.ports import free_port
from releaser.demo.registry import Registry, RegistryError, UnknownImageError

ONE = (Sample(version="1.0"),)


@pytest.fixture
def own_registry(registry_program: None, tmp_path: Path) -> Iterator[Registry]:
    with Registry(tmp_path / "registry") as registry:
        yield registry


def test_image_pushed_is_told_by_digest_and_pulled_by_it(
    engine: PrivateEngine, registry: Registry, client: docker.DockerClient
) -> None:
    name = f"{registry.address}/pulled"
    digest = images.publish(engine.address, ONE, repository=name)["1.0"]
    assert registry.digest("pulled", "1.0") == registry.digest("pulled", digest) == digest
    client.images.remove(f"{name}:1.0")
    client.api.pull(f"{name}@{digest}")
    assert f"{name}@{digest}" in client.images.get(f"{name}@{digest}").attrs["RepoDigests"]


def test_image_never_pushed_or_removed_is_unknown(engine: PrivateEngine, registry: Registry) -> None:
    images.publish(engine.address, ONE, repository=f"{registry.address}/removed")
    registry.remove("removed", "1.0")
    for repository in ("removed", "never"):
        with pytest.raises(UnknownImageError):
            registry.digest(repository, "1.0")


def test_registry_stopped_and_started_has_address_and_content_again(
    engine: PrivateEngine, own_registry: Registry
) -> None:
    address = own_registry.address
    digest = images.publish(engine.address, ONE, repository=f"{address}/shop")["1.0"]
    own_registry.stop()
    own_registry.stop()
    with pytest.raises(OSError):
        own_registry.digest("shop", "1.0")
    own_registry.start()
    assert (own_registry.address, own_registry.digest("shop", "1.0")) == (address, digest)


def test_program_that_ends_by_itself_ends_its_keeper(registry_program: None, tmp_path: Path) -> None:
    kept = keeper.Kept(
        command=("docker-registry", "serve", str(tmp_path / "missing.json")), log=str(tmp_path / "log"), grace_s=1
    )
    running = keeper.keep(kept)
    assert running.wait(10) == 1  # the command ended by itself: no such configuration
    assert running.stdin is not None
    running.stdin.close()


def test_registry_on_a_port_somebody_has_is_not_mistaken_for_it(registry_program: None, tmp_path: Path) -> None:
    with Registry(tmp_path / "one") as first:
        blocked = Registry(tmp_path / "other")
        blocked._port = int(first.address.rpartition(":")[2])
        with pytest.raises(RegistryError, match="already in use"):
            blocked.start()


def test_environment_of_the_owner_does_not_steer_the_registry(
    registry_program: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_HTTP_ADDR", f"127.0.0.1:{free_port()}")
    assert "REGISTRY_HTTP_ADDR" in os.environ
    with Registry(tmp_path) as registry, pytest.raises(UnknownImageError):
        registry.digest("shop", "1.0")
