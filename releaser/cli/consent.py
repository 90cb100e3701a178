"""`releaser rollout consent`: what a customer said of a rollout, and how a rollout stands with that."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from releaser.cli.following import rollout_text
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, moment, safe, show, table
from releaser.domain.consent import Answer
from releaser.flows.ports import Facts
from releaser.flows.record_consent import record_consent

EPILOG = (
    "Examples: releaser rollout consent 7 --who 'I. Ivanova' --note 'mail of 3 March'; "
    "releaser rollout consent 7 --no --customer acme --who 'I. Ivanova' --note 'the year is being closed'"
)


def consent_command(
    rollout_id: Annotated[int, typer.Argument(help="The rollout's number.")],
    said_by: Annotated[str, typer.Option("--who", help="Who of the customer said it.")],
    no: Annotated[bool, typer.Option("--no", help="They did not agree: nothing is cut over there.")] = False,  # noqa: FBT002 -- a flag
    customer: Annotated[str, typer.Option(help="Whose word it is; not needed where one customer is asked.")] = "",
    installation: Annotated[str, typer.Option(help="Of one installation only.")] = "",
    note: Annotated[str, typer.Option(help="How it was said; of a no the reason.")] = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Record that a customer agreed to a rollout, or did not. What waits for it goes on at once."""
    with running() as ports:
        facts = record_consent(
            ports,
            rollout_id=rollout_id,
            answer=Answer.NO if no else Answer.YES,
            who=said_by,
            by=who(by),
            customer=customer,
            installation=installation,
            note=note,
        )
    show(facts, output, lambda one: f"{rollout_text(one)}\n\n{consents_text(one)}")


_WORDS = {"missing": "not yet", "agreed": "yes", "refused": "no"}


def consents_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """Whose consent a rollout needs and what they said; empty where nobody is asked."""
    if not facts["consents"]:
        return ""
    rows = [_row(one) for one in facts["consents"]]
    return table(("installation", "customer", "agrees", "agreed", "said by", "at", "recorded by", "note"), rows)


def _row(one: Facts) -> tuple[object, ...]:
    said = (one["who"], moment(one["at"]), one["recorded_by"], one["note"])
    shown = said if one["answer"] else ("", "", "", "")
    return (safe(one["installation"]), one["customer"], one["by"], _WORDS[one["stands"]], *shown)
