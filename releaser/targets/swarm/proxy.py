"""The small HAProxy that the driver keeps before a service where swarm's own load balancing cannot work, or is not wanted.

It is a service of its own, `<name>-proxy`, with one task on every node that fits, which owns the published ports there: so every
such node answers, as with swarm's routing mesh. It finds the tasks by their name in the engine's DNS and checks each by itself;
a task that swarm takes away leaves the DNS first. Its configuration is one of swarm's, named by its content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from releaser.domain.spec import SwarmSpec, of_kind
from releaser.domain.target import Assignment, Desired, Health, Verdict
from releaser.errors import ConflictError, OutsideError
from releaser.targets.docker.container import Label
from releaser.targets.docker.credentials import Credentials
from releaser.targets.docker.faults import one_line
from releaser.targets.swarm.client import Swarm
from releaser.targets.swarm.scene import BEGUN, Service, Task
from releaser.targets.swarm.steps import is_other_proxy, proxy_text, room_of
from releaser.targets.target import NameTakenError

MADE_FROM: Final = "releaser.proxy"
"""The label that says what a proxy was made from."""
_PATH: Final = "/haproxy.cfg"
_SECOND_NS: Final = 1_000_000_000
_MOST_NAME: Final = 40
_TRIES_OF_EACH: Final = 1
_LAST_LINES: Final = 5

# Without a limit of its own HAProxy takes what the engine allows.
_HEAD: Final = """defaults
    mode http
    timeout connect 300ms
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 10s
    retries 5
    option redispatch 1
    retry-on conn-failure empty-response
    default-server check inter 500ms fastinter 200ms downinter 300ms fall 1 rise 1 init-addr none
resolvers swarm
    nameserver engine 127.0.0.11:53
    accepted_payload_size 8192
    resolve_retries 3
    timeout resolve 250ms
    timeout retry 500ms
    hold valid 250ms
    hold obsolete 0s
"""
# What was begun with a task that vanished is begun again elsewhere only where that is harmless.
_FRONTEND: Final = """frontend port-{published}
    bind :{published}
    default_backend tasks-{target}
"""
_BACKEND: Final = """backend tasks-{target}
    balance roundrobin
    http-request disable-l7-retry unless METH_GET
    server-template task {most} {name}:{target} resolvers swarm
"""


def name_of(spec: SwarmSpec) -> str:
    """What the proxy's service is called."""
    return f"{spec.name[: 63 - len('-proxy')]}-proxy"


def configuration(spec: SwarmSpec) -> str:
    """HAProxy's configuration: a frontend for each port, and the service's tasks by their name."""
    most = room_of(spec)
    published = dict.fromkeys(port.published for port in spec.ports)
    fronts = {port.published: port.target for port in spec.ports}
    frontends = [_FRONTEND.format(published=port, target=fronts[port]) for port in published]
    backends = [_BACKEND.format(target=target, most=most, name=spec.name) for target in dict.fromkeys(fronts.values())]
    return "".join([_HEAD, *frontends, *backends])


class Change(StrEnum):
    """What may be done to a proxy that is there: to change one stops what it serves."""

    NONE = "none"
    OTHER = "other"
    """Only where it is known to be another one than is wanted."""
    ANY = "any"
    """Unless it is told exactly what is wanted."""


def ensure(swarm: Swarm, assignment: Assignment, wanted: Desired, *, credentials: Credentials, change: Change) -> str:
    """Make it as `wanted` declares it, or remove it where nothing of it is declared; one line for the journal."""
    spec = of_kind(wanted.spec, SwarmSpec)
    if spec.proxy is None:
        return remove(swarm, assignment, spec)
    text = configuration(spec)
    config = f"{spec.name[:_MOST_NAME]}-proxy-{_hash(text)}"
    there = _found(swarm, assignment, spec)
    if there is not None:
        said = there.labels.get(MADE_FROM)
        if said == proxy_text(spec) or (change is not Change.ANY and not is_other_proxy(said, spec)):
            _tidy(swarm, assignment, keep=config)
            return f"{there.name} is there as declared"
        if change is Change.NONE:
            return f"{there.name} is there, not as declared; it serves, so it is left alone"
    ours = {Label.TARGET.value: f"{assignment.target}#proxy", MADE_FROM: proxy_text(spec)}
    swarm.ask(lambda manager: manager.create_config(config, text, ours))
    kept = swarm.ask(lambda manager: manager.configs(label=f"{Label.TARGET.value}={assignment.target}#proxy"))
    config_id = next((str(one["ID"]) for one in kept if one["Spec"]["Name"] == config), None)
    if config_id is None:
        raise NameTakenError(
            f"The swarm has a configuration '{config}' that is not this target's.",
            advice=f"Remove it: docker config rm {config}",
        )
    payload = _payload(spec, ours, config=config, config_id=config_id)
    image = spec.proxy.image
    if there is None:
        swarm.ask(lambda manager: manager.create_service(payload, image=image, credentials=credentials))
    else:
        swarm.ask(
            lambda manager: manager.update_service(
                there.id, payload, version=there.version, image=image, credentials=credentials
            )
        )
    _tidy(swarm, assignment, keep=config)
    return f"{'changed' if there is not None else 'created'} {name_of(spec)}"


def remove(swarm: Swarm, assignment: Assignment, spec: SwarmSpec, *, only_ours: bool = False) -> str:
    """Remove it with its configurations; not there is as good, and so with `only_ours` is one of somebody else."""
    if only_ours and seen(swarm, assignment, spec) is None:
        return "there is no proxy"
    there = _found(swarm, assignment, spec)
    if there is not None:
        swarm.ask(lambda manager: manager.remove_service(there.id))
    _tidy(swarm, assignment, keep="")
    return f"removed {there.name}" if there is not None else "there is no proxy"


def seen(swarm: Swarm, assignment: Assignment, spec: SwarmSpec) -> str | None:
    """What the one that is there was made from, by its label; nothing where there is none of this target."""
    raw = swarm.ask(lambda manager: manager.service(name_of(spec)))
    labels = Service(raw).labels if raw is not None else {}
    return labels.get(MADE_FROM, "") if labels.get(Label.TARGET) == f"{assignment.target}#proxy" else None


def lacking(swarm: Swarm, spec: SwarmSpec) -> Verdict | None:
    """Why it does not serve yet, or never will; nothing when it does on every node that answers."""
    raw = swarm.ask(lambda manager: manager.service(name_of(spec)))
    if raw is None:
        return Verdict(health=Health.MISSING, reason=f"{name_of(spec)} is not there")
    service = Service(raw)
    ready = {str(one["ID"]) for one in swarm.ask(lambda manager: manager.nodes()) if one["Status"]["State"] == "ready"}
    tasks = [Task(one) for one in swarm.ask(lambda manager: manager.tasks(service.id))]
    wanted = [task for task in tasks if task.is_wanted and task.node in ready]
    running = [task for task in wanted if task.state == BEGUN]
    if running and len(running) == len(wanted):
        return None
    reason = f"{len(running)} of {len(wanted)} proxies of {service.name} run"
    failed = [task for task in tasks if task.has_failed and task.is_of(service.task)]
    if len(failed) > len(wanted) * _TRIES_OF_EACH:
        last = max(failed, key=lambda task: task.created_at)
        return Verdict(health=Health.UNHEALTHY, reason=f"{reason}; one failed{last_words(swarm, last)}")
    error = next((f" ({task.error})" for task in wanted if task.error), "")
    return Verdict(health=Health.STARTING, reason=reason + error)


def last_words(swarm: Swarm, task: Task) -> str:
    """What is known of a task that failed, and what it wrote at the end."""
    said = f": exit code {task.exit_code}" if task.exit_code is not None else f": {task.state}"
    if task.error:
        said += f", {task.error}"
    elif task.exit_code == 0:
        said += ", ended by itself or by its health check"
    try:
        words = one_line(swarm.ask(lambda manager: manager.task_logs(task.id, lines=_LAST_LINES)))
    except OutsideError:
        words = ""  # its node is away, or its logs go elsewhere; the verdict stands without them
    return said + (f"; its last words: {words}" if words else "")


def _found(swarm: Swarm, assignment: Assignment, spec: SwarmSpec) -> Service | None:
    raw = swarm.ask(lambda manager: manager.service(name_of(spec)))
    if raw is None or Service(raw).name != name_of(spec):
        return None
    if Service(raw).labels.get(Label.TARGET) != f"{assignment.target}#proxy":
        raise NameTakenError(
            f"Service {name_of(spec)} is there already, and is not the proxy of target {assignment.target}.",
            advice="Remove or rename it, or leave the proxy out of the specification.",
        )
    return Service(raw)


def _tidy(swarm: Swarm, assignment: Assignment, *, keep: str) -> None:
    """Configurations of before; one that a task uses still is refused, and goes the next time."""
    for one in swarm.ask(lambda manager: manager.configs(label=f"{Label.TARGET.value}={assignment.target}#proxy")):
        if one["Spec"]["Name"] != keep:
            config_id = str(one["ID"])
            try:
                swarm.ask(lambda manager, config_id=config_id: manager.remove_config(config_id))  # type: ignore[misc]  # bound now
            except ConflictError:
                continue


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _payload(spec: SwarmSpec, ours: Mapping[str, str], *, config: str, config_id: str) -> dict[str, Any]:
    assert spec.proxy is not None  # noqa: S101 -- asked for before
    file = {"Name": _PATH, "UID": "0", "GID": "0", "Mode": 0o444}
    return {
        "Name": name_of(spec),
        "Labels": dict(ours),
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": spec.proxy.image,
                "Command": ["haproxy", "-W", "-db", "-f", _PATH],
                "Configs": [{"ConfigID": config_id, "ConfigName": config, "File": file}],
                "StopGracePeriod": 10 * _SECOND_NS,
            },
            "Networks": [{"Target": name} for name in spec.networks],
            "Placement": {"Constraints": list(spec.proxy.constraints)},
            "RestartPolicy": {"Condition": "any", "Delay": 2 * _SECOND_NS, "MaxAttempts": 0},
        },
        "Mode": {"Global": {}},
        "UpdateConfig": {"Parallelism": 1, "FailureAction": "pause", "Order": "stop-first", "Monitor": 2 * _SECOND_NS},
        "EndpointSpec": {
            "Mode": "dnsrr",
            "Ports": [
                {"Protocol": "tcp", "TargetPort": port, "PublishedPort": port, "PublishMode": "host"}
                for port in dict.fromkeys(port.published for port in spec.ports)
            ],
        },
    }
