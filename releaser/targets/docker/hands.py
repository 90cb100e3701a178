"""What the steps of both ways are made of: one target's containers on one engine, looked at, made, stopped, named and connected.

What was changed is remembered, so that one look is enough for several steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from releaser.domain.spec import ContainerSpec, of_kind
from releaser.domain.target import Assignment, Desired
from releaser.targets.docker import cloning
from releaser.targets.docker.client import Engine
from releaser.targets.docker.container import Body, Made, Replaced, is_unfinished, labels, restart_policy
from releaser.targets.docker.dependants import Dependants
from releaser.targets.docker.faults import image_not_found
from releaser.targets.docker.keeping import endpoints
from releaser.targets.docker.scene import Found, Scene, arranged, look
from releaser.targets.target import ContainerNotFoundError, NameTakenError, PortTakenError

Told = TypeVar("Told")


class Hands:
    """One assignment on one engine. Not `alone`, it is one of several slots; `is_fresh` as in a `Scene`."""

    def __init__(self, engine: Engine, assignment: Assignment, *, alone: bool, is_fresh: bool) -> None:
        self.engine = engine
        self.assignment = assignment
        self.spec = of_kind(assignment.desired.spec, ContainerSpec)
        previous = assignment.previous
        self.spec_before = of_kind(previous.spec, ContainerSpec) if previous is not None else None
        self.dependants = Dependants(engine=engine, assignment=assignment)
        self._alone = alone
        self._is_fresh = is_fresh
        self._changed: dict[str, Found | None] = {}

    def pull(self, wanted: Desired) -> str:
        """Let the host have the image."""
        if self._has_image(wanted):
            return f"{wanted.reference} is there already"
        self.engine.pull(wanted.image, wanted.digest)
        if not self._has_image(wanted):
            raise image_not_found(wanted.reference, "the pull ended well, but the image is not on the host")
        return f"pulled {wanted.reference}"

    def _has_image(self, wanted: Desired) -> bool:
        image = self.engine.image(wanted.reference)
        return image is not None and any(str(d).endswith("@" + wanted.digest) for d in image.get("RepoDigests") or ())

    def make(self, name: str, wanted: Desired, made: Body, *, why: Made, replaces: Replaced | None) -> None:
        """Create and connect; if the engine says the name is taken, by us in a call that "failed", that one is finished."""
        marks = labels(self.assignment, wanted, made=why, replaces=replaces)
        payload = {**made.payload, "Image": wanted.reference, "Labels": {**made.payload.get("Labels", {}), **marks}}
        try:
            container_id = cloning.create(self.engine, name, replace(made, payload=payload))
        except NameTakenError:
            ours = next((f for f in self.look().all() if f.name == name and f.runs(wanted)), None)
            if ours is None or not ours.is_from(self.assignment, why):
                raise
            container_id = ours.id
        else:
            if set(made.endpoints) <= {made.payload["HostConfig"].get("NetworkMode")}:
                return  # made on its only network
        present = self.present(container_id).networks
        for network, endpoint in made.endpoints.items():
            if network not in present:
                self.engine.connect(network, container_id, endpoint)

    def look(self) -> Scene:
        """Everything of it afresh."""
        return look(self.engine, self.assignment, alone=self._alone, is_fresh=self._is_fresh)

    def stop_leftovers(self, scene: Scene) -> None:
        """What attempts that broke off have left running makes room."""
        for leftover in scene.leftovers:
            if leftover.is_up:
                self.stop(leftover, grace_s=self.grace_s)

    @property
    def grace_s(self) -> int:
        """The longest that a container is given to end by itself."""
        return max(self.spec.stop_grace_s, self.spec_before.stop_grace_s if self.spec_before else 0)

    def stop(self, found: Found, *, grace_s: int) -> None:
        """Stopped for good: neither the engine nor its restart brings it back."""
        self.engine.stop(found.id, grace_s=grace_s)
        if found.restart["Name"] != "no":
            self.engine.set_restart(found.id, restart_policy("no"))
        self._changed[found.id] = found.but(state="exited")

    def rename(self, found: Found, name: str) -> None:
        """Give it another name."""
        self.engine.rename(found.id, name)
        self._changed[found.id] = (self._changed.get(found.id) or found).but(name=f"/{name}")

    def remove(self, found: Found) -> None:
        """Without what it kept in volumes."""
        self.engine.remove(found.id, volumes=False)
        self._changed[found.id] = None

    def with_room(self, scene: Scene, act: Callable[[], Told]) -> Told:
        """A fixed port may be held by what an attempt that broke off had put in place."""
        try:
            return act()
        except PortTakenError:
            if not any(leftover.is_up for leftover in scene.leftovers):
                raise
            self.stop_leftovers(scene)
            return act()

    def attach(self, found: Found, wanted: Mapping[str, tuple[str, ...]]) -> str:
        """On each network under these aliases; an alias can only be given by connecting anew."""
        for network, aliases in wanted.items():
            present = found.networks.get(network)
            if present is not None and set(aliases) <= set(present):
                continue
            endpoint = endpoints(found.raw).get(network, {})
            if present is not None:
                self.engine.disconnect(network, found.id)
            self.engine.connect(network, found.id, {**endpoint, "Aliases": list(aliases)})
        return f"is on {', '.join(wanted) or 'no network of its own'}"

    def remove_unfinished(self, scene: Scene) -> None:
        """Clear away what earlier attempts made and never brought into service."""
        for leftover in scene.leftovers:
            if is_unfinished(leftover.name) and not leftover.is_up:
                self.engine.remove(leftover.id, volumes=True)

    def present(self, container_id: str) -> Found:
        """One that ought to be there, as it is now."""
        raw = self.engine.container(container_id)
        if raw is None:
            raise ContainerNotFoundError(
                f"Container {container_id[:12]} is gone right after it was made.",
                permanent=False,
                container=container_id,
            )
        return Found(raw)

    def after(self, scene: Scene) -> Scene:
        """The same with what was changed since it was seen."""
        if not self._changed:
            return scene
        seen = [*scene.all(), *([scene.intruder] if scene.intruder is not None else [])]
        now = [self._changed.get(found.id, found) for found in seen]
        left = [found for found in now if found is not None]
        return arranged(left, self.assignment, joined=scene.joined, is_fresh=scene.is_fresh)


def about(found: Found | None, done: str) -> str:
    """What was done, for the journal."""
    return f"{found.name} {done}" if found is not None else "there is none"
