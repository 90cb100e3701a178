"""`releaser apply` and `releaser export`: what shall be, as YAML."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from releaser.cli.group import commands
from releaser.cli.run import ByOption, OutputOption, running, who
from releaser.cli.show import Output, as_json, emit, joined, safe, show
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.export_declaration import export_declaration
from releaser.sources.declaration import parse_declaration, read_declaration, to_yaml

app = commands()

_SIGNS = {"created": "+", "changed": "~", "removed": "-"}


@app.command(
    "apply",
    epilog="Example: releaser apply -f deploy/example.yaml --dry-run. A folder is all its *.yaml as one declaration; "
    "'-' is standard input.",
)
def apply_command(
    file: Annotated[str, typer.Option("-f", "--file", help="File or folder of YAML; - reads standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the difference.")] = False,  # noqa: FBT002 -- a flag
    prune: Annotated[  # noqa: FBT002 -- a flag
        bool, typer.Option("--prune", help="Remove what is left out, unless something refers to it.")
    ] = False,
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Make products, customers, hosts and installations as declared, all or nothing; the same again changes nothing."""
    if file == "-":
        declaration = parse_declaration(sys.stdin.read(), name="standard input")
    else:
        declaration = read_declaration(Path(file))
    with running() as ports:
        facts = apply_declaration(ports, declaration=declaration, dry_run=dry_run, prune=prune, by=who(by))
    show(facts, output, _difference_text)


def _difference_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    lines: list[str] = []
    for change in facts["changes"]:
        lines.append(f"{_SIGNS[change['action']]} {change['noun']} {change['name']}")
        lines += [f"    {_field(change['action'], one)}" for one in change["fields"]]
    if facts["left_out"]:
        names = joined([f"{one['noun']} {one['name']}" for one in facts["left_out"]])
        lines.append(f"Left alone, because the declaration does not name it: {names}")
    counts = joined([f"{facts[action]} {action}" for action in _SIGNS if facts[action]])
    would = "Would be: " if facts["dry_run"] else "Done: "
    lines.append(f"{would}{counts}." if counts else "No change.")
    return safe("\n".join(lines))


def _field(action: str, one: Any) -> str:  # noqa: ANN401 -- facts
    new = _value(one["new"])
    return f"{one['field']}: {new}" if action == "created" else f"{one['field']}: {_value(one['old'])} -> {new}"


def _value(value: Any) -> str:  # noqa: ANN401 -- whatever a declaration holds
    return "nothing" if value in (None, "") else " ".join(as_json(value).split())


@app.command("export", epilog="Example: releaser export -f declared.yaml")
def export_command(
    file: Annotated[str, typer.Option("-f", "--file", help="Where to write it; standard output when not given.")] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Write everything declared as YAML (or JSON), as `releaser apply` takes it: applied again it changes nothing."""
    with running() as ports:
        facts = export_declaration(ports)
    text = as_json(facts) + "\n" if output is Output.JSON else to_yaml(facts)
    if file:
        Path(file).write_text(text, encoding="utf-8")
    else:
        emit(text)
