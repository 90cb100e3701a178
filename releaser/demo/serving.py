"""The product itself as its users have it: the service in a process of its own, its API and its commands.

Nothing of the product is called past these: what the demonstration does, a user can do.

What does not live here: what is done with it (`story`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from releaser.demo import keeper
from releaser.demo.folder import Folder
from releaser.demo.ports import LOOPBACK
from releaser.errors import OutsideError

PROGRAM = Path(sys.executable).with_name("releaser")
ACTOR = "rita"  # the release manager of the story
GRACE_S = 8


class ServiceError(OutsideError):
    """The service did not start, or said no where the story needs a yes."""


class Service:
    """`releaser serve` on `port` with everything it keeps in the folder; a context manager.

    Ends with its owner, however that ends, and holds the folder's lock until then.
    """

    def __init__(self, folder: Folder, *, port: int, settings: Mapping[str, str], ready_within_s: float = 30) -> None:
        self.port = port
        self._folder = folder
        self._log = folder.path / "service.log"
        self._settings = {"RELEASER_HOME": str(folder.home), "RELEASER_PORT": str(port), **settings}
        self._ready_within_s = ready_within_s
        self._keeper: subprocess.Popen[bytes] | None = None
        self._http = httpx2.Client(
            base_url=self.address, timeout=120, headers={"X-Releaser-Actor": ACTOR}, trust_env=False
        )

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return when it is ready."""
        settings = (f"{name}={value}" for name, value in self._settings.items())
        command = ("env", *settings, str(PROGRAM), "serve")
        kept = keeper.Kept(command=command, log=str(self._log), grace_s=GRACE_S)
        self._keeper = keeper.keep(kept, pass_fds=(self._folder.lock.fileno(),))
        until = time.monotonic() + self._ready_within_s
        while not self._ready():
            if self._keeper.poll() is not None or time.monotonic() > until:
                tail = " | ".join(self._log.read_text(errors="replace").splitlines()[-3:])
                raise ServiceError(
                    f"The service did not start on {self.address}. Its log ends: {tail}",
                    permanent=False,
                    advice=f"See {self._log}.",
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """End it; repeatable."""
        self._http.close()
        if self._keeper is not None:
            keeper.let_go(self._keeper, within_s=GRACE_S + 2)
            self._keeper = None

    @property
    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._keeper is None or self._keeper.poll() is not None

    def _ready(self) -> bool:
        try:
            return self._http.get("/readyz").status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    def get(self, path: str, **parameters: Any) -> Any:  # noqa: ANN401 - facts
        """What the API answers to a GET below `/v1`. Raises ServiceError."""
        return self._asked("GET", path, params=parameters)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, key: str = "", **parameters: Any) -> Any:  # noqa: ANN401
        """What the API answers to a POST below `/v1`; `key` is the idempotency key. Raises ServiceError."""
        headers = {"Idempotency-Key": key} if key else {}
        return self._asked("POST", path, params=parameters, headers=headers, json=dict(body or {}))

    def post_text(self, path: str, text: str) -> Any:  # noqa: ANN401
        """What the API answers to a POST of YAML below `/v1`. Raises ServiceError."""
        return self._asked("POST", path, content=text.encode(), headers={"Content-Type": "application/yaml"})

    def put(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """What the API answers to a PUT below `/v1`. Raises ServiceError."""
        return self._asked("PUT", path, json=dict(body))

    def _asked(self, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401
        try:
            answer = self._http.request(method, f"/v1{path}", **more)
        except httpx2.TransportError as error:
            raise ServiceError(
                f"{method} {path} failed: {error}.", permanent=False, advice=f"See {self._log}."
            ) from error
        if not answer.is_success:
            problem = (
                answer.json() if "json" in answer.headers.get("Content-Type", "") else {"detail": answer.text[:300]}
            )
            why = " ".join(str(problem[name]) for name in ("detail", "advice") if problem.get(name))
            raise ServiceError(f"{method} {path} was answered {answer.status_code}: {why}", permanent=True)
        return answer.json()

    def page(self, path: str, *, language: str = "en") -> str:
        """A page or feed as a reader with that language gets it. Raises ServiceError."""
        answer = self._http.get(path, headers={"Accept-Language": language})
        if not answer.is_success:
            raise ServiceError(f"The page {path} was answered {answer.status_code}.", permanent=True)
        return answer.text

    def command(self, *words: str, bars: bool = False) -> Any:  # noqa: ANN401
        """Run a command as a user would, with `-o json`; returns what it says. `bars` lets it show its progress.

        Raises ServiceError with what it said instead.
        """
        ours = {name: value for name, value in os.environ.items() if not name.startswith("RELEASER_")}
        done = subprocess.run(  # noqa: S603 - our own command
            [str(PROGRAM), *words, "-o", "json"],
            env={**ours, **self._settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if bars else subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout or "").strip()
            raise ServiceError(
                f"`releaser {' '.join(words)}` ended with {done.returncode}: {said[-600:]}", permanent=True
            )
        return json.loads(done.stdout) if done.stdout.strip() else None
