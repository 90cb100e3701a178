"""An attempt breaks off between any two scripts, forward or on its way back, and then comes another one, of the same or of another version.

Sampled, with a seed that is printed (KILL_SEED repeats one); many more with HYPOTHESIS_PROFILE=thorough.
"""

from __future__ import annotations

import os
import random
import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from releaser.domain.spec import FilesSpec
from releaser.domain.target import Assignment, Desired, Phase
from releaser.errors import OutsideError
from tests.fakes.controller import Controller
from tests.targets.files_world import DeadlyShells, FilesWorld, Killed

SAMPLES = 150 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 2


def forward(controller: Controller, assignment: Assignment, *, commit: bool) -> None:
    for step in controller.plan(assignment):
        if step.phase is Phase.COMMIT and not commit:
            return
        controller.carry_out(step, assignment, wanted=assignment.desired)


def broken_off(world: FilesWorld, assignment: Assignment, *, nth: int, after: bool, breaks_back: bool) -> None:
    """The first attempt, as far as it comes; never to its commit."""
    shells = DeadlyShells()
    doomed = Controller(replace(world, shells=shells).driver(), deadline_s=5)
    try:
        if breaks_back:
            forward(doomed, assignment, commit=False)
        shells.shell.count, shells.shell.nth, shells.shell.after = 0, nth, after
        doomed.roll_back(assignment) if breaks_back else forward(doomed, assignment, commit=False)
    except (Killed, OutsideError):
        return


def is_whole(world: FilesWorld, assignment: Assignment, wanted: Desired, *, files: dict[str, str]) -> None:
    spec = wanted.spec
    assert isinstance(spec, FilesSpec)
    folder = Path(spec.root) / "conf"
    assert world.running(spec) == (wanted.version, files["app.conf"])
    assert {one.name: one.read_text() for one in folder.iterdir()} == files
    assert (Path(spec.root) / "current" / "VERSION").read_text() == wanted.version
    assert world.left_over(spec) == []
    assert world.driver().observe(assignment).runs(wanted)


def one_sample(world: FilesWorld, dice: random.Random) -> None:
    nth, after, breaks_back = dice.randint(1, 8), dice.random() < 0.5, dice.random() < 0.4
    version, goes_back = dice.choice(["1.0", "1.1", "1.2"]), dice.random() < 0.6
    told = f"breaks off {'back ' if breaks_back else ''}at {nth} {'after' if after else 'before'}; {version} back {goes_back}"
    try:
        spec = world.spec(configured="old")
        installed = world.installed("1.0", spec)
        more = replace(spec.configuration[0], path=f"{spec.root}/conf/more.conf", content="more")
        other = replace(more, path=f"{spec.root}/conf/other.conf", content="other")
        first = world.configured(spec, "new")
        first = replace(first, configuration=(*first.configuration, more))
        broken = world.assignment(world.desired("1.1", first), installed, rollout=2)
        broken_off(world, broken, nth=nth, after=after, breaks_back=breaks_back)
        second = world.configured(spec, "newest")
        second = replace(second, configuration=(*second.configuration, other))
        later = world.assignment(world.desired(version, second), installed, rollout=3)
        controller = world.controller(deadline_s=5)
        forward(controller, later, commit=not goes_back)
        if goes_back:
            controller.roll_back(later)
            is_whole(world, later, installed, files={"app.conf": "old"})
        else:
            is_whole(world, later, later.desired, files={"app.conf": "newest", "other.conf": "other"})
    except Exception as error:
        raise AssertionError(f"{told}: {error}") from error


@pytest.mark.timeout(1500)
def test_attempt_breaks_off_anywhere_another_one_ends_whole(files_world: FilesWorld) -> None:
    seed = int(os.environ.get("KILL_SEED", "0")) or secrets.randbelow(10**9)
    dice = random.Random(seed)  # noqa: S311 -- no secret
    for number in range(SAMPLES):
        try:
            one_sample(files_world, dice)
        except AssertionError as error:
            raise AssertionError(f"KILL_SEED={seed}, sample {number}: {error}") from error
