"""What breaks around a rollout on real engines: each ends in a named state with a named next deed, and no host has two or none that serve.

The figures that are promised are printed (`pytest -s` shows them).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from releaser.demo.images import Sample, publish
from tests.testbed.bed import Bed
from tests.testbed.host import Host, Setup
from tests.testbed.vendor import BedVendor, everything, serving, vendor_on

pytestmark = pytest.mark.timeout(180)

IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
VERDICT_S = 15.0
"""5 s, were there nothing else to do on the machine."""
SAMPLES = tuple(Sample(version=version) for version in ("1.0", "1.1", "1.2"))


@pytest.fixture(scope="module")
def digests(testbed: Bed) -> dict[str, str]:
    return publish(testbed.hosts(1)[0].address, SAMPLES, repository=f"{testbed.registry.address}/outage")


@pytest.fixture
def hosts(testbed: Bed, digests: dict[str, str]) -> Iterator[tuple[Host, ...]]:
    """Two hosts, and whatever a test did to them or to the registry is mended."""
    yield testbed.hosts(2)
    testbed.registry.thaw()
    testbed.registry.start()
    testbed.hosts(2)


@pytest.fixture
def vendor(testbed: Bed, hosts: tuple[Host, ...], digests: dict[str, str], tmp_path: Path) -> Iterator[BedVendor]:
    """Version 1.0 runs on both."""
    with vendor_on(hosts, tmp_path, image=f"{testbed.registry.address}/outage", digests=digests) as made:
        assert made.deploy("1.0")["state"] == "succeeded"
        yield made


def said(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 -- figures


def pull_again(*hosts: Host) -> None:
    """Let the hosts have no image but what runs."""
    for host in hosts:
        host.run("docker", "image", "prune", "-af")


def test_host_is_cut_off_while_it_prepares_the_verdict_is_there_in_time_and_others_go_on(
    vendor: BedVendor, hosts: tuple[Host, ...], testbed: Bed
) -> None:
    lost, other = hosts
    pull_again(lost, other)
    testbed.registry.freeze()  # so that both are in the midst of it
    rollout = vendor.begin("1.1")
    vendor.wait(rollout, lambda facts: all(t["state"] == "preparing" for t in facts["targets"]))
    lost.cut()
    began = time.monotonic()
    vendor.wait(rollout, lambda _: "cannot be reached" in vendor.target(rollout, lost)["reason"], within_s=VERDICT_S)
    said(f"host cut off in mid-pull: verdict after {time.monotonic() - began:.1f} s")
    assert f"at-{lost.name} goes on by itself once what its remark names is mended" in vendor.shown(rollout)
    testbed.registry.thaw()
    vendor.wait(rollout, lambda _: vendor.target(rollout, other)["state"] == "prepared", within_s=30)
    assert serving(lost) == ["1.0"]
    planned = {target["host"]: target for target in vendor.dry_run("1.2")["targets"]}
    assert planned[lost.name]["warning"].startswith("unreachable, so planned as recorded: The Docker engine at tcp://")
    assert (planned[lost.name]["from"], planned[other.name]["warning"]) == ("1.0", "")
    lost.mend()
    assert vendor.ended(rollout)["state"] == "succeeded"
    assert [everything(host) for host in hosts] == [["web 1.1 running"]] * 2


def test_host_is_cut_off_in_its_cutover_and_back_nobody_serves_twice(
    vendor: BedVendor, hosts: tuple[Host, ...]
) -> None:
    lost, other = hosts
    rollout = vendor.begin("1.1")
    vendor.wait(rollout, lambda _: vendor.target(rollout, lost)["state"] == "cutting_over")
    lost.cut()
    began = time.monotonic()
    vendor.wait(rollout, lambda _: "cannot be reached" in vendor.target(rollout, lost)["reason"], within_s=VERDICT_S)
    said(f"host cut off in mid-cutover: verdict after {time.monotonic() - began:.1f} s")
    vendor.wait(rollout, lambda _: vendor.target(rollout, other)["state"] == "succeeded", within_s=30)
    said(f"  the other host went on and was done {time.monotonic() - began:.1f} s after the cut")
    assert "Next: at-h1 goes on by itself" in vendor.shown(rollout)
    lost.mend()
    assert vendor.ended(rollout)["state"] == "succeeded"
    assert [everything(host) for host in hosts] == [["web 1.1 running"]] * 2


def test_engine_hangs_and_goes_on_the_only_worker_updates_others_meanwhile(
    testbed: Bed, hosts: tuple[Host, ...], digests: dict[str, str], tmp_path: Path
) -> None:
    hung, other = hosts
    image = f"{testbed.registry.address}/outage"
    with vendor_on(hosts, tmp_path, image=image, digests=digests, threads=1) as vendor:
        assert vendor.deploy("1.0")["state"] == "succeeded"
        pull_again(hung, other)
        testbed.registry.freeze()
        rollout = vendor.begin("1.1")
        vendor.wait(rollout, lambda _: bool(vendor.target(rollout, hung)["steps"]))
        hung.freeze()
        testbed.registry.thaw()
        began = time.monotonic()
        vendor.wait(rollout, lambda _: "did not answer" in vendor.target(rollout, hung)["reason"], within_s=30)
        said(f"engine frozen in mid-pull: verdict after {time.monotonic() - began:.1f} s")
        assert "It may be overloaded, frozen or cut off" in vendor.target(rollout, hung)["reason"]
        vendor.wait(rollout, lambda _: vendor.target(rollout, other)["state"] == "prepared", within_s=30)
        hung.thaw()
        assert vendor.ended(rollout)["state"] == "succeeded"
        assert [everything(host) for host in hosts] == [["web 1.1 running"]] * 2


# Killed in mid-cutover, an engine with live-restore may go on counting a port as taken that nobody has; seen on a busy machine.
@pytest.mark.parametrize(
    "live_restore",
    [False, True] if IS_THOROUGH else [False],
    ids=lambda on: f"its containers {'go on' if on else 'die'}",
)
def test_daemon_is_killed_in_mid_step_and_comes_back_the_update_ends(
    vendor: BedVendor, hosts: tuple[Host, ...], *, live_restore: bool
) -> None:
    killed, _ = hosts
    if live_restore:
        killed.restart("--live-restore")
    rollout = vendor.begin("1.1")
    vendor.wait(rollout, lambda _: vendor.target(rollout, killed)["state"] == "cutting_over")
    killed.kill()
    vendor.wait(rollout, lambda _: "cannot be reached" in vendor.target(rollout, killed)["reason"], within_s=30)
    assert "Next: at-h1 goes on by itself" in vendor.shown(rollout)
    killed.start()
    facts = vendor.ended(rollout)
    whole = {"succeeded": "1.1", "rolled_back": "1.0"}[vendor.target(rollout, killed)["state"]]
    assert everything(killed) == [f"web {whole} running"], facts


def test_registry_is_gone_in_mid_wave_nobody_is_cut_over_and_the_old_one_serves(
    vendor: BedVendor, hosts: tuple[Host, ...], testbed: Bed
) -> None:
    there, lacking = hosts
    there.run("docker", "pull", "-q", f"{testbed.registry.address}/outage:1.2")  # so only the other asks for it
    testbed.registry.kill()
    rollout = vendor.begin("1.2")
    vendor.wait(rollout, lambda _: vendor.target(rollout, there)["state"] == "prepared")
    vendor.wait(rollout, lambda _: "Check that the registry runs" in vendor.target(rollout, lacking)["reason"])
    time.sleep(1)  # long enough for what must not happen
    assert vendor.target(rollout, there)["state"] == "prepared", "the whole wave is prepared before its first cutover"
    assert [serving(host) for host in hosts] == [["1.0"], ["1.0"]]
    testbed.registry.start()
    assert vendor.ended(rollout)["state"] == "succeeded"
    assert [serving(host) for host in hosts] == [["1.2"], ["1.2"]]


def test_disk_is_full_in_mid_pull_nothing_is_half_done_and_it_goes_on_once_there_is_room(
    testbed: Bed, digests: dict[str, str], tmp_path: Path
) -> None:
    """The engine's disk is an ext4 of 64 MB on a loop device, filled up to a little below the image's size."""
    (small,) = testbed.boot(small=Setup(number=9, disk_mb=64))
    image = f"{testbed.registry.address}/outage"
    with vendor_on([small], tmp_path, image=image, digests=digests) as vendor:
        assert vendor.deploy("1.0")["state"] == "succeeded"
        filler = small.folder / "data" / "filler"
        small.run("sh", "-c", f"dd if=/dev/zero of={filler} bs=4k 2>/dev/null; truncate -s -1k {filler}; sync")
        facts = vendor.ended(rollout := vendor.begin("1.1"))
        (target,) = facts["targets"]
        assert (facts["state"], target["state"]) == ("failed", "failed")
        assert "no room left" in target["reason"]
        assert "docker system df" in target["reason"]
        assert facts["blocked"] is None, "a full disk says nothing of the version"
        assert f"Mend what the remark of at-small names, then: releaser rollout retry {rollout}." in facts["next"]
        assert everything(small) == ["web 1.0 running"]
        small.run("rm", str(filler))
        assert vendor.retry(rollout)["state"] == "succeeded"
        assert everything(small) == ["web 1.1 running"]
    testbed.forget(small)
