"""A registry on the bed's wire, which every host and this machine reach; it can hang, be killed and come back with all it had."""

from __future__ import annotations

import http.client
import json
import os
import signal
from pathlib import Path

from releaser.demo.registry import MANIFESTS, PROGRAM
from tests.testbed.namespaces import BedError, kill, leave_running, members, wait_for

PORT = 5000


class BedRegistry:
    """The registry; its storage lies in `folder`."""

    def __init__(self, folder: Path, *, bed_pid: int, ip: str) -> None:
        self.folder = folder
        self.log = folder / "registry.log"
        self._bed_pid = bed_pid
        self._ip = ip

    @property
    def address(self) -> str:
        """`IP:PORT`, the first part of an image's name; the hosts take it without TLS."""
        return f"{self._ip}:{PORT}"

    def start(self) -> None:
        """Start it unless it runs, and return when it answers."""
        self.folder.mkdir(exist_ok=True)
        file = self.folder / "registry.json"  # its format is YAML, of which JSON is a part
        file.write_text(json.dumps(self._configuration()))
        if self.pid() is None:
            leave_running(self._bed_pid, (PROGRAM, "serve", str(file)), log=self.log, spaces="np")
        for _ in wait_for("The registry", log=self.log):
            if self._status("GET", "/v2/") == http.HTTPStatus.OK:
                return

    def kill(self) -> None:
        """Kill it: who asks is refused."""
        if (pid := self.pid()) is not None:
            kill(pid)

    def freeze(self) -> None:
        """Let it hang: who asks waits."""
        if (pid := self.pid()) is not None:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if (pid := self.pid()) is not None:
            os.kill(pid, signal.SIGCONT)

    def pid(self) -> int | None:
        """Its process id as seen from here; none when it does not run."""
        return next(members(self._bed_pid, named=PROGRAM[:15]), None)

    def digest(self, repository: str, reference: str) -> str:
        """The digest (`sha256:…`) it has for a tag or digest of `repository`."""
        asked = http.client.HTTPConnection(self._ip, PORT, timeout=5)
        try:
            asked.request("HEAD", f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFESTS})
            with asked.getresponse() as answer:
                if answer.status != http.HTTPStatus.OK:
                    raise BedError(f"The registry answers {answer.status} for {repository}:{reference}.")
                return answer.headers["Docker-Content-Digest"]
        finally:
            asked.close()

    def _status(self, method: str, path: str) -> int:
        asked = http.client.HTTPConnection(self._ip, PORT, timeout=2)
        try:
            asked.request(method, path)
            with asked.getresponse() as answer:
                return answer.status
        except OSError:
            return 0
        finally:
            asked.close()

    def _configuration(self) -> dict[str, object]:
        return {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "storage")},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {"addr": self.address, "secret": "one process, nothing to share"},
        }
