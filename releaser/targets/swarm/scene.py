"""What a swarm has for one target right now: the service, told by its labels, its tasks, and the nodes they are on. Changes nothing.

A task counts as serving when swarm wants it to run, says that it runs (with a health check: that it passed), it was made from
what the service is now, and **its node answers**: of a node that is cut off nobody knows what still runs there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from releaser.domain.spec import config_hash
from releaser.domain.target import Assignment, Desired, Health, Role, Running
from releaser.targets.docker.container import Label
from releaser.targets.docker.faults import one_line
from releaser.targets.docker.scene import engine_time
from releaser.targets.swarm.client import Manager, Swarm
from releaser.targets.swarm.looking import settings
from releaser.targets.swarm.payload import BEFORE, Before, is_as_told
from releaser.targets.target import FencedError

Json = Mapping[str, Any]

BEGUN: Final = "running"
_WANTED: Final = frozenset({"ready", "accepted", "running", "new"})
# A task of a service has no end of its own: one that ended well, or was ended because its check failed, has failed too.
_FAILED: Final = frozenset({"failed", "rejected", "complete"})
_ON_ITS_WAY: Final = frozenset(
    {"new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting"},
)
_COMPARED: Final = ("ContainerSpec", "Resources", "ForceUpdate")


@dataclass(frozen=True, slots=True)
class Service:
    """One service as a manager describes it."""

    raw: Json

    @property
    def id(self) -> str:
        """The swarm's id."""
        return str(self.raw["ID"])

    @property
    def version(self) -> int:
        """The number of its last change; a change that names an older one is refused."""
        return int(self.raw["Version"]["Index"])

    @property
    def spec(self) -> Json:
        """The whole specification."""
        found: Json = self.raw["Spec"]
        return found

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.spec.get("Name", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return self.spec.get("Labels") or {}

    @property
    def task(self) -> Json:
        """What its tasks are made from."""
        found: Json = self.spec.get("TaskTemplate") or {}
        return found

    @property
    def reference(self) -> str:
        """The image as it is written there."""
        return str((self.task.get("ContainerSpec") or {}).get("Image", ""))

    @property
    def image(self) -> tuple[str, str]:
        """The repository and the tag, which may be empty."""
        name = self.reference.partition("@")[0]
        repository, colon, tag = name.rpartition(":")
        return (repository, tag) if colon and "/" not in tag else (name, "")

    @property
    def digest(self) -> str | None:
        """The digest it names; nothing where it goes by a tag."""
        _, at, digest = self.reference.partition("@")
        return digest if at else None

    @property
    def replicas(self) -> int | None:
        """How many tasks are wanted; nothing where it is one for each node, or a job."""
        replicated = (self.spec.get("Mode") or {}).get("Replicated")
        return None if replicated is None else int(replicated.get("Replicas") or 0)

    @property
    def before(self) -> Before | None:
        """What a roll-back goes back to, while an attempt is under way."""
        return Before.from_label(self.labels.get(BEFORE))

    @property
    def update_state(self) -> str:
        """Swarm's word on its last update: updating, paused, completed, rollback_…; empty where there was nothing to update."""
        return str((self.raw.get("UpdateStatus") or {}).get("State") or "")

    @property
    def update_message(self) -> str:
        """What swarm says of it."""
        return one_line(str((self.raw.get("UpdateStatus") or {}).get("Message") or ""))

    @property
    def since(self) -> datetime | None:
        """When its tasks of now began to be made, by the swarm's clock; nothing where no attempt at them is under way."""
        began = (self.raw.get("UpdateStatus") or {}).get("StartedAt")
        if not began and self.before is not None and self.before.spec is None:
            began = self.raw["CreatedAt"]
        return engine_time(str(began)) if began else None

    def number(self, label: Label) -> int | None:
        """A label's number; nothing if there is none."""
        text = self.labels.get(label, "")
        return int(text) if text.isdecimal() else None

    def is_from(self, assignment: Assignment) -> bool:
        """Whether this very attempt made it what it is."""
        return (self.number(Label.ROLLOUT), self.number(Label.ATTEMPT)) == (assignment.rollout, assignment.attempt)

    def is_told(self, wanted: Desired) -> bool:
        """Whether it says that it is exactly this digest and configuration."""
        return self.digest == wanted.digest and self.labels.get(Label.CONFIG) == config_hash(wanted.spec)

    def runs(self, wanted: Desired) -> bool:
        """Whether it is so: nobody changed by hand what was told."""
        return self.is_told(wanted) and is_as_told(self.spec, wanted)

    def configuration_of(self, *known: Desired | None) -> str | None:
        """What its label says of its configuration; nothing where it is one of these that was changed by hand since."""
        said = self.labels.get(Label.CONFIG)
        mine = next((one for one in known if one is not None and config_hash(one.spec) == said), None)
        if mine is None:
            return said
        # With another image it is still made from that configuration.
        told = replace(mine, digest=self.digest) if self.digest is not None else mine
        return said if is_as_told(self.spec, replace(told, image=self.reference.partition("@")[0])) else None


@dataclass(frozen=True, slots=True)
class Task:
    """One task as a manager describes it."""

    raw: Json

    @property
    def id(self) -> str:
        """The swarm's id."""
        return str(self.raw["ID"])

    @property
    def slot(self) -> int:
        """Its number among the replicas; 0 for one of a service that is on every node."""
        return int(self.raw.get("Slot") or 0)

    @property
    def node(self) -> str:
        """The id of its node; empty before it has one."""
        return str(self.raw.get("NodeID") or "")

    @property
    def state(self) -> str:
        """What it is, by its node's last word."""
        return str((self.raw.get("Status") or {}).get("State") or "new")

    @property
    def is_wanted(self) -> bool:
        """Whether swarm wants it to run."""
        return str(self.raw.get("DesiredState")) in _WANTED

    @property
    def has_failed(self) -> bool:
        """Whether it ended by itself, or never could begin."""
        return self.state in _FAILED

    @property
    def is_on_its_way(self) -> bool:
        """Whether it may run yet."""
        return self.is_wanted and self.state in _ON_ITS_WAY

    @property
    def exit_code(self) -> int | None:
        """Its exit code, once it has ended."""
        if not self.has_failed:
            return None
        status = (self.raw.get("Status") or {}).get("ContainerStatus") or {}
        return int(status["ExitCode"]) if status.get("ExitCode") is not None else None

    @property
    def error(self) -> str:
        """What its node says went wrong."""
        return one_line(str((self.raw.get("Status") or {}).get("Err") or ""))

    @property
    def created_at(self) -> datetime:
        """When swarm made it."""
        return engine_time(str(self.raw["CreatedAt"]))

    @property
    def told_at(self) -> datetime:
        """When its state was told, by its node's clock."""
        return engine_time(str((self.raw.get("Status") or {}).get("Timestamp") or self.raw["CreatedAt"]))

    def is_of(self, task: Json) -> bool:
        """Whether it was made from this template."""
        spec = self.raw.get("Spec") or {}
        return all((spec.get(key) or None) == (task.get(key) or None) for key in _COMPARED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The service, its tasks, and the nodes' names; `lost` are the nodes that do not answer."""

    service: Service | None
    tasks: tuple[Task, ...] = ()
    nodes: Mapping[str, str]
    lost: frozenset[str] = frozenset()
    intruder: Service | None = None

    @property
    def current(self) -> tuple[Task, ...]:
        """The tasks made from what the service is now."""
        return tuple(task for task in self.tasks if self.service is not None and task.is_of(self.service.task))

    @property
    def serving(self) -> tuple[Task, ...]:
        """Those of them that serve for all that is known."""
        return tuple(one for one in self.current if one.is_wanted and one.state == BEGUN and one.node not in self.lost)

    @property
    def outdated(self) -> tuple[Task, ...]:
        """Tasks of another specification that serve still."""
        current = {task.id for task in self.current}
        return tuple(
            one for one in self.tasks if one.id not in current and one.state == BEGUN and one.node not in self.lost
        )

    @property
    def unknown(self) -> tuple[Task, ...]:
        """Tasks that ran on a node which does not answer now: they may run there still, whatever swarm wants."""
        return tuple(task for task in self.tasks if task.state == BEGUN and task.node in self.lost)

    @property
    def failed(self) -> tuple[Task, ...]:
        """The tasks of now that failed since they began to be made, the last one first."""
        since = self.service.since if self.service is not None else None
        if since is None:
            return ()
        # One that its node's loss ended has not failed by itself.
        found = [
            one for one in self.current if one.has_failed and one.created_at >= since and one.node not in self.lost
        ]
        return tuple(sorted(found, key=lambda task: task.created_at, reverse=True))

    @property
    def wanted(self) -> int:
        """How many tasks there are to be."""
        if self.service is None:
            return 0
        if self.service.replicas is not None:
            return self.service.replicas
        return max(1, sum(task.is_wanted and task.node not in self.lost for task in self.tasks))

    @property
    def health(self) -> Health:
        """Of the service as a whole."""
        if self.service is None:
            return Health.MISSING
        if len(self.serving) >= self.wanted:
            return Health.HEALTHY
        if self.service.update_state.startswith(("paused", "rollback")):
            return Health.UNHEALTHY
        if any(task.is_on_its_way for task in self.tasks):
            return Health.STARTING
        return Health.UNHEALTHY if self.serving or self.outdated else Health.EXITED

    def where(self, tasks: Iterable[Task]) -> str:
        """The nodes that these tasks are on, in words: `h1 (2), h2`."""
        counts = Counter(self.nodes.get(task.node, task.node[:12] or "no node yet") for task in tasks)
        return ", ".join(f"{name} ({count})" if count > 1 else name for name, count in sorted(counts.items()))

    def of_lost(self) -> str:
        """A sentence about nodes that do not answer and have, or had, tasks of ours; empty where there are none."""
        if not self.unknown:
            return ""
        count = len(self.unknown)
        tasks = "1 task is" if count == 1 else f"{count} tasks are"
        plural = len({task.node for task in self.unknown}) > 1
        return (
            f"{'nodes' if plural else 'node'} {self.where_named(self.unknown)} {'do' if plural else 'does'} not answer: {tasks} "
            "not counted, and may run there still"
        )

    def where_named(self, tasks: Iterable[Task]) -> str:
        """The nodes of these tasks, each once."""
        return ", ".join(sorted({self.nodes.get(task.node, task.node[:12]) for task in tasks}))


def look(swarm: Swarm, assignment: Assignment) -> Scene:
    """Everything of the target; raises `FencedError` if the service was touched under a younger lock."""
    raw, nodes = swarm.ask(lambda manager: _service_and_nodes(manager, assignment.desired.spec.name))
    names = {str(node["ID"]): _named(node) for node in nodes}
    lost = frozenset(str(node["ID"]) for node in nodes if (node.get("Status") or {}).get("State") != "ready")
    service = Service(raw) if raw is not None else None
    if service is None or service.name != assignment.desired.spec.name:
        return Scene(service=None, nodes=names, lost=lost)
    if service.labels.get(Label.TARGET) not in {None, assignment.target}:
        return Scene(service=None, nodes=names, lost=lost, intruder=service)
    _check_fence(service, assignment)
    tasks = swarm.ask(lambda manager: manager.tasks(service.id))
    return Scene(service=service, tasks=tuple(map(Task, tasks)), nodes=names, lost=lost)


def describe(scene: Scene, service: Service, assignment: Assignment) -> Running:
    """The service as the domain knows it: one thing that serves, of however many tasks."""
    health = scene.health
    return Running(
        container_id=service.id,
        name=service.name,
        digest=service.digest,
        version=service.labels.get(Label.VERSION),
        config_hash=service.configuration_of(assignment.desired, assignment.previous),
        state=BEGUN if scene.serving or scene.outdated else "exited" if health is Health.EXITED else "starting",
        restart_count=len(scene.failed),
        health=health,
        role=Role.SERVING,
        rollout=service.number(Label.ROLLOUT),
        generation=service.number(Label.GENERATION),
        attempt=service.number(Label.ATTEMPT),
        exit_code=scene.failed[0].exit_code if scene.failed and not scene.serving else None,
        started_at=engine_time(str(service.raw["CreatedAt"])),
        image=service.image[0],
        configuration=settings(service.spec),
    )


def describe_outdated(scene: Scene) -> tuple[Running, ...]:
    """The tasks that are still of another specification, each by itself."""
    return tuple(
        Running(
            container_id=task.id,
            name=f"{scene.service.name if scene.service is not None else ''}.{task.slot}",
            digest=str(((task.raw.get("Spec") or {}).get("ContainerSpec") or {}).get("Image", "")).partition("@")[2]
            or None,
            version=None,
            config_hash=None,
            state=task.state,
            restart_count=0,
            health=Health.HEALTHY,
            role=Role.OLD,
            rollout=None,
            generation=None,
        )
        for task in scene.outdated
        if task.is_wanted
    )


def in_words(scene: Scene) -> str:
    """The service in one line for people: how many tasks serve where, at which change of it, and what is not known."""
    if scene.intruder is not None:
        return f"service {scene.intruder.name} belongs to another target"
    if scene.service is None:
        return ""
    parts = [f"{len(scene.serving)} of {scene.wanted} tasks serve"]
    if scene.serving:
        parts[0] += f" on {scene.where(scene.serving)}"
    if scene.outdated:
        parts.append(f"{len(scene.outdated)} still of what was before on {scene.where(scene.outdated)}")
    parts.append(f"service version {scene.service.version}")
    return "; ".join(part for part in (*parts, scene.of_lost()) if part)


def _service_and_nodes(manager: Manager, name: str) -> tuple[Json | None, list[Json]]:
    return manager.service(name), manager.nodes()


def _named(node: Json) -> str:
    return str((node.get("Description") or {}).get("Hostname") or node["ID"])


def _check_fence(service: Service, assignment: Assignment) -> None:
    youngest = service.number(Label.GENERATION) or 0
    if youngest > assignment.generation:
        raise FencedError(
            f"Target {assignment.target} was taken over: generation {youngest} was there, this one is {assignment.generation}.",
            advice="Nothing to do here; whoever holds the younger lock goes on.",
            target=assignment.target,
            found=youngest,
            own=assignment.generation,
        )
