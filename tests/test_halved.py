"""Work shared with a second process is done all the same, whatever becomes of that process."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from releaser.halved import halved

PROGRAM = """
import json, os, signal, sys
from releaser.halved import halved

def work(task):
    if os.getpid() != mine:
        if sys.argv[1] == "killed" and task == int(sys.argv[2]) - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if sys.argv[1] == "raising":
            raise ValueError(task)
    return f"{task} {os.getpid()} \\ud800\\U0001f600 " + "x" * 100_000

mine = os.getpid()
made = list(halved(work, range(int(sys.argv[2]))))
try:
    left = os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    left = None
words = [one.split() for one in made]
print(json.dumps({
    "tasks": [int(one[0]) for one in words], "letters": [one[2] for one in words], "lengths": [len(one[3]) for one in words],
    "mine": [int(one[1]) == mine for one in words], "left": left,
}))
"""
STOPPED = """
import os
from releaser.halved import halved

made = halved(str, range(100))
first = next(made)
made.close()
try:
    print(first, os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print(first, "none left")
"""
KILLED = """
import os, signal, time
from releaser.halved import halved

mine = os.getpid()

def work(task):
    if os.getpid() == mine:
        # Not before the other one lives: what it says comes through the pipe that both inherit.
        os.read(told, 1)
        os.kill(mine, signal.SIGKILL)
    os.write(telling, b"x")
    return "x" * 10_000_000

told, telling = os.pipe()
list(halved(work, range(2)))
"""
TWO_CORES = len(os.sched_getaffinity(0)) > 1


@pytest.mark.parametrize("fault", ["none", "killed", "raising"])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_everything_is_made_in_order_and_no_process_is_left(fault: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, fault, str(count)], check=True, capture_output=True, text=True, timeout=60
    )
    made = json.loads(done.stdout)
    assert made["tasks"] == list(range(count))
    assert made["letters"] == ["\ud800\N{GRINNING FACE}"] * count
    assert made["lengths"] == [100_000] * count
    assert made["left"] is None
    assert done.stderr == ""
    is_shared = TWO_CORES and fault == "none" and count > 1
    assert made["mine"] == [not is_shared or one < (count + 1) // 2 for one in range(count)]


def test_what_goes_wrong_in_either_half_is_told_here() -> None:
    def work(task: int) -> str:
        if task == 3:
            raise ValueError(task)
        return str(task)

    made = halved(work, range(5))
    assert [next(made), next(made), next(made)] == ["0", "1", "2"]
    with pytest.raises(ValueError, match="3"):
        next(made)


def test_a_process_with_threads_works_alone() -> None:
    # A copy would have none of them, and their locks for ever.
    held = threading.Event()
    thread = threading.Thread(target=held.wait)
    thread.start()
    try:
        assert set(halved(lambda _: str(os.getpid()), range(4))) == {str(os.getpid())}
    finally:
        held.set()
        thread.join()


def test_who_stops_asking_leaves_no_process() -> None:
    done = subprocess.run([sys.executable, "-c", STOPPED], check=True, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("0 none left\n", "")


@pytest.mark.skipif(not TWO_CORES, reason="a second process is only begun where there is a second core")
def test_first_process_killed_the_second_ends_too() -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        # Both hold these ends: they are closed when the last of them is gone.
        output, errors = first.communicate(timeout=30)
    assert (first.returncode, output) == (-signal.SIGKILL, b""), errors


def test_no_room_for_another_process_everything_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", full)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- numbers, not paths
    assert list(halved(str, range(5))) == ["0", "1", "2", "3", "4"]
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 -- likewise
