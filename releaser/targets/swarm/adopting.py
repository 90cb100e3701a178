"""Services that run already, as they would be taken over: by name, or all of a stack. Looks only; nothing is touched.

What of a service can be declared is declared; everything else stays, because every update lays the declaration over the service
as it is. Secrets stay in the swarm: a variable or label that looks like one is never declared or shown.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from releaser.domain.adoption import Adoptable, Kept
from releaser.domain.declaration.swarm_rules import expected_time
from releaser.domain.spec import EndpointMode, HealthSpec, Order, PublishMode, SwarmPort, SwarmSpec, Volume
from releaser.errors import RefusedError
from releaser.targets.docker.container import Label
from releaser.targets.docker.declaring import HIDDEN, is_secret
from releaser.targets.docker.scene import engine_time
from releaser.targets.swarm.client import Swarm
from releaser.targets.swarm.looking import settings
from releaser.targets.swarm.payload import users_labels
from releaser.targets.swarm.scene import BEGUN, Scene, Service, Task
from releaser.targets.target import ContainerNotFoundError

Json = Mapping[str, Any]

_STACK: Final = "com.docker.stack."
_OF_STACK: Final = "com.docker.stack.namespace"
_VERSION: Final = "org.opencontainers.image.version"
_SECOND_NS: Final = 1_000_000_000
_MB: Final = 2**20
_DECLARED: Final = frozenset(
    {"Image", "Env", "Labels", "Args", "User", "StopGracePeriod", "Mounts", "Isolation"},
)
_EMPTY: Final[tuple[object, ...]] = (None, "", 0, False, [], {})


def adoptable(swarm: Swarm, *, names: tuple[str, ...], project: str) -> tuple[Adoptable, ...]:
    """See `targets.target.Adopting`; `names` are services, `project` is a stack."""
    found: list[Service] = []
    if project:
        found = [Service(one) for one in swarm.ask(lambda manager: manager.services(label=f"{_OF_STACK}={project}"))]
        if not found:
            raise ContainerNotFoundError(
                f"There is no service of a stack '{project[:80]}' in the swarm of {swarm.address}.",
                permanent=True,
                advice="See `docker stack ls` there.",
                project=project,
            )
        found.sort(key=lambda one: one.name)
    for name in names:
        raw = swarm.ask(lambda manager, name=name: manager.service(name))  # type: ignore[misc]  # bound now
        if raw is None or Service(raw).name != name:
            raise ContainerNotFoundError(
                f"There is no service '{name[:80]}' in the swarm of {swarm.address}.",
                permanent=True,
                advice="See `docker service ls` there.",
                container=name,
            )
        found.append(Service(raw))
    networks = _Networks(swarm)
    return tuple(_described(swarm, one, networks, in_stack=bool(project)) for one in found)


class _Networks:
    """The names of networks by their ids, asked for once."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._names: dict[str, str] = {}

    def name(self, network_id: str) -> str:
        """Its name; the id where it is gone."""
        if network_id not in self._names:
            raw = self._swarm.ask(lambda manager: manager.network(network_id))
            self._names[network_id] = str((raw or {}).get("Name") or network_id)
        return self._names[network_id]


def _described(swarm: Swarm, service: Service, networks: _Networks, *, in_stack: bool) -> Adoptable:
    _check(service)
    spec = declared(service, networks)
    tasks = tuple(Task(one) for one in swarm.ask(lambda manager: manager.tasks(service.id)))
    nodes = swarm.ask(lambda manager: manager.nodes())
    lost = frozenset(str(node["ID"]) for node in nodes if node["Status"]["State"] != "ready")
    scene = Scene(service=service, tasks=tasks, nodes={}, lost=lost)
    image, tag = service.image
    stack = service.labels.get(_OF_STACK, "") if in_stack else ""
    return Adoptable(
        container_id=service.id,
        name=service.name,
        service=service.name.removeprefix(f"{stack}_") if stack else "",
        image=image,
        tag=tag,
        digest=service.digest,
        version_label=service.labels.get(_VERSION, ""),
        state=BEGUN if scene.serving else "exited",
        started_at=engine_time(str(service.raw["CreatedAt"])),
        spec=spec,
        kept=tuple(sorted(_kept(service, spec, networks), key=lambda one: one.name)),
        warnings=tuple(_warnings(service, scene)),
        configuration=settings(service.spec),
    )


def _check(service: Service) -> None:
    if owner := service.labels.get(Label.TARGET):
        raise RefusedError(
            f"Service {service.name} belongs to target {owner} already.",
            rule="adopted-already",
            advice="See `releaser installation list`.",
            field="container",
        )
    if service.replicas is None:
        raise RefusedError(
            f"Service {service.name} is one of each node, or a job; only replicated services are updated here.",
            rule="swarm-replicated",
            advice="Leave it to the stack, or make it a replicated one.",
            field="container",
        )


def declared(service: Service, networks: _Networks) -> SwarmSpec:
    """What a declaration can say of it."""
    task, spec = service.task, service.spec
    container: Json = task.get("ContainerSpec") or {}
    limits: Json = (task.get("Resources") or {}).get("Limits") or {}
    endpoint: Json = spec.get("EndpointSpec") or {}
    memory, cpus = int(limits.get("MemoryBytes") or 0), int(limits.get("NanoCPUs") or 0)
    made = SwarmSpec(
        name=service.name,
        replicas=max(1, service.replicas or 0),
        networks=tuple(networks.name(str(one["Target"])) for one in task.get("Networks") or spec.get("Networks") or ()),
        ports=tuple(_ports(endpoint)),
        endpoint_mode=EndpointMode(str(endpoint.get("Mode") or "vip")),
        environment=dict(_environment(container)),
        volumes=tuple(_volumes(container)),
        labels={
            key: value
            for key, value in users_labels(spec).items()
            if not key.startswith(_STACK) and not is_secret(key, value)
        },
        command=_command(container),
        user=str(container.get("User") or ""),
        constraints=tuple(map(str, (task.get("Placement") or {}).get("Constraints") or ())),
        memory_mb=memory // _MB if memory and memory % _MB == 0 else None,
        cpus=cpus / _SECOND_NS if cpus and int(cpus / _SECOND_NS * _SECOND_NS) == cpus else None,
        stop_grace_s=round(int(container.get("StopGracePeriod") or 10 * _SECOND_NS) / _SECOND_NS),
        keep_undeclared=True,
        **_updating(spec.get("UpdateConfig") or {}),
    )
    if any(port.mode is PublishMode.HOST for port in made.ports):
        made = replace(made, order=Order.STOP_FIRST)  # two tasks of one node cannot both hold the port
    # The gate has to wait as long as swarm may take.
    expected = math.ceil(expected_time(made).total_seconds() * 2)
    return replace(
        made, health=HealthSpec(deadline_s=float(max(HealthSpec().deadline_s, expected, _check_takes(container))))
    )


def _check_takes(container: Json) -> float:
    """How long the engine's own check may take until it passes, in seconds."""
    check = container.get("Healthcheck") or {}
    if not check.get("Test") or check["Test"] == ["NONE"]:
        return 0.0
    interval, timeout = check.get("Interval") or 30 * _SECOND_NS, check.get("Timeout") or 30 * _SECOND_NS
    return (int(check.get("StartPeriod") or 0) + (interval + timeout) * int(check.get("Retries") or 3)) / _SECOND_NS


def _updating(found: Json) -> dict[str, Any]:
    return {
        "order": Order(str(found.get("Order") or "stop-first")),
        "parallel": int(found.get("Parallelism", 1)),
        "delay_s": int(found.get("Delay") or 0) / _SECOND_NS,
        "monitor_s": int(found.get("Monitor") or 5 * _SECOND_NS) / _SECOND_NS,
        "max_failure_ratio": min(0.99, float(found.get("MaxFailureRatio") or 0)),
    }


def _ports(endpoint: Json) -> Iterator[SwarmPort]:
    for one in endpoint.get("Ports") or ():
        # One whose number swarm chose is kept as it is, not declared.
        if one.get("PublishedPort"):
            yield SwarmPort(
                published=int(one["PublishedPort"]),
                target=int(one["TargetPort"]),
                protocol=str(one.get("Protocol") or "tcp"),
                mode=PublishMode(str(one.get("PublishMode") or "ingress")),
            )


def _environment(container: Json) -> Iterator[tuple[str, str]]:
    for text in container.get("Env") or ():
        name, equals, value = str(text).partition("=")
        if equals and name and not is_secret(name, value):
            yield name, value


def _volumes(container: Json) -> Iterator[Volume]:
    for one in container.get("Mounts") or ():
        if (
            one.get("Source")
            and set(one) <= {"Type", "Source", "Target", "ReadOnly"}
            and one.get("Type") in {"bind", "volume"}
        ):
            yield Volume(source=str(one["Source"]), target=str(one["Target"]), read_only=bool(one.get("ReadOnly")))


def _command(container: Json) -> tuple[str, ...]:
    words = tuple(map(str, container.get("Args") or ()))
    return () if any(is_secret(word, word) for word in words) else words


def _kept(service: Service, spec: SwarmSpec, networks: _Networks) -> Iterator[Kept]:
    """What the declaration does not say, in the swarm's words; secrets are named, not shown."""
    container: Json = service.task.get("ContainerSpec") or {}
    for text in container.get("Env") or ():
        name, _, value = str(text).partition("=")
        if name not in spec.environment:
            yield Kept(name=f"environment {name}", value=HIDDEN if is_secret(name, value) else value)
    labels = users_labels(service.spec)
    yield from (
        Kept(name=f"label {name}", value=value if name.startswith(_STACK) else HIDDEN)
        for name, value in labels.items()
        if name not in spec.labels
    )
    told = {volume.target for volume in spec.volumes}
    yield from (
        Kept(name="Mounts", value=_text(one)) for one in container.get("Mounts") or () if one["Target"] not in told
    )
    if container.get("Args") and not spec.command:
        yield Kept(name="Args", value=HIDDEN)
    for name, value in container.items():
        if name not in _DECLARED and value not in _EMPTY:
            yield Kept(name=name, value=_text(value))
    yield from (
        Kept(name=f"container label {name}", value=HIDDEN)
        for name in container.get("Labels") or {}
        if not name.startswith(_STACK)
    )
    task = service.task
    yield from _of_task(task)
    for one in task.get("Networks") or ():
        if more := {key: value for key, value in one.items() if key != "Target" and value}:
            yield Kept(name=f"network {networks.name(str(one['Target']))}", value=_text(more))


def _of_task(task: Json) -> Iterator[Kept]:
    for name in ("RestartPolicy", "LogDriver"):
        if task.get(name):
            yield Kept(name=name, value=_text(task[name]))
    for name, value in (task.get("Placement") or {}).items():
        if name not in {"Constraints", "Platforms"} and value not in _EMPTY:
            yield Kept(name=f"Placement {name}", value=_text(value))
    reserved = (task.get("Resources") or {}).get("Reservations")
    if reserved:
        yield Kept(name="Reservations", value=_text(reserved))


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return HIDDEN if is_secret("", text) else text


def _warnings(service: Service, scene: Scene) -> Iterator[str]:
    if not service.replicas:
        yield f"{service.name} is scaled to no task; the first update starts one"
    elif not scene.serving:
        yield f"no task of {service.name} runs"
    action = str((service.spec.get("UpdateConfig") or {}).get("FailureAction") or "pause")
    if action != "pause":
        yield f"swarm does '{action}' when an update of {service.name} fails; from now on it pauses, and the rollout goes back"
    if service.labels.get(_OF_STACK):
        yield f"do not run `docker stack deploy` for {service.name} any more: it would put back its own version"
    if service.digest is None:
        yield f"{service.name} goes by a tag, so its nodes may run different images"
