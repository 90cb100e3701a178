"""The door of the compose driver: the port `targets.target.Driver`, put together from the rooms behind it."""

from __future__ import annotations

from releaser.clock import Clock
from releaser.domain.adoption import Adoptable
from releaser.domain.target import Assignment, Desired, Observation, Step, Verdict
from releaser.targets.compose import adopting, gate, scripts, steps
from releaser.targets.compose.faults import from_command
from releaser.targets.compose.scene import describe, look
from releaser.targets.compose.steps import StepName
from releaser.targets.compose.work import Work
from releaser.targets.hosts.fencing import LOCK_WAIT_S
from releaser.targets.hosts.shell import Shells, SshAccess
from releaser.targets.probe import Probe, http_probe
from releaser.targets.target import Capabilities, EngineRefusedError, step_named


class ComposeDriver:
    """Compose projects of any number of hosts. Keeps nothing but connections: what is true is asked for every time."""

    def __init__(
        self,
        *,
        clock: Clock,
        access: SshAccess = SshAccess(),  # noqa: B008 -- frozen
        control_timeout_s: float = 5.0,
        pull_timeout_s: float = 300.0,
        lock_wait_s: int = LOCK_WAIT_S,
        probe: Probe = http_probe,
        shells: Shells | None = None,
    ) -> None:
        self._clock = clock
        # A look may have to ask compose, which takes its time to start.
        self._timeout_s = control_timeout_s + 30
        self._pull_timeout_s = pull_timeout_s
        self._lock_wait_s = lock_wait_s
        self._probe = probe
        self._shells = shells or Shells(access=access, connect_timeout_s=control_timeout_s)

    def close(self) -> None:
        """Let go of every connection; the driver may still be used and opens new ones."""
        self._shells.close()

    def capabilities(self) -> Capabilities:
        """Stop-first with a way back; connections are not drained, and the host has to be reachable."""
        return Capabilities(start_first=False, drain=False, rollback=True, offline=False)

    def check(self, address: str) -> str:
        """One line about the host; raises `OutsideError` if it cannot be reached or lacks a program."""
        answer = self._shells.at(address).run(scripts.check(("docker",)), timeout_s=self._timeout_s)
        told = dict(line.split("\t", 1) for line in answer.out.splitlines() if "\t" in line)
        if told.get("lacks"):
            raise EngineRefusedError(
                f"The host at {address} lacks {told['lacks'].strip()}.",
                permanent=True,
                advice="Install it there: docker's command line, coreutils, findutils and util-linux have all that is needed.",
                address=address,
            )
        if answer.code:
            raise from_command(answer.code, answer.err, what="tell what it has", address=address)
        name = "docker compose" if told.get("with") == "plugin" else "docker-compose"
        return (
            f"{told.get('system', '')}, Docker {told.get('engine', '')}, {name} {told.get('compose', '')}, "
            f"logged in as {told.get('user', '')}"
        )

    def observe(self, assignment: Assignment) -> Observation:
        """What docker, the project's files and ours say; the HTTP probe belongs to `verify`."""
        shell = self._shells.at(assignment.address)
        scene = look(shell, assignment, timeout_s=self._timeout_s)
        return describe(shell, scene, assignment, at=self._clock.now(), timeout_s=self._timeout_s)

    def adoptable(self, address: str, *, names: tuple[str, ...], project: str) -> tuple[Adoptable, ...]:
        """See `adopting`."""
        return adopting.adoptable(self._shells.at(address), names=names, project=project, timeout_s=self._timeout_s)

    def plan(
        self, *, desired: Desired, previous: Desired | None, observed: Observation | None = None
    ) -> tuple[Step, ...]:
        """See `steps.plan`."""
        return steps.plan(desired=desired, previous=previous, observed=observed)

    def plan_back(self, *, desired: Desired, previous: Desired | None) -> tuple[Step, ...]:  # noqa: ARG002 -- the port
        """See `steps.plan_back`."""
        return steps.plan_back(desired=desired)

    def apply(self, step: Step, assignment: Assignment) -> str:
        """Carry out one step; see `work`."""
        name = step_named(StepName, step, driver="compose")
        work = Work(
            self._shells.at(assignment.address),
            assignment,
            timeout_s=self._timeout_s,
            pull_timeout_s=self._pull_timeout_s,
            lock_wait_s=self._lock_wait_s,
        )
        return work.carry_out(name)

    def verify(self, assignment: Assignment, *, wanted: Desired | None) -> Verdict:
        """One look through the gate; see `gate`."""
        shell = self._shells.at(assignment.address)
        return gate.verify(shell, assignment, wanted=wanted, probe=self._probe, timeout_s=self._timeout_s)
