"""`releaser installation add-instance` and `resize`: more of what runs, or more for it."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from releaser.cli.address import rollout_url
from releaser.cli.following import rollout_text
from releaser.cli.given import PairError, instant
from releaser.cli.group import commands
from releaser.cli.plan import plan_text
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, safe, show
from releaser.domain.operation import Operation, OperationKind
from releaser.domain.plan import RolloutOptions
from releaser.flows.scale_installation import scale_installation
from releaser.flows.show_rollout import show_rollout

app = commands()

_MEMORY = re.compile(r"([0-9]{1,8})(m|mb|mib|g|gb|gib)?", re.IGNORECASE)

NameArgument = Annotated[str, typer.Argument(help="The installation's name.")]
ModuleOption = Annotated[str, typer.Option("--module", help="Which module of it.")]
ApprovalOption = Annotated[bool, typer.Option("--approval", help="Wait for somebody else to approve the plan.")]
TicketOption = Annotated[str, typer.Option(help="The request this is done for.")]
StartOption = Annotated[str, typer.Option(help="Planned start, such as 2030-05-31T22:00+03:00.", show_default=False)]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Only show the plan.")]
KeyOption = Annotated[str, typer.Option(help="Idempotency key: a repeat finds the same work.")]


@app.command(
    "add-instance", epilog="Example: releaser installation add-instance acme-shop --module web --count 1 --dry-run"
)
def add_instance_command(
    name: NameArgument,
    module: ModuleOption,
    count: Annotated[int, typer.Option(help="How many more.")] = 1,
    approval: ApprovalOption = False,  # noqa: FBT002 -- a flag
    ticket: TicketOption = "",
    starts_at: StartOption = "",
    dry_run: DryOption = False,  # noqa: FBT002 -- a flag
    key: KeyOption = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Add instances of a module of what runs there: nothing stops. Containers need a front that shares the requests."""
    operation = Operation(kind=OperationKind.ADD_INSTANCE, module=module, count=count)
    options = RolloutOptions(needs_approval=approval, ticket=ticket, starts_at=instant(starts_at, field="starts-at"))
    _scale(name, operation, options, dry_run=dry_run, key=key, output=output, by=by)


@app.command("resize", epilog="Example: releaser installation resize acme-shop --module web --memory 512m --cpus 1.5")
def resize_command(
    name: NameArgument,
    module: ModuleOption,
    memory: Annotated[str, typer.Option(help="Memory of each instance, such as 512m or 2g.")] = "",
    cpus: Annotated[float | None, typer.Option(help="Processors of each instance, such as 1.5.")] = None,
    approval: ApprovalOption = False,  # noqa: FBT002 -- a flag
    ticket: TicketOption = "",
    starts_at: StartOption = "",
    dry_run: DryOption = False,  # noqa: FBT002 -- a flag
    key: KeyOption = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Change memory or processors of a module: with a stop, unless others serve meanwhile. The plan says which, and the notice too."""
    operation = Operation(
        kind=OperationKind.RESIZE, module=module, memory_mb=_megabytes(memory) if memory else None, cpus=cpus
    )
    options = RolloutOptions(needs_approval=approval, ticket=ticket, starts_at=instant(starts_at, field="starts-at"))
    _scale(name, operation, options, dry_run=dry_run, key=key, output=output, by=by)


def _megabytes(text: str) -> int:
    found = _MEMORY.fullmatch(text.strip())
    if found is None:
        raise PairError(f"'{text[:40]}' is no size of memory.", advice="Write it like 512m or 2g.", field="memory")
    return int(found[1]) * (1024 if (found[2] or "m").lower().startswith("g") else 1)


def _scale(
    name: str, operation: Operation, options: RolloutOptions, *, dry_run: bool, key: str, output: Output, by: str
) -> None:
    with running() as ports:
        facts = scale_installation(
            ports,
            installation=name,
            operation=operation,
            by=who(by),
            options=options,
            dry_run=dry_run,
            key=key or None,
        )
        if not dry_run:
            url = rollout_url(facts["id"])
            facts = {**show_rollout(ports, rollout_id=facts["id"]), "unchanged": facts["unchanged"], "url": url}
            facts["operation"] = str(operation)
    show(facts, output, plan_text if dry_run else _started)


def _started(facts: Any) -> str:  # noqa: ANN401 -- facts
    where = facts["selector"].removeprefix("installation=")
    return safe(f"Scales {where}: {facts['operation']}.") + "\n" + rollout_text(facts)
