"""A real systemd of our own: a manager of user units, booted in a mount namespace so that the machine's own is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from tests import needs

STARTS_IN_S = 20.0
MANAGER = Path("/lib/systemd/systemd")


class Systemd:
    """Its units lie in `units`; `systemctl` are the words by which it is steered from outside."""

    def __init__(self, folder: Path) -> None:
        needs.root(why="a namespace is made for systemd")
        if not MANAGER.exists():
            needs.missing("systemd", "There is no systemd on this machine.")
        unshare, nsenter = needs.program("unshare", of="systemd"), needs.program("nsenter", of="systemd")
        self.units = folder / "systemd"
        self.units.mkdir()
        for name in ("basic", "default", "shutdown", "exit"):
            (self.units / f"{name}.target").write_text("[Unit]\n")
        boot = (
            "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system /run/u && "
            f"XDG_RUNTIME_DIR=/run/u SYSTEMD_UNIT_PATH={self.units} exec {MANAGER} --user --log-target=console"
        )
        self._log = folder / "systemd.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [unshare, "-m", "--propagation", "private", "sh", "-c", boot], stdout=log, stderr=log
            )
        where = [nsenter, "-t", str(self.process.pid), "-m"]
        self.systemctl = (*where, "env", "XDG_RUNTIME_DIR=/run/u", "systemctl", "--user")
        self._await()

    def _await(self) -> None:
        ends = time.monotonic() + STARTS_IN_S
        while subprocess.run([*self.systemctl, "list-units"], capture_output=True, check=False).returncode:
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < ends, self._log.read_text()
            time.sleep(0.05)  # nothing tells when a manager begins to listen

    def run(self, *words: str) -> str:
        """Have it do something; what it says."""
        return subprocess.run([*self.systemctl, *words], capture_output=True, text=True, check=True).stdout.strip()

    def unit(self, name: str, script: Path, *more: str) -> None:
        """A service that runs a script, and is started again when it fails."""
        lines = ["[Service]", f"ExecStart=/bin/sh {script}", "Restart=on-failure", "RestartSec=0.1", *more]
        (self.units / f"{name}.service").write_text("\n".join(lines) + "\n")
        self.run("daemon-reload")

    def close(self) -> None:
        """Stop every unit, then the manager."""
        subprocess.run([*self.systemctl, "kill", "-s", "KILL", "files-*"], capture_output=True, check=False)
        subprocess.run([*self.systemctl, "stop", "files-*"], capture_output=True, check=False)
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
