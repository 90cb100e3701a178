"""The steps of an update slot by slot, carried out: each container's part is `work`'s, the front's part is here.

Every method is idempotent and looks first: at the containers by their labels, at the front by what it says. A server is called
after its slot and its container (`shop-1-0123456789ab`), so that the old and the new one of a slot are told apart, and what a crash
left behind is known. Containers are dealt with several at a time, the front one call after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from releaser.clock import Clock
from releaser.domain.spec import ContainerSpec, FrontKind, FrontSpec, of_kind
from releaser.domain.target import Assignment
from releaser.errors import OutsideError
from releaser.targets.docker.asked_at import asked_at
from releaser.targets.docker.client import Engine
from releaser.targets.docker.container import Label, Made, new_name
from releaser.targets.docker.kept_front import KeptFront
from releaser.targets.docker.scene import Found, Scene, look_at_all, made_by, strays
from releaser.targets.docker.slots import PLAIN, Slots, Slotted, of_slot, slots_of
from releaser.targets.docker.steps import StepName
from releaser.targets.docker.work import Work
from releaser.targets.front import Front, FrontUnreachableError
from releaser.targets.fronts.opening import Opener
from releaser.targets.target import ContainerNotFoundError

AT_ONCE: Final = 4
_WAITS_S: Final = 1.0
_LOOKS_EVERY_S: Final = 0.01


class Fronted:
    """One assignment of several containers on one engine."""

    def __init__(self, engine: Engine, assignment: Assignment, *, opener: Opener, clock: Clock) -> None:
        self._engine = engine
        self._assignment = assignment
        self._opener = opener
        self._clock = clock
        self.update = Slotted.of(assignment.desired, assignment.previous, found_plain=assignment.previous is None)
        self._kept = KeptFront(engine, assignment, clock=clock, opener=opener)
        self._networks: set[str] = set()
        self._opened: dict[FrontSpec, Front] = {}

    def carry_out(self, step: Slots) -> str:
        """One step for its slots; one line for the journal."""
        own: Mapping[StepName, Callable[[Sequence[int]], str]] = {
            StepName.FRONT_PUT: self._put,
            StepName.FRONT_DRAIN: self._drain,
            StepName.FRONT_BACK: self._front_back,
            StepName.STOP_OLD: self._stop_old,
            StepName.REMOVE_OLD: self._remove_old,
            StepName.STOP_NEW: self._stop_new,
            StepName.REMOVE_NEW: self._remove_new,
        }
        if step.name in own:
            return own[step.name](step.slots)
        if step.name in {StepName.START_NEW, StepName.START_OLD}:
            self._free_ports()
        return self._work(step.slots, step.name)

    def carry_out_whole(self, name: StepName) -> str:
        """A step that is for no slot: about the front as a whole."""
        if name is StepName.FRONT_CHECK:
            return f"reached {self._open(self.update.spec.front).check()}" if self.update.spec.front else "no front"
        if name is StepName.FRONT_START:
            self._free_ports()
        done = {
            StepName.FRONT_CREATE: self._kept.create,
            StepName.FRONT_START: self._kept.start,
            StepName.FRONT_STOP: self._kept.stop,
        }
        return done[name]()

    def each(self, slots: Sequence[int], act: Callable[[int], str]) -> str:
        """For every slot, several at a time; all are brought to their end before the first error is raised, lasting ones first."""
        if len(slots) == 1:
            return act(slots[0])
        errors: list[OutsideError] = []

        def tried(slot: int) -> str:
            try:
                return act(slot)
            except OutsideError as error:
                errors.append(error)
                return ""

        with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(slots))) as pool:
            done = list(pool.map(tried, slots))
        if errors:
            raise max(errors, key=lambda error: error.permanent)
        return "; ".join(dict.fromkeys(done))

    def scenes(self, slots: Sequence[int]) -> dict[int, Scene]:
        """What is there for these slots."""
        slotted = [of_slot(self._assignment, slot) for slot in slots]
        known = self._assignment.previous is not None
        fresh = {one.target for one in slotted if known and one.previous is None}
        return dict(zip(slots, look_at_all(self._engine, slotted, fresh=fresh), strict=True))

    def made(self, slots: Sequence[int]) -> dict[int, str]:
        """The ids of what this attempt made for these slots; it is not looked at."""
        slotted = {slot: of_slot(self._assignment, slot) for slot in slots}
        found = made_by(self._engine, list(slotted.values()))
        return {slot: found[one.target] for slot, one in slotted.items() if one.target in found}

    def new(self, slots: Sequence[int]) -> dict[int, Found]:
        """What this attempt made for these slots, as far as it is there."""
        described = {slot: self._engine.container(one) for slot, one in self.made(slots).items()}
        return {slot: Found(raw) for slot, raw in described.items() if raw is not None}

    def started(self, slots: Sequence[int]) -> dict[int, Found]:
        """The same right after a step started it: under the name it was made with, so that one call is enough for each."""
        found = {slot: one for slot in slots if (one := self._named_new(slot)) is not None}
        others = [slot for slot in slots if slot not in found]
        return {**found, **(self.new(others) if others else {})}

    def _named_new(self, slot: int) -> Found | None:
        one = of_slot(self._assignment, slot)
        raw = self._engine.container(new_name(one))
        found = Found(raw) if raw is not None else None
        is_it = found is not None and found.labels.get(Label.TARGET) == one.target and found.is_from(one, Made.RELEASE)
        return found if is_it else None

    @property
    def has_kept_front(self) -> bool:
        """Whether a front of our own is there; nobody looks where none is declared."""
        fronts = (spec.front for spec in (self.update.spec, self.update.before) if spec is not None)
        return any(front is not None and front.image for front in fronts) and self._kept.found() is not None

    def busy(self, slots: Sequence[int], *, new: bool) -> int | None:
        """With how much the servers that are drained are still busy; None where a front does not tell."""
        if not self._tells:
            return None
        return self._at_work(self._leaving(slots, new=new))

    def _leaving(self, slots: Sequence[int], *, new: bool) -> set[str]:
        """The servers of these slots that are to go: all but that of the container that stays, whoever put them there."""
        names = {name for _, front in self._fronts() for name in front.servers()}
        stay = self.made(slots)
        if new:
            olds = {slot: scene.old for slot, scene in self.scenes(slots).items() if self._had(slot)}
            stay = {slot: old.id for slot, old in olds.items() if old is not None}
        going = set()
        for slot in slots:
            kept = self._server(slot, stay[slot]) if slot in stay else ""
            going |= {name for name in names if name != kept and self._pattern(slot).fullmatch(name)}
        return going

    @property
    def _tells(self) -> bool:
        before = self.update.before.front if self.update.before is not None else None
        return all(one is None or one.kind is FrontKind.HAPROXY for one in (self.update.spec.front, before))

    def _at_work(self, names: Collection[str]) -> int:
        return sum(one.busy for _, front in self._fronts() for name, one in front.servers().items() if name in names)

    def missing(self, slots: Iterable[int]) -> list[int]:
        """The slots of which the front has no server."""
        spec = self.update.spec.front
        if spec is None or spec.kind is FrontKind.TRAEFIK:
            return []
        names = set(self._open(spec).servers())
        return [slot for slot in slots if not any(map(self._pattern(slot).fullmatch, names))]

    # Steps

    def _put(self, slots: Sequence[int]) -> str:
        """In with the new ones; and with whoever else ought to be there, if the front has forgotten them."""
        spec = self.update.spec.front
        if spec is None or spec.kind is FrontKind.TRAEFIK:
            return "there is no front to be told"
        if self.update.spec.aliases:
            self._work(slots, StepName.ATTACH_ALIAS)
        front = self._open(spec)
        self._remind(front, [slot for slot in self.update.filled if slot not in slots])
        found = self.new(slots)
        told = []
        for slot in slots:
            new = found.get(slot)
            if new is None:
                raise self._gone(slot)
            front.put(self._server(slot, new.id), self._address(new, spec))
            told.append(f"{new.name} at {self._address(new, spec)}")
        return f"in front: {', '.join(told)}"

    def _remind(self, front: Front, slots: Sequence[int]) -> None:
        """Restarted meanwhile, a front may know nobody any more: those that serve are told to it again."""
        spec = self.update.spec.front
        if spec is not None:
            self._remind_of(front, spec, slots)

    def _remind_of(self, front: Front, spec: FrontSpec, slots: Sequence[int]) -> None:
        names = set(front.servers())
        forgotten = [slot for slot in slots if not any(map(self._pattern(slot).fullmatch, names))]
        for slot, scene in (self.scenes(forgotten) if forgotten else {}).items():
            holder = scene.holder
            if holder is not None and holder.state == "running":
                front.put(self._server(slot, holder.id), self._address(holder, spec))

    def _drain(self, slots: Sequence[int]) -> str:
        return self._drained(self._leaving(slots, new=False))

    def _drained(self, names: Collection[str]) -> str:
        """Nothing new for them; most are idle in a moment, for the others the gate waits."""
        for _, front in self._fronts():
            for name in sorted(names):
                front.drain(name)
        ends = self._clock.monotonic() + _WAITS_S
        while (busy := self._at_work(names) if self._tells else 0) and self._clock.monotonic() < ends:
            self._clock.sleep(_LOOKS_EVERY_S)
        left = f", {busy} still at work" if busy else ""
        return f"draining {', '.join(sorted(names)) or 'nobody'}{left}"

    def _stop_old(self, slots: Sequence[int]) -> str:
        """Out of the front, stopped, set aside; the new one has the name from then on. Nothing is removed."""
        scenes = self.scenes(slots)
        for slot, scene in scenes.items():
            self._forget(slot, keep=scene.new if slot in self.update.filled else None)
        names = (StepName.STOP_OLD, StepName.RENAME_OLD)

        def stop(slot: int) -> str:
            replaced = (StepName.RENAME_NEW,) if slot in self.update.filled else ()
            return self._at(slot, scenes[slot]).carry_out(*names, *replaced)

        return self.each(slots, stop)

    def _remove_old(self, slots: Sequence[int]) -> str:
        scenes = self.scenes(slots)

        def remove(slot: int) -> str:
            if slot in self.update.filled:
                return self._at(slot, scenes[slot]).carry_out(StepName.REMOVE_OLD)
            return self._remove_given_up(scenes[slot]) if slot in self.update.given_up else f"slot {slot} is not ours"

        return self.each(slots, remove) + self._clear_strays()

    def _remove_given_up(self, scene: Scene) -> str:
        gone = [found for found in scene.all() if not found.is_up]
        for found in gone:
            self._engine.remove(found.id, volumes=False)
        return f"removed {', '.join(found.name for found in gone) or 'nothing'}"

    def _front_back(self, slots: Sequence[int]) -> str:
        """The old ones in again, then nothing new for the new ones."""
        before = self.update.before.front if self.update.before is not None else None
        scenes = self.scenes(slots)
        if before is not None and before.kind is not FrontKind.TRAEFIK:
            front = self._open(before)
            self._remind_of(front, before, [s for s in self.update.all if s not in slots and self._had(s)])
            for slot, scene in scenes.items():
                if scene.old is not None and scene.old.is_up and self._had(slot):
                    front.put(self._server(slot, scene.old.id), self._address(scene.old, before))
        return self._drained(self._leaving(slots, new=True))

    def _had(self, slot: int) -> bool:
        return self.update.before is not None and slot != PLAIN and slot in slots_of(self.update.before)

    def _stop_new(self, slots: Sequence[int]) -> str:
        scenes = self.scenes(slots)
        for slot, scene in scenes.items():
            self._forget(slot, keep=scene.old if self._had(slot) else None)
        return self.each(
            slots, lambda slot: self._at(slot, scenes[slot]).carry_out(StepName.STOP_NEW, StepName.RENAME_BACK)
        )

    def _remove_new(self, slots: Sequence[int]) -> str:
        told = self._work(slots, StepName.REMOVE_NEW)
        before = self.update.before.front if self.update.before is not None else None
        if self.update.spec.front is not None and self.update.spec.front.image and not (before and before.image):
            self._kept.remove()
        return told + self._clear_strays()

    # What attempts with another specification left over

    def _strays(self) -> tuple[Found, ...]:
        known = {of_slot(self._assignment, slot).target for slot in self.update.all}
        fronts = (spec.front for spec in (self.update.spec, self.update.before) if spec is not None)
        if any(front is not None and front.image for front in fronts):
            known.add(self._kept.target)
        return strays(self._engine, self._assignment, known=known)

    def _free_ports(self) -> None:
        """A single container, or a front of its own, may hold the target's fixed ports."""
        slot = re.compile(re.escape(self._assignment.target) + "#[0-9]+")
        for stray in self._strays():
            if stray.is_up and not slot.fullmatch(stray.labels[Label.TARGET]):
                self._stop_stray(stray)

    def _clear_strays(self) -> str:
        gone = []
        for stray in self._strays():
            for _, front in self._fronts():
                for name in front.servers():
                    if name.endswith(f"-{stray.id[:12]}"):
                        front.remove(name)
            if stray.is_up:
                self._stop_stray(stray)
            self._engine.remove(stray.id, volumes=False)
            gone.append(stray.name)
        return f"; removed {', '.join(gone)}, left over by another attempt" if gone else ""

    def _stop_stray(self, stray: Found) -> None:
        self._engine.stop(stray.id, grace_s=round(self.update.grace.total_seconds()))

    # Parts

    def _work(self, slots: Sequence[int], name: StepName) -> str:
        """One step of every slot's container, on one look at them all."""
        scenes = self.scenes(slots)
        return self.each(slots, lambda slot: self._at(slot, scenes[slot]).carry_out(name))

    def _at(self, slot: int, scene: Scene) -> Work:
        return Work(self._engine, of_slot(self._assignment, slot), scene=scene, networks=self._networks, alone=False)

    def _forget(self, slot: int, *, keep: Found | None) -> None:
        """Take every server of the slot out but that of one container."""
        kept = self._server(slot, keep.id) if keep is not None else ""
        for _, front in self._fronts():
            for name in front.servers():
                if name != kept and self._pattern(slot).fullmatch(name):
                    front.remove(name)

    def _fronts(self) -> Iterator[tuple[FrontSpec, Front]]:
        """Those that can be steered: the one that is declared, and the one before it where that is another."""
        before = self.update.before.front if self.update.before is not None else None
        for spec in dict.fromkeys(one for one in (self.update.spec.front, before) if one is not None):
            if spec in self._opened:
                yield spec, self._opened[spec]
            elif spec.kind is not FrontKind.TRAEFIK and (not spec.image or self._kept.is_up):
                try:
                    yield spec, self._open(spec)
                except FrontUnreachableError:
                    if spec == self.update.spec.front and not self.update.takes_the_port:
                        raise

    def _open(self, spec: FrontSpec | None) -> Front:
        """Opened once for all that one step asks of it."""
        assert spec is not None  # noqa: S101 -- asked for before
        if spec not in self._opened:
            self._opened[spec] = self._kept.opened() if spec.image else self._opener(spec)
        return self._opened[spec]

    def _name(self, slot: int) -> str:
        return of_slot(self._assignment, slot).desired.spec.name[:80]

    def _server(self, slot: int, container_id: str) -> str:
        return f"{self._name(slot)}-{container_id[:12]}"

    def _pattern(self, slot: int) -> re.Pattern[str]:
        return re.compile(re.escape(self._name(slot)) + r"-[0-9a-f]{12}")

    def _address(self, found: Found, front: FrontSpec) -> str:
        networks = of_kind(self.update.spec, ContainerSpec).networks
        return asked_at(found, front, self._assignment, networks=networks)

    def _gone(self, slot: int) -> ContainerNotFoundError:
        return ContainerNotFoundError(
            f"The new container of slot {slot} of target {self._assignment.target} is gone.",
            permanent=True,
            advice="Somebody removed it by hand; roll back and try again.",
            target=self._assignment.target,
        )
