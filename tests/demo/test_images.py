from __future__ import annotations

import time
from pathlib import Path

import docker
import httpx2
import pytest
from docker.models.containers import Container

from releaser.demo import images
from releaser.demo.engine import EngineCallError, PrivateEngine
from releaser.demo.images import Behaviour, Healthcheck, ImageError, Sample
from releaser.demo.ports import free_port
from releaser.demo.registry import Registry
from tests import needs


@pytest.fixture(scope="module", autouse=True)
def _busybox() -> None:
    needs.program("busybox", of="busybox")


def run(client: docker.DockerClient, engine: PrivateEngine, sample: Sample) -> tuple[Container, str]:
    client.images.load(images.archive([sample], repository="images-test", labels={}))
    port = free_port()
    container = client.containers.run(
        f"images-test:{sample.version}", detach=True, ports={f"{images.PORT}/tcp": ("127.0.0.1", port)}
    )
    return container, f"http://127.0.0.1:{port}"


def get(url: str) -> httpx2.Response:
    until = time.monotonic() + 10
    while True:
        try:
            return httpx2.get(url, timeout=2, trust_env=False)
        except httpx2.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def test_sample_that_is_good_shows_its_version_and_is_healthy(
    client: docker.DockerClient, engine: PrivateEngine
) -> None:
    container, url = run(client, engine, Sample(version="1.1"))
    assert get(f"{url}/healthz").status_code == 200
    assert "Version <strong>1.1</strong>" in get(url).text
    assert get(f"{url}/version").text == "1.1\n"
    before = time.monotonic()
    container.stop(timeout=10)
    assert time.monotonic() - before < 5  # it listens to SIGTERM
    assert container.wait()["StatusCode"] == 0


def test_sample_that_is_sick_serves_but_is_never_healthy(client: docker.DockerClient, engine: PrivateEngine) -> None:
    _, url = run(client, engine, Sample(version="1.1.2", behaviour=Behaviour.SICK))
    assert get(f"{url}/version").text == "1.1.2\n"
    assert get(f"{url}/healthz").status_code == 404


def test_sample_that_exits_ends_with_status_3_and_says_why(client: docker.DockerClient, engine: PrivateEngine) -> None:
    container, _ = run(client, engine, Sample(version="9.9", behaviour=Behaviour.EXITS))
    assert container.wait(timeout=10)["StatusCode"] == 3
    assert b"cannot start" in container.logs()


@pytest.mark.parametrize(("behaviour", "verdict"), [(Behaviour.GOOD, "healthy"), (Behaviour.SICK, "unhealthy")])
def test_sample_with_its_own_check_is_judged_by_the_engine(
    client: docker.DockerClient, engine: PrivateEngine, behaviour: Behaviour, verdict: str
) -> None:
    container, _ = run(client, engine, Sample(version="2.0", behaviour=behaviour, healthcheck=Healthcheck.OWN))
    until = time.monotonic() + 15
    while container.health in {"unknown", "starting"} and time.monotonic() < until:
        time.sleep(0.05)
        container.reload()
    assert container.health == verdict


def test_sample_made_twice_is_the_same_and_labels_change_it(engine: PrivateEngine, registry: Registry) -> None:
    repository = f"{registry.address}/twice"
    first = images.publish(engine.address, images.SHOP, repository=repository)
    again = images.publish(engine.address, images.SHOP, repository=f"{registry.address}/again")
    labelled = images.publish(engine.address, images.SHOP, repository=repository, labels={"releaser.demo": "x"})
    assert list(first) == ["1.0", "1.1", "1.1.1", "1.1.2"]
    assert len(set(first.values())) == 4
    assert again == first
    assert not set(labelled.values()) & set(first.values())


def test_registry_that_does_not_answer_is_told(engine: PrivateEngine) -> None:
    with pytest.raises(ImageError, match="refused"):
        images.publish(engine.address, [Sample(version="1.0")], repository=f"127.0.0.1:{free_port()}/shop")


def test_engine_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineCallError, match="does not answer"):
        images.publish(f"unix://{tmp_path}/none.sock", [Sample(version="1.0")], repository="127.0.0.1:1/shop")
