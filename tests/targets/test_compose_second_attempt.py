"""An attempt breaks off between any two scripts, forward or on its way back, and then comes another one, of the same or of another version."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from releaser.domain.target import Assignment, Desired, Phase
from releaser.errors import OutsideError
from tests.fakes.controller import Controller
from tests.targets.compose_world import ComposeWorld
from tests.targets.files_world import DeadlyShells, Killed

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
MOMENTS = [(nth, after) for nth in range(1, 7) for after in (False, True)] if THOROUGH else [(4, True)]
BACK = [(nth, after) for nth in range(1, 4) for after in (False, True)] if THOROUGH else [(2, False)]


def forward(controller: Controller, assignment: Assignment, *, commit: bool) -> None:
    for step in controller.plan(assignment):
        if step.phase is Phase.COMMIT and not commit:
            return
        controller.carry_out(step, assignment, wanted=assignment.desired)


def broken_off(world: ComposeWorld, installed: Desired, *, nth: int, after: bool, back: bool) -> None:
    """The first attempt, as far as it comes; never to its commit."""
    shells = DeadlyShells()
    doomed = replace(world, shells=shells).controller()
    assignment = world.update_of(installed, "1.1", memory_mb=64)
    try:
        if back:
            forward(doomed, assignment, commit=False)
        shells.shell.count, shells.shell.nth, shells.shell.after = 0, nth, after
        doomed.roll_back(assignment) if back else forward(doomed, assignment, commit=False)
    except (Killed, OutsideError):
        return


@pytest.mark.parametrize("goes_back", [True, False], ids=["back", "on"])
@pytest.mark.parametrize(("nth", "after", "back"), [(*one, False) for one in MOMENTS] + [(*one, True) for one in BACK])
def test_attempt_broke_off_another_one_ends_whole(
    compose_world: ComposeWorld, nth: int, *, after: bool, back: bool, goes_back: bool
) -> None:
    world = compose_world
    spec = world.spec()
    installed = world.installed("1.0", spec)
    broken_off(world, installed, nth=nth, after=after, back=back)
    later = replace(world.update_of(installed, "1.2"), rollout=3, generation=3)
    controller = world.controller()
    forward(controller, later, commit=not goes_back)
    if goes_back:
        controller.roll_back(later)
    wanted = installed if goes_back else later.desired
    assert world.driver().observe(later).runs(wanted)
    (only,) = world.containers(spec)
    assert not only["HostConfig"].get("Memory"), "nothing of the attempt that broke off is left"
    assert world.left_over(spec) == []
