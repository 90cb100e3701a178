"""Each step, carried out: look, then do what is missing, then tell in one line what was done or found.

Every method is idempotent and may follow a crash of any other at any point. Nothing that serves is removed before the
commit, and nothing of another target or without our labels is ever removed, but the old one at the commit.

What does not live here: the order of the steps (`steps`) and whether the outcome is healthy (`gate`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from releaser.domain.spec import ContainerSpec, Cutover, Order, of_kind
from releaser.domain.target import Assignment, Desired
from releaser.targets.docker import cloning, cutover, declaring
from releaser.targets.docker.client import Engine
from releaser.targets.docker.container import (
    Body,
    Label,
    Made,
    Replaced,
    is_shareable,
    is_unfinished,
    labels,
    new_name,
    old_name,
    plain_name,
    restart_policy,
    service_aliases,
    shareable_networks,
)
from releaser.targets.docker.dependants import Dependants
from releaser.targets.docker.faults import image_not_found
from releaser.targets.docker.keeping import endpoints
from releaser.targets.docker.scene import Found, Scene, arranged, look
from releaser.targets.docker.steps import StepName
from releaser.targets.target import (
    ContainerNotFoundError,
    InconsistentError,
    NameTakenError,
    NetworkNotFoundError,
    PortTakenError,
)

Told = TypeVar("Told")


class Work:
    """One assignment on one engine."""

    def __init__(
        self,
        engine: Engine,
        assignment: Assignment,
        *,
        scene: Scene | None = None,
        networks: set[str] | None = None,
        alone: bool = True,
    ) -> None:
        """`scene` is what was seen a moment ago; `networks` are known to be there, and those that are found are added.

        Not `alone`, it is one of several slots.
        """
        self._engine = engine
        self._alone = alone
        self._assignment = assignment
        self._scene = scene
        self._networks = networks if networks is not None else set()
        self._changed: dict[str, Found | None] = {}
        self._dependants = Dependants(engine=engine, assignment=assignment)
        self._spec = of_kind(assignment.desired.spec, ContainerSpec)
        previous = assignment.previous
        self._spec_before = of_kind(previous.spec, ContainerSpec) if previous is not None else None

    def carry_out(self, *names: StepName) -> str:
        """The steps of these names, one after the other; one line for the journal.

        There is one look for all of them: what a step stopped, renamed or removed is known to the next one.
        """
        scene = self._scene or self._look()
        told = []
        for name in names:
            told.append(self._act(name, scene))
            scene = self._after(scene)
        return "; ".join(told)

    def _after(self, scene: Scene) -> Scene:
        """The same with what was changed since it was seen."""
        if not self._changed:
            return scene
        seen = [*scene.all(), *([scene.intruder] if scene.intruder is not None else [])]
        now = [self._changed.get(found.id, found) for found in seen]
        left = [found for found in now if found is not None]
        return arranged(left, self._assignment, joined=scene.joined, is_fresh=scene.is_fresh)

    def _act(self, name: StepName, scene: Scene) -> str:
        actions: Mapping[StepName, Callable[[Scene], str]] = {
            StepName.PULL: lambda _: self._pull(self._assignment.desired),
            StepName.CREATE: self._create,
            StepName.DISABLE_RESTART: self._disable_restart,
            StepName.STOP_OLD: self._stop_old,
            StepName.RENAME_OLD: self._rename_old,
            StepName.RENAME_NEW: self._rename_new,
            StepName.START_NEW: self._start_new,
            StepName.ATTACH_ALIAS: self._attach_alias,
            StepName.DETACH_OLD: self._detach_old,
            StepName.REMOVE_OLD: self._remove_old,
            StepName.RESTORE_OLD: self._restore_old,
            StepName.START_OLD: self._start_old,
            StepName.ATTACH_OLD: self._attach_old,
            StepName.STOP_NEW: self._stop_new,
            StepName.RENAME_BACK: self._rename_back,
            StepName.REMOVE_NEW: self._remove_new,
            StepName.HAND_OVER: self._hand_over,
            StepName.SWAP_IN: self._swap_in,
            StepName.SWAP_BACK: self._swap_back,
        }
        return actions[name](scene)

    # Prepare

    def _pull(self, wanted: Desired) -> str:
        if self._has_image(wanted):
            return f"{wanted.reference} is there already"
        self._engine.pull(wanted.image, wanted.digest)
        if not self._has_image(wanted):
            raise image_not_found(wanted.reference, "the pull ended well, but the image is not on the host")
        return f"pulled {wanted.reference}"

    def _has_image(self, wanted: Desired) -> bool:
        image = self._engine.image(wanted.reference)
        return image is not None and any(str(d).endswith("@" + wanted.digest) for d in image.get("RepoDigests") or ())

    def _create(self, scene: Scene) -> str:
        if scene.intruder is not None:
            raise self._name_taken(scene.intruder)
        if scene.new is not None:
            if self._is_whole(scene.new):
                return f"{scene.new.name} is there already"
            self._engine.remove(scene.new.id, volumes=True)
        self._check_can_go_back(scene)
        # Beside an old one in service the names of the service come after the gate only.
        waits = scene.old is not None and self._spec.order is Order.START_FIRST
        made = cloning.body(
            self._engine,
            self._spec,
            source=scene.old,
            before=self._spec_before,
            aliases=() if waits else service_aliases(self._spec),
        )
        if waits and self._spec.keep_undeclared:
            made = cloning.beside(made, name=self._spec.name)
        self._check_networks(tuple(made.endpoints))
        self._make(
            new_name(self._assignment), self._assignment.desired, made, why=Made.RELEASE, replaces=_remember(scene)
        )
        self._remove_unfinished(scene)
        kept = declaring.in_words(made, self._spec) if self._spec.keep_undeclared else ""
        return f"created {new_name(self._assignment)} from {self._assignment.desired.reference}{kept}"

    def _make(self, name: str, wanted: Desired, made: Body, *, why: Made, replaces: Replaced | None) -> None:
        """Create and connect; if the engine says the name is taken, by us in a call that "failed", that one is finished."""
        marks = labels(self._assignment, wanted, made=why, replaces=replaces)
        payload = {**made.payload, "Image": wanted.reference, "Labels": {**made.payload.get("Labels", {}), **marks}}
        try:
            container_id = cloning.create(self._engine, name, replace(made, payload=payload))
        except NameTakenError:
            ours = next((f for f in self._look().all() if f.name == name and f.runs(wanted)), None)
            if ours is None or not ours.is_from(self._assignment, why):
                raise
            container_id = ours.id
        else:
            if set(made.endpoints) <= {made.payload["HostConfig"].get("NetworkMode")}:
                return  # made on its only network
        present = self._present(container_id).networks
        for network, endpoint in made.endpoints.items():
            if network not in present:
                self._engine.connect(network, container_id, endpoint)

    def _is_whole(self, new: Found) -> bool:
        """Whether it was started before, or is created and complete; a half-made one is made again, never reused."""
        if new.state != "created":
            return new.state not in {"removing", "dead"}
        return new.runs(self._assignment.desired) and set(self._service_networks(new)) <= set(new.networks)

    def _service_networks(self, new: Found) -> dict[str, tuple[str, ...]]:
        """The networks the new one belongs on with its names there: those declared, and of an old one those that are kept."""
        wanted = dict.fromkeys(shareable_networks(self._spec), service_aliases(self._spec))
        if not self._spec.keep_undeclared or new.replaces is None:
            return wanted
        before = self._spec_before or self._spec
        gone, lost = set(before.networks) - set(self._spec.networks), set(before.aliases) - set(self._spec.aliases)
        for network, aliases in new.replaces.networks.items():
            if network not in gone:
                kept = (alias for alias in aliases if alias not in lost)
                wanted[network] = tuple(dict.fromkeys((*kept, *wanted.get(network, ()))))
        return wanted

    def _check_networks(self, networks: tuple[str, ...]) -> None:
        """A missing network is not made: here nothing has been stopped yet, and a mistyped name would only show at the gate."""
        for network in networks:
            if network in self._networks:
                continue
            if self._engine.network(network) is None:
                raise NetworkNotFoundError(
                    f"The host of {self._engine.address} has no network '{network}', which target {self._assignment.target} wants.",
                    permanent=True,
                    advice=f"Correct the name, or create it there: docker network create {network}",
                    network=network,
                )
            self._networks.add(network)

    def _check_can_go_back(self, scene: Scene) -> None:
        """A container started with --rm vanishes when it stops; without a recorded specification nothing could bring it back."""
        old = scene.old
        if old is not None and old.raw["HostConfig"].get("AutoRemove") and self._assignment.previous is None:
            raise InconsistentError(
                f"Container {old.name} was started with --rm: stopping it would delete it, and its specification is not known.",
                permanent=True,
                advice="Start it anew without --rm, or remove it, and plan again.",
                container=old.name,
            )

    # Cut over

    def _disable_restart(self, scene: Scene) -> str:
        for found in (scene.old, *scene.leftovers):
            # One that is being restarted over and over cannot be changed; `stop-old` does it.
            if found is not None and found.restart["Name"] != "no" and found.state != "restarting":
                self._engine.set_restart(found.id, restart_policy("no"))
        return _about(scene.old, "does not restart by itself now")

    def _stop_old(self, scene: Scene) -> str:
        if scene.old is not None and scene.old.is_up:
            self._stop(scene.old, grace_s=self._grace_s)
        self._stop_leftovers(scene)
        return _about(scene.old, "stopped")

    def _rename_old(self, scene: Scene) -> str:
        if scene.old is not None and scene.old.name != old_name(self._assignment):
            self._rename(scene.old, old_name(self._assignment))
        for leftover in scene.leftovers:
            if leftover.name == self._spec.name:
                self._remove(leftover)
        return _about(scene.old, f"is called {old_name(self._assignment)}")

    def _rename_new(self, scene: Scene) -> str:
        new = self._need_new(scene)
        if new.name == self._spec.name:
            return f"{new.name} has its name already"
        if scene.intruder is not None:
            raise self._name_taken(scene.intruder)
        if scene.holder is not None:
            self._clear_name(scene.holder)
        self._rename(new, self._spec.name)
        return f"{new.name} is called {self._spec.name} now"

    def _clear_name(self, holder: Found) -> None:
        """Only a dead leftover of ours may be cleared away; anything else appeared after the plan was made."""
        if holder.is_up or not holder.labels.get(Label.TARGET):
            raise self._name_taken(holder)
        self._remove(holder)

    def _start_new(self, scene: Scene) -> str:
        new = self._need_new(scene)
        if self._swaps and scene.old is not None:
            return cutover.warm_up(self._engine, new)
        if not new.is_up:
            self._with_room(scene, partial(self._engine.start, new.id))
        return f"{new.name} runs{self._follow(scene)}"

    def _follow(self, scene: Scene) -> str:
        """What lives in the network of the old one goes on beside the new one."""
        if scene.old is None or not scene.is_joined(scene.old.id):
            return ""
        followed = self._dependants.follow(self._present(self._need_new(scene).id), former=scene.old.id)
        return f", and beside it anew {', '.join(followed)}" if followed else ""

    @property
    def _swaps(self) -> bool:
        return self._spec.cutover is Cutover.NETWORK_SWAP

    def _hand_over(self, scene: Scene) -> str:
        told = cutover.start_while(self._engine, self._need_new(scene), stop=lambda: self._stop_old(scene))
        return told + self._follow(scene)

    def _swap_in(self, scene: Scene) -> str:
        new = self._need_new(scene)
        wanted = self._service_networks(new)
        told: dict[str, dict[str, object]] = {network: {"Aliases": list(names)} for network, names in wanted.items()}
        self._stop_leftovers(scene)
        swapped = cutover.swap_in(self._engine, new, scene.old, told or {cutover.DEFAULT: {}})
        return swapped + self._follow(scene)

    def _swap_back(self, scene: Scene) -> str:
        """The port first; then the old one is started or put on its networks again."""
        if scene.old is None:
            return self._start_old(scene)
        self._stop_leftovers(scene)
        cutover.swap_out(self._engine, scene.new)
        told = self._start_old(scene)
        scene = self._look()
        if scene.old is not None and not scene.old.networks and not self._old_networks(scene, scene.old):
            self._engine.connect(cutover.DEFAULT, scene.old.id, {})
        return f"{told}; {self._attach_old(self._look())}"

    def _attach_alias(self, scene: Scene) -> str:
        new = self._need_new(scene)
        return f"{new.name} {self._attach(new, self._service_networks(new))}"

    def _detach_old(self, scene: Scene) -> str:
        self._need_new(scene)
        if scene.old is not None:
            for network in filter(is_shareable, scene.old.networks):
                self._engine.disconnect(network, scene.old.id)
        return _about(scene.old, "is off its networks")

    # Commit

    def _remove_old(self, scene: Scene) -> str:
        new = self._need_new(scene)
        if new.name != self._spec.name:
            raise InconsistentError(
                f"{new.name} has not taken the name {self._spec.name}; the old container is kept.",
                permanent=True,
                advice="Look at the host; the cutover was not carried out to its end.",
                container=new.name,
            )
        for found in (scene.old, *scene.leftovers):
            if found is not None:
                if scene.is_joined(found.id):
                    self._dependants.forget(found.id)
                self._engine.remove(found.id, volumes=False)
        return _about(scene.old, "removed")

    # Roll back

    def _restore_old(self, scene: Scene) -> str:
        """The old one has to be there before anything is stopped; if it is gone it is made again as it was recorded."""
        if scene.old is not None:
            return f"{scene.old.name} is there"
        previous, before = self._assignment.previous, self._spec_before
        if previous is None or before is None:
            replaced = scene.new.replaces if scene.new is not None else None
            if replaced is None:
                return "nothing was there before"
            raise InconsistentError(
                f"Container {replaced.name} ({replaced.container_id[:12]}) is gone, and its specification is not known.",
                permanent=True,
                advice="Start the former version by hand, or roll out a version that works.",
                container=replaced.name,
            )
        self._pull(previous)
        # The new one has what was kept of the one that is gone.
        made = cloning.body(
            self._engine,
            before,
            source=scene.new,
            before=self._spec,
            aliases=service_aliases(before),
        )
        self._make(old_name(self._assignment), previous, made, why=Made.RESTORED, replaces=None)
        return f"the old container is gone; made it again from {previous.reference}"

    def _start_old(self, scene: Scene) -> str:
        old = scene.old
        if old is None:
            found = self._restore_old(scene)
            scene = self._look()
            if (old := scene.old) is None:
                return found
        policy = self._old_restart(scene, old)
        if old.restart != policy:
            self._engine.set_restart(old.id, policy)
        if old.is_up or self._spec.order is not Order.START_FIRST:
            # Taken off its networks, be it by an attempt that broke off: it served there and may be found again. Start-first,
            # one that has to start first is found when it is healthy.
            self._return(scene, old)
        if not old.is_up:
            self._with_room(scene, partial(self._engine.start, old.id))
        if scene.new is not None and scene.is_joined(old.id, scene.new.id):
            self._dependants.return_to(self._present(old.id), later=scene.new.id)
        return f"{old.name} runs, restart policy {policy['Name']}"

    def _with_room(self, scene: Scene, act: Callable[[], Told]) -> Told:
        """A fixed port may be held by what an attempt that broke off had put in place."""
        try:
            return act()
        except PortTakenError:
            if not any(leftover.is_up for leftover in scene.leftovers):
                raise
            self._stop_leftovers(scene)
            return act()

    def _attach_old(self, scene: Scene) -> str:
        if scene.old is None:
            return "nothing was there before"
        return f"{scene.old.name} {self._return(scene, scene.old)}"

    def _return(self, scene: Scene, old: Found) -> str:
        """Onto the networks where it was found before."""
        wanted = self._old_networks(scene, old)
        return self._with_room(scene, lambda: self._attach(self._present(old.id), wanted))

    def _stop_new(self, scene: Scene) -> str:
        if scene.new is not None and scene.new.is_up:
            self._stop(scene.new, grace_s=self._spec.stop_grace_s)
        self._stop_leftovers(scene)
        return _about(scene.new, "stopped")

    def _rename_back(self, scene: Scene) -> str:
        if scene.new is not None and scene.new.name != new_name(self._assignment):
            self._rename(scene.new, new_name(self._assignment))
        if scene.old is None:
            return "nothing was there before"
        name = self._old_name(scene, scene.old)
        if scene.old.name != name:
            for leftover in scene.leftovers:
                if leftover.name == name and not leftover.is_up and leftover.labels.get(Label.TARGET):
                    self._remove(leftover)
            self._rename(scene.old, name)
        return f"{scene.old.name} is called {name}"

    def _old_name(self, scene: Scene, old: Found) -> str:
        """What it was called: remembered, else declared."""
        replaced = _replaced(scene, old)
        if replaced is not None:
            return replaced.name
        previous = self._assignment.previous
        return previous.spec.name if previous is not None and old.runs(previous) else plain_name(old.name)

    def _remove_new(self, scene: Scene) -> str:
        if scene.new is not None:
            self._engine.remove(scene.new.id, volumes=True)
        self._remove_unfinished(scene)
        for leftover in scene.leftovers:
            # What is down by now is no part of what was there before.
            if not leftover.is_up and not is_unfinished(leftover.name) and leftover.labels.get(Label.TARGET):
                self._remove(leftover)
        return _about(scene.new, "removed")

    # Parts

    def _look(self) -> Scene:
        is_fresh = self._scene is not None and self._scene.is_fresh
        return look(self._engine, self._assignment, alone=self._alone, is_fresh=is_fresh)

    def _stop_leftovers(self, scene: Scene) -> None:
        """What attempts that broke off have left running makes room."""
        for leftover in scene.leftovers:
            if leftover.is_up:
                self._stop(leftover, grace_s=self._grace_s)

    @property
    def _grace_s(self) -> int:
        return max(self._spec.stop_grace_s, self._spec_before.stop_grace_s if self._spec_before else 0)

    def _stop(self, found: Found, *, grace_s: int) -> None:
        """Stopped for good: neither the engine nor its restart brings it back."""
        self._engine.stop(found.id, grace_s=grace_s)
        if found.restart["Name"] != "no":
            self._engine.set_restart(found.id, restart_policy("no"))
        self._changed[found.id] = found.but(state="exited")

    def _rename(self, found: Found, name: str) -> None:
        self._engine.rename(found.id, name)
        self._changed[found.id] = (self._changed.get(found.id) or found).but(name=f"/{name}")

    def _remove(self, found: Found) -> None:
        """Without what it kept in volumes."""
        self._engine.remove(found.id, volumes=False)
        self._changed[found.id] = None

    def _attach(self, found: Found, wanted: Mapping[str, tuple[str, ...]]) -> str:
        """On each network under these aliases; an alias can only be given by connecting anew."""
        for network, aliases in wanted.items():
            present = found.networks.get(network)
            if present is not None and set(aliases) <= set(present):
                continue
            endpoint = endpoints(found.raw).get(network, {})
            if present is not None:
                self._engine.disconnect(network, found.id)
            self._engine.connect(network, found.id, {**endpoint, "Aliases": list(aliases)})
        return f"is on {', '.join(wanted) or 'no network of its own'}"

    def _old_restart(self, scene: Scene, old: Found) -> Mapping[str, object]:
        """We only ever switch it off; then it goes back to what it was: remembered, else declared."""
        replaced = _replaced(scene, old)
        if old.restart["Name"] != "no":
            return old.restart
        if replaced is not None and replaced.restart["Name"] != "no":
            return replaced.restart
        before = self._spec_before
        return restart_policy(before.restart) if before is not None else old.restart

    def _old_networks(self, scene: Scene, old: Found) -> Mapping[str, tuple[str, ...]]:
        """Where the old one was found before: remembered, else declared."""
        replaced = _replaced(scene, old)
        if replaced is not None:
            return replaced.networks
        before = self._spec_before
        return dict.fromkeys(shareable_networks(before), service_aliases(before)) if before is not None else {}

    def _remove_unfinished(self, scene: Scene) -> None:
        """Clear away what earlier attempts made and never brought into service."""
        for leftover in scene.leftovers:
            if is_unfinished(leftover.name) and not leftover.is_up:
                self._engine.remove(leftover.id, volumes=True)

    def _need_new(self, scene: Scene) -> Found:
        if scene.new is None:
            raise ContainerNotFoundError(
                f"The new container of target {self._assignment.target} is gone.",
                permanent=True,
                advice="Somebody removed it by hand; roll back and try again.",
                target=self._assignment.target,
            )
        return scene.new

    def _present(self, container_id: str) -> Found:
        raw = self._engine.container(container_id)
        if raw is None:
            raise ContainerNotFoundError(
                f"Container {container_id[:12]} is gone right after it was made.",
                permanent=False,
                container=container_id,
            )
        return Found(raw)

    def _name_taken(self, holder: Found) -> NameTakenError:
        owner = holder.labels.get(Label.TARGET)
        whose = f"target {owner}" if owner else "no target of ours"
        return NameTakenError(
            f"The name {self._spec.name} is held on {self._assignment.host} by a container of {whose}.",
            advice="Give one of them another name, or plan again so that it is replaced.",
            container=holder.id,
        )


def _remember(scene: Scene) -> Replaced | None:
    """What the old one is like; an earlier attempt may have changed it already and then remembers better."""
    old = scene.old
    if old is None:
        return None
    if (remembered := _replaced(scene, old)) is not None:
        return remembered
    return Replaced(
        container_id=old.id,
        name=plain_name(old.name),
        restart=old.restart,
        networks={network: aliases for network, aliases in old.networks.items() if is_shareable(network)},
    )


def _replaced(scene: Scene, old: Found) -> Replaced | None:
    """What the new one remembers about this old one, or one of an attempt that broke off."""
    remembered = (found.replaces for found in (scene.new, *scene.leftovers) if found is not None)
    return next((one for one in remembered if one is not None and one.container_id == old.id), None)


def _about(found: Found | None, done: str) -> str:
    return f"{found.name} {done}" if found is not None else "there is none"
