"""`releaser rollout …`: look at rollouts and steer them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from releaser.bell import Bell
from releaser.cli import consent
from releaser.cli.exits import Exit
from releaser.cli.following import follow, of_rollout, rollout_text, targets_text
from releaser.cli.given import duration
from releaser.cli.group import commands, noun
from releaser.cli.run import ByOption, LimitOption, OffsetOption, OutputOption, running, who
from releaser.cli.show import Output, moment, seconds, show, table
from releaser.domain.rollout import UpdateState
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.approve_rollout import approve_rollout
from releaser.flows.list_cutovers import list_cutovers
from releaser.flows.list_rollout_targets import list_rollout_targets
from releaser.flows.list_rollouts import list_rollouts
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.ports import Facts
from releaser.flows.resume_rollout import resume_rollout
from releaser.flows.retry_rollout import retry_rollout
from releaser.flows.show_rollout import show_rollout

app = commands()
rollout = noun(app, "rollout", told="Rollouts: look at them and steer them.")

IdArgument = Annotated[int, typer.Argument(help="The rollout's number.")]
ReasonOption = Annotated[str, typer.Option(help="Why; kept with the move.")]


@rollout.command("list", epilog="Example: releaser rollout list -o json")
def list_command(limit: LimitOption = 20, offset: OffsetOption = 0, output: OutputOption = Output.TEXT) -> None:
    """List rollouts, newest first."""
    with running() as ports:
        facts = list_rollouts(ports, limit=limit, offset=offset)
    headers = ("id", "product", "version", "to", "state", "by", "started", "ended")
    show(
        facts,
        output,
        lambda items: table(
            headers,
            [
                (
                    r["id"],
                    r["product"],
                    r["version"],
                    r["selector"],
                    r["state"],
                    r["created_by"],
                    moment(r["started_at"]),
                    moment(r["finished_at"]),
                )
                for r in items
            ],
        ),
    )


@rollout.command("targets", epilog="Example: releaser rollout targets 7 --state failed --limit 100")
def targets_command(
    rollout_id: IdArgument,
    wave: Annotated[int | None, typer.Option(min=1, help="Of one wave only.", show_default=False)] = None,
    state: Annotated[
        UpdateState | None,
        typer.Option(metavar="STATE", help="Only those in this state, such as failed or waiting.", show_default=False),
    ] = None,
    limit: LimitOption = 50,
    offset: OffsetOption = 0,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the targets of a rollout, by pages; -o json tells the journal of each, too."""
    with running() as ports:
        facts = list_rollout_targets(ports, rollout_id=rollout_id, wave=wave, state=state, limit=limit, offset=offset)
    show(facts, output, targets_text)


@rollout.command("cutovers", epilog="Example: releaser rollout cutovers --product shop --module app")
def cutovers_command(
    product: Annotated[str, typer.Option(help="Of one product only.")] = "",
    module: Annotated[str, typer.Option(help="Of the module of this name only.")] = "",
    limit: LimitOption = 20,
    offset: OffsetOption = 0,
    output: OutputOption = Output.TEXT,
) -> None:
    """List what cutovers took, newest first: what predictions rest on."""
    with running() as ports:
        facts = list_cutovers(ports, product=product or None, module=module or None, limit=limit, offset=offset)
    show(facts, output, _cutovers)


def _cutovers(rows: list[Facts]) -> str:
    headers = ("at", "rollout", "module", "driver", "hosts", "method", "outcome", "cutover", "stop", "by", "way back")
    return table(
        headers,
        [
            (
                moment(one["at"]),
                one["rollout"],
                f"{one['product']}/{one['module']}",
                one["driver"],
                one["host_class"],
                one["method"],
                one["outcome"],
                seconds(one["cutover_s"]),
                seconds(one["stop_s"]),
                one["witness"],
                seconds(one["rollback_s"]),
            )
            for one in rows
        ],
    )


@rollout.command("show", epilog="Example: releaser rollout show 7")
def show_command(rollout_id: IdArgument, output: OutputOption = Output.TEXT) -> None:
    """Show a rollout: waves, targets, why it waits, who steered it and why, and the journal of every step."""
    with running() as ports:
        facts = show_rollout(ports, rollout_id=rollout_id)
    show(facts, output, _with_story)


def _with_story(facts: Any) -> str:  # noqa: ANN401 -- facts
    """With its own moves, who made them and why, and with the journal of every step."""
    rows = [(moment(move["at"]), move["from"], move["to"], move["by"], move["reason"]) for move in facts["moves"]]
    story = table(("at", "from", "to", "by", "reason"), rows)
    return "\n\n".join(filter(None, (rollout_text(facts), consent.consents_text(facts), story, _journal(facts))))


def _journal(facts: Facts) -> str:
    rows = [
        (t["installation"], t["module"], s["attempt"], s["name"], s["state"], moment(s["done_at"]), s["detail"])
        for t in facts["targets"]
        for s in t["steps"]
    ]
    headers = ("installation", "module", "attempt", "step", "state", "done", "detail")
    return table(headers, rows) if rows else ""


@rollout.command(
    "follow",
    epilog="Example: releaser rollout follow 7 --timeout 20m. Exit codes as of `releaser deploy --wait healthy`.",
)
def follow_command(
    rollout_id: IdArgument,
    timeout: Annotated[str, typer.Option(help="How long to wait, such as 20m.")] = "20m",
    output: OutputOption = Output.TEXT,
) -> None:
    """Wait until a rollout is over, and show how it ended. It only looks; a service or worker does the work."""
    wait_for, bell = duration(timeout), Bell()
    with running(bell=bell) as ports:
        state = follow(ports, bell, rollout_id, wait_for=wait_for)
        facts = show_rollout(ports, rollout_id=rollout_id)
    show(facts, output, rollout_text)
    raise typer.Exit(Exit.STILL_RUNNING if state is None else of_rollout(state))


def _steering(verb: str, flow: Callable[..., Facts], help_text: str) -> None:
    """One command per way of steering; they differ in the flow alone."""

    @rollout.command(verb, help=help_text, epilog=f"Example: releaser rollout {verb} 7 --reason 'asked by support'")
    def _command(
        rollout_id: IdArgument, reason: ReasonOption = "", output: OutputOption = Output.TEXT, by: ByOption = ""
    ) -> None:
        with running() as ports:
            facts = flow(ports, rollout_id=rollout_id, by=who(by), reason=reason)
        show(facts, output, rollout_text)


rollout.command("consent", epilog=consent.EPILOG)(consent.consent_command)
_steering("pause", pause_rollout, "Finish the targets at hand, start none.")
_steering("resume", resume_rollout, "Let a paused rollout go on.")
_steering("abort", abort_rollout, "Undo what is not committed, leave what is, start nothing more.")
_steering("retry", retry_rollout, "Try again the targets that failed, were rolled back or skipped.")
_steering("approve", approve_rollout, "Approve the plan of a rollout that waits for it, and start it.")
