"""Running programs in the namespaces of a process, and finding processes there.

Whatever goes on running is started by a shell that ends at once: its new parent is then the first process of the namespace, which
reaps it. Were it the child of `nsenter`, a stopped one would stop that too, and a killed one would stay as a zombie for whose end
the kernel waits before it lets go of the namespace.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from releaser.demo import keeper

LEAVE_RUNNING = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & exit 0'
ENVIRONMENT = {"PATH": keeper.PATH, "HOME": "/root", "LANG": "C.UTF-8"}


class BedError(Exception):
    """The test bed cannot be had, or did not do what was asked."""


def first_process() -> str:
    """The program that reaps what its namespace leaves: an init as small as can be."""
    for name in ("docker-init", "tini"):
        if found := shutil.which(name, path=keeper.PATH):
            return found
    raise BedError("Neither docker-init (of docker.io) nor tini is on this machine.")


def run(*words: str, timeout_s: float = 60, feed: bytes | None = None) -> str:
    """Run a program to its end; its output. Raises BedError with what it said."""
    done = subprocess.run(words, input=feed, capture_output=True, check=False, timeout=timeout_s, env=ENVIRONMENT)
    if done.returncode != 0:
        raise BedError(f"{' '.join(words)}: {(done.stderr or done.stdout).decode(errors='replace').strip()[-400:]}")
    return done.stdout.decode(errors="replace")


def inside(pid: int, *, spaces: str = "mnpu") -> tuple[str, ...]:
    """The words that put a command into the namespaces of the process: `m`ount, `n`et, `p`id, `u`ts."""
    return ("nsenter", "-t", str(pid), *(f"-{space}" for space in spaces), "--")


def leave_running(pid: int, words: Sequence[str], *, log: Path, spaces: str = "mnpu") -> None:
    """Start a program in the namespaces of the process and let it run."""
    run(*inside(pid, spaces=spaces), "setsid", "sh", "-c", LEAVE_RUNNING, "sh", str(log), *words)


def members(pid: int, *, named: str) -> Iterator[int]:
    """The living processes of that name in the very process namespace of `pid`, as seen from here."""
    space = _space(pid)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if (entry / "comm").read_text().strip() != named:
                continue
            if _space(found := int(entry.name)) == space and not _is_dead(found):
                yield found
        except OSError:
            continue


def words_of(pid: int) -> list[str]:
    """The words a process was started with; none when it is gone."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def kill(pid: int, *, within_s: float = 10) -> None:
    """End a process at once, and return when it has ended; gone already is as good."""
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(ended, signal.SIGKILL)
        if not keeper.wait_readable(ended, timeout_s=within_s):
            raise BedError(f"Process {pid} does not end.")
    except ProcessLookupError:
        pass
    finally:
        os.close(ended)


def wait_for(what: str, *, log: Path, within_s: float = 30) -> Iterator[None]:
    """Go round until the caller is content; raises BedError with the end of the log when it takes too long."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        yield
        time.sleep(0.02)
    tail = " | ".join(log.read_text(errors="replace").splitlines()[-4:]) if log.exists() else "(no log)"
    raise BedError(f"{what} took more than {within_s:g} s. {log} ends: {tail}")


def _space(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/pid").readlink())


def _is_dead(pid: int) -> bool:
    return (Path("/proc") / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] in "ZX"
