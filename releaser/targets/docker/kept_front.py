"""The small front that owns a target's fixed ports, so that the containers behind it come and go without a gap.

An HAProxy in a container of its own (`<name>-front`), made once and left alone by updates. It is steered at its own address on the
target's network, where nobody else should be: whoever is on that network can steer it. When it starts again it knows no server;
until it is told, it finds the containers by their names, and shares the requests among all that it finds. It has names to spare,
for replicas that are added after it was made; those are asked for seldom, for the engine passes on what it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from releaser.clock import Clock
from releaser.domain.spec import ContainerSpec, FrontKind, FrontSpec, of_kind
from releaser.domain.target import Assignment
from releaser.errors import OutsideError
from releaser.targets.docker.client import Engine
from releaser.targets.docker.container import Label, create_payload
from releaser.targets.docker.faults import image_not_found
from releaser.targets.docker.scene import Found
from releaser.targets.front import Front, FrontUnreachableError
from releaser.targets.fronts.opening import Opener, open_front
from releaser.targets.target import NameTakenError, PortTakenError

BACKEND: Final = "app"
API_PORT: Final = 9999
_ROLE: Final = "front"
_ANSWERS_IN_S: Final = 5.0
_STOPS_IN_S: Final = 1
# HAProxy's soft stop: it ends when what is under way has ended.
_STOPS_BY: Final = "SIGUSR1"
_TRIED_FOR_S: Final = 30.0
_TRIED_EVERY_S: Final = 0.02
_SPARE: Final = 4
_SPARE_EVERY_S: Final = 10
_START: Final = 'printf "%s" "$FRONT" > /tmp/front.cfg && exec haproxy -db -f /tmp/front.cfg'
# One thread is enough before a few containers, and has no other one to wait for when its servers change.
_CONFIG: Final = """global
    nbthread 1
    stats socket ipv4@*:{api} level admin
    stats timeout 10s
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    retries 3
    option redispatch 1
    option forwardfor
resolvers docker
    nameserver dns 127.0.0.11:53
    hold valid 1s
resolvers spare
    nameserver dns 127.0.0.11:53
    timeout resolve {spare_every}s
    hold valid {spare_every}s
frontend port
    bind :{port}
    default_backend app
backend app
    balance roundrobin
    option allbackups
{found}
"""


class FrontDiffersError(OutsideError):
    """The front that is there would not serve what is declared."""


class KeptFront:
    """The front of one target on one engine."""

    def __init__(self, engine: Engine, assignment: Assignment, *, clock: Clock, opener: Opener = open_front) -> None:
        self._engine = engine
        self._assignment = assignment
        self._spec = of_kind(assignment.desired.spec, ContainerSpec)
        self._clock = clock
        self._opener = opener
        self.target = f"{assignment.target}#front"

    @property
    def name(self) -> str:
        """What its container is called."""
        return f"{self._spec.name}-front"

    def found(self) -> Found | None:
        """Its container. Raises `NameTakenError` when somebody else has the name."""
        raw = self._engine.container(self.name)
        if raw is None:
            return None
        found = Found(raw)
        if found.labels.get(Label.TARGET) != self.target:
            raise NameTakenError(
                f"The name {self.name} is held on {self._assignment.host} by a container that is no front of ours.",
                advice="Rename or remove it.",
                container=found.id,
            )
        return found

    @property
    def is_up(self) -> bool:
        """Whether there is anybody to be steered."""
        found = self.found()
        return found is not None and found.is_up

    def create(self) -> str:
        """Made beforehand; it is started when the port is free."""
        found, front = self.found(), self._spec.front
        if front is None:
            return "no front is wanted"
        if found is not None and (differs := self._differs(found, front)):
            if self._serves_before:
                raise self._other(differs)
            self.remove()  # an attempt with another specification left it over, and nobody asks it
            found = None
        if found is not None:
            other = found.raw["Config"].get("Image") != front.image
            return f"{self.name} is there already" + (" (of another image; it stays as it is)" if other else "")
        if self._engine.image(front.image) is None:
            repository, tag = _parted(front.image)
            self._engine.pull(repository, tag)
            if self._engine.image(front.image) is None:
                raise image_not_found(front.image, "the pull ended well, but the image is not on the host")
        container_id = self._engine.create(self.name, self._payload(front))
        for network in self._spec.networks[1:]:
            self._engine.connect(network, container_id, {})
        return f"created {self.name} from {front.image}"

    def start(self) -> str:
        """Started; whoever is just stopping may hold the port for another moment."""
        found = self.found()
        if found is None:
            self.create()
            found = self.found()
        assert found is not None  # noqa: S101 -- just made
        if not found.is_up:
            start_when_free(self._engine, found, clock=self._clock)
        self._await_answer()
        ports = sorted({int(port) for _, _, port in _bindings(found.raw)})
        return f"{self.name} serves port {', '.join(map(str, ports))}"

    def stop(self) -> str:
        """The port is free again."""
        found = self.found()
        if found is None or not found.is_up:
            return f"{self.name} does not run"
        self._engine.stop(found.id, grace_s=_STOPS_IN_S)
        return f"{self.name} stopped"

    def remove(self) -> None:
        """Away with it."""
        if (found := self.found()) is not None:
            self._engine.remove(found.id, volumes=True)

    def opened(self) -> Front:
        """To be steered. Raises `FrontUnreachableError` while it does not run."""
        found = self.found()
        networks = (found.raw["NetworkSettings"].get("Networks") or {}) if found is not None else {}
        address = next((one["IPAddress"] for one in networks.values() if (one or {}).get("IPAddress")), "")
        if not address:
            raise FrontUnreachableError(
                f"The front {self.name} on {self._assignment.host} does not run.",
                permanent=False,
                advice=f"Look why: docker logs {self.name}",
            )
        api = f"tcp://{address}:{API_PORT}"
        return self._opener(FrontSpec(kind=FrontKind.HAPROXY, group=BACKEND, port=API_PORT, address=api))

    @property
    def _serves_before(self) -> bool:
        """Whether it is asked by users already."""
        previous = self._assignment.previous
        before = of_kind(previous.spec, ContainerSpec).front if previous is not None else None
        return before is not None and bool(before.image)

    def _differs(self, found: Found, front: FrontSpec) -> str:
        """In words, what of a front that is there is otherwise than it would be made now; empty where it can serve."""
        there, wanted = (
            ", ".join(sorted(f"{f'{host}:' if host else ''}{port}" for _, host, port in _bindings(one)))
            for one in (found.raw, self._payload(front))
        )
        if _bindings(found.raw) != _bindings(self._payload(front)):
            return f"owns port {there or 'none'}, not {wanted or 'none'}"
        if (network := self._spec.networks[0]) not in found.networks:
            return f"is not on the network '{network}'"
        configured = "\n".join(found.raw["Config"].get("Env") or ())
        return "" if f"bind :{front.port}\n" in configured else f"asks the containers at another port than {front.port}"

    def _other(self, differs: str) -> FrontDiffersError:
        return FrontDiffersError(
            f"The front {self.name} on {self._assignment.host} {differs}, as target {self._assignment.target} wants it.",
            permanent=True,
            advice=f"An update leaves it alone. When the service may stop: docker rm -f {self.name}, then try again; it is made anew.",
            target=self._assignment.target,
        )

    def _await_answer(self) -> None:
        ends = self._clock.monotonic() + _ANSWERS_IN_S
        while True:
            try:
                self.opened().check()
            except FrontUnreachableError:
                if self._clock.monotonic() > ends:
                    raise
                self._clock.sleep(_TRIED_EVERY_S)
            else:
                return

    def _payload(self, front: FrontSpec) -> Mapping[str, Any]:
        config = self._config(front)
        fixed = ContainerSpec(
            name=self.name,
            ports=tuple(port for port in self._spec.ports if port.host_port),
            networks=self._spec.networks,
            restart="always",
        )
        labels = {
            Label.TARGET: self.target,
            Label.ROLLOUT: str(self._assignment.rollout),
            Label.GENERATION: str(self._assignment.generation),
            Label.ROLE: _ROLE,
        }
        payload = create_payload(fixed)
        payload |= {
            "Image": front.image,
            "Env": [f"FRONT={config}"],
            "Entrypoint": ["sh", "-c", _START],
            "StopSignal": _STOPS_BY,
        }
        return {**payload, "Labels": {key.value: value for key, value in labels.items()}}

    def _config(self, front: FrontSpec) -> str:
        replicas = self._spec.replicas
        by_name = [
            f"    server found-{slot} {self._spec.name}-{slot}:{front.port} backup init-addr none"
            f" resolvers {'docker' if slot <= replicas else 'spare'}"
            for slot in range(1, replicas + max(_SPARE, replicas) + 1)
        ]
        return _CONFIG.format(api=API_PORT, port=front.port, spare_every=_SPARE_EVERY_S, found="\n".join(by_name))


def _bindings(described: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """The ports of the host that it owns: container's port, address, host's port."""
    found = described["HostConfig"].get("PortBindings") or {}
    return {(port, one.get("HostIp") or "", str(one["HostPort"])) for port, all_ in found.items() for one in all_ or ()}


def start_when_free(engine: Engine, found: Found, *, clock: Clock) -> None:
    """Start again and again until the port is free; raises `PortTakenError` when somebody keeps it."""
    ends = clock.monotonic() + _TRIED_FOR_S
    while True:
        try:
            engine.start(found.id)
        except PortTakenError:
            if clock.monotonic() > ends:
                raise
            clock.sleep(_TRIED_EVERY_S)
        else:
            return


def _parted(image: str) -> tuple[str, str]:
    repository, at, digest = image.partition("@")
    if at:
        return repository, digest
    repository, colon, tag = image.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (image, "latest")
