"""`releaser deploy`: let a rollout happen, and wait for its end if asked to."""

from __future__ import annotations

import logging
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from releaser.assembly import configured
from releaser.bell import Bell
from releaser.cli.address import rollout_url
from releaser.cli.exits import Exit
from releaser.cli.following import Otherwise, follow, interruptible, is_over, let_go, of_rollout, rollout_text
from releaser.cli.given import duration
from releaser.cli.group import commands
from releaser.cli.light import UsageError
from releaser.cli.logs import log_to_stderr
from releaser.cli.pipeline import Format, FormatOption, job_key, outputs_of, tell_pipeline
from releaser.cli.plan import (
    MAX_WAIT,
    OFFLINE,
    WAVES,
    ApprovalOption,
    DryRunOption,
    GateOption,
    OfflineOption,
    OneOffOption,
    ParallelOption,
    ProductArgument,
    ReasonOption,
    RehearseOption,
    SoakOption,
    StartOption,
    SupersedeOption,
    ThresholdOption,
    TicketOption,
    ToOption,
    UnpinOption,
    VersionArgument,
    WaitOption,
    WavesOption,
    options_of,
    plan_command,
)
from releaser.cli.quorum import parse_quorum, quorum_of
from releaser.cli.run import ByOption, running, who
from releaser.cli.show import show
from releaser.domain.rollout import RolloutState
from releaser.flows.ports import Ports
from releaser.flows.show_rollout import show_rollout
from releaser.flows.start_rollout import start_rollout
from releaser.worker.engine import engine_for

app = commands()


class Wait(StrEnum):
    """What the command waits for."""

    NONE = "none"
    HEALTHY = "healthy"


QuorumOption = Annotated[
    str,
    typer.Option(
        help="Share of targets that is enough, such as 95%: when the wait is over, exit 0 if at least so many succeeded.",
        show_default=False,
    ),
]


@app.command(
    "deploy",
    epilog="Example: releaser deploy shop 1.1 --to all --wait healthy --timeout 20m --quorum 95%. "
    "Exit codes: 0 done or unchanged, or the quorum is reached; 1 failed or aborted, or the quorum is missed; 2 usage; "
    "3 refused by a rule, or waits for approval; 4 not allowed (kept for access control); 5 busy, the holder is named; "
    "6 failed and rolled back; 7 the wait timed out, it still runs; 8 database or machine unreachable; "
    "130 interrupted; 143 terminated. With --quorum the share decides in place of 0, 1, 6 and 7; what did not "
    "succeed is named all the same.",
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
    quorum: QuorumOption = "",
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
    offline_for: OfflineOption = OFFLINE,
    wave_soak: SoakOption = "0s",
    gated: GateOption = False,  # noqa: FBT002 -- a flag
    dry_run: DryRunOption = False,  # noqa: FBT002 -- a flag
    key: Annotated[str, typer.Option(help="Idempotency key; the CI job's identity when not given.")] = "",
    output: FormatOption = Format.TEXT,
    by: ByOption = "",
) -> None:
    """Roll a version out to the installations that the selector names, wave by wave, and wait for the end if asked to."""
    asked = _quorum(quorum, wait)
    if dry_run:
        plan_command(
            product, version, to, waves, max_parallel, threshold, supersede, approval, ticket, starts_at, one_off, reason, unpin,
            max_wait, offline_for, wave_soak, gated,
            dry_run=True, output=output, by=by,
        )  # fmt: skip
        return
    options = options_of(
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
        times=(max_wait, wave_soak, offline_for),
        gated=gated,
    )
    wait_for, actor, bell = duration(timeout), who(by), Bell()
    log_to_stderr(level=logging.WARNING)
    with running(bell=bell) as ports:
        key = key or job_key(product, version, to, rehearse=rehearse)
        facts = start_rollout(
            ports, product=product, version=version, selector=to, by=actor, options=options, key=key or None
        )
        code = of_rollout(RolloutState(facts["state"])) if is_over(facts) else Exit.DONE
        if wait is Wait.HEALTHY and not is_over(facts):
            code = _wait(ports, bell, facts["id"], wait_for=wait_for, by=actor, on=(on_timeout, on_interrupt))
        told = {"unchanged": facts["unchanged"], "found": facts["found"], "url": rollout_url(facts["id"])}
        facts = {**show_rollout(ports, rollout_id=facts["id"]), **told}
    if asked is not None:
        counted = quorum_of(facts, asked=asked)
        code, facts = counted.exit(code), {**facts, "quorum": counted.facts()}
    show(facts, output.base, rollout_text)
    if output is Format.GITHUB:
        tell_pipeline(outputs_of(facts), rollout_text(facts))
    raise typer.Exit(code)


def _quorum(text: str, wait: Wait) -> int | None:
    """The share asked for. Raises `QuorumError`, `UsageError`."""
    if text and wait is Wait.NONE:
        raise UsageError("A quorum is counted when the wait is over.", advice="Add --wait healthy.", field="quorum")
    return parse_quorum(text) if text else None


def _wait(
    ports: Ports, bell: Bell, rollout_id: int, *, wait_for: timedelta, by: str, on: tuple[Otherwise, Otherwise]
) -> Exit:
    """Work at the rollout and wait for its end. Leases make it harmless that the service may work at it as well."""
    chosen = configured()
    on_timeout, on_interrupt = on
    worker = engine_for(ports, bell=bell, threads=chosen.worker_threads, tick_s=chosen.tick_s)
    worker.start()
    try:
        state = None
        with interruptible() as interrupted:
            state = follow(ports, bell, rollout_id, wait_for=wait_for)
        if state is not None:
            return of_rollout(state)
        otherwise, why, code = on_timeout, "the wait timed out", Exit.STILL_RUNNING
        if interrupted:
            otherwise, why, code = on_interrupt, "the waiting command was interrupted", interrupted[0]
        return let_go(ports, bell, rollout_id, otherwise=otherwise, by=by, why=why, code=code)
    finally:
        worker.stop()
