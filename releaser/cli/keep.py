"""`releaser backup`, `restore`, `verify`, `doctor`: keeping what is kept, and looking whether all that is needed is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from releaser.assembly import configured, probes, unprepared
from releaser.cli.exits import Exit
from releaser.cli.given import duration
from releaser.cli.group import commands
from releaser.cli.run import OutputOption, running
from releaser.cli.show import Output, listing, show, table
from releaser.flows.backup_database import backup_database
from releaser.flows.check_system import check_system
from releaser.flows.restore_database import Over, restore_database
from releaser.flows.verify_backup import verify_backup

app = commands()

BackupArgument = Annotated[Path, typer.Argument(help="The backup's file.", show_default=False)]


def _backup_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    rows = [(name.replace("_", " "), value) for name, value in facts.items() if name != "counts"]
    return listing([*rows, ("rows", sum(facts["counts"].values()))])


@app.command("backup", epilog="Example: releaser backup /var/backups/releaser/")
def backup_command(
    to: Annotated[Path, typer.Argument(help="A file to write, or a folder, where it gets a name of its own.")] = Path(),
    output: OutputOption = Output.TEXT,
) -> None:
    """Take a backup while the service works: one file with the database as of one moment."""
    with running() as ports:
        facts = backup_database(ports, to=to)
    show(facts, output, _backup_text)


@app.command("restore", epilog="Example: releaser restore releaser-20300531T220000Z.zip --force")
def restore_command(
    file: BackupArgument,
    force: Annotated[bool, typer.Option("--force", help="Replace a database that is there.")] = False,  # noqa: FBT002 -- a flag
    output: OutputOption = Output.TEXT,
) -> None:
    """Put a backup in the place of the database. Refused while anything uses it; an SQLite file that is replaced is kept beside."""
    with unprepared(configured()) as ports:
        over = Over.ANYTHING if force else Over.NOTHING
        facts = restore_database(ports.database, file=file, over=over, clock=ports.clock)
    show(facts, output, _backup_text)


@app.command("verify", epilog="Example: releaser verify releaser-20300531T220000Z.zip")
def verify_command(file: BackupArgument, output: OutputOption = Output.TEXT) -> None:
    """Tell whether a backup is whole and this program can restore it. It needs no database."""
    show(verify_backup(file=file), output, _backup_text)


@app.command(
    "doctor", epilog="Example: releaser doctor -o json. Exit codes: 0 all is well but for warnings, 1 something is not."
)
def doctor_command(
    timeout: Annotated[str, typer.Option(help="How long one check may take.")] = "10s",
    output: OutputOption = Output.TEXT,
) -> None:
    """Check database, clock, disk, git, mail, engines and registries, side by side."""
    chosen, timeout_s = configured(), duration(timeout).total_seconds()
    with unprepared(chosen) as ports:
        facts = check_system(ports, probes=probes(chosen), timeout_s=timeout_s)
    show(facts, output, _checks_text)
    raise typer.Exit(Exit.DONE if all(one["ok"] for one in facts) else Exit.FAILED)


def _result(check: Any) -> str:  # noqa: ANN401 -- facts
    if not check["ok"]:
        return "FAILED"
    return "warning" if check["advice"] else "ok"


def _checks_text(items: Any) -> str:  # noqa: ANN401 -- facts
    rows = [(one["name"], _result(one), f"{one['detail']} {one['advice']}") for one in items]
    return table(("check", "result", "detail"), rows)
