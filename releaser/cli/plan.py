"""`releaser plan`: what a rollout would do, stop and be refused for; and the options that it shares with `releaser deploy`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from releaser.cli.exits import Exit
from releaser.cli.given import duration, instant
from releaser.cli.group import commands
from releaser.cli.pipeline import Format, FormatOption, tell_pipeline
from releaser.cli.run import ByOption, running, who
from releaser.cli.show import expected, moment, safe, seconds, show, table
from releaser.domain.plan import RolloutOptions
from releaser.domain.time_limits import OFFLINE_FOR
from releaser.domain.waiting import DEFAULT_WAIT_FOR
from releaser.domain.waves import DEFAULT_SIZES, parse_limit, parse_sizes
from releaser.flows.draft_notice import set_by_told
from releaser.flows.plan_rollout import plan_rollout

app = commands()

WAVES = ",".join(DEFAULT_SIZES)

ProductArgument = Annotated[str, typer.Argument(help="The product's name.")]
VersionArgument = Annotated[str, typer.Argument(help="The version, such as 3.4 or 3.4.1.")]
ToOption = Annotated[str, typer.Option("--to", help="Selector: all, or key=value terms joined by commas.")]
WavesOption = Annotated[str, typer.Option(help="Sizes of the waves, such as 1,5,20%; the rest is the last wave.")]
ParallelOption = Annotated[
    str, typer.Option(help="Targets cut over at once, such as 5 or 20% of a wave, never two of one customer.")
]
ThresholdOption = Annotated[
    str, typer.Option(help="Targets of a wave that may fail before all stops, such as 1 or 10%.")
]
SupersedeOption = Annotated[
    bool, typer.Option("--supersede", help="Take over from a rollout that is at work there, at its next boundary.")
]
RehearseOption = Annotated[
    bool, typer.Option("--rehearse", help="Pull and check everywhere, cut nothing over, and report.")
]
ApprovalOption = Annotated[bool, typer.Option("--approval", help="Wait until somebody else approved the plan.")]
TicketOption = Annotated[str, typer.Option(help="The ticket this single piece of work is for.")]
OneOffOption = Annotated[
    bool, typer.Option("--one-off", help="A single piece of work at one installation, which it pins.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why the one-off is done.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only show, with what would be refused; keep nothing, draft no notice.")
]
UnpinOption = Annotated[bool, typer.Option("--unpin", help="Take pinned installations along, and unpin them.")]
MAX_WAIT = f"{DEFAULT_WAIT_FOR.days}d"
WaitOption = Annotated[
    str, typer.Option("--max-wait", help="How long a target may wait beyond what is known to last, such as 3d.")
]
OFFLINE = f"{OFFLINE_FOR.seconds}s"
OfflineOption = Annotated[
    str,
    typer.Option(
        "--offline-for",
        help="How long a host may be away before it counts as failed, such as 12h; others go on meanwhile.",
    ),
]
SoakOption = Annotated[
    str, typer.Option("--wave-soak", help="How long a wave is watched before the next one begins, such as 10m.")
]
GateOption = Annotated[
    bool, typer.Option("--gate", help="Pause after every wave until somebody lets the next one begin.")
]
StartOption = Annotated[
    str,
    typer.Option(help="When it begins, which the notice says too, such as 2030-05-31T22:00+03:00.", show_default=False),
]


@app.command("plan", epilog="Example: releaser plan shop 1.1 --to ring=canary")
def plan_command(
    product: ProductArgument,
    version: VersionArgument,
    to: ToOption,
    waves: WavesOption = WAVES,
    max_parallel: ParallelOption = "1",
    threshold: ThresholdOption = "0",
    supersede: SupersedeOption = False,  # noqa: FBT002 -- a flag
    approval: ApprovalOption = False,  # noqa: FBT002 -- a flag
    ticket: TicketOption = "",
    starts_at: StartOption = "",
    one_off: OneOffOption = False,  # noqa: FBT002 -- a flag
    reason: ReasonOption = "",
    unpin: UnpinOption = False,  # noqa: FBT002 -- a flag
    max_wait: WaitOption = MAX_WAIT,
    offline_for: OfflineOption = OFFLINE,
    wave_soak: SoakOption = "0s",
    gated: GateOption = False,  # noqa: FBT002 -- a flag
    dry_run: DryRunOption = False,  # noqa: FBT002 -- a flag
    output: FormatOption = Format.TEXT,
    by: ByOption = "",
) -> None:
    """Plan a rollout: who, in which order, what stops and for how long; drafts the notice of what stops."""
    options = options_of(
        waves,
        max_parallel,
        threshold,
        ticket,
        starts_at,
        supersede=supersede,
        rehearse=False,
        approval=approval,
        one_off=one_off,
        reason=reason,
        unpin=unpin,
        times=(max_wait, wave_soak, offline_for),
        gated=gated,
    )
    with running() as ports:
        facts = plan_rollout(
            ports, product=product, version=version, selector=to, by=who(by), options=options, save=not dry_run
        )
    show(facts, output.base, plan_text)
    if output is Format.GITHUB:
        tell_pipeline({}, plan_text(facts))
    if facts["refusals"]:
        raise typer.Exit(Exit.REFUSED)


def options_of(
    waves: str,
    max_parallel: str,
    threshold: str,
    ticket: str,
    starts_at: str,
    *,
    supersede: bool,
    rehearse: bool,
    approval: bool,
    one_off: bool,
    reason: str,
    unpin: bool,
    times: tuple[str, str, str],
    gated: bool,
) -> RolloutOptions:
    """What was written on the command line. Raises `InvalidError` of one kind or another."""
    return RolloutOptions(
        waves=parse_sizes(waves),
        max_parallel=parse_limit(max_parallel, field="max-parallel", least=1),
        threshold=parse_limit(threshold, field="threshold", least=0),
        supersede=supersede,
        rehearse=rehearse,
        needs_approval=approval,
        ticket=ticket,
        starts_at=instant(starts_at, field="starts-at"),
        one_off=one_off,
        reason=reason,
        unpin=unpin,
        wait_for=duration(times[0], field="max-wait"),
        wave_soak=duration(times[1], field="wave-soak"),
        offline_for=duration(times[2], field="offline-for"),
        gated=gated,
    )


_TOLD_OF_KEPT = frozenset({"update-freeze", "consent", "consent-refused"})
"""What stays in the way of a plan that is kept, however soon it is started."""


def _numbered(advice: str, plan: Any) -> str:  # noqa: ANN401 -- facts
    """With the rollout's number in the commands, once it has one."""
    told = advice.replace(", once the rollout has a number", "")
    return told.replace("NUMBER", str(plan["rollout"])) if "rollout" in plan else advice


def _told_of(notice: Any) -> str:  # noqa: ANN401 -- facts
    """What customers are told, or would be once the plan is kept."""
    number, what = notice["notice"], f"{notice['stop']} stop, {moment(notice['starts_at'])}"
    if number is None:
        return f"Keeping it drafts a notice: {what}."
    if notice["state"] == "draft":
        return f"Notice {number} is drafted: releaser notice announce {number}"
    return f"Notice {number} is announced: {what}."


def plan_text(plan: Any) -> str:  # noqa: ANN401 -- facts
    """A plan for people."""
    rows = [
        (
            t["wave"],
            t["installation"],
            t["customer"],
            t["module"],
            t["host"],
            t["from"],
            t["to"],
            "already there" if t["already_installed"] else t["stop"],
            seconds(t["planned_stop_s"]),
            expected(t["predicted"]),
            "; ".join(filter(None, (t["warning"], t["drift"], t["why"]))),
        )
        for t in plan["targets"]
    ]
    headers = (
        "wave",
        "installation",
        "customer",
        "module",
        "host",
        "from",
        "to",
        "stops",
        "planned",
        "expected",
        "remark",
    )
    title = safe(f"Plan {plan['hash']}: {plan['product']} {plan['version']} to {plan['selector']}")
    work = (
        [safe(f"Scales {plan['selector'].removeprefix('installation=')}: {plan['operation']}.")]
        if plan["operation"]
        else []
    )
    lines = [title, *work, table(headers, rows)]
    lines += [safe(f"Passed over: {p['installation']}, {p['reason']}") for p in plan["passed"]]
    if plan["passed"]:
        lines.append("Take them along with --unpin.")
    lines += [
        safe(f"Stops {s['installation']}: {s['stop']}, {seconds(s['planned_stop_s'])} ({s['basis']})")
        for s in plan["stops"]
        if s["stop"] != "none"
    ]
    lines += [safe(f"REFUSED by {r['rule']}: {r['detail']} {r['advice']}") for r in plan["refusals"]]
    lines += [
        safe(f"Needs ({n['rule']}): {n['detail']} {_numbered(n['advice'], plan)}")
        for n in plan["needs"]
        if "rollout" not in plan or n["rule"] in _TOLD_OF_KEPT
    ]
    if "rollout" in plan:
        lines.append(f"Kept as rollout {plan['rollout']}.")
    if plan["notice"] is not None:
        lines.append(_told_of(plan["notice"]))
        lines += filter(None, [safe(set_by_told(plan["notice"]["time_set_by"]))])
    return "\n".join(lines)
