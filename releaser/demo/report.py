"""What the demonstration prints at the end.

Which request is fixed in which versions and since when its fix runs at whom, planned and measured downtime, and the
addresses of the pages.

What does not live here: how it came to be (`story`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.table import Table

from releaser.demo.serving import PROGRAM
from releaser.demo.stage import SHOP, Stage
from releaser.demo.story import REQUESTS, Told

_STATES = {
    "new": "waits for its fix",
    "solution_provided": "solved: it runs",
    "closed": "closed: the customer confirmed",
}


def show(stage: Stage, told: Told) -> None:
    """Print the tables and the addresses, as the service tells them now."""
    console = stage.screen.console
    threads = [stage.service.get(f"/tickets/{one.key}", product=SHOP) for one in REQUESTS]
    console.print()
    console.print(_requests(threads))
    console.print(_downtime(told.rollouts))
    console.print("Pages", style="bold")
    for what, address in _addresses(stage, told):
        console.print(f"  {what:<26}{address}", highlight=False, soft_wrap=True)
    console.print("\nCommands from another terminal, while it serves", style="bold")
    console.print(f"  RELEASER_HOME={stage.folder.home} {PROGRAM} rollout show 2", highlight=False, soft_wrap=True)


def _requests(threads: Sequence[Mapping[str, Any]]) -> Table:
    zone = datetime.now(UTC).astimezone().tzname()
    table = _table(
        "From the request to where its fix runs",
        "Request",
        "Asked by",
        "Fixed in",
        "Runs at",
        f"Since ({zone})",
        "State",
    )
    for thread in threads:
        runs = [one for one in thread["installations"] if one["fixed"]]
        asked = [one for one in runs if one["customer"] == thread["customer"]]
        table.add_row(
            f"{thread['key']}  {thread['title']}",
            thread["customer"],
            ", ".join(_versions(thread)) or "-",
            "\n".join(_bold(f"{one['customer']}: {one['installation']}", mine=one in asked) for one in runs) or "-",
            "\n".join(_bold(_clock(one["since"]), mine=one in asked) for one in runs) or "-",
            _STATES.get(thread["state"], thread["state"]),
        )
    return table


def _versions(thread: Mapping[str, Any]) -> list[str]:
    """The first version of each line that has the fix; one that was withdrawn is told as such."""
    state_of = {one["version"]: one["state"] for one in thread["releases"]}
    firsts = [one["first_version"] for one in thread["lines"]]
    return [one + (" (yanked)" if state_of.get(one) == "yanked" else "") for one in firsts]


def _downtime(rollouts: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Downtime", "Rollout", "Installation", "Wave", "Planned", "Measured", "Outcome")
    for rollout in rollouts:
        targets = sorted(rollout["targets"], key=lambda one: (one["wave"], one["installation"]))
        for number, one in enumerate(targets):
            table.add_row(
                f"{rollout['id']}: {one['from'] or 'nothing'} → {one['to']}" if number == 0 else "",
                one["installation"],
                str(one["wave"]),
                _stop(one["planned_stop_s"]),
                _stop(one["measured_stop_s"]),
                one["state"].replace("_", " "),
                end_section=number == len(targets) - 1,
            )
    return table


def _addresses(stage: Stage, told: Told) -> Iterator[tuple[str, str]]:
    base = stage.service.address
    yield "What runs where", f"{base}/"
    yield "The product", f"{base}/products/{SHOP}"
    yield "Release notes of 1.1", f"{base}/products/{SHOP}/releases/1.1 (по-русски: ?lang=ru)"
    yield "Atom feed", f"{base}/products/{SHOP}/feed.atom"
    yield "A request's whole thread", f"{base}/products/{SHOP}/tickets/SHOP-4"
    yield "The rollout in two waves", f"{base}/rollouts/{told.rollouts[1]['id']}"
    yield "Planned work", f"{base}/notices"
    yield "The API", f"{base}/v1/openapi.json"
    if told.imported:
        yield "A real history", f"{base}/products/{told.imported}"
    yield "Mail that was sent", f"{stage.folder.mail}/"
    yield "What was declared", f"{stage.folder.declared}/"
    yield "Changelogs", f"{stage.folder.home}/changelogs/"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _bold(text: str, *, mine: bool) -> str:
    return f"[bold]{text}[/]" if mine else f"[dim]{text}[/]"


def _clock(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone().strftime("%H:%M:%S")


def _stop(seconds: float | None) -> str:
    return f"{seconds:.1f} s" if seconds else "none"
