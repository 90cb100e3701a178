"""What is asked of plans and rollouts: the bodies and the key of a trigger."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from releaser.domain.plan import RolloutOptions
from releaser.domain.time_limits import OFFLINE_FOR
from releaser.domain.waiting import DEFAULT_WAIT_FOR, LONGEST_WAIT_FOR
from releaser.domain.waves import DEFAULT_SIZES
from releaser.flows.plan_rollout import LONGEST_SOAK_FOR
from releaser.web.asked import Instant, Text, Whole

Percent = Annotated[str, Field(pattern=r"^(?:100|[1-9]?[0-9])%$")]
SomePercent = Annotated[str, Field(pattern=r"^(?:100|[1-9][0-9]?)%$")]
LONGEST_KEY = 255
Size = Annotated[str, Field(pattern=r"^(?:[1-9][0-9]{0,5}|(?:100|[1-9][0-9]?)%)$")]


# A missing key is answered by 400, not by the 422 of a parameter that is required; it is required all the same.
TRIGGER: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": True,
            "description": "Names this trigger, such as a CI job's id: its repeat with the same body finds the same rollout.",
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
        }
    ],
    "responses": {
        str(status): {"headers": {"Location": {"description": "Where to follow it.", "schema": {"type": "string"}}}}
        for status in (200, 202)
    },
}


class What(BaseModel):
    """What is to be rolled out, where, and how."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"product": "portal", "version": "1.1.1", "to": "ring=canary", "waves": ["1", "100%"]}
        },
    )

    product: Text
    version: Text
    to: Text = Field(description="A selector: `all`, or terms like `ring=canary,customer=acme`.")
    waves: list[Annotated[int, Field(ge=1, le=999_999)] | Size] = Field(
        list(DEFAULT_SIZES), max_length=50, description="Sizes of the waves, as numbers or percents such as `20%`."
    )
    max_parallel: Annotated[int, Field(ge=1, le=1_000)] | SomePercent = Field(
        1, description="Targets updated at once, as a number or a percentage of the wave such as `20%`."
    )
    threshold: Annotated[int, Field(ge=0, le=10_000)] | Percent = Field(
        0, description="How many targets of a wave may fail, as a number or a percentage of it."
    )
    supersede: bool = Field(
        default=False, description="Take over from rollouts that are at work there, at their next boundary."
    )
    rehearse: bool = Field(
        default=False,
        description="Pull and check everywhere, cut nothing over, put away what was prepared, and report.",
    )
    needs_approval: bool = Field(
        default=False, description="Wait for somebody else than the author to approve the plan."
    )
    ticket: Annotated[str, Field(max_length=120), Whole] = Field("", description="The request this is done for.")
    starts_at: Instant | None = Field(None, description="When it begins, with an offset; the notice says so.")
    one_off: bool = Field(default=False, description="A single piece of work at one installation, which it pins.")
    reason: Text = Field("", description="Why the one-off is done.")
    unpin: bool = Field(default=False, description="Take pinned installations along, and unpin them.")
    wait_s: int = Field(
        int(DEFAULT_WAIT_FOR.total_seconds()),
        ge=1,
        le=int(LONGEST_WAIT_FOR.total_seconds()),
        description="Seconds a target may wait beyond what is known to last.",
    )
    offline_s: int = Field(
        int(OFFLINE_FOR.total_seconds()),
        ge=1,
        le=int(LONGEST_WAIT_FOR.total_seconds()),
        description="Seconds a host may be away while its target is prepared; beyond 30 the others go on meanwhile.",
    )
    wave_soak_s: int = Field(
        0,
        ge=0,
        le=int(LONGEST_SOAK_FOR.total_seconds()),
        description="Seconds a wave is watched before the next one begins.",
    )
    gated: bool = Field(default=False, description="Pause after every wave until somebody lets the next one begin.")

    def options(self) -> RolloutOptions:
        """How the rollout goes."""
        return RolloutOptions(
            waves=tuple(str(size) for size in self.waves),
            max_parallel=self.max_parallel,
            threshold=self.threshold,
            supersede=self.supersede,
            rehearse=self.rehearse,
            needs_approval=self.needs_approval,
            ticket=self.ticket,
            starts_at=self.starts_at,
            one_off=self.one_off,
            reason=self.reason,
            unpin=self.unpin,
            wait_for=timedelta(seconds=self.wait_s),
            offline_for=timedelta(seconds=self.offline_s),
            wave_soak=timedelta(seconds=self.wave_soak_s),
            gated=self.gated,
        )


class Why(BaseModel):
    """Why somebody steers a rollout."""

    reason: Text = ""
