"""What a plan looks like as an answer, for OpenAPI (see `rollout_shapes`)."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from releaser.domain.target import Stop
from releaser.web.api.rollout_shapes import PassedOver, Predicted, Shape


class PlannedStep(Shape):
    """What is done to a target, and what it stops."""

    name: str
    phase: str
    stops: str


class PlannedTarget(Shape):
    """What a rollout would do to one target."""

    wave: int
    installation: str
    customer: str
    module: str
    host: str
    from_: str | None = Field(alias="from")
    to: str
    digest: str
    already_installed: bool
    stop: str = Field(description="none, partial or full; unknown where the engine did not answer.")
    planned_stop_s: float
    predicted: Predicted | None
    why: str = Field(description="What forces the stop.")
    steps: list[PlannedStep]
    drift: str | None = Field(description="What runs there otherwise than is recorded.")
    warning: str | None


class PlannedStop(Shape):
    """What stops at one installation, and for how long."""

    installation: str
    stop: Stop
    modules: list[str]
    planned_stop_s: float
    basis: str


class PlanRefusal(Shape):
    """A rule that refuses the start."""

    rule: str
    installation: str | None
    detail: str
    advice: str


class PlanNeed(Shape):
    """What a person or time can still clear."""

    rule: str
    detail: str
    advice: str
    until: AwareDatetime | None = None


class PlannedNotice(Shape):
    """What the customers would be told."""

    notice: int | None = Field(
        description="The number of the one that is there already; None: keeping the plan drafts it."
    )
    state: str | None
    stop: Stop
    impact: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    time_set_by: list[str] = Field(
        description="Customers whose contracts make everybody begin later than somebody could alone."
    )
    installations: list[str]


class Plan(Shape):
    """What a rollout would do, stop and be refused for."""

    product: str
    version: str
    selector: str
    hash: str = Field(description="The plan's name, to which an approval binds.")
    unchanged: bool
    max_parallel: int | str
    threshold: int | str
    wait_s: float
    offline_s: float
    wave_soak_s: float
    gated: bool
    one_off: bool
    rehearsal: bool
    operation: str | None
    needs: list[PlanNeed]
    notice: PlannedNotice | None = Field(description="None where nobody has to be told.")
    refusals: list[PlanRefusal]
    passed: list[PassedOver]
    targets: list[PlannedTarget]
    stops: list[PlannedStop]
    rollout: int | None = Field(None, description="With `save`: the planned rollout.")
    notices: list[int] | None = Field(None, description="With `save`: its notice, drafted or brought up to date.")
