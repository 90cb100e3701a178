"""What the contract of the docker driver is tried on: the fake engine, or a real one with a real registry.

Both offer the same versions of the sample application:
1.0, 1.1 (good), 1.2 (with the engine's health check), sick, sick-checked, exits, and `absent`, which is nowhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from releaser.clock import SystemClock
from releaser.domain.spec import AnySpec, ContainerSpec, HealthSpec, Order, PortBinding
from releaser.domain.target import Assignment, Desired
from releaser.targets.docker.client import Engine
from releaser.targets.docker.driver import DockerDriver
from releaser.targets.fronts.opening import Opener, open_front
from releaser.targets.probe import Probe
from tests.fakes.controller import Controller

PORT = 8080
_numbers = itertools.count(1)


@dataclass(slots=True, kw_only=True)
class World:
    """An engine with images, and what a test needs to declare and to look at targets there."""

    address: str
    repository: str
    digests: Mapping[str, str]
    probe: Probe
    is_real: bool
    drivers: list[DockerDriver] = field(default_factory=list)
    opener: Opener = open_front
    kept: bytes = b""
    """What the fake engine held at a moment that a test comes back to."""

    def driver(self, *, control_timeout_s: float = 10.0, pull_timeout_s: float = 20.0) -> DockerDriver:
        """A driver of a controller that has just started."""
        made = DockerDriver(
            clock=SystemClock(),
            control_timeout_s=control_timeout_s,
            pull_timeout_s=pull_timeout_s,
            probe=self.probe,
            opener=self.opener,
        )
        self.drivers.append(made)
        return made

    def close(self) -> None:
        """End the controllers that were started so far; more may be started."""
        for driver in self.drivers:
            driver.close()
        self.drivers.clear()

    def controller(self, **settings: float) -> Controller:
        """A controller that has just started."""
        return Controller(self.driver(), **settings)

    def spec(self, *, port: int = 0, order: Order = Order.STOP_FIRST, **more: Any) -> ContainerSpec:  # noqa: ANN401  # passed on
        """A target of its own: with a fixed port and a probe when `port` is given, else with a free one."""
        name = f"contract-{next(_numbers)}"
        url = f"http://127.0.0.1:{port or '{port}'}/healthz"
        health = more.pop("health", HealthSpec(http=url, timeout_s=1.0))
        ports = (PortBinding(container_port=PORT, host_port=port),)
        return ContainerSpec(name=name, ports=ports, order=order, health=health, stop_grace_s=3, **more)

    def desired(self, version: str, spec: AnySpec) -> Desired:
        """What shall run."""
        return Desired(version=version, image=self.repository, digest=self.digests[version], spec=spec)

    def assignment(self, desired: Desired, previous: Desired | None = None, *, rollout: int = 1) -> Assignment:
        """The first attempt of a rollout, under a lock of the rollout's number."""
        return Assignment(
            target=f"target-{desired.spec.name}",
            host="host-1",
            address=self.address,
            rollout=rollout,
            attempt=1,
            generation=rollout,
            desired=desired,
            previous=previous,
        )

    def installed(self, version: str, spec: ContainerSpec) -> Desired:
        """Install it by rollout 1 and say what was installed."""
        desired = self.desired(version, spec)
        self.controller().update(self.assignment(desired))
        return desired

    def update_of(self, installed: Desired, version: str, **changes: Any) -> Assignment:  # noqa: ANN401  # passed on
        """Rollout 2 from what is installed to another version."""
        spec = replace(installed.spec, **changes)
        return self.assignment(self.desired(version, spec), installed, rollout=2)

    def there(self, name: str) -> dict[str, str]:
        """Name -> state of every container whose name begins so."""
        engine = self.engine()
        found = [engine.container(str(entry["Id"])) for entry in engine.containers(name=f"^/?{name}(\\.|$)")]
        engine.close()
        return {str(raw["Name"])[1:]: str(raw["State"]["Status"]) for raw in found if raw is not None}

    def raw(self, name: str) -> Mapping[str, Any]:
        """Everything about one container."""
        engine = self.engine()
        found = engine.container(name)
        engine.close()
        assert found is not None
        return found

    def by_hand(self, name: str, version: str, config: Mapping[str, Any]) -> str:
        """Somebody runs a container by hand; its id."""
        engine = self.engine()
        engine.pull(self.repository, self.digests[version])
        payload = {"Image": f"{self.repository}@{self.digests[version]}", "HostConfig": {}, **config}
        container_id = engine.create(name, payload)
        engine.start(container_id)
        engine.close()
        return container_id

    def remove_by_hand(self, name: str) -> None:
        """Somebody removes a container by hand."""
        engine = self.engine()
        engine.remove(str(self.raw(name)["Id"]), volumes=False)
        engine.close()

    def engine(self) -> Engine:
        """The engine's own API; to be closed."""
        return Engine(self.address, control_timeout_s=20.0, pull_timeout_s=20.0)
