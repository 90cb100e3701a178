"""A manager's HTTP API, one bounded call per method, and which of several managers is asked.

Nothing rests on who answers: what changes a service carries the version that was looked at, so that a call that was
carried out although it "failed" makes its repeat out of date instead of doing it twice.

What does not live here: what a service of ours looks like (`payload`), and any order of calls (`work`).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar
from urllib.parse import quote

from releaser.errors import OutsideError
from releaser.targets.docker.client import Engine, Json
from releaser.targets.docker.credentials import Credentials, authorized
from releaser.targets.docker.faults import from_pull
from releaser.targets.docker.transport import demultiplexed
from releaser.targets.target import (
    ContainerNotFoundError,
    EngineRefusedError,
    EngineTimeoutError,
    EngineUnreachableError,
)

Answer = TypeVar("Answer")
_GONE: Final = frozenset({404})
_OUT_OF_DATE = re.compile(r"update out of sequence", re.IGNORECASE)
_NO_LEADER = re.compile(
    r"does not have a leader|context deadline exceeded|leader changed|raft: |no leader", re.IGNORECASE
)
_NO_MANAGER = re.compile(r"not a swarm manager|this node is not part of a swarm", re.IGNORECASE)
_LOG_BYTES = 16_384


class NoLeaderError(OutsideError):
    """The managers are electing a leader, or too few of them are there to do so."""


class NotAManagerError(OutsideError):
    """The engine at the address is no manager of a swarm."""


class OutOfDateError(OutsideError):
    """The service was changed since it was looked at: look again before repeating."""


class Manager(Engine):
    """One manager. Safe to share between threads."""

    def service(self, name: str) -> Json | None:
        """Everything about a service, by its name or id; nothing if there is none."""
        return self._told(lambda: self._found(f"/services/{quote(name, safe='')}"))

    def services(self, *, label: str = "") -> list[Json]:
        """Every service that has the label `name=value`; without one all of them."""
        params = {"filters": json.dumps({"label": [label]})} if label else {}
        return self._told(lambda: self._list("/services", params))

    def tasks(self, service_id: str) -> list[Json]:
        """Every task of a service that swarm still remembers, the ended ones too."""
        params = {"filters": json.dumps({"service": [service_id]})}
        return self._told(lambda: self._list("/tasks", params))

    def nodes(self) -> list[Json]:
        """Every node of the swarm."""
        return self._told(lambda: self._list("/nodes", {}))

    def task_logs(self, task_id: str, *, lines: int) -> str:
        """The last lines a task wrote, wherever it ran; empty where they cannot be had."""
        params = {"stdout": "1", "stderr": "1", "tail": str(lines)}
        response = self._told(lambda: self._call("GET", f"/tasks/{quote(task_id, safe='')}/logs", params=params))
        return demultiplexed(response.content[-_LOG_BYTES:]).decode(errors="replace")

    def image_there(self, image: str, digest: str, credentials: Credentials) -> None:
        """Let the manager ask the registry for `image@digest`. Raises as a pull of it would, but nothing is fetched."""
        path = f"/distribution/{quote(image + '@' + digest, safe='/:@')}/json"
        try:
            self._call("GET", path, headers=authorized(image, credentials))
        except (EngineRefusedError, ContainerNotFoundError, NoLeaderError) as error:
            told = error.detail.partition("': ")[2] or error.detail.partition("says: ")[2] or error.detail
            raise from_pull(told, image=image, digest=digest, address=self.address) from error

    def create_service(self, payload: Json, *, image: str, credentials: Credentials) -> str:
        """Create a service; its id. Raises `NameTakenError` where there is one of that name."""
        headers = authorized(image, credentials)
        response = self._told(lambda: self._call("POST", "/services/create", body=payload, headers=headers))
        return str(response.json()["ID"])

    def update_service(
        self, service_id: str, payload: Json, *, version: int, image: str = "", credentials: Credentials | None = None
    ) -> None:
        """Replace the whole specification. Raises `OutOfDateError` if the service is not at `version` any more."""
        params, path = {"version": str(version)}, f"/services/{quote(service_id, safe='')}/update"
        headers = authorized(image, credentials or {})
        self._told(lambda: self._call("POST", path, params=params, body=payload, headers=headers))

    def remove_service(self, service_id: str) -> None:
        """Remove a service with its tasks; gone already is as good."""
        self._told(lambda: self._call("DELETE", f"/services/{quote(service_id, safe='')}", accept=_GONE))

    def configs(self, *, label: str) -> list[Json]:
        """Every configuration that has the label `name=value`."""
        return self._told(lambda: self._list("/configs", {"filters": json.dumps({"label": [label]})}))

    def create_config(self, name: str, text: str, labels: Mapping[str, str]) -> None:
        """Keep a configuration in the swarm; one of that name that is there already is as good."""
        body = {"Name": name, "Labels": dict(labels), "Data": base64.b64encode(text.encode()).decode()}
        self._told(lambda: self._call("POST", "/configs/create", body=body, accept=frozenset({409})))

    def remove_config(self, config_id: str) -> None:
        """Remove a configuration; gone already, or in use still, is as good."""
        path = f"/configs/{quote(config_id, safe='')}"
        self._told(lambda: self._call("DELETE", path, accept=frozenset({400, 404})))

    def _list(self, path: str, params: Mapping[str, str]) -> list[Json]:
        answer = self._call("GET", path, params=params).json()
        return [one for one in answer or () if isinstance(one, dict)]

    def _told(self, call: Callable[[], Answer]) -> Answer:
        """What only managers refuse, as errors of their own."""
        try:
            return call()
        except EngineRefusedError as error:
            if _OUT_OF_DATE.search(error.detail):
                raise OutOfDateError(
                    "The service was changed by somebody else at the same moment.",
                    permanent=False,
                    address=self.address,
                ) from error
            if _NO_MANAGER.search(error.detail):
                raise NotAManagerError(
                    f"The engine at {self.address} is no manager of a swarm.",
                    permanent=True,
                    advice="Give the address of a manager, or make it one: docker swarm init, docker node promote.",
                    address=self.address,
                ) from error
            if _NO_LEADER.search(error.detail):
                raise NoLeaderError(
                    f"The swarm of {self.address} has no leader now.",
                    permanent=False,
                    advice="It elects one within some 20 seconds as long as more than half of its managers are there.",
                    address=self.address,
                ) from error
            raise


class Swarm:
    """The managers of one swarm. A call goes to the one that answered last, and from one that does not to the next."""

    def __init__(self, managers: Sequence[Manager], *, answered: Callable[[Manager], None] = lambda _: None) -> None:
        self._managers = tuple(managers)
        self._answered = answered
        self._last = self._managers[0]

    @property
    def address(self) -> str:
        """Who answered last; before that, who is asked first."""
        return self._last.address

    def ask(self, call: Callable[[Manager], Answer]) -> Answer:
        """The first answer; each manager is asked once. Raises what the first one raised when none answers."""
        faults: list[OutsideError] = []
        for manager in self._managers:
            try:
                answer = call(manager)
            except (EngineUnreachableError, EngineTimeoutError, NoLeaderError, NotAManagerError) as error:
                faults.append(error)
                continue
            self._last = manager
            if faults:
                self._answered(manager)
            return answer
        passing = [error for error in faults if not error.permanent]
        raise (passing or faults)[0]
