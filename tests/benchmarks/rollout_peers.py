"""The peers' ways of replacing containers, by their own command lines, in the order of steps that their documentation gives.

- docker-rollout: as many containers again by `docker-compose up --scale … --no-recreate`, a look at each every second until all are
  healthy, then the old ones stopped and removed; drained: before that its hook in every old one. Its documentation asks for a proxy
  that finds containers by itself.
- compose, recreate: `docker-compose up` with another image.
- swarm, start-first: `docker service update` of a service with `dnsrr`, until the engine says `completed`.

The proxy of them all is HAProxy in a container, as HAProxy's own text about discovery by the engine's names sets it up: a template of servers, found by
name every second, checked every second. Containers are checked by the image's HEALTHCHECK, every second.

Only the order of steps is theirs; no code of these projects is here.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from releaser.clock import SystemClock
from releaser.errors import OutsideError
from releaser.targets.front import ServerState
from releaser.targets.fronts.haproxy import HAProxy
from tests.benchmarks.rollout_world import GRACE_S, HAPROXY, NETWORK, PORT, Begun, Bench
from tests.needs import program

SERVICE: Final = "app"
PROJECT: Final = "measured"
OVERLAY: Final = "measured-overlay"
LOOKS_EVERY_S: Final = 1.0
"""How often docker-rollout looks whether the new containers are healthy."""
HOOK: Final = ("/bin/busybox", "rm", "/www/healthz")
"""What docker-rollout runs in an old container: its check fails from now on."""
HOOK_WAITS_S: Final = 3.0
"""How long its hook goes on, for the proxy to see that and for requests to end."""
_SETTLES_S: Final = 60.0
_MEMBERS: Final = 7946
_SWARM: Final = ("--listen-addr", "127.0.0.1:22377", "--advertise-addr", "127.0.0.1:22377", "--data-path-port", "24789")
_COMPOSE: Final = """version: "3.8"
services:
  {service}:
    image: "{image}"
    stop_grace_period: {grace}s
    healthcheck: {{interval: 1s, timeout: 5s, retries: 5}}
    networks: [{network}]
networks:
  {network}: {{external: true}}
"""
_FRONT: Final = """global
    stats socket ipv4@*:9999 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
    retries 3
    option redispatch 1
resolvers docker
    nameserver dns 127.0.0.11:53
    resolve_retries 3
    timeout resolve 1s
    timeout retry 1s
    hold valid 1s
    hold obsolete 1s
frontend web
    bind :{port}
    default_backend app
backend app
    balance roundrobin
    option httpchk GET /healthz
    default-server check inter 1s fall 2 rise 1
    server-template app 1-{most} {name}:{port} resolvers docker init-addr none
"""


@dataclass(frozen=True, slots=True)
class Lines:
    """Command lines against one engine."""

    bench: Bench

    def run(self, *words: str, **environment: str) -> str:
        """What it printed. Raises AssertionError with what it said when it fails."""
        given = {**os.environ, "DOCKER_HOST": self.bench.address, "COMPOSE_PROJECT_NAME": PROJECT, **environment}
        done = subprocess.run(words, env=given, cwd=self.bench.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[-1000:]}"
        return done.stdout.strip()

    def docker(self, *words: str) -> str:
        """`docker …`."""
        return self.run(program("docker", of="docker"), *words)

    def compose(self, *words: str) -> str:
        """`docker-compose …`."""
        return self.run(program("docker-compose", of="docker-compose"), *words)

    def declare(self, version: str) -> None:
        """Write the project's file for a version."""
        image = self.bench.checked(version)
        text = _COMPOSE.format(service=SERVICE, image=image, grace=GRACE_S, network=NETWORK)
        (self.bench.folder / "docker-compose.yml").write_text(text, "utf-8")


def bare(bench: Bench, count: int) -> Begun:
    """Create, start, stop and remove, one after the other: nobody waits for health, no proxy, nobody served by these."""
    engine = bench.engine()
    served = [bench.create(engine, f"measured-{number}", "1.0") for number in range(count)]
    old = [bench.create(engine, f"measured-old-{number}", "1.0") for number in range(count)]
    for container_id in (*served, *old):
        engine.start(container_id)
    for number, container_id in enumerate(served):
        bench.await_ready(bench.address_of(engine, container_id))
        bench.front.put(f"measured-{number}", bench.address_of(engine, container_id))

    def update() -> None:
        for number, former in enumerate(old):
            engine.start(bench.create(engine, f"measured-new-{number}", "1.1"))
            engine.stop(former, grace_s=GRACE_S)
            engine.remove(former, volumes=True)
        engine.close()

    return Begun(update)


def docker_rollout(*, drained: bool) -> Callable[[Bench, int], Begun]:
    """Twice as many, all healthy, then the old ones go; `drained`: with its hook before they are stopped."""

    def begin(bench: Bench, count: int) -> Begun:
        lines = Lines(bench)
        host = _composed(lines, count)

        def update() -> None:
            old = lines.compose("ps", "-q", SERVICE).split()
            lines.compose("up", "-d", "--scale", f"{SERVICE}={2 * len(old)}", "--no-recreate", SERVICE)
            new = [one for one in lines.compose("ps", "-q", SERVICE).split() if one not in old]
            while not all(_is_healthy(lines, one) for one in new):
                time.sleep(LOOKS_EVERY_S)
            if drained:
                for one in old:
                    lines.docker("exec", one, *HOOK)
                time.sleep(HOOK_WAITS_S)
            lines.docker("stop", *old)
            lines.docker("rm", *old)

        lines.declare("1.1")
        return Begun(update, host=host, port=PORT, after_s=3.0)

    return begin


def compose_recreate(bench: Bench, count: int) -> Begun:
    """Another image in the file, and `up`: each container is stopped before its successor is made."""
    lines = Lines(bench)
    host = _composed(lines, count)
    lines.declare("1.1")
    return Begun(
        lambda: _ignored(lines.compose("up", "-d", "--scale", f"{SERVICE}={count}", SERVICE)),
        host=host,
        port=PORT,
        after_s=3.0,
    )


def swarm_start_first(*, parallel: int) -> Callable[[Bench, int], Begun]:
    """A service on a swarm of this one engine, `parallel` tasks at a time; 0 is all of them."""

    def begin(bench: Bench, count: int) -> Begun:
        lines = Lines(bench)
        _swarm(lines)
        order = ("--update-order", "start-first", "--update-parallelism", str(parallel))
        where = ("--endpoint-mode", "dnsrr", "--network", OVERLAY, "--stop-grace-period", f"{GRACE_S}s")
        health = ("--health-interval", "1s", "--health-timeout", "5s", "--health-retries", "5")
        words = ("--name", PROJECT, "--replicas", str(count), *order, *where, *health, bench.checked("1.0"))
        try:
            lines.docker("service", "create", "-d", *words)
            host = _front(lines, PROJECT, count, networks=(OVERLAY, NETWORK))
        except AssertionError:
            _end_swarm(lines)
            raise

        def update() -> None:
            lines.docker("service", "update", "-d", "--image", bench.checked("1.1"), PROJECT)
            while _update_state(lines) != "completed":
                time.sleep(0.2)

        return Begun(update, host=host, port=PORT, after_s=3.0, end=lambda: _end_swarm(lines))

    return begin


def _end_swarm(lines: Lines) -> None:
    lines.docker("rm", "-f", f"{PROJECT}-front")
    lines.docker("service", "rm", PROJECT)
    _settle(lambda: not lines.docker("ps", "-aq", "--filter", f"name=^{PROJECT}"), "the service is gone")
    lines.docker("network", "rm", OVERLAY)
    lines.docker("swarm", "leave", "--force")


def _composed(lines: Lines, count: int) -> str:
    """The first version in service behind its front; the front's address."""
    lines.declare("1.0")
    lines.compose("up", "-d", "--scale", f"{SERVICE}={count}", SERVICE)
    return _front(lines, SERVICE, count, networks=(NETWORK,))


def _front(lines: Lines, name: str, count: int, *, networks: tuple[str, ...]) -> str:
    """A HAProxy that finds `name` by the engine's names, when all of them are in; its address."""
    config = _FRONT.format(port=PORT, name=name, most=5 * count)
    container = f"{PROJECT}-front"
    start = 'printf "%s" "$FRONT" > /tmp/front.cfg && exec haproxy -db -f /tmp/front.cfg'
    words = ("--name", container, "--network", networks[0], "-e", f"FRONT={config}", "--entrypoint", "sh")
    lines.docker("create", *words, HAPROXY, "-c", start)
    for network in networks[1:]:
        lines.docker("network", "connect", network, container)
    lines.docker("start", container)
    address = '{{(index .NetworkSettings.Networks "' + networks[-1] + '").IPAddress}}'
    host = lines.docker("inspect", "--format", address, container)
    front = HAProxy(address=f"tcp://{host}:9999", backend="app", clock=SystemClock())

    def all_in() -> bool:
        try:
            return sum(one.state is ServerState.READY for one in front.servers().values()) >= count
        except OutsideError:
            return False

    _settle(all_in, f"{count} servers are in the front")
    return host


def _is_healthy(lines: Lines, container_id: str) -> bool:
    return lines.docker("inspect", "--format", "{{.State.Health.Status}}", container_id) == "healthy"


def _swarm(lines: Lines) -> None:
    """Raises AssertionError where another swarm has the port on which members talk, which cannot be chosen: nobody would be found by name."""
    with socket.socket() as tried:
        taken = tried.connect_ex(("127.0.0.1", _MEMBERS)) == 0
    assert not taken, f"another swarm on this machine has port {_MEMBERS}"
    lines.docker("swarm", "init", *_SWARM)
    lines.docker("network", "create", "-d", "overlay", "--attachable", OVERLAY)


def _update_state(lines: Lines) -> str:
    told: Mapping[str, str] = json.loads(
        lines.docker("service", "inspect", "--format", "{{json .UpdateStatus}}", PROJECT)
    )
    assert told["State"] in {"updating", "completed"}, told
    return told["State"]


def _settle(holds: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + _SETTLES_S
    while not holds():
        assert time.monotonic() < ends, f"not after {_SETTLES_S:g} s: {what}"
        time.sleep(0.1)


def _ignored(_: object) -> None:
    """Nobody asks for it."""
