"""Make a rollout's plan: select targets, resolve images, look at every engine, and decide the steps.

Reads and looks only; writing a plan down is `plan_rollout`'s and `start_rollout`'s, after `recheck_plan` said that what was read
still holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy.orm import Session

from releaser.domain.drift import (
    Difference,
    DriftKind,
    can_be_undone_by_same_version,
    differences,
    in_words,
)
from releaser.domain.plan import Plan, PlannedTarget, Refusal, RolloutOptions
from releaser.domain.plan_rules import NO_WAY_BACK, no_way_back, parsed, too_short_soak, why_one_way
from releaser.domain.spec import ContainerSpec, TargetSpec
from releaser.domain.target import Assignment, Desired, Health, Observation, Step
from releaser.domain.time_limits import OFFLINE_FOR
from releaser.domain.version import Scheme, parse
from releaser.errors import OutsideError, RefusedError
from releaser.flows.ports import Ports
from releaser.flows.predict_plan import predict_plan
from releaser.flows.resolve_images import resolve_images
from releaser.flows.select_targets import Chosen, Selected, select_targets
from releaser.store import fixes, products
from releaser.targets.target import Driver, EngineTimeoutError, EngineUnreachableError

_AT_ONCE = 8
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """One target with what a driver is told for a look that belongs to no rollout."""

    chosen: Chosen
    assignment: Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What an engine showed, or why it did not."""

    observation: Observation | None = None
    installed: bool = False
    fault: str = ""
    found: tuple[Difference, ...] = ()

    @property
    def warning(self) -> str:
        """What people should know of the host beforehand."""
        return self.observation.warning if self.observation is not None else ""


def make_plan(
    ports: Ports,
    *,
    product: str,
    version: str,
    selector: str,
    options: RolloutOptions,
    only: Collection[int] | None = None,
) -> Plan:
    """The plan as of now, for the targets numbered in `only` where given.

    What rules refuse stands in the plan. Raises `InvalidError`, `NotFoundError`, `RefusedError` (nothing could be planned),
    `OutsideError` (images, all hosts down).
    """
    with ports.database.reading() as session:
        selected = select_targets(
            session, product=product, version=version, selector=selector, options=options, only=only
        )
        lost = _lost(session, product, selected)
    desired = resolve_images(ports, selected)
    wanted = [_wanted(one, desired[one.target_id]) for one in selected.targets]
    seen = _look(ports, wanted, waits=options.offline_for > OFFLINE_FOR)
    planned = [
        _planned(ports.drivers[one.chosen.driver], one, look, selected, lost)
        for one, look in zip(wanted, seen, strict=True)
    ]
    plan = Plan(
        product=product,
        version=selected.version,
        selector=selected.selector,
        options=options,
        targets=tuple(target for target, _ in planned),
        passed=selected.passed,
        refusals=_refusals(selected, (one for _, refused in planned for one in refused)),
        newest_target=selected.newest_target,
        basis=selected.basis,
    )
    return predict_plan(ports, plan)


def _refusals(selected: Selected, seen: Iterable[Refusal]) -> tuple[Refusal, ...]:
    """What rules say by what is recorded, then by what was seen; no rule says the same of an installation twice."""
    known = {(one.rule, one.installation) for one in selected.refusals if one.rule == NO_WAY_BACK}
    return (*selected.refusals, *(one for one in seen if (one.rule, one.installation) not in known))


def _wanted(chosen: Chosen, desired: Desired) -> _Wanted:
    return _Wanted(
        chosen=chosen,
        assignment=Assignment(
            target=f"{chosen.installation}/{chosen.module}@{chosen.host}",
            host=chosen.host,
            address=chosen.address,
            rollout=0,
            attempt=0,
            generation=chosen.generation,
            desired=desired,
            previous=chosen.previous,
        ),
    )


def _lost(session: Session, product: str, selected: Selected) -> dict[str, list[str]]:
    """Running version -> the tickets whose fixes it has and the version to come has not, where that goes back."""
    row = products.get(session, product)
    upto, scheme = selected.version, selected.scheme
    newer = {one.running for one in selected.targets if one.running and _is_older(upto, one.running, scheme)}
    return {running: fixes.lost(session, row.id, running=running, upto=upto) for running in newer}


def _is_older(version: str, running: str, scheme: Scheme) -> bool:
    return parse(version, scheme=scheme) < parse(running, scheme=scheme)


def _backwards(chosen: Chosen, desired: Desired, scheme: Scheme, lost: Mapping[str, Sequence[str]]) -> str:
    """A sentence when the update goes back to an older version than the one recorded, with the tickets whose fixes go with it."""
    if not chosen.running or not _is_older(desired.version, chosen.running, scheme):
        return ""
    keys = lost.get(chosen.running, ())
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    without = f", and the fixes of {', '.join(keys[:_NAMED])}{more} go with it" if keys else ""
    return f"goes back: {chosen.running} is newer{without}"


def _look(ports: Ports, wanted: Sequence[_Wanted], *, waits: bool) -> list[_Seen]:
    """Look at every target's engine, several at once, each bounded in time. All down: `OutsideError`, unless hosts are waited for."""
    faults: list[OutsideError] = []

    def look(one: _Wanted) -> _Seen:
        try:
            return _seen(ports.drivers[one.chosen.driver], one)
        except OutsideError as error:
            faults.append(error)
            away = isinstance(error, EngineUnreachableError | EngineTimeoutError)
            return _Seen(fault=f"{'unreachable' if away else 'not looked at'}, so planned as recorded: {error}")

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        seen = list(pool.map(look, wanted))
    lost = [one for one in faults if not (waits and isinstance(one, EngineUnreachableError | EngineTimeoutError))]
    if lost and all(one.fault for one in seen):
        raise lost[0]
    return seen


def _seen(driver: Driver, one: _Wanted) -> _Seen:
    """The truth there; that the wanted version runs is believed only when the health gate says so as well."""
    assignment = one.assignment
    observation = driver.observe(assignment)
    found = differences(one.chosen.recorded, observation)
    runs, wanted = observation.runs(assignment.desired), assignment.desired
    if not runs and one.chosen.recorded.config_hash is None and assignment.previous is not None:
        # Taken over and not updated yet: it carries no mark of ours, but what it was made from is known.
        runs = assignment.previous == assignment.desired and observation.serving is not None and not found
        return _Seen(observation=observation, installed=runs and _healthy(driver, assignment, None), found=found)
    changed_back = can_be_undone_by_same_version(found) and not _keeps_undeclared(wanted.spec)
    installed = runs and not changed_back and _healthy(driver, assignment, wanted)
    return _Seen(observation=observation, installed=installed, found=found)


def _healthy(driver: Driver, assignment: Assignment, wanted: Desired | None) -> bool:
    return driver.verify(assignment, wanted=wanted).health is Health.HEALTHY


def _planned(
    driver: Driver, one: _Wanted, look: _Seen, selected: Selected, lost: Mapping[str, Sequence[str]]
) -> tuple[PlannedTarget, tuple[Refusal, ...]]:
    """The target as planned, and what rules refuse of it."""
    chosen, observation = one.chosen, look.observation
    desired, previous = one.assignment.desired, one.assignment.previous
    steps: tuple[Step, ...] = ()
    refused: tuple[Refusal, ...] = ()
    if not look.installed:
        refused = (
            *too_short_soak(desired.spec, installation=chosen.installation),
            *_gone_back(one, look, selected),
        )
        try:
            steps = driver.plan(desired=desired, previous=previous, observed=observation)
        except RefusedError as error:
            refused = (*refused, _refusal(error, chosen.installation))
    planned = PlannedTarget(
        target_id=chosen.target_id,
        installation_id=chosen.installation_id,
        installation=chosen.installation,
        customer=chosen.customer,
        module=chosen.module,
        host=chosen.host,
        wave=chosen.wave,
        desired=desired,
        previous=previous,
        steps=steps,
        already_installed=look.installed,
        drift=_drift(one, look.found),
        warning="; ".join(
            filter(None, (look.fault or _backwards(chosen, desired, selected.scheme, lost), look.warning, chosen.pin))
        ),
        seen=not look.fault,
        differences=look.found,
        contract=chosen.contract,
        one_way=why_one_way(
            selected.one_ways,
            desired=desired.version,
            previous=previous.version if previous is not None else None,
            scheme=selected.scheme,
        ),
    )
    return planned, refused


def _gone_back(one: _Wanted, look: _Seen, selected: Selected) -> Iterator[Refusal]:
    """Whatever is recorded: what was seen to run there may be what must not be gone back behind."""
    serving = look.observation.serving if look.observation is not None else None
    running = parsed(serving.version if serving is not None else None, selected.scheme)
    if running is not None:
        upto = parse(one.assignment.desired.version, scheme=selected.scheme)
        yield from no_way_back(selected.one_ways, running=running, upto=upto, installation=one.chosen.installation)


def _refusal(error: RefusedError, installation: str) -> Refusal:
    return Refusal(
        rule=error.rule,
        detail=error.detail,
        advice=error.advice,
        about=error.field or "",
        installation=installation,
        facts={name: str(fact) for name, fact in error.facts.items()},
    )


def _drift(one: _Wanted, found: Sequence[Difference]) -> str:
    """In words, how what runs differs from what is recorded, and since when that is known."""
    if not found:
        return ""
    known = f" (known since {one.chosen.since})" if one.chosen.since else ""
    by_hand = any(difference.kind is DriftKind.CONFIGURATION for difference in found)
    kept = (
        "; the update keeps what is not declared" if by_hand and _keeps_undeclared(one.assignment.desired.spec) else ""
    )
    return f"{'changed by hand' if by_hand else 'not as recorded'}{known}: {in_words(found)}{kept}"


def _keeps_undeclared(spec: TargetSpec) -> bool:
    """Whether a hand's change goes on to the next container, so that making it anew changes nothing back."""
    return isinstance(spec, ContainerSpec) and spec.keep_undeclared
