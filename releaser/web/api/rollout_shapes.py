"""What answers about rollouts look like, for OpenAPI.

The facts themselves come from the flows and are not checked against it when they are sent; tests hold both together.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from releaser.domain.experience import Witness
from releaser.domain.rollout import PauseReason, RolloutState, StepState, UpdateState, WaitsFor, WaveState


class Shape(BaseModel):
    """Of an answer: every field is there, and newer services may tell more."""

    model_config = ConfigDict(extra="allow")


class Figures(Shape):
    """What earlier cutovers let expect, in seconds; null while nothing was measured or stated."""

    p50_s: float | None
    p90_s: float | None
    samples: int = Field(description="Of how many it is known; 0: it is a stated estimate.")
    basis: str


class Predicted(Shape):
    """What a cutover is expected to take."""

    cutover: Figures
    stop: Figures
    rollback: Figures
    needs_s: float | None = Field(description="What a window must hold: the cutover and the way back.")


class RolloutWave(Shape):
    """A part of the targets that goes before the next part."""

    number: int
    state: WaveState
    soak_until_at: AwareDatetime | None
    max_parallel: int
    threshold: int


class RolloutTarget(Shape):
    """What a rollout does to one module of one installation on one host."""

    id: int
    wave: int
    installation: str
    customer: str
    module: str
    host: str
    state: UpdateState
    waits_for: WaitsFor | None
    waiting_since_at: AwareDatetime | None
    deadline_at: AwareDatetime | None = Field(description="Until when it may be as it is.")
    ended_by: str | None = Field(description="Who or what ends the wait.")
    reason: str
    attempt: int
    from_: str | None = Field(alias="from", description="The version before; null where nothing was.")
    to: str | None
    planned_stop_s: float
    measured_stop_s: float | None = Field(description="Null while it is not known.")
    measured_by: Witness | None
    predicted: Predicted | None
    finished_at: AwareDatetime | None


class RolloutStep(Shape):
    """A line of the journal: the intent is written before the step, `done` after it was seen."""

    attempt: int
    name: str
    state: StepState
    tries: int
    intent_at: AwareDatetime
    done_at: AwareDatetime | None
    detail: str


class JournaledTarget(RolloutTarget):
    """A target with the journal of every attempt."""

    steps: list[RolloutStep]


class PassedOver(Shape):
    """An installation that the selector means and that does not take part."""

    installation: str
    customer: str
    reason: str


class RolloutHead(Shape):
    """A rollout without its targets."""

    id: int
    product: str
    version: str
    selector: str
    state: RolloutState
    pause_reason: PauseReason | None
    reason: str
    plan_hash: str
    max_parallel: int
    threshold: int
    wait_s: float
    wave_soak_s: float
    gated: bool
    paused_at: AwareDatetime | None
    ticket: str | None
    rehearsal: bool
    superseded_by: int | None
    late: str
    begins_at: AwareDatetime | None
    begin_by_at: AwareDatetime | None
    one_off: bool
    passed: list[PassedOver]
    approved_by: str | None
    created_by: str
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    waves: list[RolloutWave]


class CountedRollout(RolloutHead):
    """A rollout with how many of its targets are in which state."""

    counts: dict[UpdateState, int]


class Rollout(RolloutHead):
    """A rollout with its targets."""

    targets: list[RolloutTarget]


class StartedRollout(Rollout):
    """What a trigger led to."""

    unchanged: bool = Field(description="Everything runs there already; nothing was to do.")
    found: bool = Field(description="It was there before: the same key, or the same work under way.")


class Move(Shape):
    """A change of the rollout's own state."""

    from_: str = Field(alias="from")
    to: str
    at: AwareDatetime
    by: str
    reason: str


class GivenOverride(Shape):
    """Who let the rollout through which freeze, and why."""

    freeze: int
    at: AwareDatetime
    by: str
    reason: str


class StandingBlock(Shape):
    """Why the version may not be rolled out any more."""

    version: str
    line: str
    rollout: int
    reason: str
    at: AwareDatetime
    lifted_at: AwareDatetime | None
    lifted_by: str | None
    lifted_reason: str | None


class RehearsedTarget(Shape):
    """What a rehearsal found of one target."""

    installation: str
    module: str
    host: str
    ready: bool | None
    found: str
    gate: str
    planned_stop_s: float
    remark: str
    refused: list[str]


class AskedConsent(Shape):
    """What a customer said of the work at an installation whose contract asks for its consent."""

    installation_id: int
    installation: str
    title: str
    customer: str
    by: str = Field(description="Who agrees by the contract.")
    stopping: list[str]
    stands: str
    is_waited_for: bool
    is_touched: bool
    answer: str | None
    who: str | None
    note: str | None
    at: AwareDatetime | None
    recorded_by: str | None


class ShownRollout(RolloutHead):
    """A rollout with its targets, their journals and its story."""

    targets: list[JournaledTarget]
    rehearsed: list[RehearsedTarget] | None = Field(description="The report of a rehearsal; null of a rollout.")
    moves: list[Move]
    consents: list[AskedConsent] = []
    overrides: list[GivenOverride]
    blocked: StandingBlock | None
    notices: list[int]
    next: str = Field(description="What a person can do next; empty when nothing is to be done.")


class OverriddenRollout(Rollout):
    """A rollout with the freezes that it may disregard."""

    overrides: list[GivenOverride]


class RolloutPage(Shape):
    """A page of rollouts."""

    items: list[CountedRollout]
    next: str | None


class TargetPage(Shape):
    """A page of a rollout's targets."""

    items: list[JournaledTarget]
    next: str | None


class Cutover(Shape):
    """What one cutover took."""

    rollout: int | None
    product: str
    module: str
    driver: str
    host_class: str
    method: str
    outcome: str
    cutover_s: float | None
    stop_s: float | None
    rollback_s: float | None
    witness: str | None
    at: AwareDatetime


class CutoverPage(Shape):
    """A page of what cutovers took."""

    items: list[Cutover]
    next: str | None


class Freeze(Shape):
    """A time in which nothing is cut over."""

    id: int
    scope: Literal["all", "product", "customer", "installation"]
    name: str | None
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: str
    made_at: AwareDatetime
    made_by: str
    lifted_at: AwareDatetime | None
    lifted_by: str
    lift_reason: str
    holds: bool = Field(description="Whether it holds now.")


class FreezePage(Shape):
    """A page of freezes."""

    items: list[Freeze]
    next: str | None


def answers(shape: type[BaseModel], description: str = "", *, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """How OpenAPI tells an operation's answer."""
    told = description or (shape.__doc__ or "").partition("\n")[0]
    return {status: {"model": shape, "description": told}}
