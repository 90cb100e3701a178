"""`releaser history`, `releaser matrix`, `releaser evidence`: a product's lines in time, tickets by lines, one ticket's evidence."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from releaser.cli.given import day
from releaser.cli.group import commands
from releaser.cli.run import LimitOption, OffsetOption, OutputOption, running
from releaser.cli.show import Output, joined, listing, moment, safe, say, show, table
from releaser.domain.history import LineStatus
from releaser.flows.show_evidence import show_evidence
from releaser.flows.show_history import show_history
from releaser.flows.show_matrix import MOST_COLUMNS, Asked, LineChoice, show_matrix

app = commands()
SHORT_ID = 10
ProductArgument = Annotated[str, typer.Argument(help="The product's name.")]


@app.command("history", epilog="Example: releaser history shop --from 2026-01-01 --to 2026-06-30")
def history_command(
    product: ProductArgument,
    from_on: Annotated[str, typer.Option("--from", help="The first day; two years ago when not given.")] = "",
    to_on: Annotated[str, typer.Option("--to", help="The last day; today when not given.")] = "",
    limit: LimitOption = 50,
    offset: OffsetOption = 0,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show a product's lines in time: their releases, where they branched off, and how long they are supported."""
    with running() as ports:
        facts = show_history(
            ports,
            product=product,
            from_on=day(from_on, field="from"),
            to_on=day(to_on, field="to"),
            limit=limit,
            offset=offset,
        )
    show(facts, output, _history_text)


def _history_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    head = f"{facts['product']}: {_seen(facts)}"
    tracks = [*([facts["trunk"]] if facts["trunk"] else []), *facts["tracks"]]
    rows = [
        (
            one["line"] or f"{facts['main'] or 'main'}{' (one release a line)' if one['all_releases'] else ''}",
            one["phase"],
            moment(one["branched"]["at"]) if one["branched"] else "",
            len(one["releases"]),
            joined([release["version"] for release in one["releases"]][-6:]),
            one["supported_until_on"],
        )
        for one in tracks
    ]
    return f"{safe(head)}\n\n{table(('line', 'phase', 'branched off', 'releases', 'newest', 'supported until'), rows)}"


def _seen(facts: Any) -> str:  # noqa: ANN401 -- facts
    """How much there is, and from when to when: what was asked for, else from the first release to the last one."""
    asked = facts["asked"]
    first, last = asked["from"] or facts["first_on"], asked["to"] or facts["last_on"]
    if facts["first_on"] is None:
        return f"no release from {facts['window']['from']} to {facts['window']['to']}"
    many = say.n("{n} release", "{n} releases", facts["releases"])
    return f"{many} on {say.n('{n} line', '{n} lines', facts['lines'])}, {first} to {last}"


@app.command("matrix", epilog="Example: releaser matrix shop --gaps --from-line 1.3")
def matrix_command(
    product: ProductArgument,
    status: Annotated[
        list[LineStatus] | None, typer.Option(help="Tickets that have this on a line; repeatable.")
    ] = None,
    text: Annotated[str, typer.Option(help="Tickets whose key or title holds this.")] = "",
    lines: Annotated[
        LineChoice | None, typer.Option(help="Which lines; the product decides when not given.", show_default=False)
    ] = None,
    first: Annotated[str, typer.Option("--from-line", help="The lowest line.")] = "",
    last: Annotated[str, typer.Option("--to-line", help="The highest line.")] = "",
    gaps: Annotated[bool, typer.Option("--gaps", help="Fixed on one line and open on another.")] = False,  # noqa: FBT002 -- a flag
    overridden: Annotated[bool, typer.Option("--overridden", help="A person said something of it.")] = False,  # noqa: FBT002 -- a flag
    conflicts: Annotated[bool, typer.Option("--conflicts", help="A person says otherwise than the evidence.")] = False,  # noqa: FBT002 -- a flag
    said_by: Annotated[str, typer.Option(help="This person said something of it.")] = "",
    columns: Annotated[int, typer.Option(min=1, max=MOST_COLUMNS, help="How many lines at most.")] = 8,
    limit: LimitOption = 50,
    offset: OffsetOption = 0,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show tickets by lines: what counts on each line, by the history and by what people said."""
    asked = Asked(
        statuses=frozenset(status or ()),
        text=text,
        lines=lines,
        first=first,
        last=last,
        gaps=gaps,
        overridden=overridden,
        conflicts=conflicts,
        by=said_by,
        columns=columns,
    )
    with running() as ports:
        facts = show_matrix(ports, product=product, asked=asked, limit=limit, offset=offset)
    show(facts, output, _matrix_text)


def _matrix_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    headers = ("ticket", *(one["line"] for one in facts["lines"]), "title")
    rows = [
        (one["key"], *map(_cell_text, one["cells"]), (one["title"] or one["subject"])[:60]) for one in facts["tickets"]
    ]
    told = (
        f"{facts['count']} of {say.n('{n} ticket', '{n} tickets', facts['total'])}, "
        f"{len(facts['lines'])} of {say.n('{n} line', '{n} lines', facts['line_count'])}"
    )
    is_said = any(cell["override"] for one in facts["tickets"] for cell in one["cells"])
    legend = "\n* said by a person, ! against the evidence" if is_said else ""
    return f"{table(headers, rows)}\n\n{told}{legend}"


def _cell_text(cell: Any) -> str:  # noqa: ANN401 -- facts
    mark = "" if not cell["override"] else "!" if cell["conflict"] else "*"
    is_known = cell["status"] == "fixed" and cell["first_version"]
    return f"{cell['first_version'] if is_known else cell['status']}{mark}"


@app.command("evidence", epilog="Example: releaser evidence SHOP-12")
def evidence_command(
    key: Annotated[str, typer.Argument(help="The ticket's key, such as SHOP-12.")],
    product: Annotated[str, typer.Option("--product", help="The product; needed when two products know the key.")] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what speaks for a ticket's fix on every line: commits, picks, reverts, and what people said."""
    with running() as ports:
        facts = show_evidence(ports, key=key, product=product or None)
    show(facts, output, _evidence_text)


def _evidence_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    head = listing(
        [
            ("ticket", f"{facts['product']} {facts['key']}"),
            ("found in", facts["found_in"] and facts["found_in"] + (" (first)" if facts["found_in_is_first"] else "")),
            ("planned for", facts["planned_for"]),
            ("branches with the fix", joined(facts["branches"])),
        ]
    )
    lines = [(one["line"], one["status"], one["first_version"], _why(one)) for one in facts["lines"]]
    commits = [
        (
            one["commit"][:SHORT_ID],
            one["relation"],
            joined(one["new_in"]),
            joined(_sources(one)),
            joined([f"reverted by {by['commit'][:SHORT_ID]}" for by in one["reverted_by"]]),
            one["subject"],
        )
        for one in facts["commits"]
    ]
    told = [head]
    if lines:
        told.append(table(("line", "status", "first version", "why"), lines))
    if facts["unknown_lines"]:
        unknown = len(facts["unknown_lines"])
        told.append(say.n("Of {n} more line nothing is known.", "Of {n} more lines nothing is known.", unknown))
    if commits:
        told.append(table(("commit", "relation", "new in", "copy of", "reverts", "subject"), commits))
    return "\n\n".join(told)


def _sources(commit: Any) -> list[str]:  # noqa: ANN401 -- facts
    return [f"{one['commit'][:SHORT_ID]} ({one['layer']})" for one in commit["picked_from"]]


def _why(line: Any) -> str:  # noqa: ANN401 -- facts
    said = line["override"]
    if said:
        evidence = f"; the evidence says {line['derived']}" if line["conflict"] else ""
        return f"{said['by']}: {said['reason']}{evidence}"
    if line["evidence"] == "refuted":
        return "the version it was found in has the same fix"
    if line["reverted_by"]:
        return f"reverted by {line['reverted_by'][:SHORT_ID]}"
    if line["via"]:
        return f"{line['via']} {line['commit'][:SHORT_ID]}"
    if line["landed"]:
        return "landed, not released yet"
    return {"reached": "has the version it was found in", "before": "older than the first bad version"}.get(
        line["reach"], ""
    )
