"""Containers that live in the network of a target's container: they are made anew with it, and come back with it.

Such a container is bound to the very one it joined; when that is replaced, it runs on without any network. Rules: the former
dependant is kept, stopped, until the update is committed, and is the one that comes back; a new one carries in a label which
one it is for and whether that ran. Everything may be repeated after a crash at any point.

What does not live here: dependants by process or IPC namespace, which an engine's list does not tell (`adopting` warns of them).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from releaser.domain.target import Assignment
from releaser.targets.docker import cloning
from releaser.targets.docker.client import Engine
from releaser.targets.docker.container import Body, Label, plain_name
from releaser.targets.docker.scene import Found

_JOINED = "container:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependants:
    """Those of one target's containers, in one attempt on one engine."""

    engine: Engine
    assignment: Assignment

    def follow(self, serving: Found, *, former: str) -> list[str]:
        """Make those of the container with the id `former` anew beside `serving`, which runs; their names."""
        return [self._renew(found, serving) for found in self._joined_to(former)]

    def return_to(self, serving: Found, *, later: str) -> None:
        """Bring those of `serving`, which runs again, back in the place of those that joined the container `later`."""
        for found in self._joined_to(later):
            if _renews(found) is not None:
                self.engine.remove(found.id, volumes=True)
        for found in self._joined_to(serving.id):
            renewed = self._unfinished(found)
            if renewed is not None:
                self.engine.remove(renewed.id, volumes=True)
            name = plain_name(found.name)
            # Stopped by us, or its network went away under it when the one it joined was stopped.
            was_stopped = found.name != name
            if was_stopped:
                self.engine.rename(found.id, name)
            started, joined = found.instant("StartedAt"), serving.instant("StartedAt")
            is_cut_off = found.is_up and started is not None and joined is not None and started < joined
            if is_cut_off:
                self.engine.stop(found.id, grace_s=_grace(found))
            if was_stopped or is_cut_off:
                self.engine.start(found.id)

    def forget(self, former: str) -> None:
        """The update is committed: those that were kept for the way back go."""
        for found in self._joined_to(former):
            if found.name == self._kept_name(found):
                self.engine.remove(found.id, volumes=False)

    def _renew(self, found: Found, serving: Found) -> str:
        name = plain_name(found.name)
        holder = self._found(name)
        if holder is not None and _renews(holder) is not None and found.id == _renews(holder):
            self._start(holder, serving)
            return name
        renewed = self._found(self._new_name(name))
        if renewed is not None and (renewed.state != "created" or _renews(renewed) != found.id):
            self.engine.remove(renewed.id, volumes=True)
            renewed = None
        if renewed is None:
            self._create(found, serving)
        if found.is_up:
            self.engine.stop(found.id, grace_s=_grace(found))
        if found.name == name:
            self.engine.rename(found.id, self._kept_name(found))
        self.engine.rename(self._new_name(name), name)
        holder = self._found(name)
        if holder is not None:
            self._start(holder, serving)
        return name

    def _create(self, found: Found, serving: Found) -> None:
        """As it is, from the very image it is from: it is not what is updated."""
        made = cloning.clone(self.engine, found)
        ours = {key: text for key, text in found.labels.items() if key in {label.value for label in Label}}
        mark = json.dumps({"id": found.id, "up": found.is_up})
        payload: dict[str, Any] = {
            **made.payload,
            "Image": str(found.raw["Config"]["Image"]),
            "Labels": {**made.payload.get("Labels", {}), **ours, Label.RENEWS.value: mark},
            "HostConfig": {**made.payload["HostConfig"], "NetworkMode": _JOINED + serving.id},
        }
        image = self.engine.image(payload["Image"])
        if image is None or image.get("Id") != found.raw["Image"]:
            payload["Image"] = str(found.raw["Image"])  # its tag names another image by now
        cloning.create(self.engine, self._new_name(plain_name(found.name)), Body(payload=payload))

    def _start(self, found: Found, serving: Found) -> None:
        mark = json.loads(found.labels[Label.RENEWS])
        if mark.get("up") and not found.is_up and serving.is_up:
            self.engine.start(found.id)

    def _joined_to(self, container_id: str) -> Iterator[Found]:
        """A list tells the network of every container in one call."""
        for entry in self.engine.containers():
            mode = str((entry.get("HostConfig") or {}).get("NetworkMode") or "")
            if mode == _JOINED + container_id and (found := self._found(str(entry["Id"]))) is not None:
                yield found

    def _unfinished(self, found: Found) -> Found | None:
        return self._found(self._new_name(plain_name(found.name)))

    def _found(self, name: str) -> Found | None:
        raw = self.engine.container(name)
        return Found(raw) if raw is not None else None

    def _new_name(self, name: str) -> str:
        return f"{name}.new-{self.assignment.rollout}-{self.assignment.attempt}"

    def _kept_name(self, found: Found) -> str:
        return f"{plain_name(found.name)}.old-{self.assignment.rollout}-{self.assignment.attempt}"


def _renews(found: Found) -> str | None:
    """Which container it was made in the place of."""
    try:
        return str(json.loads(found.labels.get(Label.RENEWS, ""))["id"])
    except (ValueError, KeyError, TypeError):
        return None


def _grace(found: Found) -> int:
    return int(found.raw["Config"].get("StopTimeout") or 10)
