"""Killed with `kill -9` anywhere: the controller before or after any script, or the script on the host before any of its lines.

Whatever the moment, another controller brings the target to its end, forward or back: wholly the old version with the old
configuration, or wholly the new one with the new, running, and nothing left over. Some of the matrix in every run, by a seed that
is printed (KILL_SEED repeats one); all of it with HYPOTHESIS_PROFILE=thorough.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from releaser.domain.target import Assignment
from releaser.errors import OutsideError
from tests import sampled
from tests.fakes.controller import Controller, GateError
from tests.targets.files_world import DeadlyShells, FilesWorld, Killed

FORWARD, BACK = 8, 5
MOST_LINES = 12
SAMPLES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """The `nth` script that changes something, of the way forward or back; `line` counts lines from the script's end."""

    back: bool
    nth: int
    after: bool = False
    line: int | None = None
    adopted: bool = False
    ends_forward: bool = False


def all_deaths() -> list[Death]:
    found = []
    for back, adopted, ends_forward in (
        (False, False, False),
        (False, False, True),
        (True, False, False),
        (False, True, False),
    ):
        given = {"back": back, "adopted": adopted, "ends_forward": ends_forward}
        for nth in range(1, (BACK if back else FORWARD) + 1):
            found += [Death(nth=nth, after=after, **given) for after in (False, True)]
            found += [Death(nth=nth, line=line, **given) for line in range(1, MOST_LINES)]
    return found


def persist(controller: Controller, assignment: Assignment, *, back: bool) -> None:
    """What a worker does: try again what failed in passing."""
    for _ in range(4):
        try:
            if back:
                controller.roll_back(assignment)
            else:
                controller.update(assignment)
        except (OutsideError, GateError):
            continue
        return
    raise AssertionError("it does not come to an end")


def carry_out(world: FilesWorld, death: Death) -> bool:
    """One life with one death; False when it was never met."""
    spec = world.spec(configured="old")
    root = Path(spec.root)
    if death.adopted:
        by_hand(world, spec.root)
        installed = None
    else:
        installed = world.installed("1.0", spec)
    more = replace(spec.configuration[0], path=f"{root}/conf/more.conf", content="more")
    new = replace(spec, configuration=(replace(spec.configuration[0], content="new"), more))
    assignment = world.assignment(world.desired("1.1", new), installed, rollout=2)
    shells = DeadlyShells()
    doomed = FilesWorld.driver(replace(world, shells=shells))
    shell = shells.shell
    steps = Controller(doomed).plan(assignment)
    if death.back:
        for step in steps[:-1]:
            doomed.apply(step, assignment)
        steps = doomed.plan_back(desired=assignment.desired, previous=installed)
    shell.count, shell.nth, shell.after, shell.line = 0, death.nth, death.after, death.line
    met = False
    try:
        for step in steps:
            doomed.apply(step, assignment)
    except (Killed, OutsideError):
        met = True
    committed = not (root / ".releaser" / "backup-2-1").exists() and world.running(spec) == ("1.1", "new")
    goes_back = death.back or not (death.ends_forward or committed)
    persist(world.controller(), assignment, back=goes_back)
    if goes_back:
        assert world.running(spec) == ("1.0", "old"), f"{death}: the old version with the old configuration runs again"
        assert not (root / "conf" / "more.conf").exists(), f"{death}: a file that was not there is gone again"
        assert (root / "current").readlink() == Path("releases/1.0"), f"{death}: the link is back"
    else:
        assert world.running(spec) == ("1.1", "new"), f"{death}: the new version with the new configuration runs"
        assert (root / "conf" / "more.conf").read_text() == "more", f"{death}: every file is in its place"
    assert world.left_over(spec) == [], f"{death}: nothing is left over"
    assert not goes_back or world.releases(spec) == ["1.0"], f"{death}: the release that failed is gone"
    return met


def by_hand(world: FilesWorld, root: str) -> None:
    """Somebody installed 1.0 before us, and started it."""
    home = Path(root)
    (home / "releases" / "1.0").mkdir(parents=True)
    (home / "releases" / "1.0" / "VERSION").write_text("1.0")
    (home / "conf").mkdir()
    (home / "conf" / "app.conf").write_text("old")
    (home / "current").symlink_to("releases/1.0")
    (home / "running").write_text("1.0|old|4711\n")


def test_killed_anywhere_target_ends_whole(files_world: FilesWorld) -> None:
    if sampled.IS_THOROUGH:
        met = sum(carry_out(files_world, death) for death in all_deaths())
        assert met > 150, "most moments are met"
        return
    for death in sampled.chance().sample(all_deaths(), SAMPLES):
        carry_out(files_world, death)
