"""The declared specification of a target: what it is made from, and how an update of it is to go.

There is one kind of specification for each driver; `kind` is the driver's name and tells them apart where they are kept.
What steers an update (deadlines, probes, order, grace, soak) is no part of what runs, and is left out of `config_hash`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import ClassVar, Final, Literal, TypeAlias, TypeVar

from releaser.errors import InvalidError


class Order(StrEnum):
    """Which of the two containers is there first."""

    STOP_FIRST = "stop-first"
    START_FIRST = "start-first"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortBinding:
    """A container port published on the host: `host_ip:host_port -> container_port/protocol`.

    `host_port` 0 lets the engine choose a free one; an empty `host_ip` is every address of the host, of IPv6 too.
    """

    container_port: int
    host_port: int
    host_ip: str = "127.0.0.1"
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A named volume or an absolute host path mounted at `target`."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSpec:
    """When a container counts as healthy.

    `http` is a URL probed from where the controller runs; `{ip}` in it stands for the container's own address on
    its first network and `{port}` for the host port of its first published port, so that the probe reaches this
    container and not the one it replaces, `{host}` for the machine its engine is on. `command` becomes the engine's HEALTHCHECK. With neither (and no HEALTHCHECK in the
    image) the gate is "stayed up for `stay_up_for_s`", marked weak. All durations in seconds. `outside` is the URL at which users
    reach the service, whichever container serves: it belongs to the gate, and a stop is measured there; left out a stop is measured at
    `http`, where that is the same before and after.
    """

    http: str | None = None
    outside: str | None = None
    http_status: int = 200
    command: tuple[str, ...] = ()
    interval_s: float = 1.0
    timeout_s: float = 2.0
    deadline_s: float = 60.0
    stay_up_for_s: float = 5.0


class Cutover(StrEnum):
    """How a single container with a fixed port is handed over to the next one; see `releaser.targets.docker.cutover`."""

    STOP_FIRST = "stop-first"
    NETWORK_SWAP = "network-swap"
    FRONT = "front"


class FrontKind(StrEnum):
    """What stands before the containers and shares requests among them."""

    HAPROXY = "haproxy"
    CADDY = "caddy"
    TRAEFIK = "traefik"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontSpec:
    """The front before the replicas: containers are put into its `group` when healthy, and drained before they are stopped.

    `group` is HAProxy's backend, the `@id` of Caddy's handler, Traefik's service. `port` is the container's port that is asked,
    `address` where the front is steered from (`unix:///path`, `tcp://host:port`, `http://host:port`), `file` the section of
    HAProxy's configuration that is kept in step. With `image` the driver keeps a small HAProxy of its own before the target,
    which owns the target's fixed ports. A container that is still busy after `drain_s` is stopped all the same.
    """

    kind: FrontKind
    group: str = ""
    port: int
    address: str = ""
    file: str = ""
    image: str = ""
    drain_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """What every kind of specification has. `name` names the target on its host; the rest steers any update.

    `steering` names the fields of a kind that are no part of what runs. `kind` is never written by people: it follows from
    the target's driver.
    """

    steering: ClassVar[frozenset[str]] = frozenset({"kind", "order", "soak_s", "stop_grace_s", "health"})

    name: str
    stop_grace_s: int = 10
    order: Order = Order.STOP_FIRST
    health: HealthSpec = field(default_factory=HealthSpec)
    soak_s: float = 0.0
    kind: str = field(default="", compare=False, repr=False)

    def checked_by_engine(self) -> object:
        """What of the health check is a part of what runs; None when nothing is."""
        return None

    def made_besides(self) -> Mapping[str, object]:
        """What of the steering fields is a part of what runs all the same, by name."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec(TargetSpec):
    """The declared specification of a docker target. `name` is the container's name on its host.

    With `keep_undeclared` everything that is not declared stays as it is in the container that is replaced. With a `front` or
    several `replicas` the containers are called `<name>-1`, `<name>-2` …, and `parallel` of them are replaced at a time.
    """

    steering: ClassVar[frozenset[str]] = TargetSpec.steering | {
        *("keep_undeclared", "cutover", "front", "replicas", "parallel"),
    }

    networks: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    ports: tuple[PortBinding, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    user: str = ""
    restart: str = "always"
    memory_mb: int | None = None
    cpus: float | None = None
    keep_undeclared: bool = False
    cutover: Cutover = Cutover.STOP_FIRST
    front: FrontSpec | None = None
    replicas: int = 1
    parallel: int = 1
    kind: Literal["docker"] = field(default="docker", compare=False, repr=False)

    def checked_by_engine(self) -> object:
        """The engine's own HEALTHCHECK belongs to the container."""
        health = self.health
        return [list(health.command), health.interval_s, health.timeout_s] if health.command else None

    def made_besides(self) -> Mapping[str, object]:
        """How many there are; and labels, by which Traefik is told of a container, are fixed when it is made."""
        made: dict[str, object] = {"replicas": self.replicas} if self.replicas != 1 else {}
        if self.front is not None and self.front.kind is FrontKind.TRAEFIK:
            made["front"] = [self.front.kind, self.front.group, self.front.port]
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationFile:
    """A file of configuration at the absolute `path`, whole as it shall be; `mode` in octal digits."""

    path: str
    content: str
    mode: str = "0644"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """How the service is stopped, started and looked at: by systemd, or by commands of any kind.

    With systemd `unit` is its unit, the target's name when empty, and `systemctl` how systemd is called (such as
    `sudo -n systemctl`). With commands all three are given: `start` returns when it is started, `stop` when it is stopped,
    `status` ends with 0 while it runs, and may print `pid 123`, by which a restart is noticed.
    """

    unit: str = ""
    systemctl: tuple[str, ...] = ("systemctl",)
    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    status: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesSpec(TargetSpec):
    """The declared specification of a target that is files: unpacked under `root`, served from `root/current`.

    `strip` leading folders of the archive's paths are left out; with `as_file` the artifact is not unpacked but put in place
    under that name. `validator` is run on the new files before anything is stopped: `{release}` in it is the folder of the new
    release, `{configuration}` a folder that holds every configuration file under its whole path, `{root}` the root.
    `keep` previous releases stay on the host.
    """

    steering: ClassVar[frozenset[str]] = TargetSpec.steering | {"validator", "keep"}

    root: str
    configuration: tuple[ConfigurationFile, ...] = ()
    service: ServiceSpec = field(default_factory=ServiceSpec)
    validator: tuple[str, ...] = ()
    strip: int = 0
    as_file: str = ""
    keep: int = 2
    kind: Literal["files"] = field(default="files", compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeSpec(TargetSpec):
    """The declared specification of a target that is one service of a compose project, which stays its owner's.

    `folder` is where the project lies on the host, `files` its files in compose's order (those that compose finds by itself
    when empty), `project` its name as compose shows it. `docker` is how docker is called there (such as `sudo -n docker`),
    `compose` how compose is, found there when empty. `memory_mb` and `cpus` are laid over what the project says.
    """

    steering: ClassVar[frozenset[str]] = TargetSpec.steering | {"docker", "compose"}

    folder: str
    project: str
    service: str
    files: tuple[str, ...] = ()
    memory_mb: int | None = None
    cpus: float | None = None
    docker: tuple[str, ...] = ("docker",)
    compose: tuple[str, ...] = ()
    kind: Literal["compose"] = field(default="compose", compare=False, repr=False)


class PublishMode(StrEnum):
    """Which nodes of a swarm answer at a published port: every one, or those with a task."""

    INGRESS = "ingress"
    HOST = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmPort:
    """A port of a service published on the nodes: `published -> target`.

    With `ingress` every node answers at it and passes on to a task, which needs IP_VS in the nodes' kernels; with `host` only
    a node with a task of its own answers.
    """

    published: int
    target: int
    protocol: str = "tcp"
    mode: PublishMode = PublishMode.INGRESS


class EndpointMode(StrEnum):
    """How a service is found by its name: at one virtual address (needs IP_VS), or at the addresses of its tasks."""

    VIP = "vip"
    DNSRR = "dnsrr"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmProxy:
    """A small HAProxy of the driver's own before a `dnsrr` service: one on every node that fits `constraints`.

    It publishes the target's ports on its nodes and finds the tasks by their names. `image` is its whole reference, best with
    a digest.
    """

    image: str
    constraints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmSpec(TargetSpec):
    """The declared specification of a target that is a service of a swarm, called `name`. The host is a manager.

    `parallel` tasks (0: all) are replaced at a time, `delay_s` apart; each is watched for `monitor_s`, and when more than
    `max_failure_ratio` of them fail, swarm pauses and the target is rolled back. `managers` are further addresses of the same
    swarm, asked where the host does not answer. With `keep_undeclared` what is not declared stays as the service has it.
    """

    steering: ClassVar[frozenset[str]] = TargetSpec.steering | {
        *("parallel", "delay_s", "monitor_s", "max_failure_ratio", "managers", "keep_undeclared"),
    }

    replicas: int = 1
    networks: tuple[str, ...] = ()
    ports: tuple[SwarmPort, ...] = ()
    endpoint_mode: EndpointMode = EndpointMode.VIP
    proxy: SwarmProxy | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    user: str = ""
    constraints: tuple[str, ...] = ()
    memory_mb: int | None = None
    cpus: float | None = None
    order: Order = Order.START_FIRST
    parallel: int = 1
    delay_s: float = 0.0
    monitor_s: float = 5.0
    max_failure_ratio: float = 0.0
    managers: tuple[str, ...] = ()
    keep_undeclared: bool = False
    kind: Literal["swarm"] = field(default="swarm", compare=False, repr=False)

    def checked_by_engine(self) -> object:
        """The engine's own HEALTHCHECK belongs to the tasks."""
        health = self.health
        return [list(health.command), health.interval_s, health.timeout_s] if health.command else None


AnySpec: TypeAlias = ContainerSpec | FilesSpec | ComposeSpec | SwarmSpec
"""Every kind there is: what a field holds that is kept and read back."""

SPEC_KINDS: Final[Mapping[str, type[TargetSpec]]] = {
    "docker": ContainerSpec,
    "files": FilesSpec,
    "compose": ComposeSpec,
    "swarm": SwarmSpec,
}
"""The kind of specification by its driver's name."""

Kind = TypeVar("Kind", bound=TargetSpec)


class OtherKindError(InvalidError):
    """The specification is of another kind than its driver's."""


def of_kind(spec: TargetSpec, kind: type[Kind]) -> Kind:
    """The specification as one of `kind`. Raises `OtherKindError`: a target does not go from one driver to another."""
    if isinstance(spec, kind):
        return spec
    raise OtherKindError(
        f"Target '{spec.name}' has a specification for the driver '{spec.kind}', which is not the driver that updates it.",
        advice="Declare a new target for the new driver, and remove the old one when nothing runs there any more.",
        field="driver",
    )


def config_hash(spec: TargetSpec) -> str:
    """Twelve hex digits naming everything of the specification that what runs is made from.

    Deadlines, the HTTP probe, order, grace and soak steer the update and are not part of what runs; the engine's
    own health check is.
    """
    data: dict[str, object] = {
        f.name: _plain(getattr(spec, f.name)) for f in fields(spec) if f.name not in spec.steering
    }
    data |= spec.made_besides()
    if (checked := spec.checked_by_engine()) is not None:
        data["health"] = checked
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]


def _plain(value: object) -> object:
    """Data that JSON writes the same way every time."""
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
