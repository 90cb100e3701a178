"""A registry that wants to know who asks: the driver pulls with the credentials that are set, and says what is wrong without."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from releaser.demo.engine import PrivateEngine
from releaser.demo.images import Sample, publish
from releaser.demo.registry import Registry
from releaser.sources.registry import HttpRegistry
from releaser.targets.docker.client import Engine
from releaser.targets.docker.credentials import registry_of
from releaser.targets.target import ImageNotFoundError

USER, PASSWORD = "робот", "пароль"
# bcrypt of the password, as `htpasswd -B` writes it.
HASHED = "$2b$04$0Gkz26JSwTM1.v.05nWKPeRUM4ysbH8AhbBumA6O32DFCLH8YM9bK"


class GuardedRegistry(Registry):
    """Asks for user and password."""

    def _configuration(self) -> dict[str, object]:
        (self.folder / "users").write_text(f"{USER}:{HASHED}\n")
        guard = {"htpasswd": {"realm": "images", "path": str(self.folder / "users")}}
        return {**super()._configuration(), "auth": guard}


@pytest.fixture
def guarded(engine: PrivateEngine, registry_program: None, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """An image that only those who are known may pull: its repository and digest."""
    with Registry(tmp_path) as filled:
        digest = publish(engine.address, [Sample(version="guarded")], repository=f"{filled.address}/guarded")["guarded"]
    with GuardedRegistry(tmp_path) as registry:
        asked = http.client.HTTPConnection(registry.address, timeout=5)
        asked.request("GET", "/v2/")
        assert asked.getresponse().status == 401, "the registry must ask who we are"
        asked.close()
        yield f"{registry.address}/guarded", digest


def test_image_is_resolved_and_pulled_with_the_credentials_of_its_registry(
    engine: PrivateEngine, guarded: tuple[str, str]
) -> None:
    repository, digest = guarded
    known = {repository.partition("/")[0]: (USER, PASSWORD)}
    assert HttpRegistry(credentials=known).resolve(f"{repository}:guarded") == digest
    client = Engine(engine.address, control_timeout_s=10, pull_timeout_s=20, credentials=known)
    client.pull(repository, digest)
    assert client.image(f"{repository}@{digest}") is not None
    client.close()


def test_wrong_or_missing_credentials_are_told_without_showing_them(
    engine: PrivateEngine, guarded: tuple[str, str]
) -> None:
    repository, digest = guarded
    host = repository.partition("/")[0]
    for known in ({}, {host: (USER, "wrong-secret")}):
        client = Engine(engine.address, control_timeout_s=10, pull_timeout_s=20, credentials=known)
        with pytest.raises(ImageNotFoundError) as refused:
            client.pull(repository, digest)
        client.close()
        assert "wrong-secret" not in f"{refused.value} {refused.value.advice}"
        assert "RELEASER_REGISTRY_AUTH" in refused.value.advice


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("registry.example.com/shop/web", "registry.example.com"),
        ("registry:5000/web", "registry:5000"),
        ("localhost/web", "localhost"),
        ("library/nginx", "docker.io"),
        ("nginx", "docker.io"),
    ],
)
def test_registry_of_an_image_is_the_one_that_engines_ask(image: str, host: str) -> None:
    assert registry_of(image) == host
