"""A real image registry on loopback, so that pulling by digest is real: Debian's `docker-registry`, kept by `keeper`.

What does not live here: making and pushing images (`images`).
"""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from releaser.demo import keeper
from releaser.demo.engine import MissingProgramError
from releaser.demo.ports import LOOPBACK, free_port
from releaser.errors import NotFoundError, OutsideError

PROGRAM = "docker-registry"
OURS = "X-Releaser-Demo"  # what our registry says of itself, so that somebody else's on the port is not taken for it
MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
)


class RegistryError(OutsideError):
    """The registry did not start, or answered something else than agreed."""


class UnknownImageError(NotFoundError):
    """The registry has no such image."""


class Registry:
    """A registry with its configuration, log and storage in `folder`; a context manager.

    Stopped and started again it has the same address and content. `pass_fds` are open files that it holds until it has
    ended. Raises MissingProgramError and RegistryError.
    """

    def __init__(self, folder: Path, *, ready_within_s: float = 15, pass_fds: tuple[int, ...] = ()) -> None:
        self.folder = folder.resolve()
        self._ready_within_s = ready_within_s
        self._pass_fds = pass_fds
        self._log = self.folder / "registry.log"
        self._port = 0
        self._mark = secrets.token_hex(8)
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`, the first part of an image's name; engines accept loopback without TLS."""
        return f"{LOOPBACK}:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the registry and return when it answers."""
        if shutil.which(PROGRAM, path=keeper.PATH) is None:
            raise MissingProgramError(PROGRAM, packages=(PROGRAM,))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._port = self._port or free_port()
        configuration = self.folder / "registry.json"  # its format is YAML, of which JSON is a part
        configuration.write_text(json.dumps(self._configuration()))
        self._keeper = keeper.keep(
            keeper.Kept(command=(PROGRAM, "serve", str(configuration)), log=str(self._log), grace_s=2),
            pass_fds=self._pass_fds,
        )
        self._wait(self._keeper)

    def stop(self) -> None:
        """End the registry; repeatable. Its storage stays in the folder."""
        if self._keeper is not None:
            keeper.let_go(self._keeper)
            self._keeper = None

    def digest(self, repository: str, reference: str) -> str:
        """The digest (`sha256:…`) the registry has for a tag or digest of `repository`; raises UnknownImageError."""
        return self._manifest("HEAD", repository, reference)

    def remove(self, repository: str, reference: str) -> None:
        """Take an image away, as somebody cleaning up would: pulling it fails from now on."""
        self._manifest("DELETE", repository, self.digest(repository, reference))

    def _manifest(self, method: str, repository: str, reference: str) -> str:
        answer = self._ask(method, f"/v2/{repository}/manifests/{reference}")
        if answer.status == http.HTTPStatus.NOT_FOUND:
            raise UnknownImageError(f"The registry has no {repository}:{reference}.")
        if answer.status not in {http.HTTPStatus.OK, http.HTTPStatus.ACCEPTED}:
            raise RegistryError(
                f"The registry answered {answer.status} to {method} {repository}:{reference}.", permanent=False
            )
        return answer.headers.get("Docker-Content-Digest", "")

    def _ask(self, method: str, path: str) -> http.client.HTTPResponse:
        asked = http.client.HTTPConnection(LOOPBACK, self._port, timeout=5)
        try:
            asked.request(method, path, headers={"Accept": MANIFESTS})
            with asked.getresponse() as answer:
                return answer
        finally:
            asked.close()

    def _wait(self, running: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + self._ready_within_s
        while True:
            if running.poll() is not None or time.monotonic() > until:
                self.stop()
                tail = " | ".join(self._log.read_text(errors="replace").splitlines()[-3:])
                raise RegistryError(
                    f"The registry did not start on {self.address}. Its log ends: {tail}",
                    permanent=False,
                    advice=f"See {self._log}.",
                )
            try:
                if self._ask("GET", "/v2/").headers.get(OURS) == self._mark:
                    return
            except OSError:
                pass  # nobody listens yet
            time.sleep(0.02)

    def _configuration(self) -> dict[str, object]:
        return {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "storage")},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {
                "addr": self.address,
                "secret": "one process, nothing to share",
                "headers": {OURS: [self._mark]},
            },
        }
