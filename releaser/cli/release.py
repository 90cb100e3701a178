"""`releaser collect`, `cut`, `promote`, `publish`, `yank`, `abandon`, `release …`: from history to a published version."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from releaser.cli.exits import Exit
from releaser.cli.group import commands, noun
from releaser.cli.light import UsageError
from releaser.cli.progress import progress_bar
from releaser.cli.run import ByOption, LimitOption, OffsetOption, OutputOption, running, who
from releaser.cli.show import Output, joined, listing, moment, safe, show, table
from releaser.domain.changelog import Audience
from releaser.domain.release import CutKind
from releaser.errors import InvalidError
from releaser.flows.abandon_release import abandon_release
from releaser.flows.allow_way_back import allow_way_back
from releaser.flows.check_gate import check_gate
from releaser.flows.collect_commits import collect_commits
from releaser.flows.cut_release import cut_release
from releaser.flows.cut_status import cut_status
from releaser.flows.forbid_way_back import forbid_way_back
from releaser.flows.lift_stop import lift_stop
from releaser.flows.ports import Ports
from releaser.flows.promote_release import promote_release
from releaser.flows.publish_release import publish_release
from releaser.flows.require_stop import require_stop
from releaser.flows.show_release import list_releases, show_release
from releaser.flows.unblock_release import unblock_release
from releaser.flows.yank_release import yank_release

app = commands()

LONGEST_LIST = 20
release = noun(app, "release", told="Releases: what there is and what is in it.")

ProductArgument = Annotated[str, typer.Argument(help="The product's name.")]
VersionArgument = Annotated[str, typer.Argument(help="The version, such as 3.4 or 3.4.1.")]


class CutKindError(InvalidError):
    """Neither stable nor patch."""


def release_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """A release for people."""
    rows = [
        ("version", f"{facts['product']} {facts['version']}"),
        ("state", facts["state"] + (" (nothing changed)" if facts.get("unchanged") else "")),
        ("line", facts["line"]),
        ("previous", facts["previous"]),
        ("tag", facts["tag"]),
        ("commit", facts["commit"]),
        ("published", moment(facts["published_at"])),
        *((f"image {i['module']}", f"{i['image']} {i['digest']}") for i in facts["images"]),
    ]
    if facts["yank_reason"]:
        rows.append(("yanked", facts["yank_reason"]))
    if facts["required_stop"]:
        rows.append(("required stop", facts["required_stop"]))
    if facts["one_way"]:
        rows.append(("not safe to roll back", facts["one_way"]))
    if facts.get("blocked"):
        rows.append(("BLOCKED", f"{moment(facts['blocked']['at'])}: {facts['blocked']['reason']}"))
    return listing(rows)


@app.command("collect", epilog="Example: releaser collect jenkins")
def collect_command(product: ProductArgument, output: OutputOption = Output.TEXT) -> None:
    """Read the product's git history: releases, lines, and which ticket is in which version."""
    with running() as ports, progress_bar() as progress:
        facts = collect_commits(ports, product=product, progress=progress)
    show(facts, output, _collected_text)


def _collected_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    apart = {"new_releases", "unread_tags", "alarms", "hint"}
    rows: list[tuple[str, object]] = [(name, value) for name, value in facts.items() if name not in apart]
    new = facts["new_releases"]
    shown = joined(new[:LONGEST_LIST]) + (f" and {len(new) - LONGEST_LIST} more" if len(new) > LONGEST_LIST else "")
    rows += [("new releases", shown), ("tags that are no versions", len(facts["unread_tags"]))]
    rows += [(f"ALARM {a['tag']}", f"was {a['was']}, is {a['now'] or 'gone'}") for a in facts["alarms"]]
    return "\n".join([listing(rows), *([facts["hint"]] if facts["hint"] else [])])


@app.command(
    "cut",
    epilog="Examples: releaser cut shop stable;  releaser cut shop patch --line 1.1;  releaser cut shop stable --gate;  "
    "releaser cut status",
)
def cut_command(
    *,
    product: Annotated[str, typer.Argument(help="The product's name, or `status` to see cuts under way.")],
    kind: Annotated[str, typer.Argument(help="stable or patch (after `status`: a product's name).")] = "",
    line: Annotated[str, typer.Option(help="The line to patch; the newest published one when not given.")] = "",
    gate: Annotated[
        bool, typer.Option("--gate", help="Only look what speaks against it; ends with 3 when something holds it.")
    ] = False,
    override: Annotated[
        str, typer.Option(help="Cut although the gate holds it, for this reason; it is recorded, and who said so.")
    ] = "",
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Cut the next version: number, notes, tag, push, images. Stopped anywhere, the same command completes the same version."""
    with running() as ports:
        if product == "status":
            show(cut_status(ports, product=kind or None), output, _status_text)
            return
        if kind not in set(CutKind):
            raise CutKindError(
                f"'{kind[:40]}' is no kind of cut.", advice="Use: releaser cut PRODUCT stable|patch.", field="kind"
            )
        if gate:
            _look(ports, product, CutKind(kind), line, output)
            return
        with progress_bar() as progress:
            facts = cut_release(
                ports,
                product=product,
                kind=CutKind(kind),
                line=line or None,
                by=who(by),
                override=override,
                progress=progress,
            )
    show(facts, output, release_text)


def _look(ports: Ports, product: str, kind: CutKind, line: str, output: Output) -> None:
    """Show the gate's report; it is about what the repository has now."""
    with progress_bar() as progress:
        collect_commits(ports, product=product, progress=progress)
        facts = check_gate(ports, product=product, kind=kind, line=line or None, told=None)
    show(facts, output, gate_text)
    if facts["holds"]:
        raise typer.Exit(Exit.REFUSED)


def gate_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """The gate's report for people: what holds, then what is only told, a bounded number of each check."""
    head = listing(
        [
            (
                "being cut" if facts["under_way"] else "would cut",
                f"{facts['product']} {facts['version']} from {facts['branch']} at {facts['commit'][:10]}",
            ),
            *(
                [("by", "{by}, {state}, step '{step}' is done".format(**facts["under_way"]))]
                if facts["under_way"]
                else []
            ),
            ("since", facts["previous"]),
            ("commits", facts["commits"] or "none: there is nothing to cut"),
            *([("train", facts["train"])] if facts["train"] else []),
            ("gate", "HOLDS" if facts["holds"] else "open"),
        ]
    )
    parts = [head]
    for check in facts["checks"]:
        found = [one for one in facts["findings"] if one["check"] == check["check"]]
        if found:
            mark = "HOLDS" if check["mode"] == "on" else "warns"
            rows = [f"- {safe(one['detail'])}" for one in found[:LONGEST_LIST]]
            rows += [f"- and {len(found) - LONGEST_LIST} more"] if len(found) > LONGEST_LIST else []
            parts.append("\n".join([f"{mark} {check['check']} ({len(found)})", *rows, f"  {found[0]['advice']}"]))
    return "\n\n".join(parts)


def _status_text(items: Any) -> str:  # noqa: ANN401 -- facts
    rows = [(r["product"], r["version"], r["state"], r["cut_step"], r["cut_by"], r["tag"]) for r in items]
    return table(("product", "version", "state", "step", "by", "tag"), rows) if rows else "No cut is under way."


@app.command("promote", epilog="Example: releaser promote shop 1.1")
def promote_command(
    product: ProductArgument, version: VersionArgument, output: OutputOption = Output.TEXT, by: ByOption = ""
) -> None:
    """Make a candidate the release: the same commit, and images proved to be the same bits."""
    with running() as ports:
        facts = promote_release(ports, product=product, version=version, by=who(by))
    show(facts, output, release_text)


@app.command("publish", epilog="Examples: releaser publish shop 1.1;  releaser publish shop 1.1 --commit")
def publish_command(
    product: ProductArgument,
    version: VersionArgument,
    commit: Annotated[  # noqa: FBT002 -- a flag
        bool, typer.Option("--commit", help="Commit the changelog to the product's repository.")
    ] = False,
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Let customers see the release: changelog file, notes in every language, page, feeds."""
    with running() as ports:
        facts = publish_release(ports, product=product, version=version, by=who(by), commit=commit)
    show(facts, output, _published_text)


def _published_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    return "\n".join([release_text(facts), *(committed_text(one) for one in facts["commits"])])


def committed_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """A commit of a changelog for people."""
    if facts["unchanged"]:
        return f"The changelog on branch {facts['branch']} tells of it already."
    return f"Committed to branch {facts['branch']} as {facts['commit'][:12]}: {', '.join(facts['files'])}."


@app.command("yank", epilog="Example: releaser yank shop 1.1 --reason 'loses drafts; use 1.1.1'")
def yank_command(
    product: ProductArgument,
    version: VersionArgument,
    reason: Annotated[str, typer.Option(help="Why, and what to use instead; shown to readers.")],
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Withdraw a published release: still resolvable, marked everywhere, never rolled out again."""
    with running() as ports:
        facts = yank_release(ports, product=product, version=version, reason=reason, by=who(by))
    show(facts, output, release_text)


@app.command("abandon", epilog="Example: releaser abandon shop 1.2 --reason 'cut from the wrong branch'")
def abandon_command(
    product: ProductArgument,
    version: VersionArgument,
    reason: Annotated[str, typer.Option(help="Why.")],
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Stop a cut before publishing. Its number is burned."""
    with running() as ports:
        facts = abandon_release(ports, product=product, version=version, reason=reason, by=who(by))
    show(facts, output, release_text)


@release.command("list", epilog="Example: releaser release list shop --line 1.1")
def list_command(
    product: ProductArgument,
    line: Annotated[str, typer.Option(help="Only this line.")] = "",
    limit: LimitOption = 30,
    offset: OffsetOption = 0,
    output: OutputOption = Output.TEXT,
) -> None:
    """List a product's releases, newest number first."""
    with running() as ports:
        facts = list_releases(ports, product=product, line=line or None, limit=limit, offset=offset)
    headers = ("version", "line", "kind", "state", "tagged", "published")
    show(
        facts,
        output,
        lambda items: table(
            headers,
            [
                (r["version"], r["line"], r["kind"], r["state"], moment(r["tagged_at"]), moment(r["published_at"]))
                for r in items
            ],
        ),
    )


@release.command("show", epilog="Example: releaser release show shop 1.1 -o json")
def show_command(product: ProductArgument, version: VersionArgument, output: OutputOption = Output.TEXT) -> None:
    """Show one release: state, images, and its notes with the tickets they are about."""
    with running() as ports:
        facts = show_release(ports, product=product, version=version, audience=Audience.INTERNAL)
    show(facts, output, _with_notes)


@release.command(
    "stop",
    epilog="Examples: releaser release stop shop 2.0 --reason 'converts the baskets; later versions no longer can';  "
    "releaser release stop shop 2.0 --clear",
)
def stop_command(
    product: ProductArgument,
    version: VersionArgument,
    reason: Annotated[str, typer.Option(help="Why no upgrade may pass it by; shown to whoever tries.")] = "",
    clear: Annotated[  # noqa: FBT002 -- a flag
        bool, typer.Option("--clear", help="Let upgrades pass it by again.")
    ] = False,
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Make a release a required stop: what runs an older version has to run it before it goes past."""
    if clear and reason:
        raise UsageError("--reason and --clear exclude each other.", advice="Use one.", field="clear")
    with running() as ports:
        if clear:
            facts = lift_stop(ports, product=product, version=version, by=who(by))
        else:
            facts = require_stop(ports, product=product, version=version, reason=reason, by=who(by))
    show(facts, output, release_text)


@release.command(
    "one-way",
    epilog="Examples: releaser release one-way shop 2.0 --reason 'converts the schema, and 1.9 cannot read it';  "
    "releaser release one-way shop 2.0 --clear",
)
def one_way_command(
    product: ProductArgument,
    version: VersionArgument,
    reason: Annotated[str, typer.Option(help="Why it is not safe to roll back; shown where it fails.")] = "",
    clear: Annotated[  # noqa: FBT002 -- a flag
        bool, typer.Option("--clear", help="It is safe to roll back after all.")
    ] = False,
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Mark a release as not safe to roll back: where it fails, it stops for a person instead."""
    if clear and reason:
        raise UsageError("--reason and --clear exclude each other.", advice="Use one.", field="clear")
    with running() as ports:
        if clear:
            facts = allow_way_back(ports, product=product, version=version, by=who(by))
        else:
            facts = forbid_way_back(ports, product=product, version=version, reason=reason, by=who(by))
    show(facts, output, release_text)


@release.command(
    "unblock", epilog="Example: releaser release unblock shop 1.2 --reason 'the disk was full, 1.2 is good'"
)
def unblock_command(
    product: ProductArgument,
    version: VersionArgument,
    reason: Annotated[str, typer.Option(help="Why it may be rolled out again; kept with the block.")],
    output: OutputOption = Output.TEXT,
    by: ByOption = "",
) -> None:
    """Let a version be rolled out again that is blocked since a rollout had to roll it back."""
    with running() as ports:
        facts = unblock_release(ports, product=product, version=version, reason=reason, by=who(by))
    show(facts, output, release_text)


def _with_notes(facts: Any) -> str:  # noqa: ANN401 -- facts
    rows = [(n["ticket"], n["section"], n["language"], n["text"]) for n in facts["notes"]]
    notes = [table(("ticket", "section", "language", "text"), rows)] if rows else []
    return "\n\n".join([release_text(facts), *_gate_lines(facts["gate"]), *notes])


def _gate_lines(gate: Any) -> list[str]:  # noqa: ANN401 -- facts
    """What the gate found when it was cut, and who cut it all the same."""
    if not gate or not gate["findings"]:
        return []
    found = [f"- {one['check']}: {safe(one['detail'])}" for one in gate["findings"][:LONGEST_LIST]]
    more = len(gate["findings"]) - LONGEST_LIST
    rows = ["The gate found when it was cut:", *found, *([f"- and {more} more"] if more > 0 else [])]
    over = safe(f"Overridden by {gate['overridden_by']}: {gate['reason']}") if gate["overridden_by"] else ""
    return ["\n".join([*rows, *([over] if over else [])])]
