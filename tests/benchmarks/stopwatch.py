"""Runs one command and tells what it cost: one line of JSON on standard output. The command's own output goes to FILE.

    python -I -S stopwatch.py LIMIT_S FILE COMMAND...

A program of its own, and small: a process begins with the peak memory of the one that starts it, which is no business of the
command's. Memory is the largest of the command and the processes it waited for, not their sum; time is the clock's.
"""

import json
import os
import signal
import sys
import time


def main(limit_s: str, file: str, *command: str) -> None:
    """Start, wait, tell."""
    out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    actions = [(os.POSIX_SPAWN_DUP2, out, 1)]
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions, setpgroup=0)

    def give_up(_number: int, _frame: object) -> None:
        os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, float(limit_s))
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - began
    told = {
        "wall_s": wall,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
        "code": os.waitstatus_to_exitcode(status),
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
