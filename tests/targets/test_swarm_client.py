"""What goes over the wire to a manager, and what is known of its kernel."""

from __future__ import annotations

import base64
import gzip
import json
import os
import platform
from pathlib import Path
from typing import Any

import pytest

from releaser.targets.swarm import kernel
from releaser.targets.swarm.client import Manager, OutOfDateError, Swarm
from releaser.targets.target import EngineRefusedError, ImageNotFoundError, RegistryUnreachableError
from tests.fakes.engine import Effect, Fault
from tests.fakes.swarm import FakeSwarm

IMAGE = "registry.test/shop"
KNOWN = {"registry.test": ("robot", "pässword")}


class Seeing(Manager):
    """Remembers the headers of its calls."""

    seen: list[dict[str, str]]

    def _call(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  # as inherited
        self.seen.append(dict(named.get("headers") or {}))
        return super()._call(*arguments, **named)


@pytest.fixture
def manager(fake_swarm: FakeSwarm) -> Seeing:
    made = Seeing(fake_swarm.address, control_timeout_s=5, pull_timeout_s=5)
    made.seen = []
    return made


def test_credentials_of_the_images_registry_go_with_the_call_and_no_others(
    manager: Seeing, fake_swarm: FakeSwarm
) -> None:
    digest = fake_swarm.push(IMAGE, "1.0")
    manager.image_there(IMAGE, digest, KNOWN)
    told = json.loads(base64.urlsafe_b64decode(manager.seen[-1]["X-Registry-Auth"]))
    assert (told["username"], told["password"], told["serveraddress"]) == ("robot", "pässword", "registry.test")
    manager.image_there(IMAGE, digest, {"registry.elsewhere": ("robot", "secret")})
    assert manager.seen[-1] == {}, "another registry's password is nobody's business"
    manager.close()


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("errors:\\ndenied: requested access to the resource is denied", ImageNotFoundError),
        ("Get http://registry.test/v2/: dial tcp: connection refused", RegistryUnreachableError),
        ("something else", EngineRefusedError),
    ],
)
def test_registry_says_no_it_is_told_like_a_pull(
    manager: Seeing, fake_swarm: FakeSwarm, message: str, kind: type[Exception]
) -> None:
    digest = fake_swarm.push(IMAGE, "1.0")
    fake_swarm.fail(Fault(kind="distribution", effect=Effect.REFUSE, message=message))
    with pytest.raises(kind):
        manager.image_there(IMAGE, digest, {})
    manager.close()


def test_change_of_an_older_version_is_refused(manager: Seeing, fake_swarm: FakeSwarm) -> None:
    spec = {
        "Name": "web",
        "TaskTemplate": {"ContainerSpec": {"Image": f"{IMAGE}:1.0"}},
        "Mode": {"Replicated": {"Replicas": 1}},
    }
    service = fake_swarm.by_hand(spec)
    with pytest.raises(OutOfDateError):
        manager.update_service(service.id, spec, version=service.index - 1)
    manager.update_service(service.id, spec, version=service.index)
    manager.close()


def test_each_manager_is_asked_once_and_the_first_fault_is_told(fake_swarm: FakeSwarm) -> None:
    nobody = [Manager(f"unix:///tmp/nobody-{name}.sock", control_timeout_s=1, pull_timeout_s=1) for name in "ab"]
    somebody = Manager(fake_swarm.address, control_timeout_s=5, pull_timeout_s=5)
    answered: list[str] = []
    swarm = Swarm([*nobody, somebody], answered=lambda manager: answered.append(manager.address))
    assert len(swarm.ask(lambda manager: manager.nodes())) == 3
    assert (answered, swarm.address) == ([fake_swarm.address], fake_swarm.address)
    with pytest.raises(Exception, match="nobody-a"):
        Swarm(nobody).ask(lambda manager: manager.nodes())
    somebody.close()


HERE = {"KernelVersion": os.uname().release}


@pytest.mark.parametrize(
    ("address", "info", "has", "told"),
    [
        ("unix:///var/run/docker.sock", {}, True, "its kernel has IP_VS"),
        ("unix:///var/run/docker.sock", {}, False, "its kernel has no IP_VS: use endpoint_mode dnsrr with a proxy"),
        ("tcp://10.0.0.11:2375", HERE, False, "as this machine's and has no IP_VS"),
        ("tcp://10.0.0.11:2375", {"KernelVersion": "5.4.0"}, False, "cannot be told from here"),
        ("tcp://localhost:2375", {"KernelVersion": "5.4.0"}, True, "its kernel has IP_VS"),
    ],
)
def test_what_applies_is_told_where_it_can_be_known(address: str, info: dict[str, str], has: bool, told: str) -> None:  # noqa: FBT001
    assert told in kernel.in_words(address, info, ip_vs=lambda: has)


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        (None, b"", False),
        ("proc/net/ip_vs", b"IP Virtual Server", True),
        (f"lib/modules/{platform.release()}/kernel/net/netfilter/ipvs/ip_vs.ko.xz", b"", True),
        (f"lib/modules/{platform.release()}/modules.builtin", b"kernel/net/netfilter/ipvs/ip_vs.ko\n", True),
        (f"lib/modules/{platform.release()}/modules.builtin", b"kernel/fs/ext4/ext4.ko\n", False),
        ("proc/config.gz", gzip.compress(b"CONFIG_IP_VS=y\n"), True),
        ("proc/config.gz", gzip.compress(b"# CONFIG_IP_VS is not set\n"), False),
        ("proc/config.gz", b"no gzip", False),
    ],
)
def test_kernel_has_ip_vs_by_what_is_seen_of_it(
    tmp_path: Path, file: str | None, content: bytes, *, expected: bool
) -> None:
    if file is not None:
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_bytes(content)
    assert kernel.has_ip_vs(tmp_path) is expected
