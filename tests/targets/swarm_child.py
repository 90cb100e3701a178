"""A controller in a process of its own, to be killed: carries out the update it is given, pickled, on its input.

python -m tests.targets.swarm_child      # says "told" once swarm is told, "done" at the end
"""

from __future__ import annotations

import pickle
import sys

from releaser.clock import SystemClock
from releaser.domain.target import Assignment, Step
from releaser.targets.swarm.driver import SwarmDriver
from tests.fakes.controller import Controller


class Telling(SwarmDriver):
    """Says when a step is done."""

    def apply(self, step: Step, assignment: Assignment) -> str:
        told = super().apply(step, assignment)
        say(step.name)
        return told


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def main() -> None:
    assignment: Assignment = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 -- our own
    driver = Telling(clock=SystemClock())
    Controller(driver, deadline_s=60, pause_s=0.1).update(assignment)
    driver.close()
    say("done")


if __name__ == "__main__":
    main()
