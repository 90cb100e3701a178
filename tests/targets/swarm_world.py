"""What the contract of the swarm driver is tried on: the fake swarm, or a real one on the test bed.

Both offer the same versions of the sample application: 1.0, 1.1 (good), 1.2, 1.3 (with a health check), sick, sick-checked,
exits, and `absent`, which is nowhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from releaser.clock import SystemClock
from releaser.domain.spec import AnySpec, HealthSpec, Order, SwarmPort, SwarmSpec
from releaser.domain.target import Assignment, Desired
from releaser.targets.probe import Probe
from releaser.targets.swarm.driver import SwarmDriver
from tests.fakes.controller import Controller

_numbers = itertools.count(1)
_FIRST_PORT = 8100


@dataclass(slots=True, kw_only=True)
class SwarmWorld:
    """A swarm with images, and what a test needs to declare and to look at targets there."""

    address: str
    repository: str
    digests: Mapping[str, str]
    probe: Probe
    network: str = "back"
    drivers: list[SwarmDriver] = field(default_factory=list)

    def driver(self, *, control_timeout_s: float = 10.0) -> SwarmDriver:
        """A driver of a controller that has just started."""
        made = SwarmDriver(
            clock=SystemClock(), control_timeout_s=control_timeout_s, probe=self.probe, ip_vs=lambda: False
        )
        self.drivers.append(made)
        return made

    def close(self) -> None:
        """Let go of every connection."""
        for driver in self.drivers:
            driver.close()

    def controller(self, **settings: float) -> Controller:
        """A controller that has just started."""
        return Controller(self.driver(), **settings)

    def spec(self, **more: Any) -> SwarmSpec:  # noqa: ANN401  # passed on
        """A target of its own: one task, stop-first, with a published port and a probe."""
        number = next(_numbers)
        port = _FIRST_PORT + number
        settings: dict[str, Any] = {
            "name": f"contract-{number}",
            "order": Order.STOP_FIRST,
            "networks": (self.network,),
            "ports": (SwarmPort(published=port, target=8080),),
            "health": HealthSpec(http=f"http://{{host}}:{port}/healthz", timeout_s=1.0),
            "monitor_s": 0.5,
            "stop_grace_s": 3,
        }
        return SwarmSpec(**{**settings, **more})

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

    def installed(self, version: str, spec: AnySpec) -> Desired:
        """Install it by rollout 1 and say what was installed."""
        desired = self.desired(version, spec)
        self.controller().update(self.assignment(desired))
        return desired

    def update_of(self, installed: Desired, version: str, *, rollout: int = 2, **changes: Any) -> Assignment:  # noqa: ANN401  # passed on
        """Rollout 2 from what is installed to another version."""
        spec = replace(installed.spec, **changes)
        return self.assignment(self.desired(version, spec), installed, rollout=rollout)


def four(world: SwarmWorld, **more: Any) -> SwarmSpec:  # noqa: ANN401  # passed on
    """Four tasks, start-first, one at a time."""
    return world.spec(replicas=4, order=Order.START_FIRST, **more)


def by_hand(world: SwarmWorld, name: str) -> dict[str, object]:
    """A service as somebody made it with `docker service create`."""
    return {
        "Name": name,
        "Labels": {"team": "blue", "com.docker.stack.namespace": "shop", "api-token": "t0ps3cret"},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": f"{world.repository}:1.0@{world.digests['1.0']}",
                "Env": ["MODE=live", "DB_PASSWORD=hunter2"],
                "StopGracePeriod": 7_000_000_000,
                "Mounts": [
                    {"Type": "volume", "Source": "data", "Target": "/data"},
                    {"Type": "tmpfs", "Target": "/scratch"},
                ],
                "Secrets": [{"SecretID": "s1", "SecretName": "key", "File": {"Name": "key"}}],
                "Init": True,
            },
            "Resources": {"Limits": {"MemoryBytes": 64 * 2**20, "NanoCPUs": 500_000_000}},
            "Placement": {"Constraints": ["node.role==worker"]},
            "Networks": [{"Target": "back", "Aliases": ["shop"]}],
        },
        "Mode": {"Replicated": {"Replicas": 2}},
        "UpdateConfig": {
            "Parallelism": 2,
            "FailureAction": "rollback",
            "Order": "start-first",
            "Monitor": 1_000_000_000,
        },
        "EndpointSpec": {"Mode": "vip", "Ports": [{"PublishedPort": 8080, "TargetPort": 80, "Protocol": "tcp"}]},
    }
