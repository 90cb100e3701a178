"""`releaser notice …`: what customers are told of planned work."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from releaser.cli.given import instant
from releaser.cli.group import commands, noun
from releaser.cli.run import ByOption, LimitOption, OffsetOption, OutputOption, running, who
from releaser.cli.show import Output, listing, moment, safe, seconds, show, table
from releaser.flows.announce_notice import announce_notice
from releaser.flows.cancel_notice import cancel_notice
from releaser.flows.replay_delivery import replay_delivery
from releaser.flows.show_notice import list_notices, show_notice

app = commands()
notice = noun(app, "notice", told="Notices: what customers are told of planned work.")

IdArgument = Annotated[int, typer.Argument(help="The notice's number.")]


@notice.command("list", epilog="Example: releaser notice list")
def list_command(limit: LimitOption = 20, offset: OffsetOption = 0, output: OutputOption = Output.TEXT) -> None:
    """List notices, latest planned start first."""
    with running() as ports:
        facts = list_notices(ports, limit=limit, offset=offset)
    headers = ("id", "product", "version", "state", "revision", "stop", "starts", "ends", "rollout")
    show(
        facts,
        output,
        lambda items: table(
            headers,
            [
                (
                    n["id"],
                    n["product"],
                    n["version"],
                    n["state"],
                    n["revision"],
                    n["stop"],
                    moment(n["starts_at"]),
                    moment(n["ends_at"]),
                    n["rollout"],
                )
                for n in items
            ],
        ),
    )


def notice_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """A notice for people: what it says, whom it touches, who was told."""
    head = listing(
        [
            ("notice", f"{facts['id']} revision {facts['revision']}"),
            ("work", f"{facts['product']} {facts['version'] or ''}"),
            ("state", facts["state"]),
            ("stop", f"{facts['stop']} ({facts['impact']})"),
            ("planned", f"{moment(facts['starts_at'])} - {moment(facts['ends_at'])}"),
            ("real", f"{moment(facts['started_at'])} - {moment(facts['ended_at'])}"),
            ("rollout", facts["rollout"]),
        ]
    )
    touched = table(
        ("installation", "customer", "stop", "planned", "measured", "outcome"),
        [
            (
                i["installation"],
                i["customer"],
                i["stop"],
                seconds(i["planned_stop_s"]),
                seconds(i["measured_stop_s"]),
                i["outcome"],
            )
            for i in facts["installations"]
        ],
    )
    told = table(
        ("delivery", "kind", "revision", "to", "channel", "state", "sent", "error"),
        [
            (
                d["id"],
                d["kind"],
                d["revision"],
                d["address"],
                d["channel"],
                d["state"],
                moment(d["sent_at"]),
                d["error"],
            )
            for d in facts.get("deliveries", [])
        ],
    )
    texts = [f"[{t['language']}] {safe(t['subject'])}\n\n{indented(t['body'])}" for t in facts["texts"]]
    return "\n\n".join([head, touched, *([told] if facts.get("deliveries") else []), *texts])


def indented(text: str) -> str:
    """A text of several lines, set off from what is around it."""
    return "\n".join(f"    {safe(line)}".rstrip() for line in text.splitlines())


@notice.command("show", epilog="Example: releaser notice show 3")
def show_command(notice_id: IdArgument, output: OutputOption = Output.TEXT) -> None:
    """Show a notice: texts, whom it touches, planned and measured downtime, who was told."""
    with running() as ports:
        facts = show_notice(ports, notice_id=notice_id)
    show(facts, output, notice_text)


@notice.command("announce", epilog="Example: releaser notice announce 3 --at 2030-05-31T22:00+03:00")
def announce_command(
    notice_id: IdArgument,
    at: Annotated[str, typer.Option(help="Another planned start: an ISO 8601 instant with its zone.")] = "",
    until: Annotated[str, typer.Option(help="Another planned end, also of work that has begun.")] = "",
    emergency: Annotated[str, typer.Option(help="Why the shorter lead time of an emergency applies.")] = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Announce a draft, or a changed start or end as a revision, to everybody it touches."""
    with running() as ports:
        facts = announce_notice(
            ports,
            notice_id=notice_id,
            by=who(by),
            starts_at=instant(at),
            ends_at=instant(until, field="until"),
            emergency_reason=emergency,
        )
    show(facts, output, notice_text)


@notice.command("cancel", epilog="Example: releaser notice cancel 3 --reason 'the update is postponed'")
def cancel_command(
    notice_id: IdArgument,
    reason: Annotated[str, typer.Option(help="Why; told to the recipients.")],
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Cancel a notice and tell everybody who got it."""
    with running() as ports:
        facts = cancel_notice(ports, notice_id=notice_id, by=who(by), reason=reason)
    show(facts, output, notice_text)


@notice.command("replay", epilog="Example: releaser notice replay 12")
def replay_command(
    delivery_id: Annotated[int, typer.Argument(help="The delivery's number, as `releaser notice show` tells it.")],
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Send again a delivery that was given up, with the same message id."""
    with running() as ports:
        facts = replay_delivery(ports, delivery_id=delivery_id, by=who(by))
    show(facts, output, lambda f: listing([("delivery", f["id"]), ("notice", f["notice"]), ("state", f["state"])]))
