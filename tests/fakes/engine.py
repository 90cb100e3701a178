"""A Docker engine that is none: it speaks enough of the real HTTP API, keeps containers as data, and errs when told to.

`engine_wire` puts it on a real socket. `Fault`s are the point: the nth call of a kind fails, hangs, loses its answer or kills the engine, before or after it
was carried out. After every change `history` gets a line with who could be reached how, so that a test can prove that
nobody was without service at any moment. What it answers was copied from looking at engine 20.10 (API 1.41).
"""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.engine_wire import Lost, Refusal, Server

Body = dict[str, Any]
NEVER = "0001-01-01T00:00:00Z"
CHANGING = frozenset({"pull", "create", "start", "stop", "rename", "update", "remove", "connect", "disconnect"})


class Behaviour(StrEnum):
    """What an image does when started."""

    GOOD = "good"
    SICK = "sick"
    EXITS = "exits"


class Effect(StrEnum):
    """How a call goes wrong."""

    REFUSE = "refuse"  # an answer with status 500
    DROP = "drop"  # the connection is closed without an answer
    HANG = "hang"  # no answer until `FakeEngine.release`
    KILL = "kill"  # the engine dies with all its containers, and is gone until `revive`


class When(StrEnum):
    """Whether the call is carried out before it goes wrong."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(slots=True, kw_only=True)
class Fault:
    """The `nth` call (from now, from 1) of `kind` goes wrong; kind `*` counts every call that changes something."""

    kind: str
    effect: Effect
    when: When = When.BEFORE
    nth: int = 1
    message: str = "something is wrong in the engine"

    def fits(self, kind: str) -> bool:
        return kind == self.kind or (self.kind == "*" and kind in CHANGING)


@dataclass(slots=True, kw_only=True)
class Image:
    """An image in the registry, and whether the host has it."""

    repository: str
    version: str
    digest: str
    behaviour: Behaviour
    healthcheck: bool
    in_registry: bool = True
    on_host: bool = False


@dataclass(slots=True, kw_only=True)
class Container:
    """A container; `raw` is its create request."""

    id: str
    name: str
    raw: dict[str, Any]
    image: Image
    status: str = "created"
    exit_code: int = 0
    restart_count: int = 0
    started_at: str = NEVER
    finished_at: str = NEVER
    looks: int = 0
    number: int = 0
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def restart(self) -> str:
        return str((self.raw["HostConfig"].get("RestartPolicy") or {}).get("Name") or "no")

    @property
    def ports(self) -> dict[str, list[dict[str, str]]]:
        """The published ports as inspected; one left open gets a number of its own."""
        declared = self.raw["HostConfig"].get("PortBindings") or {}
        own = str(50_000 + int(self.id[:4], 16) % 10_000)
        return {key: [{**one, "HostPort": one["HostPort"] or own} for one in many] for key, many in declared.items()}

    @property
    def host_ports(self) -> set[int]:
        return {int(one["HostPort"]) for many in self.ports.values() for one in many}


class FakeEngine:
    """The engine; a context manager that serves on a unix socket of its own."""

    def __init__(self) -> None:
        self.images: dict[str, Image] = {}
        self.containers: dict[str, Container] = {}
        self.networks: set[str] = {"bridge"}
        self.internal: set[str] = set()
        self.taken_ports: set[int] = set()
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.history: list[Mapping[str, frozenset[str]]] = []
        self.alive = True
        self.live_restore = False
        self.registry_down = False
        self.hears: int | None = None
        """So many changes it carries out yet, and none after: whoever asks is as good as dead. None: all of them."""
        self._made = 0
        self._lock = threading.RLock()
        self._released = threading.Event()
        self._folder = Path(tempfile.mkdtemp(prefix="fake-engine-"))
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
        self.release()
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
        self.images[f"{repository}@{digest}"] = Image(
            repository=repository, version=version, digest=digest, behaviour=behaviour, healthcheck=healthcheck
        )
        return digest

    def fail(self, fault: Fault) -> None:
        """Let a call go wrong, counted from now."""
        with self._lock:
            self.faults.append(fault)

    def release(self) -> None:
        """Let every hanging call go (its answer is lost)."""
        self._released.set()

    def kill(self) -> None:
        """The daemon dies, and its containers with it."""
        with self._lock:
            self.alive = False
            for container in self.containers.values():
                if container.status in {"running", "restarting"}:
                    self.end(container, 137)
            self._note()

    def revive(self) -> None:
        """The daemon is back; only `restart: always` comes back with it."""
        with self._lock:
            self.alive = True
            for container in self.containers.values():
                if container.restart == "always" and container.status == "exited":
                    self._run(container)
            self._note()

    def named(self, name: str) -> Container | None:
        """The container of that name."""
        return next((container for container in self.containers.values() if container.name == name), None)

    def probe(self, url: str, *, timeout_s: float) -> int:
        """What a probe of `http://…` gets: by published port, or by a container's own address."""
        parts = urlsplit(url)
        with self._lock:
            for container in self.containers.values():
                reached = parts.port in self._published(container) or parts.hostname in self._addresses(container)
                if container.status == "running" and reached:
                    return 404 if container.image.behaviour is Behaviour.SICK else 200
        raise ConnectionRefusedError(111, "Connection refused")

    def state(self) -> bytes:
        """Everything it holds, to be given to another one."""
        with self._lock:
            return pickle.dumps([self.images, self.containers, self.networks, self.calls, self.history, self._made])

    def go_on(self, state: bytes) -> None:
        """Hold what another one held."""
        with self._lock:
            held = pickle.loads(state)  # noqa: S301 -- our own
            self.images, self.containers, self.networks, self.calls, self.history, self._made = held

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
        one = r"/containers/([^/]+)"
        yield "ping", "GET", "/_ping", lambda *_: (200, "OK")
        yield "version", "GET", "/version", self._version
        yield "info", "GET", "/info", lambda *_: (200, {"SystemTime": _now(), "LiveRestoreEnabled": self.live_restore})
        yield "list", "GET", "/containers/json", self._list
        yield "inspect", "GET", one + "/json", self._inspect
        yield "logs", "GET", one + "/logs", self._logs
        yield "create", "POST", "/containers/create", self._create
        yield "start", "POST", one + "/start", self._start
        yield "stop", "POST", one + "/stop", self._stop
        yield "rename", "POST", one + "/rename", self._rename
        yield "update", "POST", one + "/update", self._update
        yield "remove", "DELETE", one, self._remove
        yield "pull", "POST", "/images/create", self._pull
        yield "image", "GET", r"/images/(.+)/json", self._image
        yield "network", "GET", r"/networks/([^/]+)", self._network
        yield "create-network", "POST", r"/networks/create", self._create_network
        yield "connect", "POST", r"/networks/([^/]+)/connect", self._connect
        yield "disconnect", "POST", r"/networks/([^/]+)/disconnect", self._disconnect

    def _guarded(self, kind: str, call: Callable[[], tuple[int, Any]]) -> tuple[int, Any]:
        with self._lock:
            if not self.alive or (kind in CHANGING and self.hears == 0):
                raise Lost
            if kind in CHANGING and self.hears is not None:
                self.hears -= 1
            fault = self._due(kind)
            result: tuple[int, Any] = (204, None)
            if fault is None or fault.when is When.AFTER:
                self.calls.append(kind)
                result = call()
                if kind in CHANGING:
                    self._note()
        if fault is None:
            return result
        if fault.effect is Effect.REFUSE:
            raise Refusal(500, fault.message)
        if fault.effect is Effect.KILL:
            self.kill()
        if fault.effect is Effect.HANG:
            self._released.wait()
        raise Lost

    def _due(self, kind: str) -> Fault | None:
        due = None
        for fault in [fault for fault in self.faults if fault.fits(kind)]:
            fault.nth -= 1
            if fault.nth == 0:
                self.faults.remove(fault)
                due = due or fault
        return due

    def _version(self, *_: object) -> tuple[int, Any]:
        return 200, {
            "Version": "20.10.24",
            "ApiVersion": "1.41",
            "MinAPIVersion": "1.12",
            "Os": "linux",
            "Arch": "amd64",
        }

    def _list(self, query: dict[str, str], _: object) -> tuple[int, Any]:
        filters = json.loads(query.get("filters", "{}"))
        return 200, [_listed(c) for c in self.containers.values() if _fits(c, filters)]

    def _inspect(self, reference: str, *_: object) -> tuple[int, Any]:
        container = self._get(reference)
        container.looks += 1
        return 200, self._described(container)

    def _described(self, container: Container) -> dict[str, Any]:
        state: dict[str, Any] = {
            "Status": container.status,
            "ExitCode": container.exit_code,
            "StartedAt": container.started_at,
            "FinishedAt": container.finished_at,
        }
        if container.image.healthcheck or container.raw.get("Healthcheck"):
            state["Health"] = {
                "Status": self._checked(container),
                "Log": [{"ExitCode": 1, "Output": "not yet\x1b[31m"}],
            }
        return {
            "Id": container.id,
            "Name": "/" + container.name,
            "Image": "sha256:" + container.image.digest[7:][::-1],
            "RestartCount": container.restart_count,
            "State": state,
            "Config": {**container.raw, "HostConfig": None, "Image": container.raw["Image"]},
            "HostConfig": container.raw["HostConfig"],
            "NetworkSettings": {
                "Networks": {
                    name: {**endpoint, "IPAddress": self._address(container, name)}
                    for name, endpoint in container.endpoints.items()
                },
                "Ports": container.ports if container.status == "running" else {},
            },
        }

    def _checked(self, container: Container) -> str:
        if container.status != "running":
            return "unhealthy"
        if container.image.behaviour is Behaviour.SICK:
            return "starting" if container.looks < 4 else "unhealthy"
        return "starting" if container.looks < 3 else "healthy"

    def _logs(self, reference: str, *_: object) -> tuple[int, Any]:
        exits = self._get(reference).image.behaviour is Behaviour.EXITS
        text = b"\x1b[31mcannot start:\x1b[0m no configuration\n" if exits else b""
        return 200, b"\x02\0\0\0" + len(text).to_bytes(4, "big") + text if text else b""

    def _create(self, query: dict[str, str], body: Body) -> tuple[int, Any]:
        name = query["name"]
        if (holder := self.named(name)) is not None:
            raise Refusal(
                409,
                f'Conflict. The container name "/{name}" is already in use by container "{holder.id}". You have to remove '
                "(or rename) that container to be able to reuse that name.",
            )
        image = self._image_of(str(body["Image"]))
        if image is None or not image.on_host:
            raise Refusal(404, f"No such image: {body['Image']}")
        self._made += 1
        container_id = hashlib.sha256(f"{self._made}".encode()).hexdigest()
        container = Container(id=container_id, name=name, raw=body, image=image, number=self._made)
        mode = body["HostConfig"].get("NetworkMode") or "bridge"
        endpoints = (body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
        container.endpoints[mode] = self._endpoint(container, endpoints.get(mode) or {})
        self.containers[container_id] = container
        return 201, {"Id": container_id, "Warnings": []}

    def _start(self, reference: str, *_: object) -> tuple[int, Any]:
        container = self._get(reference)
        if container.status == "running":
            return 304, None
        missing = set(container.endpoints) - self.networks
        if missing:
            raise Refusal(404, f"network {missing.pop()} not found")
        self._check_ports(container, self._published(container))
        mode = container.raw["HostConfig"].get("NetworkMode") or "bridge"
        if not container.endpoints:
            container.endpoints[mode] = self._endpoint(container, {})
        self._run(container)
        return 204, None

    def _published(self, container: Container) -> set[int]:
        """Its ports on the host; on internal networks, and on none, nothing is published."""
        return container.host_ports if set(container.endpoints) - self.internal else set()

    def _check_ports(self, container: Container, wanted: set[int]) -> None:
        others = [c for c in self.containers.values() if c.status == "running" and c is not container]
        taken = self.taken_ports.union(*map(self._published, others)) & wanted
        if taken:
            raise Refusal(
                500,
                f"driver failed programming external connectivity on endpoint {container.name} (b59df3): "
                f"Bind for 127.0.0.1:{taken.pop()} failed: port is already allocated",
            )

    def _stop(self, reference: str, *_: object) -> tuple[int, Any]:
        container = self._get(reference)
        if container.status not in {"running", "restarting", "paused"}:
            return 304, None
        self.end(container, 0)
        return 204, None

    def _rename(self, reference: str, query: dict[str, str], _: object) -> tuple[int, Any]:
        container, name = self._get(reference), query["name"]
        if (holder := self.named(name)) is not None:
            raise Refusal(409, f'Conflict. The container name "/{name}" is already in use by container "{holder.id}".')
        container.name = name
        return 204, None

    def _update(self, reference: str, _: dict[str, str], body: Body) -> tuple[int, Any]:
        container = self._get(reference)
        if container.status == "restarting":
            raise Refusal(500, f"Cannot update container {container.id}: cannot update a stopped container: unknown")
        container.raw = {**container.raw, "HostConfig": {**container.raw["HostConfig"], **body}}
        return 200, {"Warnings": None}

    def _remove(self, reference: str, *_: object) -> tuple[int, Any]:
        del self.containers[self._get(reference).id]
        return 204, None

    def _pull(self, query: dict[str, str], _: object) -> tuple[int, Any]:
        reference = f"{query['fromImage']}@{query['tag']}"
        image = self.images.get(reference)
        if self.registry_down:
            raise Refusal(500, f'Get "http://{query["fromImage"]}": dial tcp: connect: connection refused')
        progress: list[dict[str, Any]] = [{"status": f"Pulling from {query['fromImage']}"}]
        if image is None or not image.in_registry:
            return 200, [
                *progress,
                {"error": f"manifest for {reference} not found: manifest unknown: manifest unknown"},
            ]
        image.on_host = True
        return 200, [*progress, {"status": f"Digest: {image.digest}"}]

    def _image(self, reference: str, *_: object) -> tuple[int, Any]:
        image = self._image_of(reference)
        if image is None or not image.on_host:
            raise Refusal(404, f"No such image: {reference}")
        check = {"Test": ["CMD", "true"], "Interval": 2 * 10**9, "StartPeriod": 10**9} if image.healthcheck else None
        return 200, {
            "Id": "sha256:" + image.digest[7:][::-1],
            "RepoDigests": [f"{image.repository}@{image.digest}"],
            "Config": {"Healthcheck": check},
        }

    def _network(self, name: str, *_: object) -> tuple[int, Any]:
        if name not in self.networks:
            raise Refusal(404, f"network {name} not found")
        return 200, {"Name": name, "Id": name}

    def _create_network(self, _: dict[str, str], body: Body) -> tuple[int, Any]:
        self.networks.add(str(body["Name"]))
        if body.get("Internal"):
            self.internal.add(str(body["Name"]))
        return 201, {"Id": str(body["Name"])}

    def _connect(self, name: str, _: dict[str, str], body: Body) -> tuple[int, Any]:
        self._network(name)
        container = self._get(str(body["Container"]))
        if name in container.endpoints:
            raise Refusal(403, f"endpoint with name {container.name} already exists in network {name}")
        if container.status == "running" and name not in self.internal:
            self._check_ports(container, container.host_ports)
        container.endpoints[name] = self._endpoint(container, body.get("EndpointConfig") or {})
        return 200, None

    def _disconnect(self, name: str, _: dict[str, str], body: Body) -> tuple[int, Any]:
        container = self._get(str(body["Container"]))
        if container.endpoints.pop(name, None) is None:
            raise Refusal(404, f"container {container.id} is not connected to the network {name}")
        return 200, None

    # Parts

    def _get(self, reference: str) -> Container:
        for container in self.containers.values():
            if reference == container.name or container.id.startswith(reference):
                return container
        raise Refusal(404, f"No such container: {reference}")

    def _image_of(self, reference: str) -> Image | None:
        found = [
            i
            for i in self.images.values()
            if reference in {f"{i.repository}:{i.version}", "sha256:" + i.digest[7:][::-1]}
        ]
        return self.images.get(reference) or (found[0] if found else None)

    def _endpoint(self, container: Container, wanted: dict[str, Any]) -> dict[str, Any]:
        return {"Aliases": [*(wanted.get("Aliases") or ()), container.id[:12]]}

    def _address(self, container: Container, network: str) -> str:
        """Its own for as long as it is there, like that of a real one that nobody restarts."""
        if container.status != "running":
            return ""
        net = sorted(self.networks | {network}).index(network)
        return f"10.{net}.{container.number // 250}.{container.number % 250 + 2}"

    def _addresses(self, container: Container) -> set[str]:
        return {self._address(container, network) for network in container.endpoints}

    def _run(self, container: Container) -> None:
        container.started_at, container.restart_count, container.looks = _now(), 0, 0
        container.status = "running"
        if container.image.behaviour is Behaviour.EXITS:
            self.end(container, 3)
            if container.restart != "no":
                container.status, container.restart_count = "restarting", 1

    def end(self, container: Container, code: int) -> None:
        container.status, container.exit_code, container.finished_at = "exited", code, _now()

    def _note(self) -> None:
        """Who can be reached now: `port 8080`, `net/alias` and `net/name`, each with the versions that answer."""
        reached: dict[str, set[str]] = {}
        for container in self.containers.values():
            if container.status != "running":
                continue
            for port in self._published(container):
                reached.setdefault(f"port {port}", set()).add(container.image.version)
            for network, endpoint in container.endpoints.items():
                for name in {container.name, *endpoint["Aliases"]}:
                    reached.setdefault(f"{network}/{name}", set()).add(container.image.version)
        self.history.append({key: frozenset(versions) for key, versions in reached.items()})


def _listed(container: Container) -> dict[str, Any]:
    return {
        "Id": container.id,
        "Names": ["/" + container.name],
        "Labels": container.raw.get("Labels") or {},
        "HostConfig": {"NetworkMode": (container.raw["HostConfig"] or {}).get("NetworkMode") or "default"},
    }


def _fits(container: Container, filters: Mapping[str, list[str]]) -> bool:
    for wanted in filters.get("label", ()):
        key, equals, value = wanted.partition("=")
        labels = container.raw.get("Labels") or {}
        if key not in labels or (equals and labels[key] != value):
            return False
    names = filters.get("name")
    return names is None or any(
        re.search(name, container.name) or re.search(name, "/" + container.name) for name in names
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "123Z")
