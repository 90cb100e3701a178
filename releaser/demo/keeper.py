"""Keeps one program running for as long as its owner lives, and clears up after it. Standard library only.

Run as a program of its own (`python -I keeper.py SPEC`), it starts the command of the specification and waits on
its standard input. When that closes - because the owner asked for it, ended or was killed - it ends the command with
everything below it and removes what the command left on the machine: network bridges, cgroups, files. Were the keeper
itself killed, the kernel ends the command (parent-death signal); what is left then is removed by the next run.

What does not live here: what is kept (`engine`, `registry`).
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
# An ordinary user's PATH has none of the folders that hold half of what is needed here.
PATH = ":".join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What to run and what to remove afterwards.

    `command` ends by SIGTERM within `grace_s`, else by SIGKILL; with `namespace` its first child is the first process
    of a PID namespace, and killing that one ends everything in it. `pool` is the address range of the bridges that
    are the command's own, `cgroup` the name of its group right below the root, `remove` its files and folders.
    """

    command: tuple[str, ...]
    log: str
    namespace: bool = False
    grace_s: float = 0.0
    bridge: str = ""
    pool: str = ""
    cgroup: str = ""
    remove: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The form in which it is handed to the keeper and remembered in the folder."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Kept:
        """Read what `to_json` wrote; a specification of another form is a ValueError."""
        try:
            data = json.loads(text)
            return cls(**{**data, "command": tuple(data["command"]), "remove": tuple(data["remove"])})
        except (KeyError, TypeError) as error:
            message = f"not a keeper's specification: {error}"
            raise ValueError(message) from error


def keep(kept: Kept, *, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
    """Start a keeper, which starts the command; `let_go` ends both."""
    with Path(kept.log).open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - this very file
            [sys.executable, "-I", __file__, kept.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,  # a Ctrl-C at the terminal is for the owner, who lets go when it is done
            pass_fds=pass_fds,
        )


def let_go(running: subprocess.Popen[bytes], *, within_s: float = 10) -> bool:
    """Have the keeper end the command and clear up; returns whether it did both."""
    if running.stdin is not None:
        running.stdin.close()
    try:
        return running.wait(within_s) == 0
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        return False


def clear(kept: Kept) -> None:
    """Remove what the command left; it must have ended. Repeatable, and silent about what is already gone."""
    if kept.pool:
        for bridge in _bridges(kept):
            _ip("link", "delete", "dev", bridge)
    if kept.cgroup:
        _remove_cgroups(kept.cgroup)
    for path in kept.remove:
        _remove(Path(path))


def children_of(pid: int) -> Iterator[int]:
    """The processes whose parent is `pid`, as /proc tells now."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError, IndexError):
            # The name in parentheses may hold anything, so the fields are counted from its last parenthesis.
            if int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]) == pid:
                yield int(entry.name)


def addresses() -> list[tuple[str, ipaddress.IPv4Interface]]:
    """Every IPv4 address of the machine with its interface's name."""
    return [
        (link["ifname"], ipaddress.IPv4Interface(f"{info['local']}/{info['prefixlen']}"))
        for link in json.loads(_ip("-j", "-4", "address", "show") or "[]")
        for info in link.get("addr_info", ())
        if "local" in info
    ]


def add_bridge(name: str, *, address: str) -> None:
    """Make a network bridge with `address` (with its prefix length), afresh; raises CalledProcessError."""
    _ip("link", "delete", "dev", name)
    for arguments in (
        ("link", "add", "name", name, "type", "bridge"),
        ("address", "add", address, "dev", name),
        ("link", "set", "dev", name, "up"),
    ):
        subprocess.run(["ip", *arguments], capture_output=True, check=True, timeout=10, env={"PATH": PATH})  # noqa: S603, S607 - our own words


def wait_readable(*files: int, timeout_s: float | None = None) -> bool:
    """Wait until one of the files can be read or has ended; False when that did not happen in time."""
    return bool(select.select(files, [], [], timeout_s)[0])


def _bridges(kept: Kept) -> set[str]:
    pool = ipaddress.IPv4Network(kept.pool)
    known = {link["ifname"] for link in json.loads(_ip("-j", "link", "show", "type", "bridge") or "[]") if link}
    own = {name for name, address in addresses() if address.ip in pool}
    return (own | {kept.bridge}) & known


def _ip(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own words
        ["ip", *arguments],  # noqa: S607
        env={"PATH": PATH},
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return done.stdout


def _remove_cgroups(name: str) -> None:
    """Remove the group from every hierarchy; the kernel may need a moment to let go of ended processes."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        left = [top for top in (CGROUPS / name, *CGROUPS.glob(f"*/{name}")) if top.is_dir()]
        if not left:
            return
        for top in left:
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
        time.sleep(0.02)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _end(child: subprocess.Popen[bytes], kept: Kept) -> None:
    """End the command and, with a namespace, everything in it; returns when nothing of it runs any more."""
    if kept.namespace:
        for first in children_of(child.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(first, signal.SIGKILL)
    else:
        child.terminate()
    try:
        child.wait(5 if kept.namespace else kept.grace_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def main(kept: Kept) -> int:
    """Run the command until it ends or standard input closes, then clear up; returns its exit status."""
    with Path(kept.log).open("ab") as log:
        child = subprocess.Popen(  # noqa: S603 - the owner's command
            ["setpriv", "--pdeathsig", "KILL", *kept.command],  # noqa: S607
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Nothing else: settings of an engine, a registry or a proxy in the owner's environment are not meant for this.
            env={"PATH": PATH, "HOME": os.environ.get("HOME", "/")},
        )
    ended = os.pidfd_open(child.pid)
    wait_readable(sys.stdin.fileno(), ended)
    os.close(ended)
    status = child.poll()
    _end(child, kept)
    clear(kept)
    return 0 if status is None else 1


if __name__ == "__main__":
    sys.exit(main(Kept.from_json(sys.argv[1])))
