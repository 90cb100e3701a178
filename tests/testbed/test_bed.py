from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from releaser.demo import keeper
from releaser.demo.engine import answers
from tests.testbed.bed import BASE, PREFIX, Bed


def test_host_is_cut_frozen_killed_and_switched_off_only_it_stops_answering_until_it_is_repaired(testbed: Bed) -> None:
    first, second = testbed.hosts(2)
    assert [answers(host.tcp, timeout_s=2) for host in (first, second)] == [True, True]
    for harm in (second.cut, second.freeze, second.kill, second.poweroff):
        harm()
        assert [answers(host.tcp, timeout_s=0.3) for host in (first, second)] == [True, False]
        testbed.hosts(2)
        assert answers(second.tcp, timeout_s=2)


def test_owner_is_killed_nothing_of_its_bed_is_left(docker_programs: None) -> None:
    code = (
        "from tests.testbed.bed import Bed\nbed = Bed(); bed.start(); bed.hosts(1)\n"
        "print(bed.name, bed._keeper.pid, bed._pid, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout
        name, kept_by, first = owner.stdout.readline().split()
        ended = os.pidfd_open(int(first))
        os.kill(int(kept_by), signal.SIGKILL)  # who would have cleared up
        owner.kill()
    assert keeper.wait_readable(ended, timeout_s=10), "the hosts go on without an owner"
    os.close(ended)
    assert (BASE / name).is_dir()
    with Bed():
        assert not (BASE / name).exists()
        assert not [*Path("/sys/fs/cgroup").glob(f"{PREFIX}{name}"), *Path("/sys/fs/cgroup").glob(f"*/{PREFIX}{name}")]
