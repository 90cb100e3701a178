"""A controller of the simplest kind: it carries out a plan step by step, waits at gates, and keeps nothing.

What a rollout really does (journal, locks, waves, deadlines, retries) lives in flows; this is what a driver may rely on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from releaser.domain.target import Assignment, Desired, Health, Phase, Step, Verdict
from releaser.errors import OutsideError
from releaser.targets.target import Driver


class GateError(Exception):
    """The gate said no."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"{verdict.health}: {verdict.reason}")
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Controller:
    """One process that updates targets; make a new one to stand for a restart."""

    driver: Driver
    deadline_s: float = 10.0
    pause_s: float = 0.02

    def update(self, assignment: Assignment) -> None:
        """Forward to the end; raises `GateError` or what the driver raises, and leaves everything as it is then."""
        steps = self.plan(assignment)
        for step in steps:
            if step.phase is Phase.COMMIT:
                self.gate(assignment, assignment.desired)
            self.carry_out(step, assignment, wanted=assignment.desired)
        self.gate(assignment, assignment.desired)

    def roll_back(self, assignment: Assignment) -> None:
        """Back to what was there."""
        for step in self.driver.plan_back(desired=assignment.desired, previous=assignment.previous):
            self.carry_out(step, assignment, wanted=assignment.previous)
        self.gate(assignment, assignment.previous)

    def persist(self, steps: Iterable[Step], assignment: Assignment, *, back: bool, mend: Callable[[], None]) -> None:
        """These steps as a rollout does them: after an error that may pass the same again, once what broke is mended."""
        wanted = assignment.previous if back else assignment.desired
        for step in steps:
            for _ in range(3):
                try:
                    self.driver.apply(step, assignment)
                except OutsideError as error:
                    mend()
                    if error.permanent:
                        raise
                else:
                    break
            if step.gate:
                self.gate(assignment, wanted)
        self.gate(assignment, wanted)

    def plan(self, assignment: Assignment) -> tuple[Step, ...]:
        """The steps for what is there now."""
        return self.driver.plan(
            desired=assignment.desired, previous=assignment.previous, observed=self.driver.observe(assignment)
        )

    def carry_out(self, step: Step, assignment: Assignment, *, wanted: Desired | None) -> None:
        """One step, and its gate if it has one."""
        assert self.driver.apply(step, assignment)
        if step.gate:
            self.gate(replace(assignment, gate=step.name), wanted)

    def gate(self, assignment: Assignment, wanted: Desired | None) -> Verdict:
        """Wait for a verdict that is not *starting*."""
        ends = time.monotonic() + self.deadline_s
        while True:
            verdict = self.driver.verify(assignment, wanted=wanted)
            if verdict.health is Health.HEALTHY:
                return verdict
            if verdict.health is not Health.STARTING or time.monotonic() > ends:
                raise GateError(verdict)
            time.sleep(self.pause_s)
