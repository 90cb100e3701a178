"""What customers said of updates of their installations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from releaser.domain.consent import LONGEST_NAME, Answer
from releaser.flows.record_consent import record_consent
from releaser.web.answers import FactsResponse
from releaser.web.api.rollout_shapes import AskedConsent, Rollout, answers
from releaser.web.asked import Actor, Asked, Id, Text, Whole

router = APIRouter(tags=["rollouts"])
Name = Annotated[str, Field(max_length=80), Whole]


class Said(BaseModel):
    """What somebody of a customer said of a rollout."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"answer": "yes", "who": "I. Ivanova", "customer": "acme", "note": "mail of 3 March"}
        },
    )

    answer: Answer
    who: Annotated[str, Field(max_length=LONGEST_NAME, description="Who of the customer said it."), Whole]
    customer: Name = Field("", description="Of all its installations; not needed where one customer is asked.")
    installation: Name = Field("", description="Of one installation only.")
    note: Text = Field("", description="How it was said; of a no the reason.")


class ConsentedRollout(Rollout):
    """A rollout with whose consent it needs and what they said."""

    consents: list[AskedConsent]


@router.post(
    "/rollouts/{rollout_id}/consent",
    summary="Record what a customer said of a rollout",
    response_class=FactsResponse,
    responses={
        **answers(ConsentedRollout),
        403: {"description": "Nobody is asked, the rollout is over, or a no comes too late: `rule` says which."},
        422: {"description": "It lacks who said it, a no its reason, or it is not clear whose word it is."},
    },
)
def consent(ports: Asked, actor: Actor, rollout_id: Id, said: Said) -> Response:
    """After a yes what waits for it goes on at once; after a no nothing is cut over there. The newest word counts."""
    facts = record_consent(
        ports,
        rollout_id=rollout_id,
        answer=said.answer,
        who=said.who,
        by=actor,
        customer=said.customer,
        installation=said.installation,
        note=said.note,
    )
    return FactsResponse(facts)
