"""Who this process is, so that another one can tell whether it still lives. Linux' /proc where there is one."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def _boot() -> str:
    """Names this boot of this machine: a process of an earlier boot is surely gone."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return platform.node()


def _started(pid: int) -> str:
    """When the process began (clock ticks since boot), so that a number given out again is not mistaken for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _pids() -> str:
    """Names the space that process numbers are counted in: another container's number 1 is not ours."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def this_process() -> str:
    """`boot/pid space/pid/started` of this process."""
    pid = os.getpid()
    return f"{_boot()}/{_pids()}/{pid}/{_started(pid)}"


def is_dead(owner: str) -> bool:
    """Whether `owner` surely ran in this boot and pid space, and is gone. What cannot be known counts as alive."""
    boot, pids, pid, started = (*owner.split("/"), "", "", "", "")[:4]
    if (boot, pids) != (_boot(), _pids()) or not pid.isdigit():
        return False
    return not Path(f"/proc/{pid}").exists() or _started(int(pid)) != started
