"""The engine's HTTP API: one bounded call per method, raw dictionaries in and out.

The SDK serves as transport only (addresses, connection pool, API version; see `transport`), and what it, requests or
urllib3 raise is translated here into the errors of `targets.target`. The SDK's helpers are not used: they lose
fields, hide errors of a pull, and pull without a time-out.

What does not live here: what a container of ours looks like (`container`), and any order of calls (`work`).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import requests
from docker import APIClient
from docker.errors import DockerException
from urllib3.exceptions import HTTPError

from releaser.clock import SystemClock
from releaser.targets.docker.credentials import Credentials, authorized
from releaser.targets.docker.faults import from_pull, from_status
from releaser.targets.docker.pulse import LONGEST_PAUSE_S, SIGN_S, Pulse
from releaser.targets.docker.transport import Wire, bounds, demultiplexed, timed_out
from releaser.targets.hosts.shell import SshAccess
from releaser.targets.target import EngineRefusedError

Json = Mapping[str, Any]
_Shape = TypeVar("_Shape", dict[str, Any], list[Json])
NO_ACCESS = SshAccess()
"""What ssh itself is set up for."""
NOBODY: Credentials = {}
"""Registries are asked as the engine asks them by itself."""
_FIRST_VERSION = "1.24"
_LOG_BYTES = 16_384
_CLOCK = SystemClock()
_ENDED_MEANWHILE = re.compile(r"cannot update a stopped container|container not running")
_NOTICED_IN_TRIES, _NOTICED_EVERY_S = 40, 0.05


class Engine:
    """One engine. Safe to share between threads; control calls and pulls have a client, thus a time-out, of their own."""

    def __init__(
        self,
        address: str,
        *,
        control_timeout_s: float,
        pull_timeout_s: float,
        access: SshAccess = NO_ACCESS,
        credentials: Credentials = NOBODY,
    ) -> None:
        self._credentials = credentials
        self._wire = Wire(address, access=access, timeout_s=control_timeout_s)
        self.address = self._wire.address.plain
        self._pulse = Pulse(self._sign, every_s=min(control_timeout_s, LONGEST_PAUSE_S))
        self._control_s = control_timeout_s
        self._pull_s = pull_timeout_s
        self._lock = threading.Lock()
        self._clients: dict[float, APIClient] = {}

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
        self._wire.close()

    # Looking

    def version(self) -> Json:
        """What the engine is."""
        return self._json("GET", "/version")

    def info(self) -> Json:
        """How the engine is set up, and its own time."""
        return self._json("GET", "/info")

    def containers(self, *labels: str, **filters: str) -> list[Json]:
        """Containers in any state that match all `labels` and `label=`, or `name=` (a regular expression)."""
        wanted = {key: [value] for key, value in filters.items()} | ({"label": list(labels)} if labels else {})
        params = {"all": "1", "filters": json.dumps(wanted)}
        return _parsed(self._call("GET", "/containers/json", params=params), self.address, list)

    def container(self, container_id: str, *, api_version: str = "") -> Json | None:
        """Everything about one container, or nothing if it is gone; as told to clients of that API where given."""
        return self._found(f"/containers/{quote(container_id, safe='')}/json", api_version=api_version)

    def api_version(self) -> tuple[int, ...]:
        """The version of the API that is spoken, such as `(1, 41)`."""
        return _numbers(str(self._client(self._control_s).api_version))

    def speaks(self, api_version: str) -> bool:
        """Whether the engine still answers clients of that API."""
        return _numbers(str(self.version().get("MinAPIVersion", _FIRST_VERSION))) <= _numbers(api_version)

    def image(self, reference: str) -> Json | None:
        """Everything about an image on the host, or nothing if it is not there."""
        return self._found(f"/images/{quote(reference, safe='/:@')}/json")

    def network(self, name: str) -> Json | None:
        """Everything about a network, or nothing if it does not exist."""
        return self._found(f"/networks/{quote(name, safe='')}")

    def logs(self, container_id: str, *, lines: int) -> str:
        """The last lines the container wrote, both streams, undecoded bytes replaced; bounded."""
        params = {"stdout": "1", "stderr": "1", "tail": str(lines)}
        response = self._call("GET", f"/containers/{quote(container_id, safe='')}/logs", params=params)
        return demultiplexed(response.content[-_LOG_BYTES:]).decode(errors="replace")

    # Changing

    def create(self, name: str, payload: Json) -> str:
        """Create a container; its id."""
        made = self._json("POST", "/containers/create", params={"name": name}, body=payload)
        return str(made["Id"])

    def start(self, container_id: str) -> None:
        """Start; nothing happens if it runs."""
        self._call("POST", f"/containers/{quote(container_id, safe='')}/start")

    def stop(self, container_id: str, *, grace_s: int) -> None:
        """Ask to end, and kill after the grace; nothing happens if it does not run."""
        path = f"/containers/{quote(container_id, safe='')}/stop"
        self._call("POST", path, params={"t": str(grace_s)}, timeout_s=self._control_s + grace_s)

    def rename(self, container_id: str, name: str) -> None:
        """Give another name."""
        self._call("POST", f"/containers/{quote(container_id, safe='')}/rename", params={"name": name})

    def set_restart(self, container_id: str, policy: Json) -> None:
        """Change the restart policy."""
        path, body = f"/containers/{quote(container_id, safe='')}/update", {"RestartPolicy": policy}
        for left in reversed(range(_NOTICED_IN_TRIES)):
            try:
                self._call("POST", path, body=body)
            except EngineRefusedError as error:
                # It ended in the midst of the call. Once the engine has noticed, it takes the policy for the next start.
                if not left or not _ENDED_MEANWHILE.search(error.detail):
                    raise
                _CLOCK.sleep(_NOTICED_EVERY_S)
            else:
                return

    def remove(self, container_id: str, *, volumes: bool) -> None:
        """Remove, running or not; gone already is as good. `volumes` takes its anonymous volumes along."""
        path = f"/containers/{quote(container_id, safe='')}"
        params = {"force": "1", "v": "1" if volumes else "0"}
        self._call("DELETE", path, params=params, accept=frozenset({404, 409}))

    def create_network(self, name: str, *, internal: bool) -> None:
        """Create a bridge network of a user; one of that name that is there already is as good."""
        body = {"Name": name, "Driver": "bridge", "Internal": internal, "CheckDuplicate": True}
        self._call("POST", "/networks/create", body=body, accept=frozenset({409}))

    def connect(self, network: str, container_id: str, endpoint: Json) -> None:
        """Connect a container to a network."""
        body = {"Container": container_id, "EndpointConfig": endpoint}
        self._call("POST", f"/networks/{quote(network, safe='')}/connect", body=body)

    def disconnect(self, network: str, container_id: str) -> None:
        """Take a container off a network."""
        body = {"Container": container_id, "Force": True}
        self._call("POST", f"/networks/{quote(network, safe='')}/disconnect", body=body)

    def pull(self, image: str, digest: str) -> None:
        """Pull `image@digest`; the stream is read to its end, so an error in it is raised, and the whole is bounded."""
        self._pulse.beside(partial(self._pull, image, digest))

    def _pull(self, image: str, digest: str) -> None:
        ends = _CLOCK.monotonic() + self._pull_s
        params = {"fromImage": image, "tag": digest}
        response = self._call(
            "POST",
            "/images/create",
            params=params,
            timeout_s=self._pull_s,
            stream=True,
            headers=authorized(image, self._credentials),
        )
        with response:
            for message in self._messages(response):
                if "error" in message:
                    raise from_pull(str(message["error"]), image=image, digest=digest, address=self.address)
                if _CLOCK.monotonic() > ends:
                    raise timed_out("pulling " + image, self._pull_s, address=self.address)

    # Transport

    def _messages(self, response: requests.Response) -> Iterator[Json]:
        try:
            for line in response.iter_lines():
                if line:
                    yield json.loads(line)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise self._wire.fault("the pull", error, self._pull_s) from error
        except ValueError as error:
            raise from_status(0, f"unreadable answer: {error}", what="the pull", address=self.address) from error

    def _found(self, path: str, *, api_version: str = "") -> Json | None:
        response = self._call("GET", path, accept=frozenset({404}), api_version=api_version)
        return None if response.status_code == requests.codes.not_found else _parsed(response, self.address, dict)

    def _json(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Json | None = None
    ) -> Json:
        return _parsed(self._call(method, path, params=params, body=body), self.address, dict)

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        timeout_s: float | None = None,
        stream: bool = False,
        accept: frozenset[int] = frozenset(),
        api_version: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """One request; an error status that is not accepted, and whatever the transport raises, is translated."""
        timeout = timeout_s or self._control_s
        what = f"{method} {path}"
        try:
            self._pulse.check()
            self._wire.ready()
            client = self._client(self._pull_s if stream else self._control_s)
            url = f"{client.base_url}/v{api_version or client.api_version}{path}"
            response = client.request(
                method, url, params=params, json=body, timeout=bounds(timeout), stream=stream, headers=headers
            )
        except (requests.RequestException, DockerException, HTTPError, OSError) as error:
            fault = self._wire.fault(what, error, timeout)
            self._pulse.note(fault)
            raise fault from error
        if response.ok or response.status_code in accept or response.status_code == requests.codes.not_modified:
            return response
        message = _message(response)
        if path == "/images/create":
            raise from_pull(
                message, image=(params or {})["fromImage"], digest=(params or {})["tag"], address=self.address
            )
        raise from_status(response.status_code, message, what=what, address=self.address)

    def _sign(self) -> None:
        """Ask for a sign of life."""
        try:
            self._wire.ready()
            client = self._client(self._control_s)
            client.request("GET", f"{client.base_url}/_ping", timeout=min(SIGN_S, self._control_s))
        except (requests.RequestException, DockerException, HTTPError, OSError) as error:
            raise self._wire.fault("GET /_ping", error, min(SIGN_S, self._control_s)) from error

    def _client(self, timeout_s: float) -> APIClient:
        """The client with this time-out; the first call asks which version of the API the engine speaks."""
        with self._lock:
            client = self._clients.get(timeout_s)
        if client is not None:
            return client
        with self._wire.client(version=_FIRST_VERSION, timeout_s=self._control_s) as asking:
            answer = asking.request("GET", f"{asking.base_url}/version", timeout=bounds(self._control_s))
            _understood(answer, self.address)
            spoken = str(_parsed(answer, self.address, dict).get("ApiVersion", _FIRST_VERSION))
        client = self._wire.client(version=spoken, timeout_s=timeout_s)
        with self._lock:
            return self._clients.setdefault(timeout_s, client)


def _understood(answer: requests.Response, address: str) -> None:
    """Raise for a first answer that is an error, such as the one of a port that wants TLS."""
    if not answer.ok:
        raise from_status(answer.status_code, _message(answer), what="GET /version", address=address)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _parsed(response: requests.Response, address: str, shape: type[_Shape]) -> _Shape:
    try:
        data = response.json()
    except ValueError as error:
        raise from_status(0, f"unreadable answer: {error}", what="the call", address=address) from error
    if not isinstance(data, shape):
        raise from_status(0, "unreadable answer: not the shape an engine gives", what="the call", address=address)
    return data


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text.strip()[:500]
