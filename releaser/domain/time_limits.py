"""How long the parts of one target's update may go on without getting any further. Pure.

The rule: a limit begins when somebody takes the target up, not while it queues for a worker, and anew with each step that
was done; what goes on is never too late, however many steps there are. A limit holds what the specification allows its
service for stopping and for becoming healthy.

What does not live here: how long a target waits for its turn (`domain.waiting`), what follows when it is late (`domain.advance`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from releaser.domain.rollout import UpdateState
from releaser.domain.spec import ContainerSpec, SwarmSpec
from releaser.domain.target import Desired, Step

PREPARE_FOR = timedelta(minutes=15)
TIDY_FOR = timedelta(minutes=2)
ROLL_BACK_FOR = timedelta(minutes=10)
"""Going back is tried for so long at least: a host that is away may come back."""
OFFLINE_FOR = timedelta(seconds=30)
"""While it is prepared nothing is lost yet: so long a host that does not answer is waited for, and the whole wave with it.

A rollout may wait longer for hosts; then the others go on in the meantime.
"""
FAILING_PROBES = 3
MARGIN_FOR = timedelta(seconds=60)
UNATTENDED_FOR = timedelta(seconds=60)
"""Who works looks every few seconds: a deadline that passed so long ago without anybody looking passed while nobody worked."""


def limit_of(
    state: UpdateState, *, desired: Desired, previous: Desired | None, cut_over: bool = True
) -> timedelta | None:
    """How long an update may be in `state` without a step that is done; None where nothing is carried out."""
    if state is UpdateState.PREPARING:
        return PREPARE_FOR
    if state is UpdateState.COMMITTING or (state is UpdateState.ROLLING_BACK and not cut_over):
        return TIDY_FOR
    versions = [desired] if previous is None else [desired, previous]
    stops_for = max(_stopping(one) for one in versions)
    if state is UpdateState.CUTTING_OVER:
        return gate_limit(desired) + stops_for + MARGIN_FOR
    if state is UpdateState.ROLLING_BACK:
        return max(ROLL_BACK_FOR, max(gate_limit(one) for one in versions) + stops_for + MARGIN_FOR)
    return None


def passed_unattended(deadline_at: datetime | None, *, now: datetime) -> bool:
    """Whether nobody worked when the deadline passed: that time was not the target's, so it is given its limit anew."""
    return deadline_at is not None and now >= deadline_at + UNATTENDED_FOR


def gate_limit(desired: Desired) -> timedelta:
    """How long what was started may take to become healthy: what the specification allows."""
    return timedelta(seconds=desired.spec.health.deadline_s)


def extended(deadline_at: datetime | None, *, limit: timedelta | None, step: Step, now: datetime) -> datetime | None:
    """The deadline after `step` was done.

    It is moved on only once half of the limit is gone, so that quick steps have nothing to write; whoever looks through a
    gate behind the step has the whole limit.
    """
    if limit is None or (deadline_at is not None and not step.gate and deadline_at - now >= limit / 2):
        return deadline_at
    return now + limit


def soaking_deadline(desired: Desired, previous: Desired | None, *, answered: bool, now: datetime) -> datetime:
    """Until when a service that soaks may fail its probes, or cannot be looked at because nobody `answered`."""
    if answered:
        health = desired.spec.health
        return now + timedelta(seconds=FAILING_PROBES * health.interval_s + health.timeout_s)
    # A host that is away says nothing about the service: it is given the time that it has in a cutover.
    return now + (limit_of(UpdateState.CUTTING_OVER, desired=desired, previous=previous) or MARGIN_FOR)


def _stopping(version: Desired) -> timedelta:
    """How long draining and stopping all of a version may take; swarm stops group after group in one step."""
    grace_for = timedelta(seconds=version.spec.stop_grace_s)
    if isinstance(version.spec, ContainerSpec) and version.spec.front is not None:
        return grace_for + timedelta(seconds=version.spec.front.drain_s)
    if isinstance(version.spec, SwarmSpec) and version.spec.parallel:
        return grace_for * -(-version.spec.replicas // version.spec.parallel)
    return grace_for
