"""`releaser freeze …`: what landed too late for a train, and who may let it in."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from releaser.cli.given import instant
from releaser.cli.group import commands, noun
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, listing, moment, show, table
from releaser.domain.freeze import Phase
from releaser.flows.except_ticket import except_ticket
from releaser.flows.freeze_state import freeze_state
from releaser.flows.revoke_exception import revoke_exception
from releaser.flows.state_freeze_point import state_freeze_point

app = commands()
freeze = noun(app, "freeze", told="Freezes: what landed too late for a train, and who lets it in.")

ProductArgument = Annotated[str, typer.Argument(help="The product's name.")]


class Began(StrEnum):
    """What begins before a train and lets less in."""

    SOFT_FREEZE = "soft-freeze"
    FREEZE = "freeze"


_PHASES = {Began.SOFT_FREEZE: Phase.SOFT_FREEZE, Began.FREEZE: Phase.FREEZE}
TrainOption = Annotated[
    str, typer.Option(help="The train: its day, next, or current (the one a cut made now leaves with).")
]


@freeze.command("show", epilog="Example: releaser freeze show shop")
def show_command(
    product: ProductArgument,
    branch: Annotated[str, typer.Option(help="Another branch than the product's, as of the last collect.")] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Show the phase of the current train, and what a cut made now would refuse."""
    with running() as ports:
        facts = freeze_state(ports, product=product, branch=branch, told=None)
    show(facts, output, _state_text)


def _state_text(facts: dict[str, Any]) -> str:
    head = listing(
        [
            ("train", facts["train"]),
            ("leaves", moment(facts["departs_at"])),
            ("phase", facts["phase"].replace("_", " ")),
            *(
                (told, moment(facts[name]))
                for name, told in (
                    ("branch_point_at", "branch point"),
                    ("soft_freeze_at", "soft freeze"),
                    ("freeze_at", "freeze"),
                    ("thaw_at", "thaw"),
                )
                if facts[name]
            ),
            *(
                (f"branch at the {one['phase'].replace('_', ' ')}", f"{(one['commit'] or '-')[:12]} ({one['proof']})")
                for one in facts["points"]
            ),
        ]
    )
    parts = [head]
    for one in facts["points"]:
        if one["proof"] == "unproved" and one["phase"] != Phase.BRANCH_POINT:
            phase = one["phase"].replace("_", "-")
            parts.append(
                f"Nobody looked at the branch when the {phase} began. Let the service run then; for this train say where it was: "
                f"`releaser freeze state {facts['product']} COMMIT --phase {phase} --reason …`."
            )
    if facts["violations"]:
        headers = ("refused", "landed in", "tickets", "why", "subject")
        parts.append(table(headers, [_row(one, one["why"].replace("_", " ")) for one in facts["violations"]]))
    if facts["excused"]:
        headers = ("let in", "landed in", "tickets", "why", "subject")
        parts.append(table(headers, [_row(one, "allowed") for one in facts["excused"]]))
    if facts["exceptions"]:
        parts.append(_exceptions(facts["exceptions"]))
    return "\n\n".join(parts)


def _row(one: dict[str, Any], why: str) -> tuple[object, ...]:
    landed = one["landed"].replace("_", " ")
    proof = " (unproved)" if one["proof"] == "unproved" else ""
    return one["commit"][:12], f"{landed}{proof}", ", ".join(one["tickets"]), why, one["subject"]


def _exceptions(items: list[dict[str, Any]]) -> str:
    headers = ("exception", "ticket", "train", "approved by", "until", "holds", "reason")
    return table(
        headers,
        [
            (
                one["id"],
                one["ticket"],
                one["train"],
                one["approver"],
                moment(one["expires_at"]),
                "revoked" if one["revoked_at"] else "yes" if one["holds"] else "expired",
                one["reason"],
            )
            for one in items
        ],
    )


@freeze.command(
    "except", epilog="Example: releaser freeze except shop SHOP-12 --approver olga --reason 'the law asks for it'"
)
def except_command(
    product: ProductArgument,
    ticket: Annotated[str, typer.Argument(help="The one ticket that may land.")],
    approver: Annotated[str, typer.Option(help="Who approves it.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    until: Annotated[
        str, typer.Option(help="Until when, with the zone: 2030-05-31T22:00+03:00; the train's departure if not given.")
    ] = "",
    train: TrainOption = "current",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Let one ticket land in a train after its freeze."""
    expires_at = instant(until, field="until")
    with running() as ports:
        facts = except_ticket(
            ports,
            product=product,
            ticket=ticket,
            approver=approver,
            reason=reason,
            train=train,
            expires_at=expires_at,
            by=who(by),
        )
    show(facts, output, lambda one: _exceptions([one]))


@freeze.command("revoke", epilog="Example: releaser freeze revoke shop 3 --reason 'it can wait'")
def revoke_command(
    product: ProductArgument,
    exception: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The exception's number.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Take an exception back."""
    with running() as ports:
        facts = revoke_exception(ports, product=product, number=exception, reason=reason, by=who(by))
    show(facts, output, lambda one: _exceptions([one]))


@freeze.command("state", epilog="Example: releaser freeze state shop 1f2e3d4c --reason 'the push log of the server'")
def state_command(
    product: ProductArgument,
    commit: Annotated[str, typer.Argument(help="The branch's newest commit when the freeze began.")],
    reason: Annotated[str, typer.Option(help="How you know.")],
    phase: Annotated[Began, typer.Option(help="What began then.")] = Began.FREEZE,
    train: TrainOption = "current",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Say where the branch was when a freeze began, where nobody looked at it in time."""
    with running() as ports:
        facts = state_freeze_point(
            ports, product=product, commit=commit, reason=reason, phase=_PHASES[phase], train=train, by=who(by)
        )
    show(facts, output, lambda one: listing([(name.replace("_", " "), value) for name, value in one.items()]))
