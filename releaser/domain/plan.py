"""A rollout as data before it runs: waves, targets, steps, what stops where and for how long, and what is in the way.

A plan has a hash; an approval binds to it, and any change of it voids the approval.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import datetime, timedelta
from functools import cached_property

from releaser.domain.drift import Difference
from releaser.domain.experience import Prediction, told_stop
from releaser.domain.operation import Operation
from releaser.domain.spec import config_hash
from releaser.domain.target import Desired, Step, Stop, planned_stop
from releaser.domain.time_limits import OFFLINE_FOR
from releaser.domain.waiting import DEFAULT_WAIT_FOR
from releaser.domain.waves import DEFAULT_SIZES
from releaser.errors import RefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutOptions:
    """How a rollout goes. `threshold` is how many targets of a wave may fail.

    It and `max_parallel` are numbers or percentages of the wave. It begins at `starts_at`, and the notice says so.
    `one_off` is a single piece of work at one installation, for `ticket` and `reason`: it pins the installation. `unpin`
    takes pinned installations along, which are passed over otherwise. `wait_for` is how long a target may wait beyond what is
    known to last, `wave_soak` how long a wave is watched before the next one begins, and with `gated` a person lets it begin.
    `offline_for` is how long a host may be away while its target is prepared. `supersede` takes over from rollouts that are at
    work there; `rehearse` prepares everywhere, cuts nothing over and puts away what it prepared. `operation` is scaling: the version that runs, of another specification.
    """

    waves: tuple[str, ...] = DEFAULT_SIZES
    max_parallel: int | str = 1
    threshold: int | str = 0
    needs_approval: bool = False
    ticket: str = ""
    starts_at: datetime | None = None
    one_off: bool = False
    reason: str = ""
    unpin: bool = False
    wait_for: timedelta = DEFAULT_WAIT_FOR
    offline_for: timedelta = OFFLINE_FOR
    wave_soak: timedelta = timedelta(0)
    gated: bool = False
    supersede: bool = False
    rehearse: bool = False
    operation: Operation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """An installation that was selected and is passed over, with the reason for people."""

    installation: str
    customer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a rule says no to, with what to do about it.

    `about` is the field of the input, and `installation` is empty when it is about the whole plan.
    """

    rule: str
    detail: str
    advice: str
    about: str = ""
    installation: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTarget:
    """One target in a plan.

    `drift` and `warning` are sentences for people, empty when there is nothing to say; `seen` tells whether its engine
    answered when the plan was made, and `differences` what it showed that is not as recorded. `contract` names the rules of the
    customer's contract as they were, `one_way` says why the version is not safe to roll back, where it is not. `predicted` is
    what earlier cutovers let expect.
    """

    target_id: int
    installation_id: int
    installation: str
    customer: str
    module: str
    host: str
    wave: int
    desired: Desired
    previous: Desired | None
    steps: tuple[Step, ...]
    already_installed: bool = False
    drift: str = ""
    warning: str = ""
    seen: bool = True
    differences: tuple[Difference, ...] = ()
    contract: str = ""
    one_way: str = ""
    predicted: Prediction = Prediction()  # noqa: RUF009 -- frozen

    @property
    def stop(self) -> tuple[Stop, timedelta]:
        """What the update stops, and for how long as people are told: nine of ten earlier ones, else the stated estimate."""
        if self.already_installed:
            return Stop.NONE, timedelta(0)
        stop, stated = planned_stop(self.steps)
        measured = self.predicted.stop.samples > 0 and stop is not Stop.NONE
        return stop, max(told_stop(self.predicted.stop.p90), timedelta(seconds=1)) if measured else stated


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationStop:
    """What a plan stops at one installation: `PARTIAL` when other modules go on, and for how long in all."""

    installation_id: int
    installation: str
    stop: Stop
    modules: tuple[str, ...]
    stop_for: timedelta


# Without slots: its hash is worked out once, which takes long for thousands of targets.
@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything a rollout will do, in order. One with `refusals` can be shown, and is neither kept nor started.

    No target had a higher number than `newest_target` when it was made: those that have one came late. `basis` names what was
    recorded then, for whoever keeps the plan: by the hash alone a plan that is made anew would be another one.
    """

    product: str
    version: str
    selector: str
    options: RolloutOptions
    targets: tuple[PlannedTarget, ...]
    passed: tuple[Passed, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    newest_target: int = 0
    basis: str = ""

    def check(self) -> None:
        """Raise the first of its refusals as `RefusedError`; a rehearsal is only refused what cannot even be prepared."""
        refusals = self.refusals
        if self.options.rehearse:
            without_steps = {one.installation for one in self.changes if not one.steps}
            refusals = tuple(one for one in refusals if one.installation in without_steps)
        for one in refusals[:1]:
            more = f" {len(refusals) - 1} more would be refused; --dry-run shows all." if refusals[1:] else ""
            named = {"installation": one.installation} if one.installation else {}
            raise RefusedError(
                one.detail, rule=one.rule, advice=one.advice + more, field=one.about or None, **named, **one.facts
            )

    @cached_property
    def hash(self) -> str:
        """Names everything that an approver agrees to.

        What is done, where, when, in which order and how it is watched; who is passed over; what a roll-back leads to; the
        windows of the contracts. What was merely seen (warnings, drift, faults) is not part of it.
        """
        content = [
            self.product,
            self.version,
            self.selector,
            _plain(asdict(self.options)),
            [[one.installation, one.reason] for one in self.passed],
            [_named(one) for one in self.targets],
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def changes(self) -> tuple[PlannedTarget, ...]:
        """The targets where something has to be done."""
        return tuple(target for target in self.targets if not target.already_installed)

    @property
    def work(self) -> str:
        """What is done besides bringing the version, in words; empty for an update."""
        if self.options.operation is None:
            return ""
        return self.options.operation.told([(t.previous.spec, t.desired.spec) for t in self.targets if t.previous])

    def stops(self, modules_of: dict[int, int]) -> tuple[InstallationStop, ...]:
        """What stops where; `modules_of` maps an installation's id to how many modules it has."""
        result = []
        for installation_id in dict.fromkeys(t.installation_id for t in self.changes):
            mine = [t for t in self.changes if t.installation_id == installation_id]
            stopping = [t for t in mine if t.stop[0] is not Stop.NONE]
            whole = len({t.module for t in stopping}) >= modules_of.get(installation_id, 1)
            result.append(
                InstallationStop(
                    installation_id=installation_id,
                    installation=mine[0].installation,
                    stop=Stop.NONE if not stopping else Stop.FULL if whole else Stop.PARTIAL,
                    modules=tuple(sorted({t.module for t in stopping})),
                    stop_for=sum((t.stop[1] for t in stopping), timedelta(0)),
                )
            )
        return tuple(result)


def _named(target: PlannedTarget) -> list[object]:
    """What of a target the plan's name covers; how an update is watched is no part of what runs, but of the plan."""
    desired, previous = target.desired, target.previous
    steering = {name: getattr(desired.spec, name) for name in sorted(desired.spec.steering)}
    return [
        target.target_id,
        target.wave,
        desired.digest,
        config_hash(desired.spec),
        {
            name: _plain(asdict(kept) if is_dataclass(kept) and not isinstance(kept, type) else kept)
            for name, kept in steering.items()
        },
        [previous.digest, config_hash(previous.spec)] if previous else None,
        [[step.name, step.stops, step.undoable] for step in target.steps],
        target.contract,
        target.one_way,
    ]


def _plain(value: object) -> object:
    """Data that JSON writes the same way every time."""
    if isinstance(value, Mapping):
        return {str(key): _plain(kept) for key, kept in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(kept) for kept in value]
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, datetime) else value
