"""A program on a host that is called like docker, and knows compose: it keeps containers as data, and dies in its midst when told to.

The program is a small script; what it is asked is answered by a thread of the test, over pipes in its folder. `die_at` says where
the next `compose up` dies (`stopped`, `removed`, `created`). Projects are JSON, which is YAML; our own override is read line by
line. It recreates as compose does: the old one goes first.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, Self

REPOSITORY = "registry.test/shop"
VERSIONS = ("1.0", "1.1", "1.2", "sick", "exits")
_PROGRAM = """#!/bin/sh
me=$(dirname "$0")/../answer-$$; mkfifo "$me"
printf '%s\\001' "$me" "$@" '' >"${me%/*}/asked"
{ read -r code; read -r to; if [ "$to" = err ]; then cat >&2; else cat; fi; } <"$me"
rm -f "$me"; exit "$code"
"""
Container = dict[str, Any]


class EndedError(Exception):
    """The program ends with this code."""

    def __init__(self, said: str, code: int = 1) -> None:
        super().__init__(said)
        self.code = code


@dataclass(slots=True, kw_only=True)
class Image:
    """An image in the registry, and whether the host has it."""

    version: str
    digest: str
    id: str
    on_host: bool = False
    tags: set[str] = field(default_factory=set)

    @property
    def reference(self) -> str:
        return f"{REPOSITORY}@{self.digest}"


class DockerOnHost:
    """The host; a context manager. Its program `docker` lies in the folder `bin`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = [
            Image(
                version=version,
                digest=self.digest(version),
                id=f"sha256:{hashlib.sha256(version.encode()).hexdigest()}",
            )
            for version in VERSIONS
        ]
        self.containers: list[Container] = []
        self.calls: list[str] = []
        self.is_down = False
        self._dies_at = ""
        self._made = 0
        self._said: list[str] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @staticmethod
    def digest(version: str) -> str:
        """A version's digest."""
        return f"sha256:{VERSIONS.index(version) + 100:064x}" if version in VERSIONS else "sha256:" + "0" * 64

    def die_at(self, place: str) -> None:
        """The next compose up dies there."""
        self._dies_at = place

    def probe(self, url: str, *, timeout_s: float) -> int:
        """What answers at `probe:PROJECT`."""
        assert timeout_s > 0
        for one in self.containers:
            project = one["Config"]["Labels"]["com.docker.compose.project"]
            if f"probe:{project}" == url and one["State"]["Status"] == "running":
                return 503 if self._image(one["Image"]).version == "sick" else 200
        raise ConnectionRefusedError(111, "Connection refused")

    # Being asked

    def __enter__(self) -> Self:
        (self.folder / "bin").mkdir(parents=True)
        program = self.folder / "bin" / "docker"
        program.write_text(_PROGRAM)
        program.chmod(0o755)
        os.mkfifo(self.folder / "asked")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        (self.folder / "asked").write_bytes(b"end\1\1")
        self._thread.join()

    def _serve(self) -> None:
        # Open for both, so that it does not end when one who asked has gone.
        pipe = os.open(self.folder / "asked", os.O_RDWR)
        held = b""
        try:
            while True:
                while b"\1\1" not in held:
                    held += os.read(pipe, 65536)
                asked, _, held = held.partition(b"\1\1")
                answer, *words = asked.decode().split("\1")
                if answer == "end":
                    return
                self._answer(Path(answer), words)
        finally:
            os.close(pipe)

    def _answer(self, answer: Path, words: list[str]) -> None:
        self.calls.append(" ".join(words))
        self._said.clear()
        code, to = 0, "out"
        try:
            if self.is_down:
                _refuse("Cannot connect to the Docker daemon at unix:///s. Is the docker daemon running?")
            commands: Mapping[str, Callable[[list[str]], None]] = {
                "version": lambda _: self._say("20.10.24"),
                "ps": self._ps,
                "inspect": self._inspect,
                "image": self._inspect_images,
                "pull": self._pull,
                "tag": self._tag,
                "images": self._images_of,
                "rmi": self._untag,
                "rename": self._rename,
                "start": lambda words: self._run(self._container(words[0])),
                "stop": self._stop,
                "rm": self._rm,
                "logs": lambda words: self._say(self._container(words[-1])["Log"]),
                "compose": self._compose,
            }
            commands[words[0]](words[1:])
        except EndedError as error:
            code = error.code
            if str(error):
                to, self._said[:] = "err", [str(error)]
        answer.write_text("\n".join([str(code), to, *self._said, ""]))

    def _say(self, text: str) -> None:
        self._said.append(text)

    # What docker does

    def _image(self, reference: str) -> Image:
        for one in self.images:
            if one.on_host and reference in {one.reference, one.id, *one.tags}:
                return one
        raise EndedError(f"Error: No such image: {reference}")

    def _container(self, name: str) -> Container:
        for one in self.containers:
            if name in (one["Id"], one["Name"][1:]):
                return one
        raise EndedError(f"Error: No such container: {name}")

    def _ps(self, words: list[str]) -> None:
        wanted = [words[at + 1].removeprefix("label=") for at, word in enumerate(words) if word == "--filter"]
        for one in self.containers:
            if set(wanted) <= {f"{key}={value}" for key, value in one["Config"]["Labels"].items()}:
                self._say(one["Id"])

    def _inspect(self, words: list[str]) -> None:
        if words[2] == "--format":
            self._said += [self._container(one)["Image"] for one in words[4:]]
            return
        self._say(json.dumps([one for one in self.containers if one["Id"] in words]))

    def _inspect_images(self, words: list[str]) -> None:
        is_long = "RepoDigests" in words[2] if len(words) > 2 else False
        for reference in words[3:] if words[1] == "--format" else words[1:]:
            found = self._image(reference)
            self._say(f"{found.id} {found.reference} " if is_long else found.id)

    def _pull(self, words: list[str]) -> None:
        for one in self.images:
            if one.reference == words[-1]:
                one.on_host = True
                return
        raise EndedError(f"Error response from daemon: manifest for {words[-1]} not found: manifest unknown")

    def _tag(self, words: list[str]) -> None:
        found = self._image(words[0])
        for one in self.images:
            one.tags.discard(words[1])
        found.tags.add(words[1])

    def _images_of(self, words: list[str]) -> None:
        self._said += sorted(tag for one in self.images for tag in one.tags if tag.startswith(f"{words[-1]}:"))

    def _untag(self, words: list[str]) -> None:
        for one in self.images:
            one.tags.discard(words[0])

    def _rename(self, words: list[str]) -> None:
        self._container(words[0])["Name"] = f"/{words[1]}"

    def _stop(self, words: list[str]) -> None:
        for one in words[2:]:
            _halt(self._container(one))

    def _rm(self, words: list[str]) -> None:
        gone = [self._container(one) for one in words if not one.startswith("-")]
        self.containers = [one for one in self.containers if one not in gone]

    def _run(self, one: Container) -> None:
        exits = self._image(one["Image"]).version == "exits"
        status = "exited" if exits else "running"
        one["State"] = {"Status": status, "ExitCode": 3 if exits else 0, "StartedAt": _now()}
        one["Log"] = "cannot start: no configuration" if exits else "serving"

    # What compose does

    def _compose(self, words: list[str]) -> None:
        if words[0] == "version":
            self._say("2.24.6")
            return
        files, project = [], ""
        while words[0].startswith("-"):
            files += [words[1]] if words[0] == "-f" else []
            project = words[1] if words[0] == "-p" else project
            words = words[2:]
        services = _merged(files)
        lacking = [name for name, said in services.items() if "image" not in said]
        if lacking:
            raise EndedError(
                f'service "{lacking[0]}" has neither an image nor a build context specified: invalid compose project'
            )
        if words[0] == "config":
            self._say(json.dumps({"name": project, "services": services}))
        else:
            self._up(project, words[-1], services[words[-1]], words)

    def _up(self, project: str, service: str, said: Mapping[str, Any], words: list[str]) -> None:
        count = int(words[words.index("--scale") + 1].partition("=")[2]) if "--scale" in words else 1
        made_from = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        mine = {"com.docker.compose.project": project, "com.docker.compose.service": service}
        there = [one for one in self.containers if mine.items() <= one["Config"]["Labels"].items()]
        changed = [one for one in there if one["Config"]["Labels"]["com.docker.compose.config-hash"] != made_from]
        for one in there:
            if one not in changed and one["State"]["Status"] != "running":
                self._run(one)
        for one in changed:
            _halt(one)
        self._die("stopped")
        self.containers = [one for one in self.containers if one not in changed]
        self._die("removed")
        for number in range(len(there) - len(changed), count):
            image = self._image(said["image"])
            labels = {**said.get("labels", {}), **mine, "com.docker.compose.config-hash": made_from}
            self._made += 1
            one = {
                "Id": f"{self._made:064x}",
                "Name": f"/{project}-{service}-{number + 1}",
                "Created": _now(),
                "Image": image.id,
                "RestartCount": 0,
                "Config": {"Image": said["image"], "Labels": labels, "Env": said.get("environment", [])},
                "HostConfig": {"Memory": said.get("mem_limit", 0)},
                "NetworkSettings": {"Networks": {}, "Ports": {}},
                "State": {"Status": "created", "ExitCode": 0},
                "Log": "",
            }
            self.containers.append(one)
            self._die("created")
            self._run(one)

    def _die(self, place: str) -> None:
        if self._dies_at == place:
            self._dies_at = ""
            raise EndedError("", 137)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _halt(one: Container) -> None:
    one["State"] = {**one["State"], "Status": "exited", "ExitCode": 0, "FinishedAt": _now()}


def _merged(files: list[str]) -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = {}
    for name in files:
        for service, said in _read(name).items():
            mine = services.setdefault(service, {})
            labels = {**mine.get("labels", {}), **said.get("labels", {})}
            mine.update(said)
            if labels:
                mine["labels"] = labels
    return services


def _read(name: str) -> dict[str, Any]:
    """A file of JSON, or one of ours."""
    try:
        text = Path(name).read_text()
    except OSError as error:
        raise EndedError(f"open {name}: no such file or directory") from error
    if text.startswith("{"):
        return dict(_json(text, name)["services"])
    found: dict[str, Any] = {}
    places: dict[int, dict[str, Any]] = {0: found}
    for line in text.splitlines():
        if line.startswith(("#", "services:")):
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        key, _, value = line.strip().partition(": ")
        key = key.removesuffix(":")
        key = _json(key, name) if key.startswith('"') else key
        if value:
            places[depth - 1][key] = _json(value.replace("$$", "$"), name)
        else:
            places[depth] = places[depth - 1].setdefault(key, {})
    return found


def _json(text: str, name: str) -> Any:  # noqa: ANN401 -- JSON
    try:
        return json.loads(text)
    except ValueError:
        _refuse(f"yaml: line 1: did not find expected key in {name}")


def _refuse(said: str) -> NoReturn:
    raise EndedError(said)
