"""Each step, carried out: look, then do what is missing, then tell in one line what was done or found.

Every method is idempotent and may follow a crash of any other at any point. Nothing that serves is removed before the
commit, and nothing of another target or without our labels is ever removed, but the old one at the commit.

What does not live here: the steps of the way back (`way_back`), their order (`steps`) and whether the outcome is healthy (`gate`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from releaser.domain.spec import Cutover, Order
from releaser.domain.target import Assignment
from releaser.targets.docker import cloning, cutover, declaring
from releaser.targets.docker.client import Engine
from releaser.targets.docker.container import (
    Label,
    Made,
    Replaced,
    is_shareable,
    new_name,
    old_name,
    plain_name,
    restart_policy,
    service_aliases,
    shareable_networks,
)
from releaser.targets.docker.hands import Hands, about
from releaser.targets.docker.scene import Found, Scene
from releaser.targets.docker.soak import check_soak
from releaser.targets.docker.steps import StepName
from releaser.targets.docker.way_back import WayBack, remembered
from releaser.targets.target import (
    ContainerNotFoundError,
    InconsistentError,
    NameTakenError,
    NetworkNotFoundError,
)


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
        is_fresh = scene is not None and scene.is_fresh
        self._hands = Hands(engine, assignment, alone=alone, is_fresh=is_fresh)
        self._back = WayBack(self._hands)
        self._engine = engine
        self._assignment = assignment
        self._scene = scene
        self._networks = networks if networks is not None else set()
        self._dependants = self._hands.dependants
        self._spec, self._spec_before = self._hands.spec, self._hands.spec_before

    def carry_out(self, *names: StepName) -> str:
        """The steps of these names, one after the other; one line for the journal.

        There is one look for all of them: what a step stopped, renamed or removed is known to the next one.
        """
        scene = self._scene or self._hands.look()
        told = []
        for name in names:
            told.append(self._act(name, scene))
            scene = self._hands.after(scene)
        return "; ".join(told)

    def _act(self, name: StepName, scene: Scene) -> str:
        actions: Mapping[StepName, Callable[[Scene], str]] = {
            StepName.PULL: self._prepare_image,
            StepName.CREATE: self._create,
            StepName.DISABLE_RESTART: self._disable_restart,
            StepName.STOP_OLD: self._stop_old,
            StepName.RENAME_OLD: self._rename_old,
            StepName.RENAME_NEW: self._rename_new,
            StepName.START_NEW: self._start_new,
            StepName.ATTACH_ALIAS: self._attach_alias,
            StepName.DETACH_OLD: self._detach_old,
            StepName.REMOVE_OLD: self._remove_old,
            StepName.RESTORE_OLD: self._back.restore_old,
            StepName.START_OLD: self._back.start_old,
            StepName.ATTACH_OLD: self._back.attach_old,
            StepName.STOP_NEW: self._back.stop_new,
            StepName.RENAME_BACK: self._back.rename_back,
            StepName.REMOVE_NEW: self._back.remove_new,
            StepName.HAND_OVER: self._hand_over,
            StepName.SWAP_IN: self._swap_in,
            StepName.SWAP_BACK: self._back.swap_back,
        }
        return actions[name](scene)

    # Prepare

    def _prepare_image(self, _: Scene) -> str:
        wanted = self._assignment.desired
        told = self._hands.pull(wanted)
        check_soak(self._spec, self._engine.image(wanted.reference) or {}, reference=wanted.reference)
        return told

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
        self._hands.make(
            new_name(self._assignment), self._assignment.desired, made, why=Made.RELEASE, replaces=_remember(scene)
        )
        self._hands.remove_unfinished(scene)
        kept = declaring.in_words(made, self._spec) if self._spec.keep_undeclared else ""
        return f"created {new_name(self._assignment)} from {self._assignment.desired.reference}{kept}"

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
        return about(scene.old, "does not restart by itself now")

    def _stop_old(self, scene: Scene) -> str:
        if scene.old is not None and scene.old.is_up:
            self._hands.stop(scene.old, grace_s=self._hands.grace_s)
        self._hands.stop_leftovers(scene)
        return about(scene.old, "stopped")

    def _rename_old(self, scene: Scene) -> str:
        if scene.old is not None and scene.old.name != old_name(self._assignment):
            self._hands.rename(scene.old, old_name(self._assignment))
        for leftover in scene.leftovers:
            if leftover.name == self._spec.name:
                self._hands.remove(leftover)
        return about(scene.old, f"is called {old_name(self._assignment)}")

    def _rename_new(self, scene: Scene) -> str:
        new = self._need_new(scene)
        if new.name == self._spec.name:
            return f"{new.name} has its name already"
        if scene.intruder is not None:
            raise self._name_taken(scene.intruder)
        if scene.holder is not None:
            self._clear_name(scene.holder)
        self._hands.rename(new, self._spec.name)
        return f"{new.name} is called {self._spec.name} now"

    def _clear_name(self, holder: Found) -> None:
        """Only a dead leftover of ours may be cleared away; anything else appeared after the plan was made."""
        if holder.is_up or not holder.labels.get(Label.TARGET):
            raise self._name_taken(holder)
        self._hands.remove(holder)

    def _start_new(self, scene: Scene) -> str:
        new = self._need_new(scene)
        if self._swaps and scene.old is not None:
            return cutover.warm_up(self._engine, new)
        if not new.is_up:
            self._hands.with_room(scene, partial(self._engine.start, new.id))
        return f"{new.name} runs{self._follow(scene)}"

    def _follow(self, scene: Scene) -> str:
        """What lives in the network of the old one goes on beside the new one."""
        if scene.old is None or not scene.is_joined(scene.old.id):
            return ""
        followed = self._dependants.follow(self._hands.present(self._need_new(scene).id), former=scene.old.id)
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
        self._hands.stop_leftovers(scene)
        swapped = cutover.swap_in(self._engine, new, scene.old, told or {cutover.DEFAULT: {}})
        return swapped + self._follow(scene)

    def _attach_alias(self, scene: Scene) -> str:
        new = self._need_new(scene)
        return f"{new.name} {self._hands.attach(new, self._service_networks(new))}"

    def _detach_old(self, scene: Scene) -> str:
        self._need_new(scene)
        if scene.old is not None:
            for network in filter(is_shareable, scene.old.networks):
                self._engine.disconnect(network, scene.old.id)
        return about(scene.old, "is off its networks")

    # Commit

    def _remove_old(self, scene: Scene) -> str:
        new = self._need_new(scene)
        if new.name != self._spec.name and scene.holder is None and scene.intruder is None:
            self._hands.rename(new, self._spec.name)  # somebody renamed it by hand since it got its name
        elif new.name != self._spec.name:
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
        return about(scene.old, "removed")

    def _need_new(self, scene: Scene) -> Found:
        if scene.new is None:
            raise ContainerNotFoundError(
                f"The new container of target {self._assignment.target} is gone.",
                permanent=True,
                advice="Somebody removed it by hand; roll back and try again.",
                target=self._assignment.target,
            )
        return scene.new

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
    if (known := remembered(scene, old)) is not None:
        return known
    return Replaced(
        container_id=old.id,
        name=plain_name(old.name),
        restart=old.restart,
        networks={network: aliases for network, aliases in old.networks.items() if is_shareable(network)},
    )
