"""The door of the swarm driver: the port `targets.target.Driver`, put together from the rooms behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from releaser.clock import Clock
from releaser.domain.adoption import Adoptable
from releaser.domain.spec import SwarmSpec, of_kind
from releaser.domain.target import Assignment, Desired, Observation, Step, Verdict
from releaser.targets.docker.client import NO_ACCESS
from releaser.targets.docker.credentials import Credentials
from releaser.targets.docker.pool import Pool
from releaser.targets.hosts.shell import SshAccess
from releaser.targets.probe import Probe, http_probe
from releaser.targets.swarm import adopting, gate, kernel, proxy, steps
from releaser.targets.swarm.client import Manager, NotAManagerError, Swarm
from releaser.targets.swarm.scene import describe, describe_outdated, in_words, look
from releaser.targets.swarm.steps import StepName
from releaser.targets.swarm.work import Work
from releaser.targets.target import Capabilities, step_named


class SwarmDriver:
    """Services of any number of swarms. Keeps connections, and which manager answered; what is true is asked for every time.

    `credentials` are given to the swarm with each new specification, so that its nodes can pull. Of several managers each is
    asked once and for `control_timeout_s` at most. `access` is for managers that are reached over ssh.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        control_timeout_s: float = 5.0,
        probe: Probe = http_probe,
        credentials: Credentials | None = None,
        ip_vs: kernel.IpVs = kernel.has_ip_vs,
        access: SshAccess = NO_ACCESS,
    ) -> None:
        self._clock = clock
        self._probe = probe
        self._credentials: Credentials = credentials or {}
        self._ip_vs = ip_vs
        self._managers = Pool(
            lambda address: Manager(
                address, control_timeout_s=control_timeout_s, pull_timeout_s=control_timeout_s, access=access
            )
        )
        self._first: dict[str, str] = {}

    def close(self) -> None:
        """Let go of every connection; the driver may still be used and opens new ones."""
        self._managers.close()

    def capabilities(self) -> Capabilities:
        """Both orders and a way back. A manager has to be reachable; connections are the tasks' own to end."""
        return Capabilities(start_first=True, drain=False, rollback=True, offline=False)

    def check(self, address: str) -> str:
        """One line about the swarm, and which way of being reached works there."""
        with self._managers.lent(address) as manager:
            return self._told(manager, address)

    def _told(self, manager: Manager, address: str) -> str:
        info = manager.info()
        swarm = info.get("Swarm") or {}
        if not swarm.get("ControlAvailable"):
            raise NotAManagerError(
                f"The engine at {address} is {'a worker, no manager,' if swarm.get('NodeID') else 'not part'} of a swarm.",
                permanent=True,
                advice="Give the address of a manager, or make it one: docker swarm init, docker node promote.",
                address=address,
            )
        nodes = manager.nodes()
        down = [node for node in nodes if node["Status"]["State"] != "ready"]
        managers = sum("ManagerStatus" in node for node in nodes)
        named = ", ".join(str(node["Description"].get("Hostname") or node["ID"]) for node in down)
        state = f", {len(down)} of them down ({named})" if down else ""
        found = kernel.in_words(address, info, ip_vs=self._ip_vs)
        return (
            f"Docker {info.get('ServerVersion')}, swarm of {len(nodes)} node{'s' if len(nodes) != 1 else ''}{state}, "
            f"{managers} manager{'s' if managers != 1 else ''}; {found}"
        )

    def observe(self, assignment: Assignment) -> Observation:
        """The service as its swarm knows it, and tasks of what was before; the HTTP probe belongs to `verify`."""
        with self._swarm(assignment) as swarm:
            scene = look(swarm, assignment)
            before = proxy.seen(swarm, assignment, of_kind(assignment.desired.spec, SwarmSpec))
        serving = describe(scene, scene.service, assignment) if scene.service is not None else None
        if serving is not None and before is not None:
            serving = replace(serving, configuration={**serving.configuration, steps.PROXY: before})
        return Observation(
            at=self._clock.now(),
            serving=serving,
            others=describe_outdated(scene),
            detail=in_words(scene),
        )

    def adoptable(self, address: str, *, names: tuple[str, ...], project: str) -> tuple[Adoptable, ...]:
        """See `adopting`; `names` are services, `project` is a stack."""
        with self._managers.lent(address) as manager:
            return adopting.adoptable(Swarm([manager]), names=names, project=project)

    def plan(
        self, *, desired: Desired, previous: Desired | None, observed: Observation | None = None
    ) -> tuple[Step, ...]:
        """See `steps.plan`."""
        return steps.plan(desired=desired, previous=previous, observed=observed)

    def plan_back(self, *, desired: Desired, previous: Desired | None) -> tuple[Step, ...]:
        """See `steps.plan_back`."""
        return steps.plan_back(desired=desired, previous=previous)

    def apply(self, step: Step, assignment: Assignment) -> str:
        """Carry out one step; see `work`."""
        name = step_named(StepName, step, driver="swarm")
        with self._swarm(assignment) as swarm:
            return Work(swarm, assignment, credentials=self._credentials).carry_out(name)

    def verify(self, assignment: Assignment, *, wanted: Desired | None) -> Verdict:
        """One look through the gate; see `gate`."""
        with self._swarm(assignment) as swarm:
            return gate.verify(swarm, assignment, wanted=wanted, probe=self._probe)

    @contextmanager
    def _swarm(self, assignment: Assignment) -> Iterator[Swarm]:
        """The managers to ask: the one that answered last first."""
        address = assignment.address
        addresses = dict.fromkeys((address, *of_kind(assignment.desired.spec, SwarmSpec).managers))
        ordered = sorted(addresses, key=lambda one: one != self._first.get(address, address))
        with ExitStack() as lent:
            managers = {one: lent.enter_context(self._managers.lent(one)) for one in ordered}

            def answered(manager: Manager) -> None:
                self._first[address] = next(one for one, known in managers.items() if known is manager)

            yield Swarm(tuple(managers.values()), answered=answered)
