"""Tell what an upgrade of a product gains and loses, where it has to stop on its way, what it asks for and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from releaser.domain.embargo import Untold, untold
from releaser.domain.history import History, TaggedRelease
from releaser.domain.release import ReleaseState
from releaser.domain.target import Desired, planned_stop
from releaser.domain.upgrade import as_json, compare
from releaser.domain.version import parse
from releaser.domain.way import Downtime, RequiredStop, downtime, stops_on_way
from releaser.errors import RefusedError
from releaser.flows.open_history import open_history
from releaser.flows.ports import Facts, Ports
from releaser.store import changelog, embargoes, notes, products, releases, ways
from releaser.store.installations import Target
from releaser.store.plain import load_spec
from releaser.store.products import Product
from releaser.store.releases import Release


def show_upgrade(
    ports: Ports, *, product: str, since: str, upto: str, most: int | None = None, told: Untold | None = untold
) -> Facts:
    """`domain.upgrade.as_json`, `most` of every list, and beside it `required_stops`, `actions` and `downtime`.

    `told` stands in place of texts under embargo.
    It may touch files, so no transaction may be open. Raises `ReleaseNotFoundError`, `InvalidVersionError`,
    `RefusedError` (rules `abandoned`, `not-cut`, `not-known`, `not-collected`), and what `open_history` raises.
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        wanted = [releases.get(session, row, text) for text in (since, upto)]
    history = open_history(ports, product=product)
    first, last = (_tagged(history, one) for one in wanted)
    diff = compare(history, first, last)
    with ports.database.reading() as session:
        row = products.get(session, product)
        stops = stops_on_way(ways.required_stops(session, row), first.version, last.version)
        brought = [one.version.text for one in diff.brought]
        return {
            "product": row.name,
            **embargoes.veil(session, row.id, now=ports.clock.now()).over(as_json(diff, history, most=most), told),
            "required_stops": [_stop(one) for one in stops],
            "actions": _actions(ports, session, row, brought),
            "downtime": _downtime_facts(_downtime(ports, session, row, len(stops))),
        }


def _tagged(history: History, release: Release) -> TaggedRelease:
    """The release as the history knows it. Raises `RefusedError`, with advice that can help."""
    product = release.product
    found = history.release(parse(release.version, scheme=product.scheme))
    if found is None:
        rule, why, advice = _not_there(product.name, release)
        raise RefusedError(why, rule=rule, advice=advice, field="version")
    return found


def _not_there(product: str, release: Release) -> tuple[str, str, str]:
    """Rule, reason and advice: why the history knows nothing of a release."""
    version, tag = release.version, release.tag
    if release.state is ReleaseState.ABANDONED:
        return "abandoned", f"{version} was abandoned: it is no release.", "Name another version."
    if not release.tag_object:
        return (
            "not-cut",
            f"{version} has no tag yet: its cut is not finished.",
            f"See `releaser cut status {product}`.",
        )
    match changelog.unknown_why(release):
        case "gone":
            return (
                "not-known",
                f"What {version} held is not known: its tag {tag} and its commit {release.commit[:12]} are gone.",
                f"Whoever has the tag can push it again (git push origin {tag}, then `releaser collect {product}`).",
            )
        case "unread":
            return (
                "not-known",
                f"What {version} held is not known: its tag {tag} is no version in the format of the product's tags.",
                f"The product says '{release.product.tag_format}'; `releaser apply` changes that.",
            )
        case _:
            return (
                "not-collected",
                f"No tag of '{product}' carries {version} as far as it was collected.",
                f"Run `releaser collect {product}`.",
            )


def _stop(stop: RequiredStop) -> dict[str, Any]:
    return {"version": stop.version.text, "reason": stop.reason}


def _actions(ports: Ports, session: Session, product: Product, versions: Sequence[str]) -> list[dict[str, Any]]:
    """What the notes of the releases gained ask customers to do, oldest release first."""
    now = ports.clock.now()
    return [
        {"version": release.version, "ticket": note.ticket, "language": note.language, "text": note.text}
        for release in ways.needing_action(session, product, versions)
        for note in notes.of_release(session, release, now=now)
        if note.needs_action
    ]


def _downtime(ports: Ports, session: Session, product: Product, stops: int) -> Downtime:
    running = ways.running(session, product)
    planned: dict[str, list[float]] = {}
    for target in running:
        planned.setdefault(target.module.name, []).append(_planned_s(ports, target))
    measured = ways.measured_stops(session, product)
    return downtime(sorted({*planned, *measured}), measured_s=measured, planned_s=planned, stops=stops)


def _planned_s(ports: Ports, target: Target) -> float:
    """What a plan states of one more update of what runs there; no engine is asked."""
    previous = Desired(
        version=target.version,
        image=target.image,
        digest=target.digest,
        spec=load_spec(target.running_spec or target.spec),
    )
    desired = Desired(version=target.version, image=target.image, digest=target.digest, spec=load_spec(target.spec))
    steps = ports.drivers[target.driver].plan(desired=desired, previous=previous, observed=None)
    return planned_stop(steps)[1].total_seconds()


def _downtime_facts(expected: Downtime) -> dict[str, Any]:
    return {
        "expected_s": expected.stop_for.total_seconds() if expected.stop_for is not None else None,
        "basis": expected.basis.value,
        "updates": expected.updates,
        "modules": [
            {
                "module": one.module,
                "stop_s": one.stop_for.total_seconds() if one.stop_for is not None else None,
                "basis": one.basis.value,
                "count": one.count,
            }
            for one in expected.modules
        ],
    }
