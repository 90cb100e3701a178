"""A swarm that is none: a manager's HTTP API over services and tasks that are data, which goes one step further at each look.

It replaces tasks as swarm does (orders, parallelism, pausing at failures, going on elsewhere when a node is lost) and errs when told
to, like `fakes.engine`. After every step `fewest` remembers with how few tasks a service was served. What it answers was copied
from looking at engine 20.10 (API 1.41).
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.engine import Behaviour, Effect, Fault, When
from tests.fakes.engine_wire import Lost, Refusal, Server

Body = dict[str, Any]
CHANGING = frozenset({"create", "update", "remove", "create-config"})
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_ON_ITS_WAY = {"new": "preparing", "preparing": "starting"}
_LOOKS_UNTIL_UNHEALTHY = 3


@dataclass(slots=True, kw_only=True)
class Image:
    """An image in the registry."""

    version: str
    behaviour: Behaviour = Behaviour.GOOD
    healthcheck: bool = False


@dataclass(slots=True, kw_only=True)
class Task:
    """One task."""

    id: str
    service: str
    slot: int
    node: str
    spec: Body
    created_at: str
    state: str = "new"
    desired: str = "running"
    err: str = ""
    exit_code: int | None = None
    looks: int = 0

    @property
    def ended(self) -> bool:
        return self.state in {"failed", "rejected", "complete", "shutdown"}


@dataclass(slots=True, kw_only=True)
class Service:
    """One service."""

    id: str
    spec: Body
    index: int
    created_at: str
    previous: Body | None = None
    status: Body | None = None
    watched: int = 0
    fewest: int = 10_000

    @property
    def name(self) -> str:
        return str(self.spec["Name"])


@dataclass(slots=True, kw_only=True)
class Node:
    """One node."""

    name: str
    is_up: bool = True
    ports: set[int] = field(default_factory=set)


class FakeSwarm:
    """The swarm, with one manager that answers; a context manager that serves on a unix socket of its own."""

    def __init__(self, nodes: tuple[str, ...] = ("h1", "h2", "h3")) -> None:
        self.images: dict[str, Image] = {}
        self.services: dict[str, Service] = {}
        self.tasks: dict[str, Task] = {}
        self.configs: dict[str, Body] = {}
        self.nodes = {f"node-{name}": Node(name=name) for name in nodes}
        self.networks = {"back": "net-back"}
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.before_update: Callable[[], None] | None = None
        self.has_leader = True
        self.is_manager = True
        self.moment = timedelta(milliseconds=1)
        """How much of its time passes whenever it looks at its clock."""
        self._made = 0
        self._index = 100
        self._lock = threading.RLock()
        self._folder = Path(tempfile.mkdtemp(prefix="fake-swarm-"))
        self._server = Server(str(self._folder / "s"), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        return f"unix://{self._folder}/s"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()
        shutil.rmtree(self._folder)

    # What a test does to it

    def push(
        self, repository: str, version: str, *, behaviour: Behaviour = Behaviour.GOOD, healthcheck: bool = False
    ) -> str:
        """Put an image into the registry; its digest."""
        digest = "sha256:" + hashlib.sha256(f"{repository}:{version}".encode()).hexdigest()
        self.images[f"{repository}@{digest}"] = Image(version=version, behaviour=behaviour, healthcheck=healthcheck)
        return digest

    def fail(self, fault: Fault) -> None:
        """Let a call go wrong, counted from now."""
        with self._lock:
            self.faults.append(fault)

    def named(self, name: str) -> Service:
        """The service of that name."""
        return next(service for service in self.services.values() if service.name == name)

    def tasks_of(self, name: str) -> list[Task]:
        """Those of its tasks that run."""
        service = self.named(name)
        return [task for task in self.tasks.values() if task.service == service.id and task.state == "running"]

    def by_hand(self, spec: Body) -> Service:
        """Somebody creates a service; it runs on return."""
        with self._lock:
            self._create({}, copy.deepcopy(spec))
            for _ in range(6):
                self._go_on()
            return self.named(spec["Name"])

    def change_by_hand(self, name: str, change: Callable[[Body], None]) -> None:
        """Somebody changes a service."""
        with self._lock:
            service = self.named(name)
            spec = copy.deepcopy(service.spec)
            change(spec)
            self._change(service, spec)

    def roll_back_by_hand(self, name: str) -> None:
        """`docker service rollback`, to its end."""
        with self._lock:
            service = self.named(name)
            assert service.previous is not None
            self._change(service, service.previous)
            service.status = {"State": "rollback_completed", "Message": "rollback completed", "StartedAt": self._now()}

    def cut(self, node: str) -> None:
        """A node does not answer any more; what ran there runs on, and swarm makes the tasks anew elsewhere."""
        with self._lock:
            self.nodes[f"node-{node}"].is_up = False

    def mend(self, node: str) -> None:
        """The node is back; what it was not wanted to run it ends at its next look."""
        with self._lock:
            self.nodes[f"node-{node}"].is_up = True

    def probe(self, url: str, *, timeout_s: float) -> int:
        """What a probe of `http://…:PORT/` gets: by a port of a service or of the proxy before it."""
        port = urlsplit(url).port
        with self._lock:
            for service in self.services.values():
                if port in {one["PublishedPort"] for one in service.spec.get("EndpointSpec", {}).get("Ports") or ()}:
                    name = service.name.removesuffix("-proxy")
                    for task in self.tasks_of(name):
                        return 404 if self._image(task).behaviour is Behaviour.SICK else 200
        raise ConnectionRefusedError(111, "Connection refused")

    # The API: each answers (status, data)

    def answer(self, method: str, target: str, body: Body) -> tuple[int, Any]:
        """One call, with the faults that are due."""
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        path = re.sub(r"^/v1\.\d+", "", parts.path)
        for kind, wanted, pattern, call in self._routes():
            found = re.fullmatch(pattern, path)
            if method == wanted and found:
                arguments = [unquote(group) for group in found.groups()]
                return self._guarded(kind, functools.partial(call, *arguments, query, body))
        raise Refusal(404, f"page not found: {method} {path}")

    def _routes(self) -> Iterator[tuple[str, str, str, Callable[..., tuple[int, Any]]]]:
        yield "version", "GET", "/version", lambda *_: (200, {"Version": "20.10.24", "ApiVersion": "1.41"})
        yield "info", "GET", "/info", self._info
        yield "nodes", "GET", "/nodes", self._nodes
        yield "services", "GET", "/services", self._list
        yield "create", "POST", "/services/create", self._create
        yield "service", "GET", r"/services/([^/]+)", self._inspect
        yield "update", "POST", r"/services/([^/]+)/update", self._update
        yield "remove", "DELETE", r"/services/([^/]+)", self._remove
        yield "tasks", "GET", "/tasks", self._tasks
        yield "logs", "GET", r"/tasks/([^/]+)/logs", self._logs
        yield "distribution", "GET", r"/distribution/(.+)/json", self._distribution
        yield "network", "GET", r"/networks/([^/]+)", self._network
        yield "configs", "GET", "/configs", self._configs
        yield "create-config", "POST", "/configs/create", self._create_config
        yield "remove-config", "DELETE", r"/configs/([^/]+)", self._remove_config

    def _guarded(self, kind: str, call: Callable[[], tuple[int, Any]]) -> tuple[int, Any]:
        with self._lock:
            if not self.is_manager and kind not in {"version", "info", "network"}:
                raise Refusal(
                    503, "This node is not a swarm manager. Worker nodes can't be used to view cluster state."
                )
            if not self.has_leader and kind not in {"version", "info", "network"}:
                raise Refusal(500, "rpc error: code = Unknown desc = The swarm does not have a leader.")
            if kind == "update" and self.before_update is not None:
                hook, self.before_update = self.before_update, None
                hook()
            fault = self._due(kind)
            result: tuple[int, Any] = (204, None)
            if fault is None or fault.when is When.AFTER:
                self.calls.append(kind)
                result = call()
        if fault is None:
            return result
        if fault.effect is Effect.REFUSE:
            raise Refusal(500, fault.message)
        raise Lost

    def _due(self, kind: str) -> Fault | None:
        due = None
        for fault in [one for one in self.faults if kind == one.kind or (one.kind == "*" and kind in CHANGING)]:
            fault.nth -= 1
            if fault.nth == 0:
                self.faults.remove(fault)
                due = due or fault
        return due

    def _info(self, *_: object) -> tuple[int, Any]:
        return 200, {
            "SystemTime": self._now(),
            "ServerVersion": "20.10.24",
            "KernelVersion": "6.1.0",
            "Swarm": {"NodeID": "node-h1", "ControlAvailable": self.is_manager},
        }

    def _nodes(self, *_: object) -> tuple[int, Any]:
        return 200, [
            {
                "ID": node_id,
                "Description": {"Hostname": node.name},
                "Status": {"State": "ready" if node.is_up else "down"},
                "ManagerStatus": {"Leader": node_id == "node-h1"},
            }
            for node_id, node in self.nodes.items()
        ]

    def _list(self, query: dict[str, str], _: object) -> tuple[int, Any]:
        return 200, [self._told(one) for one in self.services.values() if _fits(one.spec.get("Labels") or {}, query)]

    def _inspect(self, name: str, *_: object) -> tuple[int, Any]:
        return 200, self._told(self._get(name))

    def _told(self, service: Service) -> Body:
        told: Body = {
            "ID": service.id,
            "Version": {"Index": service.index},
            "CreatedAt": service.created_at,
            "UpdatedAt": self._now(),
            "Spec": copy.deepcopy(service.spec),
        }
        if service.previous is not None:
            told["PreviousSpec"] = copy.deepcopy(service.previous)
        if service.status is not None:
            told["UpdateStatus"] = dict(service.status)
        return told

    def _create(self, _: object, body: Body) -> tuple[int, Any]:
        if any(service.name == body["Name"] for service in self.services.values()):
            raise Refusal(
                409, f"rpc error: code = AlreadyExists desc = name conflicts with an existing object: {body['Name']}"
            )
        body = self._populated(body)
        service = Service(id=self._new("service"), spec=body, index=self._next(), created_at=self._now())
        self.services[service.id] = service
        return 201, {"ID": service.id}

    def _update(self, reference: str, query: dict[str, str], body: Body) -> tuple[int, Any]:
        service = self._get(reference)
        if int(query["version"]) != service.index:
            raise Refusal(500, "rpc error: code = Unknown desc = update out of sequence")
        self._change(service, self._populated(body))
        return 200, {"Warnings": None}

    def _change(self, service: Service, spec: Body) -> None:
        if spec["Name"] != service.name:
            raise Refusal(501, "rpc error: code = Unimplemented desc = renaming services is not supported")
        service.previous, service.spec, service.status = service.spec, spec, None
        service.index, service.watched = self._next(), 0
        if self._dirty(service):
            service.status = {"State": "updating", "StartedAt": self._now(), "Message": "update in progress"}

    def _remove(self, reference: str, *_: object) -> tuple[int, Any]:
        service = self._get(reference)
        del self.services[service.id]
        self.tasks = {key: task for key, task in self.tasks.items() if task.service != service.id}
        return 200, None

    def _tasks(self, query: dict[str, str], _: object) -> tuple[int, Any]:
        self._go_on()
        (service,) = json.loads(query["filters"])["service"]
        return 200, [_task(task) for task in self.tasks.values() if task.service == service]

    def _logs(self, task_id: str, *_: object) -> tuple[int, Any]:
        return 200, b"cannot start: no configuration\n" if self.tasks[task_id].state == "failed" else b""

    def _distribution(self, reference: str, *_: object) -> tuple[int, Any]:
        if reference not in self.images:
            raise Refusal(404, "errors: manifest unknown: manifest unknown")
        return 200, {"Descriptor": {"digest": reference.partition("@")[2]}}

    def _network(self, name: str, *_: object) -> tuple[int, Any]:
        for known, network_id in self.networks.items():
            if name in {known, network_id}:
                return 200, {"Name": known, "Id": network_id, "Scope": "swarm", "Driver": "overlay"}
        raise Refusal(404, f"network {name} not found")

    def _configs(self, query: dict[str, str], _: object) -> tuple[int, Any]:
        return 200, [
            {"ID": key, "Spec": one} for key, one in self.configs.items() if _fits(one.get("Labels") or {}, query)
        ]

    def _create_config(self, _: object, body: Body) -> tuple[int, Any]:
        if any(one["Name"] == body["Name"] for one in self.configs.values()):
            raise Refusal(409, f"config {body['Name']} already exists")
        self.configs[self._new("config")] = body
        return 201, {"ID": "made"}

    def _remove_config(self, config_id: str, *_: object) -> tuple[int, Any]:
        used = json.dumps([service.spec for service in self.services.values()])
        if config_id in used:
            raise Refusal(400, "config is in use")
        if self.configs.pop(config_id, None) is None:
            raise Refusal(404, f"config {config_id} not found")
        return 204, None

    # What swarm does by itself

    def _go_on(self) -> None:
        """One step of everything."""
        for task in list(self.tasks.values()):
            if self.nodes[task.node].is_up:
                self._run(task)
        for service in list(self.services.values()):
            self._move_from_lost(service)
            if "Global" in service.spec["Mode"]:
                self._fill_nodes(service)
            elif service.status is not None and service.status["State"] == "updating":
                self._replace(service)
            else:
                self._fill(service)
            serving = [task for task in self._of(service) if task.state == "running" and self.nodes[task.node].is_up]
            service.fewest = min(service.fewest, len(serving))

    def _run(self, task: Task) -> None:
        """What the task's node does with it."""
        if task.desired == "shutdown":
            task.state = task.state if task.ended else "shutdown"
        elif task.state in _ON_ITS_WAY:
            task.state = _ON_ITS_WAY[task.state]
        elif task.state == "starting":
            image = self._image(task)
            checked = image.healthcheck or "Healthcheck" in task.spec["ContainerSpec"]
            task.looks += 1
            if image.behaviour is Behaviour.EXITS:
                task.state, task.exit_code, task.err, task.desired = "failed", 3, "task: non-zero exit (3)", "shutdown"
            elif image.behaviour is Behaviour.SICK and checked:
                if task.looks > _LOOKS_UNTIL_UNHEALTHY:
                    task.state, task.exit_code, task.desired = "complete", 0, "shutdown"
            else:
                task.state = "running"

    def _move_from_lost(self, service: Service) -> None:
        for task in self._of(service):
            if not self.nodes[task.node].is_up and task.desired == "running" and "Global" not in service.spec["Mode"]:
                task.desired = "shutdown"

    def _fill_nodes(self, service: Service) -> None:
        for node in self.nodes:
            if not any(task.node == node and task.desired == "running" for task in self._of(service)):
                self._start(service, slot=0, node=node)
        for task in self._of(service):
            if task.spec != service.spec["TaskTemplate"] and task.desired == "running":
                task.desired = "shutdown"

    def _fill(self, service: Service) -> None:
        """As many as are wanted; one that failed is made anew, of what the service is now."""
        wanted = int(service.spec["Mode"]["Replicated"]["Replicas"])
        for slot in range(1, wanted + 1):
            if not self._wanted(service, slot):
                self._start(service, slot=slot)
        for task in self._of(service):
            if task.slot > wanted:
                task.desired = "shutdown"

    def _replace(self, service: Service) -> None:
        """Swarm's updater: groups of slots, the order, and pausing at failures."""
        assert service.status is not None
        config = service.spec.get("UpdateConfig") or {}
        replicas = int(service.spec["Mode"]["Replicated"]["Replicas"])
        failed = [task for task in self._of(service) if self._has_failed(service, task)]
        if len(failed) > config.get("MaxFailureRatio", 0) * replicas:
            told = f"update paused due to failure or early termination of task {failed[0].id}"
            service.status = {**service.status, "State": "paused", "Message": told}
            service.index = self._next()
            return
        busy = 0
        for slot in range(1, replicas + 1):
            busy += self._replace_slot(service, slot, free=busy < (config.get("Parallelism") or replicas))
        self._fill_gone(service, replicas)
        if not self._dirty(service) and not busy:
            service.watched += 1
            if service.watched > 1:
                service.status = {**service.status, "State": "completed", "Message": "update completed"}
                service.index = self._next()

    def _replace_slot(self, service: Service, slot: int, *, free: bool) -> bool:
        """Go on with one slot, or begin with it where one more is `free`; whether it is being worked on."""
        tasks = self._wanted(service, slot)
        new = [task for task in tasks if task.spec == service.spec["TaskTemplate"]]
        old = [task for task in tasks if task not in new]
        if new and new[0].state == "running":
            for task in old:
                task.desired = "shutdown"
            return bool(old)
        if new:
            return True
        if not free:
            return False
        if (service.spec.get("UpdateConfig") or {}).get("Order") == "start-first" or not old:
            leaving = any(
                task.slot == slot and not task.ended and task.desired == "shutdown" for task in self._of(service)
            )
            if old or not leaving:
                self._start(service, slot=slot)
        else:
            for task in old:
                task.desired = "shutdown"
        return True

    def _fill_gone(self, service: Service, replicas: int) -> None:
        for task in self._of(service):
            if task.slot > replicas:
                task.desired = "shutdown"

    def _has_failed(self, service: Service, task: Task) -> bool:
        assert service.status is not None
        ended = task.state in {"failed", "complete", "rejected"} and task.created_at >= service.status["StartedAt"]
        return ended and task.spec == service.spec["TaskTemplate"]

    def _dirty(self, service: Service) -> bool:
        """Whether a task is wanted that is not of what the service is now, or one lacks."""
        if "Replicated" not in service.spec["Mode"]:
            return False
        running = [task for task in self._of(service) if task.desired == "running"]
        slots = {task.slot for task in running if task.spec == service.spec["TaskTemplate"]}
        return any(task.spec != service.spec["TaskTemplate"] for task in running) or (
            bool(running) and len(slots) < int(service.spec["Mode"]["Replicated"]["Replicas"])
        )

    def _start(self, service: Service, *, slot: int, node: str = "") -> None:
        spec = copy.deepcopy(service.spec["TaskTemplate"])
        up = [key for key, one in self.nodes.items() if one.is_up]
        if not up:
            return
        chosen = node or min(up, key=lambda key: sum(t.node == key and not t.ended for t in self._of(service)))
        task = Task(id=self._new("task"), service=service.id, slot=slot, node=chosen, spec=spec, created_at=self._now())
        self.tasks[task.id] = task

    # Small things

    def _populated(self, body: Body) -> Body:
        """Networks are kept by their ids."""
        body = copy.deepcopy(body)
        for one in body["TaskTemplate"].get("Networks") or ():
            if one["Target"] in self.networks:
                one["Target"] = self.networks[one["Target"]]
            elif one["Target"] not in self.networks.values():
                raise Refusal(404, f"network {one['Target']} not found")
        return body

    def _image(self, task: Task) -> Image:
        reference = task.spec["ContainerSpec"]["Image"]
        return self.images.get(reference) or Image(version="unknown")

    def _of(self, service: Service) -> list[Task]:
        return [task for task in self.tasks.values() if task.service == service.id]

    def _wanted(self, service: Service, slot: int) -> list[Task]:
        return [task for task in self._of(service) if task.slot == slot and task.desired == "running"]

    def _get(self, reference: str) -> Service:
        for service in self.services.values():
            if reference in {service.id, service.name}:
                return service
        raise Refusal(404, f"service {reference} not found")

    def _new(self, kind: str) -> str:
        self._made += 1
        return f"{kind}{self._made:06d}"

    def _next(self) -> int:
        self._index += 1
        return self._index

    def _now(self) -> str:
        self._made += 1
        return (_BEGAN + self.moment * self._made).isoformat(timespec="microseconds").replace("+00:00", "123Z")


def _fits(labels: Body, query: dict[str, str]) -> bool:
    wanted = json.loads(query.get("filters", "{}")).get("label", [])
    return all(labels.get(name) == value for name, _, value in (one.partition("=") for one in wanted))


def _task(task: Task) -> Body:
    status: Body = {"State": task.state, "Timestamp": task.created_at}
    if task.err:
        status["Err"] = task.err
    if task.exit_code is not None:
        status["ContainerStatus"] = {"ContainerID": "c" + task.id, "ExitCode": task.exit_code}
    return {
        "ID": task.id,
        "CreatedAt": task.created_at,
        "ServiceID": task.service,
        "Slot": task.slot,
        "NodeID": task.node,
        "Spec": copy.deepcopy(task.spec),
        "Status": status,
        "DesiredState": task.desired,
    }
