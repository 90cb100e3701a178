"""The docker driver over every way to an engine: a socket here, TLS, ssh. One real engine has all three.

What the driver promises holds over each; what is wrong with the way itself is said with what to do about it, in bounded time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from releaser.clock import SystemClock
from releaser.demo import keeper
from releaser.demo.engine import talk
from releaser.demo.images import Behaviour, Sample, publish
from releaser.domain.spec import ContainerSpec, HealthSpec, PortBinding
from releaser.errors import InvalidError, OutsideError
from releaser.targets.docker.client import NO_ACCESS
from releaser.targets.docker.driver import DockerDriver
from releaser.targets.hosts.shell import SshAccess
from releaser.targets.probe import http_probe
from releaser.targets.target import EngineRefusedError, EngineTimeoutError, EngineUnreachableError
from tests.targets import test_driver_contract as contract
from tests.targets.conftest import NOWHERE
from tests.targets.docker_world import PORT, World
from tests.testbed.bed import Bed
from tests.testbed.host import Host
from tests.testbed.ssh import HostSsh

WAYS = ("unix", "tls", "ssh")

# What every driver promises, here over each way.
test_host_there_check_tells_what_it_is = contract.test_host_there_check_tells_what_it_is_and_one_line_of_advice
test_first_installation_runs_what_is_wanted = contract.test_first_installation_runs_what_is_wanted
test_update_runs_the_new_and_no_longer_the_old = contract.test_update_runs_the_new_and_no_longer_the_old
test_taken_over_older_controller_lets_go = contract.test_taken_over_by_a_younger_generation_older_controller_lets_go


@dataclass(slots=True, kw_only=True)
class Reached(World):
    """A world whose engine is on another host."""

    access: SshAccess = NO_ACCESS
    probe_url: str = "http://{host}:{port}/healthz"

    def driver(self, *, control_timeout_s: float = 10.0, pull_timeout_s: float = 20.0) -> DockerDriver:
        made = DockerDriver(
            clock=SystemClock(),
            control_timeout_s=control_timeout_s,
            pull_timeout_s=pull_timeout_s,
            probe=self.probe,
            access=self.access,
        )
        self.drivers.append(made)
        return made

    def spec(self, **more: Any) -> ContainerSpec:  # noqa: ANN401  # passed on
        spec = World.spec(self, health=HealthSpec(http=self.probe_url, timeout_s=1.0), **more)
        return replace(spec, ports=(PortBinding(container_port=PORT, host_port=0, host_ip="0.0.0.0"),))  # noqa: S104  # the bed's only


@pytest.fixture(scope="module")
def host(testbed: Bed) -> Host:
    """One engine with all three ways to it."""
    host = testbed.secured()
    HostSsh(host).start()
    return host


@pytest.fixture(scope="module")
def digests(testbed: Bed, host: Host) -> dict[str, str]:
    samples = [Sample(version="1.0"), Sample(version="1.1"), Sample(version="exits", behaviour=Behaviour.EXITS)]
    return publish(host.address, samples, repository=f"{testbed.registry.address}/ways")


def address_of(host: Host, way: str) -> str:
    return {
        "unix": host.address,
        "tls": f"{host.tcp}?tls={host.folder / 'client'}",
        "ssh": HostSsh(host).address,
    }[way]


@pytest.fixture(params=WAYS)
def world(request: pytest.FixtureRequest, testbed: Bed, host: Host, digests: dict[str, str]) -> Iterator[Reached]:
    made = Reached(
        address=address_of(host, request.param),
        repository=f"{testbed.registry.address}/ways",
        digests={**digests, "absent": NOWHERE},
        probe=http_probe,
        is_real=True,
        access=HostSsh(host).access(),
    )
    if request.param == "unix":
        made.probe_url = f"http://{host.ip}:{{port}}/healthz"
    yield made
    for driver in made.drivers:
        driver.close()
    with talk(host.address) as client:
        for entry in client.containers(all=True):
            client.remove_container(entry["Id"], force=True, v=True)


def refused(address: str, access: SshAccess = NO_ACCESS, *, timeout_s: float = 5.0) -> OutsideError:
    """Why the engine at the address cannot be used; told in time."""
    driver = DockerDriver(clock=SystemClock(), control_timeout_s=timeout_s, access=access)
    began = time.monotonic()
    try:
        with pytest.raises(OutsideError) as caught:
            driver.check(address)
    finally:
        driver.close()
    assert time.monotonic() - began < timeout_s + 5, "it is waited for much longer than was allowed"
    assert caught.value.advice
    return caught.value


@pytest.mark.parametrize(
    ("folder", "what", "todo"),
    [
        ("other_ca", "not to be trusted: unable to get local issuer certificate", "other_ca/ca.pem"),
        ("expired", "does not take our certificate", "openssl x509 -in"),
        ("nowhere", "nowhere/ca.pem is not there", "Put it there"),
    ],
)
def test_certificates_do_not_fit_it_is_said_whose_and_what_to_do(host: Host, folder: str, what: str, todo: str) -> None:
    error = refused(f"{host.tcp}?tls={host.folder / folder}")
    assert isinstance(error, EngineRefusedError)
    assert error.permanent, "a repeat cannot help"
    assert what in error.detail
    assert todo in error.advice
    assert "?tls" not in error.detail


def test_own_certificate_is_of_another_authority_engine_does_not_take_it(host: Host) -> None:
    theirs, ours = host.folder / "client", host.folder / "other_ca"
    error = refused(f"{host.tcp}?ca={theirs / 'ca.pem'}&cert={ours / 'cert.pem'}&key={ours / 'key.pem'}")
    assert f"does not take our certificate {ours / 'cert.pem'}" in error.detail


def test_key_is_not_the_certificates_it_is_said_before_anything_is_sent(host: Host) -> None:
    ours, other = host.folder / "client", host.folder / "other_ca"
    error = refused(f"{host.tcp}?ca={ours / 'ca.pem'}&cert={ours / 'cert.pem'}&key={other / 'key.pem'}")
    assert f"{ours / 'cert.pem'} is no certificate with the key of {other / 'key.pem'}" in error.detail
    error = refused(f"{host.tcp}?ca={ours / 'key.pem'}&cert={ours / 'cert.pem'}&key={ours / 'key.pem'}")
    assert "holds no certificate of an authority" in error.detail


def test_engine_is_known_by_another_name_it_is_said(host: Host) -> None:
    other = f"{host.ip.rpartition('.')[0]}.200"
    host.run("ip", "address", "add", f"{other}/24", "dev", "eth0")
    error = refused(f"tcp://{other}:2376?tls={host.folder / 'client'}")
    assert "certificate is not valid for" in error.detail
    assert "subjectAltName" in error.advice


def test_one_side_speaks_tls_and_the_other_does_not_both_are_told_what_to_change(testbed: Bed, host: Host) -> None:
    plain = testbed.hosts(1)[0]
    assert "speaks TLS only" in refused(host.tcp).detail
    assert "does not speak TLS" in refused(f"{plain.tcp}?tls={host.folder / 'client'}").detail


@pytest.mark.parametrize(
    ("key", "known", "what", "todo"),
    [
        ("user", "changed", "is not the known one", "fingerprint"),
        ("stranger", "known", "does not let us in", "authorized_keys"),
    ],
)
def test_ssh_does_not_come_about_it_is_said_who_does_not_know_whom(
    host: Host, key: str, known: str, what: str, todo: str
) -> None:
    ssh = HostSsh(host)
    error = refused(ssh.address, ssh.access(key=key, known=known))
    assert what in error.detail
    assert todo in error.advice
    assert error.permanent


def test_no_docker_on_the_other_side_of_ssh_it_is_said_which_socket_is_missing(host: Host) -> None:
    ssh = HostSsh(host)
    error = refused(f"{ssh.address}/run/other/docker.sock", ssh.access())
    assert "There is no Docker engine" in error.detail
    assert "/run/other/docker.sock" in error.detail
    host.kill()  # its socket stays
    error = refused(ssh.address, ssh.access())
    assert isinstance(error, EngineUnreachableError)
    assert "what listens at /var/run/docker.sock there does not answer" in error.detail
    host.repair()


def test_users_shell_is_talkative_the_way_is_found_all_the_same(host: Host) -> None:
    ssh = HostSsh(host)
    (ssh.folder / ".bashrc").write_text("echo Welcome; echo 'ready or not'\n")
    driver = DockerDriver(clock=SystemClock(), access=ssh.access())
    assert driver.check(ssh.address).startswith("Docker")
    driver.close()
    (ssh.folder / ".bashrc").unlink()


@pytest.mark.parametrize("way", ["tls", "ssh"])
def test_host_is_cut_off_and_back_calls_end_in_time_and_go_on_by_themselves(host: Host, way: str) -> None:
    driver = DockerDriver(clock=SystemClock(), control_timeout_s=1.0, access=HostSsh(host).access())
    address = address_of(host, way)
    assert driver.check(address)
    host.cut()
    began = time.monotonic()
    with pytest.raises((EngineTimeoutError, EngineUnreachableError)):
        driver.check(address)
    assert time.monotonic() - began < 6, "what is lost is waited for much longer than was allowed"
    host.mend()
    until = time.monotonic() + 10
    while (error := _fault(driver, address)) is not None:
        assert not error.permanent
        assert time.monotonic() < until, error.detail
    driver.close()


def _fault(driver: DockerDriver, address: str) -> OutsideError | None:
    try:
        driver.check(address)
    except OutsideError as error:
        return error
    return None


@pytest.mark.parametrize(
    "address",
    [
        "tcp://host",
        "tcp://host:2376?tls=relative",
        "tcp://host:2376?ca=/a.pem",
        "tcp://host:2376?verify=no",
        "ssh://host?tls=/x",
        "ssh://host/a b",
        "ssh://-oProxyCommand=x/",
        "https://host:2376",
        "unix://",
    ],
)
def test_address_is_of_no_form_it_is_refused_with_the_right_ones(address: str) -> None:
    driver = DockerDriver(clock=SystemClock())
    with pytest.raises(InvalidError) as caught:
        driver.check(address)
    assert caught.value.field == "address"
    assert caught.value.advice


def test_controller_is_killed_its_tunnel_ends_with_it(host: Host) -> None:
    """What runs at the other end reads from us."""
    ssh = HostSsh(host)
    code = (
        "import sys; from pathlib import Path; from releaser.clock import SystemClock\n"
        "from releaser.targets.docker.driver import DockerDriver; from releaser.targets.hosts.shell import SshAccess\n"
        "access = SshAccess(key=Path(sys.argv[2]), known_hosts=Path(sys.argv[3]))\n"
        "driver = DockerDriver(clock=SystemClock(), access=access); driver.check(sys.argv[1])\n"
        "print(driver._engines.lent(sys.argv[1]).__enter__()._wire._tunnel._process.pid, flush=True); input()\n"
    )
    words = [sys.executable, "-c", code, ssh.address, str(ssh.folder / "user"), str(ssh.folder / "known")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout
        tunnel = os.pidfd_open(int(controller.stdout.readline()))
        controller.kill()
    assert keeper.wait_readable(tunnel, timeout_s=5), "the connection outlives who made it"
    os.close(tunnel)
