"""`releaser plan` and `releaser deploy`: what would happen, and let it happen."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from releaser.assembly import configured
from releaser.bell import Bell
from releaser.cli.exits import Exit
from releaser.cli.following import Otherwise, follow, interruptible, is_over, let_go, of_rollout, rollout_text
from releaser.cli.given import duration, instant
from releaser.cli.group import commands
from releaser.cli.logs import log_to_stderr
from releaser.cli.run import ByOption, running, who
from releaser.cli.show import Output, expected, safe, seconds, show, table
from releaser.domain.plan import RolloutOptions
from releaser.domain.rollout import RolloutState
from releaser.domain.waiting import DEFAULT_WAIT_FOR
from releaser.domain.waves import DEFAULT_SIZES, parse_limit, parse_sizes
from releaser.flows.plan_rollout import plan_rollout
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_rollout import show_rollout
from releaser.flows.start_rollout import start_rollout
from releaser.worker.engine import engine_for

app = commands()

WAVES = ",".join(DEFAULT_SIZES)


class Format(StrEnum):
    """What these commands write; `github` is text, and a summary of the step besides."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


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
FormatOption = Annotated[Format, typer.Option("-o", "--output", help="text, json, or github (a step summary).")]


class Wait(StrEnum):
    """What the command waits for."""

    NONE = "none"
    HEALTHY = "healthy"


def _base(fmt: Format) -> Output:
    return Output.JSON if fmt is Format.JSON else Output.TEXT


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
    wave_soak: SoakOption = "0s",
    gated: GateOption = False,  # noqa: FBT002 -- a flag
    dry_run: DryRunOption = False,  # noqa: FBT002 -- a flag
    output: FormatOption = Format.TEXT,
    by: ByOption = "",
) -> None:
    """Plan a rollout: who, in which order, what stops and for how long; drafts the notice of what stops."""
    options = _options(
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
        times=(max_wait, wave_soak),
        gated=gated,
    )
    with running() as ports:
        facts = plan_rollout(
            ports, product=product, version=version, selector=to, by=who(by), options=options, save=not dry_run
        )
    show(facts, _base(output), plan_text)
    if output is Format.GITHUB:
        _tell_github({}, plan_text(facts))
    if facts["refusals"]:
        raise typer.Exit(Exit.REFUSED)


def _options(
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
    times: tuple[str, str],
    gated: bool,
) -> RolloutOptions:
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
        gated=gated,
    )


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
    lines = [title, table(headers, rows)]
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
        safe(f"Needs ({n['rule']}): {n['detail']} {n['advice']}")
        for n in plan["needs"]
        if "rollout" not in plan or n["rule"] == "update-freeze"
    ]
    if "rollout" in plan:
        lines.append(f"Kept as rollout {plan['rollout']}.")
    lines += [f"Notice {n} is drafted: releaser notice announce {n}" for n in plan.get("notices", [])]
    return "\n".join(lines)


@app.command(
    "deploy",
    epilog="Example: releaser deploy shop 1.1 --to all --wait healthy --timeout 20m. "
    "Exit codes: 0 done or unchanged, 1 failed, 2 usage, 3 refused by a rule or waiting for approval, 5 busy, "
    "6 failed and rolled back, 7 wait timed out, 8 unreachable, 130 interrupted, 143 terminated.",
)
def deploy_command(
    product: ProductArgument,
    version: VersionArgument,
    to: ToOption,
    wait: Annotated[Wait, typer.Option(help="healthy: until the rollout ended.")] = Wait.NONE,
    timeout: Annotated[str, typer.Option(help="How long to wait, such as 20m.")] = "20m",
    on_timeout: Annotated[
        Otherwise, typer.Option(help="What happens to the rollout after the timeout.")
    ] = Otherwise.LEAVE,
    on_interrupt: Annotated[Otherwise, typer.Option(help="What happens to it after Ctrl-C.")] = Otherwise.LEAVE,
    waves: WavesOption = WAVES,
    max_parallel: ParallelOption = "1",
    threshold: ThresholdOption = "0",
    supersede: SupersedeOption = False,  # noqa: FBT002 -- a flag
    rehearse: RehearseOption = False,  # noqa: FBT002 -- a flag
    approval: ApprovalOption = False,  # noqa: FBT002 -- a flag
    ticket: TicketOption = "",
    starts_at: StartOption = "",
    one_off: OneOffOption = False,  # noqa: FBT002 -- a flag
    reason: ReasonOption = "",
    unpin: UnpinOption = False,  # noqa: FBT002 -- a flag
    max_wait: WaitOption = MAX_WAIT,
    wave_soak: SoakOption = "0s",
    gated: GateOption = False,  # noqa: FBT002 -- a flag
    dry_run: DryRunOption = False,  # noqa: FBT002 -- a flag
    key: Annotated[str, typer.Option(help="Idempotency key; the CI job's identity when not given.")] = "",
    output: FormatOption = Format.TEXT,
    by: ByOption = "",
) -> None:
    """Roll a version out to the installations that the selector names, wave by wave, and wait for the end if asked to."""
    if dry_run:
        plan_command(
            product, version, to, waves, max_parallel, threshold, supersede, approval, ticket, starts_at, one_off, reason, unpin,
            max_wait, wave_soak, gated,
            dry_run=True, output=output, by=by,
        )  # fmt: skip
        return
    options = _options(
        waves,
        max_parallel,
        threshold,
        ticket,
        starts_at,
        supersede=supersede,
        rehearse=rehearse,
        approval=approval,
        one_off=one_off,
        reason=reason,
        unpin=unpin,
        times=(max_wait, wave_soak),
        gated=gated,
    )
    wait_for, actor, bell = duration(timeout), who(by), Bell()
    log_to_stderr(level=logging.WARNING)
    with running(bell=bell) as ports:
        key = key or _job_key(product, version, to)
        facts = start_rollout(
            ports, product=product, version=version, selector=to, by=actor, options=options, key=key or None
        )
        code = of_rollout(RolloutState(facts["state"])) if is_over(facts) else Exit.DONE
        if wait is Wait.HEALTHY and not is_over(facts):
            code = _wait(ports, bell, facts["id"], wait_for=wait_for, by=actor, on=(on_timeout, on_interrupt))
        told = {"unchanged": facts["unchanged"], "url": f"{ports.address}/rollouts/{facts['id']}"}
        facts = {**show_rollout(ports, rollout_id=facts["id"]), **told}
    show(facts, _base(output), rollout_text)
    if output is Format.GITHUB:
        _tell_github(_outputs(facts), rollout_text(facts))
    raise typer.Exit(code)


def _job_key(product: str, version: str, to: str) -> str:
    """The CI job's identity: a retry of the call is the same trigger, a re-run of the job is another one."""
    env = os.environ
    names: tuple[str, ...]
    if env.get("GITHUB_RUN_ID"):
        names = ("GITHUB_REPOSITORY_ID", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "GITHUB_ACTION")
    elif env.get("CI_JOB_ID"):
        names = ("CI_SERVER_URL", "CI_PROJECT_ID", "CI_JOB_ID")
    else:
        return ""
    identity = [env.get(name, "") for name in names]
    return "job-" + hashlib.sha256("\0".join([*identity, product, version, to]).encode()).hexdigest()[:32]


def _wait(
    ports: Ports, bell: Bell, rollout_id: int, *, wait_for: timedelta, by: str, on: tuple[Otherwise, Otherwise]
) -> Exit:
    """Work at the rollout and wait for its end. Leases make it harmless that the service may work at it as well."""
    chosen = configured()
    on_timeout, on_interrupt = on
    worker = engine_for(ports, bell=bell, threads=chosen.worker_threads, tick_s=chosen.tick_s)
    worker.start()
    try:
        facts = None
        with interruptible() as interrupted:
            facts = follow(ports, bell, rollout_id, wait_for=wait_for)
        if facts is not None:
            return of_rollout(RolloutState(facts["state"]))
        otherwise, why, code = on_timeout, "the wait timed out", Exit.STILL_RUNNING
        if interrupted:
            otherwise, why, code = on_interrupt, "the waiting command was interrupted", interrupted[0]
        return let_go(ports, bell, rollout_id, otherwise=otherwise, by=by, why=why, code=code)
    finally:
        worker.stop()


def _outputs(facts: Facts) -> dict[str, object]:
    """What later steps of a pipeline can use."""
    states = [t["state"] for t in facts["targets"]]
    counts = {
        "good": sum(state in {"succeeded", "already_installed"} for state in states),
        "failed": sum(state in {"failed", "rolled_back", "timed_out", "inconsistent"} for state in states),
    }
    return {"id": facts["id"], "status": facts["state"], "url": facts["url"], "total": len(states), **counts}


def _tell_github(outputs: Mapping[str, object], summary: str) -> None:
    """Outputs and a summary of the step, written to the files that the runner names."""
    fence = "`" * (max((len(run) for run in re.findall("`+", summary)), default=0) + 3)
    for variable, text in (
        ("GITHUB_OUTPUT", "".join(f"{name}={value}\n" for name, value in outputs.items())),
        ("GITHUB_STEP_SUMMARY", f"{fence}\n{summary}\n{fence}\n"),
    ):
        if path := os.environ.get(variable):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)
