"""The health gate and the observation of a target with several containers: one look at all that are concerned.

The verdict is the worst of them. Behind a step only its own group is looked at, for the others' turn has not come; at the end
all of them, and whether the front has a server of each. The gate behind draining opens when nothing is under way any more, at the
latest after the time that the specification gives, or that the update has: nobody goes back because of what is drained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, TypeVar

from releaser.clock import Clock
from releaser.domain.spec import ContainerSpec, FrontSpec, config_hash, of_kind
from releaser.domain.target import Assignment, Desired, Health, Observation, Running, Verdict
from releaser.targets.docker import gate
from releaser.targets.docker.adopting import digest_of_image
from releaser.targets.docker.client import Engine
from releaser.targets.docker.fronted import AT_ONCE, Fronted
from releaser.targets.docker.scene import Scene, describe
from releaser.targets.docker.slots import Slots, of_slot, slot_spec, slots_of
from releaser.targets.docker.steps import StepName
from releaser.targets.probe import Probe

_WORST: Final = (Health.EXITED, Health.MISSING, Health.UNHEALTHY, Health.STARTING, Health.HEALTHY)
Answer = TypeVar("Answer")
_DRAINS: Final = frozenset({StepName.FRONT_DRAIN, StepName.FRONT_BACK})


class Waits:
    """Since when a gate is looked through, by this process; after a restart it begins anew."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[tuple[str, int, int, str], float] = {}

    def waited_s(self, assignment: Assignment) -> float:
        """For how long by now."""
        key = (assignment.target, assignment.rollout, assignment.attempt, assignment.gate)
        return self._clock.monotonic() - self._since.setdefault(key, self._clock.monotonic())

    def over(self, assignment: Assignment) -> None:
        """It was passed."""
        self._since.pop((assignment.target, assignment.rollout, assignment.attempt, assignment.gate), None)


def verify(
    engine: Engine, assignment: Assignment, fronted: Fronted, *, wanted: Desired | None, probe: Probe, waits: Waits
) -> Verdict:
    """One look through the gate; see `gate.verify`."""
    step = Slots.parse(assignment.gate)
    if step is not None and step.name in _DRAINS:
        return _drained(assignment, fronted, step, waits)
    forward = wanted == assignment.desired and (step is None or step.name not in gate.BEHIND_OLD)
    slots = fronted.update.filled if forward else fronted.update.all
    chosen = [slot for slot in (step.slots if step is not None else slots) if slot in slots]

    # Behind a step only what was just made is asked for; what else there is was seen by the step.
    new = fronted.started(chosen) if forward and step is not None else {}
    others = [slot for slot in chosen if slot not in new]
    scenes = fronted.scenes(others) if others else {}

    def verdict(slot: int) -> Verdict:
        one = of_slot(assignment, slot)
        wanted = one.desired if forward else one.previous
        if slot in new:
            health = one.desired.spec.health
            return gate.judge(new[slot], gate.Witness(engine), one, wanted=wanted, health=health, probe=probe)
        return gate.verify(engine, one, wanted=wanted, probe=probe, scene=scenes.get(slot))

    verdicts = _at_once(chosen, verdict)
    worst = min(verdicts.values(), key=lambda one: _WORST.index(one.health))
    if worst.health is not Health.HEALTHY:
        return worst
    if step is None and forward and (missing := fronted.missing(slots)):
        names = ", ".join(slot_spec(fronted.update.spec, slot).name for slot in missing)
        return Verdict(health=Health.STARTING, reason=f"the front has no server of {names}")
    beside = f"; so are {len(verdicts) - 1} more" if len(verdicts) > 1 else ""
    return Verdict(health=Health.HEALTHY, reason=worst.reason + beside, weak=any(one.weak for one in verdicts.values()))


def _drained(assignment: Assignment, fronted: Fronted, step: Slots, waits: Waits) -> Verdict:
    busy = fronted.busy(step.slots, new=step.name is StepName.FRONT_BACK)
    limit_s = max((front.drain_s for front in _fronts(fronted)), default=0.0)
    waited_s = waits.waited_s(assignment)
    if busy and waited_s < limit_s:
        return Verdict(health=Health.STARTING, reason=f"{busy} requests are still under way", courtesy=True)
    if busy is None and waited_s < limit_s:
        reason = f"the front does not tell what is under way: waiting {limit_s:g} s"
        return Verdict(health=Health.STARTING, reason=reason, courtesy=True)
    waits.over(assignment)
    if busy:
        return Verdict(health=Health.HEALTHY, reason=f"{busy} requests are cut off after {limit_s:g} s")
    return Verdict(health=Health.HEALTHY, reason="nothing is under way" if busy == 0 else f"waited {limit_s:g} s")


def _fronts(fronted: Fronted) -> Sequence[FrontSpec]:
    before = fronted.update.before.front if fronted.update.before is not None else None
    return [front for front in (fronted.update.spec.front, before) if front is not None]


def observe(engine: Engine, assignment: Assignment, fronted: Fronted, *, clock: Clock) -> Observation:
    """All containers as one: that of the first slot that is not as wanted, else of the first slot under the target's name."""
    scenes = fronted.scenes(fronted.update.all)
    described: dict[int, Running] = {}
    others: list[Running] = []
    for slot, scene in scenes.items():
        serving = scene.serving
        for found in scene.all():
            one = describe(scene, found, digest_of_image(engine, found, assignment.desired.image))
            if serving is not None and found.id == serving.id:
                described[slot] = one
            else:
                others.append(one)
    return Observation(
        at=clock.now(),
        serving=_as_one(assignment, described, has_kept_front=fronted.has_kept_front),
        others=tuple(others),
        detail="; ".join(_intruders(scenes)),
    )


def _intruders(scenes: Mapping[int, Scene]) -> list[str]:
    found = [scene.intruder for scene in scenes.values()]
    return [f"{one.name} belongs to another target" for one in found if one is not None]


def _as_one(assignment: Assignment, described: Mapping[int, Running], *, has_kept_front: bool) -> Running | None:
    """Under the target's name and configuration when all slots of a specification, and no others, run what it says."""
    if not described:
        return None
    for wanted in (assignment.desired, assignment.previous):
        if wanted is None:
            continue
        spec = of_kind(wanted.spec, ContainerSpec)
        if spec.front is not None and spec.front.image and not has_kept_front:
            continue
        slots = slots_of(spec)
        other = [slot for slot in described if slot not in slots or not _is_as(described[slot], wanted, spec, slot)]
        if not other and set(slots) == set(described):
            worst = min(described.values(), key=lambda one: _WORST.index(one.health))
            return replace(
                described[min(described)], name=spec.name, health=worst.health, config_hash=config_hash(spec)
            )
    desired = of_kind(assignment.desired.spec, ContainerSpec)
    odd = [slot for slot in described if not _is_as(described[slot], assignment.desired, desired, slot)]
    return described[min(odd or described)]


def _is_as(one: Running, wanted: Desired, spec: ContainerSpec, slot: int) -> bool:
    return one.digest == wanted.digest and one.config_hash == config_hash(slot_spec(spec, slot))


def _at_once(slots: Sequence[int], look: Callable[[int], Answer]) -> dict[int, Answer]:
    if len(slots) == 1:
        return {slots[0]: look(slots[0])}
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return dict(zip(slots, pool.map(look, slots), strict=True))
