"""What only the compose driver promises: the project stays its owner's, and a compose that dies leaves the whole old or the whole new."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.declaration.spec_rules import spec_faults
from releaser.domain.spec import ComposeSpec, Order
from releaser.domain.target import Assignment, Desired, Health, Phase
from releaser.errors import OutsideError, RefusedError
from releaser.targets.compose.override import override
from releaser.targets.hosts.shell import LOCAL
from releaser.targets.target import ConfigurationRefusedError, EngineUnreachableError
from tests.fakes.controller import GateError
from tests.fakes.docker_on_host import DockerOnHost
from tests.targets.compose_world import ComposeWorld
from tests.targets.files_world import CutShells, DeadlyShells, Killed

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


@pytest.fixture
def world(compose_world: ComposeWorld) -> ComposeWorld:
    return compose_world


def is_whole(world: ComposeWorld, assignment: Assignment, wanted: Desired) -> bool:
    """One container, made from exactly this, and nothing left over."""
    spec = world.spec_of(assignment)
    return (
        world.driver().observe(assignment).runs(wanted)
        and len(world.containers(spec)) == 1
        and world.left_over(spec) == []
    )


def test_update_writes_one_file_of_its_own_and_leaves_the_projects_alone(
    world: ComposeWorld, compose_host: DockerOnHost
) -> None:
    spec = world.spec()
    world.installed("1.0", spec)
    before = (Path(spec.folder) / "compose.yaml").read_text()
    names = sorted(one.name for one in Path(spec.folder).iterdir())
    assert names == [".releaser", "compose.yaml", "releaser.web.yaml"]
    assert before == json.dumps(
        {"services": {"web": {"image": f"{world.repository}:1.0", "environment": ["MODE=one"]}}}
    )
    labels = world.containers(spec)[0]["Config"]["Labels"]
    assert {k: v for k, v in labels.items() if k.startswith("releaser.")} == {
        "releaser.target": f"target-{spec.name}",
        "releaser.rollout": "1",
        "releaser.attempt": "1",
        "releaser.generation": "1",
        "releaser.version": "1.0",
        "releaser.digest": world.digests["1.0"],
        "releaser.config": labels["releaser.config"],
    }
    assert any(" up -d --no-deps --no-build -t 2 web" in call for call in compose_host.calls)


def test_resources_declared_they_are_laid_over_the_project(world: ComposeWorld) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    more = world.update_of(installed, "1.0", memory_mb=256, cpus=1.5)
    world.controller().update(more)
    assert world.containers(spec)[0]["HostConfig"]["Memory"] == "256m"
    assert is_whole(world, more, more.desired)


@pytest.mark.parametrize(
    ("place", "way"),
    [("stopped", "back"), ("removed", "back"), ("created", "back"), ("created", "on"), ("removed", "on")],
)
def test_compose_dies_in_its_midst_ends_whole(
    world: ComposeWorld, compose_host: DockerOnHost, place: str, way: str
) -> None:
    installed = world.installed("1.0", world.spec())
    assignment = world.update_of(installed, "1.1")
    compose_host.die_at(place)
    with pytest.raises(OutsideError) as caught:
        world.controller().update(assignment)
    assert not getattr(caught.value, "permanent", True), "it is tried again"
    if way == "back":
        compose_host.die_at(place)
        try:
            world.controller().roll_back(assignment)
        except OutsideError:
            world.controller().roll_back(assignment)
    else:
        world.controller().update(assignment)
    assert is_whole(world, assignment, installed if way == "back" else assignment.desired)


@pytest.mark.parametrize("nth", range(1, 8) if THOROUGH else (4, 5, 6))
def test_controller_killed_at_any_script_whole_old_or_whole_new(world: ComposeWorld, nth: int) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    assignment = world.update_of(installed, "1.1")
    deadly = DeadlyShells()
    deadly.shell.nth, deadly.shell.after = nth, nth % 2 == 0
    dying = replace(world, shells=deadly)
    try:
        dying.controller().update(assignment)
    except Killed:
        running = [one["Config"]["Image"] for one in world.containers(spec)]
        assert len(running) == 1
    if nth % 3 == 0 and world.driver().observe(assignment).runs(installed):
        world.controller().roll_back(assignment)
        assert is_whole(world, assignment, installed)
    else:
        world.controller().update(assignment)
        assert is_whole(world, assignment, assignment.desired)


def test_project_changed_by_hand_is_seen_and_put_right_by_the_same_version(world: ComposeWorld) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    again = world.update_of(installed, "1.0")
    before = serving(world, again)
    world.write(Path(spec.folder), {"environment": ["MODE=two"]})
    after = serving(world, again)
    assert after.config_hash is None
    assert before.configuration["project files"] != after.configuration["project files"]
    world.controller().update(again)
    assert world.driver().observe(again).runs(again.desired)
    assert world.containers(spec)[0]["Config"]["Env"] == ["MODE=two"]


def test_project_file_touched_only_is_no_drift(world: ComposeWorld) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    again = world.update_of(installed, "1.0")
    (Path(spec.folder) / "compose.yaml").touch()
    assert world.driver().observe(again).runs(installed)


def test_override_taken_away_by_hand_is_seen(world: ComposeWorld) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    (Path(spec.folder) / "releaser.web.yaml").unlink()
    seen = serving(world, world.update_of(installed, "1.0"))
    assert (seen.config_hash, seen.configuration["override file"]) == (None, "removed")


def test_project_changed_in_the_midst_of_a_rollout_back_is_as_it_was(world: ComposeWorld) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    world.write(Path(spec.folder), {"environment": ["MODE=two"]})
    assignment = world.update_of(installed, "sick")
    with pytest.raises(GateError):
        world.controller(deadline_s=0.1).update(assignment)
    assert world.containers(spec)[0]["Config"]["Env"] == ["MODE=two"]
    world.controller().roll_back(assignment)
    assert world.containers(spec)[0]["Config"]["Env"] == ["MODE=one"], (
        "the whole of the old comes back, not its image only"
    )


def test_started_by_its_owner_and_rolled_back_is_his_again(world: ComposeWorld, compose_host: DockerOnHost) -> None:
    spec = world.spec()
    world.up_by_hand(spec)
    before = world.containers(spec)[0]
    assignment = world.assignment(world.desired("exits", spec))
    with pytest.raises(GateError):
        world.controller().update(assignment)
    # Meanwhile his tag means something else.
    world.on_host("pull", f"{world.repository}@{world.digests['1.1']}")
    world.on_host("tag", f"{world.repository}@{world.digests['1.1']}", f"{world.repository}:1.0")
    world.controller().roll_back(assignment)
    after = world.containers(spec)[0]
    assert (after["Image"], after["State"]["Status"]) == (before["Image"], "running")
    assert "releaser.target" not in after["Config"]["Labels"]


def test_images_before_and_now_have_a_name_that_keeps_them(world: ComposeWorld, compose_host: DockerOnHost) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    second = world.update_of(installed, "1.1")
    world.controller().update(second)
    third = replace(world.update_of(second.desired, "1.2"), rollout=3, generation=3)
    world.controller().update(third)
    kept = {one.version for one in compose_host.images if any(tag.startswith("releaser-kept/") for tag in one.tags)}
    assert kept == {"1.1", "1.2"}


def test_several_containers_of_a_service_stay_several(world: ComposeWorld, compose_host: DockerOnHost) -> None:
    spec = world.spec()
    world.up_by_hand(spec)
    words = (f"compose -p {spec.project} -f {spec.folder}/compose.yaml up -d --scale web=3 web").split()
    world.on_host(*words)
    assignment = world.assignment(world.desired("1.1", spec))
    world.controller().update(assignment)
    observed = world.driver().observe(assignment)
    assert (len(world.containers(spec)), observed.detail, observed.others) == (3, "3 containers", ())


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"compose.yaml": "{"}, "Compose refuses the project"),
        ({"compose.yaml": json.dumps({"services": {"db": {"image": "x"}}})}, "neither an image nor a build"),
        ({}, "there is no compose file"),
        ({"compose.yaml": "{}", ".env": "COMPOSE_FILE=a.yaml"}, "COMPOSE_FILE"),
    ],
)
def test_project_that_compose_refuses_fails_in_prepare(world: ComposeWorld, files: dict[str, str], said: str) -> None:
    installed = world.installed("1.0", world.spec())
    assignment = world.update_of(installed, "1.1")
    folder = Path(world.spec_of(assignment).folder)
    (folder / "compose.yaml").unlink()
    for name, text in files.items():
        (folder / name).write_text(text)
    pull, stage, *_ = world.driver().plan(desired=assignment.desired, previous=installed)
    assert stage.phase is Phase.PREPARE, "nothing was stopped"
    world.driver().apply(pull, assignment)
    with pytest.raises(ConfigurationRefusedError, match=said):
        world.driver().apply(stage, assignment)
    assert len(world.containers(world.spec_of(assignment))) == 1


def test_engine_down_is_said_and_tried_again(world: ComposeWorld, compose_host: DockerOnHost) -> None:
    compose_host.is_down = True
    with pytest.raises(EngineUnreachableError) as caught:
        world.driver().check(LOCAL)
    assert not caught.value.permanent


def test_hostile_words_stay_words(world: ComposeWorld) -> None:
    spec = world.spec(service="web")
    desired = replace(world.desired("1.0", spec), version='1.0"\n  evil: ${HOME} $(id)', image="r/s")
    text = override(desired, replace(world.assignment(desired), target="a'b$c: {x}"))
    assert '"1.0\\"\\n  evil: $${HOME} $$(id)"' in text
    assert '"a\'b$$c: {x}"' in text
    folder = world.folder / "it's; touch $(x) -f"
    folder.mkdir()
    odd = replace(spec, folder=str(folder))
    world.write(folder, {})
    installed = world.installed("1.0", odd)
    assert world.driver().observe(world.update_of(installed, "1.0")).runs(installed)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"folder": "srv/shop"}, "folder"),
        ({"folder": "/srv/../etc"}, "folder"),
        ({"project": "--Shop"}, "project"),
        ({"service": "-f"}, "service"),
        ({"service": "../web"}, "service"),
        ({"files": ("../compose.yaml",)}, "files"),
        ({"files": ("compose.yaml", "releaser.web.yaml")}, "files"),
        ({"files": ("a.yaml", "a.yaml")}, "files"),
        ({"order": Order.START_FIRST}, "order"),
        ({"docker": ()}, "docker"),
        ({"memory_mb": 1}, "memory_mb"),
    ],
)
def test_declaration_of_nonsense_is_refused(changes: dict[str, Any], key: str) -> None:
    good = ComposeSpec(name="shop", folder="/srv/shop", project="shop", service="web")
    assert list(spec_faults(good)) == []
    assert key in {place[0] for place, _, _ in spec_faults(replace(good, **changes))}


def test_service_that_moves_away_is_refused_at_planning(world: ComposeWorld) -> None:
    spec = world.spec()
    moved = replace(spec, service="api")
    with pytest.raises(RefusedError, match="would run on"):
        world.driver().plan(desired=world.desired("1.1", moved), previous=world.desired("1.0", spec))


def test_project_that_runs_is_told_as_it_would_be_taken_over(world: ComposeWorld) -> None:
    spec = world.spec()
    world.up_by_hand(spec)
    (found,) = world.driver().adoptable(LOCAL, names=(), project=spec.project)
    assert (found.service, found.digest, found.tag) == ("web", world.digests["1.0"], "1.0")
    assert (found.spec.kind, found.spec.name) == ("compose", f"{spec.project}-web")


def test_passwords_of_the_project_stand_in_no_script_however_large_it_is(world: ComposeWorld) -> None:
    shells = CutShells()
    world = replace(world, shells=shells)
    spec = world.spec()
    # More than one word of a command may have.
    world.write(Path(spec.folder), {"environment": ["PASSWORD=hunter2", f"LONG={'x' * 140_000}"]})
    installed = world.installed("1.0", spec)
    world.write(Path(spec.folder), {"environment": ["PASSWORD=hunter3"]})
    update = world.update_of(installed, "sick")
    with pytest.raises(GateError):
        world.controller(deadline_s=0.1).update(update)
    world.controller().roll_back(update)
    assert world.containers(spec)[0]["Config"]["Env"][0] == "PASSWORD=hunter2"
    assert not [line for line in shells.shell.heard if "hunter" in line], "whoever runs ps on the host would read it"
    kept = Path(spec.folder) / ".releaser" / "web" / "base.yaml"
    assert ("hunter2" in kept.read_text(), kept.stat().st_mode & 0o777) == (True, 0o600)


def test_project_that_was_cut_off_on_its_way_is_sent_again(world: ComposeWorld) -> None:
    shells = CutShells()
    cut = replace(world, shells=shells)
    installed = world.installed("1.0", world.spec())
    update = world.update_of(installed, "1.1")
    shells.shell.most = 20
    with pytest.raises(OutsideError, match="did not arrive whole") as caught:
        cut.controller().update(update)
    assert not getattr(caught.value, "permanent", True)
    shells.shell.most = None
    cut.controller().update(update)
    assert is_whole(world, update, update.desired)


def serving(world: ComposeWorld, assignment: Assignment) -> Any:  # noqa: ANN401 -- what serves
    found = world.driver().observe(assignment).serving
    assert found is not None
    assert found.health is Health.HEALTHY
    return found
