"""The steps of the way back, carried out: what was there before is there again, as it was, before what is new goes.

Every method is idempotent and may follow a crash of any other at any point, in an attempt before this one too: what that one left
running makes room, and is no part of what was there before.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from releaser.domain.spec import Order
from releaser.targets.docker import cloning, cutover
from releaser.targets.docker.container import (
    Label,
    Made,
    Replaced,
    is_unfinished,
    new_name,
    old_name,
    plain_name,
    restart_policy,
    service_aliases,
    shareable_networks,
)
from releaser.targets.docker.hands import Hands, about
from releaser.targets.docker.scene import Found, Scene
from releaser.targets.target import InconsistentError


class WayBack:
    """One assignment on one engine."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._engine, self._assignment, self._dependants = hands.engine, hands.assignment, hands.dependants
        self._spec, self._spec_before = hands.spec, hands.spec_before

    def restore_old(self, scene: Scene) -> str:
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
        self._hands.pull(previous)
        # The new one has what was kept of the one that is gone.
        made = cloning.body(
            self._engine,
            before,
            source=scene.new,
            before=self._spec,
            aliases=service_aliases(before),
        )
        self._hands.make(old_name(self._assignment), previous, made, why=Made.RESTORED, replaces=None)
        return f"the old container is gone; made it again from {previous.reference}"

    def start_old(self, scene: Scene) -> str:
        """Up again, with its restart policy."""
        old = scene.old
        if old is None:
            found = self.restore_old(scene)
            scene = self._hands.look()
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
            self._hands.with_room(scene, partial(self._engine.start, old.id))
        if scene.new is not None and scene.is_joined(old.id, scene.new.id):
            self._dependants.return_to(self._hands.present(old.id), later=scene.new.id)
        return f"{old.name} runs, restart policy {policy['Name']}"

    def attach_old(self, scene: Scene) -> str:
        """Found again where it was found."""
        if scene.old is None:
            return "nothing was there before"
        return f"{scene.old.name} {self._return(scene, scene.old)}"

    def _return(self, scene: Scene, old: Found) -> str:
        """Onto the networks where it was found before."""
        wanted = self._old_networks(scene, old)
        return self._hands.with_room(scene, lambda: self._hands.attach(self._hands.present(old.id), wanted))

    def stop_new(self, scene: Scene) -> str:
        """The new one, and what other attempts left."""
        if scene.new is not None and scene.new.is_up:
            self._hands.stop(scene.new, grace_s=self._spec.stop_grace_s)
        self._hands.stop_leftovers(scene)
        return about(scene.new, "stopped")

    def rename_back(self, scene: Scene) -> str:
        """The old one has its name again."""
        if scene.new is not None and scene.new.name != new_name(self._assignment):
            self._hands.rename(scene.new, new_name(self._assignment))
        if scene.old is None:
            return "nothing was there before"
        name = self._old_name(scene, scene.old)
        if scene.old.name != name:
            for leftover in scene.leftovers:
                if leftover.name == name and not leftover.is_up and leftover.labels.get(Label.TARGET):
                    self._hands.remove(leftover)
            self._hands.rename(scene.old, name)
        return f"{scene.old.name} is called {name}"

    def _old_name(self, scene: Scene, old: Found) -> str:
        """What it was called: remembered, else declared."""
        replaced = remembered(scene, old)
        if replaced is not None:
            return replaced.name
        previous = self._assignment.previous
        return previous.spec.name if previous is not None and old.runs(previous) else plain_name(old.name)

    def remove_new(self, scene: Scene) -> str:
        """All that is no part of what was there."""
        if scene.new is not None:
            self._engine.remove(scene.new.id, volumes=True)
        self._hands.remove_unfinished(scene)
        for leftover in scene.leftovers:
            # What is down by now is no part of what was there before.
            if not leftover.is_up and not is_unfinished(leftover.name) and leftover.labels.get(Label.TARGET):
                self._hands.remove(leftover)
        return about(scene.new, "removed")

    def _old_restart(self, scene: Scene, old: Found) -> Mapping[str, object]:
        """We only ever switch it off; then it goes back to what it was: remembered, else declared."""
        replaced = remembered(scene, old)
        if old.restart["Name"] != "no":
            return old.restart
        if replaced is not None and replaced.restart["Name"] != "no":
            return replaced.restart
        before = self._spec_before
        return restart_policy(before.restart) if before is not None else old.restart

    def _old_networks(self, scene: Scene, old: Found) -> Mapping[str, tuple[str, ...]]:
        """Where the old one was found before: remembered, else declared."""
        replaced = remembered(scene, old)
        if replaced is not None:
            return replaced.networks
        before = self._spec_before
        return dict.fromkeys(shareable_networks(before), service_aliases(before)) if before is not None else {}

    def swap_back(self, scene: Scene) -> str:
        """The port first; then the old one is started or put on its networks again."""
        if scene.old is None:
            return self.start_old(scene)
        self._hands.stop_leftovers(scene)
        cutover.swap_out(self._engine, scene.new)
        told = self.start_old(scene)
        scene = self._hands.look()
        if scene.old is not None and not scene.old.networks and not self._old_networks(scene, scene.old):
            self._engine.connect(cutover.DEFAULT, scene.old.id, {})
        return f"{told}; {self.attach_old(self._hands.look())}"


def remembered(scene: Scene, old: Found) -> Replaced | None:
    """What the new one remembers about this old one, or one of an attempt that broke off."""
    all_of_them = (found.replaces for found in (scene.new, *scene.leftovers) if found is not None)
    return next((one for one in all_of_them if one is not None and one.container_id == old.id), None)
