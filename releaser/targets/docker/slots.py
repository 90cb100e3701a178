"""Replicas: which containers a target has, what each is called, and the steps of an update slot by slot. Pure.

A slot is a place for one container, numbered from 1. Each has a name (`shop-1`), a label and an assignment of its own, so that
everything that holds for one container holds for each of them. Slot 0 is the single container of a target without replicas.
Steps carry their slots: `start-new#2`, `start-new#3-4`.

What does not live here: how a step is carried out (`fronted`), and the steps of a single container (`steps`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from releaser.domain.spec import ContainerSpec, Cutover, FrontKind, FrontSpec, Order, of_kind
from releaser.domain.target import Assignment, Desired, Observation, Phase, Step, Stop
from releaser.errors import InvalidError, RefusedError
from releaser.targets.docker.steps import MOMENT, StepName, check, to_start

PLAIN: Final = 0
_STEP: Final = re.compile(r"(?P<name>[a-z-]+)#(?P<first>[0-9]{1,4})(?:-(?P<last>[0-9]{1,4}))?")
_DRAINED: Final = timedelta(milliseconds=50)
_PORT_TAKEN_OVER: Final = timedelta(milliseconds=1200)


@dataclass(frozen=True, slots=True)
class Slots:
    """A step's name and the slots it is for."""

    name: StepName
    slots: tuple[int, ...]

    def __str__(self) -> str:
        first, last = self.slots[0], self.slots[-1]
        return f"{self.name.value}#{first}" + (f"-{last}" if last != first else "")

    @classmethod
    def parse(cls, text: str) -> Slots | None:
        """Back from a step's name; nothing for the name of a step of a single container, or of none."""
        found = _STEP.fullmatch(text)
        try:
            name = StepName(found["name"]) if found else None
        except ValueError:
            name = None
        if found is None or name is None:
            return None
        first = int(found["first"])
        return cls(name, tuple(range(first, int(found["last"] or first) + 1)))


def is_slotted(spec: ContainerSpec) -> bool:
    """Whether the target's containers are numbered."""
    return spec.front is not None or spec.replicas > 1


def slots_of(spec: ContainerSpec) -> tuple[int, ...]:
    """The slots that a specification wants filled."""
    return tuple(range(1, spec.replicas + 1)) if is_slotted(spec) else (PLAIN,)


def slot_spec(spec: ContainerSpec, slot: int) -> ContainerSpec:
    """What the container of a slot is made from."""
    if slot == PLAIN or not is_slotted(spec):
        return spec
    front = spec.front
    return replace(
        spec,
        name=f"{spec.name}-{slot}",
        order=Order.START_FIRST,
        # The fixed ones belong to the front that is kept.
        ports=tuple(port for port in spec.ports if not port.host_port),
        labels={**_traefik_labels(spec, front), **spec.labels} if front else spec.labels,
        front=None,
        replicas=1,
        parallel=1,
        cutover=Cutover.STOP_FIRST,
    )


def of_slot(assignment: Assignment, slot: int) -> Assignment:
    """The same attempt for one slot alone; `previous` is None where the slot was not filled."""
    target = f"{assignment.target}#{slot}" if slot != PLAIN else assignment.target
    return replace(
        assignment,
        target=target,
        desired=_for_slot(assignment.desired, slot),
        previous=_for_slot(assignment.previous, slot) if _filled_before(assignment.previous, slot) else None,
    )


def _for_slot(desired: Desired | None, slot: int) -> Desired:
    assert desired is not None  # noqa: S101 -- asked for before
    spec = of_kind(desired.spec, ContainerSpec)
    named = slot_spec(spec, slot)
    if slot != PLAIN and named is spec:
        named = replace(spec, name=f"{spec.name}-{slot}")  # leaving replicas behind: only its name is asked for
    return replace(desired, spec=named)


def _filled_before(previous: Desired | None, slot: int) -> bool:
    return previous is not None and slot in slots_of(of_kind(previous.spec, ContainerSpec))


def is_concerned(desired: Desired, previous: Desired | None) -> bool:
    """Whether an update goes slot by slot: there are replicas, or there were."""
    both = [one.spec for one in (desired, previous) if one is not None]
    return any(is_slotted(of_kind(spec, ContainerSpec)) for spec in both)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slotted:
    """Which slots an update fills, and which it gives up."""

    spec: ContainerSpec
    before: ContainerSpec | None
    filled: tuple[int, ...]
    given_up: tuple[int, ...]

    @classmethod
    def of(cls, desired: Desired, previous: Desired | None, *, found_plain: bool = False) -> Slotted:
        """`found_plain`: a container of the target's own name is there, whoever made it."""
        spec = of_kind(desired.spec, ContainerSpec)
        before = of_kind(previous.spec, ContainerSpec) if previous is not None else None
        old = set(slots_of(before)) if before is not None else ({PLAIN} if found_plain else set())
        filled = slots_of(spec)
        return cls(spec=spec, before=before, filled=filled, given_up=tuple(sorted(old - set(filled))))

    @property
    def all(self) -> tuple[int, ...]:
        """Every slot that is touched."""
        return tuple(sorted({*self.filled, *self.given_up}))

    @property
    def grace(self) -> timedelta:
        """The longest that a container is given to end by itself."""
        return timedelta(seconds=max(self.spec.stop_grace_s, self.before.stop_grace_s if self.before else 0))

    @property
    def takes_the_port(self) -> bool:
        """Whether a front of our own is to own the port that a single container has until now."""
        kept_before = self.before is not None and self.before.front is not None and self.before.front.image
        return bool(self.spec.front and self.spec.front.image and not kept_before and PLAIN in self.given_up)

    def groups(self, slots: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """As many as may be replaced at a time."""
        size = max(1, self.spec.parallel if is_slotted(self.spec) else 1)
        return (tuple(slots[at : at + size]) for at in range(0, len(slots), size))

    def together(self, slot: int) -> tuple[int, ...]:
        """The slots that are replaced together with this one."""
        return next((group for group in self.groups(self.all) if slot in group), (slot,))


def plan(*, desired: Desired, previous: Desired | None, observed: Observation | None) -> tuple[Step, ...]:
    """Prepare all slots, then replace group by group, then give up those no longer wanted; commit all. Raises `RefusedError`."""
    serving = observed.serving if observed is not None else None
    update = Slotted.of(desired, previous, found_plain=serving is not None and serving.name == desired.spec.name)
    # Once anything is there, an attempt that broke off may have left something in any slot, even in one that is new.
    anything = previous is not None or serving is not None
    _check(update)
    front, filled = update.spec.front, update.filled
    steps = [_step(StepName.PULL, Phase.PREPARE)]
    if front is not None and front.image:
        steps.append(_step(StepName.FRONT_CREATE, Phase.PREPARE))
    elif front is not None and front.kind is not FrontKind.TRAEFIK:
        steps.append(_step(StepName.FRONT_CHECK, Phase.PREPARE))
    steps.append(_slots(StepName.CREATE, filled, Phase.PREPARE))
    if front is not None and front.image and not update.takes_the_port:
        steps.append(_step(StepName.FRONT_START, Phase.CUT_OVER))
    for group in update.groups(filled):
        steps += _replace(update, group, has_old=anything)
    steps += _give_up(update)
    if anything:
        steps.append(_slots(StepName.REMOVE_OLD, _whole(update.all), Phase.COMMIT, undoable=False))
    return tuple(steps)


def plan_back(*, desired: Desired, previous: Desired | None) -> tuple[Step, ...]:
    """From any point before the commit: what was there is there again, group by group, before what is new goes."""
    update = Slotted.of(desired, previous, found_plain=previous is None)
    back = Phase.ROLL_BACK
    steps = [_slots(StepName.RESTORE_OLD, update.all, back)]
    if update.takes_the_port:
        steps.append(_step(StepName.FRONT_STOP, back, stops=Stop.FULL, takes=_PORT_TAKEN_OVER, why=_WHY_TAKES_PORT))
    for group in update.groups(update.all):
        steps.append(_slots(StepName.START_OLD, group, back, takes=to_start(update.spec), gate=True))
        steps.append(_slots(StepName.ATTACH_OLD, group, back))
        if update.spec.front is not None or (update.before is not None and update.before.front is not None):
            steps.append(_slots(StepName.FRONT_BACK, group, back, takes=_DRAINED, gate=True))
        steps.append(_slots(StepName.STOP_NEW, group, back, takes=update.grace))
    steps.append(_slots(StepName.REMOVE_NEW, update.all, back))
    return tuple(steps)


_WHY_TAKES_PORT: Final = (
    "the port goes from the container to its new front, which only one of them can hold; after this, nothing stops"
)


def _replace(update: Slotted, group: tuple[int, ...], *, has_old: bool) -> list[Step]:
    cut = Phase.CUT_OVER
    steps = [_slots(StepName.START_NEW, group, cut, takes=to_start(update.spec), gate=True)]
    if update.takes_the_port:
        # The old container has to let go of the port before the front can have it.
        return [*steps, _slots(StepName.STOP_OLD, group, cut, takes=update.grace)]
    if _steered(update.spec.front):
        steps.append(_slots(StepName.FRONT_PUT, group, cut))
    if not has_old:
        return [*steps, _slots(StepName.RENAME_NEW, group, cut)]
    steps.append(_drain(update, group))
    return [*steps, _slots(StepName.STOP_OLD, group, cut, takes=update.grace)]


def _give_up(update: Slotted) -> list[Step]:
    given_up, cut = update.given_up, Phase.CUT_OVER
    if not given_up:
        return []
    if update.takes_the_port:
        full, why = Stop.FULL, _WHY_TAKES_PORT
        return [
            _slots(StepName.STOP_OLD, given_up, cut, takes=update.grace, stops=full, why=why),
            _step(StepName.FRONT_START, cut, stops=full, takes=_PORT_TAKEN_OVER, why=why),
            _slots(StepName.FRONT_PUT, update.filled, cut, stops=full),
        ]
    drain = [_drain(update, given_up)] if update.before is not None and update.before.front is not None else []
    return [*drain, _slots(StepName.STOP_OLD, given_up, cut, takes=update.grace)]


def _drain(update: Slotted, group: tuple[int, ...]) -> Step:
    front = update.spec.front or (update.before.front if update.before else None)
    tells = front is not None and front.kind is FrontKind.HAPROXY
    takes = _DRAINED if tells or front is None else timedelta(seconds=front.drain_s)
    return _slots(StepName.FRONT_DRAIN, group, Phase.CUT_OVER, takes=takes, gate=True)


def _check(update: Slotted) -> None:
    for slot in update.filled:
        check(slot_spec(update.spec, slot))
    before = update.before.front if update.before is not None else None
    if before is not None and before.image and not (update.spec.front and update.spec.front.image):
        raise RefusedError(
            f"Target '{update.spec.name}' has a front of its own, which cannot be left in an update.",
            rule="kept-front-stays",
            advice="Keep 'cutover: front', or remove the target and declare it anew.",
            field="cutover",
            target=update.spec.name,
        )
    if update.before is not None and (field := _of_kept_front(update.before, update.spec)):
        raise RefusedError(
            f"The front of its own that target '{update.spec.name}' has was made with other '{field}'; an update leaves it alone.",
            rule="kept-front-stays",
            advice=f"Leave '{field}' as it was, or remove the target and declare it anew, which stops the service.",
            field=field,
            target=update.spec.name,
        )
    if update.before is not None and update.before.name != update.spec.name:
        raise RefusedError(
            f"Target '{update.before.name}' cannot be called '{update.spec.name}' in an update: "
            "its front knows its containers by their names.",
            rule="name-stays",
            advice="Keep the name, or declare a new target and remove the old one when it is no longer needed.",
            field="name",
            target=update.spec.name,
        )
    if update.spec.front is not None and update.spec.front.image and not update.spec.networks:
        raise InvalidError(
            f"Target '{update.spec.name}' has no network on which its front finds the containers.",
            advice="Name a network of your own under 'networks'.",
            field="networks",
        )


def _of_kept_front(before: ContainerSpec, spec: ContainerSpec) -> str:
    """The field by which a front of our own would have to be another one than the one that serves; empty for none."""
    if not (before.front and before.front.image and spec.front and spec.front.image):
        return ""
    fixed, wanted = ({port for port in one.ports if port.host_port} for one in (before, spec))
    if fixed != wanted:
        return "ports"
    if spec.front.port != before.front.port:
        return "front.port"
    # Others may come and go: the front asks on the first one.
    return "networks" if spec.networks and spec.networks[0] not in before.networks else ""


def _steered(front: FrontSpec | None) -> bool:
    return front is not None and front.kind is not FrontKind.TRAEFIK


def _traefik_labels(spec: ContainerSpec, front: FrontSpec) -> dict[str, str]:
    """What Traefik's docker provider reads; routers are their owner's, by labels of the specification or anywhere else."""
    if front.kind is not FrontKind.TRAEFIK:
        return {}
    service = f"traefik.http.services.{front.group}.loadbalancer"
    labels = {"traefik.enable": "true", f"{service}.server.port": str(front.port)}
    if spec.health.http:
        path = re.sub(r"^https?://[^/]*", "", spec.health.http) or "/"
        labels[f"{service}.healthcheck.path"] = path
        labels[f"{service}.healthcheck.interval"] = f"{max(1, round(spec.health.interval_s))}s"
    if spec.networks:
        labels["traefik.docker.network"] = spec.networks[0]
    return labels


def _whole(slots: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(slots[0], slots[-1] + 1))


def _slots(
    name: StepName,
    slots: tuple[int, ...],
    phase: Phase,
    *,
    takes: timedelta = MOMENT,
    stops: Stop = Stop.NONE,
    gate: bool = False,
    undoable: bool = True,
    why: str = "",
) -> Step:
    undoable = undoable and phase is not Phase.ROLL_BACK
    text = str(Slots(name, slots))
    return Step(name=text, phase=phase, estimated_for=takes, stops=stops, gate=gate, undoable=undoable, why=why)


def _step(name: StepName, phase: Phase, *, takes: timedelta = MOMENT, stops: Stop = Stop.NONE, why: str = "") -> Step:
    undoable = phase is not Phase.ROLL_BACK
    return Step(name=name.value, phase=phase, estimated_for=takes, stops=stops, undoable=undoable, why=why)
