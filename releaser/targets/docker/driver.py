"""The door of the docker driver: the port `targets.target.Driver`, put together from the rooms behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from releaser.clock import Clock
from releaser.domain.adoption import Adoptable
from releaser.domain.spec import ContainerSpec, of_kind
from releaser.domain.target import Assignment, Desired, Observation, Step, Verdict
from releaser.targets.docker import adopting, expiry, gate, slot_gate, slots, steps
from releaser.targets.docker.address import parse
from releaser.targets.docker.adopting import digest_of_image
from releaser.targets.docker.client import NO_ACCESS, NOBODY, Engine
from releaser.targets.docker.container import shareable_networks
from releaser.targets.docker.credentials import Credentials
from releaser.targets.docker.fronted import Fronted
from releaser.targets.docker.pool import Pool
from releaser.targets.docker.scene import describe, look
from releaser.targets.docker.slots import Slots
from releaser.targets.docker.steps import FRONT_STEPS, StepName
from releaser.targets.docker.work import Work
from releaser.targets.fronts.opening import Opener, open_front
from releaser.targets.hosts.shell import SshAccess
from releaser.targets.probe import Probe, http_probe
from releaser.targets.target import Capabilities, step_named

_NO_LIVE_RESTORE: Final = (
    "When its daemon is killed, containers stop, and only those with the restart policy 'always' come back with it: "
    'set "live-restore": true in daemon.json, or see that all have that policy.'
)


class DockerDriver:
    """Containers of any number of engines. Keeps nothing but connections: what is true is asked for every time."""

    def __init__(
        self,
        *,
        clock: Clock,
        control_timeout_s: float = 5.0,
        pull_timeout_s: float = 300.0,
        probe: Probe = http_probe,
        opener: Opener = open_front,
        access: SshAccess = NO_ACCESS,
        credentials: Credentials = NOBODY,
    ) -> None:
        """`access` is for engines that are reached over ssh, `credentials` for the registries that they pull from."""
        self._clock = clock
        self._engines = Pool(
            lambda address: Engine(
                address,
                control_timeout_s=control_timeout_s,
                pull_timeout_s=pull_timeout_s,
                access=access,
                credentials=credentials,
            )
        )
        self._probe = probe
        self._opener = opener
        self._waits = slot_gate.Waits(clock)

    def close(self) -> None:
        """Let go of every connection; the driver may still be used and opens new ones."""
        self._engines.close()

    def capabilities(self) -> Capabilities:
        """Both orders and a way back; behind a front connections are drained. The host has to be reachable."""
        return Capabilities(start_first=True, drain=True, rollback=True, offline=False)

    def check(self, address: str) -> str:
        """One line about the engine, and a second one of advice where it has no live-restore. Raises `OutsideError` if it cannot be reached."""
        with self._engines.lent(address) as engine:
            version, info = engine.version(), engine.info()
        told = f"Docker {version.get('Version')}, API {version.get('ApiVersion')}, {version.get('Os')}/{version.get('Arch')}"
        # A swarm does without it: its containers are made anew elsewhere.
        alone = (info.get("Swarm") or {}).get("LocalNodeState", "inactive") == "inactive"
        frail = alone and info.get("LiveRestoreEnabled") is False
        told = "; ".join(filter(None, (told, "without live-restore" if frail else "", self._ends_soon(address))))
        return f"{told}\n{_NO_LIVE_RESTORE}" if frail else told

    def _ends_soon(self, address: str) -> str:
        """Whether we shall be known there for much longer."""
        files = parse(address).tls
        return expiry.in_words(files.cert, now=self._clock.now()) if files is not None else ""

    def observe(self, assignment: Assignment) -> Observation:
        """The target's containers as the engine knows them; the HTTP probe belongs to `verify`.

        It warns of networks that a first installation wants and that are not there; an update fails in preparing where one is gone.
        """
        with self._engines.lent(assignment.address) as engine:
            observed = self._observed(engine, assignment)
            lacking = _lacking(engine, assignment.desired) if observed.serving is None else ""
        warning = "; ".join(filter(None, (self._ends_soon(assignment.address), lacking)))
        return replace(observed, warning=warning)

    def _observed(self, engine: Engine, assignment: Assignment) -> Observation:
        if slots.is_concerned(assignment.desired, assignment.previous):
            return slot_gate.observe(engine, assignment, self._fronted(engine, assignment), clock=self._clock)
        scene = look(engine, assignment)
        serving = scene.serving
        described = {
            found.id: describe(scene, found, digest_of_image(engine, found, assignment.desired.image))
            for found in scene.all()
        }
        intruder = f"{scene.intruder.name} belongs to another target" if scene.intruder is not None else ""
        return Observation(
            at=self._clock.now(),
            serving=described.pop(serving.id) if serving is not None else None,
            others=tuple(described.values()),
            detail=intruder,
        )

    def adoptable(self, address: str, *, names: tuple[str, ...], project: str) -> tuple[Adoptable, ...]:
        """See `adopting`."""
        with self._engines.lent(address) as engine:
            return adopting.adoptable(engine, names=names, project=project)

    def plan(
        self, *, desired: Desired, previous: Desired | None, observed: Observation | None = None
    ) -> tuple[Step, ...]:
        """See `steps.plan`, and `slots.plan` where there are replicas or a front."""
        if slots.is_concerned(desired, previous):
            return slots.plan(desired=desired, previous=previous, observed=observed)
        return steps.plan(desired=desired, previous=previous, observed=observed)

    def plan_back(self, *, desired: Desired, previous: Desired | None) -> tuple[Step, ...]:
        """See `steps.plan_back`, and `slots.plan_back`."""
        if slots.is_concerned(desired, previous):
            return slots.plan_back(desired=desired, previous=previous)
        return steps.plan_back(desired=desired, previous=previous)

    def apply(self, step: Step, assignment: Assignment) -> str:
        """Carry out one step; see `work` and `fronted`."""
        with self._engines.lent(assignment.address) as engine:
            done = self._apply(engine, step, assignment)
        told = self._ends_soon(assignment.address) if step.name == StepName.PULL.value else ""
        return "; ".join(filter(None, (done, told)))

    def verify(self, assignment: Assignment, *, wanted: Desired | None) -> Verdict:
        """One look through the gate; see `gate` and `slot_gate`."""
        with self._engines.lent(assignment.address) as engine:
            if slots.is_concerned(assignment.desired, assignment.previous):
                fronted = self._fronted(engine, assignment)
                return slot_gate.verify(
                    engine, assignment, fronted, wanted=wanted, probe=self._probe, waits=self._waits
                )
            return gate.verify(engine, assignment, wanted=wanted, probe=self._probe)

    def _apply(self, engine: Engine, step: Step, assignment: Assignment) -> str:
        if (step_of_slots := Slots.parse(step.name)) is not None:
            return self._fronted(engine, assignment).carry_out(step_of_slots)
        name = step_named(StepName, step, driver="docker")
        if name in FRONT_STEPS:
            return self._fronted(engine, assignment).carry_out_whole(name)
        return Work(engine, assignment).carry_out(name)

    def _fronted(self, engine: Engine, assignment: Assignment) -> Fronted:
        return Fronted(engine, assignment, opener=self._opener, clock=self._clock)


def _lacking(engine: Engine, desired: Desired) -> str:
    """Which networks are still to be made on the host."""
    spec = of_kind(desired.spec, ContainerSpec)
    names = [name for name in shareable_networks(spec) if engine.network(name) is None]
    return f"not on its host yet: {', '.join(f'docker network create {name}' for name in names)}" if names else ""
