"""Telling whether another process still lives."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from releaser.process import is_dead, this_process


def test_this_process_is_alive_and_names_itself_the_same() -> None:
    assert this_process() == this_process()
    assert not is_dead(this_process())


def test_process_that_ended_is_dead() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "from releaser.process import this_process; print(this_process())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert is_dead(ended)


def test_number_given_out_again_is_another_process() -> None:
    boot, pids, pid, started = this_process().split("/")
    assert pid == str(os.getpid())
    assert is_dead(f"{boot}/{pids}/{pid}/{int(started) - 1}")


@pytest.mark.parametrize("owner", ["", "first", "other-boot/pid:[1]/1/1", "a/b/c/d/e"])
def test_process_that_cannot_be_known_counts_as_alive(owner: str) -> None:
    assert not is_dead(owner)
