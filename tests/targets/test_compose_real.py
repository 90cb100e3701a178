"""The contract of every driver, kept by the compose driver with docker and compose themselves on a real engine.

Here what is kept the hardest is tried; the whole contract runs on a program that is called like docker, and with
HYPOTHESIS_PROFILE=thorough on these as well.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from releaser.domain.target import Health, Phase
from tests import sampled
from tests.fakes.controller import GateError
from tests.targets.compose_world import ComposeWorld


@pytest.fixture
def world(compose_real_world: ComposeWorld) -> ComposeWorld:
    return compose_real_world


def test_update_and_roll_back_on_a_real_engine_each_is_whole(world: ComposeWorld) -> None:
    installed = world.installed("1.0", world.spec())
    assert world.driver().check(world.address).startswith("Linux")
    assignment = world.update_of(installed, "1.1")
    world.controller().update(assignment)
    observed = world.driver().observe(assignment)
    assert observed.runs(assignment.desired)
    assert observed.others == ()
    sick = replace(world.update_of(assignment.desired, "exits"), rollout=3, generation=3)
    with pytest.raises(GateError) as caught:
        world.controller().update(sick)
    assert caught.value.verdict.health is Health.EXITED
    assert "no configuration" in str(caught.value), "its last words are told"
    world.controller().roll_back(sick)
    assert world.driver().observe(sick).runs(assignment.desired)
    assert len(world.containers(world.spec_of(sick))) == 1
    assert world.left_over(world.spec_of(sick)) == []


@pytest.mark.skipif(not sampled.IS_THOROUGH, reason="tried on the fake, and by a story; HYPOTHESIS_PROFILE=thorough")
def test_started_by_its_owner_taken_over_and_given_back(world: ComposeWorld) -> None:
    spec = world.spec()
    world.up_by_hand(spec)
    before = world.containers(spec)[0]
    assignment = world.assignment(world.desired("sick", spec))
    with pytest.raises(GateError):
        world.controller(deadline_s=0.3).update(assignment)
    world.controller().roll_back(assignment)
    after = world.containers(spec)
    assert [one["Image"] for one in after] == [before["Image"]]
    assert after[0]["Config"]["Labels"] == before["Config"]["Labels"], "compose itself would change nothing"
    world.controller().update(replace(world.assignment(world.desired("1.1", spec)), rollout=2, generation=2))
    assert world.driver().observe(replace(assignment, generation=2)).runs(world.desired("1.1", spec))


def test_project_changed_by_hand_is_seen_and_applied_by_the_next_rollout(world: ComposeWorld) -> None:
    installed = world.installed("1.0", world.spec())
    again = world.update_of(installed, "1.0")
    world.write(Path(world.spec_of(again).folder), {"environment": ["MODE=two"]})
    seen = world.driver().observe(again).serving
    assert seen is not None
    assert seen.config_hash is None, "what the files say is no longer what runs"
    world.controller().update(again)
    assert world.driver().observe(again).runs(again.desired)
    assert "MODE=two" in world.containers(world.spec_of(again))[0]["Config"]["Env"]


def test_compose_killed_in_its_midst_another_controller_goes_back_or_on(
    world: ComposeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = world.installed("1.0", world.spec())
    assignment = world.update_of(installed, "1.1")
    steps = world.controller().plan(assignment)
    for step in [one for one in steps if one.phase is Phase.PREPARE] + [one for one in steps if one.name == "back-up"]:
        world.driver().apply(step, assignment)
    # The old one stopped and renamed, as compose leaves it when it is killed.
    old = world.containers(world.spec_of(assignment))[0]
    world.on_host("stop", "-t", "1", old["Id"])
    world.on_host("rename", old["Id"], f"{old['Id'][:12]}_{old['Name'][1:]}")
    world.controller().roll_back(assignment)
    assert world.driver().observe(assignment).runs(installed)
    assert world.containers(world.spec_of(assignment))[0]["Name"] == old["Name"]
    monkeypatch.setenv("PATH", f"{world.dying_compose()}:{os.environ['PATH']}")
    again = replace(assignment, attempt=2, generation=3)
    with pytest.raises(Exception):  # noqa: B017 -- whatever a killed program is told as
        world.controller().update(again)
    world.controller().update(again)
    assert world.driver().observe(again).runs(again.desired)
    assert len(world.containers(world.spec_of(again))) == 1
