"""What only the files driver promises: what stays on the host, whose files are touched, and what is refused before anything stops."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from releaser.domain.spec import ConfigurationFile, ServiceSpec
from releaser.domain.target import Health
from releaser.errors import RefusedError
from releaser.targets.target import (
    ArchiveRefusedError,
    ConfigurationRefusedError,
    DiskFullError,
    EngineRefusedError,
    EngineTimeoutError,
    NameTakenError,
)
from tests import needs
from tests.fakes.controller import GateError
from tests.targets.files_world import FilesWorld, archive


@pytest.fixture
def world(files_world: FilesWorld) -> FilesWorld:
    return files_world


def test_previous_releases_stay_older_ones_go_and_a_strangers_is_never_touched(world: FilesWorld) -> None:
    spec = world.spec(keep=1)
    installed = world.installed("1.0", spec)
    (Path(spec.root) / "releases" / "by-hand").mkdir()
    for number, version in enumerate(("1.1", "1.2"), start=2):
        update = world.assignment(world.desired(version, spec), installed, rollout=number)
        world.controller().update(update)
        installed = update.desired
    assert world.releases(spec) == ["1.1", "1.2", "by-hand"]


def test_same_version_built_again_lies_beside_the_first(world: FilesWorld) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    world.offer("1.0", archive("1.0", more="x"))
    update = world.assignment(world.desired("1.0", spec), installed, rollout=2)
    world.controller().update(update)
    assert world.driver().observe(update).runs(update.desired)
    assert world.releases(spec) == ["1.0", f"1.0-{update.desired.digest[7:15]}"]


def test_configuration_changed_by_hand_is_not_the_wanted_one_until_a_rollout_puts_it_right(world: FilesWorld) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    (Path(spec.root) / "conf" / "app.conf").write_text("by hand")
    again = world.assignment(installed, installed, rollout=2)
    assert not world.driver().observe(again).runs(installed)
    verdict = world.driver().verify(again, wanted=installed)
    assert (verdict.health, "app.conf holds something else" in verdict.reason) == (Health.UNHEALTHY, True)
    world.controller().update(again)
    assert world.running(spec) == ("1.0", "one")


def test_files_are_put_back_with_mode_and_link_and_those_that_were_not_there_are_gone(world: FilesWorld) -> None:
    spec = world.spec()
    root = Path(spec.root)
    real = root / "elsewhere.conf"
    link, fresh = root / "conf" / "link.conf", root / "conf" / "deep" / "fresh.conf"
    installed = world.installed("1.0", spec)
    real.write_text("by hand")
    real.chmod(0o604)
    link.symlink_to(real)
    more = tuple(ConfigurationFile(path=str(path), content="ours", mode="0600") for path in (link, fresh))
    bad = world.update_of(installed, "sick", configuration=(*spec.configuration, *more))
    with pytest.raises(GateError):
        world.controller(deadline_s=0.1).update(bad)
    assert (real.read_text(), link.is_symlink(), real.stat().st_mode & 0o777) == ("ours", True, 0o600)
    world.controller().roll_back(bad)
    assert (real.read_text(), link.is_symlink(), real.stat().st_mode & 0o777) == ("by hand", True, 0o604)
    assert not fresh.exists()


def test_file_that_is_declared_no_more_is_taken_away_and_comes_back_by_a_roll_back(world: FilesWorld) -> None:
    spec = world.spec()
    extra = ConfigurationFile(path=f"{spec.root}/conf/extra.conf", content="extra")
    installed = world.installed("1.0", replace(spec, configuration=(*spec.configuration, extra)))
    update = world.update_of(installed, "1.1", configuration=spec.configuration)
    steps = world.controller().plan(update)
    for step in steps[:-1]:
        world.driver().apply(step, update)
    assert not Path(extra.path).exists()
    world.controller().roll_back(update)
    assert Path(extra.path).read_text() == "extra"


def test_current_that_is_a_folder_is_told_before_anything_is_touched(world: FilesWorld) -> None:
    spec = world.spec()
    (Path(spec.root) / "current").mkdir(parents=True)
    assignment = world.assignment(world.desired("1.0", spec))
    with pytest.raises(NameTakenError, match="is a folder, not a link") as caught:
        world.controller().update(assignment)
    assert "ln -s" in caught.value.advice


def test_hostile_archive_never_reaches_the_host(world: FilesWorld) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    world.offer("evil", archive("evil", **{"../../../escaped": "x"}))
    update = world.update_of(installed, "evil")
    with pytest.raises(ArchiveRefusedError, match="leads out"):
        world.controller().update(update)
    world.controller().roll_back(update)
    assert (world.running(spec), world.left_over(spec), world.releases(spec)) == (("1.0", "one"), [], ["1.0"])
    assert not list(world.folder.rglob("escaped"))


def test_validator_sees_new_files_in_their_places_and_its_words_are_told(world: FilesWorld) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    script = f"cat {{release}}/VERSION {{configuration}}{spec.configuration[0].path} >&2; exit 7"
    update = world.update_of(installed, "1.1", validator=("sh", "-c", script))
    with pytest.raises(ConfigurationRefusedError, match=r"ended with 7\): 1\.1one") as caught:
        world.controller().update(update)
    assert caught.value.permanent
    world.controller().roll_back(update)
    assert (world.running(spec), world.left_over(spec), world.releases(spec)) == (("1.0", "one"), [], ["1.0"])


def test_artifact_that_is_no_archive_is_put_in_place_as_a_file(world: FilesWorld) -> None:
    world.offer("2.0", b"2.0", suffix=".war")
    spec = world.spec(strip=0, as_file="VERSION")
    world.installed("2.0", spec)
    assert world.running(spec) == ("2.0", "one")


def test_root_that_moves_is_refused_at_planning(world: FilesWorld) -> None:
    spec = world.spec()
    before, after = world.desired("1.0", spec), world.desired("1.1", replace(spec, root="/opt/elsewhere"))
    with pytest.raises(RefusedError, match="is to move") as caught:
        world.driver().plan(desired=after, previous=before)
    assert caught.value.rule == "root-stays"


def test_service_that_does_not_stop_is_told_and_goes_on_after_a_roll_back(world: FilesWorld) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    deaf = ServiceSpec(start=spec.service.start, stop=("sh", "-c", "echo busy >&2; exit 1"), status=spec.service.status)
    update = world.update_of(installed, "1.1", service=deaf)
    *before, stop = [
        step
        for step in world.controller().plan(update)
        if step.name in {"unpack", "stage-configuration", "back-up", "stop-service"}
    ]
    for step in before:
        world.driver().apply(step, update)
    with pytest.raises(EngineRefusedError, match="still runs"):
        world.driver().apply(stop, update)
    # The service of before is stopped by its own command, so the way back is open.
    world.controller().roll_back(update)
    assert world.running(spec) == ("1.0", "one")


def test_start_command_that_leaves_a_process_behind_neither_hangs_nor_keeps_the_lock(world: FilesWorld) -> None:
    spec = world.spec()
    start = (
        "sh",
        "-c",
        f"{' '.join(spec.service.start).replace('{root}', spec.root)}; sleep 30 & echo $! >{spec.root}/pid",
    )
    spec = replace(spec, service=replace(spec.service, start=start))
    installed = world.installed("1.0", spec)
    pid = (Path(spec.root) / "pid").read_text().strip()
    world.controller().update(world.update_of(installed, "1.1", stop_grace_s=1))
    assert world.running(spec) == ("1.1", "one")
    for one in (pid, (Path(spec.root) / "pid").read_text().strip()):
        subprocess.run(["kill", one], check=False)


def test_script_of_another_controller_holds_the_lock_the_step_is_tried_again_later(world: FilesWorld) -> None:
    spec = world.spec()
    installed = world.installed("1.0", spec)
    update = world.update_of(installed, "1.1")
    step = world.controller().plan(update)[0]
    with subprocess.Popen(
        ["flock", f"{spec.root}/.releaser/lock", "sh", "-c", "echo held; read -r _"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(EngineTimeoutError, match="at work on the files") as caught:
            world.driver(lock_wait_s=0).apply(step, update)
        assert not caught.value.permanent
        holder.communicate(b"\n")
    assert world.driver().apply(step, update)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system with hardly any room."""
    needs.root(why="a small file system is mounted")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_disk_full_while_unpacking_is_told_and_the_old_version_runs_on(world: FilesWorld, small: Path) -> None:
    base = world.spec()
    root = str(small / "target")
    file = replace(base.configuration[0], path=f"{root}/conf/app.conf")
    spec = replace(base, root=root, configuration=(file,), health=replace(base.health, http=f"probe:{root}"))
    installed = world.installed("1.0", spec)
    world.offer("large", archive("large", data="x" * 900_000))
    update = world.update_of(installed, "large")
    with pytest.raises(DiskFullError) as caught:
        world.controller().update(update)
    assert "Free space" in caught.value.advice
    world.controller().roll_back(update)
    assert (world.running(spec), world.left_over(spec), world.releases(spec)) == (("1.0", "one"), [], ["1.0"])


def test_user_without_rights_is_told_what_is_missing(world: FilesWorld) -> None:
    spec = world.spec(root="/proc/releaser/target", configuration=())
    with pytest.raises(EngineRefusedError) as caught:
        world.controller().update(world.assignment(world.desired("1.0", spec)))
    assert "/proc/releaser" in str(caught.value)
