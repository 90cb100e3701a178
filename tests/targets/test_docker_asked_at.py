"""Where a front is told to ask a container, by where both of them are."""

from __future__ import annotations

import pytest

from releaser.domain.spec import ContainerSpec, FrontKind, FrontSpec
from releaser.domain.target import Assignment, Desired
from releaser.targets.docker.asked_at import HostAddressError, asked_at
from releaser.targets.docker.scene import Found


def told(*, engine: str, front: str, image: str = "", published: str | None = "0.0.0.0") -> str:  # noqa: S104 -- it is what the engine says
    ports = {"8080/tcp": [{"HostIp": published, "HostPort": "32776"}] if published is not None else None}
    raw = {
        "NetworkSettings": {
            "Ports": ports,
            "Networks": {"other": {"IPAddress": "172.18.0.9"}, "shop": {"IPAddress": "172.19.0.3"}},
        }
    }
    spec = ContainerSpec(name="shop", networks=("shop",))
    desired = Desired(version="1.0", image="r.test/shop", digest="sha256:0", spec=spec)
    assignment = Assignment(
        target="acme/app@eu-1",
        host="eu-1",
        address=engine,
        rollout=1,
        attempt=1,
        generation=1,
        desired=desired,
        previous=None,
    )
    asked = FrontSpec(kind=FrontKind.HAPROXY, group="shop", port=8080, address=front, image=image)
    return asked_at(Found(raw), asked, assignment, networks=spec.networks)


@pytest.mark.parametrize(
    ("engine", "front", "address"),
    [
        ("unix:///var/run/docker.sock", "unix:///run/haproxy.sock", "127.0.0.1:32776"),
        ("tcp://127.0.0.1:2375", "http://localhost:2019", "127.0.0.1:32776"),
        ("tcp://10.9.0.13:2375", "unix:///run/haproxy.sock", "10.9.0.13:32776"),
        ("ssh://deploy@10.9.0.13:22", "http://localhost:2019", "10.9.0.13:32776"),
        ("tcp://[fd00::13]:2375", "tcp://10.9.0.1:9999", "[fd00::13]:32776"),
        ("tcp://10.9.0.13:2375", "tcp://10.9.0.13:9999", "127.0.0.1:32776"),
    ],
)
def test_published_everywhere_front_asks_the_host_where_the_engine_is(engine: str, front: str, address: str) -> None:
    assert told(engine=engine, front=front) == address


def test_published_at_an_address_front_asks_it_there() -> None:
    assert told(engine="tcp://10.9.0.13:2375", front="unix:///f", published="192.0.2.7") == "192.0.2.7:32776"


def test_not_published_or_a_front_of_our_own_asks_on_the_targets_network() -> None:
    assert told(engine="tcp://10.9.0.13:2375", front="unix:///f", published=None) == "172.19.0.3:8080"
    assert told(engine="tcp://10.9.0.13:2375", front="", image="haproxy:2.8") == "172.19.0.3:8080"


def test_host_whose_name_is_known_to_ssh_alone_says_what_to_do() -> None:
    with pytest.raises(HostAddressError, match="has no address here") as caught:
        told(engine="ssh://eu-1.invalid", front="unix:///f")
    assert "host_ip" in caught.value.advice
