"""What is sent to a host and breaks off, at whatever byte, is never taken for whole: the host's `tar` sees an end of file and is content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from releaser.domain.spec import ConfigurationFile
from releaser.targets.files.archive import MARK
from releaser.targets.target import EngineRefusedError
from tests.targets.files_world import CutShells, FilesWorld, archive

BLOCK = 512


def cuts() -> list[int]:
    """Every boundary of a block, and a byte before and after some of them."""
    boundaries = range(0, 20 * BLOCK, BLOCK)
    return sorted({*boundaries, *(at + by for at in boundaries[1:9:2] for by in (-1, 1))})


@pytest.mark.parametrize("name", ["unpack", "stage-configuration"])
def test_sending_cut_off_at_any_byte_half_is_never_taken_for_whole(files_world: FilesWorld, name: str) -> None:
    files_world.offer("2.0", archive("2.0", **{"lib/a.js": "a" * 700, "lib/b.js": "b", "lib/c.js": ""}))
    base = files_world.spec()
    more = ConfigurationFile(path=f"{base.root}/conf/more.conf", content="")
    spec = replace(base, configuration=(*base.configuration, more))
    shells = CutShells()
    driver = replace(files_world, shells=shells).driver()
    update = files_world.assignment(files_world.desired("2.0", spec))
    step = next(one for one in driver.plan(desired=update.desired, previous=None) if one.name == name)
    root = Path(spec.root)
    place = root / "releases" / "2.0" if name == "unpack" else Path(f"{root}/.releaser/new-1-1{root}")
    wanted = ["VERSION", "a.js", "app", "b.js", "c.js"] if name == "unpack" else ["app.conf", "more.conf"]
    refused = 0
    for most in cuts():
        shells.shell.most = most
        try:
            driver.apply(step, update)
        except EngineRefusedError:
            refused += 1
        if place.exists():
            break
    found = sorted(one.name for one in place.rglob("*") if one.is_file() and one.name != MARK)
    assert found == wanted, f"what appears after {most} bytes is whole"
    assert refused > len(wanted)


def test_artifact_put_in_place_as_a_file_cut_off_is_sent_again(files_world: FilesWorld) -> None:
    files_world.offer("2.0", b"2.0", suffix=".war")
    spec = files_world.spec(strip=0, as_file="VERSION")
    shells = CutShells()
    driver = replace(files_world, shells=shells).driver()
    update = files_world.assignment(files_world.desired("2.0", spec))
    step = driver.plan(desired=update.desired, previous=None)[0]
    shells.shell.most = 2 * BLOCK
    with pytest.raises(EngineRefusedError, match="the release did not arrive whole") as caught:
        driver.apply(step, update)
    assert not caught.value.permanent
    shells.shell.most = None
    assert driver.apply(step, update).startswith("unpacked 1 ")
